//! What would be registered, and why? Looks once at every container, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::time::Instant;
use wharf_catalog::{Check, Command, ProbeKind, State};

use crate::{
    checks::HEALTHCHECK,
    complaint::Complaint,
    config::Config,
    container::{Container, RunState},
    docker::{self, Engine, EngineError},
    event::{ContainerEvent, EventKind},
    fleet::{Answer, Fleet},
    place::Place,
    plan::{Owner, Sweep, plan},
    registration::{Registration, wire},
};

/// Inspections under way at the same time.
const INSPECTIONS: usize = 16;

/// What was found.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// One for every port of every container, and for every entry that would be removed.
    pub rows: Vec<Row>,
    /// What is wrong with what containers ask for.
    pub complaints: Vec<String>,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Name of the container.
    pub container: String,
    /// Its port, such as `80/tcp`.
    pub port: String,
    /// What would be done: `add`, `change`, `keep`, `remove`; `none` for ports that are not registered;
    /// `register` where no catalog was compared with.
    pub action: String,
    /// Name of the service.
    pub service: String,
    /// Id of the instance.
    pub id: String,
    /// Where it is reached.
    pub address: String,
    /// Its checks in words.
    pub checks: Vec<String>,
    /// Why it is registered there, or not at all.
    pub because: String,
}

/// Looks at all containers of the engine that `config` names. `held`: what the catalog holds, if it could be had.
pub async fn explain(config: &Config, local: bool, held: Option<&State>) -> Result<Explained, EngineError> {
    let host = docker::address(config);
    let engine = Engine::new(&host, config)?;
    let list = engine.list().await?;
    let ids = list.into_iter().map(|listed| listed.container);
    let engine = &engine;
    let inspect = |id: String| async move { engine.inspect(&id).await };
    let answers: Vec<_> = stream::iter(ids).map(inspect).buffered(INSPECTIONS).collect().await;
    let found = answers.into_iter().filter_map(|answer| match answer {
        Answer::Found(container) => Some(*container),
        Answer::Gone | Answer::Unknown => None,
    });
    let mut containers: Vec<_> = found.collect();
    containers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(about(config, local && docker::is_local(&host), &containers, held))
}

fn about(config: &Config, local: bool, containers: &[Container], held: Option<&State>) -> Explained {
    let mut explained = Explained::default();
    let actions = held.map(|held| actions(config, local, containers, held)).unwrap_or_default();
    let action = |id: &str| match held {
        None => "register".to_owned(),
        Some(_) => actions.get(id).cloned().unwrap_or_else(|| "keep".to_owned()),
    };
    let mut wanted = BTreeSet::new();
    for container in containers {
        let wiring = wire(config, local, container);
        let row = |port: String, because: String| Row::of(container, port, because);
        for registration in &wiring.registrations {
            wanted.insert(registration.instance.id.to_string());
            let action = action(&registration.instance.id);
            explained
                .rows
                .push(row(registration.port.to_string(), String::new()).filled(registration, action));
        }
        explained
            .rows
            .extend(wiring.skipped.into_iter().map(|skipped| row(skipped.port.to_string(), skipped.because)));
        if container.ports.is_empty() {
            explained.rows.push(row(String::new(), "it exposes and publishes no port".to_owned()));
        }
        explained.complaints.extend(wiring.complaints.iter().map(Complaint::to_string));
    }
    let stale = actions.into_iter().filter(|(id, action)| action == "remove" && !wanted.contains(id));
    explained.rows.extend(stale.map(|(id, action)| Row {
        action,
        id,
        because: "no container stands behind it".to_owned(),
        ..Row::of(&Container::nameless(), String::new(), String::new())
    }));
    explained
}

/// What would happen to each instance that does not stay as it is.
fn actions(config: &Config, local: bool, containers: &[Container], held: &State) -> BTreeMap<String, String> {
    let mut fleet = Fleet::new(config.clone(), local);
    for container in containers {
        let event = ContainerEvent { container: container.id.clone(), kind: EventKind::Started };
        for question in fleet.apply(Instant::now(), &event) {
            fleet.answer(&question, Answer::Found(Box::new(container.clone())));
        }
    }
    let (desired, _) = fleet.desired();
    let owner = Owner::new(config);
    let plan = plan(&owner, &desired, held, Sweep::All);
    let stands = |id: &str| held.instance(&config.node, id).is_some();
    let action = |command: &Command| match command {
        Command::PutInstance(instance) if !stands(&instance.id) => {
            Some((instance.id.to_string(), "add".to_owned()))
        }
        Command::PutInstance(instance) => Some((instance.id.to_string(), "change".to_owned())),
        Command::DeleteInstance(_, id) => Some((id.to_string(), "remove".to_owned())),
        _ => None,
    };
    let refused =
        plan.refused.iter().map(|id| (id.to_string(), "refused: the id is somebody else's".to_owned()));
    plan.commands.iter().filter_map(action).chain(refused).collect()
}

