//! Transactions: all or nothing, and what clients are told of each.

use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Agent, Answer};

async fn transact(agent: &Agent, operations: Value) -> Answer {
    agent.put("/v1/txn", &operations.to_string()).await
}

/// The results of one that has to work.
async fn results(agent: &Agent, operations: Value) -> Value {
    let answer = transact(agent, operations).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.json()["Errors"], json!(null));
    answer.json()["Results"].clone()
}

/// (position, text) of the errors of one that must not work.
async fn errors(agent: &Agent, operations: Value) -> Vec<(u64, String)> {
    let before = agent.catalog.snapshot().index();
    let answer = transact(agent, operations).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text());
    assert_eq!(answer.json()["Results"], json!(null));
    assert_eq!(agent.catalog.snapshot().index(), before, "nothing may have happened");
    let told = answer.json()["Errors"].as_array().unwrap().clone();
    told.iter().map(|e| (e["OpIndex"].as_u64().unwrap(), e["What"].as_str().unwrap().to_owned())).collect()
}

fn kv(verb: &str, key: &str, value: &str) -> Value {
    json!({"KV": {"Verb": verb, "Key": key, "Value": value}})
}

/// Vault writes its entries in batches, and reads what it wrote in the same breath.
#[tokio::test]
async fn vaults_batch_takes_effect_in_one_commit() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/vault/old", "x").await;
    let before = agent.catalog.snapshot().index();
    let batch = json!([
        kv("set", "vault/core/seal", "YQ=="),
        {"KV": {"Verb": "set", "Key": "vault/core/keyring", "Value": "Yg==", "Flags": u64::MAX}},
        kv("delete", "vault/old", ""),
        kv("get", "vault/core/seal", ""),
        kv("get-tree", "vault/core/", ""),
    ]);
    let results = results(&agent, batch).await;
    assert_eq!(agent.catalog.snapshot().index(), before.next());
    let told: Vec<_> =
        results.as_array().unwrap().iter().map(|r| (&r["KV"]["Key"], &r["KV"]["Value"])).collect();
    let (seal, keyring) = (&json!("vault/core/seal"), &json!("vault/core/keyring"));
    let (null, a, b) = (&json!(null), &json!("YQ=="), &json!("Yg=="));
    assert_eq!(told, [(seal, null), (keyring, null), (seal, a), (keyring, b), (seal, a)]);
    assert_eq!(results[1]["KV"]["Flags"], json!(u64::MAX));
    assert_eq!(
        agent.get("/v1/kv/vault/?keys").await.json(),
        json!(["vault/core/keyring", "vault/core/seal"])
    );
}

