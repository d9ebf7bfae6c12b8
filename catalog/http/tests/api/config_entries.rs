//! `/v1/config`.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::support::Agent;

#[tokio::test]
async fn an_entry_is_changed_only_by_who_has_seen_it() {
    let agent = Agent::start().await;
    let body =
        |protocol: &str| json!({"Kind": "service-defaults", "Name": "web", "Protocol": protocol}).to_string();
    assert_eq!(agent.put("/v1/config?cas=0", &body("http")).await.text(), "true");
    assert_eq!(agent.put("/v1/config?cas=0", &body("tcp")).await.text(), "false");
    let seen = agent.get("/v1/config/service-defaults/web").await.json()["ModifyIndex"].clone();
    assert_eq!(agent.put(&format!("/v1/config?cas={seen}"), &body("grpc")).await.text(), "true");
    let path = format!("/v1/config/service-defaults/web?cas={seen}");
    assert_eq!(agent.ask("DELETE", &path, "").await.text(), "false");
    assert_eq!(agent.ask("DELETE", "/v1/config/service-defaults/web", "").await.text(), "{}");
}

#[tokio::test]
async fn a_watcher_wakes_for_its_entry_and_not_for_another() {
    let agent = Agent::start().await;
    let put = async |name: &str, protocol: &str| {
        let body = json!({"Kind": "service-defaults", "Name": name, "Protocol": protocol});
        agent.done("/v1/config", &body.to_string()).await;
    };
    put("web", "http").await;
    let index = agent.get("/v1/config/service-defaults/web").await.index();
    put("other", "tcp").await;
    let path = format!("/v1/config/service-defaults/web?index={index}&wait=10ms");
    assert_eq!(agent.get(&path).await.index(), index);
    let waiting = {
        let (agent, path) = (agent.clone(), path.replace("10ms", "30s"));
        tokio::spawn(async move { agent.get(&path).await })
    };
    put("web", "tcp").await;
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(answer.json()["Protocol"], "tcp");
}

#[tokio::test]
async fn what_only_a_mesh_could_carry_out_is_refused_by_name() {
    let agent = Agent::start().await;
    let answer = agent.put("/v1/config", r#"{"Kind":"service-router","Name":"web"}"#).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("service mesh"), "{}", answer.text());
    assert_eq!(agent.get("/v1/config/service-router").await.json(), json!([]));
}
