//! A registrator over a catalog in memory, and a real Docker engine to play with.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the harness")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod catalog;
pub mod engine;
pub mod fake;
pub mod gate;
pub mod log;
pub mod podman;
pub mod relay;

use std::{
    process::id,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{
    Catalog, Clock, Command, Health, Instance, Node, State, Timestamp, Topic, store::Memory,
};
use wharf_registrator::{
    Config, Remote,
    registry::{Registry, remote::Mode},
};

#[allow(unused_imports, reason = "each test file uses its own part of the harness")]
pub use engine::Engine;

pub const NODE: &str = "node";
pub const HOST: &str = "testhost";
const PATIENCE: Duration = Duration::from_secs(60);

/// Nanoseconds since the epoch.
#[allow(clippy::disallowed_methods, reason = "compared with the stamps of the engine")]
pub fn now_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

pub fn clock() -> Clock {
    Clock::new(|| Timestamp((now_nanos() / 1_000_000) as i64))
}

/// A name nobody else uses.
pub fn unique(word: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("whr-{word}-{}-{}", id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A running registrator; stops when dropped.
pub struct Stand {
    pub catalog: Catalog,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Stand {
    pub async fn start(host: &str, edit: impl FnOnce(&mut Config)) -> Self {
        let catalog = Catalog::open(Box::new(Memory), clock()).unwrap();
        let node = Node::new(NODE, "127.0.0.1");
        catalog.commit(vec![Command::PutNode(node)]).await.unwrap();
        Self::with_catalog(catalog, host, edit)
    }

    pub fn with_catalog(catalog: Catalog, host: &str, edit: impl FnOnce(&mut Config)) -> Self {
        let config = config(host, edit);
        let registry = wharf_registrator::Embedded::new(catalog.clone(), &config.node);
        Self::run(catalog, registry, config)
    }

    /// Over HTTP.
    pub fn remote(served: &catalog::Served, mode: Mode, host: &str, edit: impl FnOnce(&mut Config)) -> Self {
        let config = config(host, edit);
        let registry = Remote::new(served.client(), mode, config.node.clone(), config.advertise_addr);
        Self::run(served.catalog.clone(), registry, config)
    }

    fn run(catalog: Catalog, registry: impl Registry + 'static, config: Config) -> Self {
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(wharf_registrator::run(config, registry, clock(), shutdown.clone()));
        Self { catalog, shutdown, task }
    }

    /// Waits until the catalog is as told.
    pub async fn until(&self, what: &str, holds: impl Fn(&State) -> bool) -> Arc<State> {
        until(&self.catalog, what, holds).await
    }

    pub async fn registered(&self, service: &str) -> Arc<Instance> {
        let what = format!("`{service}` registered");
        let state = self.until(&what, |state| state.service(service).count() == 1).await;
        state.service(service).next().unwrap().clone()
    }

    pub async fn gone(&self, service: &str) {
        self.until(&format!("`{service}` gone"), |state| state.service(service).count() == 0).await;
    }

    pub async fn healthy(&self, service: &str, health: Health) {
        self.until(&format!("`{service}` {health}"), |state| health_of(state, service) == [health]).await;
    }

    /// Is the registrator still running?
    pub fn runs(&self) -> bool {
        !self.task.is_finished()
    }

    /// It ends without a word, as by `kill -9`.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

fn config(host: &str, edit: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config {
        docker_host: Some(host.to_owned()),
        hostname: HOST.to_owned(),
        node: NODE.into(),
        ..Config::default()
    };
    edit(&mut config);
    config
}

/// Waits until `catalog` is as told.
pub async fn until(catalog: &Catalog, what: &str, holds: impl Fn(&State) -> bool) -> Arc<State> {
    let deadline = Instant::now() + PATIENCE;
    let mut state = catalog.snapshot();
    while !holds(&state) {
        let changed = catalog.changed(&Topic::Catalog, state.index());
        state = timeout_at(deadline, changed)
            .await
            .unwrap_or_else(|_| panic!("never happened: {what}; the catalog holds {:#?}", summary(&state)));
    }
    state
}

pub fn health_of(state: &State, service: &str) -> Vec<Health> {
    state.service_health(service).map(|instance| instance.health()).collect()
}

fn summary(state: &State) -> Vec<String> {
    let line = |i: &Arc<Instance>| {
        let health = state.instance_health(&i.node, &i.id).map(|h| h.health());
        format!("{} `{}` {health:?}", i.id, i.name)
    };
    state.instances().map(line).collect()
}
