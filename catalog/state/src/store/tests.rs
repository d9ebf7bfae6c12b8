//! One battery over every kind, and beside it what only some promise: to keep ([`keeping`]), to be shared
//! ([`sharing`]), to refuse what is damaged ([`damage`]).

mod damage;
mod keeping;
mod sharing;

use std::{path::PathBuf, sync::Arc};

use super::*;
use crate::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, CommitError, Instance, KvEntry, Node, Probe, ProbeKind,
    Session, State, Status, Timestamp, Topic,
};

/// Stores of one kind on the same records, as one process after the other opens them.
trait Kind {
    /// Does it give back what it was given?
    const KEEPS: bool;
    fn new() -> Self;
    fn open(&self) -> Box<dyn Store>;
}

struct Forgetting;

impl Kind for Forgetting {
    const KEEPS: bool = false;
    fn new() -> Self {
        Self
    }
    fn open(&self) -> Box<dyn Store> {
        Box::new(Memory)
    }
}

struct InFile(tempfile::TempDir);

impl Kind for InFile {
    const KEEPS: bool = true;
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn open(&self) -> Box<dyn Store> {
        Box::new(Sqlite::open(&self.0.path().join("catalog.db")).unwrap())
    }
}

/// With numbers `STRIDE` apart.
struct InCommon<const STRIDE: u64>(Shared);

impl<const STRIDE: u64> Kind for InCommon<STRIDE> {
    const KEEPS: bool = true;
    fn new() -> Self {
        Self(Shared::new(STRIDE, 1024))
    }
    fn open(&self) -> Box<dyn Store> {
        Box::new(self.0.clone())
    }
}

macro_rules! battery {
    ($($kind:ident: $store:ty),+) => {$(
        mod $kind {
            use super::*;

            #[test]
            fn an_empty_store_is_at_the_first_index() {
                super::an_empty_store_is_at_the_first_index::<$store>();
            }

            #[test]
            fn numbers_grow_and_each_proposal_gets_its_own() {
                super::numbers_grow_and_each_proposal_gets_its_own::<$store>();
            }

            #[test]
            fn what_was_decided_on_an_older_state_is_not_kept() {
                super::what_was_decided_on_an_older_state_is_not_kept::<$store>();
            }

            #[test]
            fn what_stands_is_loaded_again() {
                super::what_stands_is_loaded_again::<$store>();
            }

            #[test]
            fn deadlines_begin_move_and_end_with_their_commits() {
                super::deadlines_begin_move_and_end_with_their_commits::<$store>();
            }

            #[test]
            fn what_is_only_remembered_is_not_kept() {
                super::what_is_only_remembered_is_not_kept::<$store>();
            }
        }
    )+};
}

battery!(memory: Forgetting, sqlite: InFile, shared: InCommon<1>, shared_with_gaps: InCommon<3>);

fn key(name: &str, index: u64) -> Change {
    let (key, value) = (Arc::from(name), Arc::from([0, 255, 10]));
    let (created, modified) = (Index(index), Index(index));
    let session = Some("s".into());
    Change::PutKey(Arc::new(KvEntry {
        key,
        value,
        flags: u64::MAX,
        session,
        lock_index: 1,
        created,
        modified,
    }))
}

/// Proposals for the indexes after `after`, one change each.
fn proposals(after: Index, changes: impl IntoIterator<Item = Change>) -> Vec<Commit> {
    let numbered = (after.0 + 1..).zip(changes);
    numbered.map(|(index, change)| Commit { index: Index(index), changes: vec![change] }).collect()
}

fn an_empty_store_is_at_the_first_index<K: Kind>() {
    let standing = K::new().open().load().unwrap();
    assert_eq!(standing, Standing { index: Index::FIRST, records: vec![] });
}

