//! What does a large fleet cost? `cargo run --release -p wharf-registrator --example thousand [CONTAINERS]`
//!
//! Measured against an engine that speaks Docker's HTTP protocol over a socket but runs nothing
//! (`tests/harness/fake.rs`), in this process; both catalogs, this process's own and one over HTTP. The figures
//! hold what the fake engine and the catalog cost, too.

#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::time::Duration;

use harness::{
    Stand,
    catalog::{Place, Served},
    fake::Fake,
    health_of, until,
};
use tokio::time::Instant;
use wharf_catalog::{Catalog, Health, State};
use wharf_registrator::registry::remote::Mode;

const ROUNDS: usize = 200;
const IDLE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1000);
    for over_http in [false, true] {
        let fake = Fake::with(count);
        let served = Served::start(Place::Anywhere).await;
        let (begun, spent) = (Instant::now(), cpu());
        let stand = if over_http {
            Stand::remote(&served, Mode::Agent, &fake.host(), |_| {})
        } else {
            Stand::with_catalog(served.catalog.clone(), &fake.host(), |_| {})
        };
        let catalog = stand.catalog.clone();
        until(&catalog, "all are registered", |state| state.instances().count() > count).await;
        let (all, spent) = (begun.elapsed(), cpu() - spent);
        let lives = cpu();
        let mut figures = Vec::new();
        for round in 0..ROUNDS {
            figures.push(life(&fake, &catalog, count + round * 10).await);
        }
        let per_event = (cpu() - lives) / (3 * ROUNDS as u32);
        let median = |at: usize| {
            let mut times: Vec<_> = figures.iter().map(|figure| figure[at]).collect();
            times.sort_unstable();
            (times[ROUNDS / 2], times[ROUNDS * 99 / 100])
        };
        let (requests, before) = (fake.requests(), cpu());
        tokio::time::sleep(IDLE).await;
        let idle = cpu() - before;
        let which = if over_http { "over HTTP" } else { "in process" };
        println!(
            "{which}: {count} containers registered after {} ms, {} ms of CPU",
            all.as_millis(),
            spent.as_millis()
        );
        println!("{which}: an event costs {:.2} ms of CPU, engine and catalog included", millis(per_event));
        for (at, what) in ["start -> registered", "kill -> draining", "die -> gone"].iter().enumerate() {
            let (median, late) = median(at);
            println!("{which}: {what}: median {:.2} ms, 99th {:.2} ms", millis(median), millis(late));
        }
        let asked = fake.requests() - requests;
        println!(
            "{which}: idle for {IDLE:?}: {} ms of CPU, {asked} requests to the engine",
            idle.as_millis()
        );
        stand.stop().await;
    }
}

/// One container's start, drain and end, each until it is seen in the catalog.
async fn life(fake: &Fake, catalog: &Catalog, number: usize) -> [Duration; 3] {
    let service = format!("service-{}", number / 10);
    let seen = async |what: &str, holds: &dyn Fn(&State) -> bool| {
        let begun = Instant::now();
        until(catalog, what, holds).await;
        begun.elapsed()
    };
    fake.start(number);
    let started = seen("start", &|state| state.service(&service).count() == 1).await;
    fake.signal(number);
    let drained = seen("drain", &|state| health_of(state, &service) == [Health::Draining]).await;
    fake.end(number);
    let ended = seen("end", &|state| state.service(&service).count() == 0).await;
    [started, drained, ended]
}

/// CPU time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
