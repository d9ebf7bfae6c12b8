//! Alertmanager's API v2, as Prometheus and `amtool` use it.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>. Its alerts are the symptoms of open
//! incidents, whoever said them; its groups the incidents; its receivers the escalation policies.

mod filter;
mod silences;
mod view;

use axum::{
    Router,
    extract::{RawQuery, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use serde_json::{Value, json};
use wharf_oncall::inbound::{self, Answer};

use super::{Received, body, key, reply, take};
use crate::{Api, answer::fresh};
use filter::Filter;

pub(super) fn routes(api: Api) -> Router<Api> {
    Router::new()
        .route("/api/v2/alerts", get(alerts).post(receive))
        .route("/api/v2/alerts/groups", get(groups))
        .route("/api/v2/silences", get(silences::list).post(silences::set))
        .route("/api/v2/silence/{id}", get(silences::one).delete(silences::end))
        .route("/api/v2/status", get(status))
        .route("/api/v2/receivers", get(receivers))
        .layer(middleware::from_fn_with_state(api, known_only))
}

/// Lets in who knows the key.
async fn known_only(State(api): State<Api>, request: Request, next: Next) -> Response {
    if !key::in_header(&api, request.headers(), "Bearer") {
        return refused(401, key::WRONG);
    }
    next.run(request).await
}

/// As Alertmanager refuses.
pub(super) fn refused(status: u16, message: &str) -> Response {
    reply(Answer { status, body: json!({ "code": status, "message": message }) })
}

async fn receive(State(api): State<Api>, received: Received) -> Response {
    match body(received) {
        Err((status, message)) => refused(status, &message),
        Ok(body) => match inbound::alertmanager_alerts(&body, api.now()) {
            Ok(inbound) => take(&api, "prometheus", inbound, |message| refused(503, message)).await,
            Err(answer) => reply(answer),
        },
    }
}

async fn alerts(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match Filter::read(query.as_deref()) {
        Ok(filter) => {
            let picture = api.pager.picture();
            let view = view::View::of(&picture, api.now());
            let mut alerts: Vec<Value> =
                view.incidents().flat_map(|incident| view.alerts(incident, &filter)).collect();
            alerts.sort_by(|a, b| a["fingerprint"].as_str().cmp(&b["fingerprint"].as_str()));
            fresh(alerts)
        }
        Err(message) => refused(400, &message),
    }
}

async fn groups(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    match Filter::read(query.as_deref()) {
        Ok(filter) => {
            let picture = api.pager.picture();
            let view = view::View::of(&picture, api.now());
            let groups: Vec<Value> =
                view.incidents().filter_map(|incident| view.group(incident, &filter)).collect();
            fresh(groups)
        }
        Err(message) => refused(400, &message),
    }
}

/// There is no cluster; the configuration is what `amtool config` understands of ours.
async fn status(State(api): State<Api>) -> Response {
    let plan = api.pager.picture().plan;
    let name = |text: &str| Value::String(text.to_owned());
    let default = name(plan.routing.default.as_deref().unwrap_or("default"));
    let mut original = format!("route:\n  receiver: {default}\n");
    if !plan.routing.keys.is_empty() {
        original.push_str("  routes:\n");
    }
    for (key, policy) in &plan.routing.keys {
        let matcher = name(&format!("routing_key={}", name(key)));
        original.push_str(&format!("  - receiver: {}\n    matchers: [{matcher}]\n", name(policy)));
    }
    original.push_str("receivers:\n");
    for policy in view::policies(&plan) {
        original.push_str(&format!("- name: {}\n", name(policy)));
    }
    fresh(json!({
        "cluster": { "name": "", "status": "disabled", "peers": [] },
        "config": { "original": original },
        "uptime": api.began,
        "versionInfo": {
            "branch": "",
            "buildDate": "",
            "buildUser": "",
            "goVersion": "",
            "revision": "wharf",
            "version": env!("CARGO_PKG_VERSION"),
        },
    }))
}

async fn receivers(State(api): State<Api>) -> Response {
    let plan = api.pager.picture().plan;
    let names: Vec<Value> = view::policies(&plan).map(|name| json!({ "name": name })).collect();
    fresh(names)
}
