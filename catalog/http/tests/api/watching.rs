//! Blocking reads: they wake for what they watch, and for nothing else.

use std::time::Duration;

use serde_json::json;
use tokio::{task::yield_now, time::timeout};

use crate::support::{Agent, Answer};

/// Long enough for a wake-up that must come.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// Starts a blocking read as of the present answer.
pub(crate) async fn watch(agent: &Agent, path: &str) -> tokio::task::JoinHandle<Answer> {
    let index = agent.get(path).await.index();
    let sep = if path.contains('?') { '&' } else { '?' };
    let (agent, path) = (agent.clone(), format!("{path}{sep}index={index}&wait=60s"));
    let watch = tokio::spawn(async move { agent.get(&path).await });
    // Lets it come as far as waiting; a write before that would be answered at once, which is as right.
    for _ in 0..10 {
        yield_now().await;
    }
    watch
}

async fn register(agent: &Agent, body: &str) {
    agent.done("/v1/agent/service/register", body).await;
}

#[tokio::test]
async fn a_health_watch_wakes_for_its_service_only() {
    let agent = Agent::start().await;
    register(&agent, r#"{"Name":"web","Check":{"TTL":"10m"}}"#).await;
    register(&agent, r#"{"Name":"other","Check":{"TTL":"10m"}}"#).await;
    let mut watch = watch(&agent, "/v1/health/service/web").await;
    agent.done("/v1/agent/check/pass/service:other", "").await;
    agent.done("/v1/kv/unrelated", "1").await;
    register(&agent, r#"{"Name":"third"}"#).await;
    let early = timeout(Duration::from_millis(50), &mut watch).await;
    assert!(early.is_err(), "woken by what it does not watch");
    agent.done("/v1/agent/check/pass/service:web", "").await;
    let answer = timeout(SOON, watch).await.expect("not woken").unwrap();
    assert_eq!(answer.json()[0]["Checks"][1]["Status"], "passing");
}

#[tokio::test]
async fn every_kind_of_read_wakes_for_its_change() {
    for (path, write, body) in [
        ("/v1/catalog/services", "/v1/agent/service/register", r#"{"Name":"new"}"#),
        ("/v1/catalog/service/new", "/v1/agent/service/register", r#"{"Name":"new"}"#),
        ("/v1/catalog/node/n1", "/v1/agent/service/register", r#"{"Name":"new"}"#),
        ("/v1/catalog/node-services/n1", "/v1/agent/service/register", r#"{"Name":"new"}"#),
        ("/v1/catalog/nodes", "/v1/catalog/register", r#"{"Node":"n2","Address":"10.0.0.2"}"#),
        ("/v1/health/service/consul", "/v1/agent/maintenance?enable=true", ""),
        ("/v1/health/node/n1", "/v1/agent/maintenance?enable=true", ""),
        ("/v1/health/state/critical", "/v1/agent/maintenance?enable=true", ""),
        ("/v1/health/checks/new", "/v1/agent/service/register", r#"{"Name":"new","Check":{"TTL":"1m"}}"#),
        ("/v1/kv/a/b", "/v1/kv/a/b", "1"),
        ("/v1/kv/a/?keys", "/v1/kv/a/b", "1"),
        ("/v1/kv/a/?recurse", "/v1/kv/a/b", "1"),
        ("/v1/kv/a/b", "/v1/txn", r#"[{"KV":{"Verb":"set","Key":"a/b","Value":"MQ=="}}]"#),
        ("/v1/session/list", "/v1/session/create", ""),
        ("/v1/session/node/n1", "/v1/session/create", ""),
    ] {
        let agent = Agent::start().await;
        let before = agent.get(path).await.index();
        let watch = watch(&agent, path).await;
        agent.done(write, body).await;
        let answer = timeout(SOON, watch).await.unwrap_or_else(|_| panic!("{path} was not woken"));
        assert!(answer.unwrap().index() > before, "{path}");
    }
}

#[tokio::test]
async fn a_watch_that_sees_nothing_answers_when_its_time_is_up() {
    let agent = Agent::start().await;
    let index = agent.get("/v1/catalog/nodes").await.index();
    let begun = tokio::time::Instant::now();
    let answer = agent.get(&format!("/v1/catalog/nodes?index={index}&wait=160ms")).await;
    assert_eq!(answer.index(), index);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(160) && took < SOON, "{took:?}");
}

#[tokio::test]
async fn an_old_index_is_answered_at_once() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/a", "1").await;
    agent.done("/v1/kv/a", "2").await;
    let answer = timeout(SOON, agent.get("/v1/kv/a?index=1&wait=10m")).await.unwrap();
    assert_eq!(answer.json()[0]["Value"], json!("Mg=="));
}

#[tokio::test]
async fn an_agent_service_is_watched_by_its_hash() {
    let agent = Agent::start().await;
    register(&agent, r#"{"Name":"web","Port":1}"#).await;
    let first = agent.get("/v1/agent/service/web").await;
    let hash = first.header("x-consul-contenthash").to_owned();
    assert_eq!(first.json()["ContentHash"], json!(hash));
    let (waiting, path) = (agent.clone(), format!("/v1/agent/service/web?hash={hash}&wait=60s"));
    let mut watch = tokio::spawn(async move { waiting.get(&path).await });
    register(&agent, r#"{"Name":"other"}"#).await;
    let early = timeout(Duration::from_millis(50), &mut watch).await;
    assert!(early.is_err(), "woken though the service looks the same");
    register(&agent, r#"{"Name":"web","Port":2}"#).await;
    let answer = timeout(SOON, watch).await.expect("not woken").unwrap();
    assert_eq!(answer.json()["Port"], 2);
}
