//! How do many files reach the disk without each of them waiting for it alone? In rounds.
//!
//! While the disk is busy for some, all who come meanwhile gather, and are served together by the next round: a
//! handful file by file, more of them by one `syncfs`. That one writes out all of the file system: it is used
//! only while there is little to write. Promise: [`Seat::keep`] returns after the disk has what the file had
//! before, exactly as its own `fsync` would have; an error of a round is told to everybody in it.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
};

/// From so many files on, a round is one `syncfs`.
const MANY: usize = 3;
/// Most kilobytes not written yet, of the whole machine, with which a `syncfs` is thought to be quick.
const LITTLE: u64 = 32 << 10;
/// Most files written out at a time, each by itself.
const AT_A_TIME: usize = 8;

/// By device.
static VOLUMES: LazyLock<Mutex<HashMap<u64, Arc<Volume>>>> = LazyLock::new(Mutex::default);

/// A file system.
#[derive(Debug, Default)]
struct Volume {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    gathering: Arc<Round>,
    files: Vec<File>,
    running: bool,
    /// What those who are here now have in common: it was opened before any of them wrote anything, so that it
    /// tells of every fault since.
    handle: Weak<File>,
}

/// Those who are served together, and what became of it.
#[derive(Debug, Default)]
struct Round(OnceLock<Result<(), Fault>>);

/// An error that can be told to several.
#[derive(Debug, Clone, Copy)]
struct Fault(io::ErrorKind, Option<i32>);

/// A place among those who write to one file system; taken before anything is written.
#[derive(Debug)]
pub(crate) struct Seat {
    volume: Arc<Volume>,
    handle: Arc<File>,
}

impl Seat {
    /// For files of this directory.
    pub(crate) fn of(directory: &Path) -> io::Result<Self> {
        let opened = File::open(directory)?;
        let volume = lock(&VOLUMES).entry(opened.metadata()?.dev()).or_default().clone();
        let handle = {
            let mut state = lock(&volume.state);
            state.handle.upgrade().unwrap_or_else(|| {
                let handle = Arc::new(opened);
                state.handle = Arc::downgrade(&handle);
                handle
            })
        };
        Ok(Self { volume, handle })
    }

    /// Returns when the disk has what was written to `file`.
    pub(crate) fn keep(self, file: File) -> io::Result<()> {
        let mut state = lock(&self.volume.state);
        state.files.push(file);
        let round = state.gathering.clone();
        loop {
            if let Some(outcome) = round.0.get() {
                return outcome.map_err(Fault::into);
            }
            if state.running {
                state = self.volume.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Nobody is at it, and ours is the round that gathers: it begins.
            state.running = true;
            state.gathering = Arc::default();
            let files = std::mem::take(&mut state.files);
            drop(state);
            let outcome = write_out(&self.handle, &files).map_err(Fault::from);
            state = lock(&self.volume.state);
            state.running = false;
            // Only we set it, and only once.
            let _ = round.0.set(outcome);
            self.volume.ended.notify_all();
        }
    }
}

fn write_out(handle: &File, files: &[File]) -> io::Result<()> {
    if files.len() >= MANY && unwritten().is_some_and(|kilobytes| kilobytes <= LITTLE) {
        return rustix::fs::syncfs(handle).map_err(io::Error::from);
    }
    // The same directory may be there many times.
    let mut distinct = HashMap::new();
    for file in files {
        distinct.entry(file.metadata()?.ino()).or_insert(file);
    }
    let distinct: Vec<_> = distinct.into_values().collect();
    let each = |files: &[&File]| files.iter().try_for_each(|file| file.sync_all());
    if distinct.len() < MANY {
        return each(&distinct);
    }
    std::thread::scope(|scope| {
        let parts = distinct.chunks(distinct.len().div_ceil(AT_A_TIME));
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || each(part))).collect();
        let died = || io::Error::other("a thread that synced died");
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(died())))
    })
}

/// Kilobytes that some file system of this machine has yet to write; `None`: it does not say.
fn unwritten() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    Some(kilobytes("Dirty:")? + kilobytes("Writeback:")?)
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self(error.kind(), error.raw_os_error())
    }
}

impl From<Fault> for io::Error {
    fn from(Fault(kind, code): Fault) -> Self {
        code.map_or_else(|| Self::from(kind), Self::from_raw_os_error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Barrier};

    use super::*;

    #[test]
    fn everybody_is_served_however_many_come_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let (count, rounds) = (40, 5);
        let barrier = Barrier::new(count);
        std::thread::scope(|scope| {
            for n in 0..count {
                let (directory, barrier) = (directory.path(), &barrier);
                scope.spawn(move || {
                    for round in 0..rounds {
                        let seat = Seat::of(directory).unwrap();
                        let mut file = File::create(directory.join(format!("{n}-{round}"))).unwrap();
                        file.write_all(b"text").unwrap();
                        barrier.wait();
                        seat.keep(file).unwrap();
                        Seat::of(directory).unwrap().keep(File::open(directory).unwrap()).unwrap();
                    }
                });
            }
        });
        let device = fs::metadata(directory.path()).unwrap().dev();
        let volume = lock(&VOLUMES)[&device].clone();
        let state = lock(&volume.state);
        assert!(state.files.is_empty() && !state.running);
    }

    #[test]
    fn a_fault_is_told_to_all_of_its_round_and_to_nobody_after() {
        let directory = tempfile::tempdir().unwrap();
        let fine = || File::create(directory.path().join("fine")).unwrap();
        // A pipe cannot be synced.
        let (reader, _writer) = io::pipe().unwrap();
        let broken = File::from(std::os::fd::OwnedFd::from(reader));
        let volume = Arc::new(Volume::default());
        let seat =
            || Seat { volume: volume.clone(), handle: Arc::new(File::open(directory.path()).unwrap()) };
        // Somebody is at it, so that both gather.
        lock(&volume.state).running = true;
        let outcomes = std::thread::scope(|scope| {
            let all = [fine(), broken].map(|file| {
                let seat = seat();
                scope.spawn(move || seat.keep(file))
            });
            while lock(&volume.state).files.len() < 2 {
                std::thread::yield_now();
            }
            lock(&volume.state).running = false;
            volume.ended.notify_all();
            all.map(|thread| thread.join().unwrap())
        });
        for outcome in outcomes {
            assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        seat().keep(fine()).unwrap();
    }

    #[test]
    fn what_is_not_written_yet_is_known() {
        assert!(unwritten().is_some());
    }
}
