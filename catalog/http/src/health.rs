//! `/v1/health`: who is healthy? Instances with their nodes and checks, and checks by service, node and
//! status.

use axum::{Router, extract::State, response::Response, routing::get};
use serde::Serialize;
use std::sync::Arc;
use wharf_catalog::{Check, InstanceHealth, Node, State as Snapshot, Status, Topic};

use crate::{
    Api, blocking,
    error::ApiError,
    filter::{self, CheckRecord, EntryRecord},
    lookup,
    query::{Params, truth},
    respond,
    routing::{Rest, subtree},
    wire::{List, check::CheckView, node::NodeView, service::ServiceView},
};

pub(crate) fn routes() -> Router<Api> {
    let routes = [
        ("/v1/health/service", get(service)),
        ("/v1/health/checks", get(checks)),
        ("/v1/health/node", get(node)),
        ("/v1/health/state", get(state)),
    ];
    routes
        .into_iter()
        .fold(Router::new(), |router, (path, methods)| subtree(router, path, "OPTIONS,GET", methods))
}

/// An instance with its node and its checks.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry<'a, C: Serialize> {
    node: NodeView<'a>,
    service: ServiceView<'a>,
    checks: C,
}

impl<'a> Entry<'a, ()> {
    /// The instance as `health/service` tells it.
    pub(crate) fn of(
        health: &InstanceHealth<'a>,
        datacenter: &'a str,
    ) -> Entry<'a, impl Serialize + use<'a>> {
        let health = health.clone();
        Entry {
            node: NodeView::new(health.node, datacenter),
            service: ServiceView::from(&**health.instance),
            checks: List(move || health.checks().map(CheckView::of)),
        }
    }
}

async fn service(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, asked) = params.catalog_read_of(&api.config, rest, "Missing service name")?;
    let read = read.cacheable(&params);
    let passing = passing(&params)?;
    let filter = params.filter(filter::ENTRY)?;
    let name = lookup::service_name(&api.catalog.snapshot(), &asked);
    let read = read.shared(&params, *name == *asked);
    let wanted = |health: &InstanceHealth<'_>| {
        (!passing || health.checks().all(|check| check.status == Status::Passing))
            && params.wants_tags(&health.instance.tags)
            && params.wants_node(health.node)
            && filter.has(&EntryRecord(health, &api.config.datacenter))
    };
    let answer = |state: &Snapshot| {
        let entries = || {
            state
                .service_health(&name)
                .filter(wanted)
                .map(|health| Entry::of(&health, &api.config.datacenter))
        };
        respond::json(read.pretty, &List(entries))
    };
    Ok(blocking::indexed(&api, &read, &Topic::Health(name.clone()), answer).await)
}

pub(crate) fn passing(params: &Params) -> Result<bool, ApiError> {
    match params.first("passing") {
        None => Ok(false),
        Some("") => Ok(true),
        Some(text) => truth(text).ok_or_else(|| ApiError::bad("Invalid value for ?passing")),
    }
}

async fn checks(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, asked) = params.catalog_read_of(&api.config, rest, "Missing service name")?;
    let wanted = params.filter(filter::CHECK)?;
    let name = lookup::service_name(&api.catalog.snapshot(), &asked);
    let read = read.shared(&params, *name == *asked && !params.has("node-meta"));
    let answer = |state: &Snapshot| {
        let mut checks: Vec<_> = state
            .service(&name)
            .flat_map(|instance| state.checks_of(&instance.node, &instance.id))
            .filter(|check| on_wanted_node(state, &params, check) && wanted.has(&CheckRecord(check)))
            .collect();
        checks.sort_by(|a, b| (&a.node, &a.id).cmp(&(&b.node, &b.id)));
        respond::json(read.pretty, &List(|| checks.iter().map(|check| CheckView::of(check))))
    };
    Ok(blocking::indexed(&api, &read, &Topic::ServiceChecks(name.clone()), answer).await)
}

async fn node(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, name) = params.catalog_read_of(&api.config, rest, "Missing node name")?;
    let wanted = params.filter(filter::CHECK)?;
    let name = lookup::node_name(&api.catalog.snapshot(), &name);
    let answer = |state: &Snapshot| {
        let checks = List(|| {
            state.checks_on(&name).filter(|check| wanted.has(&CheckRecord(check))).map(CheckView::of)
        });
        respond::json(read.pretty, &checks)
    };
    Ok(blocking::indexed(&api, &read, &Topic::NodeChecks(name.clone()), answer).await)
}

/// A word that is no status has no checks.
async fn state(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, word) = params.catalog_read_of(&api.config, rest, "Missing check state")?;
    let wanted = params.filter(filter::CHECK)?;
    // Which nodes have some metadata is no part of the list of checks.
    let read = read.shared(&params, !params.has("node-meta"));
    let answer = |state: &Snapshot| {
        let checks = List(|| {
            state
                .checks()
                .filter(|check| word == "any" || check.status_word() == word)
                .filter(|check| on_wanted_node(state, &params, check) && wanted.has(&CheckRecord(check)))
                .map(CheckView::of)
        });
        respond::json(read.pretty, &checks)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Checks, answer).await)
}

fn on_wanted_node(state: &Snapshot, params: &Params, check: &Arc<Check>) -> bool {
    let node: Option<&Arc<Node>> = state.node(&check.node);
    node.is_some_and(|node| params.wants_node(node))
}
