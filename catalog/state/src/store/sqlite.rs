//! Keeps the catalog in a SQLite file: WAL, `synchronous=FULL`, locked for this process.
//!
//! `standing` has one row for each node, instance, check, session and lease, keyed by what it is; the value
//! is its record as JSON. `keys` has one row for each key, its value as the bytes they are.
//! The file has one writer: `since` never has anything to tell.
//! A commit returns after its fsync: what was answered survives `kill -9` and a loss of power.

mod format;
mod log;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, ErrorCode, Row, Transaction, params};

use super::{Standing, Store, StoreError, expected};
use crate::{Commit, Index, KvEntry, apply::Change};

/// How the file is used. The log is written back into the database every 16 MB: rarely enough that the
/// 99th percentile of commits does not see it, and a log that is full is overwritten instead of growing,
/// which spares each fsync the file's new size. The cache holds the pages of a fleet of thousands.
const SETTINGS: &str = "PRAGMA locking_mode=EXCLUSIVE;
     PRAGMA journal_mode=WAL;
     PRAGMA synchronous=FULL;
     PRAGMA wal_autocheckpoint=4000;
     PRAGMA journal_size_limit=67108864;
     PRAGMA cache_size=-8000;
     PRAGMA temp_store=MEMORY;";

/// A catalog in a file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    connection: Connection,
}

impl Sqlite {
    /// Opens the database at `path`, creating it (readable by its owner only) when there is none, and
    /// bringing it up to this wharf's format when it is older.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let log = beside(path, "-wal");
        match fs::metadata(path) {
            Ok(file) if file.len() == 0 => return Err(unreadable(path, &"it is empty")),
            Ok(_) => look_for_damage_in_log(path, &log)?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(open_error(path, &error)),
            Err(_) if log.exists() => {
                return Err(unreadable(path, &format!("it is missing, while `{}` is there", log.display())));
            }
            Err(_) => create(path)?,
        }
        let connection = Connection::open(path).map_err(|error| open_error(path, &error))?;
        let mut store = Self { path: path.to_owned(), connection };
        store.prepare()?;
        Ok(store)
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        self.connection.execute_batch(SETTINGS).map_err(|error| self.unusable(&error))?;
        self.connection.set_prepared_statement_cache_capacity(32);
        self.look_for_damage()?;
        format::upgrade(&mut self.connection).map_err(|error| self.unreadable(&error))?;
        // A log of this life's own: what a crash leaves in it is told from damage by that. On a full disk the
        // old one has to do: reads are worth more.
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the catalog's log was not written back");
        }
        Ok(())
    }

    /// A page that points nowhere is found now, and not when it is needed.
    fn look_for_damage(&self) -> Result<(), StoreError> {
        let found: String = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|error| self.unreadable(&error))?;
        if found == "ok" { Ok(()) } else { Err(self.unreadable(&found.replace('\n', " "))) }
    }

    /// A database that another process holds is not a damaged one.
    fn unusable(&self, error: &rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => StoreError::InUse { path: self.path.display().to_string() },
            _ => self.unreadable(error),
        }
    }

    fn unreadable(&self, reason: &dyn std::fmt::Display) -> StoreError {
        unreadable(&self.path, reason)
    }

    fn index(&self) -> Result<Index, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached("SELECT last_index FROM position")?;
        let index: i64 = statement.query_row([], |row| row.get(0))?;
        Ok(Index(index.cast_unsigned()).max(Index::FIRST))
    }

    /// Nodes before instances before checks: the order in which `restored` can take them.
    fn standing(&self) -> Result<Vec<Change>, StoreError> {
        let records = || {
            let mut rows = self.connection.prepare("SELECT record FROM standing ORDER BY kind, scope, id")?;
            rows.query_map([], |row| Ok(serde_json::from_str(row.get_ref(0)?.as_str()?)))?
                .collect::<Result<Vec<_>, rusqlite::Error>>()
        };
        let parsed = records().map_err(|error| self.unreadable(&error))?;
        parsed.into_iter().map(|record| record.map_err(|error| self.unreadable(&error))).collect()
    }

    fn keys(&self) -> Result<Vec<Change>, rusqlite::Error> {
        let mut rows = self.connection.prepare(
            "SELECT key, value, flags, session, lock_index, created, modified FROM keys ORDER BY key",
        )?;
        rows.query_map([], |row| Ok(Change::PutKey(Arc::new(entry(row)?))))?.collect()
    }
}

