//! A commit as a store keeps it, and the numbers it gets: the store assigns them, the writer has decided
//! under numbers it could only expect.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Index,
    apply::{Change, Reply},
};

/// Changes that take effect together, under one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its number; in a commit that is only proposed, the one it is expected to get.
    pub index: Index,
    /// What became different, in order.
    pub changes: Vec<Change>,
}

/// The numbers that commits proposed after `after` (expected: the next ones, without a gap) were given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Renumbering<'a> {
    after: Index,
    assigned: &'a [Index],
}

impl<'a> Renumbering<'a> {
    /// `None` where each got the number it expected.
    pub(crate) fn new(after: Index, assigned: &'a [Index]) -> Option<Self> {
        let expected = (after.0 + 1..).map(Index);
        let as_expected = assigned.iter().copied().eq(expected.take(assigned.len()));
        (!as_expected).then_some(Self { after, assigned })
    }

    pub(crate) fn index(self, index: &mut Index) {
        let nth = index.0.checked_sub(self.after.0 + 1).and_then(|nth| usize::try_from(nth).ok());
        if let Some(assigned) = nth.and_then(|nth| self.assigned.get(nth)) {
            *index = *assigned;
        }
    }

    pub(crate) fn commit(self, commit: &mut Commit) {
        self.index(&mut commit.index);
        for change in &mut commit.changes {
            self.change(change);
        }
    }

    fn change(self, change: &mut Change) {
        match change {
            Change::PutNode(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Change::PutInstance(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Change::PutCheck(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Change::PutKey(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Change::PutSession(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Change::PutDocument(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Change::DeleteKey(_, index) => self.index(index),
            Change::DeleteNode(_)
            | Change::DeleteInstance(..)
            | Change::DeleteCheck(..)
            | Change::DeleteSession(_)
            | Change::DeleteDocument(..)
            | Change::PutLease(..)
            | Change::DeleteLease(_)
            | Change::Departed(..)
            | Change::DelayLock { .. } => {}
        }
    }

    pub(crate) fn reply(self, reply: &mut Reply) {
        match reply {
            Reply::Done => {}
            Reply::Key(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Reply::Keys(all) => {
                for it in all {
                    self.record(it, |it| [&mut it.created, &mut it.modified]);
                }
            }
            Reply::Node(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Reply::Instance(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
            Reply::Check(it) => self.record(it, |it| [&mut it.created, &mut it.modified]),
        }
    }

    fn record<T: Clone>(self, record: &mut Arc<T>, numbers: impl Fn(&mut T) -> [&mut Index; 2]) {
        for index in numbers(Arc::make_mut(record)) {
            self.index(index);
        }
    }
}
