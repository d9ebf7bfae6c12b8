//! Who is this agent? `agent/self`, `agent/members`, and how it shows itself in the catalog.

use std::{collections::BTreeMap, net::IpAddr};

use axum::{extract::State, response::Response};
use serde::Serialize;
use wharf_catalog::{Check, CheckStatusOnPut, Command, Instance, Node, Status, check::NODE_ALIVE};

use super::local;
use crate::{Api, Config, config::SERVER_PORT, error::ApiError, query::Params, respond};

/// Id and name of the service a Consul server registers for itself.
pub(crate) const CONSUL: &str = "consul";
/// Node metadata every agent has.
const SEGMENT: &str = "consul-network-segment";
/// Port gossip would use.
const GOSSIP_PORT: u16 = 8301;

/// Registers the agent's own node as a real agent does: the node, the `consul` service on it, and a
/// check that says the node is alive.
pub fn agent_node(config: &Config) -> Vec<Command> {
    let address = config.advertise_addr.to_string();
    let family = match config.advertise_addr {
        IpAddr::V4(_) => ["lan_ipv4", "wan_ipv4"],
        IpAddr::V6(_) => ["lan_ipv6", "wan_ipv6"],
    };
    let labels = ["lan", "wan"].into_iter().chain(family);
    let node = Node {
        id: config.node_id.clone(),
        tagged_addresses: labels.map(|label| (label.to_owned(), address.clone())).collect(),
        meta: BTreeMap::from([(SEGMENT.to_owned(), String::new())]),
        ..Node::new(config.node_name.clone(), address)
    };
    let consul = Instance {
        port: SERVER_PORT,
        meta: server_meta(config),
        ..Instance::new(config.node_name.clone(), CONSUL, CONSUL)
    };
    let alive = Check {
        status: Status::Passing,
        output: "Agent alive and reachable".to_owned(),
        ..Check::new(config.node_name.clone(), NODE_ALIVE, "Serf Health Status")
    };
    vec![
        Command::PutNode(node),
        Command::PutInstance(consul),
        Command::PutCheck(alive, CheckStatusOnPut::Set),
    ]
}

fn server_meta(config: &Config) -> BTreeMap<String, String> {
    [
        ("raft_version", "3"),
        ("serf_protocol_current", "2"),
        ("serf_protocol_max", "5"),
        ("serf_protocol_min", "1"),
        ("version", &config.version),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// `agent/self`: what clients look for in it (datacenter, node, version, the member's address).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct This<'a> {
    config: ThisConfig<'a>,
    debug_config: DebugConfig<'a>,
    coord: Coordinate,
    member: Member<'a>,
    stats: Stats<'a>,
    meta: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ThisConfig<'a> {
    datacenter: &'a str,
    node_name: &'a str,
    #[serde(rename = "NodeID")]
    node_id: &'a str,
    revision: &'a str,
    server: bool,
    version: &'a str,
    /// Nanoseconds; Patroni looks here.
    #[serde(rename = "SessionTTLMin")]
    session_ttl_min: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DebugConfig<'a> {
    #[serde(rename = "AdvertiseAddrLAN")]
    advertise_addr: &'a IpAddr,
    datacenter: &'a str,
    node_name: &'a str,
    #[serde(rename = "NodeID")]
    node_id: &'a str,
    #[serde(rename = "KVMaxValueSize")]
    kv_max_value_size: usize,
    server_mode: bool,
    server_port: u16,
    version: &'a str,
}

/// The origin: there is nobody to be far from.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Coordinate {
    adjustment: f64,
    error: f64,
    height: f64,
    vec: [f64; 8],
}

#[derive(Serialize)]
struct Stats<'a> {
    agent: BTreeMap<&'a str, String>,
    build: BTreeMap<&'a str, &'a str>,
    raft: BTreeMap<&'a str, String>,
    consul: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member<'a> {
    name: String,
    addr: &'a IpAddr,
    port: u16,
    tags: BTreeMap<&'a str, String>,
    /// 1: alive.
    status: u8,
    protocol_min: u8,
    protocol_max: u8,
    protocol_cur: u8,
    delegate_min: u8,
    delegate_max: u8,
    delegate_cur: u8,
}

impl<'a> Member<'a> {
    fn new(config: &'a Config, name: String) -> Self {
        let tags = [
            ("acls", "0"),
            ("build", &config.version),
            ("dc", &config.datacenter),
            ("ft_fs", "1"),
            ("id", &config.node_id),
            ("port", &SERVER_PORT.to_string()),
            ("raft_vsn", "3"),
            ("role", CONSUL),
            ("segment", ""),
            ("vsn", "2"),
            ("vsn_max", "3"),
            ("vsn_min", "2"),
            ("wan_join_port", "8302"),
        ];
        Self {
            name,
            addr: &config.advertise_addr,
            port: GOSSIP_PORT,
            tags: tags.map(|(tag, value)| (tag, value.to_owned())).into(),
            status: 1,
            protocol_min: 1,
            protocol_max: 5,
            protocol_cur: 2,
            delegate_min: 2,
            delegate_max: 5,
            delegate_cur: 4,
        }
    }
}

pub(super) async fn this(State(api): State<Api>, params: Params) -> Response {
    let config = &*api.config;
    let this = This {
        config: ThisConfig {
            datacenter: &config.datacenter,
            node_name: &config.node_name,
            node_id: &config.node_id,
            revision: env!("CARGO_PKG_NAME"),
            server: true,
            version: &config.version,
            session_ttl_min: 10_000_000_000,
        },
        debug_config: DebugConfig {
            advertise_addr: &config.advertise_addr,
            datacenter: &config.datacenter,
            node_name: &config.node_name,
            node_id: &config.node_id,
            kv_max_value_size: config.kv_max_value_size,
            server_mode: true,
            server_port: SERVER_PORT,
            version: &config.version,
        },
        coord: Coordinate { adjustment: 0.0, error: 1.5, height: 1e-5, vec: [0.0; 8] },
        member: Member::new(config, config.node_name.to_string()),
        stats: stats(&api),
        meta: BTreeMap::from([(SEGMENT, "")]),
    };
    respond::json(params.pretty(), &this)
}

fn stats(api: &Api) -> Stats<'_> {
    let state = api.catalog.snapshot();
    Stats {
        agent: BTreeMap::from([
            ("checks", local::node_checks(&state, api).count().to_string()),
            ("services", local::instances(&state, api).count().to_string()),
        ]),
        build: BTreeMap::from([("version", api.config.version.as_str())]),
        // Of one server: what it has committed it has applied.
        raft: BTreeMap::from([
            ("applied_index", state.index().to_string()),
            ("commit_index", state.index().to_string()),
            ("last_contact", "0".to_owned()),
            ("num_peers", "0".to_owned()),
            ("state", "Leader".to_owned()),
        ]),
        consul: BTreeMap::from([
            ("leader", "true".to_owned()),
            ("leader_addr", api.config.server_address()),
            ("server", "true".to_owned()),
            ("catalog_index", state.index().to_string()),
        ]),
    }
}

pub(super) async fn members(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    // `_all` is what Consul's own command line asks for.
    if params.first("segment").is_some_and(|segment| !["", "_all"].contains(&segment)) {
        return Err(ApiError::Refused(
            "Network segments are not supported in this version of Consul".to_owned(),
        ));
    }
    let config = &*api.config;
    let name = if params.has("wan") {
        format!("{}.{}", config.node_name, config.datacenter)
    } else {
        config.node_name.to_string()
    };
    Ok(respond::json(params.pretty(), &[Member::new(config, name)]))
}
