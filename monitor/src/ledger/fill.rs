//! Writes a made-up past in the stored form, for measuring ([`crate::bench`]).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rusqlite::{Connection, params};
use wharf_catalog::{Outcome, Timestamp};

pub(crate) use super::write::alive;
use super::{
    CHECK, SERVICE,
    codec::MINUTES,
    pack,
    write::{self, Subjects, Written},
};
use crate::{
    Retention,
    follow::{Subject, Transition},
    rollup::{Bucket, DAY, HOUR, Sample},
};

pub(crate) fn transition(connection: &Connection, transition: &Transition) -> Result<(), rusqlite::Error> {
    write::transition(connection, &mut Subjects::default(), transition).map(drop)
}

/// An incident that is over.
pub(crate) fn incident(
    connection: &Connection,
    service: &str,
    (from, to): (Timestamp, Timestamp),
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "INSERT INTO incident (service, state, started, triggered, resolved, reason, resolution)
             VALUES (?1, 2, ?2, ?2, ?3, 'instance `a`: check `service:a` is critical: connection refused',
                '1 of 1 instance passes')",
        )?
        .execute(params![service, from.0, to.0])?;
    Ok(())
}

/// The hours of one day, of a service and of its check.
pub(crate) fn hours(
    connection: &Connection,
    service: &Arc<str>,
    check: &(Arc<str>, Arc<str>),
    day: i64,
    hours: &BTreeMap<i64, Bucket>,
) -> Result<(), rusqlite::Error> {
    let hours: Vec<_> = hours.iter().map(|(at, bucket)| (*at, bucket.clone())).collect();
    for (subject, sketches) in
        [(Subject::Service(service.clone()), true), (Subject::Check(check.clone()), false)]
    {
        let id = Subjects::default().id(connection, subject)?;
        pack::add(connection, "hour", id, day, (DAY, HOUR), &hours, sketches)?;
    }
    Ok(())
}

/// The minutes and single runs of one hour of a service, where they are kept.
pub(crate) fn minutes(
    connection: &Connection,
    service: &Arc<str>,
    hour: i64,
    minutes: Option<&BTreeMap<i64, Bucket>>,
    samples: Option<&[Sample]>,
) -> Result<(), rusqlite::Error> {
    let id = Subjects::default().id(connection, Subject::Service(service.clone()))?;
    if let Some(minutes) = minutes {
        let minutes: Vec<_> = minutes.iter().map(|(at, bucket)| (*at, bucket.clone())).collect();
        pack::add(connection, "minute", id, hour, MINUTES, &minutes, true)?;
    }
    match samples {
        Some(samples) => pack::add_samples(connection, id, hour, samples),
        None => Ok(()),
    }
}

/// Removes what is too old by `now` of the minutes and single runs of a service, by the usual retention.
pub(crate) fn prune(
    connection: &Connection,
    service: &Arc<str>,
    now: Timestamp,
) -> Result<(), rusqlite::Error> {
    let id = Subjects::default().id(connection, Subject::Service(service.clone()))?;
    let kept = Retention::default();
    pack::prune(connection, "minute_pack", id, now.before(kept.minutes).0, HOUR)?;
    pack::prune(connection, "sample_pack", id, now.before(kept.samples).0, HOUR)
}

/// Packs what is over by `now`.
pub(crate) fn pack(
    connection: &Connection,
    service: &Arc<str>,
    check: &(Arc<str>, Arc<str>),
    now: Timestamp,
) -> Result<(), rusqlite::Error> {
    let subjects = [(Subject::Service(service.clone()), SERVICE), (Subject::Check(check.clone()), CHECK)];
    for (subject, kind) in subjects {
        let id = Subjects::default().id(connection, subject)?;
        pack::subject(connection, id, kind, now)?;
    }
    Ok(())
}

/// What is not over yet.
pub(crate) fn fresh(connection: &Connection, outcomes: &[Outcome]) -> Result<(), rusqlite::Error> {
    let (limit, mut written) = (Duration::from_millis(1500), Written::default());
    write::samples(connection, &mut Subjects::default(), outcomes, limit, &mut written)
}
