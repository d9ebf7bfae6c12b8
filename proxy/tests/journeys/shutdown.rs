use std::{sync::Arc, time::Duration};

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use wharf_proxy::Config;

use crate::harness::{Backend, PATIENCE, World};

#[tokio::test]
async fn requests_in_flight_finish_and_idle_connections_end() {
    let web = Backend::start("a").await;
    let mut world = World::serving(&[&web]).await;
    let mut idle = world.connect().await;
    let running = std::mem::replace(&mut world.running, tokio::spawn(async {}));
    let world = Arc::new(world);
    let asking = tokio::spawn({
        let world = world.clone();
        async move { world.send("POST", "/web/slow", "cargo").await }
    });
    web.somebody_waits().await;
    world.shutdown.cancel();
    assert_eq!(timeout(PATIENCE, idle.read(&mut [0; 1])).await.unwrap().unwrap(), 0);
    assert!(!running.is_finished(), "waits for the request");
    assert!(TcpStream::connect(world.address).await.is_err(), "accepts no more");
    web.release();
    assert_eq!(asking.await.unwrap(), (200, "a slept on cargo".to_owned()));
    timeout(PATIENCE, running).await.expect("stops").unwrap();
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut_off() {
    let web = Backend::start("a").await;
    let config = Config { shutdown_timeout: Duration::from_millis(20), ..Config::default() };
    let mut world = World::with(config).await;
    world.register("web", "a", web.address).await;
    let running = std::mem::replace(&mut world.running, tokio::spawn(async {}));
    let asking = world.connect().await;
    let (mut from, mut to) = asking.into_split();
    tokio::io::AsyncWriteExt::write_all(&mut to, b"GET /web/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    web.somebody_waits().await;
    world.shutdown.cancel();
    timeout(PATIENCE, running).await.expect("stops").unwrap();
    let mut seen = Vec::new();
    let _ = from.read_to_end(&mut seen).await;
    assert!(seen.is_empty());
}
