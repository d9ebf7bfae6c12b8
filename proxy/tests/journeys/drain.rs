use std::sync::Arc;

use crate::harness::{Backend, World, until};

#[tokio::test]
async fn a_post_in_flight_completes_while_its_instance_drains_and_leaves() {
    let (leaving, staying) = (Backend::start("a").await, Backend::start("b").await);
    let world = Arc::new(World::serving(&[&leaving]).await);
    let posting = tokio::spawn({
        let world = world.clone();
        async move { world.send("POST", "/web/slow", "cargo").await }
    });
    leaving.somebody_waits().await;
    world.register("web", "b", staying.address).await;
    world.drain("a").await;
    let before = leaving.served();
    for _ in 0..10 {
        assert_eq!(world.get("/web/").await, (200, "b".to_owned()));
    }
    world.remove("a").await;
    assert_eq!(leaving.served(), before, "a draining instance gets no new request");
    leaving.release();
    assert_eq!(posting.await.unwrap(), (200, "a slept on cargo".to_owned()));
    until("its connection is closed once idle", || leaving.connections() == 0).await;
}

#[tokio::test]
async fn idle_connections_to_an_instance_that_leaves_are_closed_at_once() {
    let web = Backend::start("a").await;
    let world = World::serving(&[&web]).await;
    assert_eq!(world.get("/web/").await.0, 200);
    assert_eq!(web.connections(), 1, "kept for the next request");
    world.drain("a").await;
    until("closed", || web.connections() == 0).await;
}

#[tokio::test]
async fn connections_survive_commits_that_do_not_concern_them() {
    let (web, other) = (Backend::start("a").await, Backend::start("b").await);
    let world = World::serving(&[&web]).await;
    for round in 0..5 {
        world.register("other", &format!("o{round}"), other.address).await;
        world.register("web", "late", other.address).await;
        world.remove("late").await;
        assert_eq!(world.get("/web/").await, (200, "a".to_owned()));
    }
    assert_eq!(web.connections(), 1);
}
