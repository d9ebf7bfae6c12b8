//! How long does each page's data take with a large fleet and a long past?
//!
//! `cargo run --release -p wharf-dashboards --example speed -- [SERVICES] [DAYS] [INTERVAL_SECONDS] [FILE]` writes a past
//! (2,000 services, 365 days, a run a minute; a FILE that exists is taken as it is), opens catalog, monitor and pages
//! on it as wharf does, and asks for everything the pages ask for while outcomes keep coming in. No answer is one that
//! was kept: before each question something is committed to the catalog. Printed are median and 99th percentile of the
//! time to the last byte, the mean CPU time of the whole process meanwhile (what a busy machine does not change), and the
//! size of the answer; at the end what the asking meant to the checks.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]
#![allow(clippy::disallowed_methods, reason = "it measures real time")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Document, Instance, Node, Outcome, OutcomeSender,
    Status, Timestamp, store::Memory,
};
use wharf_dashboards::{Config, Sources, StatusPage, router};
use wharf_monitor::{Monitor, Storage, bench::Year};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// Times each question is asked.
const ASKED: usize = 40;
/// Status pages of the same services: one that was rendered is kept a while.
const TAGS: usize = ASKED;
/// Services on a status page.
const ON_PAGE: u32 = 100;

/// What is asked, and the path of it.
const QUESTIONS: [(&str, &str); 34] = [
    ("the page itself", "/ui/"),
    ("services, 1 h", "/ui/api/services?window=1h"),
    ("services, 24 h", "/ui/api/services?window=24h"),
    ("services, 7 d", "/ui/api/services?window=7d"),
    ("services, 30 d", "/ui/api/services?window=30d"),
    ("live stream, first frame", "/ui/api/live"),
    ("nodes", "/ui/api/nodes"),
    ("incidents", "/ui/api/incidents"),
    ("service, 1 h", "/ui/api/services/service-0007?window=1h"),
    ("service, 24 h", "/ui/api/services/service-0007?window=24h"),
    ("service, 7 d", "/ui/api/services/service-0007?window=7d"),
    ("service, 30 d", "/ui/api/services/service-0007?window=30d"),
    ("uptime by hour, 24 h", "/wharf/v1/uptime/service-0007?from=24h&per=hour"),
    ("uptime by hour, 31 d", "/wharf/v1/uptime/service-0007?from=31d&per=hour"),
    ("uptime by day, 365 d", "/wharf/v1/uptime/service-0007?from=365d&per=day"),
    ("uptime by day, 365 d, Berlin", "/wharf/v1/uptime/service-0007?from=365d&per=day&zone=Europe/Berlin"),
    (
        "uptime by hour, 31 d, Kathmandu",
        "/wharf/v1/uptime/service-0007?from=31d&per=hour&zone=Asia/Kathmandu",
    ),
    (
        "uptime by day, 365 d, Kathmandu",
        "/wharf/v1/uptime/service-0007?from=365d&per=day&zone=Asia/Kathmandu",
    ),
    (
        "uptime by hour, 24 h, Kathmandu",
        "/wharf/v1/uptime/service-0007?from=24h&per=hour&zone=Asia/Kathmandu",
    ),
    ("uptime by month, 365 d", "/wharf/v1/uptime/service-0007?from=365d&per=month"),
    (
        "uptime by month, 365 d, Berlin",
        "/wharf/v1/uptime/service-0007?from=365d&per=month&zone=Europe/Berlin",
    ),
    ("uptime by year, 365 d", "/wharf/v1/uptime/service-0007?from=365d&per=year"),
    ("uptime by day, 365 d, CSV", "/wharf/v1/uptime/service-0007?from=365d&per=day&format=csv"),
    ("states, 365 d, CSV", "/wharf/v1/uptime/service-0007?from=365d&format=csv&what=intervals"),
    ("badge, availability, 30 d", "/wharf/v1/badge/service-0007/availability.svg?window=30d"),
    ("badge, response, 30 d", "/wharf/v1/badge/service-0007/response.svg?window=30d"),
    ("status page, 100 services, 90 d", "/status/tag-{n}"),
    ("maintenance", "/wharf/v1/maintenance"),
    ("announcements", "/wharf/v1/announcements"),
    ("export: all by hour, 24 h", "/wharf/v1/uptime?from=24h&per=hour"),
    ("export: all by day, 30 d, CSV", "/wharf/v1/uptime?from=30d&per=day&format=csv"),
    ("export: all by month, 365 d", "/wharf/v1/uptime?from=365d&per=month"),
    ("export: all states, 30 d, CSV", "/wharf/v1/uptime?from=30d&per=day&format=csv&what=intervals"),
    ("export: outages, CSV", "/wharf/v1/outages?format=csv"),
];

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| arguments.get(at).map_or(default, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = arguments.get(3).map_or_else(|| folder.path().join("monitor.db"), PathBuf::from);
    let year = Year {
        services: u32::try_from(number(0, 2_000)).unwrap(),
        days: i64::try_from(number(1, 365)).unwrap(),
        interval: Duration::from_secs(number(2, 60)),
        now: NOW,
    };
    if !path.exists() {
        let begun = Instant::now();
        year.write(&path).unwrap();
        println!("written in {:.0?}", begun.elapsed());
    }
    println!(
        "{} services, {} days, a run every {:?}: {} MB",
        year.services,
        year.days,
        year.interval,
        size(&path)
    );
    measure(year, path).await;
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len() / 1_000_000
}

