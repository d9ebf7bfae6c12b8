//! One battery over every catalog a registrator can register in: this process's own, and an agent and a bare catalog
//! over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod harness;

use std::{sync::Arc, time::Duration};

use harness::catalog::{Place, Served};
use tokio::time::timeout;
use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Health, Instance, Probe, ProbeKind, State, Status, TaggedAddress,
};
use wharf_registrator::{
    Embedded, Remote,
    registry::{Held, Refusal, Registry, RegistryError, remote::Mode},
};

const ID: &str = "testhost:app:80";
const CHECK: &str = "service:testhost:app:80";

/// Either, for one battery.
enum Any {
    Embedded(Embedded),
    Remote(Box<Remote>),
}

impl Registry for Any {
    async fn snapshot(&self) -> Result<Held, RegistryError> {
        match self {
            Self::Embedded(registry) => registry.snapshot().await,
            Self::Remote(registry) => registry.snapshot().await,
        }
    }

    async fn commit(&self, commands: Vec<Command>) -> Result<Vec<Refusal>, RegistryError> {
        match self {
            Self::Embedded(registry) => registry.commit(commands).await,
            Self::Remote(registry) => registry.commit(commands).await,
        }
    }

    async fn changed(&self) {
        match self {
            Self::Embedded(registry) => registry.changed().await,
            Self::Remote(registry) => registry.changed().await,
        }
    }

    fn is_local(&self) -> bool {
        true
    }
}

/// A catalog with its registry, and what it really holds.
struct Case {
    word: &'static str,
    registry: Any,
    node: Arc<str>,
    served: Served,
}

async fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for word in ["embedded", "agent", "catalog"] {
        let served = Served::start(Place::Anywhere).await;
        let node: Arc<str> = if word == "catalog" { "bare".into() } else { harness::NODE.into() };
        let remote = |mode| {
            let address = "127.0.0.1".parse().unwrap();
            Any::Remote(Box::new(Remote::new(served.client(), mode, node.clone(), address)))
        };
        let registry = match word {
            "embedded" => Any::Embedded(Embedded::new(served.catalog.clone(), &node)),
            "agent" => remote(Mode::Agent),
            _ => remote(Mode::Catalog),
        };
        cases.push(Case { word, registry, node, served });
    }
    cases
}

impl Case {
    async fn commit(&self, commands: Vec<Command>) {
        // Nothing is registered before the registry was asked what it holds.
        let held = self.registry.snapshot().await.unwrap().state;
        let node = held.node(&self.node).is_none();
        let node = node.then(|| Command::PutNode(wharf_catalog::Node::new(self.node.clone(), "127.0.0.1")));
        let commands = node.into_iter().chain(commands).collect();
        assert_eq!(self.registry.commit(commands).await.unwrap(), [], "{}", self.word);
    }

    fn instance(&self) -> Instance {
        let mut instance = Instance::new(self.node.clone(), ID, "web");
        instance.address = "10.0.0.7".to_owned();
        instance.port = 32768;
        instance.tags = vec!["a".to_owned(), "b,c".to_owned()];
        instance.meta.insert("zone".to_owned(), "x y/ü".to_owned());
        instance.enable_tag_override = true;
        instance.weights.passing = 7;
        let tagged = TaggedAddress { address: "172.17.0.2".to_owned(), port: 80 };
        instance.tagged_addresses.insert("container".to_owned(), tagged);
        instance
    }

    fn check(&self) -> Check {
        Check { instance: Some(ID.into()), ..Check::new(self.node.clone(), CHECK, "Service 'web' check") }
    }

    /// What its catalog holds, asked directly.
    fn truth(&self) -> Arc<State> {
        self.served.catalog.snapshot()
    }

    /// What the registry says, and what is.
    async fn both(&self) -> [Arc<State>; 2] {
        [self.registry.snapshot().await.unwrap().state, self.truth()]
    }
}

fn put(check: Check) -> Command {
    Command::PutCheck(check, CheckStatusOnPut::Keep)
}

