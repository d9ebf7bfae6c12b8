//! One service's page: what it is made of, and how it has been.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde::Serialize;
use wharf_catalog::{Check, Health, InstanceHealth, State, Status, Timestamp};
use wharf_monitor::{
    CheckUptime, ImportedStretch, Incident, Interval, Mark, ResponsePoint, ServiceDetail, Window,
};
use wharf_proxy::{Endpoint, Out, Rotation, RouteTable};

use super::{ServiceRow, millis, service::service_row, share};

/// Everything one service's page shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServicePage {
    /// When this was put together.
    pub now: Timestamp,
    /// What the figures are about.
    pub window: Window,
    /// The same figures as in the table, over this window.
    pub row: ServiceRow,
    /// What it is made of.
    pub instances: Vec<InstanceRow>,
    /// What decides its health.
    pub checks: Vec<CheckRow>,
    /// States within the window, oldest first.
    pub intervals: Vec<Interval>,
    /// Response times through the window, oldest first.
    pub response_times: Vec<ResponsePoint>,
    /// Incidents within the window, newest first.
    pub incidents: Vec<Incident>,
    /// Deploys within the window, oldest first.
    pub marks: Vec<Mark>,
    /// What of its past was imported.
    pub imported: Vec<ImportedStretch>,
}

/// One instance, and whether it takes traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstanceRow {
    /// Its id on its node.
    pub id: Arc<str>,
    /// The node.
    pub node: Arc<str>,
    /// Where it is reached.
    pub address: String,
    /// Port; 0: none.
    pub port: u16,
    /// What its checks together mean.
    pub health: Health,
    /// Since when; `None` without checks.
    pub since: Option<Timestamp>,
    /// Do new requests go there?
    pub in_rotation: bool,
    /// Why, or why not.
    pub why: String,
    /// Its tags, as registered.
    pub tags: Vec<String>,
    /// Its metadata, as registered.
    pub meta: BTreeMap<String, String>,
    /// The share of traffic it asks for.
    pub weights: Weights,
    /// What the load balancer makes of it; `None`: there is no load balancer here.
    pub route: Option<RouteOf>,
}

/// One instance as the load balancer sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteOf {
    /// Does it get requests?
    pub in_rotation: bool,
    /// Why not; empty when it does.
    pub why: String,
    /// Where requests go, `host:port`: a container's own address where that is reached. Empty without a port.
    pub to: String,
    /// Its share, relative to others.
    pub weight: u16,
}

/// Shares of traffic, relative to other instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Weights {
    /// While it is passing.
    pub passing: u16,
    /// While it is warning.
    pub warning: u16,
}

/// One check of the service's instances or of a node they run on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckRow {
    /// Node it belongs to.
    pub node: Arc<str>,
    /// Its id on that node.
    pub id: Arc<str>,
    /// For people.
    pub name: String,
    /// Instance it belongs to; `None`: its node.
    pub instance: Option<Arc<str>>,
    /// `http`, `tcp`, `ttl` ... or empty.
    pub kind: String,
    /// What it says now.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
    /// What its last run printed.
    pub output: String,
    /// Free text from whoever registered it.
    pub notes: String,
    /// Of this check over the window.
    pub availability: Option<f64>,
    /// Mean response time over the window, milliseconds.
    pub response_ms: Option<f64>,
}

/// The page of `name`; `None` when neither the catalog nor the monitor knows it. With `routes` it also tells
/// which instances the load balancer cannot reach at all.
pub fn service_page(
    state: &State,
    routes: Option<&RouteTable>,
    name: &str,
    past: Option<ServiceDetail>,
    window: Window,
    now: Timestamp,
) -> Option<ServicePage> {
    if past.is_none() && state.service(name).next().is_none() {
        return None;
    }
    let row = service_row(state, name, past.as_ref().map(|past| &past.summary));
    let instances = state.service_health(name).map(|one| instance_row(&one, routes)).collect();
    let checks = check_rows(state, name, past.as_ref().map_or(&[], |past| &past.checks));
    let (intervals, response_times, incidents, marks, imported) = past
        .map(|past| (past.intervals, past.response_times, past.incidents, past.marks, past.imported))
        .unwrap_or_default();
    Some(ServicePage {
        now,
        window,
        row,
        instances,
        checks,
        intervals,
        response_times,
        incidents,
        marks,
        imported,
    })
}

