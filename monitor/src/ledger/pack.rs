//! What is over is packed: rows of single check runs, minutes and hours become blobs, a hundred times smaller.
//!
//! The fresh tables hold what is still being added to, and late comers; a blob is added to by reading and writing
//! it anew, so nothing is lost to a clock that stepped back. Checks keep the means of their hours, and no
//! minutes: their service has those. `day` holds the sum of all that is in the hours of a day's blob. Invariant: a
//! run counts in exactly one of fresh row and blob.

use std::{collections::BTreeMap, ops::Range};

use rusqlite::{Connection, OptionalExtension, params};
use wharf_catalog::Timestamp;

use super::{
    CHECK,
    codec::{MINUTES, decode_buckets, decode_samples, encode_buckets, encode_samples},
    read,
};
use crate::rollup::{Bucket, DAY, HOUR, Sample, floor};

/// Hours that stay fresh after they ended: late outcomes find them.
const REST: i64 = HOUR;
/// Blobs of one kind made of one subject at a time: a file of the first format has months of fresh rows.
const AT_ONCE: i64 = 48;
/// Bits of a blob's key for the stretch of time; the subject stands before them.
const SLOT: u32 = 24;

/// The key of the blob of `subject` for the stretch of this width that `at` lies in.
pub(super) fn key(subject: i64, at: i64, width: i64) -> i64 {
    (subject << SLOT) | at.div_euclid(width).clamp(0, (1 << SLOT) - 1)
}

/// The beginning of the stretch a key stands for.
pub(super) fn base(key: i64, width: i64) -> i64 {
    (key & ((1 << SLOT) - 1)) * width
}

/// The keys of all stretches that touch `range`.
pub(super) fn keys(subject: i64, range: &Range<i64>, width: i64) -> (i64, i64) {
    (key(subject, range.start, width), key(subject, range.end.saturating_sub(1), width))
}

/// Packs what is over of one subject.
pub(super) fn subject(
    connection: &Connection,
    subject: i64,
    kind: i64,
    now: Timestamp,
) -> Result<(), rusqlite::Error> {
    let hour = floor(now, HOUR).saturating_sub(REST);
    if kind == CHECK {
        connection
            .prepare_cached("DELETE FROM minute WHERE subject = ?1 AND at < ?2")?
            .execute(params![subject, hour])?;
    } else {
        samples(connection, subject, hour)?;
        rows(connection, "minute", subject, hour, MINUTES, true)?;
    }
    rows(connection, "hour", subject, floor(now, DAY).saturating_sub(REST), (DAY, HOUR), kind != CHECK)?;
    Ok(())
}

/// Packs fresh rows from before `before` into blobs of `width`.
fn rows(
    connection: &Connection,
    table: &str,
    subject: i64,
    before: i64,
    (width, step): (i64, i64),
    sketches: bool,
) -> Result<(), rusqlite::Error> {
    let mut fresh: BTreeMap<i64, Vec<(i64, Bucket)>> = BTreeMap::new();
    let before = before - before.rem_euclid(width);
    let before = before.min(first(connection, table, "subject", subject)?.saturating_add(AT_ONCE * width));
    read::each_fresh(connection, table, subject, &(0..before), |at, bucket| {
        fresh.entry(at - at.rem_euclid(width)).or_default().push((at, bucket.clone()));
    })?;
    for (begin, buckets) in &fresh {
        add(connection, table, subject, *begin, (width, step), buckets, sketches)?;
    }
    if !fresh.is_empty() {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE subject = ?1 AND at >= 0 AND at < ?2"))?
            .execute(params![subject, before])?;
    }
    Ok(())
}

