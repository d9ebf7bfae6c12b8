//! What became of services, in the order in which it became known: for those who follow.
//!
//! Intervals begin when something began, which may be known later; a reader that goes on from where it was would miss
//! those. Here everything has a number that only grows. The table follows from nothing else and may be lost: it has no
//! part in the format's version.

use rusqlite::{Connection, params};
use wharf_catalog::Timestamp;

use super::{state_number, state_of};
use crate::{
    follow::{Mark, Subject, Transition},
    view::{Happened, Happening},
};

/// The newest that are kept.
const KEPT: i64 = 100_000;
/// How often older ones are thrown away.
const PRUNED_EVERY: i64 = 1_000;
/// The state of what is no state.
const DEPLOY: i64 = -1;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS happening (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
    service TEXT NOT NULL, state INTEGER NOT NULL, text TEXT NOT NULL)";

/// Makes the table where there is none.
pub(crate) fn table(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(TABLE)
}

/// A service's state changed.
pub(crate) fn transition(connection: &Connection, transition: &Transition) -> Result<(), rusqlite::Error> {
    match &transition.subject {
        Subject::Service(service) => {
            let state = state_number(transition.state);
            keep(connection, transition.from, service, state, &transition.reason)
        }
        Subject::Check(_) => Ok(()),
    }
}

/// A service was deployed.
pub(crate) fn mark(connection: &Connection, mark: &Mark) -> Result<(), rusqlite::Error> {
    keep(connection, mark.at, &mark.service, DEPLOY, &mark.text)
}

fn keep(
    connection: &Connection,
    at: Timestamp,
    service: &str,
    state: i64,
    text: &str,
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("INSERT INTO happening (at, service, state, text) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![at.0, service, state, text])?;
    let id = connection.last_insert_rowid();
    if id % PRUNED_EVERY == 0 {
        connection.execute("DELETE FROM happening WHERE id <= ?1", [id - KEPT])?;
    }
    Ok(())
}

/// In their order: the oldest after `after`, or the newest before `before`.
pub(crate) fn happenings(
    connection: &Connection,
    after: Option<u64>,
    before: Option<u64>,
    limit: usize,
) -> Result<Vec<Happening>, rusqlite::Error> {
    let order = if after.is_some() { "ASC" } else { "DESC" };
    let number = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
    let (after_id, before) = (after.map_or(0, number), before.map_or(i64::MAX, number));
    let mut happenings: Vec<Happening> = connection
        .prepare_cached(&format!(
            "SELECT id, at, service, state, text FROM happening WHERE id > ?1 AND id < ?2 ORDER BY id {order} LIMIT ?3"
        ))?
        .query_map(params![after_id, before, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let what = match row.get(3)? {
                DEPLOY => Happened::Deploy,
                state => Happened::State(state_of(state)),
            };
            Ok(Happening { id: row.get(0)?, at: Timestamp(row.get(1)?), service: row.get(2)?, what, text: row.get(4)? })
        })?
        .collect::<Result<_, _>>()?;
    if after.is_none() {
        happenings.reverse();
    }
    Ok(happenings)
}
