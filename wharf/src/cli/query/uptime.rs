//! `wharf uptime`: what the uptime page shows, in a terminal.

mod periods;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Asked, NO_SUCH_SERVICE, NONE_PASSING};
use crate::cli::output::{Output, Tone, complain, json, print, spoken, toned};

/// Whose uptime, over how long.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct UptimeArgs {
    /// Only this service, and say by the exit code whether it is up
    service: Option<String>,
    /// Time looked back at
    #[arg(long, default_value = "24h", value_parser = ["1h", "24h", "7d", "30d"])]
    window: String,
    /// Figures by period from here on: 2026-12-24, 2026-12-24T18:00:00Z, or 30d for 30 days ago
    #[arg(long, value_name = "TIME", conflicts_with = "window")]
    from: Option<String>,
    /// ... up to here [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "window")]
    to: Option<String>,
    /// Length of a period [default: as fits]
    #[arg(long, value_parser = ["hour", "day", "month", "year"], conflicts_with = "window")]
    per: Option<String>,
    /// IANA time zone that days, months and times are of
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// Where wharf answers, IP:PORT or URL
    #[arg(long, env = "WHARF_HTTP_ADDR", value_name = "ADDR", default_value = "127.0.0.1:8500")]
    http_addr: String,
    /// Table for people, JSON or CSV for programs
    #[arg(long, short, value_enum, default_value_t)]
    output: UptimeOutput,
}

/// How the past is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum UptimeOutput {
    /// Aligned columns.
    #[default]
    Table,
    /// JSON, one document.
    Json,
    /// CSV, a line a period.
    Csv,
}

impl UptimeArgs {
    fn asks_for_periods(&self) -> bool {
        let given = self.from.is_some() || self.to.is_some() || self.per.is_some();
        given || self.output == UptimeOutput::Csv
    }

    fn url(&self) -> String {
        Asked { http_addr: self.http_addr.clone(), output: Output::default() }.url()
    }
}

#[derive(Debug, Deserialize)]
struct Answer {
    now: i64,
    services: Vec<Row>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Row {
    #[serde(rename(deserialize = "name"))]
    service: String,
    state: String,
    since: Option<i64>,
    reason: String,
    availability: Option<f64>,
    responsiveness: Option<f64>,
    response_ms: Option<f64>,
    p95_ms: Option<f64>,
    tests: u64,
    outages: u64,
    downtime_ms: u64,
    passing: usize,
    total: usize,
    tags: Vec<String>,
}

/// Prints availability and response times.
pub(in crate::cli) async fn uptime(args: UptimeArgs) -> anyhow::Result<ExitCode> {
    let zone = TimeZone::get(&args.zone).with_context(|| format!("there is no time zone `{}`", args.zone))?;
    if args.asks_for_periods() {
        return periods::print(&args, &zone).await;
    }
    let Answer { now, mut services } = ask(&args).await?;
    if let Some(name) = &args.service {
        services.retain(|row| row.service == *name);
    }
    print(&match args.output {
        UptimeOutput::Json => json(&services)?,
        _ if services.is_empty() => String::new(),
        _ => {
            let rows: Vec<_> = services.iter().map(|row| (cells(row, now), tone(&row.state))).collect();
            toned(HEADING, &rows, 1)
        }
    })?;
    let Some(name) = &args.service else { return Ok(ExitCode::SUCCESS) };
    Ok(match services.first().map(|row| &*row.state) {
        None => return absent(&args, name, &zone).await,
        Some("up") => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(NONE_PASSING),
    })
}

/// Why a service is not in the table: it was not tested lately, or never.
async fn absent(args: &UptimeArgs, name: &str, zone: &TimeZone) -> anyhow::Result<ExitCode> {
    Ok(match periods::past(args, zone).await? {
        None => unknown(name),
        Some(past) => {
            complain(&format!("wharf: `{name}` was not tested in the last {}; {past}", args.window));
            ExitCode::from(NONE_PASSING)
        }
    })
}

fn unknown(name: &str) -> ExitCode {
    complain(&format!("wharf: nothing is known of a service `{name}`: `wharf uptime` lists those that are"));
    ExitCode::from(NO_SUCH_SERVICE)
}

async fn ask(args: &UptimeArgs) -> anyhow::Result<Answer> {
    let base = args.url();
    let url = format!("{base}/ui/api/services?window={}", args.window);
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    let answer = client.get(&url).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| format!("cannot reach wharf at `{base}`: is it running?"))?;
    if !answer.status().is_success() {
        bail!("`{url}` answered {}: is that wharf?", answer.status());
    }
    answer.json().await.with_context(|| format!("`{url}` does not answer like wharf"))
}

const HEADING: [&str; 8] = ["SERVICE", "STATE", "FOR", "AVAILABLE", "MEAN", "P95", "OUTAGES", "REASON"];

fn cells(row: &Row, now: i64) -> [String; 8] {
    let lasted = row.since.map(|since| Duration::from_millis(u64::try_from(now - since).unwrap_or(0)));
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{}%", floored(share * 100.0)));
    let millis = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.1}ms"));
    [
        row.service.clone(),
        row.state.clone(),
        lasted.map(spoken).unwrap_or_default(),
        percent(row.availability),
        millis(row.response_ms),
        millis(row.p95_ms),
        row.outages.to_string(),
        if row.state == "up" { String::new() } else { row.reason.chars().take(100).collect() },
    ]
}

fn tone(state: &str) -> Tone {
    match state {
        "up" => Tone::Good,
        "down" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// Two decimals, never rounded up: 99.999 is not 100.
fn floored(percent: f64) -> f64 {
    (percent * 100.0).floor() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_was_down_for_a_second_is_not_called_fully_available() {
        assert_eq!(floored(99.999), 99.99);
        assert_eq!(floored(100.0), 100.0);
    }
}
