//! How large and how fast is a year of a large fleet?
//!
//! `cargo run --release -p wharf-monitor --example year -- [SERVICES] [DAYS] [INTERVAL_SECONDS] [FILE]` writes a past
//! in virtual time through the monitor's own tables, opens it as wharf does, and prints its size and how long each
//! page's data takes: the first time, and the median of the next ones while outcomes keep coming in. A FILE that
//! exists is measured as it is.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Outcome, OutcomeSender, Status,
    Timestamp, store::Memory,
};
use wharf_monitor::{Config, History, Monitor, Per, Storage, Window, bench::Year};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let (services, days, seconds) = (number(0, 2_000), number(1, 365), number(2, 60));
    let folder = tempfile::tempdir().unwrap();
    let path = arguments.get(3).map_or_else(|| folder.path().join("monitor.db"), PathBuf::from);
    let year = Year {
        services: u32::try_from(services).unwrap(),
        days: i64::try_from(days).unwrap(),
        interval: Duration::from_secs(seconds),
        now: NOW,
    };
    if !path.exists() {
        let begun = Instant::now();
        year.write(&path).unwrap();
        println!("written in {:.0?}", begun.elapsed());
    }
    println!("{services} checks, {days} days, a run every {seconds} s: {} MB", size(&path) / 1_000_000);
    measure(year, &path).await;
}

fn size(path: &Path) -> u64 {
    let with = |end: &str| std::fs::metadata(format!("{}{end}", path.display())).map_or(0, |data| data.len());
    with("") + with("-wal")
}

async fn measure(year: Year, path: &Path) {
    let begun = Instant::now();
    let clock = Clock::new(move || NOW.after(begun.elapsed()));
    let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
    catalog.commit(fleet(year.services)).await.unwrap();
    let (outcomes, inbox) = mpsc::channel(65_536);
    let storage = Storage::File(path.to_owned());
    let opened = Instant::now();
    let (monitor, history) =
        Monitor::open(Config::default(), storage, catalog.clone(), clock.clone(), inbox).unwrap();
    println!("opened in {:.1?}", opened.elapsed());
    let stop = CancellationToken::new();
    let mut changes = history.changes();
    let running = tokio::spawn(monitor.run(stop.clone()));
    let load = tokio::spawn(outcomes_come(outcomes, clock.clone(), year, stop.clone()));
    // That the fleet is up is written once.
    changes.changed().await.unwrap();
    pages(&history, &clock, year).await;
    stop.cancel();
    running.await.unwrap();
    load.await.unwrap();
}

fn fleet(services: u32) -> Vec<Command> {
    let mut commands = vec![Command::PutNode(Node::new("n", "127.0.0.1"))];
    for number in 0..services {
        let name = format!("service-{number:04}");
        let check = Check {
            instance: Some(name.as_str().into()),
            status: Status::Passing,
            ..Check::new("n", format!("service:{name}"), "check")
        };
        commands.push(Command::PutInstance(Instance::new("n", name.as_str(), name.as_str())));
        commands.push(Command::PutCheck(check, CheckStatusOnPut::Set));
    }
    commands
}

/// As many as the fleet makes.
async fn outcomes_come(outcomes: OutcomeSender, clock: Clock, year: Year, stop: CancellationToken) {
    let pause = year.interval / year.services.max(1);
    let mut slowest = Duration::ZERO;
    for number in (0..year.services).cycle() {
        if stop.is_cancelled() {
            break;
        }
        let name: Arc<str> = format!("service-{number:04}").into();
        let outcome = Outcome {
            node: "n".into(),
            check: format!("service:{name}").into(),
            instance: Some(name.clone()),
            service: name,
            status: Status::Passing,
            at: clock.now(),
            response_time: Some(Duration::from_millis(5)),
            output: "".into(),
        };
        let begun = Instant::now();
        if outcomes.send(outcome).await.is_err() {
            break;
        }
        slowest = slowest.max(begun.elapsed());
        tokio::time::sleep(pause).await;
    }
    println!("handing in an outcome took {slowest:.1?} at most");
}

async fn pages(history: &History, clock: &Clock, year: Year) {
    let window = |length| Window::last(length, clock.now());
    for (name, length) in [("1 h", DAY / 24), ("24 h", DAY), ("7 d", 7 * DAY), ("30 d", 30 * DAY)] {
        timed(&format!("overview, {name}"), || async {
            assert!(history.services(window(length)).await.unwrap().len() as u32 >= year.services);
        })
        .await;
    }
    for (name, days) in [("24 h", 1), ("7 d", 7), ("30 d", 30), ("365 d", 365)] {
        timed(&format!("one service, {name}"), || async {
            history.service("service-0007", window(days * DAY)).await.unwrap().unwrap();
        })
        .await;
    }
    for (days, per) in [(1, Per::Hour), (30, Per::Day), (365, Per::Day), (365, Per::Month)] {
        timed(&format!("one service per {per:?}, {days} d"), || async {
            let names = Some(vec!["service-0009".to_owned()]);
            history.report(names, window(days * DAY), per, TimeZone::UTC).await.unwrap();
        })
        .await;
    }
    timed("status page of 20 services, 90 d", || async {
        let names = (0..20).map(|number| format!("service-{number:04}")).collect();
        history.report(Some(names), window(90 * DAY), Per::Day, TimeZone::UTC).await.unwrap();
    })
    .await;
    timed("incidents", || async {
        history.incidents(500).await.unwrap();
    })
    .await;
}

async fn timed<F: Future<Output = ()>>(what: &str, mut ask: impl FnMut() -> F) {
    let mut took = Vec::new();
    for _ in 0..10 {
        let begun = Instant::now();
        ask().await;
        took.push(begun.elapsed());
    }
    let first = took.remove(0);
    took.sort_unstable();
    let (median, slowest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{what:36} first {first:>9.1?}, then {median:>9.1?} (slowest {slowest:.1?})");
}
