//! Where the engine's records are kept: a SQLite database of its own, in a file or in memory.
//!
//! [`Journal`] is written by the desk alone; a batch is kept whole or not at all, and on disk when `keep` returns. Beside
//! the records stand what is read often (incidents as rows, the delivery log) and now and then a snapshot of the state,
//! from which a restart goes on. All of that follows from the records and is written in the same transaction.

mod read;
mod rows;
mod write;

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use wharf_monitor::Storage;
use wharf_oncall::{Record, State};

pub(crate) use self::read::{deliveries, incident, incidents, last_start, named, records, whole};
pub use self::{
    read::{DeliveryQuery, IncidentQuery, RecordQuery, StateQuery},
    rows::{Acknowledged, DeliveryRow, DeliveryState, Document, IncidentRow, IncidentState, Kept, Resolved},
};
use crate::PagerError;

/// Version of the tables, in `PRAGMA user_version`.
const FORMAT: i64 = 1;
/// Records between two snapshots.
const SNAPSHOT_EVERY: u64 = 5_000;
/// How long a reader waits for a writer.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE record (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE concerns (incident INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (incident, seq)) WITHOUT ROWID;
    -- what a row says is in its body; the columns are what is searched
    CREATE TABLE incident (id INTEGER PRIMARY KEY, state TEXT NOT NULL, text TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX incident_open ON incident (state, id);
    CREATE TABLE symptom (entity TEXT NOT NULL, incident INTEGER NOT NULL, started INTEGER NOT NULL,
        PRIMARY KEY (entity, incident)) WITHOUT ROWID;
    CREATE TABLE delivery (id INTEGER PRIMARY KEY, user TEXT, state TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX delivery_of ON delivery (user, id);
    CREATE TABLE tells (incident INTEGER NOT NULL, delivery INTEGER NOT NULL, PRIMARY KEY (incident, delivery)) WITHOUT ROWID;
    CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, body TEXT NOT NULL);
    -- what people configured by the API, on top of the files
    CREATE TABLE document (kind TEXT NOT NULL, name TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (kind, name)) WITHOUT ROWID;
    CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
";

/// The database, as its one writer has it.
#[derive(Debug)]
pub(crate) struct Journal {
    place: Place,
    /// The last record's number.
    seq: u64,
    /// The last snapshot's.
    snapshot: u64,
}

#[derive(Debug)]
enum Place {
    Own(Connection),
    Shared(Arc<Mutex<Connection>>),
}

/// The database, for those who only read. Blocks: not for async tasks.
#[derive(Debug, Clone)]
pub(crate) struct Reader(Arc<Mutex<Connection>>);

/// What is kept at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
    /// Incidents as they are after the records.
    pub(crate) incidents: Vec<IncidentRow>,
    /// How deliveries went: number, attempts, answer.
    pub(crate) results: Vec<(u64, u32, String)>,
    /// Documents set, or removed where there is no body.
    pub(crate) documents: Vec<Document>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.documents.is_empty() && self.results.is_empty()
    }
}

/// What an earlier life left.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) state: State,
    pub(crate) open: Vec<IncidentRow>,
    /// By kind and name.
    pub(crate) documents: BTreeMap<(String, String), Document>,
}

impl Journal {
    /// Opens the database, and reads what an earlier life left in it.
    pub(crate) fn recalled(storage: &Storage) -> Result<(Self, Reader, Recalled), PagerError> {
        let (mut journal, reader) = Self::open(storage)?;
        let recalled = journal.recall().map_err(|error| PagerError::Unreadable {
            path: storage.to_string(),
            reason: error.to_string(),
        })?;
        Ok((journal, reader, recalled))
    }

