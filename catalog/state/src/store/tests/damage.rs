//! What a file may suffer: it is refused with the way out, and left as it is. What a crash leaves is no damage.

use std::{fs, path::Path};

use super::{keeping::database, *};

/// A database as `kill -9` leaves it: what came last stands in its log only. Each commit is one key.
fn killed(path: &Path, commits: u64) {
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("catalog.db");
    let mut store = Sqlite::open(&original).unwrap();
    let mut last = store.load().unwrap().index;
    for n in 0..commits {
        last = store.commit(last, &proposals(last, [key(&format!("k{n:04}"), last.0 + 1)])).unwrap()[0];
    }
    fs::copy(&original, path).unwrap();
    fs::copy(beside(&original, "-wal"), beside(path, "-wal")).unwrap();
}

/// One that was closed: everything stands in the database, and there is no log.
fn closed(path: &Path, commits: u64) {
    killed(path, commits);
    drop(Sqlite::open(path).unwrap());
    assert!(!beside(path, "-wal").exists());
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

/// Refused with these words, the file's name and the way out; nothing in the folder is changed.
fn refused(path: &Path, words: &str) {
    let files = [path.to_owned(), beside(path, "-wal")];
    let before = files.each_ref().map(|file| fs::read(file).ok());
    let error = match Sqlite::open(path).and_then(|mut store| store.load()) {
        Err(error) => error.to_string(),
        Ok(standing) => panic!("it was opened, with {} records", standing.records.len()),
    };
    for part in [words, "catalog.db", "left as it is", "wharf restore"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
    assert!(files.each_ref().map(|file| fs::read(file).ok()) == before, "the files were touched");
}

#[test]
fn what_is_no_database_is_refused() {
    let (_folder, path) = database();
    fs::write(&path, vec![b'x'; 4096]).unwrap();
    refused(&path, "not a database");
}

#[test]
fn an_empty_file_is_not_taken_for_a_new_one() {
    let (_folder, path) = database();
    killed(&path, 3);
    fs::write(&path, "").unwrap();
    refused(&path, "empty");
    fs::remove_file(beside(&path, "-wal")).unwrap();
    refused(&path, "empty");
}

#[test]
fn a_log_without_its_database_is_kept() {
    let (_folder, path) = database();
    killed(&path, 3);
    fs::remove_file(&path).unwrap();
    refused(&path, "missing");
}

#[test]
fn a_damaged_header_is_refused() {
    let (_folder, path) = database();
    closed(&path, 50);
    flip(&path, 3);
    refused(&path, "not a database");
}

/// Lost pages that held nothing are no loss. Was it refused?
fn refused_unless_nothing_is_lost(path: &Path, records: usize) -> bool {
    match Sqlite::open(path).and_then(|mut store| store.load()) {
        Ok(standing) => assert_eq!(standing.records.len(), records, "opened, and something is lost"),
        Err(_) => refused(path, ""),
    }
    Sqlite::open(path).is_err()
}

#[test]
fn a_page_lost_in_the_middle_is_refused_whichever_it_is() {
    let (_folder, path) = database();
    closed(&path, 400);
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    for junk in [0x00, 0xa5] {
        let refused = (0..pages).filter(|page| {
            let mut damaged = whole.clone();
            damaged[page * 4096..(page + 1) * 4096].fill(junk);
            fs::write(&path, damaged).unwrap();
            refused_unless_nothing_is_lost(&path, 400)
        });
        assert!(refused.count() > pages / 2, "of {pages}");
    }
}

#[test]
fn a_file_cut_off_is_refused_wherever_it_ends() {
    let (_folder, path) = database();
    closed(&path, 400);
    let whole = fs::read(&path).unwrap();
    for kept in [100, 4096, whole.len() / 2] {
        fs::write(&path, &whole[..kept]).unwrap();
        refused(&path, "");
    }
    for kept in [whole.len() - 4096, whole.len() - 1] {
        fs::write(&path, &whole[..kept]).unwrap();
        refused_unless_nothing_is_lost(&path, 400);
    }
}

#[test]
fn a_record_that_says_nothing_is_refused() {
    let (_folder, path) = database();
    drop(Sqlite::open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("INSERT INTO standing VALUES ('1-node', '', 'n', '{\"PutNode\":')").unwrap();
    drop(connection);
    let error = Sqlite::open(&path).unwrap().load().unwrap_err().to_string();
    assert!(error.contains("catalog.db") && error.contains("left as it is"), "{error}");
}

#[test]
fn a_file_of_a_newer_wharf_is_refused() {
    let (_folder, path) = database();
    closed(&path, 3);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Sqlite::open(&path).unwrap_err().to_string();
    assert!(error.contains("format 99"), "{error}");
}

#[test]
fn a_flipped_bit_in_the_log_is_refused_and_costs_at_most_the_last_commits() {
    let (_folder, path) = database();
    killed(&path, 12);
    let (file, log) = (fs::read(&path).unwrap(), beside(&path, "-wal"));
    let whole = fs::read(&log).unwrap();
    let (mut found, mut opened) = (0, 0);
    for at in (0..whole.len()).step_by(997) {
        fs::write(&path, &file).unwrap();
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&log, damaged).unwrap();
        // What stands behind the last commit but two cannot be told from what a crash leaves.
        match Sqlite::open(&path).and_then(|mut store| store.load()) {
            Err(_) => found += 1,
            Ok(standing) => {
                opened += 1;
                assert!(standing.records.len() >= 10, "byte {at}: {} of 12", standing.records.len());
            }
        }
    }
    assert!(found > 4 * opened, "{found} refused, {opened} opened");
}

#[test]
fn a_log_full_of_garbage_is_refused() {
    let (_folder, path) = database();
    killed(&path, 12);
    let log = beside(&path, "-wal");
    let length = fs::read(&log).unwrap().len();
    fs::write(&log, vec![0xa5; length]).unwrap();
    refused(&path, "log");
    fs::write(&log, vec![0; length]).unwrap();
    refused(&path, "log");
}

#[test]
fn what_a_crash_cuts_off_is_no_damage_and_costs_no_more_than_it_cut_off() {
    let (_folder, path) = database();
    killed(&path, 12);
    let (file, log) = (fs::read(&path).unwrap(), beside(&path, "-wal"));
    let whole = fs::read(&log).unwrap();
    let mut most = 0;
    for end in (0..=whole.len()).step_by(1009).chain([whole.len()]) {
        fs::write(&path, &file).unwrap();
        fs::write(&log, &whole[..end]).unwrap();
        let records = Sqlite::open(&path).unwrap().load().unwrap().records.len();
        assert!(records >= most, "cut at {end}: {records} after {most}");
        most = records;
    }
    assert_eq!(most, 12);
}

#[test]
fn the_log_of_an_earlier_use_behind_the_end_is_no_damage() {
    let (_folder, path) = database();
    let mut store = Sqlite::open(&path).unwrap();
    let mut last = store.load().unwrap().index;
    let mut commit = |store: &mut Sqlite, n: u64| {
        let keys = (0..40).map(|k| key(&format!("{k}/{n}"), last.0 + 1 + k));
        last = *store.commit(last, &proposals(last, keys)).unwrap().last().unwrap();
    };
    let (copy, log) = (path.with_extension("copy"), beside(&path, "-wal"));
    let salts = || fs::read(&log).unwrap()[16..24].to_vec();
    commit(&mut store, 0);
    let first = salts();
    // Until the log is begun anew, over its old frames.
    let commits = (1..2_000).inspect(|n| commit(&mut store, *n)).find(|n| n % 20 == 0 && salts() != first);
    let commits = usize::try_from(commits.expect("it is begun anew")).unwrap() + 1;
    fs::copy(&path, &copy).unwrap();
    fs::copy(&log, beside(&copy, "-wal")).unwrap();
    assert_eq!(Sqlite::open(&copy).unwrap().load().unwrap().records.len(), 40 * commits);
}
