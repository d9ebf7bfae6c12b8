//! Hostile input: one clear line, nothing kept, no panic (a panic in a handler fails the test).

use axum::body::Body;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::Agent;

const WRITES: [&str; 6] = [
    "/v1/agent/service/register",
    "/v1/agent/check/register",
    "/v1/agent/check/update/x",
    "/v1/catalog/register",
    "/v1/catalog/deregister",
    "/v1/agent/service/register?replace-existing-checks",
];

fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        " ",
        "{",
        "[",
        "[]",
        "\"x\"",
        "12",
        "{\"Name\":1e999}",
        "{\"Name\":\"x\",\"Port\":99999999999999999999999999}",
        "{\"Name\":\"x\",\"Tags\":{\"a\":1}}",
        "{\"Name\":\"x\",\"Check\":[]}",
        "{\"Name\":\"x\",\"Checks\":[1]}",
        "{\"Name\":\"x\",\"Check\":{\"TTL\":\"99999999h\"}}",
        "{\"Name\":\"x\",\"Check\":{\"HTTP\":\"javascript:1\",\"Interval\":\"1s\"}}",
        "{\"Node\":\"x\",\"Address\":[]}",
        "{\"Node\":{},\"Address\":\"1\"}",
        "{\"Status\":[]}",
        "{\"Bogus\":{}}",
        "{\"Name\":\"\\ud800\"}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    bodies.push([b"{\"Name\":\"".as_slice(), &[0xff, 0xfe], b"\"}"].concat());
    bodies.push("[".repeat(100_000).into_bytes());
    bodies.push(format!("{{\"Meta\":{}", "{\"a\":".repeat(50_000)).into_bytes());
    bodies.push(format!("{{\"Name\":\"{}\"}}", "x".repeat(1_100_000)).into_bytes());
    bodies
}

#[tokio::test]
async fn nonsense_bodies_get_one_clear_line_and_change_nothing() {
    let agent = Agent::start().await;
    let before = agent.catalog.snapshot().index();
    for path in WRITES {
        for body in bodies() {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let answer = agent.ask("PUT", path, Body::from(body)).await;
            assert!(answer.status.is_client_error() || answer.status.as_u16() == 500, "{path} {shown}");
            let text = answer.text();
            assert!(!text.trim().is_empty() && text.lines().count() == 1, "{path} {shown}: {text}");
            assert!(text.len() < 400, "{path} {shown}: {} bytes of text", text.len());
        }
    }
    assert_eq!(agent.catalog.snapshot().index(), before);
}

#[tokio::test]
async fn odd_names_survive_the_round_trip() {
    let agent = Agent::start().await;
    for (id, path) in [
        ("a/b c", "a%2Fb%20c"),
        ("100%", "100%25"),
        ("sv-ünï", "sv-%C3%BCn%C3%AF"),
        ("q?x#y", "q%3Fx%23y"),
        ("nul\u{0}", "nul%00"),
    ] {
        let body = json!({"Name": "odd", "ID": id}).to_string();
        agent.done("/v1/agent/service/register", &body).await;
        let read = agent.get(&format!("/v1/agent/service/{path}")).await;
        assert_eq!(read.json()["ID"], json!(id));
        agent.done(&format!("/v1/agent/service/deregister/{path}"), "").await;
        assert_eq!(agent.get(&format!("/v1/agent/service/{path}")).await.status.as_u16(), 404);
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused() {
    let agent = Agent::start().await;
    let answer = agent.put("/v1/kv/%ff%fe", "x").await;
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(answer.text(), "path `/v1/kv/%ff%fe` is not UTF-8");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9/:.%]{0,12}".prop_map(Value::from),
        "(10s|5m|-1h|http://h/|passing|critical)".prop_map(Value::from),
    ];
    let name =
        "(Name|ID|Tags|Port|Check|Checks|TTL|HTTP|Interval|Meta|Weights|Node|Address|Service|Status|CheckID)";
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_json_at_any_write_is_answered(path in prop::sample::select([&WRITES[..], &["/v1/session/create", "/v1/txn"]].concat()), body in any_json()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let agent = Agent::start().await;
            let answer = agent.put(path, &body.to_string()).await;
            assert!(answer.status.is_success() || !answer.body.is_empty(), "{path} {body}");
        });
    }

    #[test]
    fn any_path_and_query_is_answered(path in "/v1/(kv|catalog/service|health/state|agent/service|session/info|session/node)/[ -~]{0,20}") {
        prop_assume!(path.parse::<http::Uri>().is_ok() && !path.contains('#'));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let agent = Agent::start().await;
            let answer = agent.get(&path).await;
            assert!(answer.status.as_u16() < 501, "{path}");
        });
    }
}
