//! `/v1/operator`: how does the cluster of servers stand? There is one server, it leads, and it is healthy
//! while it answers.

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{delete, get},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wharf_catalog::{ApplyError, Clock, Command, CommitError, Document, Index, Rejected, State as Snapshot};

use crate::{
    Api, body, duration,
    error::ApiError,
    fields::{Fields, Spelling},
    query::Params,
    respond,
    routing::{allowed, exact},
};

/// Kind and id of the document that holds the settings of autopilot.
const SETTINGS: (&str, &str) = ("operator", "autopilot");
const KEYRING: &str = "OPTIONS,GET,POST,PUT,DELETE";

pub(crate) fn routes(clock: &Clock) -> Router<Api> {
    let mut router = Router::new();
    for (path, allow, methods) in [
        ("/v1/operator/raft/configuration", "OPTIONS,GET", get(servers)),
        ("/v1/operator/raft/peer", "OPTIONS,DELETE", delete(remove_peer)),
        ("/v1/operator/autopilot/configuration", "OPTIONS,GET,PUT", get(settings).put(change_settings)),
        ("/v1/operator/autopilot/health", "OPTIONS,GET", get(health)),
        ("/v1/operator/keyring", KEYRING, allowed(KEYRING, keyring)),
    ] {
        router = exact(router, path, allow, methods);
    }
    router.layer(Extension(Started(clock.now())))
}

/// Since when this server has been up.
#[derive(Debug, Clone, Copy)]
struct Started(wharf_catalog::Timestamp);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Servers<'a> {
    servers: [Server<'a>; 1],
    /// Consul tells no index here, either.
    index: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Server<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    node: &'a str,
    address: String,
    leader: bool,
    protocol_version: &'a str,
    voter: bool,
}

async fn servers(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    params.check_local(&api.config)?;
    let server = Server {
        id: &api.config.node_id,
        node: &api.config.node_name,
        address: api.config.server_address(),
        leader: true,
        protocol_version: "3",
        voter: true,
    };
    Ok(respond::json(params.pretty(), &Servers { servers: [server], index: 0 }))
}

/// The one server cannot be removed from itself, and there are no others.
async fn remove_peer(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let given = |name: &str| params.first(name).filter(|value| !value.is_empty());
    let refused = |text: String| Err(ApiError::Refused(text));
    match (given("id"), given("address")) {
        (None, None) => Err(ApiError::bad(
            "Bad request: Must specify either ?id with the server's ID or ?address with IP:port of peer to remove",
        )),
        (Some(_), Some(_)) => Err(ApiError::bad("Bad request: Must specify only one of ?id or ?address")),
        (Some(id), None) if id == api.config.node_id => {
            refused(format!("id \"{id}\" is this server: it is the only one"))
        }
        (None, Some(address)) if address == api.config.server_address() => {
            refused(format!("address \"{address}\" is this server: it is the only one"))
        }
        (Some(id), None) => refused(format!("id \"{id}\" was not found in the Raft configuration")),
        (None, Some(address)) => {
            refused(format!("address \"{address}\" was not found in the Raft configuration"))
        }
    }
}

/// Settings of autopilot: kept and told. With one server there is nothing to steer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Autopilot {
    cleanup_dead_servers: bool,
    last_contact_threshold: String,
    max_trailing_logs: u64,
    min_quorum: u64,
    server_stabilization_time: String,
    redundancy_zone_tag: String,
    disable_upgrade_migration: bool,
    upgrade_version_tag: String,
}

impl Default for Autopilot {
    fn default() -> Self {
        Self {
            cleanup_dead_servers: true,
            last_contact_threshold: "200ms".to_owned(),
            max_trailing_logs: 250,
            min_quorum: 0,
            server_stabilization_time: "10s".to_owned(),
            redundancy_zone_tag: String::new(),
            disable_upgrade_migration: false,
            upgrade_version_tag: String::new(),
        }
    }
}

impl Autopilot {
    fn read(mut fields: Fields) -> Result<Self, ApiError> {
        let settings = Self {
            cleanup_dead_servers: fields.flag("CleanupDeadServers")?,
            last_contact_threshold: span(&mut fields, "LastContactThreshold")?,
            max_trailing_logs: fields.count("MaxTrailingLogs")?.into(),
            min_quorum: fields.count("MinQuorum")?.into(),
            server_stabilization_time: span(&mut fields, "ServerStabilizationTime")?,
            redundancy_zone_tag: fields.text("RedundancyZoneTag")?,
            disable_upgrade_migration: fields.flag("DisableUpgradeMigration")?,
            upgrade_version_tag: fields.text("UpgradeVersionTag")?,
        };
        for told in ["CreateIndex", "ModifyIndex"] {
            fields.integer(told)?;
        }
        fields.finish()?;
        Ok(settings)
    }
}

