//! A container image made from the wharf binary itself: no registry and no base image, only the program, the
//! libraries it is linked with, and the two files a C library likes to find.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail};
use tar::{Builder, EntryType, Header};

use crate::process::{limited, output};
use crate::project::Project;

/// The image's name.
pub(crate) const NAME: &str = "wharf-demo";

/// The image's label that says which binary it was made from.
const BINARY: &str = "wharf.binary";

const IMPORT: Duration = Duration::from_secs(120);

/// Makes the image, or finds the one made from this very binary earlier; says what it did.
pub(crate) fn build(project: &Project, binary: &Path) -> anyhow::Result<String> {
    let fingerprint = fingerprint(binary)?;
    let format = format!("{{{{.Id}}}} {{{{index .Config.Labels \"{BINARY}\"}}}}");
    let found = output(IMPORT, "docker", &["image", "inspect", "--format", &format, NAME]).ok();
    let (stale, label) = found.as_deref().and_then(|line| line.split_once(' ')).unwrap_or_default();
    if label == fingerprint {
        return Ok(format!("image {NAME}: unchanged"));
    }
    let slim = strip(project, binary);
    let size = import(&slim, &fingerprint)?;
    if !stale.is_empty() {
        // The image before this one; it stays where a container still uses it.
        let _ = output(IMPORT, "docker", &["image", "rm", stale]);
    }
    Ok(format!("image {NAME}: {} MB, made from the binary", size.div_ceil(1_000_000)))
}

/// Tells binaries apart without reading them.
fn fingerprint(binary: &Path) -> anyhow::Result<String> {
    let metadata = fs::metadata(binary).with_context(|| format!("no `{}`", binary.display()))?;
    let age = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{}-{}", metadata.len(), age.as_nanos()))
}

/// A copy without debug information, or the binary as it is where there is no `strip`.
fn strip(project: &Project, binary: &Path) -> PathBuf {
    let slim = project.state("wharf-slim");
    let arguments = ["--strip-all", "-o", &slim.to_string_lossy(), &binary.to_string_lossy()];
    match output(IMPORT, "strip", &arguments) {
        Ok(_) => slim,
        Err(_) => binary.to_owned(),
    }
}

/// Streams the tar into `docker import`; returns its length in bytes.
fn import(binary: &Path, fingerprint: &str) -> anyhow::Result<u64> {
    let libraries = libraries(binary)?;
    let mut docker = limited(IMPORT, "docker")
        .args(["import", "--change", &format!("LABEL {BINARY}={fingerprint}"), "-", NAME])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot run `docker import`")?;
    let stdin = docker.stdin.take().context("`docker import` has no stdin")?;
    // The pipe has to be closed before the wait: its end is what tells the engine that the image is complete.
    let written =
        write_tar(Counted { inner: stdin, bytes: 0 }, binary, &libraries).map(|counted| counted.bytes);
    let output = docker.wait_with_output()?;
    if !output.status.success() {
        bail!("`docker import` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    written
}

/// The shared libraries and the loader the binary names, none for a static one.
fn libraries(binary: &Path) -> anyhow::Result<Vec<PathBuf>> {
    // Cargo points the library path at its own folders; the container has none of them.
    let output =
        Command::new("ldd").arg(binary).env_remove("LD_LIBRARY_PATH").output().context("cannot run `ldd`")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        bail!("`{}` does not run here: {}", binary.display(), line.trim());
    }
    Ok(read_ldd(&text))
}

fn read_ldd(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let (name, place) = line.trim().split_once(" => ").unwrap_or(("", line.trim()));
        let path = place.split(" (").next().filter(|path| path.starts_with('/'))?;
        debug_assert!(!name.starts_with("linux-vdso"), "the kernel's own library has no file");
        Some(PathBuf::from(path))
    };
    text.lines().filter_map(path).collect()
}

/// Writes the image's whole file system.
fn write_tar<W: Write>(writer: W, binary: &Path, libraries: &[PathBuf]) -> anyhow::Result<W> {
    let mut tar = Builder::new(writer);
    add(&mut tar, "tmp/", EntryType::Directory, 0o1777, &[])?;
    add(
        &mut tar,
        "etc/passwd",
        EntryType::Regular,
        0o644,
        b"root:x:0:0:root:/:/wharf\nnobody:x:65534:65534::/:/wharf\n",
    )?;
    add(&mut tar, "etc/group", EntryType::Regular, 0o644, b"root:x:0:\nnogroup:x:65534:\n")?;
    let files = libraries.iter().map(|path| (path.to_string_lossy().into_owned(), path.as_path()));
    for (name, path) in files.chain([("/wharf".to_owned(), binary)]) {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        add(&mut tar, name.trim_start_matches('/'), EntryType::Regular, 0o755, &bytes)?;
    }
    Ok(tar.into_inner()?)
}

fn add(
    tar: &mut Builder<impl Write>,
    name: &str,
    kind: EntryType,
    mode: u32,
    bytes: &[u8],
) -> anyhow::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).with_context(|| format!("cannot add `{name}` to the image"))
}

/// Counts what passes through.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_loader_are_read_and_the_kernels_own_is_not() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f1)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(read_ldd(text), expected);
        assert!(read_ldd("\tstatically linked\n").is_empty());
    }

    #[test]
    fn the_tar_holds_the_binary_its_libraries_and_little_else() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("any");
        fs::write(&binary, "program").unwrap();
        let bytes = write_tar(Vec::new(), &binary, &[folder.path().join("any")]).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        let library = binary.to_string_lossy().trim_start_matches('/').to_owned();
        assert_eq!(names, ["tmp/", "etc/passwd", "etc/group", library.as_str(), "wharf"]);
    }

    #[test]
    fn a_binary_that_changed_has_another_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("any");
        fs::write(&binary, "program").unwrap();
        let before = fingerprint(&binary).unwrap();
        fs::write(&binary, "program two").unwrap();
        assert_ne!(fingerprint(&binary).unwrap(), before);
    }
}
