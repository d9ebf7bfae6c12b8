//! `agent/check`: register, deregister, report.

use axum::{body::Body, extract::State, response::Response};
use wharf_catalog::{Command, Status, check::NODE_ALIVE};
use wharf_catalog_checks::ReportError;

use super::{local, service::put_check};
use crate::{
    Api, body,
    error::ApiError,
    fields::{Fields, Spelling},
    query::Params,
    respond,
    routing::Rest,
    wire::check_definition::{CheckDefinition, Place, refuse_scripts},
};

/// Registers a check for the node or for one of its services.
pub(super) async fn register(State(api): State<Api>, body: Body) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    let definition = CheckDefinition::read(Fields::parse(&body, Spelling::Snake)?, Place::Alone)?;
    let state = api.catalog.snapshot();
    let service = definition.service.clone();
    let mut check = definition.check(&api.config.node_name, "Bad check status")?;
    refuse_scripts(&check, &api.config)?;
    if check.id.is_empty() {
        check.id = check.name.as_str().into();
    }
    if &*check.id == NODE_ALIVE {
        return Err(ApiError::bad(format!("check id `{NODE_ALIVE}` is this agent's own: use another")));
    }
    if !service.is_empty() {
        let instance = local::instance(&state, &api, &service)
            .ok_or_else(|| ApiError::Refused(format!("ServiceID \"{service}\" does not exist")))?;
        check.instance = Some(instance.id.clone());
    }
    api.catalog.commit(vec![put_check(&state, check)]).await?;
    Ok(respond::nothing())
}

/// Removes a check; an unknown one is no error, as Consul up to 1.8 has it.
pub(super) async fn deregister(State(api): State<Api>, rest: Rest) -> Result<Response, ApiError> {
    let Rest(id) = rest;
    if id.is_empty() {
        return Err(ApiError::Refused("CheckID missing".to_owned()));
    }
    if id != NODE_ALIVE {
        let delete = Command::DeleteCheck(api.config.node_name.clone(), id.into());
        api.catalog.commit(vec![delete]).await?;
    }
    Ok(respond::nothing())
}

pub(super) async fn pass(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    note(&api, &params, rest, Status::Passing).await
}

pub(super) async fn warn(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    note(&api, &params, rest, Status::Warning).await
}

pub(super) async fn fail(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    note(&api, &params, rest, Status::Critical).await
}

async fn note(api: &Api, params: &Params, rest: Rest, status: Status) -> Result<Response, ApiError> {
    let note = params.first("note").unwrap_or_default();
    report(api, &rest.0, status, note).await
}

/// A status with an output, in the body.
pub(super) async fn update(State(api): State<Api>, Rest(id): Rest, body: Body) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    let mut fields = Fields::parse(&body, Spelling::AnyCase)?;
    let (word, output) = (fields.text("Status")?, fields.text("Output")?);
    fields.finish()?;
    let status = word.parse().map_err(|_| ApiError::bad(format!("Invalid check status: '{word}'")))?;
    report(&api, &id, status, &output).await
}

async fn report(api: &Api, id: &str, status: Status, output: &str) -> Result<Response, ApiError> {
    let node = &api.config.node_name;
    match api.checks.report(node, id, status, output.to_owned()).await {
        Ok(()) => Ok(respond::nothing()),
        Err(ReportError::Commit(error)) => Err(error.into()),
        Err(ReportError::NoCheck { .. } | ReportError::NotTtl { .. }) => {
            Err(ApiError::Refused(format!("CheckID \"{id}\" does not have associated TTL")))
        }
    }
}
