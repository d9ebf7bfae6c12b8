//! What is too old goes, a bounded batch at a time, so that recording never waits long.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use wharf_catalog::Timestamp;

use super::{CHECK, pack, write::Subjects};
use crate::{
    Retention,
    rollup::{DAY, HOUR},
};

/// Rows removed in one go, so that recording never waits long.
pub(super) const PRUNE_BATCH: i64 = 20_000;

/// Longest memory of deliveries.
const LOG: Duration = Duration::from_secs(30 * 86_400);
/// Subjects looked at in one go.
const SUBJECTS: usize = 16;

/// Removes a little of what is too old, and says where to go on.
pub(super) fn step(
    connection: &Connection,
    subjects: &mut Subjects,
    retention: &Retention,
    now: Timestamp,
    mut after: i64,
) -> Result<i64, rusqlite::Error> {
    let hours = retention.hours.map(|hours| now.before(hours));
    samples(connection, now.before(retention.samples))?;
    incidents(connection, hours, now.before(LOG))?;
    let kept = Kept {
        samples: now.before(retention.samples),
        minutes: now.before(retention.minutes),
        hours,
        now: Some(now),
    };
    for _ in 0..SUBJECTS {
        match subject(connection, subjects, after, kept)? {
            Some(subject) => after = subject,
            None => return Ok(0),
        }
    }
    Ok(after)
}

/// Removes single check runs from before `before`, oldest first, a batch of them.
pub(super) fn samples(connection: &Connection, before: Timestamp) -> Result<usize, rusqlite::Error> {
    connection
        .prepare_cached(
            "DELETE FROM sample WHERE id IN (SELECT id FROM sample ORDER BY id LIMIT ?2) AND at < ?1",
        )?
        .execute(params![before.0, PRUNE_BATCH])
}

/// Since when what is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) samples: Timestamp,
    pub(crate) minutes: Timestamp,
    pub(crate) hours: Option<Timestamp>,
    /// What is over by now is packed.
    pub(crate) now: Option<Timestamp>,
}

/// Packs what is over and removes what is too old of the first subject after `after`, a batch of it, and the
/// subject itself when it is a check that has been gone for long. Answers which subject that was; `None`: there
/// is none.
pub(crate) fn subject(
    connection: &Connection,
    subjects: &mut Subjects,
    after: i64,
    Kept { samples, minutes, hours, now }: Kept,
) -> Result<Option<i64>, rusqlite::Error> {
    let next: Option<(i64, i64)> = connection
        .prepare_cached("SELECT id, kind FROM subject WHERE id > ?1 ORDER BY id LIMIT 1")?
        .query_row([after], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((subject, kind)) = next else {
        return Ok(None);
    };
    if let Some(now) = now {
        pack::subject(connection, subject, kind, now)?;
    }
    buckets(connection, "minute", subject, minutes)?;
    pack::prune(connection, "minute_pack", subject, minutes.0, HOUR)?;
    pack::prune(connection, "sample_pack", subject, samples.0, HOUR)?;
    if let Some(hours) = hours {
        buckets(connection, "hour", subject, hours)?;
        pack::prune(connection, "hour_pack", subject, hours.0, DAY)?;
        pack::prune(connection, "day", subject, hours.0, DAY)?;
        connection
            .prepare_cached("DELETE FROM mark WHERE service = ?1 AND at < ?2")?
            .execute(params![subject, hours.0])?;
        connection
            .prepare_cached("DELETE FROM interval WHERE subject = ?1 AND ended < ?2")?
            .execute(params![subject, hours.0])?;
    }
    if kind == CHECK && gone_since_before(connection, subject, minutes)? {
        for table in ["interval", "minute", "hour"] {
            connection.execute(&format!("DELETE FROM {table} WHERE subject = ?1"), [subject])?;
        }
        pack::forget(connection, subject)?;
        connection.execute("DELETE FROM subject WHERE id = ?1", [subject])?;
        subjects.forget();
    }
    Ok(Some(subject))
}

fn buckets(
    connection: &Connection,
    table: &str,
    subject: i64,
    before: Timestamp,
) -> Result<usize, rusqlite::Error> {
    connection
        .prepare_cached(&format!(
            "DELETE FROM {table} WHERE (subject, at) IN
             (SELECT subject, at FROM {table} WHERE subject = ?1 AND at < ?2 LIMIT ?3)"
        ))?
        .execute(params![subject, before.0, PRUNE_BATCH])
}

fn gone_since_before(
    connection: &Connection,
    subject: i64,
    before: Timestamp,
) -> Result<bool, rusqlite::Error> {
    let unmonitored_since: Option<i64> = connection
        .prepare_cached("SELECT began FROM interval WHERE subject = ?1 AND ended IS NULL AND state = 0")?
        .query_row([subject], |row| row.get(0))
        .optional()?;
    Ok(unmonitored_since.is_some_and(|since| since < before.0))
}

/// Removes incidents and deliveries that ended before `before`, a batch of each.
pub(super) fn incidents(
    connection: &Connection,
    incidents: Option<Timestamp>,
    deliveries: Timestamp,
) -> Result<(), rusqlite::Error> {
    if let Some(before) = incidents {
        connection.execute(
            "DELETE FROM incident WHERE id IN (SELECT id FROM incident WHERE resolved < ?1 LIMIT ?2)",
            params![before.0, PRUNE_BATCH],
        )?;
    }
    connection.execute(
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery ORDER BY id LIMIT ?2)
         AND state <> 0 AND created < ?1",
        params![deliveries.0, PRUNE_BATCH],
    )?;
    Ok(())
}
