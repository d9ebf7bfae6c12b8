//! `wharf backup` and `wharf restore`: the whole catalog in one file, and back, while wharf runs.
//!
//! An archive is examined before it is written and before it is sent: a backup that cannot be restored is
//! told when it is made, and what is no backup never reaches the catalog.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use serde::Serialize;
use wharf_catalog_http::{
    Config,
    snapshot::{Contents, examine},
};

use super::{
    output::{Output, complain, json, print},
    query::Asked,
};

pub(super) const BACKUP_HELP: &str = "\
The file holds everything: nodes, services, checks, keys, sessions, prepared queries, config entries. Keys are often
secrets: it is readable by its owner only. It appears whole or not at all; an older one of that name is replaced.
The uptime history is not in it.";

pub(super) const RESTORE_HELP: &str = "\
Everything in the catalog is replaced by what the backup says, in one commit, without a question asked. A file that is
damaged or no backup of wharf's is refused, and nothing changes. Sessions and TTL checks go on with the time they had
left when the backup was made. Containers that run now are registered again at once.";

/// Where to write.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    /// File to write, `-` for stdout
    file: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// What to read.
#[derive(Debug, clap::Args)]
pub(super) struct RestoreArgs {
    /// File that `wharf backup` has written, `-` for stdin
    file: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

/// What was done, for programs.
#[derive(Debug, Serialize)]
struct Done<'a> {
    file: &'a Path,
    bytes: usize,
    #[serde(flatten)]
    contents: Contents,
}

/// Saves the catalog.
pub(super) async fn backup(args: BackupArgs) -> anyhow::Result<ExitCode> {
    let packed = args.asked.client()?.save_snapshot().await?;
    let contents = examined(&packed).context("what wharf sent is no whole backup, and was not written")?;
    if is_pipe(&args.file) {
        io::stdout().lock().write_all(&packed).context("cannot write to stdout")?;
        complain(&format!("wharf: saved {}", described(&contents)));
        return Ok(ExitCode::SUCCESS);
    }
    let shown = args.file.display();
    write_whole(&args.file, &packed).with_context(|| format!("cannot write `{shown}`"))?;
    tell(&args.asked, &args.file, packed.len(), contents, &format!("saved to `{shown}`"))
}

/// Restores the catalog.
pub(super) async fn restore(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    let shown = args.file.display();
    let packed = read_whole(&args.file).with_context(|| format!("cannot read `{shown}`"))?;
    let contents = examined(&packed)
        .map_err(|why| anyhow!("`{shown}` cannot be restored: {why}; nothing was changed"))?;
    let size = packed.len();
    args.asked.client()?.restore_snapshot(packed).await?;
    tell(&args.asked, &args.file, size, contents, &format!("restored from `{shown}`"))
}

fn examined(packed: &[u8]) -> anyhow::Result<Contents> {
    Ok(examine(packed, Config::default().snapshot_max_size)?)
}

fn tell(
    asked: &Asked,
    file: &Path,
    bytes: usize,
    contents: Contents,
    done: &str,
) -> anyhow::Result<ExitCode> {
    print(&match asked.output {
        Output::Json => json(&Done { file, bytes, contents })?,
        Output::Table => format!("{done}: {}\n", described(&contents)),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn described(contents: &Contents) -> String {
    let Contents { index, taken, nodes, instances, checks, keys, sessions, documents } = contents;
    let taken =
        jiff::Timestamp::from_millisecond(taken.0).map_or_else(|_| "?".to_owned(), |at| format!("{at:.0}"));
    format!(
        "{nodes} nodes, {instances} instances, {checks} checks, {keys} keys, {sessions} sessions, \
         {documents} documents as of {taken}, index {index}"
    )
}

fn is_pipe(file: &Path) -> bool {
    file == Path::new("-")
}

fn read_whole(file: &Path) -> io::Result<Vec<u8>> {
    if !is_pipe(file) {
        return fs::read(file);
    }
    let mut packed = Vec::new();
    io::stdin().lock().read_to_end(&mut packed)?;
    Ok(packed)
}

/// Under its name there is never half a file, and after this returns it is on disk.
fn write_whole(file: &Path, packed: &[u8]) -> io::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let name = file.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::IsADirectory))?;
    let mut draft = std::ffi::OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}.new", std::process::id()));
    let draft = folder.join(draft);
    let written = write_draft(&draft, packed)
        .and_then(|()| fs::rename(&draft, file))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, packed: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(packed)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalog.backup");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        write_whole(&file, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("a-folder");
        fs::create_dir_all(taken.join("full")).unwrap();
        assert!(write_whole(&taken, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_whole(&folder.path().join("nowhere/file"), b"new").is_err());
    }
}
