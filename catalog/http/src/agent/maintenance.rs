//! `agent/maintenance`, `agent/service/maintenance`: take the node or one service out of rotation, by a
//! critical check that says why. The first reason stays until maintenance is over.

use axum::{extract::State, response::Response};
use wharf_catalog::{Check, CheckStatusOnPut, Command, check::NODE_MAINTENANCE};

use super::local;
use crate::{
    Api,
    error::ApiError,
    query::{Params, truth},
    respond,
    routing::Rest,
};

/// The whole node.
pub(super) async fn node(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let enable = enable(&params)?;
    let check = Check {
        notes: reason(&params, "node"),
        type_label: "maintenance".to_owned(),
        ..Check::new(api.config.node_name.clone(), NODE_MAINTENANCE, "Node Maintenance Mode")
    };
    switch(&api, enable, check).await
}

/// One service.
pub(super) async fn service(
    State(api): State<Api>,
    params: Params,
    rest: Rest,
) -> Result<Response, ApiError> {
    let id = rest.or_missing("Missing service ID")?;
    let enable = enable(&params)?;
    let state = api.catalog.snapshot();
    let Some(instance) = local::instance(&state, &api, &id) else {
        return Err(ApiError::NotFound(format!("No service registered with ID \"{id}\"")));
    };
    let check = Check::maintenance(&instance.node, &instance.id, &reason(&params, "service"));
    switch(&api, enable, check).await
}

async fn switch(api: &Api, enable: bool, check: Check) -> Result<Response, ApiError> {
    let there = api.catalog.snapshot().check(&check.node, &check.id).is_some();
    match (enable, there) {
        (true, false) => {
            let put = Command::PutCheck(check, CheckStatusOnPut::Set);
            api.catalog.commit(vec![put]).await?;
        }
        (false, true) => {
            let delete = Command::DeleteCheck(check.node, check.id);
            api.catalog.commit(vec![delete]).await?;
        }
        _ => {}
    }
    Ok(respond::nothing())
}

fn enable(params: &Params) -> Result<bool, ApiError> {
    match params.first("enable") {
        None => Err(ApiError::bad("Missing value for enable")),
        Some(text) => {
            truth(text).ok_or_else(|| ApiError::bad(format!("Invalid value for enable: \"{text}\"")))
        }
    }
}

fn reason(params: &Params, what: &str) -> String {
    match params.first("reason") {
        None | Some("") => format!(
            "Maintenance mode is enabled for this {what}, but no reason was provided. This is a default message."
        ),
        Some(reason) => reason.to_owned(),
    }
}
