//! The past by hour, day, month or year.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;

use super::{UptimeArgs, UptimeOutput, floored, unknown};
use crate::cli::output::{json, print as printed, printable_csv, table};

/// Longest wait: a year of a large fleet is worked out when it is asked for.
const PATIENCE: Duration = Duration::from_secs(120);

/// How far back a service that is not tested any more is looked for.
const LONG_AGO: &str = "10y";

#[derive(Debug, Deserialize)]
struct Answer {
    per: String,
    services: Vec<Report>,
}

#[derive(Debug, Deserialize)]
struct Report {
    service: String,
    periods: Vec<Period>,
}

#[derive(Debug, Deserialize)]
struct Period {
    from: i64,
    availability: Option<f64>,
    response_time_ms: Option<f64>,
    p95_ms: Option<f64>,
    tests: u64,
    outages: u64,
    downtime_ms: u64,
}

pub(super) async fn print(args: &UptimeArgs, zone: &TimeZone) -> anyhow::Result<ExitCode> {
    let asked = [("from", &args.from), ("to", &args.to), ("per", &args.per)];
    let mut query: Vec<_> =
        asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    query.push(("zone", &args.zone));
    query.extend((args.output == UptimeOutput::Csv).then_some(("format", "csv")));
    let Some(body) = ask(args, &query).await? else {
        return Ok(unknown(args.service.as_deref().unwrap_or_default()));
    };
    printed(&match args.output {
        UptimeOutput::Csv => printable_csv(&body),
        UptimeOutput::Json => json(&serde_json::from_str::<Value>(&body)?)?,
        UptimeOutput::Table => {
            let answer: Answer = serde_json::from_str(&body).context("that does not answer like wharf")?;
            let rows: Vec<_> = rows(&answer, zone);
            table(["SERVICE", "FROM", "AVAILABLE", "DOWN", "OUTAGES", "MEAN", "P95", "TESTS"], &rows)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What there is of a service that was not tested lately, and how to ask for it; `None`: nothing.
pub(super) async fn past(args: &UptimeArgs, zone: &TimeZone) -> anyhow::Result<Option<String>> {
    let query = [("from", LONG_AGO), ("per", "month"), ("zone", &args.zone)];
    let Some(body) = ask(args, &query).await? else { return Ok(None) };
    let answer: Answer = serde_json::from_str(&body).context("that does not answer like wharf")?;
    Ok(Some(remains(&answer, args.service.as_deref().unwrap_or_default(), zone)))
}

fn remains(answer: &Answer, name: &str, zone: &TimeZone) -> String {
    let periods = answer.services.iter().flat_map(|report| &report.periods);
    let tested: Vec<i64> = periods.filter(|period| period.tests > 0).map(|period| period.from).collect();
    let month = |at: &i64| {
        let at = Timestamp::from_millisecond(*at).unwrap_or_default();
        at.to_zoned(zone.clone()).strftime("%Y-%m").to_string()
    };
    match (tested.first(), tested.last()) {
        (Some(first), Some(last)) => {
            let (first, last) = (month(first), month(last));
            format!("there is data from {first} to {last}: `wharf uptime {name} --from {first}-01`")
        }
        _ => "it never was".to_owned(),
    }
}

/// `None`: nobody has heard of the service.
async fn ask(args: &UptimeArgs, query: &[(&str, &str)]) -> anyhow::Result<Option<String>> {
    let mut url = reqwest::Url::parse(&args.url()).context("`--http-addr` is no address")?;
    {
        let mut path =
            url.path_segments_mut().map_err(|()| anyhow::anyhow!("`--http-addr` is no address"))?;
        path.extend(["wharf", "v1", "uptime"]).extend(&args.service);
    }
    url.query_pairs_mut().extend_pairs(query);
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let answer = client.get(url.clone()).send().await.map_err(reqwest::Error::without_url);
    let answer = answer.with_context(|| format!("cannot reach wharf at `{}`: is it running?", args.url()))?;
    let status = answer.status();
    let body = answer.text().await?;
    if status.as_u16() == 404 && args.service.is_some() {
        return Ok(None);
    }
    if !status.is_success() {
        let told = serde_json::from_str::<Value>(&body).ok();
        let told = told.and_then(|told| Some(told.get("error")?.as_str()?.to_owned()));
        bail!("{}", told.unwrap_or_else(|| format!("`{url}` answered {status}: is that wharf?")));
    }
    Ok(Some(body))
}

fn rows(answer: &Answer, zone: &TimeZone) -> Vec<[String; 8]> {
    let form = match answer.per.as_str() {
        "hour" => "%Y-%m-%d %H:%M",
        "day" => "%Y-%m-%d",
        "month" => "%Y-%m",
        _ => "%Y",
    };
    let millis = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.1}ms"));
    let percent =
        |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{}%", floored(share * 100.0)));
    let row = |service: &str, period: &Period| {
        let from = Timestamp::from_millisecond(period.from).unwrap_or_default().to_zoned(zone.clone());
        let down = humantime::format_duration(Duration::from_secs(period.downtime_ms / 1000)).to_string();
        [
            service.to_owned(),
            from.strftime(form).to_string(),
            percent(period.availability),
            if period.downtime_ms == 0 { String::new() } else { down },
            period.outages.to_string(),
            millis(period.response_time_ms),
            millis(period.p95_ms),
            period.tests.to_string(),
        ]
    };
    let services = answer.services.iter();
    services.flat_map(|report| report.periods.iter().map(|period| row(&report.service, period))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_service_that_is_no_longer_tested_is_told() {
        let answer = |tests: [u64; 3]| {
            // 2025-11-01, 2025-12-01, 2026-01-01.
            let months = [1_761_955_200_000_i64, 1_764_547_200_000, 1_767_225_600_000];
            let period = |(from, tests): (i64, u64)| {
                serde_json::json!({ "from": from, "availability": null, "response_time_ms": null, "p95_ms": null,
                    "tests": tests, "outages": 0, "downtime_ms": 0 })
            };
            let periods: Vec<Value> = months.into_iter().zip(tests).map(period).collect();
            let answer =
                serde_json::json!({ "per": "month", "services": [{ "service": "web", "periods": periods }] });
            serde_json::from_value(answer).unwrap()
        };
        assert_eq!(
            remains(&answer([5, 7, 0]), "web", &TimeZone::UTC),
            "there is data from 2025-11 to 2025-12: `wharf uptime web --from 2025-11-01`"
        );
        assert_eq!(remains(&answer([0, 0, 0]), "web", &TimeZone::UTC), "it never was");
    }
}
