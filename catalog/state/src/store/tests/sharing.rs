//! Several catalogs on one store: nobody loses a change, nobody decides on what is no longer so.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use proptest::prelude::*;
use tokio::time::timeout;

use super::*;
use crate::{Committed, Reply, apply::Rejected, expiry};

const PATIENCE: Duration = Duration::from_secs(30);

fn catalog(store: &Shared) -> Catalog {
    Catalog::open(Box::new(store.clone()), Clock::fixed(Timestamp(0))).unwrap()
}

/// Two catalogs on a store whose numbers have gaps.
fn two() -> [Catalog; 2] {
    let store = Shared::new(3, 1024);
    [catalog(&store), catalog(&store)]
}

fn set(key: &str, value: &str, cas: Option<Index>) -> Command {
    Command::SetKey { key: key.into(), value: value.as_bytes().into(), flags: 0, cas }
}

fn acquire(key: &str, session: &str) -> Command {
    Command::AcquireKey { key: key.into(), value: b"held"[..].into(), flags: 0, session: session.into() }
}

fn number(state: &State, key: &str) -> (u64, Index) {
    state.kv(key).map_or((0, Index(0)), |entry| {
        (std::str::from_utf8(&entry.value).unwrap().parse().unwrap(), entry.modified)
    })
}

