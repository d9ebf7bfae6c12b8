//! Who edits the files that templates are made of? The kernel tells, by way of their directories, so that a
//! file that is replaced by a rename is seen as well as one that is written to.
//!
//! Where the kernel does not tell (some network mounts, symbolic links that move) workers look for themselves.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

/// Tells workers that one of their files may have changed.
#[derive(Debug, Clone)]
pub(super) struct Watcher(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    files: Arc<Mutex<HashSet<PathBuf>>>,
    directories: HashSet<PathBuf>,
    watcher: Option<RecommendedWatcher>,
    edits: watch::Sender<u64>,
}

impl Watcher {
    pub(super) fn new() -> Self {
        let files = Arc::new(Mutex::new(HashSet::new()));
        let edits = watch::Sender::new(0);
        let (known, tell) = (files.clone(), edits.clone());
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let known: &Mutex<HashSet<PathBuf>> = &known;
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            // Without paths it says that events were lost.
            let ours = |event: &Event| {
                !event.kind.is_access()
                    && (event.paths.is_empty() || event.paths.iter().any(|path| known.contains(path)))
            };
            if event.as_ref().is_ok_and(ours) {
                tell.send_modify(|edits| *edits += 1);
            }
        });
        let watcher = watcher
            .inspect_err(
                |error| tracing::warn!(%error, "edits of templates are noticed within a second only"),
            )
            .ok();
        Self(Arc::new(Mutex::new(Inner { files, directories: HashSet::new(), watcher, edits })))
    }

    /// Does the kernel tell of edits at all?
    pub(super) fn works(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).watcher.is_some()
    }

    /// Hears of every edit of a file that somebody follows.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).edits.subscribe()
    }

    /// Follows these files, too.
    pub(super) fn follow<'a>(&self, paths: impl Iterator<Item = &'a Path>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths {
            let Ok(path) = std::path::absolute(path) else { continue };
            let new = {
                let mut files = inner.files.lock().unwrap_or_else(PoisonError::into_inner);
                files.insert(path.clone())
            };
            let Some(directory) = path.parent().filter(|_| new) else { continue };
            inner.watch(directory);
        }
    }
}

impl Inner {
    fn watch(&mut self, directory: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        if !self.directories.insert(directory.to_owned()) {
            return;
        }
        if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
            tracing::debug!(%error, directory = %directory.display(), "edits there are noticed within ten seconds only");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    #[tokio::test]
    async fn an_edit_and_a_replacement_are_heard_of_and_strangers_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.hbs");
        fs::write(&file, "one").unwrap();
        let watcher = Watcher::new();
        watcher.follow([file.as_path()].into_iter());
        let mut edits = watcher.subscribe();
        let patience = Duration::from_secs(20);
        fs::write(&file, "two").unwrap();
        tokio::time::timeout(patience, edits.changed()).await.expect("a write was not heard of").unwrap();
        fs::write(directory.path().join("b"), "three").unwrap();
        fs::rename(directory.path().join("b"), &file).unwrap();
        edits.borrow_and_update();
        // Another file's edit is no news, however long one waits: it comes before the next one of ours.
        fs::write(directory.path().join("stranger"), "x").unwrap();
        fs::write(&file, "four").unwrap();
        tokio::time::timeout(patience, edits.changed())
            .await
            .expect("a later write was not heard of")
            .unwrap();
    }
}
