//! `/wharf/v1/...`: the past for scripts (JSON and CSV), badges, imports, maintenance windows, announcements.
//!
//! Errors are `{"error": "..."}` with a status that says whose fault it is. What is written here is kept in the catalog
//! (windows, announcements) or by the monitor (imports); nothing is decided.

mod question;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use wharf_catalog::{CommitError, Document, Timestamp};
use wharf_monitor::{
    HistoryError, Import, Incident, Per, Period, Report, Window,
    maintenance::{DOCUMENTS, Maintenance, Windows},
};

use crate::{
    Sources,
    badge::Badge,
    csv::{Cell, Table},
    status::{ANNOUNCEMENTS, Announcement},
    window::WindowName,
};
use question::{Format, Question};

/// Longest import, in bytes.
const IMPORT: usize = 64 * 1024 * 1024;
/// Incidents told at most.
const INCIDENTS: usize = 10_000;

/// Everything under `/wharf/v1` that is about the past.
pub(crate) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/wharf/v1/uptime", get(all))
        .route("/wharf/v1/uptime/import", post(import).layer(DefaultBodyLimit::max(IMPORT)))
        .route("/wharf/v1/uptime/{service}", get(one))
        .route("/wharf/v1/outages", get(outages))
        .route("/wharf/v1/badge/{service}/{what}", get(badge))
        .route("/wharf/v1/maintenance", get(windows))
        .route("/wharf/v1/maintenance/{id}", put(put_window).delete(delete_window))
        .route("/wharf/v1/announcements", get(announcements))
        .route("/wharf/v1/announcements/{id}", put(put_announcement).delete(delete_announcement))
        .with_state(Arc::new(sources))
}

/// A status and a text.
pub(crate) struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let Self(status, text) = self;
        if status.is_server_error() {
            tracing::warn!(error = %text, "request not answered");
        }
        (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "error": text }))).into_response()
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let status = match error {
            HistoryError::Question(_) => StatusCode::BAD_REQUEST,
            HistoryError::Read(_) | HistoryError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self(status, error.to_string())
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}

fn bad(text: impl ToString) -> Failure {
    Failure(StatusCode::BAD_REQUEST, text.to_string())
}

type Answer = Result<Response, Failure>;

// Written as they are: a `serde_json::Value` of many rows costs more than the rows.

#[derive(Serialize)]
struct Reports {
    now: Timestamp,
    window: Window,
    per: Per,
    services: Vec<Report>,
}

#[derive(Serialize)]
struct Outages {
    now: Timestamp,
    outages: Vec<Incident>,
}

