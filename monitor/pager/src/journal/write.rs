//! Records into tables.

use rusqlite::{Connection, Transaction, params};
use wharf_oncall::{Record, State, event::Event};

use super::{Batch, DeliveryRow, DeliveryState, Document, IncidentRow};

/// Everything of a batch, its first record being number `first`.
pub(super) fn batch(transaction: &Transaction<'_>, first: u64, batch: &Batch) -> Result<(), rusqlite::Error> {
    for (seq, record) in (first..).zip(&batch.records) {
        keep(transaction, seq, record)?;
        deliveries(transaction, record)?;
    }
    for row in &batch.incidents {
        incident(transaction, row)?;
    }
    for (delivery, attempts, answer) in &batch.results {
        change(transaction, *delivery, |row| {
            (row.attempts, row.answer) = (*attempts, answer.clone());
        })?;
    }
    batch.documents.iter().try_for_each(|found| document(transaction, found))
}

fn keep(transaction: &Transaction<'_>, seq: u64, record: &Record) -> Result<(), rusqlite::Error> {
    let body = json(record)?;
    let kind = body.get("event").and_then(serde_json::Value::as_str).unwrap_or_default();
    transaction
        .prepare_cached("INSERT INTO record (seq, at, kind, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![seq, record.at.as_millisecond(), kind, body.to_string()])?;
    let mut concerns =
        transaction.prepare_cached("INSERT OR IGNORE INTO concerns (incident, seq) VALUES (?1, ?2)")?;
    for id in record.event.incidents() {
        concerns.execute(params![id, seq])?;
    }
    if let Event::Opened { incident, alert, .. } | Event::Joined { incident, alert, .. } = &record.event {
        let started = alert.started.unwrap_or(record.at);
        transaction
            .prepare_cached("INSERT OR REPLACE INTO symptom (entity, incident, started) VALUES (?1, ?2, ?3)")?
            .execute(params![alert.entity, incident, started.as_millisecond()])?;
    }
    Ok(())
}

fn deliveries(transaction: &Transaction<'_>, record: &Record) -> Result<(), rusqlite::Error> {
    let at = record.at;
    match &record.event {
        Event::Sending { delivery, what } => {
            let row = DeliveryRow::new(*delivery, at, what);
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO delivery (id, user, state, body) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![delivery, row.user, row.state.as_str(), json(&row)?.to_string()])?;
            let mut tells = transaction
                .prepare_cached("INSERT OR IGNORE INTO tells (incident, delivery) VALUES (?1, ?2)")?;
            for incident in &what.incidents {
                tells.execute(params![incident, delivery])?;
            }
            Ok(())
        }
        Event::Delivered { delivery, .. } => change(transaction, *delivery, |row| {
            (row.state, row.done) = (DeliveryState::Delivered, Some(at));
        }),
        Event::Failed { delivery, reason, .. } => change(transaction, *delivery, |row| {
            (row.state, row.done, row.answer) = (DeliveryState::Failed, Some(at), reason.clone());
        }),
        Event::Cancelled { delivery, reason, .. } => change(transaction, *delivery, |row| {
            (row.state, row.done, row.answer) = (DeliveryState::Cancelled, Some(at), reason.clone());
        }),
        _ => Ok(()),
    }
}

fn change(
    transaction: &Transaction<'_>,
    delivery: u64,
    act: impl FnOnce(&mut DeliveryRow),
) -> Result<(), rusqlite::Error> {
    let found = super::read::delivery(transaction, delivery)?;
    let Some(mut row) = found else {
        return Ok(());
    };
    act(&mut row);
    transaction
        .prepare_cached("UPDATE delivery SET state = ?2, body = ?3 WHERE id = ?1")?
        .execute(params![delivery, row.state.as_str(), json(&row)?.to_string()])?;
    Ok(())
}

fn incident(transaction: &Transaction<'_>, row: &IncidentRow) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO incident (id, state, text, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row.id, row.state.as_str(), row.text(), json(row)?.to_string()])?;
    Ok(())
}

fn document(transaction: &Transaction<'_>, found: &Document) -> Result<(), rusqlite::Error> {
    let Document { kind, name, at, by, body } = found;
    match body {
        Some(body) => transaction.execute(
            "INSERT OR REPLACE INTO document (kind, name, at, by, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![kind, name, at.as_millisecond(), by, body],
        ),
        None => {
            transaction.execute("DELETE FROM document WHERE kind = ?1 AND name = ?2", params![kind, name])
        }
    }
    .map(drop)
}

/// The state after record `seq`.
pub(super) fn snapshot(connection: &Connection, seq: u64, state: &State) -> Result<(), rusqlite::Error> {
    let body = json(state)?.to_string();
    connection
        .execute("INSERT OR REPLACE INTO snapshot (id, seq, body) VALUES (1, ?1, ?2)", params![seq, body])?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<serde_json::Value, rusqlite::Error> {
    serde_json::to_value(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}
