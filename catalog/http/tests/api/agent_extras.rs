//! What an agent tells of its process and its machine, and what it refuses.

use http::StatusCode;
use tokio_util::sync::CancellationToken;
use wharf_catalog_http::{Hooks, MetricsText};

use crate::support::Agent;

#[tokio::test]
async fn leaving_asks_the_process_to_stop_where_that_is_offered() {
    let stop = CancellationToken::new();
    let agent = Agent::with(Hooks { stop: Some(stop.clone()), metrics: None }).await;
    agent.done("/v1/agent/leave", "").await;
    assert!(stop.is_cancelled());
    let answer = Agent::start().await.put("/v1/agent/leave", "").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn metrics_are_told_as_json_and_as_prometheus_reads_them() {
    let text = "# TYPE wharf_x gauge\nwharf_x 2\n";
    let metrics = Some(MetricsText::new(|| text.to_owned()));
    let agent = Agent::with(Hooks { stop: None, metrics }).await;
    assert_eq!(agent.get("/v1/agent/metrics").await.json()["Gauges"][0]["Value"], 2.0);
    assert_eq!(agent.get("/v1/agent/metrics?format=prometheus").await.text(), text);
    let without = Agent::start().await.get("/v1/agent/metrics?format=prometheus").await;
    assert_eq!(without.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn the_machine_is_described() {
    let host = Agent::start().await.get("/v1/agent/host").await.json();
    assert!(host["Memory"]["total"].as_u64().unwrap() > 0);
    assert!(host["Disk"]["total"].as_u64().unwrap() > 0);
    assert_eq!(host["CollectionTime"], 1_000_000_000);
}

#[tokio::test]
async fn checks_that_run_commands_are_refused_unless_the_settings_allow_them() {
    let agent = Agent::start().await;
    for (path, body) in [
        ("/v1/agent/check/register", r#"{"Name":"c","Args":["/bin/true"],"Interval":"5s"}"#),
        (
            "/v1/agent/check/register",
            r#"{"Name":"c","DockerContainerID":"x","Args":["true"],"Interval":"5s"}"#,
        ),
        ("/v1/agent/service/register", r#"{"Name":"s","Check":{"Args":["/bin/true"],"Interval":"5s"}}"#),
    ] {
        let answer = agent.put(path, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer.text().contains("--enable-script-checks"), "{}", answer.text());
    }
    assert_eq!(agent.get("/v1/agent/checks").await.text(), "{}");
    assert_eq!(agent.get("/v1/agent/services").await.text(), "{}");
}

#[tokio::test]
async fn what_is_not_there_says_so_by_name() {
    let agent = Agent::start().await;
    for path in ["/v1/acl/tokens", "/v1/acl/token/self", "/v1/acl/policy/name/x"] {
        let answer = agent.get(path).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::UNAUTHORIZED, "ACL support disabled")
        );
    }
    for path in ["/v1/agent/connect/ca/roots", "/v1/agent/connect/ca/leaf/web", "/v1/connect/ca/roots"] {
        let answer = agent.get(path).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.text().contains("Connect must be enabled"), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_odd_status_and_an_odd_port_are_told_as_they_came_until_something_else_is_known() {
    let agent = Agent::start().await;
    let body = r#"{"Node":"far","Address":"10.0.0.9","Service":{"Service":"web","Port":70000},
        "Check":{"CheckID":"c","Name":"c","Status":"weird","ServiceID":"web"}}"#;
    agent.done("/v1/catalog/register", body).await;
    let entry = &agent.get("/v1/health/service/web").await.json()[0];
    assert_eq!((&entry["Service"]["Port"], &entry["Checks"][0]["Status"]), (&70_000.into(), &"weird".into()));
    assert_eq!(agent.get("/v1/health/state/weird").await.json().as_array().unwrap().len(), 1);
    assert_eq!(agent.get("/v1/health/service/web?passing").await.text(), "[]");
    agent.done("/v1/catalog/register", &body.replace("weird", "passing")).await;
    assert_eq!(agent.get("/v1/health/state/weird").await.text(), "[]");
}
