//! Any body at any write: no panic, a refusal has words and changes nothing.
//!
//! The first byte says where it goes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::Agent;

const WRITES: [&str; 12] = [
    "/v1/agent/service/register",
    "/v1/agent/service/register?replace-existing-checks",
    "/v1/agent/check/register",
    "/v1/agent/check/update/c",
    "/v1/agent/service/deregister/web",
    "/v1/catalog/register",
    "/v1/catalog/deregister",
    "/v1/txn",
    "/v1/session/create",
    "/v1/query",
    "/v1/config",
    "/v1/event/fire/e",
];

fuzz_target!(|input: &[u8]| {
    let Some((which, body)) = input.split_first() else { return };
    let path = WRITES[usize::from(*which) % WRITES.len()];
    Agent::with(|agent| {
        let before = agent.catalog.snapshot().index();
        let method = if path == "/v1/query" { "POST" } else { "PUT" };
        let answer = agent.ask(method, path, body).expect("a request");
        assert!(answer.status < 600);
        if answer.status >= 400 {
            assert!(!answer.body.is_empty(), "{path}: {} without a word", answer.status);
            assert_eq!(agent.catalog.snapshot().index(), before, "{path}: refused, and something changed");
        }
    });
});
