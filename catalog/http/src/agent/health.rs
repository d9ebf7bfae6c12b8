//! `agent/health/service`: is a service of this agent healthy, in one word or with the checks? The
//! status code says it, too, for load balancers.

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use wharf_catalog::{Check, Health, Instance, State as Snapshot, check::NODE_ALIVE};

use super::local;
use crate::{
    Api,
    error::ApiError,
    query::Params,
    respond,
    routing::Rest,
    wire::{check::LocalHealthCheckView, service::AgentServiceView},
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LocalHealth<'a> {
    aggregated_status: &'static str,
    service: Option<AgentServiceView<'a>>,
    checks: Option<Vec<LocalHealthCheckView<'a>>>,
}

/// One instance.
pub(super) async fn by_id(
    State(api): State<Api>,
    params: Params,
    headers: HeaderMap,
    Rest(id): Rest,
) -> Result<Response, ApiError> {
    if id.is_empty() {
        return Err(ApiError::Refused("Bad request: Missing serviceID".to_owned()));
    }
    let state = api.catalog.snapshot();
    let Some(instance) = local::instance(&state, &api, &id) else {
        let text = format!("ServiceId {id} not found");
        let nothing = LocalHealth { aggregated_status: "critical", service: None, checks: None };
        let answer = match wants_text(&params, &headers) {
            true => respond::json_with(StatusCode::NOT_FOUND, false, &text),
            false => respond::json_with(StatusCode::NOT_FOUND, params.pretty(), &nothing),
        };
        return Ok(because(&text, answer));
    };
    let health = aggregated(&state, &api, instance);
    if wants_text(&params, &headers) {
        return Ok(word(health));
    }
    let view = local_health(&state, &api, instance);
    Ok(because(in_consuls_words(health), respond::json_with(code(health), params.pretty(), &view)))
}

/// All instances of a service; the worst of them counts.
pub(super) async fn by_name(
    State(api): State<Api>,
    params: Params,
    headers: HeaderMap,
    Rest(name): Rest,
) -> Result<Response, ApiError> {
    if name.is_empty() {
        return Err(ApiError::Refused("Bad request: Missing service Name".to_owned()));
    }
    let state = api.catalog.snapshot();
    let instances: Vec<_> =
        local::instances(&state, &api).filter(|instance| *instance.name == *name).collect();
    let worst = instances.iter().map(|instance| aggregated(&state, &api, instance)).max();
    let text = wants_text(&params, &headers);
    match worst {
        None if text => {
            let text = format!("ServiceName {name} Not Found");
            let answer = respond::with_type(StatusCode::NOT_FOUND, "text/plain", text.clone().into());
            Ok(because(&text, answer))
        }
        Some(health) if text => Ok(word(health)),
        worst => {
            let views: Vec<_> =
                instances.iter().map(|instance| local_health(&state, &api, instance)).collect();
            let (status, why) = match worst {
                Some(health) => (code(health), in_consuls_words(health).to_owned()),
                None => (StatusCode::NOT_FOUND, format!("ServiceName {name} Not Found")),
            };
            Ok(because(&why, respond::json_with(status, params.pretty(), &views)))
        }
    }
}

fn local_health<'a>(state: &'a Snapshot, api: &'a Api, instance: &'a Instance) -> LocalHealth<'a> {
    LocalHealth {
        aggregated_status: in_consuls_words(aggregated(state, api, instance)),
        service: Some(AgentServiceView::new(instance, &api.config.datacenter)),
        checks: Some(
            state
                .checks_of(&instance.node, "")
                .iter()
                .filter(|check| &*check.id != NODE_ALIVE)
                .chain(state.checks_of(&instance.node, &instance.id))
                .map(LocalHealthCheckView::from)
                .collect(),
        ),
    }
}

fn aggregated(state: &Snapshot, api: &Api, instance: &Instance) -> Health {
    let own = state.checks_of(&instance.node, &instance.id);
    Health::of(local::node_checks(state, api).chain(own).map(|check| -> &Check { check }))
}

/// Consul knows no draining.
fn in_consuls_words(health: Health) -> &'static str {
    match health {
        Health::Draining => Health::Maintenance.as_str(),
        other => other.as_str(),
    }
}

fn code(health: Health) -> StatusCode {
    match health {
        Health::Passing => StatusCode::OK,
        Health::Warning => StatusCode::TOO_MANY_REQUESTS,
        Health::Critical | Health::Maintenance | Health::Draining => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn word(health: Health) -> Response {
    let word = in_consuls_words(health);
    because(word, respond::with_type(code(health), "text/plain", word.into()))
}

/// The answer with its reason in a header, where a header can hold it.
fn because(why: &str, mut answer: Response) -> Response {
    if let Ok(why) = HeaderValue::from_str(why) {
        respond::set(&mut answer, respond::REASON, why);
    }
    answer
}

fn wants_text(params: &Params, headers: &HeaderMap) -> bool {
    params.first("format") == Some("text")
        || headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/plain"))
}
