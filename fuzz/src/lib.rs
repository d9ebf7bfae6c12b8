//! Things to throw anything at: an agent without a socket, templates over a small catalog.

use std::{cell::RefCell, sync::Arc};

use axum::{Router, body::Body};
use http::Request;
use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tower::ServiceExt;
use wharf_catalog::{
    Catalog, Clock, Command, Index, Instance, Node, State, Timestamp, apply::apply, store::Memory,
};
use wharf_catalog_http::{Answers, Api, Config, Hooks, agent_node, router};
use wharf_template::{
    eval::{Surroundings, evaluate},
    machine::{Address, Flags, Machine},
    source::Snapshot,
    syntax::{CompileOptions, Syntax, compile},
};

/// After so many requests it starts anew, so that what it has taken in does not slow it down.
const LIFE: usize = 2_000;

/// An agent over an empty catalog.
pub struct Agent {
    runtime: Runtime,
    router: Router,
    /// What it has been told so far.
    pub catalog: Catalog,
    asked: usize,
}

/// What it says.
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

impl Agent {
    /// A fresh one.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let catalog = Catalog::open(Box::new(Memory), Clock::fixed(Timestamp(0))).expect("a catalog");
        let config = Arc::new(Config { node_name: "n1".into(), ..Config::default() });
        runtime.block_on(catalog.commit(agent_node(&config))).expect("its own node");
        let (checks, _) = wharf_catalog_checks::checks(
            catalog.clone(),
            Clock::fixed(Timestamp(0)),
            tokio::sync::mpsc::channel(1).0,
            config.node_name.clone(),
            wharf_catalog_checks::Config::default(),
        );
        let (answers, hooks, clock) = (Answers::default(), Hooks::default(), Clock::fixed(Timestamp(0)));
        let api = Api { catalog: catalog.clone(), checks, clock, config, answers, hooks };
        Self { runtime, router: router(api), catalog, asked: 0 }
    }

    /// Lets `ask` use this thread's agent.
    pub fn with<T>(ask: impl FnOnce(&mut Self) -> T) -> T {
        thread_local!(static AGENT: RefCell<Agent> = RefCell::new(Agent::new()));
        AGENT.with_borrow_mut(|agent| {
            if agent.asked > LIFE {
                *agent = Self::new();
            }
            ask(agent)
        })
    }

    /// One request; `None` if it is none that HTTP can carry.
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        self.asked += 1;
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_vec())).ok()?;
        Some(self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.expect("never fails");
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.expect("a whole body").to_bytes().to_vec();
            Answer { status, body }
        }))
    }
}

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

/// Evaluates any bytes as a template over a small catalog, twice.
pub fn render(source: &[u8], syntax: Syntax) {
    thread_local!(static CATALOG: State = small_catalog());
    let compiled = match compile(source, &CompileOptions::new(syntax)) {
        Ok(compiled) => compiled,
        Err(error) => {
            let lines = source.iter().filter(|byte| **byte == b'\n').count() + 1;
            assert!((1..=lines + 1).contains(&error.line), "line {} of {lines}", error.line);
            assert!(!error.reason.is_empty());
            return;
        }
    };
    CATALOG.with(|state| {
        let answers = Snapshot { state, datacenter: "dc1", local_node: Some("n1") };
        let surroundings = Surroundings {
            vars: &serde_json::json!({ "list": ["a", "b"], "name": "x" }),
            env: &|name| (name == "HOME").then(|| "/root".to_owned()),
            file: &|_| Err(std::io::ErrorKind::NotFound.into()),
            now: Timestamp(1_750_000_000_123),
            machine: &machine,
            plugin: None,
        };
        let first = evaluate(&compiled, &answers, surroundings);
        let second = evaluate(&compiled, &answers, surroundings);
        assert_eq!(first.text, second.text);
        assert_eq!(first.reads.topics, second.reads.topics);
    });
}

fn small_catalog() -> State {
    let mut instance = Instance::new("n1", "web-1", "web");
    (instance.port, instance.tags) = (80, vec!["a".to_owned(), "b".to_owned()]);
    instance.meta.insert("version".to_owned(), "7".to_owned());
    let commands = [
        Command::PutNode(Node::new("n1", "10.0.0.1")),
        Command::PutInstance(instance),
        Command::PutInstance(Instance::new("n1", "db-1", "db")),
        Command::SetKey { key: "app/name".into(), value: b"shop"[..].into(), flags: 0, cas: None },
        Command::SetKey { key: "app/json".into(), value: br#"{"a":[1,{"b":null}]}"#[..].into(), flags: 0, cas: None },
    ];
    apply(&State::default(), Index(1), Timestamp(0), &commands).expect("a catalog").state
}

fn machine() -> std::io::Result<Machine> {
    let address = |interface: &str, ip: &str, prefix| Address {
        interface: interface.to_owned(),
        index: 1,
        flags: Flags { up: true, ..Flags::default() },
        ip: ip.parse().expect("an address"),
        prefix,
    };
    let addresses = vec![address("eth0", "10.0.0.1", 8), address("eth0", "fd00::1", 64), address("lo", "127.0.0.1", 0)];
    Ok(Machine { addresses, default_interface: Some("eth0".to_owned()) })
}
