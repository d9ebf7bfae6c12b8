//! What is remembered, and where: a SQLite database of its own, in a file or in memory.
//!
//! One thread writes ([`writer`]), many read ([`read`]). What is over is packed ([`pack`]). In a file (write-ahead log) every reader has a
//! read-only connection of its own, so that no page ever holds up the recording; in memory there is one
//! connection, taken in turns. Invariant: the state intervals of a subject touch each other, and only
//! the last one is open.

mod bits;
mod codec;
pub(crate) mod fill;
pub(crate) mod happening;
pub(crate) mod import;
mod pack;
pub(crate) mod prune;
pub(crate) mod read;
pub(crate) mod write;
pub(crate) mod writer;

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::{MonitorError, Storage, view::ServiceState};

/// Version of the tables, in `PRAGMA user_version`.
const FORMAT: i64 = 3;

/// Most read connections kept open.
const READERS: usize = 4;

const TABLES: &str = "
    CREATE TABLE moment (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    -- scope '' and a service's name, or a node and the id of a check on it
    CREATE TABLE subject (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, scope TEXT NOT NULL,
        name TEXT NOT NULL, UNIQUE (kind, scope, name));
    CREATE TABLE interval (subject INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER,
        state INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (subject, began)) WITHOUT ROWID;
    CREATE TABLE sample (id INTEGER PRIMARY KEY, service INTEGER NOT NULL, at INTEGER NOT NULL,
        up INTEGER NOT NULL, micros INTEGER);
    CREATE INDEX sample_of ON sample (service, at);
    CREATE TABLE minute (subject INTEGER NOT NULL, at INTEGER NOT NULL, count INTEGER NOT NULL,
        up INTEGER NOT NULL, within INTEGER NOT NULL, timed INTEGER NOT NULL, sum INTEGER NOT NULL,
        min INTEGER NOT NULL, max INTEGER NOT NULL, sketch BLOB NOT NULL,
        PRIMARY KEY (subject, at)) WITHOUT ROWID;
    CREATE TABLE hour (subject INTEGER NOT NULL, at INTEGER NOT NULL, count INTEGER NOT NULL,
        up INTEGER NOT NULL, within INTEGER NOT NULL, timed INTEGER NOT NULL, sum INTEGER NOT NULL,
        min INTEGER NOT NULL, max INTEGER NOT NULL, sketch BLOB NOT NULL,
        PRIMARY KEY (subject, at)) WITHOUT ROWID;
    CREATE TABLE incident (id INTEGER PRIMARY KEY, service TEXT NOT NULL, state INTEGER NOT NULL,
        started INTEGER NOT NULL, triggered INTEGER NOT NULL, acknowledged INTEGER, resolved INTEGER,
        reason TEXT NOT NULL, resolution TEXT NOT NULL);
    CREATE INDEX incident_of ON incident (service, started);
    CREATE INDEX incident_open ON incident (state) WHERE resolved IS NULL;
    CREATE TABLE delivery (id INTEGER PRIMARY KEY, url TEXT NOT NULL, event TEXT NOT NULL,
        incident INTEGER NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL, state INTEGER NOT NULL,
        attempts INTEGER NOT NULL, next INTEGER NOT NULL, answer TEXT NOT NULL);
    CREATE INDEX delivery_due ON delivery (state) WHERE state = 0;
";

/// What the second format added: blobs of what is over (see [`pack`]), marks and imports.
const PACKED: &str = "
    -- id: the subject and the number of the hour or day since 1970
    CREATE TABLE sample_pack (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE minute_pack (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE hour_pack (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE day (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
    CREATE TABLE mark (service INTEGER NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL,
        PRIMARY KEY (service, at, text)) WITHOUT ROWID;
    ALTER TABLE interval ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE import (service INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL,
        label TEXT NOT NULL, PRIMARY KEY (service, began)) WITHOUT ROWID;
";

/// The database, shared between its writer and its readers.
#[derive(Debug, Clone)]
pub(crate) struct Ledger(Arc<Place>);

#[derive(Debug)]
enum Place {
    Memory(Arc<Mutex<Connection>>),
    File { path: PathBuf, idle: Mutex<Vec<Connection>> },
}

impl Ledger {
    /// Opens the database, creating it (readable by its owner only) when there is none. Gives the
    /// connection to write with where that is a separate one.
    pub(crate) fn open(storage: &Storage) -> Result<(Self, Pen), MonitorError> {
        match storage {
            Storage::Memory => {
                let connection =
                    Connection::open_in_memory().map_err(|error| unreadable(&"memory", &error))?;
                prepare(&connection).map_err(|error| unreadable(&"memory", &error))?;
                happening::table(&connection).map_err(|error| unreadable(&"memory", &error))?;
                let shared = Arc::new(Mutex::new(connection));
                Ok((Self(Arc::new(Place::Memory(shared.clone()))), Pen::Shared(shared)))
            }
            Storage::File(path) => {
                let connection = open_file(path)?;
                let place = Place::File { path: path.clone(), idle: Mutex::default() };
                Ok((Self(Arc::new(place)), Pen::Own(Box::new(connection))))
            }
        }
    }

    /// Does it forget when the process ends?
    pub(crate) fn is_memory(&self) -> bool {
        matches!(*self.0, Place::Memory(_))
    }

    /// Reads one consistent picture. Blocks: not for async tasks.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, rusqlite::Error> {
        match &*self.0 {
            Place::Memory(connection) => look(&connection.lock().unwrap_or_else(PoisonError::into_inner)),
            Place::File { path, idle } => {
                let taken = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let mut connection = taken.map_or_else(|| open_reader(path), Ok)?;
                let transaction = connection.transaction()?;
                let seen = look(&transaction)?;
                transaction.finish()?;
                let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
                if idle.len() < READERS {
                    idle.push(connection);
                }
                Ok(seen)
            }
        }
    }
}

/// The one connection that writes.
#[derive(Debug)]
pub(crate) enum Pen {
    Own(Box<Connection>),
    Shared(Arc<Mutex<Connection>>),
}

impl Pen {
    /// Writes with the connection.
    pub(crate) fn with<T>(&mut self, write: impl FnOnce(&mut Connection) -> T) -> T {
        match self {
            Self::Own(connection) => write(connection),
            Self::Shared(connection) => write(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

fn open_file(path: &Path) -> Result<Connection, MonitorError> {
    let open = |reason: &dyn std::fmt::Display| MonitorError::Open {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| open(&error))?;
    let connection = Connection::open(path).map_err(|error| open(&error))?;
    let refuse = |error: &dyn std::fmt::Display| unreadable(&path.display(), error);
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;",
        )
        .map_err(|error| refuse(&error))?;
    match prepare(&connection).map_err(|error| refuse(&error))? {
        FORMAT => happening::table(&connection).map_err(|error| refuse(&error)).map(|()| connection),
        other => Err(refuse(&format!("format {other}, this wharf knows up to {FORMAT}"))),
    }
}

/// Creates the tables where there are none; answers with the format of those that are there.
fn prepare(connection: &Connection) -> Result<i64, rusqlite::Error> {
    connection.set_prepared_statement_cache_capacity(64);
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let missing = match format {
        0 => [TABLES, PACKED].concat(),
        1 => PACKED.to_owned(),
        // The third has other blobs, and reads the old ones.
        2 => String::new(),
        _ => return Ok(format),
    };
    connection.execute_batch(&format!("BEGIN; {missing} PRAGMA user_version={FORMAT}; COMMIT;"))?;
    Ok(FORMAT)
}

fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn unreadable(path: &dyn std::fmt::Display, reason: &dyn std::fmt::Display) -> MonitorError {
    MonitorError::Unreadable { path: path.to_string(), reason: reason.to_string() }
}

/// Numbers of the kinds of subject, as stored.
pub(crate) const SERVICE: i64 = 0;
pub(crate) const CHECK: i64 = 1;

pub(crate) fn state_number(state: ServiceState) -> i64 {
    match state {
        ServiceState::Unmonitored => 0,
        ServiceState::Starting => 1,
        ServiceState::Up => 2,
        ServiceState::Paused => 3,
        ServiceState::Down => 4,
    }
}

/// A number nobody ever wrote is no knowledge.
pub(crate) fn state_of(number: i64) -> ServiceState {
    match number {
        1 => ServiceState::Starting,
        2 => ServiceState::Up,
        3 => ServiceState::Paused,
        4 => ServiceState::Down,
        _ => ServiceState::Unmonitored,
    }
}

#[cfg(test)]
mod tests;
