//! Questions to the ledger. Each is a seek and a short walk along an index, whatever the age of the data.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use rusqlite::{Connection, OptionalExtension, Row, params};
use wharf_catalog::Timestamp;

use super::{CHECK, SERVICE, codec, pack, state_of};
use crate::{
    follow::REMOVED,
    incident::{Incident, IncidentState},
    member::Key,
    notify::{Delivery, DeliveryState},
    rollup::{Bucket, Cover, DAY, HOUR, MINUTE, Sample, ceil, floor},
    view::{ImportedStretch, Interval, Mark, Window},
};

/// Columns of a stored bucket, in the order [`add_bucket`] takes them.
pub(crate) const BUCKET: &str = "count, up, within, timed, sum, min, max, sketch";

/// Every service ever heard of, by name: its row and its name.
pub(crate) fn services(connection: &Connection) -> Result<Vec<(i64, String)>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT id, name FROM subject WHERE kind = ?1 AND scope = '' ORDER BY name")?
        .query_map([SERVICE], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(crate) fn service(connection: &Connection, name: &str) -> Result<Option<i64>, rusqlite::Error> {
    subject(connection, SERVICE, "", name)
}

pub(crate) fn check(connection: &Connection, node: &str, id: &str) -> Result<Option<i64>, rusqlite::Error> {
    subject(connection, CHECK, node, id)
}

fn subject(
    connection: &Connection,
    kind: i64,
    scope: &str,
    name: &str,
) -> Result<Option<i64>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT id FROM subject WHERE kind = ?1 AND scope = ?2 AND name = ?3")?
        .query_row(params![kind, scope, name], |row| row.get(0))
        .optional()
}

/// The checks that were there when an earlier life ended: their nodes and ids.
pub(crate) fn open_checks(connection: &Connection) -> Result<BTreeSet<Key>, rusqlite::Error> {
    connection
        .prepare(
            "SELECT s.scope, s.name FROM interval i JOIN subject s ON s.id = i.subject
             WHERE i.ended IS NULL AND s.kind = ?1 AND i.reason <> ?2",
        )?
        .query_map(params![CHECK, REMOVED], |row| {
            Ok((row.get::<_, String>(0)?.into(), row.get::<_, String>(1)?.into()))
        })?
        .collect()
}

/// The state a subject is in.
pub(crate) fn current(connection: &Connection, subject: i64) -> Result<Option<Interval>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT began, ended, state, reason, imported FROM interval WHERE subject = ?1
             ORDER BY began DESC LIMIT 1",
        )?
        .query_row([subject], interval)
        .optional()
}

/// The states of a subject that reach into `window`, oldest first.
pub(crate) fn intervals(
    connection: &Connection,
    subject: i64,
    window: Window,
) -> Result<Vec<Interval>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT began, ended, state, reason, imported FROM interval WHERE subject = ?1 AND began < ?3 AND began >=
             coalesce((SELECT max(began) FROM interval WHERE subject = ?1 AND began <= ?2), ?2)
             ORDER BY began",
        )?
        .query_map(params![subject, window.from.0, window.to.0], interval)?
        .collect()
}

fn interval(row: &Row<'_>) -> Result<Interval, rusqlite::Error> {
    Ok(Interval {
        from: Timestamp(row.get(0)?),
        to: row.get::<_, Option<i64>>(1)?.map(Timestamp),
        state: state_of(row.get(2)?),
        reason: row.get(3)?,
        imported: row.get(4)?,
    })
}

/// All check runs of a subject within the stretch a cover describes.
pub(crate) fn total(connection: &Connection, subject: i64, cover: &Cover) -> Result<Bucket, rusqlite::Error> {
    let mut total = Bucket::default();
    for minutes in [&cover.head, &cover.tail] {
        each_bucket(connection, "minute", subject, minutes, |_, bucket| total.merge(bucket))?;
    }
    total.merge(&hours_total(connection, subject, &cover.hours)?);
    Ok(total)
}

/// All check runs of a subject within whole hours: what days sum up is not read by the hour.
pub(crate) fn hours_total(
    connection: &Connection,
    subject: i64,
    hours: &Range<i64>,
) -> Result<Bucket, rusqlite::Error> {
    let mut total = Bucket::default();
    each_day_or_hour(connection, subject, hours, |_, bucket| total.merge(bucket))?;
    Ok(total)
}

/// As [`each_hour`], but whole UTC days that are packed come in one, told by their beginning.
pub(crate) fn each_day_or_hour(
    connection: &Connection,
    subject: i64,
    hours: &Range<i64>,
    mut each: impl FnMut(i64, &Bucket),
) -> Result<(), rusqlite::Error> {
    let days = ceil(hours.start, DAY)..floor(Timestamp(hours.end), DAY);
    let sums = if days.is_empty() { hours.start..hours.start } else { days };
    for part in [hours.start..sums.start, sums.end..hours.end] {
        each_packed(connection, "hour", subject, &part, &mut each)?;
    }
    each_day(connection, subject, &sums, &mut each)?;
    each_fresh(connection, "hour", subject, hours, each)
}

