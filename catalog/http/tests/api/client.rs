//! The client against the real router on a real socket.

use std::time::Duration;

use wharf_catalog::{Index, Status};
use wharf_catalog_http::client::{Client, ClientError, Wait};

use crate::support::Agent;

async fn served() -> (Agent, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let agent = Agent::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = agent.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (agent, Client::new(&url).unwrap())
}

#[tokio::test]
async fn the_client_reads_what_was_registered() {
    let (agent, client) = served().await;
    let body = r#"{"Name":"w/eb","Port":80,"Tags":["t"],"Check":{"TTL":"10m","Status":"warning"}}"#;
    agent.done("/v1/agent/service/register", body).await;
    let (index, services) = client.services(None).await.unwrap();
    assert!(index > Index(1));
    assert_eq!(services["w/eb"], ["t"]);
    let (_, health) = client.health("w/eb", None).await.unwrap();
    assert_eq!((health[0].address(), health[0].service.port), ("127.0.0.1", 80));
    assert_eq!(health[0].status(), Status::Warning);
    let (_, warning) = client.health_state("warning", None).await.unwrap();
    assert_eq!(warning[0].service_name, "w/eb");
    let (_, nodes) = client.nodes(None).await.unwrap();
    assert_eq!(nodes[0].node, "n1");
    assert_eq!(client.agent_self().await.unwrap().config.datacenter, "dc1");
}

#[tokio::test]
async fn the_client_waits_for_a_change() {
    let (agent, client) = served().await;
    let (after, _) = client.services(None).await.unwrap();
    let at_most = Duration::from_secs(30);
    let waiting = tokio::spawn(async move { client.services(Some(Wait { after, at_most })).await });
    agent.done("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    let (index, services) = waiting.await.unwrap().unwrap();
    assert!(index > after && services.contains_key("web"));
}

#[tokio::test]
async fn nobody_there_is_said_with_the_address() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::new(&url).unwrap().services(None).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot reach wharf at `{url}/`: is it running?")), "{text}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_at_once() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for address in ["", "localhost:8500", "ftp://h/", "http://"] {
        let error = Client::new(address).unwrap_err();
        assert!(matches!(error, ClientError::Address { .. }), "{address}: {error}");
    }
}

#[tokio::test]
async fn a_refusal_is_passed_on_in_its_words() {
    let (_agent, client) = served().await;
    let error = client.health_state("", None).await.unwrap_err();
    assert!(
        matches!(&error, ClientError::Refused { status: 400, text, .. } if text == "Missing check state"),
        "{error}"
    );
}
