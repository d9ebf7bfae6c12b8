//! wharf is told to stop: a request under way through the load balancer has its full time, while the API's
//! watchers, who would wait for minutes, hold nothing up.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{Wharf, unique, until};

#[tokio::test]
async fn a_slow_request_completes_and_a_watcher_is_not_waited_for() {
    let wharf = Wharf::without_docker();
    let (service, backend) = (unique("slow"), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = backend.local_addr().unwrap().port();
    let body = json!({"Name": service, "Address": "127.0.0.1", "Port": port});
    assert_eq!(wharf.put("/v1/agent/service/register", &body).await.0, 200);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;

    let watch = wharf.api(&format!("/v1/health/service/{}?index=1000000&wait=10m", unique("nobody")));
    let watch = tokio::spawn(wharf.client.get(watch).send());
    let slow = tokio::spawn(wharf.client.get(wharf.through(&format!("/{service}/"))).send());
    let (mut asked, _) = backend.accept().await.unwrap();
    let read = asked.read(&mut [0; 4096]).await.unwrap();
    assert!(read > 0, "the request is under way");

    wharf.tell_to_end();
    // Slower than what the other parts get to finish.
    tokio::time::sleep(Duration::from_secs(6)).await;
    asked.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.unwrap();
    assert_eq!(slow.await.unwrap().unwrap().text().await.unwrap(), "done");
    assert!(wharf.ended_well());
    assert!(watch.await.unwrap().is_err(), "the watcher is cut off");
}
