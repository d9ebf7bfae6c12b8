//! The one writer under many hands.

use std::time::Duration;

use super::*;
use crate::{
    Commit, Instance, Node, Timestamp,
    store::{Memory, Standing},
};

fn catalog() -> Catalog {
    Catalog::open(Box::new(Memory), Clock::fixed(Timestamp(1))).unwrap()
}

fn set(key: &str, value: &str) -> Command {
    Command::SetKey { key: key.into(), value: value.as_bytes().into(), flags: 0, cas: None }
}

#[tokio::test]
async fn what_was_answered_is_visible() {
    let catalog = catalog();
    let committed = catalog.commit(vec![set("k", "v")]).await.unwrap();
    assert!(committed.changed);
    assert_eq!(catalog.snapshot().kv("k").unwrap().modified, committed.index);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_get_distinct_growing_numbers() {
    let catalog = catalog();
    let writers = (0..64).map(|n| {
        let catalog = catalog.clone();
        tokio::spawn(async move { catalog.commit(vec![set(&format!("k{n}"), "v")]).await.unwrap().index })
    });
    let mut indexes = Vec::new();
    for writer in writers {
        indexes.push(writer.await.unwrap());
    }
    indexes.sort_unstable();
    assert_eq!(indexes, (2..=65).map(Index).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_watcher_misses_a_change_however_the_two_race() {
    let catalog = catalog();
    for round in 1..=500 {
        let (watching, topic) = (catalog.clone(), Topic::Key("k".into()));
        let watcher = tokio::spawn(async move { watching.changed(&topic, Index(round)).await.index() });
        let committed = catalog.commit(vec![set("k", &round.to_string())]).await.unwrap();
        let seen = timeout(Duration::from_secs(5), watcher).await.expect("woken").unwrap();
        assert_eq!((seen, committed.index), (Index(round + 1), Index(round + 1)));
    }
}

#[tokio::test]
async fn an_unrelated_change_wakes_nobody() {
    let catalog = catalog();
    catalog.commit(vec![Command::PutNode(Node::new("n", "10.0.0.1"))]).await.unwrap();
    let mut watch = Box::pin(async { catalog.changed(&Topic::Health("web".into()), Index(1)).await });
    let other = Instance::new("n", "db-1", "db");
    for command in [set("web", "v"), Command::PutInstance(other)] {
        catalog.commit(vec![command]).await.unwrap();
        assert!(futures_poll(&mut watch).await.is_none());
    }
    catalog.commit(vec![Command::PutInstance(Instance::new("n", "web-1", "web"))]).await.unwrap();
    assert!(timeout(Duration::from_secs(5), watch).await.is_ok());
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

/// Refuses while told to.
#[derive(Debug)]
struct FullDisk(Arc<std::sync::atomic::AtomicBool>);

impl Store for FullDisk {
    fn load(&mut self) -> Result<Standing, StoreError> {
        Memory.load()
    }

    fn commit(&mut self, after: Index, proposed: &[Commit]) -> Result<Vec<Index>, StoreError> {
        let full = self.0.load(std::sync::atomic::Ordering::SeqCst);
        if full { Err(StoreError::Write("disk full".to_owned())) } else { Memory.commit(after, proposed) }
    }

    fn since(&mut self, after: Index) -> Result<Option<Vec<Commit>>, StoreError> {
        Memory.since(after)
    }
}

#[tokio::test]
async fn a_full_disk_refuses_writes_keeps_reads_and_recovers() {
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let catalog = Catalog::open(Box::new(FullDisk(full.clone())), Clock::fixed(Timestamp(1))).unwrap();
    catalog.commit(vec![set("a", "1")]).await.unwrap();
    full.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = catalog.commit(vec![set("b", "2")]).await.unwrap_err();
    assert!(error.to_string().contains("disk full"), "{error}");
    assert!(catalog.snapshot().kv("b").is_none() && catalog.snapshot().kv("a").is_some());
    full.store(false, std::sync::atomic::Ordering::SeqCst);
    let committed = catalog.commit(vec![set("b", "2")]).await.unwrap();
    assert_eq!(committed.index, Index(3), "a refused commit must not use up a number");
}
