use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wharf_proxy::Config;

use crate::harness::{Backend, World, raw_backend, read_until, split, until};

/// A backend that answers every request with `answer`, and closes.
async fn answering(answer: &'static str) -> World {
    let world = World::start().await;
    let (address, _) = raw_backend(move |mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    world.register("web", "a", address).await;
    world
}

const GET: &str = "GET /web/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn fields_about_one_connection_do_not_cross_to_the_other() {
    let world = answering(
        "HTTP/1.1 200 OK\r\nConnection: x-hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authenticate: Basic\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok",
    )
    .await;
    let answer = world.ask(GET).await.to_ascii_lowercase();
    assert!(answer.contains("x-kept: 1"), "{answer}");
    for hop in ["x-hop", "keep-alive", "proxy-authenticate"] {
        assert!(!answer.contains(hop), "{hop} in {answer}");
    }
}

#[tokio::test]
async fn a_head_request_keeps_the_length_and_has_no_body() {
    let world = answering("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await;
    let answer = world.ask("HEAD /web/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("content-length: 1234\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn an_http_1_0_client_is_served_in_its_own_way() {
    let world = answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
    let answer = world.ask("GET /web/ HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    assert!(!answer.to_ascii_lowercase().contains("transfer-encoding"), "{answer}");
    assert_eq!(split(&answer).1, "ok");
}

#[tokio::test]
async fn an_http_1_0_instance_is_understood() {
    let world = answering("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
    let answer = world.ask(GET).await;
    assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
    assert!(answer.contains("until the end"), "{answer}");
}

#[tokio::test]
async fn trailers_pass_to_clients_that_want_them() {
    let world = answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    let request = GET.replace("Connection: close", "Connection: close, TE\r\nTE: trailers");
    let answer = world.ask(&request).await;
    assert!(answer.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_expects_100_continue_is_asked_for_its_body() {
    let web = Backend::start("a").await;
    let world = World::serving(&[&web]).await;
    let mut client = world.connect().await;
    let head =
        "POST /web/echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    read_until(&mut client, "HTTP/1.1 100 Continue\r\n\r\n").await;
    client.write_all(b"body").await.unwrap();
    let answer = read_until(&mut client, "body").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    let world = World::start().await;
    let (address, _) = raw_backend(|mut stream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await.to_ascii_lowercase();
        assert!(
            head.contains("\r\nconnection: upgrade\r\n") && head.contains("\r\nupgrade: websocket\r\n"),
            "{head}"
        );
        let switch =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello";
        stream.write_all(switch.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        let _ = tokio::io::copy(&mut from, &mut to).await;
    })
    .await;
    world.register("web", "a", address).await;
    let mut client = world.connect().await;
    let request =
        "GET /web/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    client.write_all(request.as_bytes()).await.unwrap();
    let head = read_until(&mut client, "hello").await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 ") && head.contains("upgrade: websocket"), "{head}");
    world.remove("a").await;
    for round in 0..3 {
        let message = format!("round {round}\n");
        client.write_all(message.as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut client, "\n").await, message);
    }
    client.shutdown().await.unwrap();
    assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0, "the end crosses too");
}

#[tokio::test]
async fn switching_protocols_unasked_is_502() {
    let world =
        answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n").await;
    assert!(world.ask(GET).await.starts_with("HTTP/1.1 502 "));
}

#[tokio::test]
async fn nonsense_from_an_instance_is_502() {
    for nonsense in
        ["SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"]
    {
        let world = answering(nonsense).await;
        assert!(world.ask(GET).await.starts_with("HTTP/1.1 502 "), "{nonsense}");
    }
}

/// A backend that counts the requests it sees, and keeps what it read.
async fn counting() -> (World, Arc<AtomicUsize>) {
    let web = Backend::start("a").await;
    let world = World::serving(&[&web]).await;
    (world, web.served.clone())
}

#[tokio::test]
async fn requests_with_doubtful_framing_are_refused() {
    let (world, served) = counting().await;
    let doubtful = [
        "POST /web/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /web/ HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "POST /web/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /web/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /web/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /web/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /web/ HTTP/1.1\r\nHost: a\r\n X-Folded: b\r\n\r\n",
        "GET /web/ HTTP/1.1\r\nHost: a\r\nX: b\rGET /evil HTTP/1.1\r\n\r\n",
        "GET /web/ HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET /web/ HTTP/1.1\r\nConnection: close\r\n\r\n",
    ];
    for request in doubtful {
        let answer = world.ask(request).await;
        // Some of it is not worth an answer: the connection is closed.
        let refused = answer.is_empty() || ["400", "501"].contains(&&answer[9..12]);
        assert!(refused, "{answer:?} for {request:?}");
    }
    assert_eq!(served.load(SeqCst), 0, "none of it reached an instance");
}

#[tokio::test]
async fn a_length_beside_chunks_does_not_reach_the_instance() {
    let world = World::start().await;
    let (address, _) = raw_backend(|mut stream: TcpStream| async move {
        let seen = read_until(&mut stream, "0\r\n\r\n").await.to_ascii_lowercase();
        let framed_once = seen.contains("transfer-encoding: chunked") && !seen.contains("content-length");
        let answer = if framed_once { "200 OK" } else { "418 Two Framings" };
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    world.register("web", "a", address).await;
    let both = "POST /web/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 4\r\n\
                Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert_eq!(split(&world.ask(both).await).0, 200);
}

#[tokio::test]
async fn connect_is_refused_with_the_methods_that_are_not() {
    let (world, served) = counting().await;
    let answer = world
        .ask("CONNECT web.localhost:80 HTTP/1.1\r\nHost: web.localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("allow: GET"), "{answer}");
    assert_eq!(served.load(SeqCst), 0);
}

#[tokio::test]
async fn options_of_the_whole_server_pass_by_host() {
    let (world, served) = counting().await;
    let answer = world.ask("OPTIONS * HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").await;
    assert_eq!(split(&answer), (200, "a *".to_owned()));
    until("served", || served.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn a_client_that_does_not_send_the_body_it_announced_does_not_keep_its_place() {
    let web = Backend::start("a").await;
    let world =
        World::with(Config { header_read_timeout: Duration::from_millis(50), ..Config::default() }).await;
    world.register("web", "a", web.address).await;
    let answer = world.ask("PUT /web/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbo").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
    assert_eq!(web.served(), 0);
}
