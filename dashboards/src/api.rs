//! The same figures as JSON, for the pages, the command line and scripts.
//!
//! Every error is `{"error": "..."}` with a status that says whose fault it is.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Serialize;
use serde_json::json;
use wharf_catalog::Timestamp;
use wharf_monitor::{HistoryError, Incident, Window};

use crate::{
    Sources,
    memo::{Basis, Memo},
    view,
    window::{UnknownWindow, WindowName},
};

/// Incidents told at most.
const INCIDENTS: usize = 500;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    /// Ask for a window there is.
    #[error(transparent)]
    Window(#[from] UnknownWindow),
    /// Look the name up.
    #[error("no service `{0}`")]
    NoService(String),
    /// Write the path as UTF-8.
    #[error("the path cannot be read: {0}")]
    Path(#[from] PathRejection),
    /// There is nothing at this address.
    #[error("nothing is here: try /ui/api/services, /ui/api/incidents or /ui/api/nodes")]
    NoSuchPath,
    /// Only GET.
    #[error("these addresses can only be read: use GET")]
    Method,
    /// See to the disk.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A bug here.
    #[error("the answer cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Window(_) | Self::Path(_) => StatusCode::BAD_REQUEST,
            Self::NoService(_) | Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::History(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Json(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::warn!(error = %self, "page not answered");
        }
        (status, as_json(json!({ "error": self.to_string() }).to_string().into())).into_response()
    }
}

fn as_json(body: Bytes) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, body)
}

type Answer = Result<Response, ApiError>;

struct Api {
    sources: Sources,
    memo: Memo,
}

// Written as they are: a `serde_json::Value` of 2,000 rows costs more than the rows.

#[derive(Serialize)]
struct Services {
    now: Timestamp,
    window: Window,
    services: Vec<view::ServiceRow>,
}

#[derive(Serialize)]
struct Incidents {
    now: Timestamp,
    incidents: Vec<Incident>,
}

#[derive(Serialize)]
struct Nodes {
    now: Timestamp,
    nodes: Vec<view::NodeRow>,
}

/// Everything under `/ui/api` but the stream.
pub(crate) fn router(sources: Sources) -> Router {
    let api = Api { sources, memo: Memo::default() };
    Router::new()
        .route("/services", get(services))
        .route("/services/{name}", get(service))
        .route("/incidents", get(incidents))
        .route("/nodes", get(nodes))
        // A fallback would lose to the pages' own wildcard.
        .route("/{*path}", any(|| async { ApiError::NoSuchPath }))
        .method_not_allowed_fallback(|| async { ApiError::Method })
        .with_state(Arc::new(api))
}

impl Api {
    fn basis(&self) -> Basis {
        let changes = *self.sources.history.changes().borrow();
        (self.sources.catalog.snapshot().index(), changes)
    }

    async fn answer(&self, question: String, make: impl Future<Output = Result<Bytes, ApiError>>) -> Answer {
        // The basis is read first: what changes while the answer is made makes it stale, never wrongly fresh.
        let body = self.memo.get(question, self.basis(), make).await?;
        Ok(as_json(body).into_response())
    }
}

fn body(value: &impl Serialize) -> Result<Bytes, ApiError> {
    Ok(serde_json::to_vec(value)?.into())
}

async fn services(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Answer {
    let window = window_of(query.as_deref())?;
    let make = async {
        let now = api.sources.clock.now();
        let span = window.ending(now);
        let uptimes = api.sources.history.services(span).await?;
        let services = view::service_rows(&api.sources.catalog.snapshot(), &uptimes, span);
        body(&Services { now, window: span, services })
    };
    api.answer(format!("services {}", window.as_str()), make).await
}

async fn service(
    State(api): State<Arc<Api>>,
    name: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Answer {
    let Path(name) = name?;
    let window = window_of(query.as_deref())?;
    let make = async {
        let now = api.sources.clock.now();
        let span = window.ending(now);
        let past = api.sources.history.service(&name, span).await?;
        let state = api.sources.catalog.snapshot();
        // The load balancer follows the catalog a moment later; the answer is kept as one of this snapshot.
        let routes = api.sources.proxy.as_ref().map(|proxy| proxy.table().next(&state));
        let page = view::service_page(&state, routes.as_ref(), &name, past, span, now);
        body(&page.ok_or_else(|| ApiError::NoService(name.clone()))?)
    };
    api.answer(format!("service {} {name}", window.as_str()), make).await
}

async fn incidents(State(api): State<Arc<Api>>) -> Answer {
    let make = async {
        let incidents = api.sources.history.incidents(INCIDENTS).await?;
        body(&Incidents { now: api.sources.clock.now(), incidents })
    };
    api.answer("incidents".to_owned(), make).await
}

async fn nodes(State(api): State<Arc<Api>>) -> Answer {
    let make = async {
        let nodes = view::node_rows(&api.sources.catalog.snapshot());
        body(&Nodes { now: api.sources.clock.now(), nodes })
    };
    api.answer("nodes".to_owned(), make).await
}

fn window_of(query: Option<&str>) -> Result<WindowName, UnknownWindow> {
    let named = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(key, _)| key == "window")
        .map(|(_, value)| value.into_owned());
    named.map_or(Ok(WindowName::default()), |name| name.parse())
}
