//! External services over the API, and where those that report by themselves do so. Not Consul's: its own paths.
//!
//! `/wharf/v1/external` registers, lists and removes what is outside containers; `/api/push/<token>` is what
//! cron jobs and the like call (the shape is Uptime Kuma's). The token is a secret: only its hash is kept, and it
//! is neither logged nor told again.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    response::{IntoResponse, Response},
    routing::{any, delete, get},
};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use wharf_catalog::{Check, Instance, Probe, ProbeKind, State as Snapshot, Status};
use wharf_catalog_checks::external::{self, External, SOURCE, Source};

use crate::Api;

/// The group of what names none.
const GROUP: &str = "external";
/// Longest message of a report, in characters.
const MESSAGE: usize = 500;

/// Everything this module answers; to be merged with [`crate::router`].
pub fn external_router(api: Api) -> Router {
    Router::new()
        .route("/wharf/v1/external", get(list).put(register))
        .route("/wharf/v1/external/{group}/{id}", delete(deregister))
        .route("/api/push/{token}", any(push))
        .with_state(api)
}

type Answer = Result<Response, Failure>;

/// A status and a text for `{"error": ...}`.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "error": self.1 }))).into_response()
    }
}

fn unkept(error: impl std::fmt::Display) -> Failure {
    Failure(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
}

async fn list(State(api): State<Api>) -> Response {
    let state = api.catalog.snapshot();
    let all: Vec<Value> = external::registered(&state).map(|one| shown(&state, one)).collect();
    ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "external": all }))).into_response()
}

/// What may be told: no header fields, bodies and tokens, which may be secret.
fn shown(state: &Snapshot, instance: &Instance) -> Value {
    let check = state.check(&instance.node, &format!("service:{}", instance.id));
    let probe = check.and_then(|check| check.probe.as_ref());
    json!({
        "service": instance.name,
        "group": instance.node,
        "id": instance.id,
        "tags": instance.tags,
        "source": instance.meta.get(SOURCE),
        "kind": probe.map(|probe| probe.kind.label()),
        "target": probe.map(target),
        "interval_ms": probe.map(|probe| probe.interval.as_millis() as u64),
        "status": check.map(|check| check.status),
        "output": check.map(|check| &check.output),
    })
}

fn target(probe: &Probe) -> String {
    match &probe.kind {
        ProbeKind::Http { url, .. } => match url::Url::parse(url) {
            Ok(mut url) => {
                let _ = url.set_password(None);
                let _ = url.set_username("");
                url.into()
            }
            Err(_) => String::new(),
        },
        ProbeKind::Route { host, path } => format!("{host}{path}"),
        ProbeKind::Tcp { address } | ProbeKind::Udp { address } | ProbeKind::H2Ping { address, .. } => {
            address.clone()
        }
        ProbeKind::Grpc { target, .. } => target.clone(),
        ProbeKind::Dns { name, record, .. } => format!("{record} {name}"),
        ProbeKind::Icmp { host } => host.clone(),
        _ => String::new(),
    }
}

/// Registers one, or changes it. A `push` without a token is given one, which is told this once.
async fn register(State(api): State<Api>, body: Bytes) -> Answer {
    let bad = |error: String| Failure(StatusCode::BAD_REQUEST, error);
    let mut definition: Value = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let made = give_token(&mut definition);
    let mut external: External =
        serde_json::from_value(definition).map_err(|error| bad(error.to_string()))?;
    if external.group.is_empty() {
        GROUP.clone_into(&mut external.group);
    }
    let commands = external::register(&api.catalog.snapshot(), &external, Source::Api)
        .map_err(|error| bad(error.to_string()))?;
    api.catalog.commit(commands).await.map_err(unkept)?;
    let mut answer = json!({ "service": external.service, "group": external.group, "id": external.id() });
    if let Some(token) = made {
        answer["push"] = json!(format!("/api/push/{token}"));
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

fn give_token(definition: &mut Value) -> Option<String> {
    let push = definition.get_mut("push")?.as_object_mut()?;
    if push.contains_key("token") {
        return None;
    }
    let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    push.insert("token".to_owned(), token.clone().into());
    Some(token)
}

async fn deregister(State(api): State<Api>, Path((group, id)): Path<(String, String)>) -> Answer {
    let commands = external::deregister(&api.catalog.snapshot(), &group, &id, Source::Api);
    if commands.is_empty() {
        let why = format!("nothing was registered over the API as `{id}` in group `{group}`");
        return Err(Failure(StatusCode::NOT_FOUND, why));
    }
    api.catalog.commit(commands).await.map_err(unkept)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a report says.
#[derive(Deserialize)]
#[serde(default)]
struct Report {
    status: String,
    msg: String,
    ping: String,
}

impl Default for Report {
    fn default() -> Self {
        Self { status: "up".to_owned(), msg: "OK".to_owned(), ping: String::new() }
    }
}

async fn push(
    State(api): State<Api>,
    method: http::Method,
    Path(token): Path<String>,
    Query(report): Query<Report>,
) -> Response {
    if method != http::Method::GET && method != http::Method::POST {
        return pushed(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST");
    }
    let state = api.catalog.snapshot();
    let Some(check) = external::pushed(&state, &token) else {
        return pushed(StatusCode::NOT_FOUND, "nothing reports with this token");
    };
    let status = match report.status.as_str() {
        "up" => Status::Passing,
        "down" => Status::Critical,
        _ => return pushed(StatusCode::BAD_REQUEST, "`status` is `up` or `down`"),
    };
    match keep(&api, check, status, &report).await {
        Ok(()) => pushed(StatusCode::OK, ""),
        Err(reason) => pushed(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

async fn keep(api: &Api, check: &Check, status: Status, report: &Report) -> Result<(), String> {
    let message: String = report.msg.chars().take(MESSAGE).collect();
    let ping = report.ping.parse::<f64>().ok().filter(|millis| (0.0..86_400_000.0).contains(millis));
    let ping = ping.map(|millis| Duration::from_secs_f64(millis / 1000.0));
    let kept = api.checks.report_timed(&check.node, &check.id, status, message, ping).await;
    kept.map_err(|error| error.to_string())
}

fn pushed(status: StatusCode, why: &str) -> Response {
    let body = match status {
        StatusCode::OK => json!({ "ok": true }),
        _ => json!({ "ok": false, "msg": why }),
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
