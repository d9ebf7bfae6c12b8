//! Which tables are in the file, and how does an older file get there?
//!
//! The version stands in `PRAGMA user_version`. 1: keys were JSON records among the others, a value as a
//! list of numbers. 2: keys have a table of their own. Each step is one transaction: a file is of one
//! version or of the next.

use rusqlite::{Connection, Transaction};

use crate::apply::Change;

/// The version this wharf writes.
const FORMAT: i64 = 2;

const TABLES: &str = "
    CREATE TABLE standing (
        kind TEXT NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, record TEXT NOT NULL,
        PRIMARY KEY (kind, scope, id)
    ) WITHOUT ROWID;
    CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 1), last_index INTEGER NOT NULL);
    INSERT INTO position VALUES (1, 0);";

const KEYS: &str = "
    CREATE TABLE keys (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, flags INTEGER NOT NULL, session TEXT,
        lock_index INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL
    ) WITHOUT ROWID;";

/// Why a file cannot be brought to our version.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    /// A newer wharf has written it.
    #[error("format {0}, this wharf knows up to {FORMAT}")]
    Newer(i64),
    /// The database refuses.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    /// A record says nothing we know.
    #[error("a key's record: {0}")]
    Record(#[from] serde_json::Error),
}

/// Brings the tables to our version; a new file gets them.
pub(super) fn upgrade(connection: &mut Connection) -> Result<(), FormatError> {
    let format: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let transaction = connection.transaction()?;
    match format {
        0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(KEYS)?;
        }
        1 => move_keys(&transaction)?,
        FORMAT => return Ok(()),
        newer => return Err(FormatError::Newer(newer)),
    }
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Ok(transaction.commit()?)
}

fn move_keys(transaction: &Transaction<'_>) -> Result<(), FormatError> {
    transaction.execute_batch(KEYS)?;
    let mut rows = transaction.prepare("SELECT record FROM standing WHERE kind = '4-key'")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        if let Change::PutKey(entry) =
            serde_json::from_str(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?
        {
            super::keep_key(transaction, &entry)?;
        }
    }
    transaction.execute("DELETE FROM standing WHERE kind = '4-key'", [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::{
        Index, KvEntry, Store,
        store::{Sqlite, Standing},
    };

    #[test]
    fn keys_of_the_first_format_are_read_byte_by_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let entry = KvEntry {
            key: "k/ü".into(),
            value: [0, 255, 10][..].into(),
            flags: u64::MAX,
            session: Some("s".into()),
            lock_index: 3,
            created: Index(7),
            modified: Index(9),
        };
        let first = Connection::open(&path).unwrap();
        first.execute_batch(TABLES).unwrap();
        first.execute_batch("UPDATE position SET last_index = 9; PRAGMA user_version=1;").unwrap();
        let record = serde_json::to_string(&Change::PutKey(entry.clone().into())).unwrap();
        first
            .execute("INSERT INTO standing VALUES ('4-key', '', ?1, ?2)", params![entry.key, record])
            .unwrap();
        drop(first);
        for _ in 0..2 {
            let standing = Sqlite::open(&path).unwrap().load().unwrap();
            let records = vec![Change::PutKey(entry.clone().into())];
            assert_eq!(standing, Standing { index: Index(9), records });
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_at_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let first = Connection::open(&path).unwrap();
        first.execute_batch(TABLES).unwrap();
        first
            .execute_batch("INSERT INTO standing VALUES ('4-key', '', 'k', '{'); PRAGMA user_version=1;")
            .unwrap();
        drop(first);
        assert!(Sqlite::open(&path).unwrap_err().to_string().contains("record"));
        let after = Connection::open(&path).unwrap();
        let format: i64 = after.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let records: i64 = after.query_row("SELECT count(*) FROM standing", [], |row| row.get(0)).unwrap();
        assert_eq!((format, records), (1, 1));
    }
}
