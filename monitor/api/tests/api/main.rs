//! The API over a running pager, as programs see it: requests in, answers out.

#![allow(clippy::unwrap_used, reason = "tests, their helpers too, may panic")]

mod duty;
mod events;
mod inbound;
mod incidents;
mod links;
mod settings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wharf_catalog::{Catalog, Clock, Timestamp, store::Memory};
use wharf_monitor::{Monitor, Storage};
use wharf_oncall::{Alert, Input, Kind};
use wharf_pager::{Oncall, Pager, Parts, Source};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// 2026-03-01T08:00:00Z, a Sunday.
const EPOCH: i64 = 1_772_352_000_000;

/// Nobody listens there: what is sent fails at once.
const PLAN: &str = r#"
time_zone = "Europe/Madrid"
[teams.platform]
members = ["dana", "lee"]
[users.dana]
name = "Dana Reyes"
contacts.hook = { type = "webhook", url = "http://127.0.0.1:1/dana", secret = "hunter2" }
paging = [{ contact = "hook" }]
[users.lee]
contacts.hook = { type = "webhook", url = "http://127.0.0.1:1/lee" }
paging = [{ contact = "hook" }]
[users.kim]
contacts.hook = { type = "webhook", url = "http://127.0.0.1:1/kim" }
paging = [{ contact = "hook" }]
[rotations.primary]
team = "platform"
start = "2026-01-05T09:00"
every = "week"
members = ["dana", "lee"]
[policies.default]
steps = [{ targets = [{ rotation = "primary" }] }, { after = "10m", targets = [{ user = "kim" }] }]
[policies.night]
steps = [{ targets = [{ user = "kim" }] }]
[routing]
default = "default"
keys.night = "night"
[silences.old]
match = ['service="old"']
until = "2027-01-01T00:00"
comment = "not ours any more"
"#;

/// A pager with its API.
struct Site {
    router: Router,
    pager: Pager,
    catalog: Catalog,
    hands: Arc<AtomicI64>,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Site {
    fn start() -> Self {
        Self::with(PLAN)
    }

    fn with(plan: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("oncall.toml"), plan).unwrap();
        Self::over(folder)
    }

    /// Over what an earlier life left.
    fn over(folder: tempfile::TempDir) -> Self {
        let path = folder.path().join("oncall.toml");
        let hands = Arc::new(AtomicI64::new(EPOCH));
        let clock = {
            let hands = hands.clone();
            Clock::new(move || Timestamp(hands.load(Ordering::Relaxed)))
        };
        let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
        let (_outcomes, inbox) = mpsc::channel(1);
        let config = wharf_monitor::Config::default();
        let (mut monitor, history) =
            Monitor::open(config, Storage::Memory, catalog.clone(), clock.clone(), inbox).unwrap();
        let (open, incidents) = monitor.incidents();
        let config = wharf_pager::Config {
            source: Some(Source { path, table: None }),
            url: "http://wharf.example:8500".to_owned(),
        };
        let parts = Parts {
            storage: Storage::File(folder.path().join("oncall.db")),
            catalog: catalog.clone(),
            clock: clock.clone(),
            open,
            incidents,
            random: vec![7; 32],
        };
        let (oncall, pager) = Oncall::open(config, parts).unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let running = tokio::spawn(async move {
            tokio::join!(monitor.run(stop.clone()), oncall.run(stop.clone()));
        });
        let router =
            wharf_oncall_api::router(wharf_oncall_api::Sources { pager: pager.clone(), history, clock });
        Self { router, pager, catalog, hands, shutdown, running, folder }
    }

    fn advance(&self, by: Duration) {
        self.hands.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// Edits the file.
    fn write(&self, plan: &str) {
        std::fs::write(self.folder.path().join("oncall.toml"), plan).unwrap();
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }

    async fn restart(self) -> Self {
        self.shutdown.cancel();
        self.running.await.unwrap();
        drop((self.router, self.pager));
        Self::over(self.folder)
    }

    /// A service fails.
    async fn fails(&self, service: &str) {
        let mut alert = Alert::new(format!("service:{service}"), Kind::Critical);
        alert.title = format!("{service} is down");
        alert.source = "test".to_owned();
        alert.fields.insert("service".to_owned(), service.to_owned());
        self.pager.say(Input::Alert(Box::new(alert))).await.unwrap();
    }

    /// It is well again.
    async fn recovers(&self, service: &str) {
        let alert = Alert::new(format!("service:{service}"), Kind::Recovery);
        self.pager.say(Input::Alert(Box::new(alert))).await.unwrap();
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        Answered::read(response).await
    }

    async fn get(&self, path: &str) -> Answered {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answered {
        self.say(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: Value) -> Answered {
        self.say(Method::PUT, path, body).await
    }

    async fn say(&self, method: Method, path: &str, body: Value) -> Answered {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn delete(&self, path: &str) -> Answered {
        self.send(Request::delete(path).body(Body::empty()).unwrap()).await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answered {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Self { status: parts.status, headers: parts.headers, text }
    }

    /// The JSON of an answer that says it went well.
    #[track_caller]
    fn good(&self) -> Value {
        assert!(self.status.is_success(), "{self:#?}");
        serde_json::from_str(&self.text).unwrap_or_else(|_| json!(self.text))
    }

    /// The text of an error with this status.
    #[track_caller]
    fn error(&self, status: u16) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        let body: Value = serde_json::from_str(&self.text).unwrap();
        body["error"].as_str().unwrap_or_else(|| panic!("{self:#?}")).to_owned()
    }
}

/// Waits until `look` finds something.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}
