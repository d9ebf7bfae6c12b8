//! Services and checks of the agent: registered, reported for, read, removed.

use http::StatusCode;
use serde_json::json;

use crate::support::Agent;

#[tokio::test]
async fn a_registered_service_is_read_everywhere_until_it_is_deregistered() {
    let agent = Agent::start().await;
    let body =
        r#"{"ID":"w1","Name":"web","Port":80,"Tags":["a","B"],"Check":{"TTL":"10m","Status":"passing"}}"#;
    agent.done("/v1/agent/service/register", body).await;
    assert_eq!(agent.get("/v1/agent/services").await.json()["w1"]["Port"], 80);
    assert_eq!(agent.get("/v1/catalog/services").await.json(), json!({"consul":[],"web":["B","a"]}));
    assert_eq!(agent.get("/v1/catalog/service/WEB?tag=b").await.json()[0]["ServiceID"], "w1");
    let health = agent.get("/v1/health/service/web?passing").await.json();
    assert_eq!(health[0]["Checks"][1]["CheckID"], "service:w1");
    assert_eq!(health[0]["Service"]["Meta"], json!(null));
    assert_eq!(agent.get("/v1/agent/health/service/id/w1").await.status, StatusCode::OK);

    agent.done("/v1/agent/service/deregister/w1", "").await;
    for path in ["/v1/catalog/service/web", "/v1/health/service/web", "/v1/health/checks/web"] {
        assert_eq!(agent.get(path).await.json(), json!([]), "{path}");
    }
    assert_eq!(agent.get("/v1/agent/checks").await.json(), json!({}));
    assert_eq!(agent.get("/v1/agent/service/w1").await.text(), "unknown service ID: w1");
}

#[tokio::test]
async fn registering_again_keeps_what_checks_said() {
    let agent = Agent::start().await;
    let body = r#"{"Name":"web","Check":{"TTL":"10m"}}"#;
    agent.done("/v1/agent/service/register", body).await;
    agent.done("/v1/agent/check/pass/service:web?note=fine", "").await;
    let longer = r#"{"Name":"web","Check":{"TTL":"20m"}}"#;
    agent.done("/v1/agent/service/register", longer).await;
    let check = &agent.get("/v1/agent/checks").await.json()["service:web"];
    assert_eq!((&check["Status"], &check["Output"]), (&json!("passing"), &json!("fine")));
}

#[tokio::test]
async fn replacing_checks_drops_the_others_but_not_maintenance() {
    let agent = Agent::start().await;
    let two = r#"{"Name":"web","Checks":[{"TTL":"1m","CheckID":"a"},{"TTL":"1m","CheckID":"b"}]}"#;
    agent.done("/v1/agent/service/register", two).await;
    agent.done("/v1/agent/service/maintenance/web?enable=true&reason=draining", "").await;
    let one = r#"{"Name":"web","Checks":[{"TTL":"1m","CheckID":"b"}]}"#;
    agent.done("/v1/agent/service/register?replace-existing-checks", one).await;
    let checks = agent.get("/v1/agent/checks").await.json();
    let ids: Vec<_> = checks.as_object().unwrap().keys().cloned().collect();
    assert_eq!(ids, ["_service_maintenance:web", "b"]);
}

#[tokio::test]
async fn a_service_with_one_bad_check_leaves_nothing_behind() {
    let agent = Agent::start().await;
    let before = agent.catalog.snapshot().index();
    let body = r#"{"Name":"web","Checks":[{"TTL":"1m"},{"HTTP":"http://x"}]}"#;
    let answer = agent.put("/v1/agent/service/register", body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.text(), "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks");
    assert_eq!(agent.catalog.snapshot().index(), before);
}

#[tokio::test]
async fn reports_decide_health_and_only_ttl_checks_take_them() {
    let agent = Agent::start().await;
    let body = r#"{"Name":"web","Checks":[{"TTL":"10m","CheckID":"t"},{"TCP":"127.0.0.1:1","Interval":"1h","CheckID":"c"}]}"#;
    agent.done("/v1/agent/service/register", body).await;
    agent.done("/v1/agent/check/update/t", r#"{"Status":"warning","Output":"hm"}"#).await;
    let warning = agent.get("/v1/health/state/warning").await.json();
    assert_eq!((&warning[0]["CheckID"], &warning[0]["Output"]), (&json!("t"), &json!("hm")));
    let refused = agent.put("/v1/agent/check/pass/c", "").await;
    assert_eq!(refused.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(refused.text(), "CheckID \"c\" does not have associated TTL");
    let unknown = agent.put("/v1/agent/check/update/t", r#"{"Status":"bogus"}"#).await;
    assert_eq!(unknown.text(), "Invalid check status: 'bogus'");
}

#[tokio::test]
async fn maintenance_takes_a_service_out_and_puts_it_back() {
    let agent = Agent::start().await;
    agent.done("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    agent.done("/v1/agent/service/maintenance/web?enable=true", "").await;
    assert_eq!(agent.get("/v1/health/service/web?passing").await.json(), json!([]));
    let local = agent.get("/v1/agent/health/service/name/web?format=text").await;
    assert_eq!((local.status, local.text().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "maintenance"));
    agent.done("/v1/agent/service/maintenance/web?enable=false", "").await;
    assert_eq!(agent.get("/v1/health/service/web?passing").await.json()[0]["Service"]["ID"], "web");
    let unknown = agent.put("/v1/agent/service/maintenance/nope?enable=true", "").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_agents_own_records_are_nobody_elses_to_change() {
    let agent = Agent::start().await;
    let before = agent.catalog.snapshot().index();
    for path in ["/v1/agent/service/deregister/consul", "/v1/agent/check/deregister/serfHealth"] {
        agent.done(path, "").await;
    }
    agent.done("/v1/catalog/deregister", r#"{"Node":"n1"}"#).await;
    let taken = agent.put("/v1/agent/service/register", r#"{"Name":"x","ID":"consul"}"#).await;
    assert_eq!(taken.status, StatusCode::BAD_REQUEST);
    assert_eq!(agent.catalog.snapshot().index(), before);
}

#[tokio::test]
async fn the_agent_says_who_it_is() {
    let agent = Agent::start().await;
    let this = agent.get("/v1/agent/self").await.json();
    assert_eq!(this["Config"]["Datacenter"], "dc1");
    assert_eq!(this["Config"]["NodeName"], "n1");
    assert_eq!(this["Member"]["Addr"], "127.0.0.1");
    let members = agent.get("/v1/agent/members?wan").await.json();
    assert_eq!(members[0]["Name"], "n1.dc1");
    assert_eq!(agent.get("/v1/status/leader").await.json(), "127.0.0.1:8300");
    assert_eq!(agent.get("/v1/status/peers").await.json(), json!(["127.0.0.1:8300"]));
}
