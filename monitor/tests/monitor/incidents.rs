//! A check turns critical: who hears of it, when, and what is remembered.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::{net::TcpListener, time::Instant};
use wharf_catalog::{Command, Status};
use wharf_monitor::{IncidentState, Monitor, MonitorError, ServiceState, Storage};

use crate::{
    Hands, Watched,
    receiver::{Receiver, notifying},
};

#[tokio::test]
async fn an_outage_is_told_twice_with_valid_signatures_when_it_begins_and_when_it_ends() {
    let mut receiver = Receiver::start(0).await;
    let watched = Watched::start(notifying(&receiver.url), Storage::Memory, Hands::new().clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    watched.says("web", Status::Critical, "connection refused").await;
    let triggered = receiver.next().await;
    assert!(triggered.is_signed_with("s3cret"));
    assert!(!triggered.is_signed_with("other"));
    assert_eq!(triggered.header["x-wharf-event"], "incident.triggered");
    let body = triggered.json();
    assert_eq!((&body["event"], &body["state"]), (&"incident.triggered".into(), &"down".into()));
    assert_eq!(body["reason"], "instance `web-1`: check `c-web` is critical: connection refused");
    assert_eq!(body["url"], "http://127.0.0.1:8500/ui/services/web");
    watched.says("web", Status::Passing, "200 OK").await;
    let resolved = receiver.next().await;
    assert!(resolved.is_signed_with("s3cret"));
    let body = resolved.json();
    assert_eq!((&body["event"], &body["state"]), (&"incident.resolved".into(), &"up".into()));
    assert_eq!(body["incident"]["id"], triggered.json()["incident"]["id"]);
    let known = watched.history.incidents(10).await.unwrap();
    assert_eq!((known.len(), known[0].state), (1, IncidentState::Resolved));
    let day = watched.last(Duration::from_secs(86_400));
    let detail = watched.history.service("web", day).await.unwrap().unwrap();
    let states: Vec<_> = detail.intervals.iter().map(|interval| interval.state).collect();
    assert_eq!(states, [ServiceState::Up, ServiceState::Down, ServiceState::Up]);
    assert_eq!((detail.incidents, detail.summary.outages), (known, 1));
    assert_eq!(detail.checks[0].output, "200 OK");
    watched.stop().await;
}

#[tokio::test]
async fn a_receiver_that_refuses_at_first_gets_everything_in_order() {
    let mut receiver = Receiver::start(3).await;
    let watched = Watched::start(notifying(&receiver.url), Storage::Memory, Hands::new().clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    watched.says("web", Status::Critical, "refused").await;
    watched.until_state("web", ServiceState::Down).await;
    watched.says("web", Status::Passing, "").await;
    assert_eq!(receiver.next().await.json()["event"], "incident.triggered");
    assert_eq!(receiver.next().await.json()["event"], "incident.resolved");
    assert_eq!(receiver.attempts.load(Ordering::Relaxed), 5);
    watched.stop().await;
}

#[tokio::test]
async fn what_could_not_be_delivered_before_the_restart_is_delivered_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("monitor.db"));
    // A port nobody listens on yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let config = notifying(&format!("http://{address}/hook"));
    let watched = Watched::start(config.clone(), storage.clone(), Hands::new().clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    watched.says("web", Status::Critical, "refused").await;
    watched.until_state("web", ServiceState::Down).await;
    watched.stop().await;
    let mut receiver = Receiver::on(TcpListener::bind(address).await.unwrap(), 0);
    let hands = Hands::new();
    hands.advance(Duration::from_secs(3600));
    let watched = Watched::start(config, storage, hands.clock());
    let notice = receiver.next().await;
    assert_eq!((&notice.json()["event"], &notice.json()["id"]), (&"incident.triggered".into(), &1.into()));
    // It is the same outage: nothing is triggered anew, and its end is told.
    watched.register("web", Status::Passing).await;
    let notice = receiver.next().await;
    assert_eq!(
        (&notice.json()["event"], &notice.json()["incident"]["id"]),
        (&"incident.resolved".into(), &1.into())
    );
    watched.stop().await;
}

#[tokio::test]
async fn a_container_that_is_killed_shows_as_down_and_one_that_is_stopped_does_not() {
    let watched = Watched::start(wharf_monitor::Config::default(), Storage::Memory, Hands::new().clock());
    for service in ["killed", "stopped"] {
        watched.register(service, Status::Passing).await;
    }
    watched.until_state("stopped", ServiceState::Up).await;
    let drain = wharf_catalog::Check::maintenance(
        &"n".into(),
        &"stopped-1".into(),
        "draining: container got SIGTERM",
    );
    let drain = Command::PutCheck(drain, wharf_catalog::CheckStatusOnPut::Set);
    watched.catalog.commit(vec![drain]).await.unwrap();
    watched.until_state("stopped", ServiceState::Unmonitored).await;
    let gone =
        ["killed", "stopped"].map(|name| Command::DeleteInstance("n".into(), format!("{name}-1").into()));
    watched.catalog.commit(gone.to_vec()).await.unwrap();
    let killed = watched.until_state("killed", ServiceState::Down).await;
    assert!(killed.reason.contains("removed while passing"), "{}", killed.reason);
    let incidents = watched.history.incidents(10).await.unwrap();
    assert_eq!(incidents.iter().map(|incident| &*incident.service).collect::<Vec<_>>(), ["killed"]);
    watched.stop().await;
}

#[tokio::test]
async fn a_webhook_that_is_no_address_is_refused_without_showing_it() {
    for (url, wanted) in [("ftp://host/token", "ftp://host"), ("to whom it may concern", "?")] {
        let (_, inbox) = tokio::sync::mpsc::channel(1);
        let clock = Hands::new().clock();
        let catalog =
            wharf_catalog::Catalog::open(Box::new(wharf_catalog::store::Memory), clock.clone()).unwrap();
        let error = Monitor::open(notifying(url), Storage::Memory, catalog, clock, inbox).unwrap_err();
        assert!(matches!(&error, MonitorError::Webhook { url, .. } if url == wanted), "{error}");
    }
}

/// Prints the time from the commit to the receiver, store included.
#[tokio::test]
async fn from_commit_to_webhook_takes_milliseconds() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver::start(0).await;
    let storage = Storage::File(folder.path().join("monitor.db"));
    let watched = Watched::start(notifying(&receiver.url), storage, Hands::new().clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    let mut took = Vec::new();
    for _ in 0..20 {
        for (status, event) in
            [(Status::Critical, "incident.triggered"), (Status::Passing, "incident.resolved")]
        {
            let begun = Instant::now();
            watched.says("web", status, "").await;
            assert_eq!(receiver.next().await.json()["event"], event);
            took.push(begun.elapsed());
        }
    }
    took.sort_unstable();
    let median = took[took.len() / 2];
    println!("commit -> webhook received: median {median:?}, slowest {:?}", took[took.len() - 1]);
    assert!(median < Duration::from_secs(1), "{median:?}");
    watched.stop().await;
}
