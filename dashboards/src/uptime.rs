//! `/wharf/v1/...`: the past for scripts (JSON and CSV), badges, imports, maintenance windows, announcements.
//!
//! Errors are `{"error": "..."}` with a status that says whose fault it is. What is written here is kept in the catalog
//! (windows, announcements) or by the monitor (imports); nothing is decided.

mod document;
mod question;
mod table;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use wharf_catalog::{CommitError, Timestamp};
use wharf_monitor::{HistoryError, Import, Incident, Per, Report, Test, Window};

use crate::{Sources, badge::Badge, csv::Table, window::WindowName};
use question::{Format, Question, What};

/// Longest import, in bytes.
const IMPORT: usize = 64 * 1024 * 1024;
/// Incidents told at most.
const INCIDENTS: usize = 10_000;

/// Everything under `/wharf/v1` that is about the past.
pub(crate) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/wharf/v1/uptime", get(all))
        .route(
            "/wharf/v1/uptime/import",
            post(import).layer(DefaultBodyLimit::max(IMPORT)).get(called_import),
        )
        .route("/wharf/v1/uptime/{service}", get(one))
        .route("/wharf/v1/outages", get(outages))
        .route("/wharf/v1/badge/{service}/{what}", get(badge))
        .route("/wharf/v1/maintenance", get(document::windows))
        .route("/wharf/v1/maintenance/{id}", put(document::put_window).delete(document::delete_window))
        .route("/wharf/v1/announcements", get(document::announcements))
        .route(
            "/wharf/v1/announcements/{id}",
            put(document::put_announcement).delete(document::delete_announcement),
        )
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

#[derive(Serialize)]
struct Tests {
    now: Timestamp,
    window: Window,
    service: String,
    /// As imports take them: when, whether it passed, milliseconds.
    tests: Vec<Test>,
}

async fn all(State(sources): State<Arc<Sources>>, RawQuery(query): RawQuery) -> Answer {
    let question = Question::read(query.as_deref(), sources.clock.now()).map_err(bad)?;
    match (&question.service, question.what) {
        (Some(service), _) => of_service(&sources, service, &question).await,
        (None, What::Tests) => Err(bad("single tests are those of one service: say which by `service`")),
        (None, _) => reports(&sources, tagged(&sources, &question), &question).await,
    }
}

/// The services with the tag that is asked for, if one is.
fn tagged(sources: &Sources, question: &Question) -> Option<Vec<String>> {
    let tag = question.tag.as_ref()?;
    let state = sources.catalog.snapshot();
    let tagged = state.instances().filter(|one| one.tags.contains(tag));
    Some(tagged.map(|one| one.name.to_string()).collect())
}

/// A service may have any name.
async fn called_import(sources: State<Arc<Sources>>, query: RawQuery) -> Answer {
    one(sources, Path("import".to_owned()), query).await
}

async fn one(
    State(sources): State<Arc<Sources>>,
    Path(service): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let question = Question::read(query.as_deref(), sources.clock.now()).map_err(bad)?;
    of_service(&sources, &service, &question).await
}

async fn of_service(sources: &Sources, service: &str, question: &Question) -> Answer {
    let unknown = || Failure(StatusCode::NOT_FOUND, format!("no service `{service}`"));
    if question.what == What::Tests {
        let tests = sources.history.tests(service, question.window).await?.ok_or_else(unknown)?;
        return Ok(match question.format {
            Format::Json => fresh(Tests {
                now: sources.clock.now(),
                window: question.window,
                service: service.to_owned(),
                tests,
            }),
            Format::Csv => csv(table::tests(service, &tests), "tests"),
        });
    }
    if sources.history.current(vec![service.to_owned()]).await?.is_empty() {
        return Err(unknown());
    }
    reports(sources, Some(vec![service.to_owned()]), question).await
}

async fn reports(sources: &Sources, names: Option<Vec<String>>, question: &Question) -> Answer {
    let zone = question.zone.clone();
    let reports = sources.history.report(names, question.window, question.per, zone).await?;
    Ok(match (question.format, question.what) {
        (Format::Json, _) => fresh(Reports {
            now: sources.clock.now(),
            window: question.window,
            per: question.per,
            services: reports,
        }),
        (Format::Csv, What::Intervals) => csv(table::intervals(&reports), "intervals"),
        (Format::Csv, _) => csv(table::periods(&reports), "uptime"),
    })
}

async fn outages(State(sources): State<Arc<Sources>>, RawQuery(query): RawQuery) -> Answer {
    let question = Question::read(query.as_deref(), sources.clock.now()).map_err(bad)?;
    let names = question.service.clone().map(|one| vec![one]).or_else(|| tagged(&sources, &question));
    let Window { from, to } = question.window;
    let mut outages = sources.history.incidents(INCIDENTS).await?;
    outages.retain(|one| {
        let within = one.started <= to && one.resolved.is_none_or(|end| end >= from);
        (within || !question.has_window) && names.as_ref().is_none_or(|names| names.contains(&one.service))
    });
    Ok(match question.format {
        Format::Json => fresh(Outages { now: sources.clock.now(), outages }),
        Format::Csv => csv(table::outages(&outages), "outages"),
    })
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
