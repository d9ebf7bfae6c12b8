//! 200 requests a second while a service goes from one instance to three and back, by `docker stop` and
//! by `docker kill`: no GET fails. A POST that is under way when its container is stopped completes.

use std::time::Duration;

use crate::harness::{
    Containers, Engine, Wharf, eventually,
    load::{Connections, Load},
    unique, until,
};

async fn one_three_one(connections: Connections) {
    let engine = Engine::of_this_machine();
    let wharf = Wharf::start(&["--docker-host", &engine.host()]);
    let (containers, service) = (Containers::on(&engine), unique("scaled"));
    let url = wharf.through(&format!("/{service}/"));
    let passing = async |wanted: usize| {
        until("instances pass", async || wharf.passing(&service).await, |passing| *passing == wanted).await;
    };
    let _first = containers.run(&service, &[], &[]);
    passing(1).await;
    eventually("200", async || wharf.status_through(&format!("/{service}/")).await == 200).await;
    let load = Load::start(url, 200, connections);
    let second = containers.run(&service, &[], &[]);
    let third = containers.run(&service, &[], &[]);
    passing(3).await;
    let served = async |name: &str| served_by(&wharf, &service, &engine, name).await;
    served(&second).await;
    served(&third).await;
    containers.tell(&["stop"], &third);
    passing(2).await;
    containers.tell(&["kill"], &second);
    passing(1).await;
    tokio::time::sleep(Duration::from_millis(500)).await; // load goes on over the settled state too
    let answers = load.stop().await;
    assert!(answers.total() > 200, "the load ran: {answers:?}");
    assert_eq!(answers.failed(), 0, "{answers:?}");
}

/// Waits until the load balancer has sent a request to this very container.
async fn served_by(wharf: &Wharf, service: &str, engine: &Engine, name: &str) {
    let host = engine.ok(&["inspect", "-f", "{{.Config.Hostname}}", name]);
    eventually("a container of its own answers", async || {
        let answer = wharf.client.get(wharf.through(&format!("/{service}/"))).send().await;
        match answer {
            Ok(answer) => answer.text().await.is_ok_and(|text| text.contains(&host)),
            Err(_) => false,
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_get_fails_with_kept_connections() {
    one_three_one(Connections::Kept).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_get_fails_with_a_connection_each() {
    one_three_one(Connections::OneEach).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_in_flight_at_docker_stop_completes() {
    let engine = Engine::of_this_machine();
    let wharf = Wharf::start(&["--docker-host", &engine.host()]);
    let (containers, service) = (Containers::on(&engine), unique("posted"));
    let name = containers.run(&service, &[], &["--delay", "1s"]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let post = wharf.client.post(wharf.through(&format!("/{service}/orders"))).body("one order");
    let post = tokio::spawn(post.send());
    // The container has been asked; it answers a second later.
    eventually("the POST is under way", async || engine.ok(&["logs", &name]).contains("POST /orders")).await;
    let (engine_host, stopped) = (engine.host(), name.clone());
    let stop = tokio::task::spawn_blocking(move || {
        std::process::Command::new("docker").args(["-H", &engine_host, "stop", &stopped]).output()
    });
    until("drained", async || wharf.passing(&service).await, |passing| *passing == 0).await;
    let answer = post.await.unwrap().expect("the POST completes");
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("POST /orders"));
    stop.await.unwrap().unwrap();
}
