//! How the templates do, over HTTP: `/wharf/v1/templates` and `/metrics`.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use axum::{Json, Router, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wharf_template::{Feed, Mirror, Statuses, explain};

/// What is shown at present.
#[derive(Debug, Clone, Default)]
pub(super) struct Page(Arc<std::sync::Mutex<Option<(Mirror, Statuses)>>>);

impl Page {
    pub(super) fn show(&self, mirror: Mirror, statuses: Statuses) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((mirror, statuses));
    }

    fn explanations(&self) -> Vec<explain::Explanation> {
        let shown = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        shown.map_or(Vec::new(), |(mirror, statuses)| explain::all(&Feed::There(mirror), "", &statuses))
    }
}

pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on `{address}`: choose another address with --status-addr"))
}

pub(super) async fn serve(
    listener: TcpListener,
    page: Page,
    metrics: PrometheusHandle,
    stop: CancellationToken,
) {
    let routes = Router::new()
        .route("/wharf/v1/templates", get(move || async move { Json(page.explanations()) }))
        .route("/metrics", get(move || async move { metrics.render() }));
    let served = axum::serve(listener, routes).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::warn!(%error, "the status page ended");
    }
}