#[tokio::test]
async fn one_failure_undoes_everything_and_every_failure_is_told() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/a", "1").await;
    let index = agent.get("/v1/kv/a").await.index();
    let told = errors(
        &agent,
        json!([
            kv("set", "b", "eA=="),
            kv("get", "none", ""),
            {"KV": {"Verb": "check-index", "Key": "a", "Index": index + 1}},
            kv("check-index", "none", ""),
            kv("check-session", "none", ""),
            kv("check-not-exists", "a", ""),
            kv("cas", "a", "eA=="),
            {"KV": {"Verb": "delete-cas", "Key": "a", "Index": 1}},
            kv("bogus", "a", ""),
            kv("get-or-empty", "a", ""),
            kv("lock", "a", ""),
            {"KV": {"Verb": "lock", "Key": "a", "Session": "x"}},
            {"KV": {"Verb": "unlock", "Key": "a", "Session": "x"}},
        ]),
    )
    .await;
    let texts: Vec<_> = told.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(
        texts,
        [
            (1, "key \"none\" doesn't exist"),
            (2, &*format!("failed index check for key \"a\", current modify index {index} != {}", index + 1)),
            (3, "failed to check index, key \"none\" doesn't exist"),
            (4, "failed to check session, key \"none\" doesn't exist"),
            (5, "key \"a\" exists"),
            (6, "failed to set key \"a\", index is stale"),
            (7, "failed to delete key \"a\", index is stale"),
            (8, "unknown KV verb \"bogus\""),
            (9, "unknown KV verb \"get-or-empty\""),
            (10, "missing session"),
            (11, "failed session lookup: index error: UUID must be 36 characters"),
            (12, "failed to unlock key \"a\", lock isn't held, or is held by another session"),
        ]
    );
    assert_eq!(agent.get("/v1/kv/b").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_makes_no_sense_is_told_before_anything_is_looked_at() {
    let agent = Agent::start().await;
    let told = errors(
        &agent,
        json!([
            kv("set", "", "eA=="),
            kv("get", "none", ""),
            {"Service": {"Verb": "delete", "Node": "n1", "Service": {"ID": "x"}}},
            {"Node": {"Verb": "set", "Node": {"Address": "10.0.0.1"}}},
            {"Node": {"Verb": "set", "Node": {"Node": "n", "ID": "short"}}},
            {"Check": {"Verb": "set", "Check": {"Node": "n1", "Status": "passing"}}},
        ]),
    )
    .await;
    let texts: Vec<_> = told.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(
        texts[..4],
        [
            (0, "Must provide key"),
            (2, "Must provide service name with ID"),
            (3, "Must provide node"),
            (4, "Bad node ID: uuid string is wrong length"),
        ]
    );
    assert_eq!(texts[4], (5, "failed inserting check: object missing primary index: it needs a `CheckID`"));
}

#[tokio::test]
async fn a_lock_is_taken_checked_and_given_back() {
    let agent = Agent::start().await;
    let id = agent.session("").await;
    let on = |verb: &str| json!({"KV": {"Verb": verb, "Key": "l", "Value": "eA==", "Session": id}});
    let taken = results(&agent, json!([on("lock")])).await;
    assert_eq!((&taken[0]["KV"]["Session"], &taken[0]["KV"]["LockIndex"]), (&json!(id), &json!(1)));
    let other = agent.session("").await;
    let wanted = json!([{"KV": {"Verb": "lock", "Key": "l", "Session": other}}]);
    assert_eq!(
        errors(&agent, wanted.clone()).await,
        [(0, "failed to lock key \"l\", lock is already held".into())]
    );
    let given_back = results(&agent, json!([on("check-session"), on("unlock")])).await;
    assert_eq!(given_back[1]["KV"].get("Session"), None);
    let told = format!("failed session check for key \"l\", current session \"\" != {id:?}");
    assert_eq!(errors(&agent, json!([on("check-session")])).await, [(0, told)]);
    results(&agent, json!([on("lock")])).await;
    agent.done(&format!("/v1/session/destroy/{id}"), "").await;
    assert_eq!(errors(&agent, wanted).await, [(0, "failed to lock key \"l\" due to lock delay".into())]);
}

#[tokio::test]
async fn reading_needs_no_commit_and_says_it_is_a_read() {
    let agent = Agent::start().await;
    agent.done("/v1/kv/r", "1").await;
    let before = agent.catalog.snapshot().index();
    for path in ["/v1/txn", "/v1/txn?stale", "/v1/txn?consistent"] {
        let answer = agent.put(path, &json!([kv("get", "r", ""), {}]).to_string()).await;
        let body = answer.json();
        assert_eq!((&body["KnownLeader"], &body["Index"]), (&json!(true), &json!(0)), "{path}");
        assert_eq!(body["Results"][0]["KV"]["Value"], json!("MQ=="));
        assert_eq!((answer.header("x-consul-knownleader"), answer.header("x-consul-index")), ("true", ""));
    }
    assert_eq!(agent.catalog.snapshot().index(), before);
    let both = agent.put("/v1/txn?stale&consistent", "[]").await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    let written = transact(&agent, json!([kv("set", "r", "MQ==")])).await;
    assert_eq!((written.json().get("Index"), written.header("x-consul-knownleader")), (None, ""));
    for nothing in ["null", "[]", "[{}]"] {
        assert_eq!(agent.put("/v1/txn", nothing).await.json()["Results"], json!([]));
    }
}

#[tokio::test]
async fn a_node_comes_with_its_service_and_check_and_goes_again() {
    let agent = Agent::start().await;
    let told = results(
        &agent,
        json!([
            {"Node": {"Verb": "cas", "Node": {"Node": "ext", "Address": "10.7.0.2", "Meta": {"external": "true"}}}},
            {"Service": {"Verb": "set", "Node": "EXT", "Service": {"Service": "db", "Port": 3}}},
            {"Check": {"Verb": "set", "Check": {"Node": "ext", "Name": "up", "Status": "passing", "ServiceID": "db"}}},
        ]),
    )
    .await;
    assert_eq!(told[0]["Node"]["Meta"], json!({"external": "true"}));
    assert_eq!((&told[1]["Service"]["ID"], &told[1]["Service"]["Tags"]), (&json!("db"), &json!(null)));
    let check = &told[2]["Check"];
    assert_eq!(
        (&check["Node"], &check["CheckID"], &check["ServiceName"]),
        (&json!("ext"), &json!("up"), &json!("db"))
    );
    assert_eq!(agent.get("/v1/health/service/db?passing").await.json().as_array().unwrap().len(), 1);

    let index = told[0]["Node"]["ModifyIndex"].as_u64().unwrap();
    let service = json!({"ID": "db", "Service": "db", "Port": 4, "ModifyIndex": index});
    let moved =
        results(&agent, json!([{"Service": {"Verb": "cas", "Node": "ext", "Service": service}}])).await;
    assert_eq!(moved[0]["Service"]["Port"], json!(4));
    let check = json!({"Node": "ext", "CheckID": "up", "Name": "up", "ModifyIndex": index + 7});
    let stale = errors(
        &agent,
        json!([
            {"Service": {"Verb": "cas", "Node": "ext", "Service": service}},
            {"Service": {"Verb": "delete-cas", "Node": "ext", "Service": service}},
            {"Check": {"Verb": "cas", "Check": check}},
            {"Check": {"Verb": "delete-cas", "Check": check}},
            {"Node": {"Verb": "cas", "Node": {"Node": "ext"}}},
            {"Node": {"Verb": "delete-cas", "Node": {"Node": "ext"}}},
            {"Node": {"Verb": "bogus", "Node": {"Node": "ext"}}},
            {"Service": {"Verb": "set", "Node": "none", "Service": {"Service": "db"}}},
            {"Check": {"Verb": "set", "Check": {"Node": "ext", "Name": "c", "ServiceID": "none"}}},
        ]),
    )
    .await;
    let texts: Vec<_> = stale.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "failed to set service \"db\" on node \"ext\", index is stale",
            "failed to delete service \"db\" on node \"ext\", index is stale",
            "failed to set check \"up\" on node \"ext\", index is stale",
            "failed to delete check \"up\" on node \"ext\", index is stale",
            "failed to set node \"ext\", index is stale",
            "failed to delete node \"ext\", index is stale",
            "unknown Node verb \"bogus\"",
            "Missing node registration",
            "Missing service registration",
        ]
    );

    results(&agent, json!([{"Node": {"Verb": "delete-cas", "Node": {"Node": "ext", "ModifyIndex": index}}}]))
        .await;
    let gone = errors(
        &agent,
        json!([
            {"Node": {"Verb": "get", "Node": {"Node": "ext"}}},
            {"Service": {"Verb": "get", "Node": "ext", "Service": {"ID": "db"}}},
            {"Check": {"Verb": "get", "Check": {"Node": "ext", "CheckID": "up"}}},
        ]),
    )
    .await;
    let texts: Vec<_> = gone.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "node \"ext\" doesn't exist",
            "service \"db\" on node \"ext\" doesn't exist",
            "check \"up\" on node \"ext\" doesn't exist",
        ]
    );
}