impl Row {
    fn of(container: &Container, port: String, because: String) -> Self {
        Self {
            container: container.name.clone(),
            port,
            action: "none".to_owned(),
            service: String::new(),
            id: String::new(),
            address: String::new(),
            checks: Vec::new(),
            because: match container.state {
                RunState::Paused => format!("{because} (paused)").trim_start().to_owned(),
                RunState::Running | RunState::Stopped => because,
            },
        }
    }

    fn filled(self, registration: &Registration, action: String) -> Self {
        let instance = &registration.instance;
        let place = Place { host: instance.address.clone(), port: instance.port };
        let paused = if self.because.is_empty() { String::new() } else { format!(" {}", self.because) };
        Self {
            action,
            service: instance.name.to_string(),
            id: instance.id.to_string(),
            address: place.to_string(),
            checks: registration.checks.iter().map(in_words).collect(),
            because: format!("{}{paused}", registration.because),
            ..self
        }
    }
}

fn in_words(check: &Check) -> String {
    let Some(probe) = &check.probe else {
        let pushed = check.type_label == HEALTHCHECK;
        return if pushed { "container's HEALTHCHECK" } else { "reported" }.to_owned();
    };
    let every = format!(" every {:?}", probe.interval);
    match &probe.kind {
        ProbeKind::Http { url, method, .. } if method.is_empty() => format!("http GET {url}{every}"),
        ProbeKind::Http { url, method, .. } => format!("http {method} {url}{every}"),
        ProbeKind::Tcp { address } => format!("tcp {address}{every}"),
        ProbeKind::Grpc { target, .. } => format!("grpc {target}{every}"),
        ProbeKind::Ttl { ttl } => format!("ttl {ttl:?}"),
        other => format!("{}{every}", other.label()),
    }
}

#[cfg(test)]
mod tests {
    use wharf_catalog::{Instance, Node, Timestamp, apply::apply};

    use super::*;
    use crate::registration::tests::{config, container, port};

    #[test]
    fn every_port_has_a_row_that_says_what_would_happen_and_why() {
        let mut web = container(&[("SERVICE_NAME", "web"), ("SERVICE_82_IGNORE", "x")]);
        web.ports.extend([port("81/tcp", None), port("82/tcp", Some(9))]);
        let mut bare = container(&[]);
        (bare.name, bare.ports) = ("bare".to_owned(), BTreeMap::new());
        let Explained { rows, complaints } = about(&config(), true, &[bare, web], None);
        let told: Vec<_> = rows.iter().map(|r| (&*r.container, &*r.port, &*r.action, &*r.because)).collect();
        assert_eq!(
            told,
            [
                ("bare", "", "none", "it exposes and publishes no port"),
                ("app", "80/tcp", "register", "published on port 32768"),
                ("app", "81/tcp", "none", "not published (`-p`), and not registered as internal"),
                ("app", "82/tcp", "none", "SERVICE_82_IGNORE is set"),
            ]
        );
        assert_eq!(
            (rows[1].address.as_str(), &*rows[1].checks),
            ("192.0.2.1:32768", &*vec!["tcp 172.17.0.2:80 every 10s".to_owned()])
        );
        assert!(complaints.is_empty());
    }

    #[test]
    fn compared_with_a_catalog_it_says_what_would_change() {
        let commands = [
            Command::PutNode(Node::new("node", "10.0.0.1")),
            Command::PutInstance(Instance::new("node", "host:app:80", "old")),
            Command::PutInstance(Instance::new("node", "host:gone:80", "old")),
            Command::PutInstance(Instance::new("node", "theirs", "theirs")),
        ];
        let held = State::default();
        let held = apply(&held, held.index().next(), Timestamp(1), &commands).unwrap().state;
        let Explained { rows, .. } = about(&config(), true, &[container(&[])], Some(&held));
        let told: Vec<_> = rows.iter().map(|row| (&*row.id, &*row.action)).collect();
        assert_eq!(told, [("host:app:80", "change"), ("host:gone:80", "remove")]);
    }
}
