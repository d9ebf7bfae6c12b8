//! Connect, Consul's service mesh: there is none here. What could only be answered by one says so by name; what
//! lists what the mesh knows of lists what was registered.
//!
//! Deviation: intentions and authorizations are not pretended. A server that says `Authorized` without a
//! certificate authority behind it would let everybody in.

use axum::{Router, extract::State, response::Response, routing::get};
use wharf_catalog::{InstanceHealth, State as Snapshot, Topic, prepared::mesh_instances};

use crate::{
    Api, blocking,
    error::ApiError,
    filter::{self, CatalogServiceRecord, EntryRecord, NodeRecord},
    health::{Entry, passing},
    query::{Params, Read},
    respond,
    routing::{Rest, allowed, beneath, exact, subtree},
    wire::{List, service::CatalogServiceView},
};

const GET: &str = "OPTIONS,GET";

pub(crate) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for (path, allow) in [
        ("/v1/connect/ca/roots", GET),
        ("/v1/connect/ca/configuration", "OPTIONS,GET,PUT"),
        ("/v1/connect/intentions", "OPTIONS,GET,POST"),
        ("/v1/agent/connect/ca/roots", GET),
        ("/v1/agent/connect/authorize", "OPTIONS,POST"),
    ] {
        router = exact(router, path, allow, allowed(allow, no_mesh));
    }
    for (path, allow) in [
        ("/v1/connect/intentions", "OPTIONS,GET,PUT,DELETE"),
        ("/v1/agent/connect/ca/leaf", GET),
        ("/v1/discovery-chain", "OPTIONS,GET,POST"),
    ] {
        router = beneath(router, path, allow, allowed(allow, no_mesh));
    }
    for (path, methods) in [
        ("/v1/catalog/connect", get(services)),
        ("/v1/catalog/gateway-services", get(gateway)),
        ("/v1/health/connect", get(healthy)),
        ("/v1/health/ingress", get(ingress)),
    ] {
        router = subtree(router, path, GET, methods);
    }
    router
}

async fn no_mesh() -> ApiError {
    ApiError::Refused(
        "Connect must be enabled in order to use this endpoint: this server has no service mesh (certificate authority, intentions, discovery chains)"
            .to_owned(),
    )
}

/// The proxies of a service, as `catalog/service` tells them.
async fn services(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, name) = params.catalog_read_of(&api.config, rest, "Missing service name")?;
    let read = read.cacheable(&params);
    let filter = params.filter(filter::CATALOG_SERVICE)?;
    let fits = |it: &InstanceHealth<'_>| {
        let node = NodeRecord(it.node, &api.config.datacenter);
        wanted(&params, it) && filter.has(&CatalogServiceRecord(node, it.instance))
    };
    let answer = |state: &Snapshot| {
        let instances = List(|| {
            mesh_instances(state, &name)
                .filter(&fits)
                .map(|it| CatalogServiceView::new(it.node, it.instance, &api.config.datacenter))
        });
        respond::json(read.pretty, &instances)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Catalog, answer).await)
}

/// The proxies of a service, as `health/service` tells them.
async fn healthy(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, name) = params.catalog_read_of(&api.config, rest, "Missing service name")?;
    let read = read.cacheable(&params);
    let only_passing = passing(&params)?;
    let filter = params.filter(filter::ENTRY)?;
    let answer = |state: &Snapshot| {
        let fits = |it: &InstanceHealth<'_>| {
            wanted(&params, it)
                && (!only_passing || it.health() == wharf_catalog::Health::Passing)
                && filter.has(&EntryRecord(it, &api.config.datacenter))
        };
        let instances: Vec<_> = mesh_instances(state, &name).filter(fits).collect();
        respond::json(read.pretty, &List(|| instances.iter().map(|it| Entry::of(it, &api.config.datacenter))))
    };
    Ok(blocking::indexed(&api, &read, &Topic::Catalog, answer).await)
}

fn wanted(params: &Params, it: &InstanceHealth<'_>) -> bool {
    params.wants_tags(&it.instance.tags) && params.wants_node(it.node)
}

/// There are no gateways, so nothing is behind any.
async fn gateway(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, _) = params.catalog_read_of(&api.config, rest, "Missing gateway name")?;
    nothing(&api, &read).await
}

/// Nor does any lead to a service.
async fn ingress(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, _) = params.catalog_read_of(&api.config, rest, "Missing service name")?;
    passing(&params)?;
    params.filter(filter::ENTRY)?;
    nothing(&api, &read.cacheable(&params)).await
}

async fn nothing(api: &Api, read: &Read) -> Result<Response, ApiError> {
    let answer = |_: &Snapshot| respond::json(read.pretty, &[(); 0]);
    Ok(blocking::indexed(api, read, &Topic::Services, answer).await)
}