#[tokio::test]
async fn the_agents_own_node_stays() {
    let agent = Agent::start().await;
    let told = results(
        &agent,
        json!([
            {"Node": {"Verb": "set", "Node": {"Node": "n1", "Address": "10.9.9.9"}}},
            {"Node": {"Verb": "delete", "Node": {"Node": "N1"}}},
        ]),
    )
    .await;
    assert_eq!(told[0]["Node"]["Address"], json!("127.0.0.1"));
    assert_eq!(agent.get("/v1/catalog/nodes").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_has_at_most_64_operations_and_a_bounded_body() {
    let agent = Agent::start().await;
    let many =
        |count: usize| Value::Array((0..count).map(|n| kv("set", &format!("k{n:02}"), "eA==")).collect());
    assert_eq!(results(&agent, many(64)).await.as_array().unwrap().len(), 64);
    let answer = transact(&agent, many(65)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.text(), "Transaction contains too many operations (65 > 64)");
    let answer = transact(&agent, json!([kv("set", "big", &"A".repeat(600_000))])).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.text().contains("too large"), "Terraform splits its state for these words");
}

#[tokio::test]
async fn a_body_that_is_no_transaction_is_refused() {
    let agent = Agent::start().await;
    for body in [
        "",
        "{",
        "{}",
        "7",
        "[7]",
        r#"[{"Bogus":{}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"a","Value":"!!"}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"a","Flags":-1}}]"#,
        r#"[{"KV":{"Verb":"set","Key":"a","Bogus":1}}]"#,
        r#"[{"Service":{"Verb":"set","Node":"n1","Service":{"Service":"a","Port":80.5}}}]"#,
    ] {
        let answer = agent.put("/v1/txn", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text());
    }
    assert_eq!(agent.put("/v1/txn?dc=nope", "[]").await.text(), "No path to datacenter");
}

fn any_operation() -> impl Strategy<Value = Value> {
    let verbs =
        "set|cas|get|get-tree|delete|delete-cas|delete-tree|lock|unlock|check-(index|session|not-exists)|x";
    let name = || "(a|b|n1|)";
    prop_oneof![
        (verbs, name(), name(), 0..4u64).prop_map(|(verb, key, session, index)| {
            json!({"KV": {"Verb": verb, "Key": key, "Session": session, "Index": index, "Value": "eA=="}})
        }),
        (verbs, name(), name(), 0..4u64).prop_map(|(verb, node, id, index)| {
            json!({"Node": {"Verb": verb, "Node": {"Node": node, "ID": id, "ModifyIndex": index}}})
        }),
        (verbs, name(), name(), 0..4u64).prop_map(|(verb, node, name, index)| {
            json!({"Service": {"Verb": verb, "Node": node, "Service": {"Service": name, "ModifyIndex": index}}})
        }),
        (verbs, name(), name(), name()).prop_map(|(verb, node, name, service)| {
            json!({"Check": {"Verb": verb, "Check": {"Node": node, "Name": name, "ServiceID": service}}})
        }),
        any::<Option<u64>>().prop_map(|odd| json!({ "KV": odd })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_transaction_is_answered_and_takes_effect_whole_or_not_at_all(
        transactions in prop::collection::vec(prop::collection::vec(any_operation(), 0..5), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let agent = Agent::start().await;
            for operations in transactions {
                let before = agent.catalog.snapshot().index();
                let answer = transact(&agent, json!(operations)).await;
                let after = agent.catalog.snapshot().index();
                match answer.status.as_u16() {
                    200 => assert!(after == before || after == before.next(), "{operations:?}"),
                    400 => assert_eq!(after, before),
                    409 => {
                        assert_eq!(after, before);
                        let told = answer.json()["Errors"].as_array().unwrap().clone();
                        let at: Vec<_> = told.iter().map(|e| e["OpIndex"].as_u64().unwrap()).collect();
                        assert!(!at.is_empty() && at.is_sorted_by(|a, b| a < b), "{operations:?}: {told:?}");
                    }
                    other => panic!("{other} to {operations:?}: {}", answer.text()),
                }
            }
        });
    }
}
