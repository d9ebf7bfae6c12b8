use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use wharf_proxy::Config;

use crate::harness::{Backend, World, nobody, raw_backend, read_until, until};

/// Asks over one keep-alive connection until told to stop; says how many answers were not 200.
async fn keep_asking(address: SocketAddr, asked: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> usize {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut failed = 0;
    while !stop.load(SeqCst) {
        let request = Request::get("/web/").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        failed += usize::from(response.status() != 200);
        response.into_body().collect().await.unwrap();
        asked.fetch_add(1, SeqCst);
    }
    failed
}

/// Asks with a connection for each request.
async fn ask_anew(address: SocketAddr, asked: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> usize {
    let mut failed = 0;
    while !stop.load(SeqCst) {
        let request = "GET /web/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        failed += usize::from(!crate::harness::ask(address, request).await.starts_with("HTTP/1.1 200"));
        asked.fetch_add(1, SeqCst);
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_killed_under_load_loses_no_get() {
    let backends = [Backend::start("a").await, Backend::start("b").await, Backend::start("c").await];
    let world = World::serving(&backends.each_ref()).await;
    let (asked, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(keep_asking(world.address, asked.clone(), stop.clone()));
        clients.spawn(ask_anew(world.address, asked.clone(), stop.clone()));
    }
    for backend in &backends[..2] {
        let before = asked.load(SeqCst);
        until("load flows", || asked.load(SeqCst) > before + 200).await;
        backend.kill();
        let before = asked.load(SeqCst);
        until("load flows on", || asked.load(SeqCst) > before + 200).await;
        world.remove(&backend.name).await;
    }
    stop.store(true, SeqCst);
    let failed: usize = clients.join_all().await.into_iter().sum();
    assert_eq!(failed, 0, "of {}", asked.load(SeqCst));
}

#[tokio::test]
async fn a_refused_connection_is_tried_elsewhere_whatever_the_method() {
    let web = Backend::start("b").await;
    let world = World::serving(&[&web]).await;
    world.register("web", "a", nobody().await).await;
    for method in ["GET", "POST", "PATCH", "DELETE"] {
        let body = if method == "GET" { "" } else { "the body" };
        let (status, echoed) = world.send(method, "/web/echo", body).await;
        assert_eq!((status, &*echoed), (200, body), "{method}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_skipped_until_the_catalog_speaks() {
    let (dead, accepted) = raw_backend(|stream| async move { drop(stream) }).await;
    let web = Backend::start("b").await;
    let config = Config { ejection: Duration::from_secs(3600), ..Config::default() };
    let world = World::with(config).await;
    world.register("web", "a", dead).await;
    world.register("web", "b", web.address).await;
    for _ in 0..6 {
        assert_eq!(world.get("/web/").await.0, 200);
    }
    assert_eq!(accepted.load(SeqCst), 1, "tried once, then skipped");
    let again = wharf_catalog::Instance {
        address: dead.ip().to_string(),
        port: dead.port(),
        tags: vec!["new".into()],
        ..wharf_catalog::Instance::new("n1", "a", "web")
    };
    world.commit(vec![wharf_catalog::Command::PutInstance(again)]).await;
    for _ in 0..6 {
        assert_eq!(world.get("/web/").await.0, 200);
    }
    assert_eq!(accepted.load(SeqCst), 2, "tried again after the catalog spoke");
}

#[tokio::test]
async fn an_ejected_endpoint_is_still_asked_when_it_is_the_only_one() {
    let (flaky, accepted) = raw_backend(|stream| async move { drop(stream) }).await;
    let world = World::start().await;
    world.register("web", "a", flaky).await;
    for asked in 1..=3 {
        assert_eq!(world.get("/web/").await.0, 502);
        assert_eq!(accepted.load(SeqCst), asked);
    }
}

/// Docker's userland proxy accepts for a container that is gone, reads, and closes.
async fn accept_then_close(mut stream: TcpStream) {
    let mut head = [0; 1024];
    let _ = stream.read(&mut head).await;
}

#[tokio::test]
async fn accepting_and_closing_is_tried_elsewhere_for_get_and_put_but_not_for_post() {
    let config = Config { ejection: Duration::ZERO, ..Config::default() };
    let web = Backend::start("b").await;
    let world = World::with(config).await;
    let (dead, accepted) = raw_backend(accept_then_close).await;
    world.register("web", "a", dead).await;
    world.register("web", "b", web.address).await;
    for _ in 0..4 {
        assert_eq!(world.get("/web/").await.0, 200);
        assert_eq!(world.send("PUT", "/web/echo", "kept").await, (200, "kept".to_owned()));
    }
    let statuses =
        [world.send("POST", "/web/echo", "once").await.0, world.send("POST", "/web/echo", "once").await.0];
    assert!(statuses.contains(&502), "a POST that may have arrived is not repeated: {statuses:?}");
    assert!(accepted.load(SeqCst) >= 4);
}

/// Answers one request and closes on the second, as a server whose keep-alive just ran out.
async fn one_answer_a_connection(mut stream: TcpStream) {
    read_until(&mut stream, "\r\n\r\n").await;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    let mut next = [0; 1];
    let _ = stream.read(&mut next).await;
}

#[tokio::test]
async fn a_reused_connection_that_dies_is_replaced_by_a_fresh_one() {
    let world = World::start().await;
    let (address, accepted) = raw_backend(one_answer_a_connection).await;
    world.register("web", "a", address).await;
    for _ in 0..5 {
        assert_eq!(world.get("/web/").await, (200, "ok".to_owned()));
    }
    assert!(accepted.load(SeqCst) >= 5);
}

#[tokio::test]
async fn a_table_that_changes_under_a_request_gives_it_another_endpoint() {
    let config = Config { table_wait: Duration::from_secs(5), ..Config::default() };
    let world = Arc::new(World::with(config).await);
    let web = Backend::start("b").await;
    world.register("web", "a", nobody().await).await;
    let asking = tokio::spawn({
        let world = world.clone();
        async move { world.get("/web/").await }
    });
    world.register("web", "b", web.address).await;
    assert_eq!(asking.await.unwrap(), (200, "b".to_owned()));
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_504() {
    let config = Config { response_timeout: Duration::from_millis(50), ..Config::default() };
    let world = World::with(config).await;
    let web = Backend::start("a").await;
    world.register("web", "a", web.address).await;
    assert_eq!(world.get("/web/slow").await, (504, "the service did not answer in time\n".to_owned()));
    until("the endpoint is told", || web.slow.given_up.load(SeqCst) == 1).await;
}
