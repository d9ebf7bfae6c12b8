//! The catalog: which nodes, service instances, checks and keys exist, and how healthy they are.
//!
//! Everything that changes the catalog is a [`Command`]; the writer decides what it changes in the immutable
//! [`State`], the store keeps the resulting [`Commit`], and the state moves on by what the store has kept.
//! Readers never lock: they take a snapshot, and wait on a [`Topic`] for the next one.
//!
//! Pure: [`node`], [`service`], [`proxy`], [`check`], [`kv`], [`session`], [`document`], [`prepared`], [`state`], [`apply`], [`commit`], [`topic`], [`time`].
//! Edges: [`expiry`] (what ends by itself), [`handle`] (the writer), [`watch`] (who is woken), [`store`] (memory, shared memory, SQLite).

pub mod apply;
pub mod check;
pub mod commit;
pub mod document;
pub mod expiry;
pub mod handle;
pub mod kv;
pub mod node;
pub mod outcome;
pub mod prepared;
pub mod proxy;
pub mod service;
pub mod session;
pub mod state;
pub mod store;
pub mod time;
pub mod topic;
pub mod watch;

pub use apply::{ApplyError, Change, CheckStatusOnPut, Command, Record, Rejected, Reply};
pub use check::{Check, Expect, Health, Probe, ProbeKind, Status};
pub use commit::Commit;
pub use document::Document;
pub use handle::{Catalog, CommitError, Committed};
pub use kv::KvEntry;
pub use node::Node;
pub use outcome::{Outcome, OutcomeSender};
pub use proxy::{MeshProxy, MeshUpstream};
pub use service::{Departure, Instance, TaggedAddress, Weights};
pub use session::{Behavior, Session};
pub use state::{InstanceHealth, State};
pub use store::{Store, StoreError};
pub use time::{Clock, Timestamp};
pub use topic::Topic;

/// The number of a commit: grows by one with every commit that changed something, never falls.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Index(pub u64);

impl Index {
    /// An empty catalog's: not 0, so that a watcher who has seen it (no index is 0) hears of the first commit.
    pub const FIRST: Self = Self(1);

    /// The index after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