fn instance_row(one: &InstanceHealth<'_>, routes: Option<&RouteTable>) -> InstanceRow {
    let health = one.health();
    let endpoint = routes.and_then(|routes| endpoint(one, routes));
    let unroutable = endpoint.and_then(unroutable);
    InstanceRow {
        id: one.instance.id.clone(),
        node: one.instance.node.clone(),
        address: one.address().to_owned(),
        port: one.instance.port,
        health,
        since: one.since(),
        in_rotation: health.takes_traffic() && unroutable.is_none(),
        why: unroutable.unwrap_or_else(|| why(health, &one.checks().map(Arc::as_ref).collect::<Vec<_>>())),
        tags: one.instance.tags.clone(),
        meta: one.instance.meta.clone(),
        weights: Weights { passing: one.instance.weights.passing, warning: one.instance.weights.warning },
        route: routes.map(|_| route_of(endpoint)),
    }
}

fn endpoint<'a>(one: &InstanceHealth<'_>, routes: &'a RouteTable) -> Option<&'a Endpoint> {
    let same = |e: &&Endpoint| e.node == one.instance.node && e.id == one.instance.id;
    routes.service(&one.instance.name)?.endpoints.iter().find(same)
}

fn route_of(endpoint: Option<&Endpoint>) -> RouteOf {
    let Some(endpoint) = endpoint else {
        let why = "not in the route table".to_owned();
        return RouteOf { in_rotation: false, why, to: String::new(), weight: 0 };
    };
    let why = match &endpoint.rotation {
        Rotation::In => String::new(),
        Rotation::Out(out) => out.to_string(),
    };
    let to = match endpoint.port {
        0 => String::new(),
        port if endpoint.host.contains(':') => format!("[{}]:{port}", endpoint.host),
        port => format!("{}:{port}", endpoint.host),
    };
    RouteOf { in_rotation: endpoint.rotation == Rotation::In, why, to, weight: endpoint.weight }
}

/// Why the load balancer leaves it out whatever its checks say.
fn unroutable(endpoint: &Endpoint) -> Option<String> {
    match &endpoint.rotation {
        Rotation::Out(out @ (Out::NoPort | Out::NoAddress)) => Some(out.to_string()),
        Rotation::In | Rotation::Out(Out::Unhealthy { .. }) => None,
    }
}

/// Why an instance with this health and these checks is in or out, in words.
pub(super) fn why(health: Health, checks: &[&Check]) -> String {
    if health == Health::Passing {
        return match checks {
            [] => "no check: counts as passing".to_owned(),
            [_] => "its check passes".to_owned(),
            many => format!("all {} checks pass", many.len()),
        };
    }
    let mut to_blame = checks.iter().copied().filter(|check| Health::of([*check]) == health);
    let Some(first) = to_blame.next() else {
        return health.to_string();
    };
    let more = match to_blame.count() {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    if first.is_maintenance() && !first.notes.is_empty() {
        return first.notes.clone();
    }
    let said = first.output.trim().lines().next().unwrap_or_default();
    let label = if first.name.is_empty() { &*first.id } else { &first.name };
    let colon = if said.is_empty() { "" } else { ": " };
    format!("check `{label}` is {}{colon}{said}{more}", first.status)
}

/// All checks that decide about the service, each once, worst first.
fn check_rows(state: &State, name: &str, past: &[CheckUptime]) -> Vec<CheckRow> {
    let past: HashMap<_, _> = past.iter().map(|one| ((&*one.node, &*one.check), one)).collect();
    let mut checks = BTreeMap::new();
    for instance in state.service_health(name) {
        checks.extend(instance.checks().map(|check| ((&check.node, &check.id), check)));
    }
    let mut rows: Vec<_> = checks
        .into_values()
        .map(|check| check_row(check, past.get(&(&*check.node, &*check.id)).copied()))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.status));
    rows
}

fn check_row(check: &Check, past: Option<&CheckUptime>) -> CheckRow {
    CheckRow {
        node: check.node.clone(),
        id: check.id.clone(),
        name: check.name.clone(),
        instance: check.instance.clone(),
        kind: kind(check),
        status: check.status,
        since: check.status_since,
        output: check.output.clone(),
        notes: check.notes.clone(),
        availability: past.and_then(|past| past.availability).map(share),
        response_ms: past.and_then(|past| past.response_time_ms).map(millis),
    }
}

fn kind(check: &Check) -> String {
    check.probe.as_ref().map_or_else(|| check.type_label.clone(), |probe| probe.kind.label().to_owned())
}
