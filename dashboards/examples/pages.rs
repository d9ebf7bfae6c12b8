//! A day in the life of a made-up fleet, to look at the pages without Docker:
//! `cargo run -p wharf-dashboards --example pages [ADDRESS]`.
//!
//! The catalog, the monitor and the router are the real ones; only the check results are invented. A past
//! day is played through first, then `papi-service` goes down and comes back twice a minute.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Outcome, OutcomeSender, Probe,
    ProbeKind, Status, Timestamp, store::Memory,
};
use wharf_dashboards::{Config, Sources, router};
use wharf_monitor::{History, Monitor, Storage};

type Failure = Box<dyn Error + Send + Sync>;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1440;

/// A service: name, instances, tags, usual response time in ms, outages (minutes ago, minutes long).
type Plan = (&'static str, u16, &'static [&'static str], u64, &'static [(i64, i64)]);

const FLEET: [Plan; 13] = [
    ("atlas-service", 2, &["prod", "v12"], 12, &[]),
    ("authz-service", 3, &["prod"], 3, &[(640, 7)]),
    ("completions-tile-service", 2, &["prod", "edge"], 148, &[]),
    ("entitlements-service", 3, &["prod", "canary"], 23, &[]),
    ("exports-service", 1, &["batch"], 1240, &[(1010, 48), (300, 3)]),
    ("feature-gates-service", 2, &["prod"], 1, &[]),
    ("identity-service", 2, &["prod", "v3"], 9, &[]),
    ("license-generator-service", 1, &[], 33, &[(77, 2)]),
    ("mailer", 1, &["batch"], 41, &[]),
    ("papi-service", 2, &["prod", "edge"], 61, &[(420, 12)]),
    ("search-indexer", 1, &["batch"], 7, &[]),
    ("thumbnails", 2, &[], 220, &[]),
    ("webhooks-relay", 1, &["prod"], 18, &[(1300, 20)]),
];

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let address: SocketAddr = std::env::args().nth(1).unwrap_or("127.0.0.1:0".to_owned()).parse()?;
    let listener = TcpListener::bind(address).await?;
    let (past, shutdown) = (Arc::new(AtomicI64::new(now().0 - DAY * MINUTE)), CancellationToken::new());
    let clock = clock(past.clone());
    let catalog = Catalog::open(Box::new(Memory), clock.clone())?;
    let (outcomes, results) = mpsc::channel(1024);
    let config = wharf_monitor::Config::default();
    let (monitor, history) = Monitor::open(config, Storage::Memory, catalog.clone(), clock.clone(), results)?;
    tokio::spawn(monitor.run(shutdown.clone()));
    let fleet = Fleet { catalog: catalog.clone(), history: history.clone(), outcomes };
    fleet.register().await?;
    fleet.play_yesterday(&past).await?;
    past.store(0, Ordering::SeqCst);
    let config = Config { proxy_addr: Some("127.0.0.1:8080".parse()?), ..Config::default() };
    let pages =
        router(Sources { catalog, history, proxy: None, pager: None, clock, config }, shutdown.clone());
    tokio::spawn(async move {
        fleet.live().await.unwrap_or_else(|error| tracing::error!(%error, "fleet stopped"))
    });
    say(&format!("http://{}/ui/", listener.local_addr()?));
    let stop = async move {
        let _ = tokio::signal::ctrl_c().await;
        shutdown.cancel();
    };
    Ok(axum::serve(listener, pages).with_graceful_shutdown(stop).await?)
}

#[allow(clippy::print_stdout, reason = "whoever runs an example wants to know where to look")]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::disallowed_methods, reason = "an example is a binary of its own and owns its clock")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or_default())
}

/// Reads `past` while that is set, the real time afterwards.
fn clock(past: Arc<AtomicI64>) -> Clock {
    Clock::new(move || match past.load(Ordering::SeqCst) {
        0 => now(),
        past => Timestamp(past),
    })
}

struct Fleet {
    catalog: Catalog,
    history: History,
    outcomes: OutcomeSender,
}

