//! Answers are kept and shared: whatever happened in between, what is given is what would be worked out anew.

use std::time::Duration;

use proptest::prelude::*;
use wharf_catalog::{Check, CheckStatusOnPut, Command, Instance, Node, Status};

use crate::support::Agent;

const QUESTIONS: [&str; 26] = [
    "/v1/health/service/web",
    "/v1/health/service/WEB",
    "/v1/health/service/Web?passing",
    "/v1/health/service/web?passing",
    "/v1/health/service/web?passing=false&pretty",
    "/v1/health/service/web?tag=a",
    "/v1/health/service/web?tag=a&tag=b",
    "/v1/health/service/web?node-meta=env:prod",
    "/v1/health/service/web?stale",
    "/v1/health/service/web?cached",
    "/v1/health/service/db",
    "/v1/health/checks/web",
    "/v1/health/checks/web?node-meta=env:prod",
    "/v1/health/checks/WEB",
    "/v1/health/state/any",
    "/v1/health/state/critical",
    "/v1/health/state/passing?node-meta=env:prod",
    "/v1/catalog/nodes",
    "/v1/catalog/nodes?node-meta=env:prod",
    "/v1/catalog/services",
    "/v1/catalog/services?node-meta=env:prod",
    "/v1/catalog/service/web?tag=b",
    "/v1/catalog/service/Web",
    "/v1/kv/k",
    "/v1/kv/k?raw",
    "/v1/kv/k?pretty",
];

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("web"), Just("Web"), Just("db")]
}

fn on_node() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("n2"), Just("n3")]
}

fn id() -> impl Strategy<Value = String> {
    (0..3).prop_map(|n| format!("i{n}"))
}

fn put_node() -> impl Strategy<Value = Command> {
    (on_node(), prop_oneof![Just("prod"), Just("test")], 1..3).prop_map(|(name, env, host)| {
        let mut node = Node::new(name, format!("10.0.0.{host}"));
        node.meta.insert("env".to_owned(), env.to_owned());
        Command::PutNode(node)
    })
}

fn put_instance() -> impl Strategy<Value = Command> {
    (on_node(), id(), name(), prop::sample::subsequence(vec!["a", "b"], 0..=2), 1..3_u16).prop_map(
        |(node, id, name, tags, port)| {
            let tags = tags.into_iter().map(str::to_owned).collect();
            Command::PutInstance(Instance { tags, port, ..Instance::new(node, id, name) })
        },
    )
}

fn put_check() -> impl Strategy<Value = Command> {
    (on_node(), id(), prop::option::of(id()), any::<bool>()).prop_map(|(node, id, instance, passing)| {
        let status = if passing { Status::Passing } else { Status::Critical };
        let instance = instance.map(Into::into);
        let check = Check { status, instance, ..Check::new(node, id, "check") };
        Command::PutCheck(check, CheckStatusOnPut::Set)
    })
}

fn command() -> impl Strategy<Value = Command> {
    let set_key = (0..3_u8).prop_map(|value| Command::SetKey {
        key: "k".into(),
        value: vec![value].into(),
        flags: 0,
        cas: None,
    });
    prop_oneof![
        2 => put_node(),
        4 => put_instance(),
        4 => put_check(),
        1 => on_node().prop_map(|node| Command::DeleteNode(node.into())),
        1 => (on_node(), id()).prop_map(|(node, id)| Command::DeleteInstance(node.into(), id.into())),
        1 => (on_node(), id()).prop_map(|(node, id)| Command::DeleteCheck(node.into(), id.into())),
        1 => set_key,
        1 => Just(Command::DeleteKey { key: "k".into(), cas: None }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_would_be_worked_out_anew(commands in prop::collection::vec(command(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kept = Agent::start().await;
            for command in commands {
                // Some do not fit, as an instance of a node that is not there.
                let _ = kept.catalog.commit(vec![command.clone()]).await;
                let anew = Agent::over(kept.catalog.clone()).await;
                for question in QUESTIONS {
                    let (one, other) = (kept.get(question).await, anew.get(question).await);
                    assert_eq!(
                        (one.status, one.text(), &one.headers),
                        (other.status, other.text(), &other.headers),
                        "{question} after {command:?}"
                    );
                }
            }
        });
    }
}

#[tokio::test]
async fn who_waits_and_who_asks_are_told_the_same_bytes() {
    let agent = Agent::start().await;
    let register = |port| format!(r#"{{"Name": "web", "Port": {port}}}"#);
    agent.done("/v1/agent/service/register", &register(1)).await;
    let plain = agent.get("/v1/health/service/web?passing").await;
    let index = plain.headers["x-consul-index"].to_str().unwrap().to_owned();
    let waiting = (0..20).map(|_| {
        let (agent, index) = (agent.clone(), index.clone());
        let question = format!("/v1/health/service/web?passing&index={index}&wait=60s");
        tokio::spawn(async move { agent.get(&question).await })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::task::yield_now().await;
    agent.done("/v1/agent/service/register", &register(2)).await;
    let plain = agent.get("/v1/health/service/web?passing").await;
    assert!(plain.text().contains(r#""Port":2"#), "{}", plain.text());
    for waiter in waiting {
        let told = tokio::time::timeout(Duration::from_secs(20), waiter).await.unwrap().unwrap();
        assert_eq!((told.text(), &told.headers), (plain.text(), &plain.headers));
    }
}

#[tokio::test]
async fn who_waits_with_nothing_in_hand_is_told_what_the_long_way_tells() {
    let agent = Agent::start().await;
    let register = |port| format!(r#"{{"Name": "web", "Port": {port}}}"#);
    agent.done("/v1/agent/service/register", &register(1)).await;
    let index = agent.get("/v1/health/service/web?passing").await.headers["x-consul-index"].clone();
    let question = format!("/v1/health/service/web?index={}&passing&wait=60s", index.to_str().unwrap());
    let watch = agent.answers.watch(&http::Request::get(question).body(()).unwrap()).unwrap();
    let (answers, catalog) = (agent.answers.clone(), agent.catalog.clone());
    let waiter = tokio::spawn(async move { watch.answered(&answers, &catalog).await });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished(), "nothing has changed yet");
    agent.done("/v1/agent/service/register", &register(2)).await;
    let asked = tokio::time::timeout(Duration::from_secs(20), waiter).await.unwrap().unwrap();
    let asked = asked.expect_err("the first to hear of a change has to work it out");
    assert_eq!(asked.uri(), "/v1/health/service/web?passing");
}
