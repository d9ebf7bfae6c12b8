//! Consul's HTTP API over the catalog, and a client for it.
//!
//! The API follows a recorded Consul 1.8.7 in status codes, headers, texts and JSON shapes; where it
//! does not, the module that deviates says why.
//!
//! Pure: [`config`], `duration` (Go's durations), `query` (parameters), `fields` (request bodies),
//! `wire` (Consul's JSON shapes; domain types stay free of them), `filter` (which records are wanted),
//! `path` (clean-ups), `session_id` (how a session may be named), `txn::operation` and `txn::plan` (what a
//! transaction asks for). Edges, one per endpoint family: `agent`, `catalog`, `register`, `health`, `kv`,
//! `session`, `txn`, `status`, `event`, `prepared` (queries), `config_entry`, `coordinate`, `operator`,
//! `snapshot`, `ui`, [`external_router`] (services outside containers), and `acl` and `mesh`, which say that there is none; shared by them `routing`, `blocking`,
//! `answers`, `respond`, `body`, `telemetry`; `openapi` describes them all. [`client`] is the other end of the wire.

mod acl;
mod agent;
mod answers;
mod blocking;
mod body;
mod catalog;
pub mod client;
pub mod config;
mod config_entry;
mod coordinate;
mod duration;
mod error;
mod event;
mod external;
mod fields;
mod filter;
mod health;
mod hooks;
mod kv;
mod lookup;
mod mesh;
mod openapi;
mod operator;
mod path;
mod prepared;
mod query;
mod register;
mod respond;
mod routing;
mod session;
mod session_id;
pub mod snapshot;
mod status;
mod telemetry;
mod txn;
mod ui;
mod wire;

use std::sync::Arc;

use axum::{Extension, Router, middleware};
use tower_http::compression::{CompressionLayer, predicate::SizeAbove};
use wharf_catalog::{Catalog, Clock};
use wharf_catalog_checks::Checks;

pub use agent::identity::agent_node;
pub use answers::{Answers, Watch};
pub use config::Config;
pub use external::external_router;
pub use hooks::{Hooks, MetricsText};

/// Answers below this many bytes are sent as they are, also to whoever takes gzip.
const WORTH_PACKING: u16 = 1400;

/// What the endpoints work with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    /// Read from and committed to.
    pub catalog: Catalog,
    /// Takes the reports for TTL checks.
    pub checks: Checks,
    /// The wall clock.
    pub clock: Clock,
    /// Who this agent is.
    pub config: Arc<Config>,
    /// Answers kept for those who ask the same.
    pub answers: Answers,
    /// What whoever runs it offers it.
    pub hooks: Hooks,
}

/// Every path under `/v1`. Unknown ones there are answered here; everything else is left to whoever
/// merges this router with theirs.
pub fn router(api: Api) -> Router {
    let meters = telemetry::Meters::default();
    let routes = Router::new()
        .merge(agent::routes())
        .merge(catalog::routes())
        .merge(register::routes())
        .merge(health::routes())
        .merge(kv::routes())
        .merge(session::routes())
        .merge(txn::routes())
        .merge(status::routes())
        .merge(event::routes())
        .merge(prepared::routes())
        .merge(config_entry::routes())
        .merge(coordinate::routes())
        .merge(operator::routes(&api.clock))
        .merge(snapshot::routes())
        .merge(acl::routes())
        .merge(mesh::routes())
        .merge(ui::routes())
        .merge(openapi::routes())
        .merge(routing::leftovers());
    let gzip = CompressionLayer::new().compress_when(SizeAbove::new(WORTH_PACKING));
    let routes = if api.config.indent { routes.layer(Extension(query::Indent)) } else { routes };
    routes
        .layer(gzip)
        .layer(middleware::from_fn(path::clean))
        .layer(middleware::from_fn(move |request, next| telemetry::measure(meters.clone(), request, next)))
        .with_state(api)
}