#[tokio::test]
async fn what_is_registered_stands_as_it_was_meant_and_goes_when_told() {
    for case in cases().await {
        let word = case.word;
        case.commit(vec![Command::PutInstance(case.instance()), put(case.check())]).await;
        for state in case.both().await {
            let held = state.instance(&case.node, ID).unwrap_or_else(|| panic!("{word}"));
            let wanted = case.instance();
            assert_eq!((&held.name, &held.address, held.port), (&wanted.name, &wanted.address, wanted.port));
            assert_eq!((&held.tags, &held.meta), (&wanted.tags, &wanted.meta), "{word}");
            assert_eq!((held.weights, held.enable_tag_override), (wanted.weights, true), "{word}");
            assert_eq!(held.tagged_addresses["container"].port, 80, "{word}");
            assert_eq!(state.check(&case.node, CHECK).unwrap().status, Status::Critical, "{word}");
        }
        case.commit(vec![Command::DeleteInstance(case.node.clone(), ID.into())]).await;
        for state in case.both().await {
            assert!(
                state.instance(&case.node, ID).is_none() && state.check(&case.node, CHECK).is_none(),
                "{word}"
            );
        }
    }
}

#[tokio::test]
async fn a_drain_a_pause_and_their_end_are_seen_with_their_reasons() {
    for case in cases().await {
        let passing = Check { status: Status::Passing, ..case.check() };
        case.commit(vec![Command::PutInstance(case.instance()), put(passing)]).await;
        for (reason, health) in [
            ("draining: container got SIGTERM", Health::Draining),
            ("paused: container is paused", Health::Maintenance),
        ] {
            let check = Check::maintenance(&case.node, &ID.into(), reason);
            let id = check.id.clone();
            case.commit(vec![Command::PutCheck(check, CheckStatusOnPut::Set)]).await;
            for state in case.both().await {
                assert_eq!(state.instance_health(&case.node, ID).unwrap().health(), health, "{}", case.word);
                assert_eq!(state.check(&case.node, &id).unwrap().notes, reason, "{}", case.word);
            }
        }
        let id = wharf_catalog::check::service_maintenance_id(ID);
        case.commit(vec![Command::DeleteCheck(case.node.clone(), id.into())]).await;
        for state in case.both().await {
            assert_eq!(
                state.instance_health(&case.node, ID).unwrap().health(),
                Health::Passing,
                "{}",
                case.word
            );
        }
    }
}

#[tokio::test]
async fn a_pushed_status_arrives_with_its_output() {
    for case in cases().await {
        case.commit(vec![Command::PutInstance(case.instance()), put(case.check())]).await;
        for (status, output) in [(Status::Passing, "ok"), (Status::Critical, "connection refused")] {
            let (node, check, output) = (case.node.clone(), CHECK.into(), output.to_owned());
            case.commit(vec![Command::SetCheckStatus { node, check, status, output: output.clone() }]).await;
            for state in case.both().await {
                let held = state.check(&case.node, CHECK).unwrap();
                assert_eq!((held.status, &held.output), (status, &output), "{}", case.word);
            }
        }
    }
}

#[tokio::test]
async fn a_check_comes_and_goes_beside_its_instance() {
    for case in cases().await {
        case.commit(vec![Command::PutInstance(case.instance())]).await;
        case.commit(vec![put(case.check())]).await;
        for state in case.both().await {
            assert!(state.check(&case.node, CHECK).is_some(), "{}", case.word);
        }
        case.commit(vec![Command::DeleteCheck(case.node.clone(), CHECK.into())]).await;
        for state in case.both().await {
            assert!(state.check(&case.node, CHECK).is_none(), "{}", case.word);
            assert!(state.instance(&case.node, ID).is_some(), "{}", case.word);
        }
    }
}

#[tokio::test]
async fn what_others_take_away_or_add_is_noticed_by_itself() {
    for case in cases().await {
        case.commit(vec![Command::PutInstance(case.instance())]).await;
        let theirs = Instance::new(case.node.clone(), "theirs", "theirs");
        for (what, command, stands) in [
            ("taken away", Command::DeleteInstance(case.node.clone(), ID.into()), (false, false)),
            ("added", Command::PutInstance(theirs), (false, true)),
        ] {
            case.served.catalog.commit(vec![command]).await.unwrap();
            let seen = async {
                loop {
                    let state = case.registry.snapshot().await.unwrap().state;
                    let holds = |id| state.instance(&case.node, id).is_some();
                    if (holds(ID), holds("theirs")) == stands {
                        return;
                    }
                    case.registry.changed().await;
                }
            };
            timeout(Duration::from_secs(20), seen).await.unwrap_or_else(|_| panic!("{}: {what}", case.word));
        }
    }
}

