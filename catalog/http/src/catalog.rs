//! `/v1/catalog`, reads: which nodes and services are there, healthy or not?

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Router, extract::State, response::Response, routing::get};
use http::HeaderValue;
use serde::Serialize;
use wharf_catalog::{Instance, Node, State as Snapshot, Topic};

use crate::{
    Api, blocking,
    error::ApiError,
    filter::{self, CatalogServiceRecord, NodeRecord, ServiceRecord, Wanted},
    lookup,
    query::Params,
    respond,
    routing::{Rest, exact, subtree},
    wire::{
        List, Object,
        node::NodeView,
        service::{CatalogServiceView, ServiceView},
    },
};

const GET: &str = "OPTIONS,GET";

pub(crate) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for (path, methods) in [
        ("/v1/catalog/datacenters", get(datacenters)),
        ("/v1/catalog/nodes", get(nodes)),
        ("/v1/catalog/services", get(services)),
    ] {
        router = exact(router, path, GET, methods);
    }
    for (path, methods) in [
        ("/v1/catalog/service", get(service)),
        ("/v1/catalog/node", get(node)),
        ("/v1/catalog/node-services", get(node_services)),
    ] {
        router = subtree(router, path, GET, methods);
    }
    router
}

async fn datacenters(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    params.check_contradictions()?;
    let mut response = respond::json(params.pretty(), &[&api.config.datacenter]);
    if params.has("cached") {
        respond::set(&mut response, respond::CACHE, HeaderValue::from_static("MISS"));
    }
    Ok(response)
}

async fn nodes(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.catalog_read(&api.config)?.shared(&params, true);
    let wanted = params.filter(filter::NODE)?;
    let answer = |state: &Snapshot| {
        let nodes = List(|| {
            state
                .nodes()
                .filter(|node| params.wants_node(node))
                .filter(|node| wanted.has(&NodeRecord(node, &api.config.datacenter)))
                .map(|node| NodeView::new(node, &api.config.datacenter))
        });
        respond::json(read.pretty, &nodes)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Nodes, answer).await)
}

async fn services(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.catalog_read(&api.config)?.cacheable(&params);
    let wanted = params.lenient_filter(filter::CATALOG_SERVICE);
    // Which nodes have some metadata is no part of the list of services.
    let selects = params.has("node-meta") || wanted.is_filter();
    let topic = if selects { Topic::Catalog } else { Topic::Services };
    let read = read.shared(&params, true);
    let wants = |node: &Node, instance: &Instance| {
        let record = CatalogServiceRecord(NodeRecord(node, &api.config.datacenter), instance);
        params.wants_node(node) && wanted.has(&record)
    };
    let answer = |state: &Snapshot| respond::json(read.pretty, &tags_by_name(state, selects, wants));
    Ok(blocking::indexed(&api, &read, &topic, answer).await)
}

/// The tags of all instances, or, if it `selects`, of those it `wants`.
fn tags_by_name(
    state: &Snapshot,
    selects: bool,
    wants: impl Fn(&Node, &Instance) -> bool,
) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut services = BTreeMap::new();
    for name in state.service_names() {
        for instance in state.service(name) {
            let node = state.node(&instance.node);
            if !selects || node.is_some_and(|node| wants(node, instance)) {
                let tags: &mut BTreeSet<&str> = services.entry(&**name).or_default();
                tags.extend(instance.tags.iter().map(String::as_str));
            }
        }
    }
    services
}

async fn service(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, asked) = params.catalog_read_of(&api.config, rest, "Missing service name")?;
    let read = read.cacheable(&params);
    let wanted = params.filter(filter::CATALOG_SERVICE)?;
    let name = lookup::service_name(&api.catalog.snapshot(), &asked);
    let read = read.shared(&params, *name == *asked);
    let answer = |state: &Snapshot| {
        let instances = List(|| {
            state
                .service(&name)
                .filter_map(|instance| Some((state.node(&instance.node)?, instance)))
                .filter(|(node, instance)| params.wants_tags(&instance.tags) && params.wants_node(node))
                .filter(|(node, instance)| {
                    let node = NodeRecord(node, &api.config.datacenter);
                    wanted.has(&CatalogServiceRecord(node, instance))
                })
                .map(|(node, instance)| CatalogServiceView::new(node, instance, &api.config.datacenter))
        });
        respond::json(read.pretty, &instances)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Service(name.clone()), answer).await)
}

/// A node with its services by id.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodeWith<'a, S: Serialize> {
    node: Option<NodeView<'a>>,
    services: S,
}

async fn node(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    on_node(&api, &params, rest, |state, node, wanted, pretty| {
        let view = node.map(|node| NodeWith {
            node: Some(NodeView::new(node, &api.config.datacenter)),
            services: Object(|| {
                let instances = state.instances_on(&node.name);
                instances
                    .filter(|instance| wanted.has(&ServiceRecord(instance)))
                    .map(|instance| (&*instance.id, ServiceView::from(&**instance)))
            }),
        });
        respond::json(pretty, &view)
    })
    .await
}

async fn node_services(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    on_node(&api, &params, rest, |state, node, wanted, pretty| {
        let services: Vec<_> = node
            .into_iter()
            .flat_map(|node| state.instances_on(&node.name))
            .filter(|instance| wanted.has(&ServiceRecord(instance)))
            .map(|instance| ServiceView::from(&**instance))
            .collect();
        let view = NodeWith {
            node: node.map(|node| NodeView::new(node, &api.config.datacenter)),
            // Filtered down to none is `[]`, to have none is `null`.
            services: (node.is_some() && wanted.is_filter() || !services.is_empty()).then_some(services),
        };
        respond::json(pretty, &view)
    })
    .await
}

async fn on_node(
    api: &Api,
    params: &Params,
    rest: Rest,
    answer: impl FnOnce(&Snapshot, Option<&Arc<Node>>, &Wanted, bool) -> Response,
) -> Result<Response, ApiError> {
    let (read, name) = params.catalog_read_of(&api.config, rest, "Missing node name")?;
    let wanted = params.filter(filter::SERVICE)?;
    let name = lookup::node_name(&api.catalog.snapshot(), &name);
    let topic = Topic::Node(name.clone());
    let answer = |state: &Snapshot| answer(state, state.node(&name), &wanted, read.pretty);
    Ok(blocking::indexed(api, &read, &topic, answer).await)
}
