//! What fails, as alerts: services as the monitor sees them, nodes as the catalog does.
//!
//! Pure: [`Feed`] takes what was observed and gives the alerts that follow. Level-triggered where it matters: at a start what
//! is open in the engine is compared with what is down, so that a recovery nobody could hear is heard late rather than never.
//!
//! | entity | wrong while | fields |
//! |---|---|---|
//! | `service:<name>` | the monitor counts the service as down | `service`, `tags`, `node` (if all that fails is on one), `nodes` |
//! | `node:<name>` | a check of the node itself is critical | `node` |
//! | `warning:<name>` | the service has an instance that takes no traffic, a site elsewhere or a job, and warns: a certificate that ends soon | `service`, `tags`, `node` |
//!
//! A service all of whose failing instances are on one node depends on that node: if the node's own check fails, they
//! are one incident. `SERVICE_ROUTING_KEY` and `SERVICE_RUNBOOK` (meta `routing_key`, `runbook`) choose the policy and tell
//! whoever is paged where to look.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use wharf_catalog::{Check, Health, Instance, InstanceHealth, Status, check::NODE_MAINTENANCE};
use wharf_monitor::{Incident, IncidentState};
use wharf_oncall::{Alert, Kind, State};

/// Who says all this.
pub const SOURCE: &str = "wharf";

/// What is known to fail.
#[derive(Debug, Default)]
pub struct Feed {
    /// Services that are down, with their incidents.
    services: BTreeMap<String, Incident>,
    /// Nodes whose own checks fail.
    nodes: BTreeSet<String>,
    /// Services of which something warns without being out.
    warnings: BTreeSet<String>,
}

impl Feed {
    /// What is down as the monitor remembers it, before anything new is heard.
    pub fn restored(open: impl IntoIterator<Item = Incident>) -> Self {
        let services = open.into_iter().map(|incident| (incident.service.clone(), incident)).collect();
        Self { services, ..Self::default() }
    }

    /// The services that are down.
    pub fn down(&self) -> impl Iterator<Item = &Incident> {
        self.services.values()
    }

    /// The monitor opened or resolved an incident.
    pub fn service(&mut self, incident: Incident, catalog: &wharf_catalog::State) -> Alert {
        let alert = service_alert(&incident, catalog);
        match incident.state {
            IncidentState::Resolved => drop(self.services.remove(&incident.service)),
            _ => drop(self.services.insert(incident.service.clone(), incident)),
        }
        alert
    }

    /// The catalog changed: what that says of its nodes.
    pub fn nodes(&mut self, catalog: &wharf_catalog::State) -> Vec<Alert> {
        let mut failing = BTreeMap::new();
        for node in catalog.nodes() {
            let own = catalog.checks_on(&node.name).filter(|check| check.instance.is_none());
            let worst = own
                .filter(|check| check.status == Status::Critical && &*check.id != NODE_MAINTENANCE)
                .min_by_key(|check| check.status_since);
            if let Some(check) = worst {
                failing.insert(node.name.to_string(), check);
            }
        }
        let began = |node: &str, check: &&Arc<Check>| {
            let mut alert = node_alert(node, Kind::Critical);
            blame(&mut alert, check);
            alert
        };
        changes(&mut self.nodes, &failing, began, |node| node_alert(node, Kind::Recovery))
    }

    /// The catalog changed: what warns though it is no outage, since no traffic goes there.
    pub fn warnings(&mut self, catalog: &wharf_catalog::State) -> Vec<Alert> {
        let mut warning = BTreeMap::new();
        for instance in catalog.instances().filter(|one| one.port == 0) {
            let found = catalog.instance_health(&instance.node, &instance.id);
            if let Some(found) = found.filter(|found| found.health() == Health::Warning) {
                warning.entry(instance.name.to_string()).or_insert(found);
            }
        }
        let over = |service: &str| {
            let mut recovery = Alert::new(warning_entity(service), Kind::Recovery);
            recovery.source = SOURCE.to_owned();
            recovery.message = "nothing of it warns any more".to_owned();
            recovery
        };
        changes(&mut self.warnings, &warning, warning_alert, over)
    }

    /// What is still open in the engine, though nothing of it fails: it recovered while nobody could say so.
    pub fn missed_recoveries(&self, state: &State) -> Vec<Alert> {
        let ours = |alert: &&Alert| alert.source == SOURCE;
        let open =
            state.incidents.values().flat_map(|incident| incident.active()).map(|symptom| &symptom.alert);
        open.filter(ours)
            .filter_map(|alert| {
                let fails = match alert.entity.split_once(':')? {
                    ("service", name) => self.services.contains_key(name),
                    ("node", name) => self.nodes.contains(name),
                    ("warning", name) => self.warnings.contains(name),
                    _ => return None,
                };
                let mut recovery = Alert::new(&alert.entity, Kind::Recovery);
                recovery.source = SOURCE.to_owned();
                recovery.message = "it was well again before wharf looked after a restart".to_owned();
                (!fails).then_some(recovery)
            })
            .collect()
    }
}