/// A duration, told as it was written; nanoseconds as Go writes them.
fn span(fields: &mut Fields, name: &str) -> Result<String, ApiError> {
    match fields.take(name) {
        None => Ok("0s".to_owned()),
        Some(Value::String(text)) if text.is_empty() => Ok("0s".to_owned()),
        Some(Value::String(text)) if duration::parse(&text).is_ok() => Ok(text),
        Some(value) => match value.as_i64() {
            Some(nanoseconds) => Ok(duration::text(nanoseconds)),
            None => Err(ApiError::bad(format!("`{name}`: invalid duration {value}, use one such as `10s`"))),
        },
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeptSettings {
    #[serde(flatten)]
    settings: Autopilot,
    create_index: Index,
    modify_index: Index,
}

fn kept(state: &Snapshot) -> KeptSettings {
    let document = state.document(SETTINGS.0, SETTINGS.1);
    let settings =
        document.and_then(|document| serde_json::from_str(&document.body).ok()).unwrap_or_default();
    let (create_index, modify_index) =
        document.map_or((Index(0), Index(0)), |document| (document.created, document.modified));
    KeptSettings { settings, create_index, modify_index }
}

async fn settings(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    params.check_local(&api.config)?;
    Ok(respond::json(params.pretty(), &kept(&api.catalog.snapshot())))
}

async fn change_settings(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let cas = params
        .number("cas")
        .map_err(|why| ApiError::bad(format!("Bad request: Error parsing cas value: {why}")))?;
    let body = body::json(body, api.config.max_body_size).await?;
    let wrong = |why: ApiError| {
        let text = why.to_string();
        let why = text.strip_prefix("Request decode failed: ").unwrap_or(&text);
        ApiError::bad(format!("Bad request: Error parsing autopilot config: {why}"))
    };
    let settings = Autopilot::read(Fields::parse(&body, Spelling::AnyCase).map_err(wrong)?).map_err(wrong)?;
    let text = serde_json::to_string(&settings).map_err(|error| ApiError::Refused(error.to_string()))?;
    let put = Command::PutDocument(Document::new(SETTINGS.0, SETTINGS.1, text), cas.map(Index));
    let done = match api.catalog.commit(vec![put]).await {
        Ok(_) => true,
        Err(CommitError::Rejected(Rejected { error: ApplyError::DocumentChanged { .. }, .. })) => false,
        Err(other) => return Err(other.into()),
    };
    Ok(respond::json(params.pretty(), &done))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ClusterHealth<'a> {
    healthy: bool,
    failure_tolerance: u32,
    servers: [ServerHealth<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServerHealth<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    address: String,
    serf_status: &'a str,
    version: &'a str,
    leader: bool,
    last_contact: &'a str,
    last_term: u64,
    last_index: Index,
    healthy: bool,
    voter: bool,
    stable_since: String,
}

async fn health(
    State(api): State<Api>,
    Extension(Started(since)): Extension<Started>,
    params: Params,
) -> Result<Response, ApiError> {
    params.check_local(&api.config)?;
    let stable_since = Timestamp::from_millisecond(since.0).unwrap_or_default().to_string();
    let server = ServerHealth {
        id: &api.config.node_id,
        name: &api.config.node_name,
        address: api.config.server_address(),
        serf_status: "alive",
        version: &api.config.version,
        leader: true,
        last_contact: "0s",
        last_term: 1,
        last_index: api.catalog.snapshot().index(),
        healthy: true,
        voter: true,
        stable_since,
    };
    let health = ClusterHealth { healthy: true, failure_tolerance: 0, servers: [server] };
    Ok(respond::json(params.pretty(), &health))
}

/// There is no gossip, so there are no keys to it. Consul's words where encryption is off.
async fn keyring(State(api): State<Api>, params: Params) -> ApiError {
    if let Some(factor) = params.first("relay-factor") {
        match factor.parse::<i64>() {
            Err(_) => {
                return ApiError::bad(format!("Bad request: Invalid relay-factor `{factor}`: use 0 to 5"));
            }
            Ok(0..=5) => {}
            Ok(_) => {
                return ApiError::bad(
                    "Bad request: Invalid relay-factor: Relay factor must be in range: [0, 5]",
                );
            }
        }
    }
    let (node, datacenter) = (&api.config.node_name, &api.config.datacenter);
    let empty = "Keyring is empty (encryption not enabled)";
    ApiError::Refused(format!(
        "4 errors occurred:\n\t* WAN error: 1/1 nodes reported failure\n\t* {node}.{datacenter}: {empty}\n\t\
         * {datacenter} (LAN) error: 1/1 nodes reported failure\n\t* {node}: {empty}"
    ))
}
