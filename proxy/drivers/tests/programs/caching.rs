//! Varnish caches what a label says, for as long as it says, and nothing else.

use std::net::SocketAddr;

use tokio::sync::mpsc::UnboundedReceiver;
use wharf_proxy_drivers::{Candidate, Condition, Routes};

use crate::{
    balancer::Kind,
    stage::{Stage, server, until},
};

fn cached(address: SocketAddr, cache: Option<&str>, serves: bool) -> Routes {
    let host = address.ip().to_string();
    let at = |service| Candidate {
        service,
        host: &host,
        port: address.port(),
        cache,
        out: (!serves).then(|| "critical".to_owned()),
        ..Candidate::default()
    };
    Routes::new([at("web"), at("other"), Candidate { cache: None, ..at("plain") }])
}

fn asked(got: &mut UnboundedReceiver<String>) -> usize {
    std::iter::from_fn(|| got.try_recv().ok()).count()
}

/// How old the answer says it is, in seconds.
fn age(answer: &str) -> u64 {
    let line = answer.lines().find_map(|line| line.strip_prefix("Age: "));
    line.and_then(|age| age.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn varnish_caches_by_label_and_serves_stale_answers_when_all_are_gone() {
    let (address, mut got) = server("origin").await;
    let stage = Stage::set(Kind::Varnish, "", cached(address, Some("1h"), true)).await;
    for _ in 0..5 {
        assert!(stage.get("localhost", "/web/page").await.contains("I am origin"));
    }
    assert_eq!(asked(&mut got), 1, "the label was not heeded");
    // The same path of another service, and the same service by host, are other things.
    stage.get("localhost", "/other/page").await;
    stage.get("web.localhost", "/page").await;
    assert_eq!(asked(&mut got), 2);
    for more in ["Cookie: a=b\r\n", "Authorization: Basic x\r\n"] {
        stage.ask("GET", "localhost", "/web/page", more).await;
        assert_eq!(asked(&mut got), 1, "{more}");
    }
    stage.ask("POST", "localhost", "/web/page", "Content-Length: 0\r\n").await;
    for _ in 0..2 {
        stage.get("localhost", "/plain/page").await;
    }
    assert_eq!(asked(&mut got), 3, "what no label says was cached");

    // All instances gone: an answer past its time is better than none, as long as grace lasts.
    stage.follow(cached(address, Some("1s"), true));
    until("the new time", async || {
        let status = stage.status();
        let times = status.services.iter().filter(|service| service.cache_seconds == Some(1)).count();
        status.condition == Condition::Current && times == 2
    })
    .await;
    assert!(stage.get("localhost", "/web/soon").await.contains("I am origin"));
    stage.follow(cached(address, Some("1s"), false));
    stage.answers("localhost", "/plain/page", "no instance of `plain`").await;
    until("an answer past its time", async || {
        let answer = stage.get("localhost", "/web/soon").await;
        answer.contains("I am origin") && age(&answer) > 1
    })
    .await;
}
