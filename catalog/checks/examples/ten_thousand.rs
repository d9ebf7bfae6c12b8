//! What do ten thousand HTTP checks every ten seconds cost? Real servers on loopback in a process of their own; the
//! processor time of this process alone, from `/proc/self/stat`.
//!
//! `cargo run --release -p wharf-catalog-checks --example ten_thousand -- [checks] [seconds]`

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command as Change, Node, Outcome, Probe, ProbeKind, Status,
    Timestamp, store::Memory,
};

type Failure = Box<dyn std::error::Error>;

/// Ports, so that no pair of addresses is used twice within the minute a closed connection lingers.
const SERVERS: usize = 100;
const INTERVAL: Duration = Duration::from_secs(10);
/// Processor time is counted in hundredths of a second (`getconf CLK_TCK`).
const TICKS: f64 = 100.0;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("serve") => serve().await,
        checks => {
            let checks = checks.map_or(Ok(10_000), str::parse)?;
            let seconds = arguments.next().as_deref().map_or(Ok(60), str::parse)?;
            measure(checks, Duration::from_secs(seconds)).await
        }
    }
}

/// The servers: prints their ports, then answers until its input ends.
async fn serve() -> Result<(), Failure> {
    for _ in 0..SERVERS {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let reply = service_fn(|_| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("ok"))))
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), reply),
                );
            }
        });
    }
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
    Ok(())
}

/// The server process; ends when its input does.
struct Servers {
    process: Child,
    ports: Vec<String>,
}

impl Servers {
    fn start() -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let ports = BufReader::new(output).lines().take(SERVERS).collect::<Result<_, _>>()?;
        Ok(Self { process, ports })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

async fn measure(checks: usize, time: Duration) -> Result<(), Failure> {
    let servers = Servers::start()?;
    let (catalog, mut outcomes, stop) = begin().await?;
    register(&catalog, &servers, checks).await?;
    until_passing(&catalog, checks).await;
    // The checks part over the first interval.
    sleep(INTERVAL).await;
    while outcomes.try_recv().is_ok() {}
    let (begun, before) = (Instant::now(), processor_seconds()?);
    let (mut runs, mut failed) = (0_u64, 0_u64);
    while let Ok(outcome) = tokio::time::timeout_at(begun + time, outcomes.recv()).await {
        runs += 1;
        failed += u64::from(outcome.is_none_or(|outcome| outcome.status != Status::Passing));
    }
    let (passed, spent) = (begun.elapsed().as_secs_f64(), processor_seconds()? - before);
    stop.cancel();
    writeln!(
        std::io::stdout(),
        "{checks} HTTP checks every {INTERVAL:?}: {:.0} runs/s ({failed} failed), {:.1} % of one core, {:.0} us of \
         processor a run",
        runs as f64 / passed,
        100.0 * spent / passed,
        1e6 * spent / runs as f64,
    )?;
    Ok(())
}

async fn begin() -> Result<(Catalog, mpsc::Receiver<Outcome>, CancellationToken), Failure> {
    let begun = Instant::now();
    let clock = Clock::new(move || Timestamp(1_700_000_000_000).after(begun.elapsed()));
    let catalog = Catalog::open(Box::new(Memory), clock.clone())?;
    catalog.commit(vec![Change::PutNode(Node::new("n1", "127.0.0.1"))]).await?;
    let (sender, outcomes) = mpsc::channel(100_000);
    let config = wharf_catalog_checks::Config::default();
    let (_, runner) = wharf_catalog_checks::checks(catalog.clone(), clock, sender, Arc::from("n1"), config);
    let stop = CancellationToken::new();
    tokio::spawn(runner.run(stop.clone()));
    Ok((catalog, outcomes, stop))
}

async fn register(catalog: &Catalog, servers: &Servers, checks: usize) -> Result<(), Failure> {
    for first in (0..checks).step_by(SERVERS) {
        let commands = servers.ports.iter().enumerate().take(checks - first).map(|(n, port)| {
            let kind = ProbeKind::Http {
                url: format!("http://127.0.0.1:{port}/health"),
                method: String::new(),
                headers: BTreeMap::new(),
                body: String::new(),
                tls_skip_verify: false,
            };
            let probe = Some(Probe { interval: INTERVAL, ..Probe::new(kind) });
            let check = Check { probe, ..Check::new("n1", format!("c{}", first + n), "c") };
            Change::PutCheck(check, CheckStatusOnPut::Keep)
        });
        catalog.commit(commands.collect()).await?;
    }
    Ok(())
}

async fn until_passing(catalog: &Catalog, checks: usize) {
    loop {
        let state = catalog.snapshot();
        if state.checks().filter(|check| check.status == Status::Passing).count() == checks {
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// User and system time of this process so far.
fn processor_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no process")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).ok_or("no time");
    // Fields 14 and 15, counted from 1 with pid and name.
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}
