//! A store several catalogs of one process share, as the servers of a cluster share one engine: what the
//! rules for more than one writer are tested on.
//!
//! It behaves as an engine over a network may: numbers have gaps, and what is long past is forgotten.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Standing, Store, StoreError, Wake};
use crate::{Commit, Index, State, commit::Renumbering};

/// A handle; its clones lead to the same records, which live as long as the last of them.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    standing: State,
    /// The latest commits.
    log: VecDeque<Commit>,
    /// From here on the log is whole.
    log_after: Index,
    longest_log: usize,
    /// From one number to the next.
    stride: u64,
    followers: Vec<Wake>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            standing: State::restored(Index::FIRST, []),
            log: VecDeque::new(),
            log_after: Index::FIRST,
            longest_log: 1024,
            stride: 1,
            followers: Vec::new(),
        }
    }
}

impl Shared {
    /// A new one: numbers are `stride` apart (at least 1), and the last `log` commits are remembered.
    pub fn new(stride: u64, log: usize) -> Self {
        let kept = Kept { stride: stride.max(1), longest_log: log, ..Kept::default() };
        Self { kept: Arc::new(Mutex::new(kept)) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Shared {
    fn load(&mut self) -> Result<Standing, StoreError> {
        let kept = self.kept();
        Ok(Standing { index: kept.standing.index(), records: kept.standing.standing() })
    }

    fn commit(&mut self, after: Index, proposed: &[Commit]) -> Result<Vec<Index>, StoreError> {
        let mut kept = self.kept();
        if kept.standing.index() != after {
            return Ok(Vec::new());
        }
        let numbers = (1..).map(|nth| Index(after.0 + nth * kept.stride));
        let assigned: Vec<_> = numbers.take(proposed.len()).collect();
        let renumbering = Renumbering::new(after, &assigned);
        for commit in proposed {
            let mut commit = commit.clone();
            if let Some(renumbering) = renumbering {
                renumbering.commit(&mut commit);
            }
            kept.keep(commit);
        }
        let followers = kept.followers.clone();
        drop(kept);
        followers.iter().for_each(Wake::wake);
        Ok(assigned)
    }

    fn since(&mut self, after: Index) -> Result<Option<Vec<Commit>>, StoreError> {
        let kept = self.kept();
        let later = || kept.log.iter().filter(|commit| commit.index > after).cloned().collect();
        Ok((after >= kept.log_after).then(later))
    }

    fn follow(&mut self, wake: Wake) {
        self.kept().followers.push(wake);
    }
}

impl Kept {
    fn keep(&mut self, commit: Commit) {
        self.standing.advance(&commit, &mut Vec::new());
        self.log.push_back(commit);
        while self.log.len() > self.longest_log {
            self.log_after = self.log.pop_front().map_or(self.log_after, |oldest| oldest.index);
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("index", &self.standing.index()).finish_non_exhaustive()
    }
}