fn numbers_grow_and_each_proposal_gets_its_own<K: Kind>() {
    let kind = K::new();
    let mut store = kind.open();
    let mut last = store.load().unwrap().index;
    for round in 0..3 {
        let changes = (0..4).map(|n| key(&format!("{round}/{n}"), last.0 + 1 + n));
        let assigned = store.commit(last, &proposals(last, changes)).unwrap();
        assert_eq!(assigned.len(), 4);
        for index in assigned {
            assert!(index > last);
            last = index;
        }
        assert_eq!(store.since(last).unwrap(), Some(vec![]), "nobody has committed since");
    }
}

fn what_was_decided_on_an_older_state_is_not_kept<K: Kind>() {
    if !K::KEEPS {
        return; // Who forgets has nothing to compare with: that kind is for one writer.
    }
    let kind = K::new();
    let mut store = kind.open();
    let first = store.commit(Index::FIRST, &proposals(Index::FIRST, [key("a", 2)])).unwrap();
    for stale in [Index(0), Index::FIRST, Index(first[0].0 + 1)] {
        assert_eq!(store.commit(stale, &proposals(stale, [key("b", 9)])).unwrap(), []);
    }
    drop(store);
    let standing = kind.open().load().unwrap();
    assert_eq!((standing.index, standing.records.len()), (first[0], 1));
}

fn what_stands_is_loaded_again<K: Kind>() {
    let kind = K::new();
    let mut store = kind.open();
    let changes = [
        Change::PutNode(Node::new("n", "10.0.0.1").into()),
        Change::PutInstance(Instance::new("n", "web-1", "web").into()),
        Change::PutCheck(Check { instance: Some("web-1".into()), ..Check::new("n", "c", "tcp") }.into()),
        Change::PutSession(Session::new("s", "n").into()),
        key("k/ü", 6),
        key("gone", 7),
        Change::DeleteKey("gone".into(), Index(8)),
        Change::PutDocument(crate::Document::new("query", "q", "{}").into()),
        Change::DeleteDocument("query".into(), "q".into()),
    ];
    let assigned = store.commit(Index::FIRST, &proposals(Index::FIRST, changes)).unwrap();
    drop(store);
    let standing = kind.open().load().unwrap();
    if !K::KEEPS {
        return assert_eq!(standing.records, []);
    }
    let state = State::restored(standing.index, standing.records);
    assert_eq!(state.index(), assigned[8]);
    assert!(state.node("n").is_some() && state.instance("n", "web-1").is_some());
    assert!(state.check("n", "c").is_some() && state.session("s").is_some());
    let kept = state.kv("k/ü").unwrap();
    assert_eq!((&*kept.value, kept.flags, kept.modified), (&[0, 255, 10][..], u64::MAX, assigned[4]));
    assert!(state.kv("gone").is_none() && state.document("query", "q").is_none());
}

fn deadlines_begin_move_and_end_with_their_commits<K: Kind>() {
    let kind = K::new();
    let mut store = kind.open();
    let lease = |id: &str, at| Change::PutLease(id.into(), Timestamp(at));
    let changes =
        [lease("a", 1), lease("b", 2), lease("a", 10), Change::DeleteLease("b".into()), lease("c", 3)];
    store.commit(Index::FIRST, &proposals(Index::FIRST, changes)).unwrap();
    drop(store);
    let records = kind.open().load().unwrap().records;
    let expected = if K::KEEPS { vec![lease("a", 10), lease("c", 3)] } else { vec![] };
    assert_eq!(records, expected);
}

fn what_is_only_remembered_is_not_kept<K: Kind>() {
    let kind = K::new();
    let mut store = kind.open();
    let departure = crate::Departure { at: Timestamp(1), withdrawn: true, note: None };
    let changes = [
        Change::Departed("n".into(), "web-1".into(), departure),
        Change::DelayLock { key: "k".into(), from: Timestamp(1), until: Timestamp(2) },
    ];
    assert_eq!(store.commit(Index::FIRST, &proposals(Index::FIRST, changes)).unwrap().len(), 2);
    drop(store);
    assert_eq!(kind.open().load().unwrap().records, []);
}
