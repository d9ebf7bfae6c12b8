//! What keeps the catalog between two lives of the process, and between the processes that share it.
//!
//! A store takes proposals and gives them numbers, gives back what stands, and tells what was committed
//! since. Nobody above it is the only writer: a proposal says after which commit it was decided, and is
//! only kept if nobody has committed since. [`Memory`] forgets, [`Sqlite`] keeps, [`Shared`] is many
//! writers' in one process. One battery of tests runs over them.
//!
//! Deadlines (what a session's TTL comes to) are changes like any other ([`Change::PutLease`],
//! [`Change::DeleteLease`]), so that they begin and end in the same commit as what they are deadlines of.

mod memory;
mod shared;
mod sqlite;

use std::{fmt, sync::Arc};

pub use memory::Memory;
pub use shared::Shared;
pub use sqlite::Sqlite;

use crate::{Commit, Index, apply::Change};

/// Keeps commits, in order. Called from the writer's own thread, in which it may take its time: an engine
/// over a network waits for its answer here.
pub trait Store: Send {
    /// Everything that stands, and as of which commit.
    fn load(&mut self) -> Result<Standing, StoreError>;

    /// Keeps `proposed`, decided on the state after commit `after`, if that is still the last one. Gives the
    /// numbers of those that are kept, growing: of all, or of the first few (of none) when somebody else was
    /// sooner. Each is kept whole, and survives a loss of power as far as the kind promises that.
    ///
    /// With an error nobody is told that anything was kept; whatever was all the same comes by [`Self::since`].
    fn commit(&mut self, after: Index, proposed: &[Commit]) -> Result<Vec<Index>, StoreError>;

    /// Every commit later than `after`, in order; `None` when that is too long ago to tell, and all has to
    /// be loaded anew.
    fn since(&mut self, after: Index) -> Result<Option<Vec<Commit>>, StoreError>;

    /// Has `wake` called whenever somebody else may have committed. Called once, before [`Self::load`]. A
    /// store with one writer has nobody to tell of.
    fn follow(&mut self, _wake: Wake) {}
}

/// What a store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Number of the last commit; [`Index::FIRST`] before there was one.
    pub index: Index,
    /// Puts, in an order that [`crate::State::restored`] can take.
    pub records: Vec<Change>,
}

/// Has the writer look what others have committed. Cheap; may be called from anywhere, and too often.
#[derive(Clone)]
pub struct Wake(Arc<dyn Fn() + Send + Sync>);

impl Wake {
    /// Waking is what `wake` does.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// There may be something new.
    pub fn wake(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wake")
    }
}

/// All kept, under the numbers they expected.
fn expected(proposed: &[Commit]) -> Vec<Index> {
    proposed.iter().map(|commit| commit.index).collect()
}

/// Why a store cannot do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// See to permissions, free space and the path.
    #[error("cannot open the catalog database `{path}`: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What the database said.
        reason: String,
    },
    /// Stop the other one, or choose another `--data-dir`.
    #[error(
        "the catalog database `{path}` is in use by another process: stop it, or choose another `--data-dir`"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// The file is damaged, or of a newer wharf: keep it, restore a backup or start with another `--data-dir`.
    #[error(
        "the catalog database `{path}` is not readable: {reason}; it was left as it is: move it and `{path}-wal` away, start anew and bring back the last backup (`wharf restore FILE`)"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Free space or mend the disk; reads go on meanwhile, and writes work again once it is mended.
    #[error("cannot write to the catalog database: {0}")]
    Write(String),
    /// Look at what else writes to the engine.
    #[error("somebody else has committed to the catalog's store, but it does not tell what")]
    NotTold,
    /// The system gives us no thread.
    #[error("cannot start the catalog's writer: {0}")]
    Thread(String),
}

#[cfg(test)]
mod tests;
