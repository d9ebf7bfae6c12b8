//! What the proxy counts.

use std::sync::Arc;

use http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

/// The figures of one service, looked up once.
#[derive(Debug)]
pub(crate) struct Figures {
    /// By the first digit of the status.
    requests: [Counter; 5],
    seconds: Histogram,
    retries: Counter,
    service: Arc<str>,
}

impl Figures {
    pub(crate) fn of(service: &Arc<str>) -> Self {
        let name = || service.to_string();
        let requests = ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|code| counter!("wharf_proxy_requests_total", "service" => name(), "code" => code));
        Self {
            requests,
            seconds: histogram!("wharf_proxy_request_seconds", "service" => name()),
            retries: counter!("wharf_proxy_retries_total", "service" => name()),
            service: service.clone(),
        }
    }

    /// A request was answered, its head after so many seconds.
    pub(crate) fn answered(&self, status: StatusCode, seconds: f64) {
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[class].increment(1);
        self.seconds.record(seconds);
    }

    /// A request is sent once more.
    pub(crate) fn retried(&self) {
        self.retries.increment(1);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self, kind: &'static str) {
        counter!("wharf_proxy_upstream_errors_total", "service" => self.service.to_string(), "kind" => kind)
            .increment(1);
    }
}
