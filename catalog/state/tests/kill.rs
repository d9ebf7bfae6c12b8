//! `kill -9` of a process that writes, at a random moment, 200 times on one file: what it was told is kept is
//! there, whole, in order.
//!
//! The test starts itself as the writing process. Each of its clients does what it does in an order that can be
//! checked by the last thing that was acknowledged: the state is that one, or the one after it that was in flight.
//! `WHARF_KILL_ROUNDS` and `WHARF_KILL_SEED` say how often, and at which moments.

#![expect(clippy::unwrap_used, reason = "a broken test has to be loud")]

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command as Process, Stdio},
    sync::{Arc, mpsc},
    time::Duration,
};

use wharf_catalog::state::ttl_lease;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Index, Instance, Node, Session, State, Store,
    Timestamp, store::Sqlite,
};

const CLIENTS: usize = 16;
/// Commits after which a client has done each of its things once.
const CYCLE: u64 = 6;

#[test]
fn nothing_acknowledged_is_lost_nothing_is_half_there_and_no_index_falls() {
    let (rounds, seed) = (setting("WHARF_KILL_ROUNDS", 200), setting("WHARF_KILL_SEED", random()));
    println!("{rounds} rounds, seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let (mut known, mut moment) = (Known::default(), seed);
    for round in 0..rounds {
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        known.hear(kill(start(&path), moment >> 40));
        known.compare(&read(&path), round);
    }
    println!("{} commits were acknowledged, up to index {}", known.acknowledged, known.index);
    assert!(known.acknowledged > rounds * 5, "killed before there was anything to lose");
}

/// What the process was told is kept.
#[derive(Default)]
struct Known {
    index: Index,
    acknowledged: u64,
    /// Client -> number of its last acknowledged commit.
    last: BTreeMap<usize, u64>,
}

impl Known {
    fn hear(&mut self, lines: Vec<String>) {
        for line in lines {
            let parts: Vec<u64> = line.split(' ').filter_map(|part| part.parse().ok()).collect();
            // A line cut off by the kill was still acknowledged, but to nobody.
            let [client, n, index, 0] = parts[..] else { continue };
            let (client, index) = (usize::try_from(client).unwrap(), Index(index));
            assert!(self.last.get(&client).is_none_or(|last| n > *last), "{line}");
            self.last.insert(client, n);
            self.index = self.index.max(index);
            self.acknowledged += 1;
        }
    }

    fn compare(&mut self, state: &State, round: u64) {
        assert!(state.index() >= self.index, "the index fell to {} in round {round}", state.index());
        self.index = state.index();
        for client in 0..CLIENTS {
            let found = whole(state, client).unwrap_or_else(|why| panic!("round {round}: {why}"));
            let told = self.last.get(&client).copied().unwrap_or(0);
            assert!(
                found == told || found == told + 1,
                "client {client} was told {told}, the state is {found}, in round {round}"
            );
            self.last.insert(client, found);
        }
    }
}

/// What client `client` commits as its `n`-th, from 1: together with the number itself, in two keys.
fn commands(client: usize, n: u64) -> Vec<Command> {
    let name = |what: &str| -> Arc<str> { format!("{what}-{client:02}").into() };
    let number: Arc<[u8]> = n.to_string().into_bytes().into();
    let key = |key: String| Command::SetKey { key: key.into(), value: number.clone(), flags: 0, cas: None };
    let mut commands = vec![key(format!("n/{client}/first"))];
    match n % CYCLE {
        1 => {
            commands.push(Command::PutNode(Node::new(name("node"), "10.0.0.1")));
            commands.push(Command::PutInstance(Instance::new(name("node"), "web", "web")));
            let check = Check { instance: Some("web".into()), ..Check::new(name("node"), "c", "alive") };
            commands.push(Command::PutCheck(check, CheckStatusOnPut::Set));
        }
        2 => {
            let session =
                Session { lock_delay: Duration::ZERO, ..Session::new(name("session"), name("node")) };
            commands.push(Command::PutSession(session));
            let (key, session) = (name("lock"), name("session"));
            commands.push(Command::AcquireKey { key, value: number.clone(), flags: 0, session });
        }
        3 => commands.push(Command::RenewCheck(name("node"), "c".into(), Timestamp(7))),
        4 => commands.push(Command::EndSession(name("session"))),
        5 => commands.push(Command::DeleteNode(name("node"))),
        _ => commands.push(Command::DeleteKeysUnder(name("lock"))),
    }
    commands.push(key(format!("n/{client}/second")));
    commands
}

/// The number of the commit that `client` has come to, if all that belongs to it is there and nothing else.
fn whole(state: &State, client: usize) -> Result<u64, String> {
    let number = |key: &str| -> u64 {
        let entry = state.kv(&format!("n/{client}/{key}"));
        entry.map_or(0, |entry| std::str::from_utf8(&entry.value).unwrap().parse().unwrap())
    };
    let (n, second) = (number("first"), number("second"));
    let (node, session, lock) =
        (format!("node-{client:02}"), format!("session-{client:02}"), format!("lock-{client:02}"));
    let found = (
        state.node(&node).is_some(),
        state.instance(&node, "web").is_some(),
        state.check(&node, "c").is_some(),
        state.session(&session).is_some(),
        state.kv(&lock).map(|lock| lock.session.is_some()),
        state.lease(&ttl_lease(&node, "c")).is_some(),
    );
    let expected = match n % CYCLE {
        _ if n == 0 => (false, false, false, false, None, false),
        1 => (true, true, true, false, None, false),
        2 => (true, true, true, true, Some(true), false),
        3 => (true, true, true, true, Some(true), true),
        4 => (true, true, true, false, Some(false), true),
        5 => (false, false, false, false, Some(false), false),
        _ => (false, false, false, false, None, false),
    };
    if (n, expected) == (second, found) {
        return Ok(n);
    }
    Err(format!("client {client} is half at {n}: {second} {found:?} instead of {expected:?}"))
}

fn read(path: &Path) -> State {
    if !path.exists() {
        return State::restored(Index::FIRST, []); // Killed before there was a file.
    }
    let standing = Sqlite::open(path).unwrap().load().unwrap();
    State::restored(standing.index, standing.records)
}

/// This program again, as [`the_process_that_is_killed`].
fn start(path: &Path) -> Child {
    Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_process_that_is_killed", "--ignored", "--nocapture"])
        .env("WHARF_KILL_FILE", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Kills it after up to 60 ms, counted from its start in one round of four, else from its first
/// acknowledgement. All that it said.
fn kill(mut child: Child, moment: u64) -> Vec<String> {
    let (send, lines) = mpsc::channel();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        output.lines().map_while(Result::ok).for_each(|line| send.send(line).unwrap());
    });
    let mut heard = Vec::new();
    if !moment.is_multiple_of(4) {
        while !heard.last().is_some_and(|line: &String| line.ends_with(" 0")) {
            heard.push(lines.recv_timeout(Duration::from_secs(60)).expect("it writes"));
        }
    }
    std::thread::sleep(Duration::from_micros((moment >> 2) % 60_000));
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.signal(), Some(9), "it ended by itself: {ended}");
    reader.join().unwrap();
    heard.extend(lines);
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the test beside it starts this, to kill it"]
async fn the_process_that_is_killed() {
    let Some(path) = std::env::var_os("WHARF_KILL_FILE") else {
        return;
    };
    let store = Sqlite::open(Path::new(&path)).unwrap();
    let catalog = Catalog::open(Box::new(store), Clock::fixed(Timestamp(0))).unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let catalog = catalog.clone();
        clients.spawn(async move {
            let mut n = whole(&catalog.snapshot(), client).unwrap();
            loop {
                n += 1;
                let committed = catalog.commit(commands(client, n)).await.unwrap();
                // One write, without a buffer that would die with the process.
                let line = format!("{client} {n} {} 0\n", committed.index);
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    clients.join_next().await.unwrap().unwrap();
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}
