//! What has to change in the catalog? Desired instances against the snapshot -> commands.
//!
//! Ours to change: entries on our node whose id has our pattern or that carry our mark, their
//! checks `service:<id>` and `service:<id>:...`, and maintenance that we put up. Everything else is never touched. Carrying out a plan and
//! planning again gives nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Index, Instance, Node, State, Status, check::service_maintenance_id,
};

use crate::{
    config::Config,
    container::{ContainerHealth, HealthStatus},
    registration::{MARK, Registration, mark},
};

/// Notes of the maintenance checks that we put up, and may take away, start like this.
const OUR_NOTES: [&str; 3] = ["draining: container ", "paused: container ", "maintenance by label: "];

/// Whose entries are planned for.
#[derive(Debug, Clone)]
pub struct Owner {
    node: Arc<str>,
    address: IpAddr,
    prefix: String,
    mark: String,
}

/// One instance that should stand in the catalog.
#[derive(Debug, Clone, Copy)]
pub struct Desired<'a> {
    /// The records.
    pub registration: &'a Registration,
    /// Why it takes no traffic at the moment: `draining: container ...`, `paused: container ...`.
    pub out: Option<&'a str>,
    /// What the container's `HEALTHCHECK` says.
    pub health: Option<&'a ContainerHealth>,
    /// It stood there before, so somebody else took it away on purpose: do not put it back.
    pub once: bool,
}

