//! What the fuzz targets `json` and `keys` look for, for a moment in every run of the tests.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::Agent;

/// A whole body for each of the writes, to be broken somewhere.
fn writes() -> Vec<(&'static str, Value)> {
    let check = json!({"CheckID": "c", "Name": "c", "HTTP": "http://127.0.0.1:1/", "Interval": "10s", "Timeout": "1s",
        "Header": {"X": ["y"]}, "DeregisterCriticalServiceAfter": "1h", "SuccessBeforePassing": 1});
    let service = json!({"ID": "web-1", "Name": "web", "Tags": ["a"], "Port": 80, "Address": "10.0.0.1",
        "Meta": {"k": "v"}, "TaggedAddresses": {"lan": {"Address": "10.0.0.1", "Port": 80}},
        "Weights": {"Passing": 1, "Warning": 1}, "Check": check, "Checks": [check]});
    vec![
        ("/v1/agent/service/register", service),
        ("/v1/agent/check/register", check),
        (
            "/v1/catalog/register",
            json!({"Node": "n", "Address": "10.0.0.1", "NodeMeta": {"k": "v"},
            "Service": {"Service": "web", "Port": 80}, "Check": {"Name": "c", "Status": "passing"}}),
        ),
        (
            "/v1/txn",
            json!([{"KV": {"Verb": "cas", "Key": "k", "Value": "dg==", "Index": 0, "Flags": 1}},
            {"Node": {"Verb": "set", "Node": {"Node": "n", "Address": "10.0.0.1"}}},
            {"Check": {"Verb": "get", "Check": {"Node": "n", "CheckID": "c"}}}]),
        ),
        (
            "/v1/session/create",
            json!({"Name": "s", "Node": "n1", "TTL": "10s", "LockDelay": "15s",
            "Behavior": "delete", "Checks": ["serfHealth"]}),
        ),
        (
            "/v1/query",
            json!({"Name": "q", "Template": {"Type": "name_prefix_match", "Regexp": "^(a)"},
            "Service": {"Service": "web", "Tags": ["a"], "Failover": {"NearestN": 1, "Datacenters": ["dc2"]}},
            "DNS": {"TTL": "10s"}}),
        ),
    ]
}

/// Something else in the place of the `at`-th value of `whole`, counted from the outside in.
fn broken(whole: &Value, at: &mut usize, other: &Value) -> Value {
    if *at == 0 {
        *at = usize::MAX;
        return other.clone();
    }
    *at = at.saturating_sub(usize::from(*at != usize::MAX));
    match whole {
        Value::Array(all) => all.iter().map(|one| broken(one, at, other)).collect(),
        Value::Object(all) => all
            .iter()
            .map(|(name, one)| (name.clone(), broken(one, at, other)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        one => one.clone(),
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(-1),
            json!(1e300),
            json!(u64::MAX),
            json!(""),
            json!("\u{0}"),
            json!("-1s"),
            json!("9999999h"),
            json!("http://"),
            json!([]),
            json!({}),
            json!([null]),
            json!({"": {}}),
            json!("delete-tree"),
            json!("(("),
        ]),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn with_agent<T>(ask: impl AsyncFnOnce(Agent) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { ask(Agent::start().await).await })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_body_broken_anywhere_is_taken_or_refused_with_words_and_without_a_trace(
        which in 0..6usize, at in 0..40usize, other in odd_value(), cut in prop::option::weighted(0.2, 0..200usize),
    ) {
        let (path, whole) = writes().swap_remove(which);
        let body = broken(&whole, &mut at.clone(), &other).to_string();
        let body = cut.and_then(|cut| body.get(..cut)).unwrap_or(&body).to_owned();
        with_agent(async |agent| {
            let before = agent.catalog.snapshot().index();
            let method = if path == "/v1/query" { "POST" } else { "PUT" };
            let answer = agent.ask(method, path, body.clone()).await;
            if !answer.status.is_success() {
                prop_assert!(!answer.body.is_empty(), "{path} {body}: {} without a word", answer.status);
                prop_assert_eq!(agent.catalog.snapshot().index(), before, "{} {}", path, body);
            }
            Ok(())
        })?;
    }

    #[test]
    fn any_key_that_is_taken_is_read_as_it_was_written(
        key in prop::collection::vec(any::<u8>(), 0..24), value in prop::collection::vec(any::<u8>(), 0..64),
        parameters in "((cas|flags|acquire|release|recurse|keys|separator|raw|pretty|dc|stale)(=[ -~&&[^#\"<>`]]{0,6})?&?){0,4}",
    ) {
        let mut path = String::from("/v1/kv/");
        for byte in key {
            match byte {
                b'a'..=b'z' | b'/' | b'.' => path.push(char::from(byte)),
                _ => write!(path, "%{byte:02X}").unwrap(),
            }
        }
        with_agent(async |agent| {
            let odd = format!("{path}?{parameters}");
            if odd.parse::<http::Uri>().is_ok() {
                for method in ["PUT", "GET", "DELETE"] {
                    let answer = agent.ask(method, &odd, value.clone()).await;
                    // An unclean path (`/v1/kv/.`) is sent to the clean one.
                    let moved = answer.status.is_redirection() && answer.headers.contains_key("location");
                    let told = moved || answer.status.as_u16() == 404 || !answer.body.is_empty();
                    prop_assert!(answer.status.is_success() || told, "{method} {odd}: {}", answer.status);
                }
            }
            let taken = agent.ask("PUT", &path, value.clone()).await;
            if taken.status.is_success() && taken.text().trim() == "true" {
                let read = agent.get(&format!("{path}?raw")).await;
                prop_assert_eq!((read.status.as_u16(), read.body), (200, value));
                agent.ask("DELETE", &path, "").await;
                prop_assert_eq!(agent.get(&path).await.status.as_u16(), 404);
            }
            Ok(())
        })?;
    }
}
