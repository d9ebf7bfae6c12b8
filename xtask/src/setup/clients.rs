//! Programs of others that talk to wharf, for the journeys that run them. Without one, its journey skips itself and says so;
//! so here a failure is a word on the terminal, never the end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};

use super::install;
use crate::process::{find, limited, output};
use crate::project::Project;

/// Programs, and Debian's packages of them. Installed, these would run as services of the machine; unpacked, they are
/// files in our own folder, and take no root.
const UNPACKED: [(&str, &str, &str); 3] = [
    ("vmagent", "victoria-metrics", "23 MB"),
    ("prometheus", "prometheus", "20 MB"),
    // Brings `prometheus-alertmanager` as well.
    ("amtool", "prometheus-alertmanager", "11 MB"),
];

/// Where programs are that were unpacked, not installed.
pub(crate) fn folder(project: &Project) -> PathBuf {
    project.state("clients").join("usr/bin")
}

/// Gets what is missing and can be had.
pub(super) fn fetch(project: &Project) {
    say("virtual environments of Python", python(project));
    for (program, package, size) in UNPACKED {
        say(program, unpacked(project, program, package, size));
    }
    for program in ["npm", "terraform", "consul"] {
        let named = program == "consul" && std::env::var_os("CONSUL_BIN").is_some();
        if find(program).is_none() && !named {
            println!("no {program} here: tests that need it are skipped");
        }
    }
}

fn say(what: &str, outcome: anyhow::Result<()>) {
    if let Err(error) = outcome {
        println!("no {what} here, tests that need it are skipped: {error:#}");
    }
}

fn python(project: &Project) -> anyhow::Result<()> {
    let limit = Duration::from_secs(20);
    if output(limit, "python3", &["-c", "import ensurepip, venv"]).is_ok() {
        return Ok(());
    }
    install(project, &["python3-venv"])
}

fn unpacked(project: &Project, program: &str, package: &str, size: &str) -> anyhow::Result<()> {
    if find(program).is_some() || folder(project).join(program).is_file() {
        return Ok(());
    }
    println!("fetching {package} ({size})");
    unpack(&project.state("clients"), package)
}

/// Downloads a Debian package and unpacks it into `folder`; the package is whole or its programs are not there.
fn unpack(folder: &Path, package: &str) -> anyhow::Result<()> {
    let download = folder.join("download");
    let _ = std::fs::remove_dir_all(&download);
    std::fs::create_dir_all(&download).with_context(|| format!("cannot create `{}`", download.display()))?;
    let said = limited(Duration::from_secs(180), "apt-get")
        .args(["--quiet", "--option", "Acquire::Retries=1", "--option", "Acquire::http::Timeout=20"])
        .args(["download", package])
        .current_dir(&download)
        .stdin(Stdio::null())
        .output()
        .context("cannot run `apt-get`")?;
    if !said.status.success() {
        let reason = String::from_utf8_lossy(&said.stderr);
        bail!("`apt-get download {package}` failed: {}", reason.trim().lines().last().unwrap_or("no reason"));
    }
    let mut files = std::fs::read_dir(&download)?.filter_map(|entry| Some(entry.ok()?.path()));
    let file = files.find(|path| path.extension().is_some_and(|end| end == "deb"));
    let file = file.with_context(|| format!("`apt-get download {package}` left no package"))?;
    let (file, into) = (file.display().to_string(), folder.display().to_string());
    output(Duration::from_secs(60), "dpkg-deb", &["--extract", &file, &into])?;
    std::fs::remove_dir_all(&download).with_context(|| format!("cannot remove `{}`", download.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_cannot_be_had_is_named() {
        let folder = std::env::temp_dir().join(format!("xtask-clients-{}", std::process::id()));
        let error = unpack(&folder, "no-such-package-anywhere").unwrap_err().to_string();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(error.contains("apt-get"), "{error}");
    }
}
