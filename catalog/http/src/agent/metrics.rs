//! `agent/metrics`: the process's metrics, as JSON in Consul's shape or as Prometheus reads them.

use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use http::StatusCode;
use jiff::Timestamp;
use serde::Serialize;

use crate::{Api, error::ApiError, query::Params, respond};

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metrics<'a> {
    timestamp: String,
    gauges: Vec<Gauge<'a>>,
    points: Vec<Gauge<'a>>,
    counters: Vec<Sample<'a>>,
    samples: Vec<Sample<'a>>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Gauge<'a> {
    name: &'a str,
    value: f64,
    labels: BTreeMap<&'a str, String>,
}

/// Since the process started, unlike in Consul, whose samples are of the last ten seconds.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sample<'a> {
    name: &'a str,
    count: f64,
    rate: f64,
    sum: f64,
    min: f64,
    max: f64,
    mean: f64,
    stddev: f64,
    labels: BTreeMap<&'a str, String>,
}

pub(super) async fn metrics(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let text = api.hooks.metrics.as_ref().map(|metrics| metrics.render());
    if params.first("format") == Some("prometheus") {
        return Ok(match text {
            Some(text) => {
                respond::with_type(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
            }
            None => respond::text(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Prometheus is not enabled since its retention time is not positive",
            ),
        });
    }
    let text = text.unwrap_or_default();
    let now = Timestamp::from_millisecond(api.clock.now().0).unwrap_or_default();
    let timestamp = now.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string();
    Ok(respond::json(params.pretty(), &Metrics { timestamp, ..parse(&text) }))
}

/// Sorts the lines of Prometheus' text form into Consul's drawers.
fn parse(text: &str) -> Metrics<'_> {
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let mut metrics = Metrics::default();
    let mut samples: BTreeMap<(&str, BTreeMap<&str, String>), Sample<'_>> = BTreeMap::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|it| it.split_once(' ')) {
            kinds.insert(name, kind);
            continue;
        }
        let Some((name, mut labels, value)) = reading(line) else { continue };
        match kinds.get(name).copied() {
            Some("gauge") => metrics.gauges.push(Gauge { name, value, labels }),
            Some("counter") => {
                let (count, sum, mean) = (value, value, 1.0);
                metrics.counters.push(Sample { name, count, sum, mean, labels, ..Sample::default() });
            }
            _ => {
                let quantile = labels.remove("quantile");
                let base = name.strip_suffix("_sum").or_else(|| name.strip_suffix("_count")).unwrap_or(name);
                let entry = samples.entry((base, labels.clone()));
                let sample = entry.or_insert_with(|| Sample { name: base, labels, ..Sample::default() });
                match quantile.as_deref() {
                    Some("0") => sample.min = value,
                    Some("1") => sample.max = value,
                    None if name.ends_with("_sum") => sample.sum = value,
                    None if name.ends_with("_count") => sample.count = value,
                    _ => {}
                }
            }
        }
    }
    metrics.samples = samples.into_values().filter(|sample| sample.count > 0.0).collect();
    for sample in &mut metrics.samples {
        sample.mean = sample.sum / sample.count;
    }
    metrics
}

/// `name{label="value"} 1.5`. What is not finite cannot be said in JSON.
fn reading(line: &str) -> Option<(&str, BTreeMap<&str, String>, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (named, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok().filter(|value: &f64| value.is_finite())?;
    match named.split_once('{') {
        None => Some((named, BTreeMap::new(), value)),
        Some((name, labels)) => Some((name, pairs(labels.strip_suffix('}')?), value)),
    }
}

fn pairs(text: &str) -> BTreeMap<&str, String> {
    let (mut pairs, mut rest) = (BTreeMap::new(), text);
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = at + 1;
                    break;
                }
                '\\' => value.extend(characters.next().map(|(_, it)| if it == 'n' { '\n' } else { it })),
                other => value.push(other),
            }
        }
        pairs.insert(name.trim_start_matches(','), value);
        rest = &after[end..];
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_finds_its_drawer() {
        let text = "# HELP a x\n# TYPE a counter\na{route=\"/v1/a,b\",q=\"a\\\"b\"} 3\n\n# TYPE g gauge\ng 1.5\n\
            # TYPE s summary\ns{quantile=\"0\"} 1\ns{quantile=\"0.5\"} 2\ns{quantile=\"1\"} 3\ns_sum 4\ns_count 2\n\
            # TYPE empty summary\nempty_sum 0\nempty_count 0\n# TYPE n gauge\nn NaN\n";
        let metrics = parse(text);
        assert_eq!(metrics.gauges.len(), 1);
        assert_eq!((metrics.counters[0].name, metrics.counters[0].count), ("a", 3.0));
        assert_eq!(metrics.counters[0].labels["route"], "/v1/a,b");
        assert_eq!(metrics.counters[0].labels["q"], "a\"b");
        let sample = &metrics.samples[0];
        assert_eq!((metrics.samples.len(), sample.name, sample.mean), (1, "s", 2.0));
        assert_eq!((sample.min, sample.max), (1.0, 3.0));
    }

    #[test]
    fn text_that_is_no_metric_is_passed_over() {
        assert_eq!(parse("\nx\n{\na{b=\"\\\n# TYPE\n} 1\n").counters, []);
    }
}