fn fresh(body: impl Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn csv(table: Table, name: &str) -> Response {
    let disposition = format!("attachment; filename=\"{name}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, table.finish()).into_response()
}

async fn all(State(sources): State<Arc<Sources>>, RawQuery(query): RawQuery) -> Answer {
    let question = Question::read(query.as_deref(), sources.clock.now()).map_err(bad)?;
    let names = question.tag.as_ref().map(|tag| {
        let state = sources.catalog.snapshot();
        let tagged = state.instances().filter(|one| one.tags.contains(tag));
        tagged.map(|one| one.name.to_string()).collect()
    });
    reports(&sources, names, &question).await
}

async fn one(
    State(sources): State<Arc<Sources>>,
    Path(service): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let question = Question::read(query.as_deref(), sources.clock.now()).map_err(bad)?;
    let known = sources.history.current(vec![service.clone()]).await?;
    if known.is_empty() {
        return Err(Failure(StatusCode::NOT_FOUND, format!("no service `{service}`")));
    }
    reports(&sources, Some(vec![service]), &question).await
}

async fn reports(sources: &Sources, names: Option<Vec<String>>, question: &Question) -> Answer {
    let zone = question.zone.clone();
    let reports = sources.history.report(names, question.window, question.per, zone).await?;
    Ok(match question.format {
        Format::Json => fresh(Reports {
            now: sources.clock.now(),
            window: question.window,
            per: question.per,
            services: reports,
        }),
        Format::Csv => csv(periods(&reports), "uptime"),
        Format::Intervals => csv(intervals(&reports), "intervals"),
    })
}

fn instant(at: Timestamp) -> Cell {
    Cell::Word(jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_string()).unwrap_or_default())
}

fn periods(reports: &[Report]) -> Table {
    let mut table = Table::new(&[
        "service",
        "from",
        "to",
        "availability",
        "responsiveness",
        "response_time_ms",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "tests",
        "outages",
        "tested_ms",
        "downtime_ms",
        "state",
    ]);
    for (report, period) in reports.iter().flat_map(|report| report.periods.iter().map(move |p| (report, p)))
    {
        let Period { from, to, availability, responsiveness, response_time_ms, .. } = period;
        table.row([
            Cell::Text(report.service.clone()),
            instant(*from),
            instant(*to),
            Cell::known(*availability),
            Cell::known(*responsiveness),
            Cell::known(*response_time_ms),
            Cell::known(period.p50_ms),
            Cell::known(period.p95_ms),
            Cell::known(period.p99_ms),
            Cell::number(period.tests),
            Cell::number(period.outages),
            Cell::number(period.tested_ms),
            Cell::number(period.downtime_ms),
            Cell::number(period.state),
        ]);
    }
    table
}

fn intervals(reports: &[Report]) -> Table {
    let mut table = Table::new(&["service", "from", "to", "state", "reason", "imported"]);
    for (report, interval) in
        reports.iter().flat_map(|report| report.intervals.iter().map(move |i| (report, i)))
    {
        table.row([
            Cell::Text(report.service.clone()),
            instant(interval.from),
            interval.to.map_or(Cell::Word(String::new()), instant),
            Cell::number(interval.state),
            Cell::Text(interval.reason.clone()),
            Cell::number(interval.imported),
        ]);
    }
    table
}

async fn outages(State(sources): State<Arc<Sources>>, RawQuery(query): RawQuery) -> Answer {
    let question = Question::read(query.as_deref(), sources.clock.now()).map_err(bad)?;
    let outages = sources.history.incidents(INCIDENTS).await?;
    Ok(match question.format {
        Format::Json => fresh(Outages { now: sources.clock.now(), outages }),
        Format::Csv | Format::Intervals => csv(outage_table(&outages), "outages"),
    })
}

fn outage_table(outages: &[Incident]) -> Table {
    let mut table = Table::new(&["id", "service", "state", "started", "resolved", "reason", "resolution"]);
    for incident in outages {
        table.row([
            Cell::number(incident.id),
            Cell::Text(incident.service.clone()),
            Cell::number(incident.state.as_str()),
            instant(incident.started),
            incident.resolved.map_or(Cell::Word(String::new()), instant),
            Cell::Text(incident.reason.clone()),
            Cell::Text(incident.resolution.clone()),
        ]);
    }
    table
}

async fn badge(
    State(sources): State<Arc<Sources>>,
    Path((service, what)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let pairs: BTreeMap<_, _> =
        form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes()).into_owned().collect();
    let window: WindowName =
        pairs.get("window").map_or(Ok(WindowName::default()), |name| name.parse()).map_err(bad)?;
    if !["availability.svg", "state.svg", "response.svg"].contains(&&*what) {
        let text = "badges are `availability.svg`, `state.svg` and `response.svg`";
        return Err(Failure(StatusCode::NOT_FOUND, text.to_owned()));
    }
    let span = window.ending(sources.clock.now());
    let found = sources.history.summary(&service, span).await?;
    let (status, badge) = match (found, &*what) {
        (None, _) => (StatusCode::NOT_FOUND, Badge::unknown(&service)),
        (Some(past), "availability.svg") => {
            (StatusCode::OK, Badge::availability(&service, window.as_str(), past.availability))
        }
        (Some(past), "response.svg") => {
            (StatusCode::OK, Badge::response(&service, window.as_str(), past.response_time_ms))
        }
        (Some(past), _) => (StatusCode::OK, Badge::state(&service, past.state)),
    };
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=30"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        // Made to be shown on other sites.
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ];
    Ok((status, headers, badge.svg()).into_response())
}

