//! Tables into what readers ask for.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params, types::Type};
use serde::{Deserialize, de::DeserializeOwned};
use wharf_oncall::{Record, State};

use super::{DeliveryRow, Document, IncidentRow, Kept, Recalled};

/// Which incidents by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateQuery {
    /// Those that are not resolved.
    #[default]
    Open,
    /// Those nobody has taken.
    Triggered,
    /// Those somebody has.
    Acknowledged,
    /// Those that are over.
    Resolved,
    /// Every one.
    All,
}

/// Which incidents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncidentQuery {
    /// By their state.
    pub state: StateQuery,
    /// That have (or had) this symptom.
    pub entity: Option<String>,
    /// With this in title, message or entities, in any case.
    pub text: Option<String>,
    /// With smaller numbers.
    pub before: Option<u64>,
    /// At most so many, the newest.
    pub limit: usize,
}

/// Which messages.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryQuery {
    /// To this user.
    pub user: Option<String>,
    /// About this incident.
    pub incident: Option<u64>,
    /// `sending`, `delivered`, `failed`, `cancelled`.
    pub state: Option<String>,
    /// With smaller numbers.
    pub before: Option<u64>,
    /// At most so many, the newest.
    pub limit: usize,
}

/// Which records.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordQuery {
    /// Of this incident.
    pub incident: Option<u64>,
    /// With greater numbers: the oldest of them.
    pub after: Option<u64>,
    /// With smaller numbers: the newest of them.
    pub before: Option<u64>,
    /// Also those that say nothing but that a symptom was said again.
    pub repetitions: bool,
    /// At most so many.
    pub limit: usize,
}

pub(super) fn recall(connection: &Connection) -> Result<Recalled, rusqlite::Error> {
    let snapshot = connection
        .query_row("SELECT seq, body FROM snapshot", [], |row| {
            Ok((row.get::<_, u64>(0)?, body::<State>(row, 1)?))
        })
        .optional()?;
    let (seq, state) = snapshot.unwrap_or_default();
    let mut statement = connection.prepare("SELECT body FROM record WHERE seq > ?1 ORDER BY seq")?;
    let records = statement.query_map([seq], |row| body::<Record>(row, 0))?;
    let records: Vec<Record> = records.collect::<Result<_, _>>()?;
    let open = IncidentQuery { limit: usize::MAX, ..IncidentQuery::default() };
    let mut statement = connection.prepare("SELECT kind, name, at, by, body FROM document")?;
    let documents = statement.query_map([], |row| {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        let at = Timestamp::from_millisecond(row.get(2)?).unwrap_or_default();
        let key = (kind.clone(), name.clone());
        Ok((key, Document { kind, name, at, by: row.get(3)?, body: Some(row.get(4)?) }))
    })?;
    Ok(Recalled {
        state: state.replay(&records),
        open: incidents(connection, &open)?,
        documents: documents.collect::<Result<_, _>>()?,
    })
}

pub(crate) fn incidents(
    connection: &Connection,
    query: &IncidentQuery,
) -> Result<Vec<IncidentRow>, rusqlite::Error> {
    let states: &[&str] = match query.state {
        StateQuery::Open => &["triggered", "acknowledged"],
        StateQuery::Triggered => &["triggered"],
        StateQuery::Acknowledged => &["acknowledged"],
        StateQuery::Resolved => &["resolved"],
        StateQuery::All => &["triggered", "acknowledged", "resolved"],
    };
    let named = states.iter().map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT body FROM incident WHERE state IN ({named}) AND id < ?1
           AND (?2 IS NULL OR id IN (SELECT incident FROM symptom WHERE entity = ?2))
           AND (?3 IS NULL OR instr(text, ?3) > 0)
         ORDER BY id DESC LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let text = query.text.as_ref().map(|text| text.to_lowercase());
    let rows = statement
        .query_map(params![before(query.before), query.entity, text, limit(query.limit)], |row| {
            body(row, 0)
        })?;
    rows.collect()
}

pub(crate) fn incident(connection: &Connection, id: u64) -> Result<Option<IncidentRow>, rusqlite::Error> {
    connection
        .query_row("SELECT body FROM incident WHERE id = ?1", [number(id)], |row| body(row, 0))
        .optional()
}

/// The incident that stands for `id`: itself, or what it became a part of, be that over or not.
pub(crate) fn whole(connection: &Connection, id: u64) -> Result<Option<IncidentRow>, rusqlite::Error> {
    let mut found = incident(connection, id)?;
    // A part is older or younger than the whole, but never becomes its own: the chain ends.
    while let Some(whole) = found.as_ref().and_then(|row| row.part_of) {
        match incident(connection, whole)? {
            Some(row) => found = Some(row),
            None => break,
        }
    }
    Ok(found)
}

/// Those of `ids` that there are.
pub(crate) fn named(connection: &Connection, ids: &[u64]) -> Result<Vec<IncidentRow>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT body FROM incident WHERE id = ?1")?;
    let rows = ids.iter().map(|id| statement.query_row([number(*id)], |row| body(row, 0)).optional());
    rows.filter_map(Result::transpose).collect()
}

/// When the latest incident with this symptom began, as its source said.
pub(crate) fn last_start(
    connection: &Connection,
    entity: &str,
) -> Result<Option<Timestamp>, rusqlite::Error> {
    let sql = "SELECT started FROM symptom WHERE entity = ?1 ORDER BY incident DESC LIMIT 1";
    let started: Option<i64> = connection.query_row(sql, [entity], |row| row.get(0)).optional()?;
    Ok(started.and_then(|at| Timestamp::from_millisecond(at).ok()))
}

pub(crate) fn deliveries(
    connection: &Connection,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryRow>, rusqlite::Error> {
    let sql =
        "SELECT body FROM delivery WHERE id < ?1 AND (?2 IS NULL OR user = ?2) AND (?3 IS NULL OR state = ?3)
                 AND (?4 IS NULL OR id IN (SELECT delivery FROM tells WHERE incident = ?4))
               ORDER BY id DESC LIMIT ?5";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![
        before(query.before),
        query.user,
        query.state,
        query.incident.map(number),
        limit(query.limit)
    ];
    statement.query_map(values, |row| body(row, 0))?.collect()
}

pub(super) fn delivery(connection: &Connection, id: u64) -> Result<Option<DeliveryRow>, rusqlite::Error> {
    let mut statement = connection.prepare_cached("SELECT body FROM delivery WHERE id = ?1")?;
    statement.query_row([id], |row| body(row, 0)).optional()
}

/// In their order.
pub(crate) fn records(connection: &Connection, query: &RecordQuery) -> Result<Vec<Kept>, rusqlite::Error> {
    let order = if query.after.is_some() { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT seq, body FROM record WHERE seq > ?1 AND seq < ?2
           AND (?3 IS NULL OR seq IN (SELECT seq FROM concerns WHERE incident = ?3))
           AND (?5 OR kind <> 'refreshed')
         ORDER BY seq {order} LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values = params![
        query.after.map_or(0, number),
        before(query.before),
        query.incident.map(number),
        limit(query.limit),
        query.repetitions
    ];
    let rows = statement.query_map(values, |row| Ok(Kept { seq: row.get(0)?, record: body(row, 1)? }))?;
    let mut kept: Vec<Kept> = rows.collect::<Result<_, _>>()?;
    if query.after.is_none() {
        kept.reverse();
    }
    Ok(kept)
}

fn before(id: Option<u64>) -> i64 {
    id.map_or(i64::MAX, number)
}

/// As the database has it; none is as large as the largest.
fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

fn body<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> Result<T, rusqlite::Error> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}