/// A new database appears whole or not at all, so that an empty file is never taken for a new one.
fn create(path: &Path) -> Result<(), StoreError> {
    let draft = beside(path, ".new");
    let created = || {
        let _ = fs::remove_file(&draft);
        OpenOptions::new().create_new(true).append(true).mode(0o600).open(&draft)?;
        let mut connection = Connection::open(&draft).map_err(io::Error::other)?;
        format::upgrade(&mut connection).map_err(io::Error::other)?;
        connection.close().map_err(|(_, error)| io::Error::other(error))?;
        fs::rename(&draft, path)?;
        File::open(path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")))?
            .sync_all()
    };
    created().map_err(|error: io::Error| open_error(path, &error))
}

/// Before SQLite looks at it, and takes what it cannot read for the end.
fn look_for_damage_in_log(path: &Path, log: &Path) -> Result<(), StoreError> {
    match File::open(log) {
        Ok(file) => log::look_for_damage(BufReader::new(file)).map_err(|damage| unreadable(path, &damage)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl Store for Sqlite {
    fn load(&mut self) -> Result<Standing, StoreError> {
        let index = self.index().map_err(|error| self.unreadable(&error))?;
        let mut records = self.standing()?;
        records.extend(self.keys().map_err(|error| self.unreadable(&error))?);
        Ok(Standing { index, records })
    }

    fn commit(&mut self, after: Index, proposed: &[Commit]) -> Result<Vec<Index>, StoreError> {
        let Some(last) = proposed.last() else {
            return Ok(Vec::new());
        };
        let transaction = self.connection.transaction().map_err(write_error)?;
        if !move_on(&transaction, after, last.index).map_err(write_error)? {
            return Ok(Vec::new());
        }
        for change in proposed.iter().flat_map(|commit| &commit.changes) {
            keep(&transaction, change)?;
        }
        transaction.commit().map_err(write_error)?;
        Ok(expected(proposed))
    }

    /// The file is locked for this process: there is nobody else who could have committed.
    fn since(&mut self, after: Index) -> Result<Option<Vec<Commit>>, StoreError> {
        let index = self.index().map_err(|error| self.unreadable(&error))?;
        Ok((index == after).then(Vec::new))
    }
}

/// From commit `after` to `index`; not if the file is not at `after`.
fn move_on(transaction: &Transaction<'_>, after: Index, index: Index) -> Result<bool, rusqlite::Error> {
    let moved = transaction
        .prepare_cached("UPDATE position SET last_index = ?2 WHERE max(last_index, 1) = ?1")?
        .execute([after.0.cast_signed(), index.0.cast_signed()])?;
    Ok(moved == 1)
}

fn keep(transaction: &Transaction<'_>, change: &Change) -> Result<(), StoreError> {
    match change {
        Change::PutKey(entry) => keep_key(transaction, entry).map_err(write_error),
        Change::DeleteKey(key, _) => execute(transaction, "DELETE FROM keys WHERE key = ?1", [key]),
        other => match place(other) {
            Place::Put(kind, scope, id) => {
                let record =
                    serde_json::to_string(change).map_err(|error| StoreError::Write(error.to_string()))?;
                execute(
                    transaction,
                    "INSERT OR REPLACE INTO standing VALUES (?1, ?2, ?3, ?4)",
                    params![kind, scope, id, record],
                )
            }
            Place::Gone(kind, scope, id) => execute(
                transaction,
                "DELETE FROM standing WHERE kind = ?1 AND scope = ?2 AND id = ?3",
                params![kind, scope, id],
            ),
            Place::Elsewhere => Ok(()),
        },
    }
}

fn execute(
    transaction: &Transaction<'_>,
    statement: &'static str,
    values: impl rusqlite::Params,
) -> Result<(), StoreError> {
    let done = transaction.prepare_cached(statement).and_then(|mut statement| statement.execute(values));
    done.map(|_| ()).map_err(write_error)
}

/// Numbers are kept as the 64 bits they are; SQLite's are signed.
fn keep_key(transaction: &Transaction<'_>, entry: &KvEntry) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO keys VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            entry.key,
            &*entry.value,
            entry.flags.cast_signed(),
            entry.session,
            entry.lock_index.cast_signed(),
            entry.created.0.cast_signed(),
            entry.modified.0.cast_signed(),
        ])
        .map(|_| ())
}

fn entry(row: &Row<'_>) -> Result<KvEntry, rusqlite::Error> {
    let number = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
    Ok(KvEntry {
        key: row.get(0)?,
        value: row.get_ref(1)?.as_blob()?.into(),
        flags: number(2)?,
        session: row.get(3)?,
        lock_index: number(4)?,
        created: Index(number(5)?),
        modified: Index(number(6)?),
    })
}

/// Where a change leaves its mark in `standing`: the record's kind, what it belongs to, its id.
enum Place<'a> {
    Put(&'static str, &'a str, &'a str),
    Gone(&'static str, &'a str, &'a str),
    /// In a table of its own, or nowhere.
    Elsewhere,
}

fn place(change: &Change) -> Place<'_> {
    match change {
        Change::PutNode(node) => Place::Put("1-node", "", &node.name),
        Change::DeleteNode(name) => Place::Gone("1-node", "", name),
        Change::PutInstance(instance) => Place::Put("2-instance", &instance.node, &instance.id),
        Change::DeleteInstance(node, id) => Place::Gone("2-instance", node, id),
        Change::PutCheck(check) => Place::Put("3-check", &check.node, &check.id),
        Change::DeleteCheck(node, id) => Place::Gone("3-check", node, id),
        Change::PutSession(session) => Place::Put("5-session", "", &session.id),
        Change::DeleteSession(id) => Place::Gone("5-session", "", id),
        Change::PutLease(id, _) => Place::Put("6-lease", "", id),
        Change::DeleteLease(id) => Place::Gone("6-lease", "", id),
        Change::PutDocument(document) => Place::Put("7-document", &document.kind, &document.id),
        Change::DeleteDocument(kind, id) => Place::Gone("7-document", kind, id),
        Change::PutKey(_) | Change::DeleteKey(..) | Change::Departed(..) | Change::DelayLock { .. } => {
            Place::Elsewhere
        }
    }
}

fn unreadable(path: &Path, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreadable { path: path.display().to_string(), reason: reason.to_string() }
}

fn write_error(error: rusqlite::Error) -> StoreError {
    StoreError::Write(error.to_string())
}

fn open_error(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Open { path: path.display().to_string(), reason: error.to_string() }
}
