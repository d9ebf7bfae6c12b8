//! The program does what the routes say, by the cheapest means it has, and whoever restarts what.

use std::{net::SocketAddr, process::Command};

use tokio::time::Instant;
use wharf_proxy_drivers::{Condition, Routes};

use crate::{
    balancer::Kind,
    stage::{EACH, Stage, routes, server, until},
};

/// Servers that stay for the whole test, by name.
async fn servers() -> [SocketAddr; 3] {
    [server("one").await.0, server("two").await.0, server("three").await.0]
}

#[tokio::test]
async fn haproxy_follows_servers_without_a_reload_and_services_with_one() {
    let [one, two, three] = servers().await;
    let stage = Stage::set(Kind::Haproxy, "slots = 2\n", routes(&[("web", one, true)])).await;
    let before = stage.status().reloads;
    stage.follow(routes(&[("web", one, true), ("web", two, true)]));
    stage.only("/web/", &["one", "two"]).await;
    stage.follow(routes(&[("web", one, false), ("web", two, true)]));
    stage.only("/web/", &["two"]).await;
    // The slot of one that left is another one's: no request may go to the old address.
    stage.follow(routes(&[("web", two, true), ("web", three, true)]));
    stage.only("/web/", &["three", "two"]).await;
    stage.follow(routes(&[]));
    stage.answers("localhost", "/web/", "no service matches").await;
    stage.follow(routes(&[("web", one, true)]));
    stage.only("/web/", &["one"]).await;
    let status = stage.status();
    assert_eq!(status.reloads, before, "{status:#?}");
    assert!(status.commands >= 6);
    // More than there are slots, and a service that is new.
    stage.follow(routes(&[
        ("web", one, true),
        ("web", two, true),
        ("web", three, true),
        ("api", three, true),
    ]));
    stage.only("/web/", &["one", "three", "two"]).await;
    stage.only("/api/", &["three"]).await;
    // The answers may be right a moment before the driver has noted it.
    until("one reload", async || stage.status().reloads == before + 1).await;
}

#[tokio::test]
async fn haproxy_that_somebody_restarted_has_what_ran() {
    let [one, two, three] = servers().await;
    let mut stage = Stage::set(Kind::Haproxy, "", routes(&[("web", one, true)])).await;
    stage.follow(routes(&[("web", two, true), ("web", three, true)]));
    stage.only("/web/", &["three", "two"]).await;
    let file = stage.balancer.file();
    until("the file follows", async || {
        let text = std::fs::read_to_string(&file).unwrap();
        let has = |line: String| text.contains(&line);
        let gone = has(format!("{one} weight 1 disabled\n"));
        gone && has(format!("{two} weight 1\n")) && has(format!("{three} weight 1\n"))
    })
    .await;
    stage.restart_program().await;
    stage.only("/web/", &["three", "two"]).await;
    stage.follow(routes(&[("web", one, true), ("web", two, true)]));
    stage.only("/web/", &["one", "two"]).await;
}

/// HAProxy's master does not hear the signal while it starts a program anew, its own start included.
#[tokio::test]
async fn haproxy_that_did_not_hear_the_signal_is_told_again() {
    let [one, two, _] = servers().await;
    let folder = tempfile::tempdir().unwrap();
    let deaf = folder.path().join("pid");
    let more = format!("pid_file = \"{}\"\n", deaf.display());
    let stage = Stage::set(Kind::Haproxy, &more, routes(&[("web", one, true)])).await;
    let master = stage.balancer.file().with_file_name("pid");
    // Passes signals on to the master, but the first.
    let script = format!(
        "heard=; trap 'if [ $heard ]; then kill -USR2 $(cat {}); else heard=1; fi' USR2; echo $$ > {}; while :; do sleep 0.02; done",
        master.display(),
        deaf.display()
    );
    let mut relay = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    until("the relay is there", async || deaf.exists()).await;
    let (begun, before) = (Instant::now(), stage.status());
    stage.follow(routes(&[("web", one, true), ("api", two, true)]));
    stage.only("/api/", &["two"]).await;
    until("one reload", async || stage.status().reloads == before.reloads + 1).await;
    let (took, status) = (begun.elapsed(), stage.status());
    relay.kill().unwrap();
    relay.wait().unwrap();
    assert_eq!(status.failures, before.failures, "{status:#?}");
    eprintln!("told again, and followed after {took:?}");
}

