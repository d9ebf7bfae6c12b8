//! Many outcomes, and pages that are read meanwhile.

use std::time::Duration;

use tokio::time::Instant;
use wharf_catalog::{Outcome, Status, Timestamp};
use wharf_monitor::{Config, ServiceState, ServiceUptime, Storage};

use crate::{Hands, Watched};

const DAY: Duration = Duration::from_secs(86_400);

fn tests(services: &[ServiceUptime]) -> u64 {
    services.iter().map(|service| service.tests).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_outcomes_are_recorded_while_pages_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("monitor.db"));
    let watched = Watched::start(Config::default(), storage, Hands::new().clock());
    for service in 0..10 {
        watched.register(&format!("s{service}"), Status::Passing).await;
    }
    watched.until_state("s9", ServiceState::Up).await;
    let (history, window) = (watched.history.clone(), watched.last(DAY));
    let reader = tokio::spawn(async move {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let begun = Instant::now();
            history.services(window).await.unwrap();
            slowest = slowest.max(begun.elapsed());
        }
        slowest
    });
    let begun = Instant::now();
    for run in 0..10_000_u64 {
        let status = if run % 10 == 0 { Status::Critical } else { Status::Passing };
        let outcome = watched.outcome(&format!("s{}", run / 1_000), status, 1 + run % 100);
        watched.outcomes.send(outcome).await.unwrap();
    }
    let services = watched.until("all of them", |services| tests(services) == 10_000).await;
    println!("10,000 outcomes recorded and read after {:?}", begun.elapsed());
    println!("slowest of 50 reads meanwhile: {:?}", reader.await.unwrap());
    for service in &services {
        assert_eq!((service.tests, service.responsiveness), (1_000, Some(0.9)));
        assert_eq!(service.response_time_ms, Some(50.5));
        assert!((service.p95_ms.unwrap() - 95.0).abs() < 3.0, "{:?}", service.p95_ms);
    }
    let hour = watched.last(Duration::from_secs(3_600));
    let points = watched.history.service("s3", hour).await.unwrap().unwrap().response_times;
    assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), 1_000);
    watched.stop().await;
}

/// Prints how long the table of 100 services takes after a day of checks: one a minute in the hours at
/// both ends of the window, which are read by the minute, and one every five minutes in between, which is
/// read by the hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_a_hundred_services_is_read_in_milliseconds() {
    const SERVICES: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("monitor.db"));
    let hands = Hands::new();
    hands.advance(Duration::from_secs(30 * 60));
    let watched = Watched::start(Config::default(), storage, hands.clock());
    for service in 0..SERVICES {
        watched.register(&format!("s{service:03}"), Status::Passing).await;
    }
    watched.until_state("s099", ServiceState::Up).await;
    let now = watched.clock.now();
    let minutes: Vec<i64> = (0..1_440).filter(|ago| *ago < 60 || *ago >= 1_380 || ago % 5 == 0).collect();
    for &ago in &minutes {
        for service in 0..SERVICES {
            let at = Timestamp(now.0 - 60_000 * ago);
            let millis = 5 + (ago as u64 * 7 + service) % 90;
            let outcome = watched.outcome(&format!("s{service:03}"), Status::Passing, millis);
            watched.outcomes.send(Outcome { at, ..outcome }).await.unwrap();
        }
    }
    let sent = SERVICES * minutes.len() as u64;
    let window = watched.last(DAY);
    let services = watched.until("all of them", |services| tests(services) == sent).await;
    assert_eq!(services.len() as u64, SERVICES);
    let mut took = Vec::new();
    for _ in 0..11 {
        let begun = Instant::now();
        watched.history.services(window).await.unwrap();
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!("services() for 100 services x 24 h: median {:?}, slowest {:?}", took[5], took[10]);
    let begun = Instant::now();
    let detail = watched.history.service("s050", window).await.unwrap().unwrap();
    println!("service() x 24 h: {:?}, {} points", begun.elapsed(), detail.response_times.len());
    assert!(took[5] < Duration::from_secs(2), "{:?}", took[5]);
    watched.stop().await;
}