async fn measure(year: Year, path: PathBuf) {
    let begun = Instant::now();
    let clock = Clock::new(move || NOW.after(begun.elapsed()));
    let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
    catalog.commit(fleet(year.services)).await.unwrap();
    let (outcomes, inbox) = mpsc::channel(65_536);
    let (config, storage) = (wharf_monitor::Config::default(), Storage::File(path));
    let (monitor, history) = Monitor::open(config, storage, catalog.clone(), clock.clone(), inbox).unwrap();
    let stop = CancellationToken::new();
    let mut changes = history.changes();
    let running = tokio::spawn(monitor.run(stop.clone()));
    let coming = tokio::spawn(outcomes_come(outcomes, clock.clone(), year, stop.clone()));
    changes.changed().await.unwrap();
    let status_pages = (0..TAGS).map(|n| StatusPage {
        tag: format!("tag-{n}"),
        title: String::new(),
        names: Default::default(),
    });
    let config = Config { status_pages: status_pages.collect(), ..Config::default() };
    let sources = Sources { catalog: catalog.clone(), history, proxy: None, pager: None, clock, config };
    let pages = router(sources, stop.clone());
    cold(&pages).await;
    println!("{:34} {:>10} {:>10} {:>10} {:>12}", "", "median", "p99", "CPU", "bytes");
    for (what, path) in QUESTIONS {
        ask(&catalog, &pages, what, path).await;
    }
    stop.cancel();
    running.await.unwrap();
    coming.await.unwrap();
}

/// The table right after a start: nothing is at hand yet.
async fn cold(pages: &Router) {
    let begun = Instant::now();
    one(pages, "/ui/api/services").await;
    println!("services, 24 h, first time after a start: {:.1?}", begun.elapsed());
    // What is renewed in the background is ready some seconds later.
    tokio::time::sleep(Duration::from_secs(15)).await;
}

async fn ask(catalog: &Catalog, pages: &Router, what: &str, path: &str) {
    let (mut took, mut bytes) = (Vec::with_capacity(ASKED), 0);
    let mut worked = Duration::ZERO;
    for n in 0..ASKED {
        let document = Document::new("wharf-speed", "n", format!("{what} {n}"));
        catalog.commit(vec![Command::PutDocument(document, None)]).await.unwrap();
        let (begun, before) = (Instant::now(), worked_so_far());
        bytes = one(pages, &path.replace("{n}", &n.to_string())).await;
        took.push(begun.elapsed());
        worked += worked_so_far().saturating_sub(before);
    }
    took.sort_unstable();
    let (median, last) = (took[ASKED / 2], took[(ASKED * 99).div_ceil(100) - 1]);
    let worked = worked / ASKED as u32;
    println!("{what:34} {median:>10.1?} {last:>10.1?} {worked:>10.1?} {bytes:>12}");
}

/// Time that all threads of this process have worked; zero where Linux does not tell.
fn worked_so_far() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// How long the answer is.
async fn one(pages: &Router, path: &str) -> usize {
    let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
    let response = pages.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let mut body = response.into_body();
    if !path.ends_with("/live") {
        return body.collect().await.unwrap().to_bytes().len();
    }
    let mut bytes = 0;
    while bytes < 1_000 {
        // The first frame is the reconnect time, the second the board.
        bytes += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    bytes
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
        let tags =
            if number < ON_PAGE { (0..TAGS).map(|n| format!("tag-{n}")).collect() } else { Vec::new() };
        commands.push(Command::PutInstance(Instance {
            tags,
            ..Instance::new("n", name.as_str(), name.as_str())
        }));
        commands.push(Command::PutCheck(check, CheckStatusOnPut::Set));
    }
    commands
}

/// As many as the fleet makes.
async fn outcomes_come(outcomes: OutcomeSender, clock: Clock, year: Year, stop: CancellationToken) {
    let pause = year.interval / year.services.max(1);
    let (mut slowest, mut most) = (Duration::ZERO, 0);
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
        most = most.max(outcomes.max_capacity() - outcomes.capacity());
        tokio::time::sleep(pause).await;
    }
    println!("handing in an outcome took {slowest:.1?} at most; {most} waited at most");
}
