//! `kill -9` at a random moment under load, round after round on one data directory: nothing acknowledged is
//! lost, nothing is half there, and no index goes backwards.
//!
//! `WHARF_KILL_ROUNDS` says how often (8 when unset: the store alone is killed 200 times, by
//! `catalog/state/tests/kill.rs`), `WHARF_KILL_SEED` which moments.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::harness::{Wharf, until};

const NO_DOCKER: [&str; 2] = ["--docker-host", "unix:///nonexistent/docker.sock"];
const WRITERS: usize = 8;
/// The checks that come with each registration.
const CHECKS: usize = 3;

/// What may be asked of the catalog for ever after.
#[derive(Default)]
struct Ledger {
    /// Key -> acknowledged value, `None` once its deletion was; keys with something in flight are not in here.
    keys: Mutex<BTreeMap<String, Option<String>>>,
    /// Nodes whose registration was acknowledged.
    nodes: Mutex<BTreeSet<String>>,
    acknowledged: AtomicUsize,
    /// Highest index anybody was told.
    index: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_nothing_is_half_there_and_no_index_goes_back() {
    let (rounds, seed) = (setting("WHARF_KILL_ROUNDS", 8), setting("WHARF_KILL_SEED", random()));
    println!("{rounds} rounds, seed {seed}");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let flags = [&NO_DOCKER[..], &["--data-dir", &data]].concat();
    let ledger = Arc::new(Ledger::default());
    let mut moment = seed;
    for round in 0..rounds {
        let wharf = Wharf::start(&flags);
        compare(&wharf, &ledger, round).await;
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let goal = ledger.acknowledged.load(Ordering::SeqCst) + 5 + usize::try_from(moment >> 56).unwrap();
        let writers: Vec<_> =
            (0..WRITERS).map(|writer| tokio::spawn(write(start(&wharf, round, writer, &ledger)))).collect();
        let acknowledged = async || ledger.acknowledged.load(Ordering::SeqCst);
        until("acknowledged writes", acknowledged, |done| *done >= goal).await;
        wharf.kill_nine();
        for writer in writers {
            writer.await.unwrap();
        }
    }
    compare(&Wharf::start(&flags), &ledger, rounds).await;
    println!("{} writes were acknowledged", ledger.acknowledged.load(Ordering::SeqCst));
}

struct Writer {
    client: reqwest::Client,
    api: String,
    name: String,
    ledger: Arc<Ledger>,
}

fn start(wharf: &Wharf, round: u64, writer: usize, ledger: &Arc<Ledger>) -> Writer {
    let name = format!("{round}-{writer}");
    Writer { client: wharf.client.clone(), api: wharf.api(""), name, ledger: ledger.clone() }
}

/// Sets, sets again, deletes and registers until the first request that is not answered.
async fn write(writer: Writer) {
    for n in 0_usize.. {
        let (key, node) = (format!("k/{}/{}", writer.name, n / 4), format!("node-{}-{n}", writer.name));
        let done = match n % 4 {
            0 => writer.set(&key, "first").await,
            1 => writer.set(&key, &format!("second-{n}")).await,
            2 => writer.register(node).await,
            _ if n % 8 == 7 => writer.delete(&key).await,
            _ => writer.note_index().await,
        };
        if done.is_none() {
            return;
        }
        writer.ledger.acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

impl Writer {
    async fn set(&self, key: &str, value: &str) -> Option<()> {
        self.ledger.keys.lock().unwrap().remove(key);
        let request = self.client.put(format!("{}/v1/kv/{key}", self.api)).body(value.to_owned());
        self.acknowledged(request).await?;
        self.ledger.keys.lock().unwrap().insert(key.to_owned(), Some(value.to_owned()));
        Some(())
    }

    async fn delete(&self, key: &str) -> Option<()> {
        self.ledger.keys.lock().unwrap().remove(key);
        self.acknowledged(self.client.delete(format!("{}/v1/kv/{key}", self.api))).await?;
        self.ledger.keys.lock().unwrap().insert(key.to_owned(), None);
        Some(())
    }

    /// A node, a service on it and its checks: one commit.
    async fn register(&self, node: String) -> Option<()> {
        let check =
            |n| json!({"CheckID": format!("c{n}"), "Name": "c", "Status": "passing", "ServiceID": "whole-1"});
        let checks: Vec<_> = (0..CHECKS).map(check).collect();
        let body = json!({"Node": node, "Address": "10.0.0.1", "Checks": checks, "Service": {"ID": "whole-1", "Service": "whole", "Port": 1}});
        let request = self.client.put(format!("{}/v1/catalog/register", self.api)).body(body.to_string());
        self.acknowledged(request).await?;
        self.ledger.nodes.lock().unwrap().insert(node);
        Some(())
    }

    async fn note_index(&self) -> Option<()> {
        let answer = self.client.get(format!("{}/v1/catalog/nodes", self.api)).send().await.ok()?;
        let index = answer.headers()["x-consul-index"].to_str().unwrap().parse().unwrap();
        self.ledger.index.fetch_max(index, Ordering::SeqCst);
        Some(())
    }

    async fn acknowledged(&self, request: reqwest::RequestBuilder) -> Option<()> {
        let answer = request.send().await.ok()?;
        let (status, text) = (answer.status(), answer.text().await.ok()?);
        assert_eq!((status.as_u16(), text.trim()), (200, "true"));
        Some(())
    }
}

/// Does the catalog agree with all that was acknowledged?
async fn compare(wharf: &Wharf, ledger: &Ledger, round: u64) {
    let index = wharf.client.get(wharf.api("/v1/catalog/nodes")).send().await.unwrap();
    let index: u64 = index.headers()["x-consul-index"].to_str().unwrap().parse().unwrap();
    assert!(index >= ledger.index.load(Ordering::SeqCst), "the index went back to {index} in round {round}");
    let kept = keys(wharf).await;
    for (key, value) in &*ledger.keys.lock().unwrap() {
        assert_eq!(kept.get(key), value.as_ref(), "`{key}` in round {round}");
    }
    let whole = whole(wharf, round).await;
    let lost: Vec<_> = ledger.nodes.lock().unwrap().difference(&whole).cloned().collect();
    assert!(lost.is_empty(), "lost in round {round}: {lost:?}");
}

async fn keys(wharf: &Wharf) -> BTreeMap<String, String> {
    let keys = wharf.client.get(wharf.api("/v1/kv/k/?recurse")).send().await.unwrap().text().await.unwrap();
    // No keys at all are a 404 without a body.
    let keys: Vec<Value> = if keys.is_empty() { Vec::new() } else { serde_json::from_str(&keys).unwrap() };
    let entry = |entry: Value| {
        let value = STANDARD.decode(entry["Value"].as_str().unwrap()).unwrap();
        (entry["Key"].as_str().unwrap().to_owned(), String::from_utf8(value).unwrap())
    };
    keys.into_iter().map(entry).collect()
}

/// The nodes of registrations, each of which has to be there with all that came with it.
async fn whole(wharf: &Wharf, round: u64) -> BTreeSet<String> {
    let nodes = wharf.json("/v1/catalog/nodes").await;
    let nodes: BTreeSet<String> = names(&nodes, |node| &node["Node"]);
    let instances = wharf.json("/v1/health/service/whole").await;
    for instance in instances.as_array().unwrap() {
        assert_eq!(
            instance["Checks"].as_array().unwrap().len(),
            CHECKS,
            "half there in round {round}: {instance}"
        );
    }
    let with_instance = names(&instances, |instance| &instance["Node"]["Node"]);
    let registered: BTreeSet<_> = nodes.into_iter().filter(|node| node.starts_with("node-")).collect();
    assert_eq!(registered, with_instance, "half there in round {round}");
    registered
}

fn names(list: &Value, name: impl Fn(&Value) -> &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|one| name(one).as_str().unwrap().to_owned()).collect()
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect(name))
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}
