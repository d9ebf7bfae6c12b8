//! How does a new file take the place of the old one? At once, as a whole, and with a way back.
//!
//! Names that live beside the destination: `.NAME.wharf-candidate` (the new file while it is checked; a
//! refused one stays there to be looked at), `.NAME.wharf-previous` (the last file whose reload
//! succeeded, from publishing until the reload of its successor has) and, where asked for, `NAME.bak` (the file
//! replaced last). That there is a previous one is also the memory that a reload is owed, should we be killed in
//! between. Invariant: a reader of the destination sees the old bytes or the new bytes; mode and owner stay what
//! they were.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use crate::{Perms, accounts, durable::Seat};

/// What a file is to be like, beside what stands in it.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    /// Mode; default: that of the file that is replaced, else `0644`.
    pub perms: Option<Perms>,
    /// Name or number of the owner; default: that of the file that is replaced, else ours.
    pub user: Option<String>,
    /// Name or number of the group; as `user`.
    pub group: Option<String>,
    /// Keep the file that was replaced last?
    pub backup: bool,
    /// Leave directories that are missing so?
    pub keep_directories: bool,
}

/// A file that is replaced as a whole.
#[derive(Debug, Clone)]
pub struct Destination {
    path: PathBuf,
    candidate: PathBuf,
    previous: PathBuf,
    perms: Option<Perms>,
    owner: (Option<u32>, Option<u32>),
    backup: bool,
}

/// Why a file could not be published; the old one is untouched.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// See to the directory: permissions, space.
    #[error("cannot {action} `{path}`: {source}; see to the directory's permissions and space", path = .path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Bind-mount the directory instead of the file.
    #[error("`{path}` is a mount point and cannot be replaced: mount its directory instead", path = .0.display())]
    MountPoint(PathBuf),
    /// Make it, or mend the name.
    #[error("no {kind} `{name}` on this machine, for `{path}`: make it, or give its number", path = .path.display())]
    Account {
        /// The file.
        path: PathBuf,
        /// `user` or `group`.
        kind: &'static str,
        /// What was given.
        name: String,
    },
    /// Use a plain relative name.
    #[error("the template asks for a file `{0}`: only names below the destination's directory are allowed")]
    Outside(String),
    /// Run as the owner, or give the file away first.
    #[error("cannot keep owner {uid}:{gid} of `{path}`: {source}; run as that user, or remove the file once", path = .path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
        /// What the system said.
        source: io::Error,
    },
}