/// Adds buckets, all of the stretch that begins at `begin`, to its blob (and of hours to the day).
pub(super) fn add(
    connection: &Connection,
    table: &str,
    subject: i64,
    begin: i64,
    (width, step): (i64, i64),
    buckets: &[(i64, Bucket)],
    sketches: bool,
) -> Result<(), rusqlite::Error> {
    let full = table == "hour";
    let key = key(subject, begin, width);
    let mut whole: BTreeMap<i64, Bucket> = BTreeMap::new();
    if let Some(blob) = blob(connection, table, key)? {
        decode_buckets(begin, step, &blob, full, |at, bucket| whole.entry(at).or_default().merge(bucket));
    }
    for (at, bucket) in buckets {
        let bucket = if sketches { bucket.clone() } else { only_mean(bucket) };
        whole.entry(*at).or_default().merge(&bucket);
    }
    let whole: Vec<_> = whole.into_iter().collect();
    put(connection, table, key, &encode_buckets(begin, step, &whole, full))?;
    if full {
        let mut day = Bucket::default();
        whole.iter().for_each(|(_, bucket)| day.merge(bucket));
        let bytes = encode_buckets(begin, DAY, &[(begin, day)], true);
        connection
            .prepare_cached("INSERT OR REPLACE INTO day VALUES (?1, ?2)")?
            .execute(params![key, bytes])?;
    }
    Ok(())
}

/// All that is told of a check's hours is how many runs there were and their mean, to the microsecond.
fn only_mean(bucket: &Bucket) -> Bucket {
    let mean = bucket.sum.checked_div(bucket.timed).unwrap_or(0);
    let (sum, min, max) = (mean.saturating_mul(bucket.timed), mean, mean);
    Bucket { sum, min, max, sketch: crate::sketch::Sketch::default(), ..bucket.clone() }
}

fn blob(connection: &Connection, table: &str, key: i64) -> Result<Option<Vec<u8>>, rusqlite::Error> {
    connection
        .prepare_cached(&format!("SELECT data FROM {table}_pack WHERE id = ?1"))?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn put(connection: &Connection, table: &str, key: i64, bytes: &[u8]) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(&format!("INSERT OR REPLACE INTO {table}_pack VALUES (?1, ?2)"))?
        .execute(params![key, bytes])?;
    Ok(())
}

/// The beginning of the first fresh stretch.
fn first(connection: &Connection, table: &str, column: &str, subject: i64) -> Result<i64, rusqlite::Error> {
    let first: Option<i64> = connection
        .prepare_cached(&format!("SELECT min(at) FROM {table} WHERE {column} = ?1 AND at >= 0"))?
        .query_row([subject], |row| row.get(0))?;
    let first = first.unwrap_or(0);
    Ok(first - first.rem_euclid(DAY))
}

fn samples(connection: &Connection, service: i64, before: i64) -> Result<(), rusqlite::Error> {
    let before = before.min(first(connection, "sample", "service", service)?.saturating_add(AT_ONCE * HOUR));
    let mut fresh: BTreeMap<i64, Vec<Sample>> = BTreeMap::new();
    for sample in read::fresh_samples(connection, service, 0, before)? {
        fresh.entry(floor(sample.at, HOUR)).or_default().push(sample);
    }
    for (begin, samples) in &fresh {
        add_samples(connection, service, *begin, samples)?;
    }
    if !fresh.is_empty() {
        connection
            .prepare_cached("DELETE FROM sample WHERE service = ?1 AND at >= 0 AND at < ?2")?
            .execute(params![service, before])?;
    }
    Ok(())
}

/// Adds check runs, all of the hour that begins at `begin`, to its blob.
pub(super) fn add_samples(
    connection: &Connection,
    service: i64,
    begin: i64,
    samples: &[Sample],
) -> Result<(), rusqlite::Error> {
    let key = key(service, begin, HOUR);
    let mut whole = samples.to_vec();
    if let Some(blob) = blob(connection, "sample", key)? {
        decode_samples(begin, &blob, |sample| whole.push(sample));
    }
    whole.sort_by_key(|sample| sample.at);
    put(connection, "sample", key, &encode_samples(begin, &whole))
}

/// Removes the blobs of a subject that lie wholly before `before`.
pub(super) fn prune(
    connection: &Connection,
    table: &str,
    subject: i64,
    before: i64,
    width: i64,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(&format!("DELETE FROM {table} WHERE id >= ?1 AND id < ?2"))?
        .execute(params![subject << SLOT, key(subject, before, width)])?;
    Ok(())
}

/// Removes all blobs of a subject.
pub(super) fn forget(connection: &Connection, subject: i64) -> Result<(), rusqlite::Error> {
    for table in ["sample_pack", "minute_pack", "hour_pack", "day"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE id >= ?1 AND id < ?2"))?
            .execute(params![subject << SLOT, (subject + 1) << SLOT])?;
    }
    Ok(())
}
