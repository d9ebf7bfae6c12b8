//! What the API can have done by whoever runs it.

use std::{fmt, sync::Arc};

use tokio_util::sync::CancellationToken;

/// Things the process may offer the API. Without one, the endpoint that needs it says so.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    /// Cancelled to stop the process (`agent/leave`).
    pub stop: Option<CancellationToken>,
    /// The process's metrics (`agent/metrics`).
    pub metrics: Option<MetricsText>,
}

/// Renders all metrics of the process in Prometheus' text form.
#[derive(Clone)]
pub struct MetricsText(Arc<dyn Fn() -> String + Send + Sync>);

impl MetricsText {
    /// Metrics that `render` writes down.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }

    /// As of now.
    pub(crate) fn render(&self) -> String {
        (self.0)()
    }
}

impl fmt::Debug for MetricsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsText")
    }
}
