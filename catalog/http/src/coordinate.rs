//! `/v1/coordinate`: how far apart are the nodes? Nobody measures that here: this server is at the origin, and
//! knows of nobody else.

use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{get, put},
};
use http::StatusCode;
use serde::Serialize;
use wharf_catalog::{State as Snapshot, Topic};

use crate::{
    Api, blocking, body,
    error::ApiError,
    fields::{Fields, Spelling},
    lookup,
    query::Params,
    respond,
    routing::{Rest, exact, subtree},
};

pub(crate) fn routes() -> Router<Api> {
    let get_only = "OPTIONS,GET";
    let router = exact(Router::new(), "/v1/coordinate/datacenters", get_only, get(datacenters));
    let router = exact(router, "/v1/coordinate/nodes", get_only, get(nodes));
    let router = exact(router, "/v1/coordinate/update", "OPTIONS,PUT", put(update));
    subtree(router, "/v1/coordinate/node", get_only, get(node))
}

/// As many as Consul's.
const DIMENSIONS: usize = 8;

/// A place. Whole numbers where Consul writes whole numbers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Place {
    vec: [u8; DIMENSIONS],
    error: f64,
    adjustment: u8,
    height: f64,
}

const ORIGIN: Place = Place { vec: [0; DIMENSIONS], error: 1.5, adjustment: 0, height: 1e-5 };

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct NodePlace<'a> {
    node: &'a str,
    segment: &'a str,
    coord: Place,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Datacenter<'a> {
    datacenter: &'a str,
    #[serde(rename = "AreaID")]
    area_id: &'a str,
    coordinates: [NodePlace<'a>; 1],
}

async fn datacenters(State(api): State<Api>, params: Params) -> Response {
    let server = format!("{}.{}", api.config.node_name, api.config.datacenter);
    let datacenter = Datacenter {
        datacenter: &api.config.datacenter,
        area_id: "wan",
        coordinates: [NodePlace { node: &server, segment: "", coord: ORIGIN }],
    };
    respond::json(params.pretty(), &[datacenter])
}

async fn nodes(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.session_read(&api.config)?;
    let own = || NodePlace { node: &api.config.node_name, segment: "", coord: ORIGIN };
    let answer = |state: &Snapshot| {
        let wanted = state.node(&api.config.node_name).is_some_and(|node| params.wants_node(node));
        let places: Vec<NodePlace<'_>> = wanted.then(own).into_iter().collect();
        respond::json(read.pretty, &places)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Node(api.config.node_name.clone()), answer).await)
}

async fn node(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let read = params.session_read(&api.config)?;
    let Rest(name) = rest;
    if !lookup::same(&name, &api.config.node_name) {
        return Ok(respond::bare(StatusCode::NOT_FOUND));
    }
    let answer = |_: &Snapshot| {
        let place = NodePlace { node: &api.config.node_name, segment: "", coord: ORIGIN };
        respond::json(read.pretty, &[place])
    };
    Ok(blocking::indexed(&api, &read, &Topic::Node(api.config.node_name.clone()), answer).await)
}

/// Taken and forgotten, as Consul does for nodes it does not know.
async fn update(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let body = body::json(body, api.config.max_body_size).await?;
    let mut fields = Fields::parse(&body, Spelling::AnyCase)?;
    let node = fields.text("Node")?;
    let coordinate = fields.object("Coord")?;
    fields.text("Segment")?;
    fields.text("Datacenter")?;
    fields.text("Token")?;
    fields.finish()?;
    let (false, Some(mut coordinate)) = (node.is_empty(), coordinate) else {
        return Err(ApiError::bad("Request decode failed: a coordinate needs a `Node` and a `Coord`"));
    };
    if coordinate.take("Vec").and_then(|vec| vec.as_array().map(Vec::len)) != Some(DIMENSIONS) {
        return Err(ApiError::Refused("incompatible coordinate".to_owned()));
    }
    Ok(respond::nothing())
}
