//! Locks on keys, in the recipes of the clients that use them.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    support::Agent,
    watching::{SOON, watch},
};

async fn entry(agent: &Agent, key: &str) -> Value {
    agent.get(&format!("/v1/kv/{key}")).await.json()[0].clone()
}

async fn says(agent: &Agent, path: &str, body: &str) -> String {
    let answer = agent.put(path, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.text()
}

#[tokio::test]
async fn of_two_candidates_one_leads_and_the_other_takes_over_after_the_lock_delay() {
    let agent = Agent::start().await;
    let (a, b) = (agent.session(r#"{"TTL":"10s"}"#).await, agent.session(r#"{"TTL":"1h"}"#).await);
    let (by_a, by_b) = (format!("/v1/kv/leader?acquire={a}"), format!("/v1/kv/leader?acquire={b}"));
    assert_eq!(says(&agent, &by_a, "a").await, "true");
    assert_eq!(says(&agent, &by_b, "b").await, "false");
    let led = entry(&agent, "leader").await;
    assert_eq!((&led["Session"], &led["LockIndex"], &led["Value"]), (&json!(a), &json!(1), &json!("YQ==")));

    let watched = watch(&agent, "/v1/kv/leader").await;
    agent.pass(Duration::from_secs(20)).await;
    let lost = timeout(SOON, watched).await.expect("the loss wakes who waits").unwrap().json()[0].clone();
    assert_eq!((lost.get("Session"), &lost["LockIndex"]), (None, &json!(1)));

    agent.pass(Duration::from_millis(14_999)).await;
    assert_eq!(says(&agent, &by_b, "b").await, "false", "the old leader may still be at work");
    agent.pass(Duration::from_millis(1)).await;
    assert_eq!(says(&agent, &by_b, "b").await, "true");
    let led = entry(&agent, "leader").await;
    assert_eq!((&led["Session"], &led["LockIndex"]), (&json!(b), &json!(2)));
}

#[tokio::test]
async fn a_leader_that_steps_down_leaves_no_lock_delay() {
    let agent = Agent::start().await;
    let (a, b) = (agent.session("").await, agent.session("").await);
    says(&agent, &format!("/v1/kv/leader?acquire={a}"), "a").await;
    assert_eq!(says(&agent, &format!("/v1/kv/leader?release={b}"), "x").await, "false");
    assert_eq!(says(&agent, &format!("/v1/kv/leader?release={a}"), "bye").await, "true");
    assert_eq!(entry(&agent, "leader").await["Value"], json!("Ynll"));
    assert_eq!(says(&agent, &format!("/v1/kv/leader?release={a}"), "x").await, "false");
    assert_eq!(says(&agent, "/v1/kv/leader?release=nobody", "x").await, "false");
    assert_eq!(says(&agent, &format!("/v1/kv/leader?acquire={b}"), "b").await, "true");
}

#[tokio::test]
async fn a_leader_whose_node_is_critical_leads_no_more() {
    let agent = Agent::start().await;
    let check = |status: &str| {
        format!(
            r#"{{"Node":"n2","Address":"10.0.0.2","Check":{{"CheckID":"c","Name":"c","Status":"{status}"}}}}"#
        )
    };
    agent.done("/v1/catalog/register", &check("passing")).await;
    let id = agent.session(r#"{"Node":"n2","NodeChecks":["c"],"LockDelay":"0s"}"#).await;
    says(&agent, &format!("/v1/kv/leader?acquire={id}"), "2").await;
    agent.done("/v1/catalog/register", &check("critical")).await;
    assert_eq!(agent.get(&format!("/v1/session/info/{id}")).await.json(), json!([]));
    assert_eq!(entry(&agent, "leader").await.get("Session"), None);
}

/// Terraform's `consul` backend: `.lock` is acquired with the API's lock flag, `.lockinfo` says who has it,
/// and the state goes through a transaction with `cas`.
#[tokio::test]
async fn terraform_locks_its_state_and_tells_who_holds_it() {
    const FLAG: u64 = 0x2ddc_cbc0_58a5_0c18;
    let agent = Agent::start().await;
    let create = r#"{"Name":"Consul API Lock","TTL":"15s","LockDelay":5000000000}"#;
    let (mine, theirs) = (agent.session(create).await, agent.session(create).await);
    let lock = |session: &str| format!("/v1/kv/tf/state/.lock?acquire={session}&flags={FLAG}");
    assert_eq!(says(&agent, &lock(&mine), "").await, "true");
    assert_eq!(entry(&agent, "tf/state/.lock").await["Flags"], json!(FLAG));
    says(&agent, "/v1/kv/tf/state/.lockinfo", r#"{"Who":"me"}"#).await;

    assert_eq!(says(&agent, &lock(&theirs), "").await, "false");
    assert_eq!(agent.get("/v1/kv/tf/state/.lockinfo?raw&consistent").await.text(), r#"{"Who":"me"}"#);

    let save = |verb: &str, index: u64| {
        format!(r#"[{{"KV":{{"Verb":"{verb}","Key":"tf/state","Value":"e30=","Index":{index}}}}}]"#)
    };
    let saved = agent.put("/v1/txn", &save("set", 0)).await.json();
    let index = saved["Results"][0]["KV"]["ModifyIndex"].as_u64().unwrap();
    assert_eq!(entry(&agent, "tf/state").await["ModifyIndex"], json!(index));
    let stale = agent.put("/v1/txn", &save("cas", index - 1)).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    assert_eq!(stale.json()["Errors"][0]["What"], json!("failed to set key \"tf/state\", index is stale"));

    let release = format!("/v1/kv/tf/state/.lock?release={mine}&flags={FLAG}");
    assert_eq!(says(&agent, &release, "").await, "true");
    assert_eq!(agent.ask("DELETE", "/v1/kv/tf/state/.lockinfo", "").await.text(), "true");
    assert_eq!(says(&agent, &lock(&theirs), "").await, "true", "unlocked on purpose: no delay");
}

/// Patroni: a session whose end deletes the leader key, renewed every loop, and a watch on that key.
#[tokio::test]
async fn patroni_follows_the_leader_key_until_its_holder_is_lost() {
    let agent = Agent::start().await;
    let body =
        r#"{"name":"pg1","lockdelay":"0.001s","behavior":"delete","ttl":"15s","checks":["serfHealth"]}"#;
    let id = agent.session(body).await;
    assert_eq!(says(&agent, "/v1/kv/service/db/initialize?cas=0", "1").await, "true");
    assert_eq!(says(&agent, &format!("/v1/kv/service/db/leader?acquire={id}"), "pg1").await, "true");
    assert_eq!(says(&agent, &format!("/v1/kv/service/db/members/pg1?acquire={id}"), "{}").await, "true");
    let cluster = agent.get("/v1/kv/service/db/?recurse=1&consistent=1").await.json();
    assert_eq!(cluster.as_array().unwrap().len(), 3);

    // Its watch starts from the key's own index, and neither members nor renewals wake it.
    let modified = entry(&agent, "service/db/leader").await["ModifyIndex"].as_u64().unwrap();
    let path = format!("/v1/kv/service/db/leader?index={modified}&wait=9.5s");
    let waiting = agent.clone();
    let mut watched = tokio::spawn(async move { waiting.get(&path).await });
    says(&agent, &format!("/v1/kv/service/db/members/pg1?acquire={id}"), r#"{"xlog":1}"#).await;
    agent.pass(Duration::from_secs(14)).await;
    agent.done(&format!("/v1/session/renew/{id}"), "").await;
    assert!(timeout(Duration::from_millis(50), &mut watched).await.is_err(), "the leader has not changed");

    agent.pass(Duration::from_secs(30)).await;
    let answer = timeout(SOON, watched).await.expect("not woken").unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.index() > modified);
    assert_eq!(agent.put(&format!("/v1/session/renew/{id}"), "").await.status, StatusCode::NOT_FOUND);
    agent.pass(Duration::from_millis(1)).await;
    let again = agent.put(&format!("/v1/kv/service/db/leader?acquire={id}"), "pg1").await;
    assert_eq!(again.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(again.text(), format!("invalid session {id:?}"));
    assert_eq!(agent.get("/v1/kv/service/db/?keys").await.json(), json!(["service/db/initialize"]));
}

#[tokio::test]
async fn a_plain_write_leaves_the_lock_where_it_is() {
    let agent = Agent::start().await;
    let id = agent.session("").await;
    says(&agent, &format!("/v1/kv/k?acquire={id}"), "1").await;
    says(&agent, "/v1/kv/k", "2").await;
    let held = entry(&agent, "k").await;
    assert_eq!((&held["Session"], &held["Value"]), (&json!(id), &json!("Mg==")));
}

#[tokio::test]
async fn what_cannot_be_locked_is_told_in_consuls_words() {
    let agent = Agent::start().await;
    let nobody = "6e1d7b2a-0000-0000-0000-000000000000";
    for (query, status, text) in [
        ("acquire=", 500, "missing session"),
        ("release=", 500, "missing session"),
        ("acquire=x", 500, "failed session lookup: index error: UUID must be 36 characters"),
        (&format!("acquire={nobody}"), 500, &format!("invalid session \"{nobody}\"")),
        ("release=b&acquire=a", 400, "Conflicting flags: acquire=a&release=b"),
        ("cas=1&acquire=a", 400, "Conflicting flags: acquire=a&cas=1"),
        ("flags=-1", 500, "strconv.ParseUint: parsing \"-1\": invalid syntax"),
        (
            "flags=18446744073709551616",
            500,
            "strconv.ParseUint: parsing \"18446744073709551616\": value out of range",
        ),
    ] {
        let answer = agent.put(&format!("/v1/kv/lock?{query}"), "me").await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text), "{query}");
    }
    assert_eq!(agent.get("/v1/kv/lock").await.status, StatusCode::NOT_FOUND, "nothing was written");
}
