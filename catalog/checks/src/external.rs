//! Things outside containers that are checked too: external services of the catalog, on nodes of their own.
//!
//! Pure. A definition, from the settings file or over the API, becomes a node for its group (`external-node` in its
//! meta, as Consul's External Service Monitor knows it), an instance and a check with a probe; from there on it is
//! a service like any other, and survives a restart as those do. Whose it is stands in the instance's meta
//! ([`SOURCE`]): what is not ours is never touched.

mod definition;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Expect, Instance, Node, Probe, ProbeKind, State, Status,
    check::service_maintenance_id,
};

pub use definition::{Dns, External, ExternalError, Push, Route, Token};

use crate::probe::http::expect;

/// Meta of a node that is looked after though it is not our own. The name is Consul's.
pub const EXTERNAL_NODE: &str = "external-node";
/// Meta of a node that Consul's monitor pings by itself; ours are not.
pub const EXTERNAL_PROBE: &str = "external-probe";
/// Meta of an instance: who registered it.
pub const SOURCE: &str = "wharf-source";

/// What the maintenance check of a paused one says.
const PAUSED: &str = "paused in its definition";

/// Who registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The settings file, which is compared with the catalog at the start.
    File,
    /// Somebody, over the API.
    Api,
}

impl Source {
    /// As it stands in an instance's meta.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
        }
    }
}

/// What has to be done so that exactly `wanted` stands of what the settings file ever registered.
pub fn reconcile(state: &State, wanted: &[External]) -> Result<Vec<Command>, ExternalError> {
    let mut commands = Vec::new();
    let (mut named, mut tokens) = (BTreeSet::new(), HashMap::new());
    for external in wanted {
        if !named.insert((external.group.as_str(), external.id())) {
            return Err(external.wrong("is defined twice: give one of them another `id`"));
        }
        if let Some(push) = &external.push
            && let Some(other) = tokens.insert(&push.token.0, external)
        {
            return Err(external.same_token(&other.group, other.id()));
        }
        commands.extend(register(state, external, Source::File)?);
    }
    for instance in state.instances().filter(|one| comes_from(one, Source::File)) {
        if !named.contains(&(&*instance.node, &*instance.id)) {
            commands.extend(withdraw(state, instance, &named));
        }
    }
    Ok(commands)
}

/// Registers one, or changes it.
pub fn register(state: &State, external: &External, source: Source) -> Result<Vec<Command>, ExternalError> {
    let node: Arc<str> = external.group.as_str().into();
    let id: Arc<str> = external.id().into();
    if let Some(there) = state.node(&node)
        && !is_external(there)
    {
        return Err(external.wrong("its `group` is the name of a node that is not external: use another"));
    }
    if let Some(there) = state.instance(&node, &id)
        && !comes_from(there, source)
    {
        return Err(external.wrong("somebody else registered an instance with this id: give another `id`"));
    }
    let probe = external.probe()?;
    if let Some(other) = reporter(state, &probe).filter(|other| other.node != node || other.id != id)
        // Two of one file are compared with each other, before what is of an earlier file is gone.
        && !(source == Source::File && comes_from(other, Source::File))
    {
        return Err(external.same_token(&other.node, &other.id));
    }
    let mut commands = Vec::new();
    if state.node(&node).is_none() {
        let mut record = Node::new(node.clone(), "0.0.0.0");
        record.meta.insert(EXTERNAL_NODE.to_owned(), "true".to_owned());
        record.meta.insert(EXTERNAL_PROBE.to_owned(), "false".to_owned());
        record.meta.insert(SOURCE.to_owned(), "wharf".to_owned());
        commands.push(Command::PutNode(record));
    }
    let mut instance = Instance {
        tags: external.tags.clone(),
        address: external.address.clone().or_else(|| host(&probe.kind)).unwrap_or_default(),
        port: external.port,
        ..Instance::new(node.clone(), id.clone(), external.service.as_str())
    };
    instance.meta.insert(SOURCE.to_owned(), source.as_str().to_owned());
    if let Some(least) = external.min_healthy {
        instance.meta.insert("min_healthy".to_owned(), least.to_string());
    }
    commands.push(Command::PutInstance(instance));
    commands.push(check(state, &node, &id, external, probe));
    commands.extend(pause(state, &node, &id, external.paused));
    Ok(commands)
}

/// Removes one that this source registered; nothing where there is none.
pub fn deregister(state: &State, group: &str, id: &str, source: Source) -> Vec<Command> {
    let ours = state.instance(group, id).filter(|instance| comes_from(instance, source));
    ours.map(|instance| withdraw(state, instance, &BTreeSet::new())).unwrap_or_default()
}

/// Those in the catalog, from whatever source.
pub fn registered(state: &State) -> impl Iterator<Item = &Arc<Instance>> {
    state.instances().filter(|one| comes_from(one, Source::File) || comes_from(one, Source::Api))
}

