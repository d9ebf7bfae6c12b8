use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store};
use wharf_proxy::{Config, Proxy};

use crate::harness::{Backend, World, nobody, split, until};

#[tokio::test]
async fn a_service_is_reached_by_path_and_by_host() {
    let (web, api) = (Backend::start("web-1").await, Backend::start("api-1").await);
    let world = World::serving(&[&web]).await;
    world.register("api", "api-1", api.address).await;
    assert_eq!(world.get("/web/").await, (200, "web-1".to_owned()));
    assert_eq!(world.get("/API/x?y").await, (200, "api-1".to_owned()));
    let by_host =
        world.ask("GET /web/head HTTP/1.1\r\nHost: Api.localhost:8080\r\nConnection: close\r\n\r\n").await;
    assert_eq!(split(&by_host), (200, "api-1".to_owned()), "the host goes before the path");
    let absolute =
        "GET http://api.localhost/head HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n\r\n";
    let (_, head) = split(&world.ask(absolute).await);
    assert!(head.contains("\"host\": \"api.localhost\""), "{head}");
}

#[tokio::test]
async fn the_prefix_is_stripped_and_the_query_and_host_are_kept() {
    let web = Backend::start("web-1").await;
    let world = World::serving(&[&web]).await;
    let (_, head) = world.get("/web/head?a=/web/%20").await;
    assert!(head.starts_with("GET /head?a=/web/%20\n"), "{head}");
    for field in [
        "\"host\": \"localhost\"",
        "\"x-forwarded-for\": \"127.0.0.1\"",
        "\"x-forwarded-host\": \"localhost\"",
        "\"x-forwarded-proto\": \"http\"",
        "\"x-forwarded-prefix\": \"/web\"",
    ] {
        assert!(head.contains(field), "{field} in {head}");
    }
}

#[tokio::test]
async fn a_service_without_its_slash_is_redirected() {
    let web = Backend::start("web-1").await;
    let world = World::serving(&[&web]).await;
    let answer = world.ask("POST /web?a=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains("\r\nlocation: /web/?a=1\r\n"), "{answer}");
}

#[tokio::test]
async fn requests_go_round_the_passing_instances() {
    let backends = [Backend::start("a").await, Backend::start("b").await, Backend::start("c").await];
    let world = World::serving(&backends.each_ref()).await;
    world.drain("c").await;
    let mut seen = BTreeMap::<String, usize>::new();
    for _ in 0..20 {
        *seen.entry(world.get("/web/").await.1).or_default() += 1;
    }
    assert_eq!(seen, BTreeMap::from([("a".to_owned(), 10), ("b".to_owned(), 10)]));
}

#[tokio::test]
async fn an_unknown_service_is_404_and_tells_no_internals() {
    let web = Backend::start("web-1").await;
    let world = World::serving(&[&web]).await;
    world.register("consul", "consul", web.address).await;
    for path in ["/", "/other/", "/consul/"] {
        assert_eq!(world.get(path).await, (404, "no service matches this host and path\n".to_owned()));
    }
}

#[tokio::test]
async fn a_service_without_a_passing_instance_is_503_with_retry_after() {
    let web = Backend::start("web-1").await;
    let world = World::serving(&[&web]).await;
    world.drain("web-1").await;
    let answer = world.ask("GET /web/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    assert_eq!(split(&answer), (503, "no instance of `web` takes traffic\n".to_owned()));
    assert_eq!(web.served(), 0);
}

#[tokio::test]
async fn a_service_nobody_serves_is_502_without_an_address() {
    let world = World::start().await;
    world.register("web", "web-1", nobody().await).await;
    assert_eq!(world.get("/web/").await, (502, "the service could not be reached\n".to_owned()));
}

#[tokio::test]
async fn a_path_that_climbs_out_of_its_service_is_refused() {
    let web = Backend::start("web-1").await;
    let world = World::serving(&[&web]).await;
    assert_eq!(world.get("/web/%2e%2e/other").await.0, 400);
    assert_eq!(web.served(), 0);
}

#[tokio::test]
async fn an_instance_without_a_port_is_out_and_says_so() {
    let world = World::start().await;
    world.commit(vec![Command::PutInstance(Instance::new("n1", "job", "job"))]).await;
    assert_eq!(world.get("/job/").await.0, 503);
    let table = world.proxy.table();
    let endpoint = &table.service("job").unwrap().endpoints[0];
    assert_eq!(endpoint.rotation, wharf_proxy::Rotation::Out(wharf_proxy::Out::NoPort));
}

#[tokio::test]
async fn a_host_name_as_an_address_is_resolved_when_connecting() {
    let web = Backend::start("web-1").await;
    let world = World::start().await;
    let instance = Instance {
        address: "localhost".into(),
        port: web.address.port(),
        ..Instance::new("n1", "web-1", "web")
    };
    world.commit(vec![Command::PutInstance(instance)]).await;
    assert_eq!(world.get("/web/").await, (200, "web-1".to_owned()));
}

#[tokio::test]
async fn the_very_first_commit_of_an_empty_catalog_is_followed() {
    let web = Backend::start("web-1").await;
    let catalog = Catalog::open(Box::new(store::Memory), Clock::fixed(Timestamp(0))).unwrap();
    let proxy = Proxy::new(Config::default(), catalog.clone());
    let (running, shutdown) = (proxy.clone(), CancellationToken::new());
    tokio::spawn(async move { running.run(Vec::new(), shutdown).await });
    let instance = Instance { port: web.address.port(), ..Instance::new("n1", "web-1", "web") };
    let node = Command::PutNode(Node::new("n1", "127.0.0.1"));
    catalog.commit(vec![node, Command::PutInstance(instance)]).await.unwrap();
    until("it is routed to", || proxy.table().service("web").is_some()).await;
}
