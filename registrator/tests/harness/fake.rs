//! An engine that speaks Docker's HTTP protocol over a socket and has as many containers as wanted, none of them
//! real: for measuring what we cost, without what an engine costs.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Value, json};
use tokio::{net::UnixListener, sync::broadcast, task::JoinHandle};

/// It.
pub struct Fake {
    place: tempfile::TempDir,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    containers: Mutex<BTreeMap<String, Value>>,
    events: broadcast::Sender<Bytes>,
    requests: AtomicUsize,
}

impl Fake {
    /// An engine with `count` running containers `c0`, `c1` ... of services of ten instances each.
    pub fn with(count: usize) -> Self {
        let place = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(place.path().join("s")).unwrap();
        let containers = (0..count).map(|number| (id(number), inspect(number))).collect();
        let shared = Arc::new(Shared {
            containers: Mutex::new(containers),
            events: broadcast::channel(4096).0,
            requests: AtomicUsize::new(0),
        });
        let routes = Router::new()
            .route("/containers/json", get(list))
            .route("/containers/{id}/json", get(one))
            .route("/events", get(events))
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { place, shared, task }
    }

    pub fn host(&self) -> String {
        format!("unix://{}/s", self.place.path().display())
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// A further container starts.
    pub fn start(&self, number: usize) {
        self.shared.containers.lock().unwrap().insert(id(number), inspect(number));
        self.happens(number, "start", json!({}));
    }

    /// A container gets its stop signal.
    pub fn signal(&self, number: usize) {
        self.happens(number, "kill", json!({ "signal": "15" }));
    }

    /// A container ends.
    pub fn end(&self, number: usize) {
        self.shared.containers.lock().unwrap().remove(&id(number));
        self.happens(number, "die", json!({ "exitCode": "0" }));
    }

    fn happens(&self, number: usize, action: &str, attributes: Value) {
        let actor = json!({ "ID": id(number), "Attributes": attributes });
        let event = json!({ "Type": "container", "Action": action, "Actor": actor });
        let _ = self.shared.events.send(Bytes::from(format!("{event}\n")));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn list(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let containers = shared.containers.lock().unwrap();
    let summary = |inspect: &Value| {
        json!({
            "Id": inspect["Id"],
            "Names": [inspect["Name"]],
            "Image": inspect["Config"]["Image"],
            "Ports": [{ "IP": "0.0.0.0", "PrivatePort": 8080, "PublicPort": 32768, "Type": "tcp" }],
            "Labels": inspect["Config"]["Labels"],
            "State": "running",
            "Status": "Up 3 hours",
            "NetworkSettings": { "Networks": inspect["NetworkSettings"]["Networks"] },
        })
    };
    Json(containers.values().map(summary).collect())
}

async fn one(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    match shared.containers.lock().unwrap().get(&id) {
        Some(inspect) => Json(inspect.clone()).into_response(),
        None => (StatusCode::NOT_FOUND, Json(json!({ "message": "no such container" }))).into_response(),
    }
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let stream = futures_util::stream::unfold(shared.events.subscribe(), |mut events| async {
        events.recv().await.ok().map(|event| (Ok::<_, Infallible>(event), events))
    });
    Body::from_stream(stream).into_response()
}

fn id(number: usize) -> String {
    format!("{number:064x}")
}

/// What a real engine tells of a container, as far as size and shape go.
fn inspect(number: usize) -> Value {
    let address = format!("172.{}.{}.{}", 18 + number / 65_000, number / 250 % 256, 2 + number % 250);
    let port = 10_000 + number % 50_000;
    let filler: BTreeMap<_, _> =
        (0..20).map(|n| (format!("com.example.label-{n}"), "x".repeat(40))).collect();
    let mut labels = json!(filler);
    labels["SERVICE_NAME"] = json!(format!("service-{}", number / 10));
    labels["SERVICE_TAGS"] = json!("prod,eu");
    labels["SERVICE_CHECK_HTTP"] = json!("/health");
    json!({
        "Id": id(number),
        "Name": format!("/c{number}"),
        "State": { "Status": "running", "Running": true },
        "HostConfig": { "NetworkMode": "default", "PortBindings": { "8080/tcp": [{ "HostPort": "" }] } },
        "Config": {
            "Hostname": format!("c{number}"),
            "Image": "registry.example.com/team/app:1",
            "Env": (0..15).map(|n| format!("VARIABLE_{n}={}", "y".repeat(30))).collect::<Vec<_>>(),
            "ExposedPorts": { "8080/tcp": {} },
            "Labels": labels,
        },
        "NetworkSettings": {
            "Ports": { "8080/tcp": [{ "HostIp": "0.0.0.0", "HostPort": port.to_string() }] },
            "Networks": { "bridge": { "IPAddress": address, "Gateway": "172.17.0.1" } },
        },
    })
}
