//! The Docker daemon is restarted: wharf reconnects by itself, what died with it is gone, what starts
//! afterwards appears.

use crate::harness::{Containers, Engine, Wharf, unique, until};

#[tokio::test]
async fn wharf_follows_the_daemon_through_a_restart() {
    let mut engine = Engine::private();
    let wharf = Wharf::start(&["--docker-host", &engine.host()]);
    let (before, after) = (unique("before"), unique("after"));
    let instances = async |service: &str| {
        wharf.json(&format!("/v1/catalog/service/{service}")).await.as_array().map_or(0, Vec::len)
    };
    std::mem::forget(run_one(&engine, &before));
    until("registered", async || instances(&before).await, |n| *n == 1).await;

    engine.stop();
    engine.start();
    until("the dead one is gone", async || instances(&before).await, |n| *n == 0).await;
    std::mem::forget(run_one(&engine, &after));
    until("the new one is there", async || instances(&after).await, |n| *n == 1).await;
    assert!(wharf.logged("panicked").is_empty());
}

/// The engine goes away with its containers: nothing to remove one by one.
fn run_one<'e>(engine: &'e Engine, service: &str) -> Containers<'e> {
    let containers = Containers::on(engine);
    containers.run(service, &[], &[]);
    containers
}
