//! A request finds its way as through the embedded balancer, whichever program stands in front.

use std::collections::BTreeSet;

use crate::{
    balancer::Kind,
    stage::{EACH, Stage, routes, server, silent},
};

async fn finds_its_way(kind: Kind) {
    let ((web, _asked), (api, _)) = (server("web").await, server("api").await);
    let all = routes(&[("web", web, true), ("v1.api", api, true), ("api", web, true), ("idle", web, false)]);
    let stage = Stage::set(kind, "", all).await;
    // By path: the prefix is taken off, the rest passed on as it came.
    for (path, asked) in [
        ("/web/", "GET / HTTP/1.1"),
        ("/web/x/y?q=1&r=%2f", "GET /x/y?q=1&r=%2f HTTP/1.1"),
        ("/WEB/%41//b", "GET /%41//b HTTP/1.1"),
        ("/v1.api/z", "GET /z HTTP/1.1"),
        ("/web/..a/b..", "GET /..a/b.. HTTP/1.1"),
    ] {
        let answer = stage.get("localhost", path).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(asked), "{kind:?} {path}: {answer}");
    }
    let answer = stage.get("localhost", "/web/x").await.to_lowercase();
    for header in [
        "x-forwarded-prefix: /web",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "host: localhost",
    ] {
        assert!(answer.contains(header), "{kind:?}: no `{header}` in {answer}");
    }
    assert!(!answer.contains("x-wharf"), "{kind:?}: {answer}");
    // By host: the path stays whole, the longest name wins.
    for (host, path, asked, who) in [
        ("web", "/x", "GET /x ", "web"),
        ("web.localhost:81", "/api/x", "GET /api/x ", "web"),
        ("WEB.example.org.", "/", "GET / ", "web"),
        ("v1.api.example.org", "/", "GET / ", "api"),
        ("api.v1", "/", "GET / ", "web"),
        ("127.0.0.1", "/v1.api/", "GET / ", "api"),
        ("webx.localhost", "/v1.api/", "GET / ", "api"),
    ] {
        let answer = stage.get(host, path).await;
        let right = answer.contains(asked) && answer.contains(&format!("I am {who}\n"));
        assert!(right, "{kind:?} {host}{path}: {answer}");
    }
    for (host, path, status, says) in [
        ("localhost", "/web", "308", "/web/"),
        ("localhost", "/web?a=b", "308", "/web/?a=b"),
        ("localhost", "/nobody/", "404", "no service matches this host and path"),
        ("localhost", "/", "404", "no service matches"),
        ("web2.localhost", "/", "404", "no service matches"),
        ("localhost", "/idle/", "503", "no instance of `idle` takes traffic"),
        ("idle.localhost", "/", "503", "no instance of `idle` takes traffic"),
        ("localhost", "/web/../idle/", "400", "leads out of the service"),
        ("localhost", "/web/a/%2e%2e/%2E./x", "400", "leads out of the service"),
    ] {
        let answer = stage.get(host, path).await;
        let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{kind:?} {host}{path}: {answer}");
        let told =
            if status == "308" { head.contains(&format!("location: {says}")) } else { answer.contains(says) };
        assert!(told, "{kind:?} {host}{path}: {answer}");
        assert_eq!(status == "503", head.contains("retry-after: 1"), "{kind:?}: {answer}");
    }
}

#[tokio::test]
async fn a_request_finds_its_way_through_nginx() {
    finds_its_way(Kind::Nginx).await;
}

#[tokio::test]
async fn a_request_finds_its_way_through_haproxy() {
    finds_its_way(Kind::Haproxy).await;
}

#[tokio::test]
async fn a_request_finds_its_way_through_varnish() {
    finds_its_way(Kind::Varnish).await;
}

/// One instance takes requests and closes: a GET goes to the other one, a POST that may have been acted on
/// goes nowhere else.
#[tokio::test]
async fn a_get_is_sent_again_and_a_post_never() {
    for kind in EACH {
        let ((good, mut got), (bad, mut lost)) = (server("good").await, silent().await);
        let stage = Stage::set(kind, "", routes(&[("web", good, true), ("web", bad, true)])).await;
        for _ in 0..4 {
            let answer = stage.get("localhost", "/web/").await;
            assert!(answer.contains("I am good"), "{kind:?}: {answer}");
        }
        let mut seen = BTreeSet::new();
        for number in 0..6 {
            // nginx leaves an instance that failed alone for two seconds; it is asked again after that.
            let path = format!("/web/order-{number}");
            stage.ask("POST", "localhost", &path, "Content-Length: 0\r\n").await;
        }
        let mut orders = Vec::new();
        while let Ok(head) = got.try_recv() {
            orders.push(head.lines().next().unwrap_or_default().to_owned());
        }
        while let Ok(head) = lost.try_recv() {
            orders.push(head.lines().next().unwrap_or_default().to_owned());
        }
        for order in orders.iter().filter(|line| line.starts_with("POST")) {
            assert!(seen.insert(order.clone()), "{kind:?}: sent twice: {order}");
        }
        assert_eq!(seen.len(), 6, "{kind:?}: {seen:?}");
    }
}
