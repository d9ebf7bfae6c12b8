//! How many requests, how long do they take? Per route, so that names and keys never become labels.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use axum::{
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};
use tokio::time::{Duration, Instant};

/// Time a blocking read spent waiting for a change: not work, so not counted as such.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited(pub(crate) Duration);

/// The metrics of one route. Looked up once for each request; found by name, they would cost more than
/// many an answer.
#[derive(Debug, Clone)]
pub(crate) struct Meter(Arc<Metrics>);

#[derive(Debug)]
struct Metrics {
    route: Arc<str>,
    seconds: OnceLock<Histogram>,
    fine: OnceLock<Counter>,
}

impl Meter {
    /// One request was answered.
    pub(crate) fn count(&self, status: StatusCode, took: Duration) {
        let Metrics { route, seconds, fine } = &*self.0;
        let counted = || {
            let status = status.as_str().to_owned();
            counter!("wharf_http_requests_total", "route" => route.to_string(), "status" => status)
        };
        match status {
            StatusCode::OK => fine.get_or_init(counted).increment(1),
            _ => counted().increment(1),
        }
        let histogram = || histogram!("wharf_http_request_seconds", "route" => route.to_string());
        seconds.get_or_init(histogram).record(took.as_secs_f64());
    }
}

/// The meters of all routes so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meters(Arc<RwLock<HashMap<Arc<str>, Meter>>>);

impl Meters {
    /// That of the route with this path.
    fn of(&self, route: &str) -> Meter {
        if let Some(meter) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(route) {
            return meter.clone();
        }
        let route: Arc<str> = route.into();
        let metrics = Metrics { route: route.clone(), seconds: OnceLock::new(), fine: OnceLock::new() };
        let mut meters = self.0.write().unwrap_or_else(PoisonError::into_inner);
        meters.entry(route).or_insert_with(|| Meter(Arc::new(metrics))).clone()
    }
}

/// Counts and times a request.
pub(crate) async fn measure(meters: Meters, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let meter = meters.of(route.map_or("unmatched", MatchedPath::as_str));
    request.extensions_mut().insert(meter.clone());
    let begun = Instant::now();
    let response = next.run(request).await;
    let waited = response.extensions().get::<Waited>().map_or(Duration::ZERO, |waited| waited.0);
    meter.count(response.status(), begun.elapsed().saturating_sub(waited));
    response
}
