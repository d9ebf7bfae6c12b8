use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use wharf_oncall::{Action, Alert, Engine, Event, Input, Kind, Plan};

use super::*;

const PLAN: &str = r#"
    [users.dana]
    contacts.phone = { type = "ntfy", url = "https://n.example/d" }
    paging = [{ contact = "phone" }]
    [policies.default]
    steps = [{ targets = [{ user = "dana" }] }]
    [routing]
    default = "default"
"#;

fn now() -> Timestamp {
    "2026-03-01T08:00:00Z".parse().unwrap()
}

fn alert(entity: &str, kind: Kind) -> Input {
    let mut alert = Alert::new(entity, kind);
    alert.title = format!("{entity} is down");
    Input::Alert(Box::new(alert))
}

fn engine() -> Engine {
    Engine::new(Arc::new(Plan::from_toml(PLAN, None).unwrap()), State::default())
}

fn rows(engine: &Engine, records: &[Record]) -> Vec<IncidentRow> {
    let touched = records.iter().flat_map(|record| record.event.incidents());
    touched.filter_map(|id| engine.state().incidents.get(&id)).map(IncidentRow::of).collect()
}

fn keep(journal: &mut Journal, engine: &Engine, records: Vec<Record>) {
    let incidents = rows(engine, &records);
    journal.keep(&Batch { records, incidents, ..Batch::default() }, engine.state()).unwrap();
}

#[test]
fn what_is_kept_is_what_comes_back_and_the_file_is_its_owners_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("oncall.db"));
    let mut engine = engine();
    {
        let (mut journal, _) = Journal::open(&storage).unwrap();
        for entity in ["service:web", "service:db"] {
            let records = engine.apply(now(), alert(entity, Kind::Critical)).unwrap();
            keep(&mut journal, &engine, records);
        }
    }
    let (mut journal, reader) = Journal::open(&storage).unwrap();
    let recalled = journal.recall().unwrap();
    assert_eq!(&recalled.state, engine.state());
    assert_eq!(recalled.open.len(), 2);
    let query = DeliveryQuery { user: Some("dana".to_owned()), limit: 10, ..DeliveryQuery::default() };
    let sent = reader.read(|connection| deliveries(connection, &query)).unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].title, "[CRITICAL] #1 service:web is down");
    let mode = std::fs::metadata(folder.path().join("oncall.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_snapshot_and_the_records_after_it_come_to_the_same_as_all_records() {
    let (mut journal, _) = Journal::open(&Storage::Memory).unwrap();
    let mut engine = engine();
    let mut at = now();
    while journal.seq() < SNAPSHOT_EVERY + 100 {
        at += SignedDuration::from_mins(30);
        let kind = if engine.state().incidents.is_empty() { Kind::Critical } else { Kind::Recovery };
        let records = engine.apply(at, alert("service:web", kind)).unwrap();
        keep(&mut journal, &engine, records);
        // The delivery is done, so that not all of them are on their way.
        let on_the_way: Vec<u64> = engine.state().deliveries.keys().copied().collect();
        for delivery in on_the_way {
            let records = engine.apply(at, Input::Delivery { delivery, result: Ok(()) }).unwrap();
            keep(&mut journal, &engine, records);
        }
    }
    assert!(journal.snapshot > 0);
    assert_eq!(&journal.recall().unwrap().state, engine.state());
}

#[test]
fn incidents_are_found_by_state_symptom_and_words_page_by_page() {
    let (mut journal, reader) = Journal::open(&Storage::Memory).unwrap();
    let mut engine = engine();
    for entity in ["service:web", "service:Ünïcode", "host:db1"] {
        let records = engine.apply(now(), alert(entity, Kind::Critical)).unwrap();
        keep(&mut journal, &engine, records);
    }
    let action = Action::Acknowledge { note: String::new() };
    let records = engine.apply(now(), Input::Act { incident: 1, by: "dana".to_owned(), action }).unwrap();
    keep(&mut journal, &engine, records);
    let found = |query: IncidentQuery| -> Vec<u64> {
        let rows = reader.read(|connection| incidents(connection, &query)).unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    let all = IncidentQuery { limit: 10, ..IncidentQuery::default() };
    assert_eq!(found(all.clone()), [3, 2, 1]);
    assert_eq!(found(IncidentQuery { state: StateQuery::Acknowledged, ..all.clone() }), [1]);
    assert_eq!(found(IncidentQuery { text: Some("ÜNÏ".to_owned()), ..all.clone() }), [2]);
    assert_eq!(found(IncidentQuery { entity: Some("host:db1".to_owned()), ..all.clone() }), [3]);
    assert_eq!(found(IncidentQuery { limit: 2, before: Some(3), ..all.clone() }), [2, 1]);
    assert_eq!(found(IncidentQuery { text: Some("' OR 1=1 --".to_owned()), ..all }), [0; 0]);
    let timeline = RecordQuery { incident: Some(1), limit: 100, ..RecordQuery::default() };
    let kept = reader.read(|connection| records_of(connection, &timeline)).unwrap();
    assert!(matches!(kept.first().unwrap().record.event, Event::Opened { .. }));
    assert!(kept.iter().any(|kept| matches!(kept.record.event, Event::Acknowledged { .. })));
    assert!(kept.is_sorted_by_key(|kept| kept.seq));
}

fn records_of(connection: &Connection, query: &RecordQuery) -> Result<Vec<Kept>, rusqlite::Error> {
    records(connection, query)
}

#[test]
fn a_journal_of_a_newer_wharf_is_left_alone_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncall.db");
    drop(Journal::open(&Storage::File(path.clone())).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Journal::open(&Storage::File(path)).unwrap_err().to_string();
    assert!(error.contains("oncall.db") && error.contains("format 99"), "{error}");
}

#[test]
fn a_file_that_is_no_database_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncall.db");
    std::fs::write(
        &path,
        "these are not the bytes of a database, but there are enough of them to look".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = Journal::open(&Storage::File(path.clone())).unwrap_err().to_string();
    assert!(error.contains("oncall.db"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}