impl Fleet {
    async fn register(&self) -> Result<(), Failure> {
        for (n, node) in ["pier-1", "pier-2", "pier-3"].into_iter().enumerate() {
            self.catalog.commit(vec![Command::PutNode(Node::new(node, format!("10.4.0.{}", n + 1)))]).await?;
        }
        for (at, (name, count, tags, ..)) in FLEET.into_iter().enumerate() {
            for n in 0..count {
                self.catalog.commit(put(at, name, n, tags)).await?;
            }
        }
        Ok(())
    }

    async fn play_yesterday(&self, clock: &AtomicI64) -> Result<(), Failure> {
        let end = now().0;
        for ago in (0..DAY).rev() {
            let at = end - ago * MINUTE;
            clock.store(at, Ordering::SeqCst);
            for (name, count, _, usual, outages) in FLEET {
                let down = outages.iter().any(|(start, length)| (start - length..*start).contains(&ago));
                for n in 0..count {
                    self.report(name, n, usual, down, Timestamp(at)).await?;
                }
            }
        }
        Ok(())
    }

    async fn live(&self) -> Result<(), Failure> {
        let mut second = interval(Duration::from_secs(1));
        for tick in 0_u64.. {
            second.tick().await;
            for (name, count, _, usual, _) in FLEET {
                for n in 0..count {
                    let down = (name == "papi-service" && tick % 30 > 12)
                        || (name == "entitlements-service" && n == 2);
                    self.report(name, n, usual, down, now()).await?;
                }
            }
        }
        Ok(())
    }

    /// One run of one instance's check: to the monitor, and to the catalog when it says something new.
    async fn report(&self, name: &str, n: u16, usual: u64, down: bool, at: Timestamp) -> Result<(), Failure> {
        let id: Arc<str> = format!("{name}-{n}").into();
        let check: Arc<str> = format!("service:{id}").into();
        let node: Arc<str> = node_of(name, n).into();
        let (status, output) = if down {
            (Status::Critical, "dial tcp: connection refused")
        } else {
            (Status::Passing, "HTTP GET /health: 200 OK")
        };
        let commands = vec![Command::SetCheckStatus {
            node: node.clone(),
            check: check.clone(),
            status,
            output: output.to_owned(),
        }];
        let mut changes = self.history.changes();
        changes.mark_unchanged();
        if self.catalog.commit(commands).await?.changed {
            // The past is played much faster than it was: let the monitor see each change.
            let _ = timeout(Duration::from_millis(100), changes.changed()).await;
        }
        let noise = noise(at.0.unsigned_abs() ^ u64::from(n) << 40 ^ usual << 20);
        let response_time = (!down).then(|| Duration::from_micros(usual * (600 + noise % 800)));
        let outcome = Outcome {
            node,
            check,
            instance: Some(id),
            service: name.into(),
            status,
            at,
            response_time,
            output: output.into(),
        };
        Ok(self.outcomes.send(outcome).await?)
    }
}

fn node_of(name: &str, n: u16) -> String {
    format!("pier-{}", (name.len() + usize::from(n)) % 3 + 1)
}

fn put(at: usize, name: &str, n: u16, tags: &[&str]) -> Vec<Command> {
    let (node, id) = (node_of(name, n), format!("{name}-{n}"));
    let address = format!("10.4.{}.{}", at + 1, n + 10);
    let probe = ProbeKind::Http {
        url: format!("http://{address}:8000/health"),
        method: String::new(),
        headers: Default::default(),
        body: String::new(),
        tls_skip_verify: false,
    };
    let check = Check {
        status: Status::Passing,
        instance: Some(id.as_str().into()),
        probe: Some(Probe::new(probe)),
        ..Check::new(node.as_str(), format!("service:{id}"), format!("Service '{name}' check"))
    };
    let instance = Instance {
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        address,
        port: 8000,
        ..Instance::new(node.as_str(), id.as_str(), name)
    };
    vec![Command::PutInstance(instance), Command::PutCheck(check, CheckStatusOnPut::Keep)]
}

/// Splitmix64: the same noise every time.
fn noise(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