#[tokio::test]
async fn nginx_reloads_when_the_set_changed_and_only_then() {
    let [one, two, _] = servers().await;
    let stage = Stage::set(Kind::Nginx, "", routes(&[("web", one, true), ("web", two, true)])).await;
    let before = stage.status().reloads;
    let file = std::fs::metadata(stage.balancer.file()).unwrap().modified().unwrap();
    // Another order, and one more that does not serve: nothing that nginx would notice.
    stage.follow(routes(&[
        ("web", two, true),
        ("web", one, true),
        ("web", SocketAddr::from(([127, 0, 0, 9], 9)), false),
    ]));
    until("told", async || stage.status().services[0].endpoints.len() == 3).await;
    assert_eq!(stage.status().reloads, before);
    assert_eq!(std::fs::metadata(stage.balancer.file()).unwrap().modified().unwrap(), file);
    stage.follow(routes(&[("web", two, true)]));
    stage.only("/web/", &["two"]).await;
    // The answers may be right a moment before the driver has noted it.
    until("one reload", async || stage.status().reloads == before + 1).await;
}

#[tokio::test]
async fn varnish_follows_leaves_and_returns_without_a_new_program() {
    let [one, two, three] = servers().await;
    let both = || routes(&[("web", one, true), ("web", two, true)]);
    let stage = Stage::set(Kind::Varnish, "", both()).await;
    let before = stage.status().reloads;
    stage.follow(routes(&[("web", one, true), ("web", two, false)]));
    stage.only("/web/", &["one"]).await;
    stage.follow(both());
    stage.only("/web/", &["one", "two"]).await;
    assert_eq!(stage.status().reloads, before);
    stage.follow(routes(&[("web", two, true), ("web", three, true)]));
    stage.only("/web/", &["three", "two"]).await;
    // The answers may be right a moment before the driver has noted it.
    until("one reload", async || stage.status().reloads == before + 1).await;
}

/// wharf starts anew, its catalog has forgotten everything: what served serves on until it has spoken.
#[tokio::test]
async fn a_restart_of_wharf_takes_nothing_away() {
    for kind in EACH {
        let [one, two, _] = servers().await;
        let both = || routes(&[("web", one, true), ("web", two, true)]);
        let stage = Stage::set(kind, "", both()).await;
        let stage = stage.restart_driver("startup_hold = \"1h\"\n", Routes::default()).await;
        assert_eq!(stage.status().condition, Condition::Held, "{kind:?}: {:#?}", stage.status());
        stage.only("/web/", &["one", "two"]).await;
        // What the catalog does say counts at once.
        stage.follow(routes(&[("web", one, false)]));
        stage.only("/web/", &["two"]).await;
        stage.follow(both());
        stage.only("/web/", &["one", "two"]).await;
        until("nothing is held", async || stage.status().condition == Condition::Current).await;
        // And its last word does when the hold is over.
        let stage = stage.restart_driver("startup_hold = \"50ms\"\n", Routes::default()).await;
        stage.answers("localhost", "/web/", "no service matches").await;
    }
}

/// A storm of changes makes a few reloads, and ends at the last word.
#[tokio::test]
async fn a_storm_makes_few_reloads() {
    let [one, two, three] = servers().await;
    let rate = "reload_burst = 2\nreload_interval = \"1s\"\n";
    let stage = Stage::set(Kind::Nginx, rate, routes(&[("web", one, true)])).await;
    let (before, begun) = (stage.status().reloads, Instant::now());
    for round in 0..40 {
        stage.follow(routes(&[("web", one, true), ("web", two, round % 2 == 0)]));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    stage.follow(routes(&[("web", one, true), ("web", three, true)]));
    stage.only("/web/", &["one", "three"]).await;
    until("current", async || stage.status().condition == Condition::Current).await;
    let reloads = stage.status().reloads - before;
    let most = 2 + begun.elapsed().as_secs() + 1;
    assert!((1..=most).contains(&reloads), "{reloads} reloads, {most} are allowed");
}
