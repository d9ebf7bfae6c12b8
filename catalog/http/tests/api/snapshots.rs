//! `/v1/snapshot`.

use std::time::Duration;

use http::StatusCode;
use wharf_catalog::{Command, Session};

use crate::support::Agent;

#[tokio::test]
async fn a_restore_brings_back_what_was_saved_and_wakes_who_watches() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/a", "old").await;
    agent.done("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    let session = Session { ttl: Some(Duration::from_secs(60)), ..Session::new("s", "n1") };
    agent.catalog.commit(vec![Command::PutSession(session)]).await.unwrap();
    let saved = agent.get("/v1/snapshot").await;
    assert_eq!(saved.header("content-type"), "application/x-gzip");
    agent.done("/v1/kv/a", "new").await;
    agent.done("/v1/kv/b", "later").await;
    agent.done("/v1/agent/service/deregister/web", "").await;
    agent.catalog.commit(vec![Command::EndSession("s".into())]).await.unwrap();
    let index = agent.get("/v1/kv/a").await.index();
    let waiting = {
        let agent = agent.clone();
        tokio::spawn(async move { agent.get(&format!("/v1/kv/a?raw&index={index}&wait=30s")).await })
    };
    let restored = agent.ask("PUT", "/v1/snapshot", saved.body).await;
    assert_eq!((restored.status, restored.text().as_str()), (StatusCode::OK, ""));
    let woken = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(woken.text(), "old");
    assert!(woken.index() > index);
    assert_eq!(agent.get("/v1/kv/b").await.status, StatusCode::NOT_FOUND);
    assert!(agent.get("/v1/agent/services").await.json()["web"].is_object());
    let state = agent.catalog.snapshot();
    assert!(state.session("s").is_some() && state.lease("s").is_some());
}

#[tokio::test]
async fn what_is_damaged_is_refused_and_changes_nothing() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/a", "1").await;
    let saved = agent.get("/v1/snapshot").await.body;
    agent.done("/v1/kv/a", "2").await;
    let before = agent.catalog.snapshot().index();
    let mut flipped = saved.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    for damaged in [b"garbage".to_vec(), saved[..saved.len() / 2].to_vec(), Vec::new(), flipped] {
        let answer = agent.ask("PUT", "/v1/snapshot", damaged).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.text().contains("nothing was changed"), "{}", answer.text());
    }
    assert_eq!(agent.catalog.snapshot().index(), before);
    assert_eq!(agent.get("/v1/kv/a?raw").await.text(), "2");
}

#[tokio::test]
async fn another_servers_snapshot_leaves_this_servers_own_node_standing() {
    let (one, other) = (Agent::start().await, Agent::start().await);
    one.done("/v1/kv/a", "1").await;
    one.done("/v1/catalog/register", r#"{"Node":"far","Address":"10.0.0.9"}"#).await;
    other.catalog.commit(vec![Command::DeleteNode("n1".into())]).await.unwrap();
    let saved = one.get("/v1/snapshot").await.body;
    assert_eq!(other.ask("PUT", "/v1/snapshot", saved).await.status, StatusCode::OK);
    let state = other.catalog.snapshot();
    assert!(state.node("far").is_some() && state.instance("n1", "consul").is_some());
}
