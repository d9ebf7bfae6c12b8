//! What other tools send: VictorOps, PagerDuty, Opsgenie, Prometheus, Alertmanager, `amtool`.
//!
//! `wharf_oncall::inbound` reads it; here it is let in, said to the pager, and answered as its service would, once it is on
//! disk.

mod alertmanager;
mod key;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use http::{HeaderMap, StatusCode};
use metrics::counter;
use serde_json::{Value, json};
use wharf_oncall::{
    Input,
    inbound::{self, Answer, Inbound, OpsgenieAction},
};
use wharf_pager::Refusal;

use crate::Api;

/// Longest request of another tool, in bytes: a Prometheus sends many alerts at once.
const BODY: usize = 8 * 1024 * 1024;

pub(crate) fn routes(api: Api) -> Router<Api> {
    Router::new()
        .route("/integrations/generic/20131114/alert/{key}", post(victorops_unrouted))
        // As tools make it that are told a routing key, or to have none.
        .route("/integrations/generic/20131114/alert/{key}/", post(victorops_unrouted))
        .route("/integrations/generic/20131114/alert/{key}/{routing_key}", post(victorops))
        .route("/integrations/generic/20131114/alert/{key}/{routing_key}/", post(victorops))
        .route("/v2/enqueue", post(pagerduty))
        .route("/v2/alerts", post(opsgenie))
        .route("/v2/alerts/{alias}/{action}", post(opsgenie_action))
        .route("/wharf/v1/inbound/alertmanager", post(webhook))
        .merge(alertmanager::routes(api))
        .layer(DefaultBodyLimit::max(BODY))
}

type Received = Result<Bytes, BytesRejection>;

/// The body, or the status and the words with which it is refused.
fn body(received: Received) -> Result<Bytes, (u16, String)> {
    received.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => (413, format!("the body is longer than {BODY} bytes")),
        status => (status.as_u16(), "the body could not be read".to_owned()),
    })
}

fn fresh_name() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn victorops_unrouted(api: State<Api>, Path(key): Path<String>, received: Received) -> Response {
    from_victorops(&api, &key, None, received).await
}

async fn victorops(
    api: State<Api>,
    Path((key, routing_key)): Path<(String, String)>,
    received: Received,
) -> Response {
    from_victorops(&api, &key, Some(routing_key).filter(|key| !key.is_empty()), received).await
}

async fn from_victorops(api: &Api, key: &str, routing_key: Option<String>, received: Received) -> Response {
    let refused = |status, message: &str| {
        reply(Answer { status, body: json!({ "result": "failure", "message": message }) })
    };
    if !key::opens(api, key) {
        return refused(403, key::WRONG);
    }
    let body = match body(received) {
        Ok(body) => body,
        Err((status, message)) => return refused(status, &message),
    };
    match inbound::victorops(&body, routing_key.as_deref(), &fresh_name()) {
        Ok(inbound) => take(api, "victorops", inbound, |message| refused(503, message)).await,
        Err(answer) => reply(answer),
    }
}

async fn pagerduty(State(api): State<Api>, received: Received) -> Response {
    let refused = |status, message: &str| {
        let word = if status == 503 { "server error" } else { "invalid event" };
        let body = json!({ "status": word, "message": message, "errors": [message] });
        reply(Answer { status, body })
    };
    let body = match body(received) {
        Ok(body) => body,
        Err((status, message)) => return refused(status, &message),
    };
    let mut inbound = match inbound::pagerduty(&body, &fresh_name()) {
        Ok(inbound) => inbound,
        Err(answer) => return reply(answer),
    };
    for alert in &mut inbound.alerts {
        match key::before_dot(&api, alert.routing_key.take()) {
            Ok(routing_key) => alert.routing_key = routing_key,
            Err(message) => return refused(403, message),
        }
    }
    take(&api, "pagerduty", inbound, |message| refused(503, message)).await
}

async fn opsgenie(State(api): State<Api>, headers: HeaderMap, received: Received) -> Response {
    from_opsgenie(&api, &headers, received, |body, request| {
        inbound::opsgenie_create(body, &fresh_name(), request)
    })
    .await
}

async fn opsgenie_action(
    State(api): State<Api>,
    Path((alias, action)): Path<(String, String)>,
    headers: HeaderMap,
    received: Received,
) -> Response {
    let action = match action.as_str() {
        "close" => OpsgenieAction::Close,
        "acknowledge" => OpsgenieAction::Acknowledge,
        other => {
            let message = format!("`{other}` cannot be done here; close and acknowledge can");
            return reply(Answer { status: 404, body: json!({ "message": message }) });
        }
    };
    from_opsgenie(&api, &headers, received, |body, request| {
        inbound::opsgenie_action(&alias, action, body, request)
    })
    .await
}

async fn from_opsgenie(
    api: &Api,
    headers: &HeaderMap,
    received: Received,
    read: impl FnOnce(&[u8], &str) -> Result<Inbound, Answer>,
) -> Response {
    let request = fresh_name();
    let refused = |status, message: &str| {
        reply(Answer { status, body: json!({ "message": message, "took": 0.001, "requestId": request }) })
    };
    if !key::in_header(api, headers, "GenieKey") {
        return refused(401, key::WRONG);
    }
    let body = match body(received) {
        Ok(body) => body,
        Err((status, message)) => return refused(status, &message),
    };
    match read(&body, &request) {
        Ok(inbound) => take(api, "opsgenie", inbound, |message| refused(503, message)).await,
        Err(answer) => reply(answer),
    }
}

async fn webhook(State(api): State<Api>, headers: HeaderMap, received: Received) -> Response {
    if !key::in_header(&api, &headers, "Bearer") {
        return alertmanager::refused(401, key::WRONG);
    }
    match body(received) {
        Err((status, message)) => alertmanager::refused(status, &message),
        Ok(body) => match inbound::alertmanager_webhook(&body) {
            Ok(inbound) => {
                take(&api, "alertmanager", inbound, |message| alertmanager::refused(503, message)).await
            }
            Err(answer) => reply(answer),
        },
    }
}

/// Says it to the pager, and answers once it is kept; the sender says it again if it could not be.
async fn take(
    api: &Api,
    format: &'static str,
    inbound: Inbound,
    unkept: impl FnOnce(&str) -> Response,
) -> Response {
    let Inbound { alerts, answer } = inbound;
    counter!("wharf_oncall_alerts_received_total", "format" => format).increment(alerts.len() as u64);
    let inputs = alerts.into_iter().map(|alert| Input::Alert(Box::new(alert)));
    let kept = api.pager.say_all(inputs.collect()).await;
    let lost = kept.into_iter().find_map(|kept| match kept {
        Err(refusal @ (Refusal::NotKept(_) | Refusal::Stopped)) => Some(refusal),
        // An alert that changes nothing, such as the end of what never was.
        _ => None,
    });
    match lost {
        Some(refusal) => unkept(&refusal.to_string()),
        None => reply(answer),
    }
}

fn reply(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match answer.body {
        Value::Null => status.into_response(),
        body => (status, Json(body)).into_response(),
    }
}