impl Destination {
    /// The file at `path`; if that is a symbolic link, the file it points to. Makes missing directories.
    pub fn new(path: &Path, attributes: &Attributes) -> Result<Self, PublishError> {
        let path = std::path::absolute(path).map_err(|source| failed("find", path, source))?;
        let path = fs::canonicalize(&path).unwrap_or(path);
        let directory = path.parent().unwrap_or(Path::new("/"));
        if !attributes.keep_directories {
            fs::create_dir_all(directory).map_err(|source| failed("create directory", directory, source))?;
        }
        let beside = |suffix: &str| {
            let mut name = OsString::from(".");
            name.push(path.file_name().unwrap_or_default());
            name.push(suffix);
            path.with_file_name(name)
        };
        let (candidate, previous) = (beside(".wharf-candidate"), beside(".wharf-previous"));
        let account = |kind, name: &Option<String>, find: fn(&str) -> Option<u32>| match name {
            Some(name) => find(name).map(Some).ok_or_else(|| PublishError::Account {
                path: path.clone(),
                kind,
                name: name.clone(),
            }),
            None => Ok(None),
        };
        let owner = (
            account("user", &attributes.user, accounts::user)?,
            account("group", &attributes.group, accounts::group)?,
        );
        let (perms, backup) = (attributes.perms, attributes.backup);
        Ok(Self { path, candidate, previous, perms, owner, backup })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file waits to be checked.
    pub fn candidate(&self) -> &Path {
        &self.candidate
    }

    /// What stands in the file now; `None` when there is none.
    pub fn current(&self) -> Result<Option<Vec<u8>>, PublishError> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read", &self.path, source)),
        }
    }

    /// Writes `text` as the candidate, with the mode and owner it will have, and has the disk keep it.
    pub fn stage(&self, text: &[u8]) -> Result<(), PublishError> {
        let io = |action| move |source| failed(action, &self.candidate, source);
        let seat = self.seat()?;
        let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.candidate);
        let mut file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                remove(&self.candidate)?;
                create()
            }
            made => made,
        }
        .map_err(io("create"))?;
        let old = fs::metadata(&self.path).ok();
        self.give_owner(&file, old.as_ref())?;
        let mode = match (self.perms, &old) {
            (Some(perms), _) => perms.0,
            (None, Some(old)) => old.mode() & 0o7777,
            (None, None) => 0o644,
        };
        file.write_all(text).map_err(io("write"))?;
        file.set_permissions(Permissions::from_mode(mode)).map_err(io("set the mode of"))?;
        seat.keep(file).map_err(io("sync"))
    }

    fn give_owner(&self, file: &File, old: Option<&fs::Metadata>) -> Result<(), PublishError> {
        let ours = file.metadata().map_err(|source| failed("inspect", &self.candidate, source))?;
        let uid = self.owner.0.unwrap_or_else(|| old.map_or(ours.uid(), MetadataExt::uid));
        let gid = self.owner.1.unwrap_or_else(|| old.map_or(ours.gid(), MetadataExt::gid));
        if (ours.uid(), ours.gid()) == (uid, gid) {
            return Ok(());
        }
        fchown(file, Some(uid), Some(gid)).map_err(|source| PublishError::Owner {
            path: self.path.clone(),
            uid,
            gid,
            source,
        })
    }

    /// Has the file in place another mode or owner than is asked for?
    pub fn misfits(&self) -> bool {
        let Ok(now) = fs::metadata(&self.path) else { return false };
        self.perms.is_some_and(|perms| now.mode() & 0o7777 != perms.0)
            || self.owner.0.is_some_and(|uid| uid != now.uid())
            || self.owner.1.is_some_and(|gid| gid != now.gid())
    }

    fn keep_backup(&self) -> Result<(), PublishError> {
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".bak");
        let backup = self.path.with_file_name(name);
        remove(&backup)?;
        fs::hard_link(&self.path, &backup)
            .or_else(|_| fs::copy(&self.path, &backup).map(|_| ()))
            .map_err(|source| failed("keep a copy as", &backup, source))
    }

    /// Puts the candidate in place. With `way_back` the file replaced is kept until [`Self::confirm`].
    pub fn publish(&self, way_back: bool) -> Result<(), PublishError> {
        let seat = self.seat()?;
        if self.backup && self.path.exists() {
            self.keep_backup()?;
        }
        // One that is still there is older and known to be good: it stays.
        if way_back && !self.owes_reload() && self.path.exists() {
            fs::hard_link(&self.path, &self.previous)
                .or_else(|_| fs::copy(&self.path, &self.previous).map(|_| ()))
                .map_err(|source| failed("keep a copy as", &self.previous, source))?;
        }
        fs::rename(&self.candidate, &self.path).map_err(|source| match source.kind() {
            io::ErrorKind::ResourceBusy => PublishError::MountPoint(self.path.clone()),
            _ => failed("replace", &self.path, source),
        })?;
        self.keep_directory(seat)
    }

    /// Takes the file away, for good once [`Self::confirm`] is called.
    pub fn retire(&self) -> Result<(), PublishError> {
        let seat = self.seat()?;
        let gone = if self.owes_reload() {
            fs::remove_file(&self.path)
        } else {
            fs::rename(&self.path, &self.previous)
        };
        match gone {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &self.path, source))
            }
            _ => self.keep_directory(seat),
        }
    }

    /// Removes a file that was not there before.
    pub fn withdraw(&self) -> Result<(), PublishError> {
        remove(&self.path)
    }

    /// Is there a published file whose reload is not known to have succeeded?
    pub fn owes_reload(&self) -> bool {
        self.previous.exists()
    }

    /// The reload succeeded: the way back is not needed any more.
    pub fn confirm(&self) -> Result<(), PublishError> {
        remove(&self.previous)
    }

    /// Puts the last file whose reload succeeded back; `false` if there is none.
    pub fn roll_back(&self) -> Result<bool, PublishError> {
        let seat = self.seat()?;
        match fs::rename(&self.previous, &self.path) {
            Ok(()) => self.keep_directory(seat).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(failed("put back", &self.path, source)),
        }
    }

    /// Before anything is changed, for [`Self::keep_directory`] to tell of every fault.
    fn seat(&self) -> Result<Seat, PublishError> {
        Seat::of(self.directory()).map_err(|source| failed("open directory", self.directory(), source))
    }

    /// A rename is only kept once its directory is.
    fn keep_directory(&self, seat: Seat) -> Result<(), PublishError> {
        File::open(self.directory())
            .and_then(|directory| seat.keep(directory))
            .map_err(|source| failed("sync directory", self.directory(), source))
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }
}