/// All check runs of a subject by the hour, packed ones first.
pub(crate) fn each_hour(
    connection: &Connection,
    subject: i64,
    range: &Range<i64>,
    each: impl FnMut(i64, &Bucket),
) -> Result<(), rusqlite::Error> {
    each_bucket(connection, "hour", subject, range, each)
}

/// The buckets of a subject in `minute` or `hour` that begin within `range`, oldest first.
pub(crate) fn buckets(
    connection: &Connection,
    subject: i64,
    table: &'static str,
    range: &Range<i64>,
) -> Result<Vec<(i64, Bucket)>, rusqlite::Error> {
    let mut buckets: BTreeMap<i64, Bucket> = BTreeMap::new();
    each_bucket(connection, table, subject, range, |at, bucket| {
        buckets.entry(at).or_default().merge(bucket)
    })?;
    Ok(buckets.into_iter().collect())
}

pub(crate) fn each_bucket(
    connection: &Connection,
    table: &'static str,
    subject: i64,
    range: &Range<i64>,
    mut each: impl FnMut(i64, &Bucket),
) -> Result<(), rusqlite::Error> {
    each_packed(connection, table, subject, range, &mut each)?;
    each_fresh(connection, table, subject, range, each)
}

/// Those that are packed; their order is that of time.
fn each_packed(
    connection: &Connection,
    table: &'static str,
    subject: i64,
    range: &Range<i64>,
    mut each: impl FnMut(i64, &Bucket),
) -> Result<(), rusqlite::Error> {
    let (full, (width, step)) = if table == "hour" { (true, (DAY, HOUR)) } else { (false, (HOUR, MINUTE)) };
    each_blob(connection, &format!("{table}_pack"), subject, range, width, |base, bytes| {
        codec::decode_buckets(base, step, bytes, full, |at, bucket| {
            if range.contains(&at) {
                each(at, bucket);
            }
        });
    })
}

/// Sums of whole days that begin within `range`.
fn each_day(
    connection: &Connection,
    subject: i64,
    range: &Range<i64>,
    mut each: impl FnMut(i64, &Bucket),
) -> Result<(), rusqlite::Error> {
    each_blob(connection, "day", subject, range, DAY, |base, bytes| {
        codec::decode_buckets(base, DAY, bytes, true, &mut each);
    })
}

fn each_blob(
    connection: &Connection,
    table: &str,
    subject: i64,
    range: &Range<i64>,
    width: i64,
    mut each: impl FnMut(i64, &[u8]),
) -> Result<(), rusqlite::Error> {
    if range.is_empty() {
        return Ok(());
    }
    let (first, last) = pack::keys(subject, range, width);
    let sql = format!("SELECT id, data FROM {table} WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![first, last])?;
    while let Some(row) = rows.next()? {
        each(pack::base(row.get(0)?, width), row.get_ref(1)?.as_blob()?);
    }
    Ok(())
}

/// Those that are not packed yet.
pub(crate) fn each_fresh(
    connection: &Connection,
    table: &str,
    subject: i64,
    range: &Range<i64>,
    mut each: impl FnMut(i64, &Bucket),
) -> Result<(), rusqlite::Error> {
    if range.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {BUCKET}, at FROM {table} WHERE subject = ?1 AND at >= ?2 AND at < ?3 ORDER BY at"
    ))?;
    let mut rows = statement.query(params![subject, range.start, range.end])?;
    while let Some(row) = rows.next()? {
        let mut bucket = Bucket::default();
        add_bucket(&mut bucket, row)?;
        each(row.get(8)?, &bucket);
    }
    Ok(())
}

/// Adds a stored bucket (its columns as in [`BUCKET`]) to `sum`.
pub(crate) fn add_bucket(sum: &mut Bucket, row: &Row<'_>) -> Result<(), rusqlite::Error> {
    let natural = |at: usize| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0));
    sum.merge_counts(&Bucket {
        count: natural(0)?,
        up: natural(1)?,
        within: natural(2)?,
        timed: natural(3)?,
        sum: natural(4)?,
        min: natural(5)?,
        max: natural(6)?,
        ..Bucket::default()
    });
    sum.sketch.merge_encoded(row.get_ref(7)?.as_blob()?);
    Ok(())
}

/// The single check runs of a service within `window`, packed ones first.
pub(crate) fn samples(
    connection: &Connection,
    service: i64,
    window: Window,
) -> Result<Vec<Sample>, rusqlite::Error> {
    let range = window.from.0..window.to.0;
    let mut samples = Vec::new();
    each_blob(connection, "sample_pack", service, &range, HOUR, |base, bytes| {
        codec::decode_samples(base, bytes, |sample| {
            if range.contains(&sample.at.0) {
                samples.push(sample);
            }
        });
    })?;
    samples.extend(fresh_samples(connection, service, range.start, range.end)?);
    Ok(samples)
}

