//! Which instances of a service are news? A deploy is seen by them.
//!
//! Pure. The first instances of a service are no deploy; later ones are, also when the one before was stopped first
//! and the service was over for a while. An instance that died and comes back is no news: it crashed. After a restart
//! the ledger tells who was there: those whose checks it knows.

use std::collections::BTreeSet;

use wharf_catalog::{InstanceHealth, Timestamp};

use crate::member::Key;

/// Something that happened to a service, to be shown beside its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) service: std::sync::Arc<str>,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

/// Who was there.
#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    /// The service has been there before.
    seen: bool,
    /// It was there in an earlier life of the process, and has not been seen in this one.
    inherited: bool,
    /// Those there are, and those that died since the last one came.
    known: BTreeSet<Key>,
}

impl Roster {
    /// Of a service that an earlier life of the process knew.
    pub(super) fn inherited() -> Self {
        Self { seen: true, inherited: true, known: BTreeSet::new() }
    }

    /// An instance is there that was not there, or is another one: what is to be told. `remembered` are the checks
    /// that were there in an earlier life of the process.
    pub(super) fn meet(
        &self,
        health: &InstanceHealth<'_>,
        replaces: bool,
        remembered: &BTreeSet<Key>,
    ) -> Option<String> {
        let id = &health.instance.id;
        if replaces {
            return Some(format!("instance `{id}` was replaced"));
        }
        let key = (health.instance.node.clone(), id.clone());
        let own = health.checks().filter(|check| check.instance.is_some() && !check.is_maintenance());
        let mut own = own.map(|check| (check.node.clone(), check.id.clone())).peekable();
        // Of one without checks the ledger says nothing.
        let was_there =
            self.inherited && own.peek().is_none() || own.any(|check| remembered.contains(&check));
        (self.seen && !was_there && !self.known.contains(&key)).then(|| format!("instance `{id}` came"))
    }

    /// These are there now.
    pub(super) fn see<'a>(&mut self, present: impl Iterator<Item = &'a Key>) {
        let present: BTreeSet<&Key> = present.collect();
        if present.is_empty() {
            return;
        }
        (self.seen, self.inherited) = (true, false);
        if present.iter().any(|key| !self.known.contains(*key)) {
            self.known = present.into_iter().cloned().collect();
        }
    }

    /// It ended on purpose: another one of this name is another one.
    pub(super) fn strike(&mut self, key: &Key) {
        self.known.remove(key);
    }
}