#[tokio::test]
async fn a_check_of_every_kind_is_taken_as_it_is_meant_by_an_agent() {
    let served = Served::start(Place::Anywhere).await;
    let node: Arc<str> = harness::NODE.into();
    let remote = Remote::new(served.client(), Mode::Agent, node.clone(), "127.0.0.1".parse().unwrap());
    remote.snapshot().await.unwrap();
    let address = "[::1]:9".to_owned();
    let kinds = [
        ProbeKind::Http {
            url: "http://[::1]:9/h?a=b".to_owned(),
            method: "HEAD".to_owned(),
            headers: Default::default(),
            body: String::new(),
            tls_skip_verify: true,
        },
        ProbeKind::Tcp { address: address.clone() },
        ProbeKind::Ttl { ttl: Duration::from_millis(90_500) },
        ProbeKind::Udp { address: address.clone() },
        ProbeKind::Grpc { target: format!("{address}/s.S"), tls: true, tls_skip_verify: false },
        ProbeKind::Script { args: vec!["/bin/sh".to_owned(), "-c".to_owned(), "true | false".to_owned()] },
        ProbeKind::Docker {
            container: "abc".to_owned(),
            shell: String::new(),
            args: vec!["true".to_owned()],
        },
    ];
    let check = |(at, kind): (usize, &ProbeKind)| Check {
        instance: Some(ID.into()),
        type_label: kind.label().to_owned(),
        probe: Some(Probe {
            interval: Duration::from_secs(7),
            timeout: Duration::from_secs(3),
            deregister_after: Some(Duration::from_secs(90)),
            ..Probe::new(kind.clone())
        }),
        ..Check::new(node.clone(), format!("{CHECK}:{at}"), "check")
    };
    let checks: Vec<_> = kinds.iter().enumerate().map(check).collect();
    let instance = Instance::new(node.clone(), ID, "web");
    let commands = [Command::PutInstance(instance)].into_iter().chain(checks.iter().cloned().map(put));
    assert_eq!(remote.commit(commands.collect()).await.unwrap(), []);
    for check in checks {
        let state = served.catalog.snapshot();
        let (held, wanted) =
            (state.check(&node, &check.id).unwrap().probe.clone().unwrap(), check.probe.unwrap());
        assert_eq!((&held.kind, held.deregister_after), (&wanted.kind, wanted.deregister_after));
        if !matches!(wanted.kind, ProbeKind::Ttl { .. }) {
            assert_eq!((held.interval, held.timeout), (wanted.interval, wanted.timeout), "{:?}", wanted.kind);
        }
    }
}

#[tokio::test]
async fn what_the_catalog_refuses_is_told_and_keeps_nothing_else_from_being_registered() {
    let served = Served::start(Place::Anywhere).await;
    let node: Arc<str> = harness::NODE.into();
    let remote = Remote::new(served.client(), Mode::Agent, node.clone(), "127.0.0.1".parse().unwrap());
    remote.snapshot().await.unwrap();
    let good = Instance::new(node.clone(), "good", "good");
    let mut bad = Instance::new(node.clone(), "bad", "bad");
    bad.meta.insert("consul-reserved".to_owned(), "x".to_owned());
    let commands = vec![Command::PutInstance(bad), Command::PutInstance(good)];
    for _ in 0..2 {
        let refusals = remote.commit(commands.clone()).await.unwrap();
        assert_eq!(refusals.len(), 1);
        assert!(&*refusals[0].instance == "bad" && refusals[0].reason.contains("consul-"), "{refusals:?}");
    }
    assert!(served.catalog.snapshot().instance(&node, "good").is_some());
}

#[tokio::test]
async fn a_catalog_that_is_away_is_an_error_and_counted_as_an_absence() {
    let mut served = Served::start(Place::Anywhere).await;
    let remote =
        Remote::new(served.client(), Mode::Agent, harness::NODE.into(), "127.0.0.1".parse().unwrap());
    let before = remote.snapshot().await.unwrap().absences;
    served.stop();
    let away = async {
        while remote.snapshot().await.is_ok() {
            remote.changed().await
        }
    };
    timeout(Duration::from_secs(20), away).await.unwrap();
    served.again().await;
    timeout(Duration::from_secs(20), remote.changed()).await.unwrap();
    let back = async {
        loop {
            match remote.snapshot().await {
                Ok(held) => return held.absences,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    assert!(timeout(Duration::from_secs(20), back).await.unwrap() > before);
}

#[tokio::test]
async fn a_node_with_an_agent_is_not_registered_on_behind_its_back() {
    let served = Served::start(Place::Anywhere).await;
    let remote =
        Remote::new(served.client(), Mode::Catalog, harness::NODE.into(), "127.0.0.1".parse().unwrap());
    let error = remote.snapshot().await.unwrap_err();
    assert!(matches!(error, RegistryError::HasAgent(_)), "{error}");
}
