//! The past by hour, day, month or year.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::Value;

use super::{NO_SUCH_SERVICE, UptimeArgs, UptimeOutput, floored};
use crate::cli::output::{complain, json, print as printed, table};

/// Longest wait: a year of a large fleet is worked out when it is asked for.
const PATIENCE: Duration = Duration::from_secs(120);

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

pub(super) async fn print(args: &UptimeArgs) -> anyhow::Result<ExitCode> {
    let zone = TimeZone::get(&args.zone).with_context(|| format!("there is no time zone `{}`", args.zone))?;
    let Some(body) = ask(args).await? else {
        let name = args.service.as_deref().unwrap_or_default();
        complain(&format!(
            "wharf: nothing is known of a service `{name}`: `wharf uptime` lists those that are"
        ));
        return Ok(ExitCode::from(NO_SUCH_SERVICE));
    };
    printed(&match args.output {
        UptimeOutput::Csv => body,
        UptimeOutput::Json => json(&serde_json::from_str::<Value>(&body)?)?,
        UptimeOutput::Table => {
            let answer: Answer = serde_json::from_str(&body).context("that does not answer like wharf")?;
            let rows: Vec<_> = rows(&answer, &zone);
            table(["SERVICE", "FROM", "AVAILABLE", "DOWN", "OUTAGES", "MEAN", "P95", "TESTS"], &rows)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `None`: nobody has heard of the service.
async fn ask(args: &UptimeArgs) -> anyhow::Result<Option<String>> {
    let mut url = reqwest::Url::parse(&args.url()).context("`--http-addr` is no address")?;
    {
        let mut path =
            url.path_segments_mut().map_err(|()| anyhow::anyhow!("`--http-addr` is no address"))?;
        path.extend(["wharf", "v1", "uptime"]).extend(&args.service);
    }
    {
        let mut query = url.query_pairs_mut();
        query.append_pair("zone", &args.zone);
        for (name, value) in [("from", &args.from), ("to", &args.to), ("per", &args.per)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if args.output == UptimeOutput::Csv {
            query.append_pair("format", "csv");
        }
    }
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
