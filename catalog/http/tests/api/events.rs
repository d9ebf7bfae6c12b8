//! `/v1/event`.

use std::time::Duration;

use http::StatusCode;

use crate::support::Agent;

#[tokio::test]
async fn an_event_is_told_to_whom_it_is_meant_for() {
    let agent = Agent::start().await;
    agent.done("/v1/agent/service/register", r#"{"Name":"web","Tags":["blue"]}"#).await;
    for path in [
        "/v1/event/fire/all",
        "/v1/event/fire/here?node=^n1$",
        "/v1/event/fire/service?service=we.&tag=blue",
        "/v1/event/fire/elsewhere?node=n2",
        "/v1/event/fire/no-tag?service=web&tag=green",
    ] {
        agent.done(path, "x").await;
    }
    let listed = agent.get("/v1/event/list").await.json();
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|event| event["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["all", "here", "service"]);
    assert_eq!(listed[0]["Payload"], "eA==");
}

#[tokio::test]
async fn who_waits_on_the_last_event_hears_of_the_next() {
    let agent = Agent::start().await;
    agent.done("/v1/event/fire/deploy", "1").await;
    let index = agent.get("/v1/event/list?name=deploy").await.index();
    let waiting = {
        let agent = agent.clone();
        tokio::spawn(
            async move { agent.get(&format!("/v1/event/list?name=deploy&index={index}&wait=30s")).await },
        )
    };
    agent.done("/v1/event/fire/other", "").await;
    agent.done("/v1/event/fire/deploy", "2").await;
    let answer = tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert_eq!(answer.json().as_array().unwrap().len(), 2);
    assert_ne!(answer.index(), index);
    assert_eq!(agent.get("/v1/event/list?name=none").await.index(), 1);
}

#[tokio::test]
async fn what_gossip_could_not_carry_is_refused() {
    let agent = Agent::start().await;
    let big = agent.put("/v1/event/fire/big", &"x".repeat(600)).await;
    assert_eq!(big.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(big.text().contains("512 bytes"), "{}", big.text());
    let regexp = agent.put("/v1/event/fire/e?node=%5B", "").await;
    assert!(regexp.text().starts_with("Invalid node filter"), "{}", regexp.text());
}
