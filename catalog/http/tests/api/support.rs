//! A router over an empty catalog, and short ways to ask it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use wharf_catalog::{Catalog, Clock, OutcomeSender, Timestamp, expiry, store::Memory};
use wharf_catalog_http::{Answers, Api, Config, Hooks, agent_node, external_router, router};

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = now.clone();
    Clock::new(move || Timestamp(now.load(Ordering::SeqCst)))
}

/// An agent named `n1` with nothing registered but itself.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) router: Router,
    pub(crate) catalog: Catalog,
    pub(crate) answers: Answers,
    pub(crate) now: Arc<AtomicI64>,
}

impl Agent {
    pub(crate) async fn start() -> Self {
        Self::with(Hooks::default()).await
    }

    /// An agent whose process offers something.
    pub(crate) async fn with(hooks: Hooks) -> Self {
        let now = Arc::new(AtomicI64::new(1_000));
        let catalog = Catalog::open(Box::new(Memory), clock(&now)).unwrap();
        Self::made(now, catalog, hooks).await
    }

    /// One that has never answered anything.
    pub(crate) async fn over(catalog: Catalog) -> Self {
        Self::made(Arc::new(AtomicI64::new(1_000)), catalog, Hooks::default()).await
    }

    async fn made(now: Arc<AtomicI64>, catalog: Catalog, hooks: Hooks) -> Self {
        let (outcomes, _): (OutcomeSender, _) = tokio::sync::mpsc::channel(64);
        let clock = clock(&now);
        let config = Arc::new(Config {
            node_name: Arc::from("n1"),
            node_id: "11111111-2222-3333-4444-555555555555".to_owned(),
            ..Config::default()
        });
        catalog.commit(agent_node(&config)).await.unwrap();
        let (checks, _) = wharf_catalog_checks::checks(
            catalog.clone(),
            clock.clone(),
            outcomes,
            config.node_name.clone(),
            wharf_catalog_checks::Config::default(),
        );
        let answers = Answers::default();
        let api = Api { catalog: catalog.clone(), checks, clock, config, answers: answers.clone(), hooks };
        Self { router: router(api.clone()).merge(external_router(api)), catalog, answers, now }
    }

    /// Lets time pass, and what ends in it end.
    pub(crate) async fn pass(&self, time: Duration) {
        let time = i64::try_from(time.as_millis()).unwrap();
        let now = self.now.fetch_add(time, Ordering::SeqCst) + time;
        let (ended, _) = expiry::due(&self.catalog.snapshot(), Timestamp(now));
        self.catalog.commit(ended).await.unwrap();
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Body::empty()).await
    }

    /// A session; its id.
    pub(crate) async fn session(&self, body: &str) -> String {
        let answer = self.put("/v1/session/create", body).await;
        assert_eq!(answer.status, StatusCode::OK, "{body}: {}", answer.text());
        answer.json()["ID"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn put(&self, path: &str, body: &str) -> Answer {
        self.ask("PUT", path, body.to_owned()).await
    }

    /// A write that has to work.
    pub(crate) async fn done(&self, path: &str, body: &str) {
        let answer = self.put(path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "PUT {path} {body}: {}", answer.text());
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn index(&self) -> u64 {
        self.header("x-consul-index").parse().unwrap()
    }
}
