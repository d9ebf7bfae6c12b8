//! `/v1/agent`: what this agent's own node has, and how it is registered there.
//!
//! Everything on the agent's node counts as the agent's, whoever registered it, but not what the agent
//! registers for itself ([`identity::agent_node`]).

mod check;
mod health;
mod host;
pub(crate) mod identity;
mod lifecycle;
mod local;
mod maintenance;
mod metrics;
mod service;

use axum::{
    Router,
    routing::{get, put},
};

use crate::{
    Api,
    routing::{exact, subtree},
};

const GET: &str = "OPTIONS,GET";
const PUT: &str = "OPTIONS,PUT";

pub(crate) fn routes() -> Router<Api> {
    let mut router = Router::new();
    for (path, methods) in [
        ("/v1/agent/self", get(identity::this)),
        ("/v1/agent/members", get(identity::members)),
        ("/v1/agent/host", get(host::host)),
        ("/v1/agent/metrics", get(metrics::metrics)),
        ("/v1/agent/services", get(local::services)),
        ("/v1/agent/checks", get(local::checks)),
    ] {
        router = exact(router, path, GET, methods);
    }
    for (path, methods) in [
        ("/v1/agent/maintenance", put(maintenance::node)),
        ("/v1/agent/leave", put(lifecycle::leave)),
        ("/v1/agent/reload", put(lifecycle::reload)),
        ("/v1/agent/service/register", put(service::register)),
        ("/v1/agent/check/register", put(check::register)),
    ] {
        router = exact(router, path, PUT, methods);
    }
    for (path, methods) in [
        ("/v1/agent/service", get(service::one)),
        ("/v1/agent/health/service/id", get(health::by_id)),
        ("/v1/agent/health/service/name", get(health::by_name)),
    ] {
        router = subtree(router, path, GET, methods);
    }
    for (path, methods) in [
        ("/v1/agent/join", put(lifecycle::join)),
        ("/v1/agent/force-leave", put(lifecycle::force_leave)),
        ("/v1/agent/token", put(lifecycle::token)),
        ("/v1/agent/service/deregister", put(service::deregister)),
        ("/v1/agent/service/maintenance", put(maintenance::service)),
        ("/v1/agent/check/deregister", put(check::deregister)),
        ("/v1/agent/check/pass", put(check::pass)),
        ("/v1/agent/check/warn", put(check::warn)),
        ("/v1/agent/check/fail", put(check::fail)),
        ("/v1/agent/check/update", put(check::update)),
    ] {
        router = subtree(router, path, PUT, methods);
    }
    router
}
