//! A receiver of webhooks that writes down what it gets, and refuses the first few.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use sha2::Sha256;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use wharf_monitor::{Config, DeliveryConfig, Secret, WebhookConfig};

use crate::PATIENCE;

pub(crate) struct Receiver {
    pub(crate) url: String,
    arrived: mpsc::UnboundedReceiver<Notice>,
    pub(crate) attempts: Arc<AtomicUsize>,
}

/// One request as it came.
pub(crate) struct Notice {
    pub(crate) header: HeaderMap,
    pub(crate) body: Bytes,
}

impl Notice {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Checks the signature as a receiver would: over the bytes, with its own copy of the secret.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&self.body);
        let told = self.header["x-wharf-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
        let bytes: Vec<u8> =
            (0..told.len()).step_by(2).map(|at| u8::from_str_radix(&told[at..at + 2], 16).unwrap()).collect();
        mac.verify_slice(&bytes).is_ok()
    }
}

#[derive(Clone)]
struct Desk {
    arrived: mpsc::UnboundedSender<Notice>,
    attempts: Arc<AtomicUsize>,
    refuse: usize,
}

impl Receiver {
    /// Refuses the first `refuse` attempts, then takes everything.
    pub(crate) async fn start(refuse: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, refuse)
    }

    pub(crate) fn on(listener: TcpListener, refuse: usize) -> Self {
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, arrived) = mpsc::unbounded_channel();
        let attempts = Arc::new(AtomicUsize::new(0));
        let desk = Desk { arrived: sender, attempts: attempts.clone(), refuse };
        let router = Router::new().route("/hook", post(take)).with_state(desk);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, arrived, attempts }
    }

    pub(crate) async fn next(&mut self) -> Notice {
        timeout(PATIENCE, self.arrived.recv()).await.expect("a notification").unwrap()
    }
}

async fn take(State(desk): State<Desk>, header: HeaderMap, body: Bytes) -> StatusCode {
    if desk.attempts.fetch_add(1, Ordering::Relaxed) < desk.refuse {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let _ = desk.arrived.send(Notice { header, body });
    StatusCode::NO_CONTENT
}

/// A configuration that notifies `url`, and is impatient.
pub(crate) fn notifying(url: &str) -> Config {
    // Only the first of all tests gets to install it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Config {
        webhooks: vec![WebhookConfig { url: url.to_owned(), secret: Some(Secret::new("s3cret")) }],
        delivery: DeliveryConfig {
            first_backoff: std::time::Duration::from_millis(20),
            max_backoff: std::time::Duration::from_millis(100),
            ..DeliveryConfig::default()
        },
        service_url: "http://127.0.0.1:8500/ui/services/{service}".to_owned(),
        ..Config::default()
    }
}
