//! A container is killed: the service is down on the page, an incident opens and is posted; a new
//! container resolves it.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use serde_json::Value;

use crate::harness::{Containers, Engine, Wharf, unique, until};

type Received = Arc<Mutex<Vec<Value>>>;

async fn receiver() -> (String, Received) {
    let received = Received::default();
    let take = |State(received): State<Received>, body: String| async move {
        received.lock().unwrap().push(serde_json::from_str(&body).expect("JSON"));
    };
    let app = Router::new().route("/hook", post(take)).with_state(received.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, received)
}

#[tokio::test]
async fn the_incident_opens_with_the_death_and_resolves_with_the_replacement() {
    let engine = Engine::of_this_machine();
    let (url, received) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("wharf.toml");
    std::fs::write(&settings, format!("[[monitor.webhooks]]\nurl = \"{url}\"\nsecret = \"s3cret\"\n"))
        .unwrap();
    let wharf = Wharf::start(&["--docker-host", &engine.host(), "--config", &settings.display().to_string()]);
    let (containers, service) = (Containers::on(&engine), unique("mortal"));
    let page = format!("/ui/api/services/{service}");
    let state = async || wharf.json(&page).await["row"]["state"].as_str().unwrap_or_default().to_owned();

    let name = containers.run(&service, &[], &[]);
    until("up", state, |state| state == "up").await;
    containers.tell(&["kill"], &name);
    until("down", state, |state| state == "down").await;
    let events = |event: &str| -> Vec<Value> {
        let mine = |note: &&Value| note["event"] == *event && note.to_string().contains(&service);
        received.lock().unwrap().iter().filter(mine).cloned().collect()
    };
    until("triggered is posted", async || events("incident.triggered").len(), |n| *n == 1).await;

    containers.run(&service, &[], &[]);
    until("up again", state, |state| state == "up").await;
    until("resolved is posted", async || events("incident.resolved").len(), |n| *n == 1).await;
    assert!(wharf.logged("s3cret").is_empty(), "a secret in the log");
}
