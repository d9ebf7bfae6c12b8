//! A container with nothing but a `SERVICE_NAME` label: in the catalog, in DNS, behind the load balancer
//! and on the page; gone from all of them when it is stopped.

use hickory_proto::rr::{RData, RecordType};

use crate::harness::{
    Containers, Engine, Wharf,
    dns::{ask_by_tcp, ask_by_udp},
    unique, until,
};

fn watching(engine: &Engine) -> Wharf {
    Wharf::start(&["--docker-host", &engine.host()])
}

#[tokio::test]
async fn a_labelled_container_is_reached_by_path_and_by_host_and_leaves_with_its_stop() {
    let engine = Engine::of_this_machine();
    let (wharf, containers, service) = (watching(&engine), Containers::on(&engine), unique("hello"));
    let name = containers.run(&service, &[], &[]);
    until(
        "200 by path",
        async || wharf.status_through(&format!("/{service}/x")).await,
        |status| *status == 200,
    )
    .await;

    let by_host =
        wharf.client.get(wharf.through("/deep/path?q=1")).header("host", format!("{service}.localhost"));
    let text = by_host.send().await.unwrap().text().await.unwrap();
    assert!(text.contains(&service) && text.contains("/deep/path?q=1"), "{text}");
    let by_path = wharf.client.get(wharf.through(&format!("/{service}/deep?q=2"))).send().await.unwrap();
    let text = by_path.text().await.unwrap();
    assert!(text.contains(" /deep?q=2"), "the prefix is stripped: {text}");

    let instances = wharf.json(&format!("/v1/health/service/{service}?passing")).await;
    let id = instances[0]["Service"]["ID"].as_str().unwrap();
    assert!(id.ends_with(&format!(":{name}:80")), "registrator's id format: {id}");

    containers.tell(&["stop"], &name);
    until("out of the catalog", async || wharf.passing(&service).await, |passing| *passing == 0).await;
    until(
        "503 or 404",
        async || wharf.status_through(&format!("/{service}/")).await,
        |s| [404, 503].contains(s),
    )
    .await;
}

#[tokio::test]
async fn a_container_that_starts_late_takes_no_request_before_it_listens() {
    let engine = Engine::of_this_machine();
    let (wharf, containers, service) = (watching(&engine), Containers::on(&engine), unique("late"));
    containers.run(&service, &[], &["--start-delay", "4s"]);
    let listed = format!("/v1/catalog/service/{service}");
    until("listed", async || wharf.json(&listed).await.as_array().map_or(0, Vec::len), |n| *n == 1).await;
    assert_eq!(wharf.passing(&service).await, 0, "nothing listens there yet");
    assert_eq!(wharf.status_through(&format!("/{service}/")).await, 503);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    assert_eq!(wharf.status_through(&format!("/{service}/")).await, 200);
}

#[tokio::test]
async fn an_http_check_by_label_decides_and_a_failing_app_leaves_the_routes() {
    let engine = Engine::of_this_machine();
    let (wharf, containers, service) = (watching(&engine), Containers::on(&engine), unique("checked"));
    let labels = ["SERVICE_80_CHECK_HTTP=/health", "SERVICE_80_CHECK_INTERVAL=200ms", "SERVICE_TAGS=blue,v1"];
    containers.run(&service, &labels, &["--fail-after", "2s"]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let tagged = wharf.json(&format!("/v1/health/service/{service}?tag=blue")).await;
    assert_eq!(tagged[0]["Service"]["Tags"], serde_json::json!(["blue", "v1"]));
    until("failing", async || wharf.passing(&service).await, |passing| *passing == 0).await;
    let critical = wharf.json(&format!("/v1/health/checks/{service}")).await;
    let output = critical[0]["Output"].as_str().unwrap();
    assert!(output.contains("503"), "why it is out: {output}");
}

#[tokio::test]
async fn an_ignored_container_is_left_alone() {
    let engine = Engine::of_this_machine();
    let (wharf, containers) = (watching(&engine), Containers::on(&engine));
    let (ignored, seen) = (unique("ignored"), unique("seen"));
    containers.run(&ignored, &["SERVICE_IGNORE=yes"], &[]);
    containers.run(&seen, &[], &[]);
    until("the later one passes", async || wharf.passing(&seen).await, |passing| *passing == 1).await;
    let services = wharf.json("/v1/catalog/services").await;
    assert!(services.get(&ignored).is_none(), "{services}");
}

#[tokio::test]
async fn dns_answers_with_the_published_port() {
    let engine = Engine::of_this_machine();
    let (wharf, containers, service) = (watching(&engine), Containers::on(&engine), unique("named"));
    containers.run(&service, &[], &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let instances = wharf.json(&format!("/v1/health/service/{service}")).await;
    let port = instances[0]["Service"]["Port"].as_u64().unwrap();
    let name = format!("{service}.service.consul.");
    for reply in
        [ask_by_udp(&wharf, &name, RecordType::SRV).await, ask_by_tcp(&wharf, &name, RecordType::SRV).await]
    {
        let [record] = reply.answers.as_slice() else { panic!("{reply:?}") };
        let RData::SRV(found) = &record.data else { panic!("{record:?}") };
        assert_eq!(u64::from(found.port), port);
    }
}