async fn caught_up(catalog: &Catalog, index: Index) -> Arc<State> {
    let reached = async {
        while catalog.snapshot().index() < index {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, reached).await.expect("follows");
    catalog.snapshot()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_commits_wakes_who_watches_the_other_under_the_same_number() {
    let [one, other] = two();
    let watching = other.clone();
    let watch = tokio::spawn(async move { watching.changed(&Topic::Key("k".into()), Index::FIRST).await });
    let committed = one.commit(vec![set("k", "v", None)]).await.unwrap();
    let seen = timeout(PATIENCE, watch).await.expect("woken").unwrap();
    let Reply::Key(told) = &committed.replies[0] else { panic!("{committed:?}") };
    assert_eq!(seen.kv("k"), Some(told));
    assert_eq!((told.created, told.modified), (committed.index, committed.index));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_loses_an_update_that_compares_and_sets() {
    const EACH: u64 = 40;
    let catalogs = two();
    let writers = (0..8).map(|n| {
        let catalog = catalogs[n % 2].clone();
        tokio::spawn(async move {
            let mut done = 0;
            while done < EACH {
                let (count, seen) = number(&catalog.snapshot(), "count");
                match catalog.commit(vec![set("count", &(count + 1).to_string(), Some(seen))]).await {
                    Ok(_) => done += 1,
                    Err(CommitError::Rejected(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        timeout(PATIENCE, writer).await.expect("in time").unwrap();
    }
    for catalog in &catalogs {
        let state =
            caught_up(catalog, catalogs[0].snapshot().index().max(catalogs[1].snapshot().index())).await;
        assert_eq!(number(&state, "count").0, 8 * EACH);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_has_one_holder_over_all_catalogs() {
    const EACH: u64 = 15;
    let catalogs = two();
    catalogs[0].commit(vec![Command::PutNode(Node::new("n", "10.0.0.1"))]).await.unwrap();
    let workers = (0..4).map(|n| {
        let catalog = catalogs[n % 2].clone();
        tokio::spawn(async move {
            let session = format!("s{n}");
            catalog.commit(vec![Command::PutSession(Session::new(&*session, "n"))]).await.unwrap();
            for _ in 0..EACH {
                while catalog.commit(vec![acquire("lock", &session)]).await.is_err() {
                    tokio::task::yield_now().await;
                }
                // Guarded by the lock alone: two holders at a time would lose one of the two.
                let (count, _) = number(&catalog.snapshot(), "count");
                catalog.commit(vec![set("count", &(count + 1).to_string(), None)]).await.unwrap();
                let (key, value) = ("lock".into(), b"free"[..].into());
                let release = Command::ReleaseKey { key, value, flags: 0, session: session.as_str().into() };
                catalog.commit(vec![release]).await.unwrap();
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        timeout(PATIENCE, worker).await.expect("in time").unwrap();
    }
    let committed = catalogs[1].commit(vec![Command::ReadKey("count".into())]).await.unwrap();
    let Reply::Key(count) = &committed.replies[0] else { panic!("{committed:?}") };
    assert_eq!(&*count.value, (4 * EACH).to_string().as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_decided_on_the_last_commit_too() {
    let [one, other] = two();
    one.commit(vec![Command::PutNode(Node::new("n", "10.0.0.1"))]).await.unwrap();
    for round in 0..200 {
        let (session, key) = (format!("s{round}"), format!("k{round}"));
        one.commit(vec![Command::PutSession(Session::new(&*session, "n"))]).await.unwrap();
        // Acknowledged there, so known here, whether or not the news has come by itself.
        other.commit(vec![acquire(&key, &session)]).await.unwrap();
        one.commit(vec![acquire(&key, "nobody")]).await.unwrap_err();
        let refused = one.commit(vec![set(&key, "x", Some(Index(0)))]).await.unwrap_err();
        assert!(matches!(refused, CommitError::Rejected(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_session_renewed_here_is_not_ended_there_and_one_that_ends_bars_its_keys_everywhere() {
    let now = Arc::new(AtomicI64::new(0));
    let clock = {
        let now = now.clone();
        Clock::new(move || Timestamp(now.load(Ordering::SeqCst)))
    };
    let pass = |seconds: i64| now.fetch_add(seconds * 1000, Ordering::SeqCst);
    let store = Shared::new(1, 1024);
    let open = || Catalog::open(Box::new(store.clone()), clock.clone()).unwrap();
    let (one, other) = (open(), open());
    let ttl = Some(Duration::from_secs(10));
    let commands = vec![
        Command::PutNode(Node::new("n", "a")),
        Command::PutSession(Session { ttl, ..Session::new("s", "n") }),
    ];
    one.commit(commands).await.unwrap();
    one.commit(vec![acquire("k", "s")]).await.unwrap();
    pass(19);
    other.commit(vec![Command::RenewSession("s".into())]).await.unwrap();
    pass(1);
    // What a catalog decides that has not heard of the renewal yet.
    one.commit(vec![Command::ExpireSession("s".into())]).await.unwrap();
    assert!(one.snapshot().session("s").is_some());
    pass(38);
    let (due, _) = expiry::due(&one.snapshot(), clock.now());
    assert_eq!(due, [Command::ExpireSession("s".into())]);
    for catalog in [&one, &other] {
        catalog.commit(due.clone()).await.unwrap();
        assert!(catalog.snapshot().session("s").is_none());
    }
    other.commit(vec![Command::PutSession(Session::new("s2", "n"))]).await.unwrap();
    for catalog in [&one, &other] {
        let barred = catalog.commit(vec![acquire("k", "s2")]).await.unwrap_err();
        assert!(barred.to_string().contains("barred"), "{barred}");
    }
    pass(15);
    other.commit(vec![acquire("k", "s2")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_missed_too_much_loads_anew_and_wakes_everybody() {
    let store = Shared::new(1, 4);
    let (one, other) = (catalog(&store), catalog(&store));
    let watching = other.clone();
    let watch = tokio::spawn(async move { watching.changed(&Topic::Key("last".into()), Index::FIRST).await });
    let many: Vec<_> = (0..300).map(|n| one.commit(vec![set(&n.to_string(), "v", None)])).collect();
    futures_join(many).await;
    let last = one.commit(vec![set("last", "v", None)]).await.unwrap();
    timeout(PATIENCE, watch).await.expect("woken").unwrap();
    let state = caught_up(&other, last.index).await;
    assert_eq!(state.standing(), one.snapshot().standing());
    assert_eq!(store.clone().since(Index::FIRST).unwrap(), None, "the log is shorter than that");
}

async fn futures_join(all: Vec<impl Future<Output = Result<Committed, CommitError>>>) {
    for one in all {
        one.await.unwrap();
    }
}

/// A store that says it was too late, and then knows of nothing new.
struct Lying;

impl Store for Lying {
    fn load(&mut self) -> Result<Standing, StoreError> {
        Memory.load()
    }
    fn commit(&mut self, _: Index, _: &[Commit]) -> Result<Vec<Index>, StoreError> {
        Ok(Vec::new())
    }
    fn since(&mut self, _: Index) -> Result<Option<Vec<Commit>>, StoreError> {
        Ok(Some(Vec::new()))
    }
}

#[tokio::test]
async fn a_store_that_contradicts_itself_is_an_error_and_no_endless_loop() {
    let catalog = Catalog::open(Box::new(Lying), Clock::fixed(Timestamp(0))).unwrap();
    let error =
        timeout(PATIENCE, catalog.commit(vec![set("k", "v", None)])).await.expect("ends").unwrap_err();
    assert!(matches!(error, CommitError::Store(StoreError::NotTold)), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever carries a commit out, it comes to the same as with one catalog that carries them all out.
    #[test]
    fn two_catalogs_on_one_store_answer_as_one_would(
        commits in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(crate::apply::properties::any_command(), 1..4)), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let store = Shared::new(1, 1024);
        let pair = [catalog(&store), catalog(&store)];
        let alone = Catalog::open(Box::new(Memory), Clock::fixed(Timestamp(0))).unwrap();
        runtime.block_on(async {
            for (which, commands) in commits {
                let expected = rejected(alone.commit(commands.clone()).await);
                let found = rejected(pair[usize::from(which)].commit(commands).await);
                prop_assert_eq!(found, expected);
            }
            let index = alone.snapshot().index();
            for catalog in &pair {
                let state = caught_up(catalog, index).await;
                prop_assert_eq!(state.standing(), alone.snapshot().standing());
            }
            Ok(())
        })?;
    }
}

fn rejected(result: Result<Committed, CommitError>) -> Result<Committed, Rejected> {
    result.map_err(|error| match error {
        CommitError::Rejected(rejected) => rejected,
        other => panic!("{other}"),
    })
}