/// What is wrong `now` and was not `known` to be has begun, and what is not wrong any more is over; known is then
/// what is wrong now.
fn changes<T>(
    known: &mut BTreeSet<String>,
    now: &BTreeMap<String, T>,
    began: impl Fn(&str, &T) -> Alert,
    over: impl Fn(&str) -> Alert,
) -> Vec<Alert> {
    let news = now.iter().filter(|(name, _)| !known.contains(*name)).map(|(name, what)| began(name, what));
    let gone = known.iter().filter(|name| !now.contains_key(*name)).map(|name| over(name));
    let alerts = news.chain(gone).collect();
    *known = now.keys().cloned().collect();
    alerts
}

/// Which policy an instance asks for, and what it says to read, unless another has said so.
fn direct(alert: &mut Alert, instance: &Instance) {
    let meta = |key: &str| instance.meta.get(key).filter(|value| !value.is_empty());
    if let Some(key) = meta("routing_key") {
        alert.routing_key.get_or_insert_with(|| key.clone());
    }
    if let Some(runbook) = meta("runbook") {
        alert.notes.entry("runbook".to_owned()).or_insert_with(|| runbook.clone());
    }
}

/// What a check says, and since when.
fn blame(alert: &mut Alert, check: &Check) {
    let said = check.output.lines().next().unwrap_or_default();
    alert.message = format!("check `{}` is {}: {said}", check.id, check.status);
    alert.started = Timestamp::from_millisecond(check.status_since.0).ok();
}

/// The entity of a service.
pub fn service_entity(service: &str) -> String {
    format!("service:{service}")
}

fn warning_entity(service: &str) -> String {
    format!("warning:{service}")
}

fn warning_alert(service: &str, found: &InstanceHealth<'_>) -> Alert {
    let mut alert = Alert::new(warning_entity(service), Kind::Warning);
    alert.source = SOURCE.to_owned();
    alert.title = format!("{service} warns");
    alert.fields.insert("service".to_owned(), service.to_owned());
    alert.fields.insert("node".to_owned(), found.instance.node.to_string());
    if !found.instance.tags.is_empty() {
        alert.fields.insert("tags".to_owned(), found.instance.tags.join(","));
    }
    direct(&mut alert, found.instance);
    if let Some(check) = found.checks().find(|check| check.status == Status::Warning) {
        blame(&mut alert, check);
    }
    alert
}

/// What the monitor's incident says.
pub fn service_alert(incident: &Incident, catalog: &wharf_catalog::State) -> Alert {
    let resolved = incident.state == IncidentState::Resolved;
    let kind = if resolved { Kind::Recovery } else { Kind::Critical };
    let mut alert = Alert::new(service_entity(&incident.service), kind);
    alert.source = SOURCE.to_owned();
    alert.fields.insert("service".to_owned(), incident.service.clone());
    if resolved {
        alert.message.clone_from(&incident.resolution);
        return alert;
    }
    alert.title = format!("{} is down", incident.service);
    alert.message.clone_from(&incident.reason);
    alert.started = Timestamp::from_millisecond(incident.started.0).ok();
    let (mut tags, mut nodes) = (BTreeSet::new(), BTreeSet::new());
    for found in catalog.service_health(&incident.service) {
        tags.extend(found.instance.tags.iter().map(String::as_str));
        let fails = found.checks().any(|check| check.status == Status::Critical);
        if fails {
            nodes.insert(&*found.instance.node);
        }
        direct(&mut alert, found.instance);
    }
    let joined = |words: &BTreeSet<&str>| words.iter().copied().collect::<Vec<_>>().join(",");
    if !tags.is_empty() {
        alert.fields.insert("tags".to_owned(), joined(&tags));
    }
    if !nodes.is_empty() {
        alert.fields.insert("nodes".to_owned(), joined(&nodes));
    }
    if nodes.len() == 1 {
        let node = joined(&nodes);
        alert.parents.push(format!("node:{node}"));
        alert.fields.insert("node".to_owned(), node);
    }
    alert
}

fn node_alert(node: &str, kind: Kind) -> Alert {
    let mut alert = Alert::new(format!("node:{node}"), kind);
    alert.source = SOURCE.to_owned();
    alert.title = format!("node {node} is down");
    alert.fields.insert("node".to_owned(), node.to_owned());
    if kind == Kind::Recovery {
        alert.message = "its checks pass".to_owned();
    }
    alert
}

#[cfg(test)]
mod tests;
