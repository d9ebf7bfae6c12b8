//! `agent/join`, `leave`, `force-leave`, `reload`, `token`: what a member of a cluster can be told. This server
//! is alone: it has nobody to join, and leaving is stopping.

use axum::{extract::State, response::Response};

use crate::{Api, acl, error::ApiError, lookup, respond, routing::Rest};

/// There is nobody there: servers do not gossip here.
pub(super) async fn join(Rest(address): Rest) -> ApiError {
    ApiError::Refused(format!(
        "1 error occurred:\n\t* Failed to join {address}: this is a single server, it joins no others"
    ))
}

/// Stops the process, cleanly.
pub(super) async fn leave(State(api): State<Api>) -> Result<Response, ApiError> {
    let Some(stop) = &api.hooks.stop else {
        return Err(ApiError::Refused(
            "this agent cannot be stopped through its API: stop its process".to_owned(),
        ));
    };
    stop.cancel();
    Ok(respond::nothing())
}

/// Only this agent is a member, and it is alive: nobody can be made to leave.
pub(super) async fn force_leave(State(api): State<Api>, Rest(node): Rest) -> Result<Response, ApiError> {
    let own =
        [api.config.node_name.to_string(), format!("{}.{}", api.config.node_name, api.config.datacenter)];
    if own.iter().any(|own| lookup::same(own, &node)) {
        return Ok(respond::nothing());
    }
    Err(ApiError::Refused(format!("agent: No node found with name '{node}'")))
}

/// Settings are read once, when the process starts; asking again changes nothing and is no error.
pub(super) async fn reload() -> Response {
    respond::nothing()
}

/// Tokens are access control's.
pub(super) async fn token() -> ApiError {
    acl::off().await
}
