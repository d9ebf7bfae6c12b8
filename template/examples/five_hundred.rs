//! 500 templates over 10,000 instances: how long until a change is published, how many templates it renders, and
//! what all of it takes of memory and, at rest, of the processor.
//!
//! `cargo run --release -p wharf-template --example five_hundred [PART]`, of parts 0 to 3 all or one: memory given
//! back by one part is not given back to the system, so that only alone its figure counts.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store::Memory};
use wharf_template::{Condition, Config, Source, Statuses, TemplateConfig, Wait, run};

const TEMPLATES: usize = 500;
const INSTANCES: usize = 10_000;
const CHANGES: usize = 50;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let lookups = Lookups::default();
    metrics::set_global_recorder(lookups.clone())?;
    let (default, none) = (Wait::default(), Wait { min: Duration::ZERO, max: Duration::ZERO });
    let wanted = std::env::args().nth(1).and_then(|part| part.parse::<usize>().ok());
    let parts = [
        ("each its own query", default, own as fn(usize) -> String),
        ("each its own query, not waiting for calm", none, own),
        ("all the same query", default, shared),
        ("all the same query, not waiting for calm", none, shared),
    ];
    for (_, (what, wait, text)) in
        parts.into_iter().enumerate().filter(|(part, _)| wanted.is_none_or(|wanted| wanted == *part))
    {
        report(&format!("-- {TEMPLATES} templates, {what}"), "");
        measure(&lookups, wait, text).await?;
    }
    Ok(())
}

async fn measure(lookups: &Lookups, wait: Wait, text: fn(usize) -> String) -> Result<()> {
    // A clock that never says the same twice tells renders apart.
    let ticks = Arc::new(AtomicI64::new(0));
    let counting = ticks.clone();
    let clock = Clock::new(move || Timestamp(counting.fetch_add(1, Ordering::Relaxed)));
    let catalog = Catalog::open(Box::new(Memory), clock.clone())?;
    fill(&catalog).await?;
    let folder = std::env::temp_dir().join(format!("wharf-five-hundred-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = |n: usize| folder.join(format!("s{n:03}.conf"));
    let templates = (0..TEMPLATES).map(|n| TemplateConfig::new(Source::Text(text(n)), file(n))).collect();
    let config = Config { templates, wait, ..Config::default() };
    let (statuses, stop) = (Statuses::default(), CancellationToken::new());
    let begun = Instant::now();
    let running = tokio::spawn(run(config, catalog.clone(), clock.clone(), statuses.clone(), stop.clone()));
    while statuses.all().iter().filter(|status| status.condition == Condition::Current).count() < TEMPLATES {
        sleep(Duration::from_millis(5)).await;
    }
    report("all rendered after", &format!("{:?}", begun.elapsed()));
    let (mut delays, mut renders) = (Vec::new(), 0);
    let (looked_up, spent) = (lookups.count(), processor()?);
    for change in 0..CHANGES {
        let since = ticks.load(Ordering::Relaxed);
        let same = text(1).contains(&service_name(0));
        let service = if same { 0 } else { change * 7 % TEMPLATES };
        let concerned: Vec<_> = if same { (0..TEMPLATES).map(file).collect() } else { vec![file(service)] };
        delays.push(publish_one(&catalog, service, change, &concerned).await?);
        sleep(Duration::from_millis(20)).await;
        let fresh = |at: Option<Timestamp>| at.is_some_and(|at| at.0 >= since);
        renders += statuses.all().iter().filter(|status| fresh(status.last_render)).count();
    }
    let (spent, looked_up) = (processor()? - spent, lookups.count() - looked_up);
    delays.sort();
    let each = |count: u64| format!("{:.2}", count as f64 / CHANGES as f64);
    report("a change is published everywhere after (median)", &format!("{:?}", delays[CHANGES / 2]));
    report("99th percentile", &format!("{:?}", delays[CHANGES * 99 / 100]));
    report("templates rendered for a change", &each(renders as u64));
    report("queries evaluated for a change", &each(looked_up));
    report("processor for a change", &format!("{} ms", each(spent * 10)));
    let cpu = processor()?;
    sleep(Duration::from_secs(2)).await;
    report("processor at rest", &format!("{:.2} %", (processor()? - cpu) as f64 / 2.0));
    report("memory", &format!("{} MB", resident()? / 1024));
    stop.cancel();
    running.await??;
    fs::remove_dir_all(&folder)?;
    Ok(())
}

async fn fill(catalog: &Catalog) -> Result<()> {
    let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
    for n in 0..INSTANCES {
        let mut instance = Instance::new("n", format!("i{n:05}"), format!("s{:03}", n % TEMPLATES));
        (instance.address, instance.port) = (format!("10.1.{}.{}", n / 250, n % 250), 8080);
        instance.tags = vec!["http".to_owned(), format!("v{}", n % 3)];
        commands.push(Command::PutInstance(instance));
    }
    catalog.commit(commands).await?;
    Ok(())
}

fn service_name(n: usize) -> String {
    format!("s{n:03}")
}

/// Every template reads a service of its own.
fn own(n: usize) -> String {
    upstream(n, &service_name(n))
}

/// All read the same service.
fn shared(n: usize) -> String {
    upstream(n, &service_name(0))
}

fn upstream(n: usize, service: &str) -> String {
    format!(
        "upstream u{n} {{\n{{{{#each (service \"{service}\")}}}}  server {{{{address}}}}:{{{{port}}}}; # {{{{id}}}}\n{{{{/each}}}}}}\n"
    )
}

/// One more instance of the service; how long until all these files name it.
async fn publish_one(
    catalog: &Catalog,
    service: usize,
    change: usize,
    files: &[PathBuf],
) -> Result<Duration> {
    let id = format!("new-{change}");
    let begun = Instant::now();
    let instance = Instance::new("n", id.as_str(), service_name(service));
    catalog.commit(vec![Command::PutInstance(instance)]).await?;
    // Published in any order; the last one counts.
    for file in files {
        while !fs::read_to_string(file)?.contains(&id) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(begun.elapsed())
}

/// Counts what the templates look up in the catalog.
#[derive(Debug, Clone, Default)]
struct Lookups(Arc<AtomicU64>);

impl Lookups {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Recorder for Lookups {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        match key.name() {
            "wharf_template_lookups_total" => Counter::from_arc(self.0.clone()),
            _ => Counter::noop(),
        }
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// Kilobytes of memory.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Hundredths of a second of processor time.
fn processor() -> Result<u64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<_> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn report(what: &str, figure: &str) {
    println!("{what:<58} {figure}");
}
