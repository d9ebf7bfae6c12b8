//! The files of one template: its destination, and those it made beside it. They are published, confirmed and
//! rolled back together.
//!
//! A list beside the destination, `.NAME.wharf-files`, holds which files the template made; only those are ever
//! removed. It is written before the first of them is, so that a crash leaves none behind unlisted.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write},
    path::{Component, Path, PathBuf},
};

use crate::{
    TemplateConfig,
    eval::WriteFile,
    render::{Attributes, Destination, PublishError},
};

/// What becomes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Same,
    Replaced,
    Created,
    Retired,
}

/// All files of one render.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    main: Destination,
    pieces: Vec<(Destination, Fate)>,
    /// Added to the end of files that are nobody's.
    appends: Vec<(PathBuf, Vec<u8>)>,
    /// The files made, by name below the destination's directory.
    made: BTreeSet<String>,
}

/// The texts of one render.
#[derive(Debug, Clone, Default)]
pub(super) struct Texts {
    pub(super) main: Vec<u8>,
    pub(super) writes: Vec<WriteFile>,
}

pub(super) fn attributes(config: &TemplateConfig) -> Attributes {
    Attributes {
        perms: config.perms,
        user: config.user.clone(),
        group: config.group.clone(),
        backup: config.backup,
        keep_directories: !config.create_dest_dirs,
    }
}

impl Batch {
    /// Compares the texts with the files there are; writes nothing.
    pub(super) fn compare(config: &TemplateConfig, texts: &Texts) -> Result<Self, PublishError> {
        let main = Destination::new(&config.destination, &attributes(config))?;
        let mut pieces = vec![(main.clone(), fate(&main, &texts.main)?)];
        let (mut appends, mut made) = (Vec::new(), BTreeSet::new());
        for write in &texts.writes {
            if write.append {
                appends.push((write.path.clone(), write.content.clone()));
                continue;
            }
            let destination = match write.managed {
                true => {
                    made.insert(below(&write.path)?);
                    // Without a mode of its own it is as the destination.
                    let own = (write.perms != 0).then(|| write_attributes(write));
                    beside(&main, &write.path, &own.unwrap_or_else(|| attributes(config)))?
                }
                false => Destination::new(&write.path, &write_attributes(write))?,
            };
            let fate = fate(&destination, &write.content)?;
            pieces.push((destination, fate));
        }
        for name in listed(&main).difference(&made) {
            let stale = beside(&main, Path::new(name), &attributes(config))?;
            if stale.path().exists() {
                pieces.push((stale, Fate::Retired));
            }
        }
        Ok(Self { main, pieces, appends, made })
    }

    /// The file the template is named for.
    pub(super) fn main(&self) -> &Destination {
        &self.main
    }

    /// Is there a file that says something else than it should?
    pub(super) fn differs(&self) -> bool {
        self.pieces.iter().any(|(_, fate)| *fate != Fate::Same)
    }

    /// Is there already a file where the template's is to be?
    pub(super) fn replaces(&self) -> bool {
        self.pieces.iter().any(|(_, fate)| matches!(fate, Fate::Replaced | Fate::Retired))
    }

    /// Writes the candidates of all that differ.
    pub(super) fn stage(&self, texts: &Texts) -> Result<(), PublishError> {
        let contents =
            [&texts.main].into_iter().chain(texts.writes.iter().filter(|w| !w.append).map(|w| &w.content));
        for ((destination, fate), content) in self.pieces.iter().zip(contents) {
            if matches!(fate, Fate::Replaced | Fate::Created) {
                destination.stage(content)?;
            }
        }
        Ok(())
    }

    /// The files that wait to be checked.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Destination> {
        let staged = |fate: &Fate| matches!(fate, Fate::Replaced | Fate::Created);
        self.pieces.iter().filter(move |(_, fate)| staged(fate)).map(|(destination, _)| destination)
    }

    /// Puts everything in place.
    pub(super) fn publish(&self, way_back: bool) -> Result<(), PublishError> {
        let known = listed(&self.main);
        list(&self.main, &known.union(&self.made).cloned().collect())?;
        for (destination, fate) in &self.pieces {
            match fate {
                Fate::Same => {}
                Fate::Replaced | Fate::Created => destination.publish(way_back)?,
                Fate::Retired => destination.retire()?,
            }
        }
        for (path, content) in &self.appends {
            append(path, content).map_err(|source| PublishError::Io {
                action: "append to",
                path: path.clone(),
                source,
            })?;
        }
        if !way_back {
            self.confirm()?;
        }
        Ok(())
    }

    pub(super) fn owes_reload(&self) -> bool {
        self.pieces.iter().any(|(destination, _)| destination.owes_reload())
            || listed(&self.main).iter().any(|name| {
                beside(&self.main, Path::new(name), &Attributes::default())
                    .is_ok_and(|destination| destination.owes_reload())
            })
    }

    /// The reload succeeded: there is no way back any more.
    pub(super) fn confirm(&self) -> Result<(), PublishError> {
        for (destination, _) in &self.pieces {
            destination.confirm()?;
        }
        for name in listed(&self.main).difference(&self.made) {
            beside(&self.main, Path::new(name), &Attributes::default())?.confirm()?;
        }
        list(&self.main, &self.made)
    }

    /// Puts all files back as they were when a reload last succeeded; `false` if the template's own was not
    /// there then.
    pub(super) fn roll_back(&self) -> Result<bool, PublishError> {
        let mut back = false;
        for (destination, fate) in &self.pieces {
            let restored = destination.roll_back()?;
            if !restored && *fate == Fate::Created && destination.path() != self.main.path() {
                destination.withdraw()?;
            }
            back |= restored;
        }
        Ok(back)
    }
}

