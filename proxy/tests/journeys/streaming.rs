use std::sync::{Arc, atomic::Ordering::SeqCst};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
};

use crate::harness::{Backend, PATIENCE, World, raw_backend, read_until, until};

const GET: &str = "GET /web/ HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_chunk_reaches_the_client_before_the_next_is_made() {
    let world = World::start().await;
    let seen = Arc::new(Notify::new());
    let (address, _) = raw_backend({
        let seen = seen.clone();
        move |mut stream| {
            let seen = seen.clone();
            async move {
                read_until(&mut stream, "\r\n\r\n").await;
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                for chunk in ["5\r\nfirst\r\n", "6\r\nsecond\r\n", "0\r\n\r\n"] {
                    stream.write_all(chunk.as_bytes()).await.unwrap();
                    seen.notified().await;
                }
            }
        }
    })
    .await;
    world.register("web", "a", address).await;
    let mut client = world.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    for chunk in ["first", "second", "0\r\n\r\n"] {
        read_until(&mut client, chunk).await;
        seen.notify_one();
    }
}

#[tokio::test]
async fn a_piece_of_an_upload_reaches_the_instance_before_the_next_is_sent() {
    let world = World::start().await;
    let seen = Arc::new(Notify::new());
    let (address, _) = raw_backend({
        let seen = seen.clone();
        move |mut stream| {
            let seen = seen.clone();
            async move {
                for piece in ["first", "second"] {
                    read_until(&mut stream, piece).await;
                    seen.notify_one();
                }
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            }
        }
    })
    .await;
    world.register("web", "a", address).await;
    let mut client = world.connect().await;
    let head = "PUT /web/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    for chunk in ["5\r\nfirst\r\n", "6\r\nsecond\r\n0\r\n\r\n"] {
        client.write_all(chunk.as_bytes()).await.unwrap();
        tokio::time::timeout(PATIENCE, seen.notified()).await.expect("the piece arrives");
    }
    read_until(&mut client, "HTTP/1.1 204").await;
}

#[tokio::test]
async fn big_bodies_pass_whole_in_both_directions() {
    let web = Backend::start("a").await;
    let world = World::serving(&[&web]).await;
    let body = "0123456789abcdef".repeat(200_000);
    for method in ["POST", "PUT"] {
        let (status, echoed) = world.send(method, "/web/echo", &body).await;
        assert_eq!((status, echoed.len()), (200, body.len()));
        assert!(echoed == body);
    }
}

#[tokio::test]
async fn a_get_with_a_chunked_body_keeps_it() {
    let web = Backend::start("a").await;
    let world = World::serving(&[&web]).await;
    let head = "GET /web/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = world.ask(&format!("{head}2\r\nhi\r\n0\r\n\r\n")).await;
    assert!(answer.ends_with("\r\n\r\nhi"), "{answer}");
}

#[tokio::test]
async fn a_response_that_breaks_off_breaks_off_for_the_client_too() {
    let heads = ["Content-Length: 100", "Transfer-Encoding: chunked"];
    for (head, body) in heads.into_iter().zip(["only some", "9\r\nonly some\r\n"]) {
        let world = World::start().await;
        let (address, _) = raw_backend(move |mut stream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        })
        .await;
        world.register("web", "a", address).await;
        let mut client = world.connect().await;
        client.write_all(GET.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        let _ =
            tokio::time::timeout(PATIENCE, client.read_to_end(&mut seen)).await.expect("the connection ends");
        let seen = String::from_utf8(seen).unwrap().to_ascii_lowercase();
        assert!(seen.contains(&head.to_ascii_lowercase()), "{seen}");
        assert!(!seen.ends_with("0\r\n\r\n"), "no false end: {seen}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request() {
    let web = Backend::start("a").await;
    let world = World::serving(&[&web]).await;
    let mut client = world.connect().await;
    client.write_all(GET.replace("/web/", "/web/slow").as_bytes()).await.unwrap();
    web.somebody_waits().await;
    drop(client);
    until("the instance is told", || web.slow.given_up.load(SeqCst) == 1).await;
}

#[tokio::test]
async fn a_client_that_goes_away_amid_a_response_closes_its_connection() {
    let world = World::start().await;
    let closed = Arc::new(Notify::new());
    let (address, _) = raw_backend({
        let closed = closed.clone();
        move |mut stream| {
            let closed = closed.clone();
            async move {
                read_until(&mut stream, "\r\n\r\n").await;
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n").await.unwrap();
                while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
                closed.notify_one();
            }
        }
    })
    .await;
    world.register("web", "a", address).await;
    let mut client = world.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut client, "xxxx").await;
    drop(client);
    tokio::time::timeout(PATIENCE, closed.notified()).await.expect("the instance's connection is closed");
}
