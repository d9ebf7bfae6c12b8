//! Keys.

use axum::body::Body;
use http::StatusCode;
use serde_json::json;

use crate::support::Agent;

#[tokio::test]
async fn a_key_is_set_read_and_deleted() {
    let agent = Agent::start().await;
    assert_eq!(agent.get("/v1/kv/a/b").await.status, StatusCode::NOT_FOUND);
    agent.done("/v1/kv/a%2Fb?flags=3304740253564472344", "hello").await;
    let answer = agent.get("/v1/kv/a/b").await;
    let entry = &answer.json()[0];
    assert_eq!((&entry["Key"], &entry["Value"]), (&json!("a/b"), &json!("aGVsbG8=")));
    assert_eq!(entry["Flags"], json!(3_304_740_253_564_472_344_u64));
    assert_eq!(entry["ModifyIndex"], json!(answer.index()));
    assert_eq!(agent.get("/v1/kv/a/b?raw").await.text(), "hello");
    assert_eq!(agent.ask("DELETE", "/v1/kv/a/b", "").await.text(), "true");
    assert_eq!(agent.get("/v1/kv/a/b").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_empty_value_is_null() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/empty", "").await;
    assert_eq!(agent.get("/v1/kv/empty").await.json()[0]["Value"], json!(null));
}

#[tokio::test]
async fn keys_fold_at_the_separator() {
    let agent = Agent::start().await;
    for key in ["k", "k/a", "k/b/c", "k/b/d", "k/e/", "kk"] {
        agent.done(&format!("/v1/kv/{key}"), "").await;
    }
    for (query, keys) in [
        ("k/?keys", json!(["k/a", "k/b/c", "k/b/d", "k/e/"])),
        ("k/?keys&separator=/", json!(["k/a", "k/b/", "k/e/"])),
        ("?keys&separator=/", json!(["k", "k/", "kk"])),
        ("k/?keys&separator=b", json!(["k/a", "k/b", "k/e/"])),
    ] {
        assert_eq!(agent.get(&format!("/v1/kv/{query}")).await.json(), keys, "{query}");
    }
    assert_eq!(agent.get("/v1/kv/none?keys").await.status, StatusCode::NOT_FOUND);
    assert_eq!(agent.ask("DELETE", "/v1/kv/k/b?recurse", "").await.text(), "true");
    let left = agent.get("/v1/kv/?recurse").await.json();
    assert_eq!(left.as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn compare_and_set_tells_who_was_first() {
    let agent = Agent::start().await;
    assert_eq!(agent.put("/v1/kv/c?cas=0", "1").await.text(), "true");
    assert_eq!(agent.put("/v1/kv/c?cas=0", "2").await.text(), "false");
    let index = agent.get("/v1/kv/c").await.index();
    assert_eq!(agent.put(&format!("/v1/kv/c?cas={index}"), "3").await.text(), "true");
    assert_eq!(agent.ask("DELETE", &format!("/v1/kv/c?cas={index}"), "").await.text(), "false");
    assert_eq!(agent.get("/v1/kv/c?raw").await.text(), "3");
}

#[tokio::test]
async fn a_lock_that_cannot_be_had_writes_nothing() {
    let agent = Agent::start().await;
    let answer = agent.put("/v1/kv/lock?acquire=6e1d7b2a-0000-0000-0000-000000000000", "me").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text().starts_with("invalid session"), "{}", answer.text());
    assert_eq!(agent.get("/v1/kv/lock").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_value_of_512_kilobytes_is_taken_and_one_byte_more_is_not() {
    let agent = Agent::start().await;
    let value = vec![7_u8; 512 * 1024];
    let answer = agent.ask("PUT", "/v1/kv/big", Body::from(value.clone())).await;
    assert_eq!(answer.text(), "true");
    assert_eq!(agent.get("/v1/kv/big?raw").await.body, value);
    let answer = agent.ask("PUT", "/v1/kv/bigger", Body::from([value, vec![7]].concat())).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.text().contains("too large, max size: 524288"), "{}", answer.text());
    assert_eq!(agent.get("/v1/kv/bigger").await.status, StatusCode::NOT_FOUND);
}
