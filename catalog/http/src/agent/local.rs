//! `agent/services` and `agent/checks`: everything on this agent's node but what it registered for
//! itself.

use axum::{extract::State, response::Response};
use std::sync::Arc;
use wharf_catalog::{Check, Instance, State as Snapshot, check::NODE_ALIVE};

use super::identity::CONSUL;
use crate::{
    Api,
    error::ApiError,
    filter::{self, CheckRecord, ServiceRecord},
    query::Params,
    respond,
    wire::{Object, check::CheckView, service::AgentServiceView},
};

/// The agent's instances.
pub(super) fn instances<'a>(state: &'a Snapshot, api: &Api) -> impl Iterator<Item = &'a Arc<Instance>> {
    state.instances_on(&api.config.node_name).filter(|instance| !is_own(&instance.id))
}

/// One of the agent's instances.
pub(super) fn instance<'a>(state: &'a Snapshot, api: &Api, id: &str) -> Option<&'a Arc<Instance>> {
    state.instance(&api.config.node_name, id).filter(|instance| !is_own(&instance.id))
}

/// What the agent registers for itself is nobody else's to change.
pub(super) fn is_own(instance: &str) -> bool {
    instance == CONSUL
}

/// The agent's checks on the node itself.
pub(super) fn node_checks<'a>(state: &'a Snapshot, api: &Api) -> impl Iterator<Item = &'a Arc<Check>> {
    state.checks_of(&api.config.node_name, "").iter().filter(|check| &*check.id != NODE_ALIVE)
}

pub(super) async fn services(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let wanted = params.agent_filter(filter::SERVICE)?;
    let state = api.catalog.snapshot();
    let services = Object(|| {
        instances(&state, &api).filter(|instance| wanted.has(&ServiceRecord(instance))).map(|instance| {
            let view = AgentServiceView::new(instance, &api.config.datacenter);
            (&*instance.id, view)
        })
    });
    Ok(respond::json(params.pretty(), &services))
}

pub(super) async fn checks(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let state = api.catalog.snapshot();
    let own = || state.checks_on(&api.config.node_name).filter(|check| &*check.id != NODE_ALIVE);
    let wanted = params.late_filter(filter::CHECK, own().next().is_some())?;
    let checks = Object(|| {
        own()
            .filter(|check| wanted.has(&CheckRecord(check)))
            .map(|check| (&*check.id, CheckView::local(check)))
    });
    Ok(respond::json(params.pretty(), &checks))
}