fn fate(destination: &Destination, content: &[u8]) -> Result<Fate, PublishError> {
    Ok(match destination.current()? {
        None => Fate::Created,
        Some(current) if current == content && !destination.misfits() => Fate::Same,
        Some(_) => Fate::Replaced,
    })
}

fn write_attributes(write: &WriteFile) -> Attributes {
    let given = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    Attributes {
        perms: Some(crate::Perms(write.perms)),
        user: given(&write.user),
        group: given(&write.group),
        ..Attributes::default()
    }
}

/// A name that stays below the directory it is relative to.
fn below(path: &Path) -> Result<String, PublishError> {
    let shown =
        || PublishError::Outside(path.to_string_lossy().chars().filter(|c| !c.is_control()).collect());
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    match path.to_str() {
        Some(name) if plain && !name.is_empty() && !name.contains(['\n', '\0']) && !hidden(path) => {
            Ok(name.to_owned())
        }
        _ => Err(shown()),
    }
}

/// Names that begin with a dot are ours.
fn hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn beside(main: &Destination, name: &Path, attributes: &Attributes) -> Result<Destination, PublishError> {
    let name = below(name)?;
    let directory = main.path().parent().unwrap_or(Path::new("/"));
    let path = directory.join(&name);
    if path == main.path() {
        return Err(PublishError::Outside(name));
    }
    // A symbolic link in between would lead out of the directory.
    let parent = path.parent().unwrap_or(directory);
    if let (Ok(real), Ok(base)) = (fs::canonicalize(parent), fs::canonicalize(directory))
        && !real.starts_with(base)
    {
        return Err(PublishError::Outside(name));
    }
    if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
        return Err(PublishError::Outside(name));
    }
    Destination::new(&path, attributes)
}

fn list_path(main: &Destination) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(main.path().file_name().unwrap_or_default());
    name.push(".wharf-files");
    main.path().with_file_name(name)
}

/// The files that the template made so far.
fn listed(main: &Destination) -> BTreeSet<String> {
    let text = fs::read_to_string(list_path(main)).unwrap_or_default();
    text.lines().filter(|name| below(Path::new(name)).is_ok()).map(str::to_owned).collect()
}

fn list(main: &Destination, names: &BTreeSet<String>) -> Result<(), PublishError> {
    let path = list_path(main);
    if *names == listed(main) {
        return Ok(());
    }
    if names.is_empty() {
        return match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(PublishError::Io { action: "remove", path, source })
            }
            _ => Ok(()),
        };
    }
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    let list = Destination::new(&path, &Attributes::default())?;
    list.stage(text.as_bytes())?;
    list.publish(false)
}

fn append(path: &Path, content: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Source, TemplateConfig};

    fn config() -> (tempfile::TempDir, TemplateConfig) {
        let directory = tempfile::tempdir().unwrap();
        let config = TemplateConfig::new(Source::Text(String::new()), directory.path().join("index"));
        (directory, config)
    }

    fn texts(files: &[(&str, &str)]) -> Texts {
        let write = |(name, content): &(&str, &str)| WriteFile {
            path: name.into(),
            user: String::new(),
            group: String::new(),
            perms: 0o644,
            content: content.as_bytes().to_vec(),
            append: false,
            managed: true,
        };
        Texts { main: b"main".to_vec(), writes: files.iter().map(write).collect() }
    }

    fn publish(config: &TemplateConfig, files: &[(&str, &str)], way_back: bool) -> Batch {
        let texts = texts(files);
        let batch = Batch::compare(config, &texts).unwrap();
        batch.stage(&texts).unwrap();
        batch.publish(way_back).unwrap();
        batch
    }

    #[test]
    fn files_that_fell_away_are_removed_and_strangers_stay() {
        let (directory, config) = config();
        fs::write(directory.path().join("stranger.conf"), "mine").unwrap();
        publish(&config, &[("a.conf", "1"), ("sub/b.conf", "2")], false);
        assert_eq!(fs::read(directory.path().join("sub/b.conf")).unwrap(), b"2");
        let again = Batch::compare(&config, &texts(&[("a.conf", "1"), ("sub/b.conf", "2")])).unwrap();
        assert!(!again.differs(), "the same once more is a change");
        publish(&config, &[("a.conf", "1")], false);
        assert!(!directory.path().join("sub/b.conf").exists());
        publish(&config, &[], false);
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["index", "stranger.conf", "sub"]);
    }

    #[test]
    fn a_failed_reload_takes_all_of_it_back() {
        let (directory, config) = config();
        let at = |name: &str| directory.path().join(name);
        publish(&config, &[("a", "1"), ("b", "1")], true).confirm().unwrap();
        let batch = publish(&config, &[("a", "2"), ("c", "2")], true);
        assert!(at("c").exists() && !at("b").exists() && batch.owes_reload());
        assert!(batch.roll_back().unwrap());
        assert_eq!(fs::read(at("a")).unwrap(), b"1");
        assert!(!at("c").exists() && at("b").exists());
        assert!(!Batch::compare(&config, &texts(&[("a", "1"), ("b", "1")])).unwrap().differs());
    }

    #[test]
    fn hostile_names_are_refused_and_nothing_is_written() {
        let (directory, config) = config();
        std::os::unix::fs::symlink("/tmp", directory.path().join("link")).unwrap();
        for name in ["../x", "/etc/x", "", ".", "a/../../x", ".hidden", "a\nb", "link/x", "index"] {
            let error = Batch::compare(&config, &texts(&[(name, "x")])).unwrap_err();
            assert!(matches!(error, PublishError::Outside(_)), "{name}: {error}");
        }
        assert!(!directory.path().join("index").exists());
    }
}
