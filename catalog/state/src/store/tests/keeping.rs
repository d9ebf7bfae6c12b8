//! A catalog in a file goes on where it was, and the file is its own.

use super::*;

fn open(path: &std::path::Path) -> Catalog {
    Catalog::open(Box::new(Sqlite::open(path).unwrap()), Clock::fixed(Timestamp(7))).unwrap()
}

pub(super) fn database() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    (folder, path)
}

fn fleet() -> Vec<Command> {
    let probe = Some(Probe::new(ProbeKind::Tcp { address: "[::1]:80".to_owned() }));
    let check = Check { instance: Some("web-1".into()), probe, ..Check::new("n", "c", "tcp") };
    vec![
        Command::PutNode(Node::new("n", "10.0.0.1")),
        Command::PutInstance(Instance { tags: vec!["a,b".to_owned()], ..Instance::new("n", "web-1", "web") }),
        Command::PutCheck(check, CheckStatusOnPut::Set),
        Command::SetKey { key: "k/ü".into(), value: [0, 255, 10][..].into(), flags: u64::MAX, cas: None },
    ]
}

/// The writer thread drops its store, and the lock with it, a moment after the last handle is gone.
fn reopen(path: &std::path::Path) -> Catalog {
    for _ in 0..500 {
        match Sqlite::open(path).and_then(|store| Catalog::open(Box::new(store), Clock::fixed(Timestamp(8))))
        {
            Ok(catalog) => return catalog,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    }
    open(path)
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_reopening_and_the_index_goes_on() {
    let (_folder, path) = database();
    let before = {
        let catalog = open(&path);
        catalog.commit(fleet()).await.unwrap();
        let gone = Command::DeleteKey { key: "k/ü".into(), cas: None };
        catalog.commit(vec![gone, fleet()[3].clone()]).await.unwrap();
        catalog.snapshot()
    };
    let after = reopen(&path).snapshot();
    assert_eq!(after.index(), before.index());
    assert_eq!(after.instance("n", "web-1"), before.instance("n", "web-1"));
    assert_eq!(after.check("n", "c"), before.check("n", "c"));
    assert_eq!(after.kv("k/ü"), before.kv("k/ü"));
    assert!(after.index_of(&Topic::Services) >= before.index_of(&Topic::Services));
}

#[tokio::test]
async fn a_session_keeps_its_keys_and_its_deadline_over_reopening() {
    let (_folder, path) = database();
    let ttl = Some(std::time::Duration::from_secs(10));
    let session = Session { ttl, ttl_text: "10s".to_owned(), ..Session::new("s", "n") };
    let lock =
        Command::AcquireKey { key: "l".into(), value: b"me"[..].into(), flags: 0, session: "s".into() };
    {
        let catalog = open(&path);
        let mut commands = fleet();
        commands.extend([Command::PutSession(session), lock]);
        catalog.commit(commands).await.unwrap();
    }
    let catalog = reopen(&path);
    assert_eq!(catalog.snapshot().lease("s"), Some(Timestamp(20_007)));
    catalog.commit(vec![Command::EndSession("s".into())]).await.unwrap();
    let state = catalog.snapshot();
    assert_eq!((state.kv("l").unwrap().session.as_ref(), state.leases().count()), (None, 0));
}

#[tokio::test]
async fn what_was_deleted_stays_deleted() {
    let (_folder, path) = database();
    {
        let catalog = open(&path);
        catalog.commit(fleet()).await.unwrap();
        let status = Command::SetCheckStatus {
            node: "n".into(),
            check: "c".into(),
            status: Status::Passing,
            output: "ok".to_owned(),
        };
        catalog.commit(vec![status]).await.unwrap();
        catalog.commit(vec![Command::DeleteNode("n".into())]).await.unwrap();
    }
    let state = reopen(&path).snapshot();
    assert_eq!((state.nodes().count(), state.checks().count()), (0, 0));
    assert!(state.kv("k/ü").is_some());
}

#[test]
fn the_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = database();
    drop(Sqlite::open(&path).unwrap());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_in_use_is_said_to_be_that_and_not_damaged() {
    let (_folder, path) = database();
    let _first = Sqlite::open(&path).unwrap();
    let error = Sqlite::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("catalog.db"), "{error}");
}
