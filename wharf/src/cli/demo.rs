//! `wharf demo seed`: a past for a fleet that has just been started, so that its pages have something to show.
//!
//! Everything goes through the public API (`POST /wharf/v1/uptime/import`) and stays marked there as demo data. The
//! same services get the same past each time; a second seeding changes nothing.

mod past;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use serde::Deserialize;
use wharf_monitor::{Import, Imported};

use super::{
    output::{Output, print},
    query::Asked,
};

/// Days of past in one request.
const CHUNK: i64 = 30;

/// What there is for demonstrations.
#[derive(Debug, clap::Subcommand)]
pub(super) enum DemoCommand {
    /// Give every service a made-up past, marked as demo data
    Seed(SeedArgs),
}

/// Where, and how much of it.
#[derive(Debug, clap::Args)]
pub(super) struct SeedArgs {
    /// Days of past
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(i64).range(1..=730))]
    days: i64,
    /// Where wharf answers, IP:PORT or URL
    #[arg(long, env = "WHARF_HTTP_ADDR", value_name = "ADDR", default_value = "127.0.0.1:8500")]
    http_addr: String,
}

#[derive(Debug, Deserialize)]
struct Overview {
    now: i64,
    services: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

/// Carries one out.
pub(super) async fn run(command: DemoCommand) -> anyhow::Result<ExitCode> {
    let DemoCommand::Seed(args) = command;
    let base = Asked { http_addr: args.http_addr.clone(), output: Output::default() }.url();
    let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
    let url = format!("{base}/ui/api/services?window=24h");
    let answer = client.get(&url).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| format!("cannot reach wharf at `{base}`: is it running?"))?;
    let overview: Overview =
        answer.json().await.with_context(|| format!("`{url}` does not answer like wharf"))?;
    let (mut intervals, mut tests) = (0, 0);
    for Named { name } in &overview.services {
        for chunk in 0..(args.days + CHUNK - 1) / CHUNK {
            let days = (chunk * CHUNK)..((chunk + 1) * CHUNK).min(args.days);
            let import = past::of(name, overview.now, days);
            let imported = send(&client, &base, &import).await?;
            intervals += imported.intervals;
            tests += imported.tests;
        }
    }
    print(&format!(
        "{} services have a past of {} days now: {intervals} states, {tests} tests, marked `{}`\n",
        overview.services.len(),
        args.days,
        past::LABEL
    ))?;
    Ok(ExitCode::SUCCESS)
}

async fn send(client: &reqwest::Client, base: &str, import: &Import) -> anyhow::Result<Imported> {
    let url = format!("{base}/wharf/v1/uptime/import");
    let answer = client.post(&url).json(import).send().await.map_err(reqwest::Error::without_url)?;
    if !answer.status().is_success() {
        bail!("`{url}` answered {}: {}", answer.status(), answer.text().await.unwrap_or_default());
    }
    Ok(answer.json().await?)
}