    /// Opens the database, creating it (readable by its owner only) when there is none.
    pub(crate) fn open(storage: &Storage) -> Result<(Self, Reader), PagerError> {
        let (connection, path) = match storage {
            Storage::Memory => (Connection::open_in_memory(), None),
            Storage::File(path) => {
                create(path)?;
                (Connection::open(path), Some(path))
            }
        };
        let failed = |error: rusqlite::Error| PagerError::Unreadable {
            path: storage.to_string(),
            reason: error.to_string(),
        };
        let mut connection = connection.map_err(failed)?;
        prepare(&mut connection).map_err(failed)?;
        let seq: u64 = connection
            .query_row("SELECT coalesce(max(seq), 0) FROM record", [], |row| row.get(0))
            .map_err(failed)?;
        let snapshot = connection
            .query_row("SELECT seq FROM snapshot", [], |row| row.get(0))
            .optional()
            .map_err(failed)?
            .unwrap_or(0);
        match path {
            None => {
                let shared = Arc::new(Mutex::new(connection));
                Ok((Self { place: Place::Shared(shared.clone()), seq, snapshot }, Reader(shared)))
            }
            Some(path) => {
                let reader = Connection::open(path).map_err(failed)?;
                reader.busy_timeout(BUSY).map_err(failed)?;
                reader.pragma_update(None, "query_only", true).map_err(failed)?;
                let reader = Reader(Arc::new(Mutex::new(reader)));
                Ok((Self { place: Place::Own(connection), seq, snapshot }, reader))
            }
        }
    }

    /// The last record's number.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Connection) -> T) -> T {
        match &mut self.place {
            Place::Own(connection) => act(connection),
            Place::Shared(connection) => act(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// All that is known.
    pub(crate) fn recall(&mut self) -> Result<Recalled, rusqlite::Error> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            read::recall(&transaction)
        })
    }

    /// Keeps a batch; `state` is what it leads to. Blocks until it is on disk.
    pub(crate) fn keep(&mut self, batch: &Batch, state: &State) -> Result<(), rusqlite::Error> {
        let first = self.seq + 1;
        let last = self.seq + batch.records.len() as u64;
        let snapshot = last >= self.snapshot + SNAPSHOT_EVERY;
        self.with(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            write::batch(&transaction, first, batch)?;
            if snapshot {
                write::snapshot(&transaction, last, state)?;
            }
            transaction.commit()
        })?;
        self.seq = last;
        if snapshot {
            self.snapshot = last;
        }
        Ok(())
    }

    /// A random secret of that name, made by `fresh` the first time.
    pub(crate) fn secret(
        &mut self,
        name: &str,
        fresh: impl FnOnce() -> Vec<u8>,
    ) -> Result<Vec<u8>, PagerError> {
        let kept = self.with(|connection| {
            connection.execute(
                "INSERT OR IGNORE INTO secret (name, value) VALUES (?1, ?2)",
                params![name, fresh()],
            )?;
            connection.query_row("SELECT value FROM secret WHERE name = ?1", [name], |row| row.get(0))
        });
        kept.map_err(|error| PagerError::Unreadable {
            path: "the journal".to_owned(),
            reason: error.to_string(),
        })
    }
}

impl Reader {
    /// Reads one consistent picture.
    pub(crate) fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, rusqlite::Error> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction()?;
        let seen = look(&transaction)?;
        transaction.finish()?;
        Ok(seen)
    }
}

/// SQLite would make it readable by everybody.
fn create(path: &Path) -> Result<(), PagerError> {
    let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    opened
        .map(drop)
        .map_err(|error| PagerError::Open { path: path.display().to_string(), reason: error.to_string() })
}

fn prepare(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A page that was decided on must not be forgotten by a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match format {
        0 => {
            let transaction = connection.transaction()?;
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
            transaction.commit()
        }
        FORMAT => Ok(()),
        newer => Err(rusqlite::Error::ToSqlConversionFailure(
            format!("it has format {newer}, this wharf knows {FORMAT}: it was written by a newer one").into(),
        )),
    }
}

#[cfg(test)]
mod tests;