/// Only what says it is JSON: no page elsewhere can have a browser send that without asking first.
fn is_json(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        return Ok(());
    }
    Err(Failure(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "send JSON, with `Content-Type: application/json`".to_owned(),
    ))
}

async fn import(State(sources): State<Arc<Sources>>, headers: HeaderMap, body: Bytes) -> Answer {
    if !sources.config.import {
        let text = "imports are off: set `import = true` in the settings' [pages] table";
        return Err(Failure(StatusCode::FORBIDDEN, text.to_owned()));
    }
    is_json(&headers)?;
    let import: Import = serde_json::from_slice(&body).map_err(bad)?;
    let imported = sources.history.import(import).await?;
    Ok(fresh(json!(imported)))
}

async fn windows(State(sources): State<Arc<Sources>>) -> Response {
    let state = sources.catalog.snapshot();
    let all: BTreeMap<_, _> =
        state.documents(DOCUMENTS).map(|one| (one.id.clone(), parsed(&one.body))).collect();
    fresh(json!({ "maintenance": all, "settings": sources.config.maintenance }))
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or(Value::Null)
}

async fn put_window(
    State(sources): State<Arc<Sources>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    is_json(&headers)?;
    let mut window: Maintenance = serde_json::from_slice(&body).map_err(bad)?;
    if window.name.is_empty() {
        window.name.clone_from(&id);
    }
    if window.from.is_none() && window.every.is_empty() && window.month_days.is_empty() {
        // A pause: from now on.
        window.from =
            jiff::Timestamp::from_millisecond(sources.clock.now().0).ok().map(|now| now.to_string());
    }
    Windows::new([&window]).map_err(bad)?;
    keep(&sources, DOCUMENTS, &id, &json!(window)).await?;
    Ok(fresh(json!({ "id": id, "window": window })))
}

async fn delete_window(State(sources): State<Arc<Sources>>, Path(id): Path<String>) -> Answer {
    remove(&sources, DOCUMENTS, &id).await
}

async fn announcements(State(sources): State<Arc<Sources>>) -> Response {
    let state = sources.catalog.snapshot();
    let all: BTreeMap<_, _> =
        state.documents(ANNOUNCEMENTS).map(|one| (one.id.clone(), parsed(&one.body))).collect();
    fresh(json!({ "announcements": all, "settings": sources.config.announcements }))
}

async fn put_announcement(
    State(sources): State<Arc<Sources>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    is_json(&headers)?;
    let announcement: Announcement = serde_json::from_slice(&body).map_err(bad)?;
    announcement.check().map_err(bad)?;
    keep(&sources, ANNOUNCEMENTS, &id, &json!(announcement)).await?;
    Ok(fresh(json!({ "id": id, "announcement": announcement })))
}

async fn delete_announcement(State(sources): State<Arc<Sources>>, Path(id): Path<String>) -> Answer {
    remove(&sources, ANNOUNCEMENTS, &id).await
}

async fn keep(sources: &Sources, kind: &str, id: &str, body: &Value) -> Result<(), Failure> {
    let document = Document::new(kind, id, body.to_string());
    sources.catalog.commit(vec![wharf_catalog::Command::PutDocument(document, None)]).await?;
    Ok(())
}

async fn remove(sources: &Sources, kind: &str, id: &str) -> Answer {
    if sources.catalog.snapshot().document(kind, id).is_none() {
        return Err(Failure(StatusCode::NOT_FOUND, format!("there is no `{id}`")));
    }
    let delete = wharf_catalog::Command::DeleteDocument { kind: kind.into(), id: id.into(), cas: None };
    sources.catalog.commit(vec![delete]).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Window lengths from which another period is the fitting one.
const DAYS_FROM: Duration = Duration::from_secs(2 * 86_400);
const MONTHS_FROM: Duration = Duration::from_secs(92 * 86_400);
