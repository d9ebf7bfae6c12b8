//! The description at `/v1/openapi.json` and the router say the same.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::StatusCode;

use crate::support::Agent;

type Routes = BTreeMap<String, BTreeSet<String>>;

/// Every path the router was given, from its own account of itself.
fn given_paths(agent: &Agent) -> BTreeSet<String> {
    let account = format!("{:?}", agent.router);
    account.split('"').filter(|text| text.starts_with("/v1/")).map(str::to_owned).collect()
}

/// What each of them allows, as it answers itself; redirects and what is nobody's are left out.
async fn routed(agent: &Agent) -> Routes {
    let mut routes = Routes::new();
    for path in given_paths(agent) {
        let answer = agent.ask("OPTIONS", &path.replace("{*rest}", "x"), Body::empty()).await;
        if answer.status != StatusCode::OK {
            assert!(matches!(answer.status.as_u16(), 301 | 404), "{path}: {}", answer.status);
            continue;
        }
        let allowed = answer.header("allow").split(',').filter(|method| *method != "OPTIONS");
        let name = match path.strip_suffix('/') {
            Some(start) => format!("{start}/{{}}"),
            None => path.replace("{*rest}", "{}"),
        };
        routes.insert(name, allowed.map(str::to_owned).collect());
    }
    routes
}

fn described(document: &serde_json::Value) -> Routes {
    let paths = document["paths"].as_object().unwrap();
    let name = |path: &str| match path.split_once('{') {
        Some((start, _)) => format!("{start}{{}}"),
        None => path.to_owned(),
    };
    let methods =
        |path: &serde_json::Value| path.as_object().unwrap().keys().map(|it| it.to_uppercase()).collect();
    paths.iter().map(|(path, operations)| (name(path), methods(operations))).collect()
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let agent = Agent::start().await;
    let (routed, described) = (routed(&agent).await, described(&agent.get("/v1/openapi.json").await.json()));
    assert!(routed.len() > 100, "the router tells only {} routes of itself", routed.len());
    let missing: Vec<_> =
        routed.iter().filter(|(path, methods)| described.get(*path) != Some(*methods)).collect();
    let surplus: Vec<_> =
        described.iter().filter(|(path, methods)| routed.get(*path) != Some(*methods)).collect();
    assert!(missing.is_empty(), "not described as they are: {missing:#?}");
    assert!(surplus.is_empty(), "described, but not so: {surplus:#?}");
}

#[tokio::test]
async fn whoever_takes_gzip_gets_long_answers_packed_and_short_ones_plain() {
    let agent = Agent::start().await;
    let ask = async |path: &str, accept: &str| {
        let request = http::Request::builder().uri(path).header("accept-encoding", accept);
        tower::ServiceExt::oneshot(agent.router.clone(), request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let packed = ask("/v1/openapi.json", "gzip").await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert_eq!(packed.headers().get_all("vary").iter().count(), 1);
    assert!(!ask("/v1/openapi.json", "identity").await.headers().contains_key("content-encoding"));
    assert!(!ask("/v1/status/leader", "gzip").await.headers().contains_key("content-encoding"));
}
