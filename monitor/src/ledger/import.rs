//! A past from elsewhere: another tool's, or a demo's.
//!
//! What is imported lies before all that was seen here, or it is cut there: what was seen is never overwritten. It
//! stays marked for ever: each interval, and each stretch with its label. Times of tests go the way of all check
//! runs, as far back as their resolution is kept.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use wharf_catalog::Timestamp;

use super::{codec::MINUTES, pack, read, state_number, write::Subjects};
use crate::{
    follow::Subject,
    rollup::{Bucket, DAY, HOUR, MINUTE, Sample, floor},
    view::ServiceState,
};

/// The past of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Its name.
    pub service: String,
    /// What the past is called: `demo`, the tool it is from ...
    pub label: String,
    /// The time of the importing; nothing later is taken. Set by us.
    #[serde(skip)]
    pub now: Timestamp,
    /// States, in order of time, not overlapping.
    #[serde(default)]
    pub intervals: Vec<ImportedInterval>,
    /// Tests, in any order.
    #[serde(default)]
    pub tests: Vec<Test>,
}

/// A state that was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedInterval {
    /// Its beginning, milliseconds since 1970.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// The state.
    pub state: ServiceState,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// One test: when, whether it passed, and how long it took (milliseconds).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Test(pub Timestamp, pub bool, pub Option<f64>);

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Intervals taken, cut or whole.
    pub intervals: usize,
    /// Tests taken.
    pub tests: usize,
    /// Where what was seen here begins; nothing from there on was taken.
    pub until: Timestamp,
}

/// What is kept how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_response_time: Duration,
    pub(crate) samples: Duration,
    pub(crate) minutes: Duration,
}

impl Import {
    /// The first mistake in it, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.service.is_empty() || self.label.is_empty() {
            return Err("give a `service` and a `label`".to_owned());
        }
        let backwards = |interval: &ImportedInterval| interval.from >= interval.to || interval.from.0 < 0;
        if let Some(at) = self.intervals.iter().position(backwards) {
            return Err(format!("interval {at} does not end after it begins"));
        }
        if let Some(at) = self.intervals.windows(2).position(|pair| pair[0].to > pair[1].from) {
            return Err(format!("interval {} begins before the one before it ends", at + 1));
        }
        let wrong =
            |Test(at, _, time): &Test| at.0 < 0 || time.is_some_and(|time| !time.is_finite() || time < 0.0);
        match self.tests.iter().position(wrong) {
            Some(at) => Err(format!("test {at} has an impossible time")),
            None => Ok(()),
        }
    }
}

/// Keeps it, within the writer's transaction.
pub(crate) fn keep(
    connection: &Connection,
    subjects: &mut Subjects,
    import: &Import,
    rules: &Rules,
) -> Result<Imported, rusqlite::Error> {
    let service = subjects.id(connection, Subject::Service(Arc::from(import.service.as_str())))?;
    let until = seen_from(connection, service)?.map_or(import.now, |seen| seen.min(import.now));
    let mut taken = Imported { intervals: 0, tests: 0, until };
    let earlier = read::imports(connection, service)?;
    let mut stretch: Option<(Timestamp, Timestamp)> = None;
    let mut touch = |from: Timestamp, to: Timestamp| {
        stretch = Some(stretch.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
    };
    for interval in import.intervals.iter().filter(|interval| interval.from < until) {
        if keep_interval(connection, service, interval, until)? {
            taken.intervals += 1;
            touch(interval.from, interval.to.min(until));
        }
    }
    // An import that is repeated changes nothing.
    let known = |at: Timestamp| earlier.iter().any(|stretch| stretch.from <= at && at < stretch.to);
    let new = |test: &&Test| test.0 < until && !known(test.0);
    let samples: Vec<Sample> = import.tests.iter().filter(new).map(sample).collect();
    samples.iter().for_each(|sample| touch(sample.at, Timestamp(sample.at.0 + 1)));
    taken.tests = samples.len();
    keep_samples(connection, service, &samples, import.now, rules)?;
    if let Some((from, to)) = stretch {
        connection
            .prepare_cached("INSERT OR REPLACE INTO import VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![service, from.0, to.0, import.label])?;
    }
    Ok(taken)
}

/// Since when the service was seen here.
fn seen_from(connection: &Connection, service: i64) -> Result<Option<Timestamp>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT min(began) FROM interval WHERE subject = ?1 AND imported = 0")?
        .query_row([service], |row| Ok(row.get::<_, Option<i64>>(0)?.map(Timestamp)))
}

/// Taken unless it touches time that was imported before: an import that is repeated changes nothing.
fn keep_interval(
    connection: &Connection,
    service: i64,
    interval: &ImportedInterval,
    until: Timestamp,
) -> Result<bool, rusqlite::Error> {
    let to = interval.to.min(until);
    let overlaps: Option<i64> = connection
        .prepare_cached("SELECT 1 FROM interval WHERE subject = ?1 AND began < ?3 AND ended > ?2 LIMIT 1")?
        .query_row(params![service, interval.from.0, to.0], |row| row.get(0))
        .optional()?;
    if overlaps.is_some() {
        return Ok(false);
    }
    connection.prepare_cached("INSERT INTO interval VALUES (?1, ?2, ?3, ?4, ?5, 1)")?.execute(params![
        service,
        interval.from.0,
        to.0,
        state_number(interval.state),
        interval.reason
    ])?;
    Ok(true)
}

fn sample(Test(at, up, millis): &Test) -> Sample {
    Sample { at: *at, up: *up, micros: millis.map(|millis| (millis * 1000.0).round() as u64) }
}

/// Straight into the blobs: nothing of it will be added to soon.
fn keep_samples(
    connection: &Connection,
    service: i64,
    samples: &[Sample],
    now: Timestamp,
    rules: &Rules,
) -> Result<(), rusqlite::Error> {
    let mut raw: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
    let mut minutes: BTreeMap<i64, BTreeMap<i64, Bucket>> = BTreeMap::new();
    let mut hours: BTreeMap<i64, BTreeMap<i64, Bucket>> = BTreeMap::new();
    for sample in samples {
        let (minute, hour, day) = (floor(sample.at, MINUTE), floor(sample.at, HOUR), floor(sample.at, DAY));
        if sample.at >= now.before(rules.samples) {
            raw.entry(hour).or_default().push(*sample);
        }
        if sample.at >= now.before(rules.minutes) {
            let bucket = minutes.entry(hour).or_default().entry(minute).or_default();
            bucket.add(*sample, rules.max_response_time);
        }
        hours.entry(day).or_default().entry(hour).or_default().add(*sample, rules.max_response_time);
    }
    for (hour, samples) in &raw {
        pack::add_samples(connection, service, *hour, samples)?;
    }
    for (hour, buckets) in minutes {
        let buckets: Vec<_> = buckets.into_iter().collect();
        pack::add(connection, "minute", service, hour, MINUTES, &buckets, true)?;
    }
    for (day, buckets) in hours {
        let buckets: Vec<_> = buckets.into_iter().collect();
        pack::add(connection, "hour", service, day, (DAY, HOUR), &buckets, true)?;
    }
    Ok(())
}