pub(super) fn fresh_samples(
    connection: &Connection,
    service: i64,
    from: i64,
    to: i64,
) -> Result<Vec<Sample>, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT at, up, micros FROM sample WHERE service = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
        )?
        .query_map(params![service, from, to], |row| {
            let micros = row.get::<_, Option<i64>>(2)?;
            Ok(Sample {
                at: Timestamp(row.get(0)?),
                up: row.get(1)?,
                micros: micros.and_then(|micros| u64::try_from(micros).ok()),
            })
        })?
        .collect()
}

/// What happened to a service within `window`, oldest first.
pub(crate) fn marks(
    connection: &Connection,
    service: i64,
    window: Window,
) -> Result<Vec<Mark>, rusqlite::Error> {
    const SHOWN: i64 = 500;
    connection
        .prepare_cached(
            "SELECT at, text FROM mark WHERE service = ?1 AND at >= ?2 AND at < ?3 ORDER BY at LIMIT ?4",
        )?
        .query_map(params![service, window.from.0, window.to.0, SHOWN], |row| {
            Ok(Mark { at: Timestamp(row.get(0)?), text: row.get(1)? })
        })?
        .collect()
}

/// What was imported for a service: from, to, and what it is called.
pub(crate) fn imports(
    connection: &Connection,
    service: i64,
) -> Result<Vec<ImportedStretch>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT began, ended, label FROM import WHERE service = ?1 ORDER BY began")?
        .query_map([service], |row| {
            let (from, to) = (Timestamp(row.get(0)?), Timestamp(row.get(1)?));
            Ok(ImportedStretch { from, to, label: row.get(2)? })
        })?
        .collect()
}

/// The last incidents, newest first.
pub(crate) fn incidents(connection: &Connection, limit: usize) -> Result<Vec<Incident>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT * FROM incident ORDER BY id DESC LIMIT ?1")?
        .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], incident)?
        .collect()
}

/// The incidents of a service that touch `window`, newest first.
pub(crate) fn incidents_of(
    connection: &Connection,
    service: &str,
    window: Window,
) -> Result<Vec<Incident>, rusqlite::Error> {
    const SHOWN: i64 = 100;
    connection
        .prepare_cached(
            "SELECT * FROM incident WHERE service = ?1 AND started < ?3 AND
             (resolved IS NULL OR resolved > ?2) ORDER BY started DESC, id DESC LIMIT ?4",
        )?
        .query_map(params![service, window.from.0, window.to.0, SHOWN], incident)?
        .collect()
}

/// The incidents that are not resolved.
pub(crate) fn open_incidents(connection: &Connection) -> Result<Vec<Incident>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT * FROM incident WHERE resolved IS NULL ORDER BY id")?
        .query_map([], incident)?
        .collect()
}

fn incident(row: &Row<'_>) -> Result<Incident, rusqlite::Error> {
    let at = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp));
    Ok(Incident {
        id: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
        service: row.get(1)?,
        state: match row.get::<_, i64>(2)? {
            0 => IncidentState::Triggered,
            1 => IncidentState::Acknowledged,
            _ => IncidentState::Resolved,
        },
        started: Timestamp(row.get(3)?),
        triggered: Timestamp(row.get(4)?),
        acknowledged: at(5)?,
        resolved: at(6)?,
        reason: row.get(7)?,
        resolution: row.get(8)?,
    })
}

/// The deliveries that are still to be made, oldest first.
pub(crate) fn pending(connection: &Connection) -> Result<Vec<Delivery>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT * FROM delivery WHERE state = 0 ORDER BY id")?
        .query_map([], delivery)?
        .collect()
}

fn delivery(row: &Row<'_>) -> Result<Delivery, rusqlite::Error> {
    let natural = |at: usize| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(at)?).unwrap_or(0));
    Ok(Delivery {
        id: natural(0)?,
        url: row.get(1)?,
        event: row.get(2)?,
        incident: natural(3)?,
        body: row.get::<_, String>(4)?.into(),
        created: Timestamp(row.get(5)?),
        state: match row.get::<_, i64>(6)? {
            0 => DeliveryState::Pending,
            1 => DeliveryState::Delivered,
            _ => DeliveryState::GivenUp,
        },
        attempts: row.get(7)?,
        next: Timestamp(row.get(8)?),
        answer: row.get(9)?,
    })
}

/// Highest number in use, of incidents and of deliveries.
pub(crate) fn last_ids(connection: &Connection) -> Result<(u64, u64), rusqlite::Error> {
    let last = |table: &str| {
        let sql = format!("SELECT coalesce(max(id), 0) FROM {table}");
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0))
    };
    let natural = |id: i64| u64::try_from(id).unwrap_or(0);
    Ok((natural(last("incident")?), natural(last("delivery")?)))
}
