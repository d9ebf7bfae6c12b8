//! Sessions: what they depend on, what they are told as, when they end.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    support::Agent,
    watching::{SOON, watch},
};

const NOBODY: &str = "deadbeef-0000-0000-0000-000000000001";

#[tokio::test]
async fn a_session_has_consuls_defaults_and_is_gone_once_destroyed() {
    let agent = Agent::start().await;
    let id = agent.session("").await;
    let session = agent.get(&format!("/v1/session/info/{id}")).await.json();
    let index = session[0]["CreateIndex"].clone();
    let expected = json!([{
        "ID": id, "Name": "", "Node": "n1", "LockDelay": 15_000_000_000_u64, "Behavior": "release", "TTL": "",
        "NodeChecks": ["serfHealth"], "ServiceChecks": null, "CreateIndex": index, "ModifyIndex": index,
    }]);
    assert_eq!(session, expected);
    for path in ["/v1/session/list", "/v1/session/node/N1"] {
        assert_eq!(agent.get(path).await.json(), expected, "{path}");
    }
    assert_eq!(agent.get("/v1/session/node/other").await.json(), json!([]));
    for _ in 0..2 {
        assert_eq!(agent.put(&format!("/v1/session/destroy/{id}"), "").await.text(), "true");
    }
    assert_eq!(agent.get(&format!("/v1/session/info/{id}")).await.json(), json!([]));
}

#[tokio::test]
async fn names_in_any_case_count_and_unknown_ones_do_not_matter() {
    let agent = Agent::start().await;
    let body = r#"{"name":"n","lockdelay":"3s","ttl":"20s","BEHAVIOR":"delete","Bogus":1,"ID":"mine"}"#;
    let id = agent.session(body).await;
    let session = &agent.get(&format!("/v1/session/info/{}", id.to_uppercase())).await.json()[0];
    assert_eq!((&session["Name"], &session["TTL"]), (&json!("n"), &json!("20s")));
    assert_eq!((&session["LockDelay"], &session["Behavior"]), (&json!(3_000_000_000_u64), &json!("delete")));
    assert_ne!(id, "mine");
}

#[tokio::test]
async fn a_session_is_refused_for_what_it_cannot_depend_on() {
    let agent = Agent::start().await;
    let node =
        r#"{"Node":"n2","Address":"10.0.0.2","Check":{"CheckID":"bad","Name":"b","Status":"critical"}}"#;
    agent.done("/v1/catalog/register", node).await;
    for (body, text) in [
        (r#"{"Node":"unknown"}"#, "Missing node registration"),
        (r#"{"Node":"n2"}"#, "Missing check 'serfHealth' registration"),
        (r#"{"Node":"n2","Checks":["bad"]}"#, "Check 'bad' is in critical state"),
        (r#"{"ServiceChecks":[{"ID":"none"}]}"#, "Missing check 'none' registration"),
        (r#"{"Node":""}"#, "Must provide Node"),
        (r#"{"Behavior":"keep"}"#, "Invalid Behavior setting 'keep'"),
        (r#"{"TTL":"5s"}"#, "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]"),
    ] {
        let answer = agent.put("/v1/session/create", body).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::INTERNAL_SERVER_ERROR, text),
            "{body}"
        );
    }
    for body in ["{", "[]", "7", r#"{"Name":7}"#, r#"{"NodeChecks":"x"}"#, " "] {
        let answer = agent.put("/v1/session/create", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
    }
    agent.session(r#"{"Node":"N2","NodeChecks":[]}"#).await;
    assert_eq!(agent.get("/v1/session/node/n2").await.json()[0]["NodeChecks"], json!([]));
}

#[tokio::test]
async fn what_is_no_session_is_told_with_the_status_clients_know() {
    let agent = Agent::start().await;
    let not_one = "failed session lookup: index error: UUID must be 36 characters";
    for (method, action) in [("GET", "info"), ("PUT", "destroy"), ("PUT", "renew")] {
        let answer = agent.ask(method, &format!("/v1/session/{action}/x"), "").await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, not_one));
        assert_eq!(answer.header("x-consul-knownleader") == "false", action == "info");
        let answer = agent.ask(method, &format!("/v1/session/{action}/"), "").await;
        assert_eq!((answer.status, answer.text().as_str()), (StatusCode::BAD_REQUEST, "Missing session"));
    }
    assert_eq!(agent.get(&format!("/v1/session/info/{NOBODY}")).await.json(), json!([]));
    let answer = agent.put(&format!("/v1/session/renew/{NOBODY}"), "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.text(), format!("Session id '{NOBODY}' not found"));
    assert_eq!(agent.put("/v1/session/create?dc=nope", "").await.text(), "No path to datacenter");
    assert_eq!(agent.get("/v1/session/list?dc=nope").await.header("x-consul-index"), "1");
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_renewed() {
    let agent = Agent::start().await;
    let id = agent.session(r#"{"TTL":"10s"}"#).await;
    for _ in 0..3 {
        agent.pass(Duration::from_secs(19)).await;
        let renewed = agent.put(&format!("/v1/session/renew/{id}"), "").await;
        assert_eq!(renewed.json()[0]["ID"], json!(id));
    }
    agent.pass(Duration::from_secs(20)).await;
    assert_eq!(agent.put(&format!("/v1/session/renew/{id}"), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_watches_a_session_hears_of_its_end_and_of_no_other() {
    let agent = Agent::start().await;
    let (mine, other) = (agent.session("").await, agent.session("").await);
    let mut watched = watch(&agent, &format!("/v1/session/info/{mine}")).await;
    agent.done(&format!("/v1/session/destroy/{other}"), "").await;
    agent.done(&format!("/v1/session/renew/{mine}"), "").await;
    assert!(timeout(Duration::from_millis(50), &mut watched).await.is_err(), "woken by another session");
    agent.done(&format!("/v1/session/destroy/{mine}"), "").await;
    let answer = timeout(SOON, watched).await.expect("not woken").unwrap();
    assert_eq!(answer.json(), json!([]));
}