/// The check that reports with this token.
pub fn pushed<'a>(state: &'a State, token: &str) -> Option<&'a Arc<Check>> {
    with_token(state, &hash(token))
}

fn with_token<'a>(state: &'a State, hash: &str) -> Option<&'a Arc<Check>> {
    let has_it = |probe: &Probe| matches!(&probe.kind, ProbeKind::Push { token, .. } if token == hash);
    state.checks().find(|check| check.probe.as_ref().is_some_and(has_it))
}

/// The instance that reports with the token of `probe`, if it reports at all.
fn reporter<'a>(state: &'a State, probe: &Probe) -> Option<&'a Arc<Instance>> {
    let ProbeKind::Push { token, .. } = &probe.kind else { return None };
    let check = with_token(state, token)?;
    state.instance(&check.node, check.instance.as_ref()?)
}

/// SHA-256, in hexadecimal.
fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn comes_from(instance: &Instance, source: Source) -> bool {
    instance.meta.get(SOURCE).is_some_and(|value| value == source.as_str())
}

fn is_external(node: &Node) -> bool {
    node.meta.get(EXTERNAL_NODE).is_some_and(|value| value == "true")
}

/// Removes the instance, and its node as well if we made it and nothing is left on it; `stays` says which
/// ids will be there afterwards.
fn withdraw(state: &State, instance: &Instance, stays: &BTreeSet<(&str, &str)>) -> Vec<Command> {
    let mut commands = vec![Command::WithdrawInstance(instance.node.clone(), instance.id.clone())];
    let ours = state.node(&instance.node).is_some_and(|node| node.meta.contains_key(SOURCE));
    let goes = |other: &Arc<Instance>| {
        other.id == instance.id
            || (comes_from(instance, Source::File)
                && comes_from(other, Source::File)
                && !stays.contains(&(&*other.node, &*other.id)))
    };
    let empty = !stays.iter().any(|(node, _)| *node == &*instance.node);
    if ours && empty && state.instances_on(&instance.node).all(goes) {
        commands.push(Command::DeleteNode(instance.node.clone()));
    }
    commands
}

fn check(state: &State, node: &Arc<str>, id: &Arc<str>, external: &External, probe: Probe) -> Command {
    // Who reports by himself has until his time is over to do so; all others are asked at once.
    let reports = probe.kind.silence().is_some();
    let mut check = Check {
        instance: Some(id.clone()),
        status: if reports { Status::Passing } else { Status::Critical },
        type_label: probe.kind.label().to_owned(),
        probe: Some(probe),
        ..Check::new(node.clone(), format!("service:{id}"), format!("Service '{}' check", external.service))
    };
    if let Some(old) = state.check(node, &check.id) {
        (check.status, check.output) = (old.status, old.output.clone());
    }
    Command::PutCheck(check, CheckStatusOnPut::Keep)
}

/// Maintenance is how the catalog says it; what somebody else said stays.
fn pause(state: &State, node: &Arc<str>, id: &Arc<str>, paused: bool) -> Option<Command> {
    let there = state.check(node, &service_maintenance_id(id));
    match (there, paused) {
        (None, true) => {
            let check = Check { status: Status::Critical, ..Check::maintenance(node, id, PAUSED) };
            Some(Command::PutCheck(check, CheckStatusOnPut::Set))
        }
        (Some(there), false) if there.notes == PAUSED => {
            Some(Command::DeleteCheck(node.clone(), there.id.clone()))
        }
        _ => None,
    }
}

/// The host a probe asks, for who looks the service up.
fn host(kind: &ProbeKind) -> Option<String> {
    let host_of = |address: &str| {
        let host =
            address.split('/').next().unwrap_or_default().rsplit_once(':').map_or(address, |(host, _)| host);
        Some(host.trim_matches(['[', ']']).to_owned())
    };
    match kind {
        ProbeKind::Http { url, .. } => {
            url::Url::parse(url).ok()?.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())
        }
        ProbeKind::Tcp { address } | ProbeKind::Udp { address } => host_of(address),
        ProbeKind::Grpc { target, .. } => host_of(target),
        ProbeKind::Icmp { host } => Some(host.clone()),
        _ => None,
    }
}

/// Is everything in it possible?
pub fn validate(expect: &Expect) -> Result<(), String> {
    if let Some(wrong) = expect.status.iter().find(|pattern| expect::range(pattern).is_none()) {
        return Err(format!("`{wrong}` is no status: use `200`, `2xx` or `200-299`"));
    }
    if let Some(pattern) = &expect.body {
        expect::regex(pattern)?;
    }
    match expect.json.keys().find(|path| expect::json_path(path).is_none()) {
        Some(path) => Err(format!("`{path}` is no JSON path: use `$.name[0].name`")),
        None => Ok(()),
    }
}
