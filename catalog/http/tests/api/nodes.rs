//! Nodes other than the agent's, through `catalog/register`; and the rules all endpoints share.

use http::StatusCode;
use serde_json::json;

use crate::support::Agent;

#[tokio::test]
async fn an_external_node_is_registered_with_all_it_has_and_removed_again() {
    let agent = Agent::start().await;
    let body = r#"{"Node":"db1","Address":"10.0.0.5","NodeMeta":{"env":"prod"},
        "Service":{"Service":"db","Port":5432},
        "Checks":[{"Name":"disk","Status":"passing"},{"Name":"query","ServiceID":"db","Status":"warning"}]}"#;
    agent.done("/v1/catalog/register", body).await;
    let node = agent.get("/v1/catalog/node/DB1").await.json();
    assert_eq!(node["Node"]["Address"], "10.0.0.5");
    assert_eq!(node["Services"]["db"]["Port"], 5432);
    assert_eq!(agent.get("/v1/catalog/node-services/db1").await.json()["Services"][0]["ID"], "db");
    let found = agent.get("/v1/catalog/nodes?node-meta=env:prod").await.json();
    assert_eq!(found.as_array().unwrap().len(), 1);
    let checks = agent.get("/v1/health/node/db1").await.json();
    assert_eq!((&checks[0]["CheckID"], &checks[1]["CheckID"]), (&json!("disk"), &json!("query")));
    agent.done("/v1/catalog/deregister", r#"{"Node":"db1"}"#).await;
    assert_eq!(agent.get("/v1/catalog/node/db1").await.json(), json!(null));
    assert_eq!(agent.get("/v1/health/service/db").await.json(), json!([]));
}

#[tokio::test]
async fn a_node_known_by_its_id_takes_its_new_name_and_all_it_has_along() {
    let agent = Agent::start().await;
    let id = "aaaaaaaa-1111-2222-3333-444444444444";
    let old = json!({"Node": "old", "ID": id, "Address": "10.0.0.5",
        "Service": {"Service": "db"}, "Check": {"Name": "query", "ServiceID": "db", "Status": "passing"}});
    agent.done("/v1/catalog/register", &old.to_string()).await;
    let created = agent.get("/v1/catalog/node/old").await.json()["Node"]["CreateIndex"].clone();
    let new = json!({"Node": "new", "ID": id, "Address": "10.0.0.6"});
    agent.done("/v1/catalog/register", &new.to_string()).await;
    assert_eq!(agent.get("/v1/catalog/node/old").await.json(), json!(null));
    let health = agent.get("/v1/health/service/db").await.json();
    assert_eq!(health[0]["Node"]["Node"], "new");
    assert_eq!(health[0]["Node"]["Address"], "10.0.0.6");
    assert_eq!(health[0]["Node"]["CreateIndex"], created);
    assert_eq!(health[0]["Checks"][0]["Node"], "new");
    assert_eq!(health.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_overwrites_the_agents_own_node() {
    let agent = Agent::start().await;
    let body = r#"{"Node":"N1","Address":"6.6.6.6","Service":{"Service":"extra"}}"#;
    agent.done("/v1/catalog/register", body).await;
    let node = agent.get("/v1/catalog/node/n1").await.json();
    assert_eq!(node["Node"]["Address"], "127.0.0.1");
    assert_eq!(node["Services"]["extra"]["ID"], "extra");
}

#[tokio::test]
async fn a_check_for_a_missing_service_registers_nothing_at_all() {
    let agent = Agent::start().await;
    let body = r#"{"Node":"db1","Address":"10.0.0.5","Check":{"Name":"x","ServiceID":"nope"}}"#;
    let answer = agent.put("/v1/catalog/register", body).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.text(), "failed inserting check: Missing service registration on node \"db1\"");
    assert_eq!(agent.get("/v1/catalog/node/db1").await.json(), json!(null));
}

#[tokio::test]
async fn reads_carry_consuls_headers() {
    let agent = Agent::start().await;
    let answer = agent.get("/v1/catalog/services?stale&cached").await;
    assert!(answer.index() > 0);
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-consul-knownleader", "true"),
        ("x-consul-lastcontact", "0"),
        ("x-consul-effective-consistency", "stale"),
        ("x-cache", "MISS"),
        ("vary", "Accept-Encoding"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let local = agent.get("/v1/agent/services").await;
    assert_eq!(local.header("x-consul-index"), "");
}

#[tokio::test]
async fn methods_and_paths_are_answered_as_consul_does() {
    let agent = Agent::start().await;
    for (method, path, status) in [
        ("GET", "/v1/nope", 404),
        ("GET", "/v1/", 404),
        ("GET", "/v1/catalog/nodes/", 404),
        ("GET", "/v1/Catalog/nodes", 404),
        ("HEAD", "/v1/kv/a", 405),
        ("POST", "/v1/kv/a", 405),
        ("GET", "/v1/agent/service/register", 405),
        ("OPTIONS", "/v1/kv/a", 200),
        ("GET", "/v1/kv", 301),
        ("GET", "//v1/kv/a", 301),
        ("PUT", "/v1/kv//a", 301),
        ("GET", "/v1/health/service/", 400),
        ("GET", "/v1/catalog/nodes?dc=mars", 500),
    ] {
        let answer = agent.ask(method, path, "").await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {}", answer.text());
    }
    assert!(agent.get("/v1/nope").await.body.is_empty());
    let refused = agent.ask("PATCH", "/v1/kv/a", "").await;
    assert_eq!(refused.text(), "method PATCH not allowed");
    assert_eq!(refused.header("allow"), "OPTIONS,GET,PUT,DELETE");
    assert_eq!(agent.get("/v1/kv/x/../y?raw").await.header("location"), "/v1/kv/y?raw");
}

#[tokio::test]
async fn the_router_merges_with_pages_and_leaves_their_paths_alone() {
    let agent = Agent::start().await;
    let pages = axum::Router::new()
        .route("/ui/", axum::routing::get(|| async { "page" }))
        .fallback(|| async { "elsewhere" });
    let merged = Agent { router: agent.router.clone().merge(pages), ..agent };
    assert_eq!(merged.get("/ui/").await.text(), "page");
    assert_eq!(merged.get("/other").await.text(), "elsewhere");
    assert_eq!(merged.get("/v1/nope").await.status, StatusCode::NOT_FOUND);
    assert_eq!(merged.get("/v1/catalog/datacenters").await.json(), json!(["dc1"]));
}
