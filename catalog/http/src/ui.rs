//! `/v1/internal/ui`: summaries some clients read although they are Consul's own page's. As recorded, no further.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Router, extract::State, response::Response, routing::get};
use http::StatusCode;
use serde::Serialize;
use wharf_catalog::{Node, State as Snapshot, Status, Topic};

use crate::{
    Api, blocking,
    error::ApiError,
    lookup,
    query::Params,
    respond,
    routing::{Rest, exact, subtree},
    wire::{Empty, List, check::CheckView, node::unless_empty, service::ServiceView},
};

pub(crate) fn routes() -> Router<Api> {
    let router = exact(Router::new(), "/v1/internal/ui/services", "OPTIONS,GET", get(services));
    let router = exact(router, "/v1/internal/ui/nodes", "OPTIONS,GET", get(nodes));
    subtree(router, "/v1/internal/ui/node", "OPTIONS,GET", get(node))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Summary<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'a str,
    name: &'a str,
    tags: Option<BTreeSet<&'a str>>,
    nodes: BTreeSet<&'a str>,
    instance_count: usize,
    checks_passing: usize,
    checks_warning: usize,
    checks_critical: usize,
    external_sources: Option<BTreeSet<&'a str>>,
    gateway_config: Empty,
}

impl<'a> Summary<'a> {
    fn new(state: &'a Snapshot, name: &'a str) -> Self {
        let instances: Vec<_> = state.service_health(name).collect();
        // A node's checks count once, however many instances run on it.
        let checks: BTreeMap<_, _> = instances
            .iter()
            .flat_map(|it| it.checks())
            .map(|check| ((&*check.node, &*check.id), check.status))
            .collect();
        let count = |status: Status| checks.values().filter(|it| **it == status).count();
        let tags: BTreeSet<_> =
            instances.iter().flat_map(|it| &it.instance.tags).map(String::as_str).collect();
        let source = |it: &&'a str| !it.is_empty();
        let sources: BTreeSet<_> = instances
            .iter()
            .filter_map(|it| it.instance.meta.get("external-source"))
            .map(String::as_str)
            .filter(source)
            .collect();
        Self {
            kind: instances.first().map_or("", |it| &it.instance.kind),
            name,
            tags: (!tags.is_empty()).then_some(tags),
            nodes: instances.iter().map(|it| &*it.node.name).collect(),
            instance_count: instances.len(),
            checks_passing: count(Status::Passing),
            checks_warning: count(Status::Warning),
            checks_critical: count(Status::Critical),
            external_sources: (!sources.is_empty()).then_some(sources),
            gateway_config: Empty {},
        }
    }
}

async fn services(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.kv_read(&api.config)?;
    let answer = |state: &Snapshot| {
        respond::json(read.pretty, &List(|| state.service_names().map(|name| Summary::new(state, name))))
    };
    Ok(blocking::indexed(&api, &read, &Topic::Catalog, answer).await)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Inventory<'a, S: Serialize, C: Serialize> {
    #[serde(rename = "ID")]
    id: &'a str,
    node: &'a str,
    address: &'a str,
    tagged_addresses: Option<&'a BTreeMap<String, String>>,
    meta: Option<&'a BTreeMap<String, String>>,
    services: S,
    checks: C,
}

fn inventory<'a>(state: &'a Snapshot, node: &'a Arc<Node>) -> impl Serialize + use<'a> {
    Inventory {
        id: &node.id,
        node: &node.name,
        address: &node.address,
        tagged_addresses: unless_empty(&node.tagged_addresses),
        meta: unless_empty(&node.meta),
        services: List(|| {
            state.instances_on(&node.name).map(|it| ServiceView::from(&**it).null_for_no_tags())
        }),
        checks: List(|| state.checks_on(&node.name).map(CheckView::of)),
    }
}

async fn nodes(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.kv_read(&api.config)?;
    let answer = |state: &Snapshot| {
        respond::json(read.pretty, &List(|| state.nodes().map(|node| inventory(state, node))))
    };
    Ok(blocking::indexed(&api, &read, &Topic::Catalog, answer).await)
}

async fn node(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let read = params.kv_read(&api.config)?;
    let name = rest.or_missing("Missing node name")?;
    let state = api.catalog.snapshot();
    let Some(known) = lookup::node(&state, &name) else {
        return Ok(respond::bare(StatusCode::NOT_FOUND));
    };
    let topic = Topic::Catalog;
    let name = known.name.clone();
    let answer = |state: &Snapshot| match state.node(&name) {
        Some(node) => respond::json(read.pretty, &inventory(state, node)),
        None => respond::bare(StatusCode::NOT_FOUND),
    };
    Ok(blocking::indexed(&api, &read, &topic, answer).await)
}
