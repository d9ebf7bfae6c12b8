//! A phone: an HTTP server that takes the pages wharf sends by webhook.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Path as InPath, State},
    http::HeaderMap,
    routing::post,
};
use serde_json::Value;

/// A page that arrived.
#[derive(Debug, Clone)]
pub struct Page {
    /// The path it came to: whose phone.
    pub whose: String,
    /// Its number.
    pub delivery: String,
    pub body: Value,
}

impl Page {
    pub fn occasion(&self) -> &str {
        self.body["occasion"].as_str().unwrap_or_default()
    }

    pub fn entity(&self) -> &str {
        self.body["incidents"][0]["entity"].as_str().unwrap_or_default()
    }
}

type Pages = Arc<Mutex<Vec<Page>>>;

/// The phone, while it is held.
#[derive(Clone)]
pub struct Phone {
    pub addr: SocketAddr,
    pages: Pages,
}

impl Phone {
    pub async fn start() -> Self {
        let pages = Pages::default();
        let app = Router::new().route("/{whose}", post(take)).with_state(pages.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { addr, pages }
    }

    /// The pages that were taken.
    pub fn pages(&self) -> Vec<Page> {
        self.pages.lock().unwrap().clone()
    }

    /// Those about this entity.
    pub fn about(&self, entity: &str) -> Vec<Page> {
        self.pages().into_iter().filter(|page| page.entity() == entity).collect()
    }

    /// An on-call configuration with dana, whose phone this is, and lee, who comes after a minute; to be told by `--oncall-file`.
    pub fn configuration(&self, folder: &Path) -> PathBuf {
        let path = folder.join("oncall.toml");
        let addr = self.addr;
        let text = format!(
            r#"
[users.dana]
name = "Dana Reyes"
contacts.phone = {{ type = "webhook", url = "http://{addr}/dana", secret = "s3cret-of-dana" }}
paging = [{{ contact = "phone" }}]
page_again = "1h"
[users.lee]
contacts.phone = {{ type = "webhook", url = "http://{addr}/lee" }}
paging = [{{ contact = "phone" }}]
[rotations.primary]
start = 2026-01-05T09:00:00
every = "week"
members = ["dana", "lee"]
[policies.default]
steps = [{{ targets = [{{ user = "dana" }}] }}, {{ after = "1m", targets = [{{ user = "lee" }}] }}]
[routing]
default = "default"
"#
        );
        std::fs::write(&path, text).unwrap();
        path
    }
}

async fn take(State(pages): State<Pages>, InPath(whose): InPath<String>, headers: HeaderMap, body: String) {
    let delivery = headers.get("x-wharf-delivery").and_then(|value| value.to_str().ok());
    let delivery = delivery.unwrap_or_default().to_owned();
    pages.lock().unwrap().push(Page { whose, delivery, body: serde_json::from_str(&body).expect("JSON") });
}
