//! One entry at a time, within the writer's transaction.

use std::{collections::HashMap, sync::Arc, time::Duration};

use rusqlite::{Connection, OptionalExtension, params};
use wharf_catalog::{Outcome, Timestamp};

use super::{CHECK, SERVICE, happening, read, state_number};
use crate::{
    follow::{Mark, Restored, Subject, Transition},
    incident::{Incident, IncidentState},
    notify::{Delivery, DeliveryState},
    rollup::{Bucket, HOUR, MINUTE, Sample, floor},
    view::{Interval, ServiceState},
};

/// Rows of subjects, looked up once.
#[derive(Debug, Default)]
pub(crate) struct Subjects(HashMap<Subject, i64>);

impl Subjects {
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    pub(crate) fn id(&mut self, connection: &Connection, subject: Subject) -> Result<i64, rusqlite::Error> {
        if let Some(id) = self.0.get(&subject) {
            return Ok(*id);
        }
        let (kind, scope, name) = match &subject {
            Subject::Service(name) => (SERVICE, "", name),
            Subject::Check((node, id)) => (CHECK, &**node, id),
        };
        connection
            .prepare_cached("INSERT OR IGNORE INTO subject (kind, scope, name) VALUES (?1, ?2, ?3)")?
            .execute(params![kind, scope, name])?;
        let id = connection
            .prepare_cached("SELECT id FROM subject WHERE kind = ?1 AND scope = ?2 AND name = ?3")?
            .query_row(params![kind, scope, name], |row| row.get(0))?;
        self.0.insert(subject, id);
        Ok(id)
    }
}

/// What one transaction wrote of what is kept at hand.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// By subject: the state that began, in order.
    pub(crate) states: Vec<(i64, Interval)>,
    /// By subject and beginning: what was added.
    pub(crate) minutes: HashMap<(i64, i64), Bucket>,
    pub(crate) hours: HashMap<(i64, i64), Bucket>,
    /// Subjects whose past was changed in other ways.
    pub(crate) anew: Vec<i64>,
}

/// Ends the state a subject was in and begins the next. Never before the beginning of the last one: a
/// transition may take that back, but nothing older. Answers whose it is, and how it was kept.
pub(crate) fn transition(
    connection: &Connection,
    subjects: &mut Subjects,
    transition: &Transition,
) -> Result<(i64, Interval), rusqlite::Error> {
    let subject = subjects.id(connection, transition.subject.clone())?;
    let state = state_number(transition.state);
    let last: Option<(i64, bool)> = connection
        .prepare_cached(
            // What was imported has an end, and keeps it.
            "SELECT coalesce(ended, began), ended IS NULL AND began >= ?2 AND state = ?3 FROM interval
             WHERE subject = ?1 ORDER BY began DESC LIMIT 1",
        )?
        .query_row(params![subject, transition.from.0, state], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // The same state with another reason did not happen: it goes on.
    if last.is_none_or(|(_, goes_on)| !goes_on) {
        happening::transition(connection, transition)?;
    }
    let last = last.map(|(last, _)| last);
    let from = last.map_or(transition.from.0, |last| last.max(transition.from.0));
    connection
        .prepare_cached("UPDATE interval SET ended = ?2 WHERE subject = ?1 AND began = ?3 AND ended IS NULL")?
        .execute(params![subject, from, last])?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO interval VALUES (?1, ?2, NULL, ?3, ?4, 0)")?
        .execute(params![subject, from, state, transition.reason])?;
    let (from, state, reason) = (Timestamp(from), transition.state, transition.reason.clone());
    Ok((subject, Interval { from, to: None, state, reason, imported: false }))
}

/// Records check runs: each by itself and by the minute for its service, by the hour for its check as well.
pub(crate) fn samples(
    connection: &Connection,
    subjects: &mut Subjects,
    outcomes: &[Outcome],
    limit: Duration,
    Written { minutes, hours, .. }: &mut Written,
) -> Result<(), rusqlite::Error> {
    for outcome in outcomes {
        let sample = Sample::from(outcome);
        let check = Subject::Check((outcome.node.clone(), outcome.check.clone()));
        let check = subjects.id(connection, check)?;
        hours.entry((check, floor(sample.at, HOUR))).or_default().add(sample, limit);
        if !outcome.service.is_empty() {
            let service = subjects.id(connection, Subject::Service(outcome.service.clone()))?;
            raw(connection, service, sample)?;
            minutes.entry((service, floor(sample.at, MINUTE))).or_default().add(sample, limit);
            hours.entry((service, floor(sample.at, HOUR))).or_default().add(sample, limit);
        }
    }
    for (key, bucket) in minutes {
        add(connection, "minute", *key, bucket.clone())?;
    }
    for (key, bucket) in hours {
        add(connection, "hour", *key, bucket.clone())?;
    }
    Ok(())
}

fn raw(connection: &Connection, service: i64, sample: Sample) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT INTO sample (service, at, up, micros) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![service, sample.at.0, sample.up, sample.micros.map(integer)])?;
    Ok(())
}