/// Which entries of ours may be removed when nothing desires them.
#[derive(Debug, Clone, Copy)]
pub enum Sweep<'a> {
    /// All: what runs is known completely.
    All,
    /// All but those of these containers, by name.
    AllBut(&'a BTreeSet<String>),
    /// These only.
    Only(&'a BTreeSet<Arc<str>>),
}

/// What to do.
#[derive(Debug, Default)]
pub struct Plan {
    /// In one commit.
    pub commands: Vec<Command>,
    /// Ids that somebody else has registered on our node: left alone.
    pub refused: Vec<Arc<str>>,
}

impl Owner {
    /// The owner that a configuration describes.
    pub fn new(config: &Config) -> Self {
        Self {
            node: config.node.clone(),
            address: config.advertise_addr,
            prefix: format!("{}:", config.id_prefix()),
            mark: mark(config),
        }
    }

    /// Is that ours? By its mark, or by the pattern `<hostname>:<container>:<port>[:udp]`.
    pub fn owns(&self, instance: &Instance) -> bool {
        if instance.node != self.node {
            return false;
        }
        if let Some(mark) = instance.meta.get(MARK) {
            return *mark == self.mark;
        }
        let Some(rest) = instance.id.strip_prefix(&self.prefix) else {
            return false;
        };
        let mut parts = rest.split(':');
        let name = parts.next().is_some_and(|name| !name.is_empty());
        let port = parts.next().is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let end = parts.next();
        name && port && (end.is_none() || end == Some("udp")) && parts.next().is_none()
    }
}

impl Owner {
    /// Does the instance's id name one of these containers?
    fn is_of(&self, instance: &Instance, containers: &BTreeSet<String>) -> bool {
        let rest = instance.id.strip_prefix(&self.prefix);
        rest.and_then(|rest| rest.split(':').next()).is_some_and(|name| containers.contains(name))
    }
}

/// The commands that turn what the catalog holds of `owner` into `desired` (by instance id).
pub fn plan(owner: &Owner, desired: &BTreeMap<&str, Desired<'_>>, state: &State, sweep: Sweep<'_>) -> Plan {
    let mut plan = Plan::default();
    if !desired.is_empty() && state.node(&owner.node).is_none() {
        let node = Node::new(owner.node.clone(), owner.address.to_string());
        plan.commands.push(Command::PutNode(node));
    }
    let mut remove = |instance: &Arc<Instance>| {
        if owner.owns(instance) && !desired.contains_key(&*instance.id) {
            let (node, id) = (instance.node.clone(), instance.id.clone());
            plan.commands.push(Command::DeleteInstance(node, id));
        }
    };
    let held = || state.instances_on(&owner.node);
    match sweep {
        Sweep::All => held().for_each(remove),
        Sweep::AllBut(spared) => held().filter(|held| !owner.is_of(held, spared)).for_each(remove),
        // By id, for a few of many.
        Sweep::Only(ids) => {
            ids.iter().filter_map(|id| state.instance(&owner.node, id)).for_each(&mut remove);
        }
    }
    for desired in desired.values() {
        plan.want(owner, desired, state);
    }
    plan
}

impl Plan {
    fn want(&mut self, owner: &Owner, desired: &Desired<'_>, state: &State) {
        let wanted = &desired.registration.instance;
        match state.instance(&owner.node, &wanted.id) {
            None if desired.once => return,
            Some(held) if !owner.owns(held) => {
                self.refused.push(wanted.id.clone());
                return;
            }
            Some(held) if same_instance(held, wanted) => {}
            _ => self.commands.push(Command::PutInstance(wanted.clone())),
        }
        self.want_checks(owner, desired, state);
        self.want_maintenance(owner, desired, state);
    }

    fn want_checks(&mut self, owner: &Owner, desired: &Desired<'_>, state: &State) {
        let Registration { instance, checks, health, .. } = desired.registration;
        for held in state.checks_of(&owner.node, &instance.id) {
            let wanted = checks.iter().any(|check| check.id == held.id);
            if !wanted && is_ours(&instance.id, &held.id) {
                self.commands.push(Command::DeleteCheck(owner.node.clone(), held.id.clone()));
            }
        }
        for wanted in checks {
            let held = state.check(&owner.node, &wanted.id);
            let says = desired.health.filter(|_| health.as_ref() == Some(&wanted.id));
            let says = says.map(|says| (status_of(says, wanted), output_of(says)));
            match (held, &says) {
                (Some(held), _) if same_check(held, wanted) => {}
                (None, Some((status, output))) => {
                    let check = Check { status: *status, output: output.clone(), ..wanted.clone() };
                    self.commands.push(Command::PutCheck(check, CheckStatusOnPut::Keep));
                    continue;
                }
                _ => self.commands.push(Command::PutCheck(wanted.clone(), CheckStatusOnPut::Keep)),
            }
            let news = says.filter(|(status, output)| {
                held.is_none_or(|held| {
                    let printed = desired.health.is_some_and(|says| says.output.is_some());
                    held.status != *status || (printed && held.output != *output)
                })
            });
            if let Some((status, output)) = news {
                let (node, check) = (owner.node.clone(), wanted.id.clone());
                self.commands.push(Command::SetCheckStatus { node, check, status, output });
            }
        }
    }

    fn want_maintenance(&mut self, owner: &Owner, desired: &Desired<'_>, state: &State) {
        let instance = &desired.registration.instance.id;
        let id = service_maintenance_id(instance);
        let held = state.check(&owner.node, &id);
        let ours = held.is_none_or(|held| OUR_NOTES.iter().any(|note| held.notes.starts_with(note)));
        if !ours {
            return;
        }
        match (desired.out, held) {
            (Some(reason), Some(held)) if held.notes == reason && held.status == Status::Critical => {}
            (Some(reason), _) => {
                let check = Check::maintenance(&owner.node, instance, reason);
                self.commands.push(Command::PutCheck(check, CheckStatusOnPut::Set));
            }
            (None, Some(held)) => {
                self.commands.push(Command::DeleteCheck(owner.node.clone(), held.id.clone()));
            }
            (None, None) => {}
        }
    }
}

/// What a container's health means for its check: nothing is known before the first run.
fn status_of(says: &ContainerHealth, wanted: &Check) -> Status {
    match says.status {
        HealthStatus::Healthy => Status::Passing,
        HealthStatus::Unhealthy => Status::Critical,
        HealthStatus::Starting => wanted.status,
    }
}

fn output_of(says: &ContainerHealth) -> String {
    match says.output.as_deref() {
        Some(output) if !output.is_empty() => output.to_owned(),
        _ => format!("the container is {}", says.status.as_str()),
    }
}

/// Is this check of the instance one that we make?
fn is_ours(instance: &str, check: &str) -> bool {
    let Some(rest) = check.strip_prefix("service:").and_then(|rest| rest.strip_prefix(instance)) else {
        return false;
    };
    let number = |text: &str| text.parse::<u8>().is_ok_and(|number| number > 0);
    rest.is_empty()
        || rest.strip_prefix(':').is_some_and(|rest| rest == "healthcheck" || rest == "ttl" || number(rest))
}

fn same_instance(held: &Instance, wanted: &Instance) -> bool {
    // Destructured so that a new field cannot be forgotten; the commit numbers are the catalog's.
    let Instance {
        node,
        id,
        name,
        tags,
        address,
        port,
        tagged_addresses,
        meta,
        weights,
        enable_tag_override,
        kind,
        odd_port,
        proxy,
        mesh_native,
        created: Index(_),
        modified: Index(_),
    } = held;
    *node == wanted.node
        && *id == wanted.id
        && *name == wanted.name
        // Then others may change them.
        && (*tags == wanted.tags || wanted.enable_tag_override && *enable_tag_override)
        && *address == wanted.address
        && *port == wanted.port
        && *tagged_addresses == wanted.tagged_addresses
        && *meta == wanted.meta
        && *weights == wanted.weights
        && *enable_tag_override == wanted.enable_tag_override
        && *kind == wanted.kind
        && *odd_port == wanted.odd_port
        && *proxy == wanted.proxy
        && *mesh_native == wanted.mesh_native
}

/// The same definition; what it says at the moment is the prober's.
fn same_check(held: &Check, wanted: &Check) -> bool {
    held.name == wanted.name
        && held.notes == wanted.notes
        && held.instance == wanted.instance
        && held.type_label == wanted.type_label
        && held.probe == wanted.probe
}

#[cfg(test)]
mod tests;