/// Asking first is cheaper: taking nothing away keeps others out of the directory as well.
fn remove(path: &Path) -> Result<(), PublishError> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, source)),
        _ => Ok(()),
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> PublishError {
    PublishError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn destination() -> (tempfile::TempDir, Destination) {
        let directory = tempfile::tempdir().unwrap();
        let destination =
            Destination::new(&directory.path().join("conf.d/site.conf"), &Attributes::default()).unwrap();
        (directory, destination)
    }

    fn write(destination: &Destination, text: &[u8]) {
        destination.stage(text).unwrap();
        destination.publish(false).unwrap();
    }

    #[test]
    fn a_reader_sees_the_old_file_or_the_new_one_and_nothing_in_between() {
        let (_directory, destination) = destination();
        let versions = [b'a', b'b'].map(|byte| vec![byte; 300_000]);
        write(&destination, &versions[0]);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut seen = [0, 0];
                while !done.load(Ordering::Relaxed) || seen[0] + seen[1] == 0 {
                    let bytes = fs::read(destination.path()).unwrap();
                    let version = versions.iter().position(|version| *version == bytes);
                    seen[version.expect("a partial file was read")] += 1;
                }
                seen
            });
            for round in 0..60 {
                write(&destination, &versions[round % 2]);
            }
            done.store(true, Ordering::Relaxed);
            reader.join().unwrap();
        });
    }

    #[test]
    fn mode_and_owner_are_kept_and_perms_win() {
        let (_directory, destination) = destination();
        write(&destination, b"one");
        assert_eq!(fs::metadata(destination.path()).unwrap().mode() & 0o7777, 0o644);
        fs::set_permissions(destination.path(), Permissions::from_mode(0o640)).unwrap();
        let root = fs::metadata(destination.path()).unwrap().uid() == 0;
        if root {
            std::os::unix::fs::chown(destination.path(), Some(1234), Some(4321)).unwrap();
        }
        write(&destination, b"two");
        let kept = fs::metadata(destination.path()).unwrap();
        assert_eq!(kept.mode() & 0o7777, 0o640);
        if root {
            assert_eq!((kept.uid(), kept.gid()), (1234, 4321));
        }
        let strict = Destination::new(
            destination.path(),
            &Attributes { perms: Some(Perms(0o600)), ..Attributes::default() },
        )
        .unwrap();
        write(&strict, b"three");
        assert_eq!(fs::metadata(destination.path()).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn rolling_back_restores_the_last_confirmed_file() {
        let (_directory, destination) = destination();
        write(&destination, b"good");
        for bad in [&b"bad"[..], b"worse"] {
            destination.stage(bad).unwrap();
            destination.publish(true).unwrap();
            assert!(destination.owes_reload());
        }
        assert!(destination.roll_back().unwrap());
        assert_eq!(destination.current().unwrap().unwrap(), b"good");
        assert!(!destination.owes_reload());
        assert!(!destination.roll_back().unwrap(), "there is nothing to go back to any more");
    }

    #[test]
    fn a_backup_is_the_file_replaced_last() {
        let (_directory, destination) = destination();
        let attributes = Attributes { backup: true, ..Attributes::default() };
        let kept = Destination::new(destination.path(), &attributes).unwrap();
        for text in [&b"one"[..], b"two", b"three"] {
            write(&kept, text);
        }
        assert_eq!(fs::read(destination.path().with_file_name("site.conf.bak")).unwrap(), b"two");
    }

    #[test]
    fn an_owner_nobody_knows_is_told_with_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let attributes = Attributes { group: Some("no-such-group".to_owned()), ..Attributes::default() };
        let error = Destination::new(&directory.path().join("a"), &attributes).unwrap_err().to_string();
        assert!(error.contains("no group `no-such-group`"), "{error}");
    }

    #[test]
    fn a_retired_file_comes_back_when_the_reload_fails() {
        let (_directory, destination) = destination();
        write(&destination, b"one");
        destination.retire().unwrap();
        assert!(!destination.path().exists() && destination.owes_reload());
        assert!(destination.roll_back().unwrap());
        destination.retire().unwrap();
        destination.confirm().unwrap();
        assert!(!destination.path().exists() && !destination.owes_reload());
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let (directory, destination) = destination();
        write(&destination, b"one");
        let link = directory.path().join("link.conf");
        std::os::unix::fs::symlink(destination.path(), &link).unwrap();
        write(&Destination::new(&link, &Attributes::default()).unwrap(), b"two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(destination.current().unwrap().unwrap(), b"two");
    }

    #[test]
    fn a_stale_candidate_that_is_a_link_is_not_followed() {
        let (directory, destination) = destination();
        let victim = directory.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, destination.candidate()).unwrap();
        write(&destination, b"new");
        assert_eq!(fs::read_to_string(victim).unwrap(), "untouched");
    }
}