/// Adds a bucket to the one that may already be there.
fn add(
    connection: &Connection,
    table: &str,
    (subject, at): (i64, i64),
    mut bucket: Bucket,
) -> Result<(), rusqlite::Error> {
    let columns = read::BUCKET;
    let stored = connection
        .prepare_cached(&format!("SELECT {columns} FROM {table} WHERE subject = ?1 AND at = ?2"))?
        .query_row(params![subject, at], |row| {
            let mut stored = Bucket::default();
            read::add_bucket(&mut stored, row)?;
            Ok(stored)
        })
        .optional()?;
    if let Some(stored) = stored {
        bucket.merge(&stored);
    }
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ))?
        .execute(params![
            subject,
            at,
            integer(bucket.count),
            integer(bucket.up),
            integer(bucket.within),
            integer(bucket.timed),
            integer(bucket.sum),
            integer(bucket.min),
            integer(bucket.max),
            bucket.sketch.encode(),
        ])?;
    Ok(())
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Keeps something that happened to a service.
pub(crate) fn mark(
    connection: &Connection,
    subjects: &mut Subjects,
    mark: &Mark,
) -> Result<(), rusqlite::Error> {
    let service = subjects.id(connection, Subject::Service(mark.service.clone()))?;
    happening::mark(connection, mark)?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO mark VALUES (?1, ?2, ?3)")?
        .execute(params![service, mark.at.0, mark.text])?;
    Ok(())
}

/// Keeps an incident as it now stands.
pub(crate) fn incident(connection: &Connection, incident: &Incident) -> Result<(), rusqlite::Error> {
    let state = match incident.state {
        IncidentState::Triggered => 0,
        IncidentState::Acknowledged => 1,
        IncidentState::Resolved => 2,
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO incident VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            integer(incident.id),
            incident.service,
            state,
            incident.started.0,
            incident.triggered.0,
            incident.acknowledged.map(|at| at.0),
            incident.resolved.map(|at| at.0),
            incident.reason,
            incident.resolution,
        ])?;
    Ok(())
}

/// Keeps a delivery as it now stands: the delivery log.
pub(crate) fn delivery(connection: &Connection, delivery: &Delivery) -> Result<(), rusqlite::Error> {
    let state = match delivery.state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::GivenUp => 2,
    };
    connection
        .prepare_cached("INSERT OR REPLACE INTO delivery VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
        .execute(params![
            integer(delivery.id),
            delivery.url,
            delivery.event,
            integer(delivery.incident),
            &*delivery.body,
            delivery.created.0,
            state,
            delivery.attempts,
            delivery.next.0,
            delivery.answer,
        ])?;
    Ok(())
}

/// The monitor lives, and knows what it knows until `now`.
pub(crate) fn alive(connection: &Connection, now: Timestamp) -> Result<(), rusqlite::Error> {
    connection.prepare_cached("INSERT OR REPLACE INTO moment VALUES ('alive', ?1)")?.execute([now.0])?;
    Ok(())
}

/// What an earlier life left: ends every open state where that life ended, and tells what there was.
pub(crate) fn restore(connection: &mut Connection) -> Result<Vec<Restored>, rusqlite::Error> {
    let transaction = connection.transaction()?;
    let alive: Option<i64> = transaction
        .query_row("SELECT at FROM moment WHERE name = 'alive'", [], |row| row.get(0))
        .optional()?;
    let open: Vec<(i64, i64, String, i64, i64, String)> = transaction
        .prepare(
            "SELECT s.id, s.kind, s.name, i.began, i.state, i.reason FROM interval i
             JOIN subject s ON s.id = i.subject WHERE i.ended IS NULL",
        )?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })?
        .collect::<Result<_, _>>()?;
    let mut restored = Vec::new();
    for (subject, kind, name, began, state, reason) in open {
        let state = super::state_of(state);
        let mut gap = began;
        if state != ServiceState::Unmonitored {
            gap = began.max(alive.unwrap_or(began));
            gap_from(&transaction, subject, began, gap)?;
        }
        if kind == SERVICE {
            let down = (state == ServiceState::Down).then_some(reason);
            restored.push(Restored { service: Arc::from(name), gap: Timestamp(gap), down });
        }
    }
    transaction.commit()?;
    Ok(restored)
}

fn gap_from(connection: &Connection, subject: i64, began: i64, gap: i64) -> Result<(), rusqlite::Error> {
    connection.execute(
        "UPDATE interval SET ended = ?3 WHERE subject = ?1 AND began = ?2",
        params![subject, began, gap],
    )?;
    connection.execute(
        "INSERT OR REPLACE INTO interval VALUES (?1, ?2, NULL, 0, 'wharf was not running', 0)",
        params![subject, gap],
    )?;
    Ok(())
}
