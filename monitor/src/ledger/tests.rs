use proptest::prelude::*;
use wharf_catalog::{Outcome, Status, Timestamp};

use super::{
    prune::PRUNE_BATCH,
    write::{Subjects, Written},
    *,
};
use crate::{
    follow::{Subject, Transition},
    rollup::{HOUR, MINUTE, cover},
    uptime::tally,
    view::{Interval, Window},
};

const ALL: Window = Window { from: Timestamp(0), to: Timestamp(i64::MAX) };

fn transition(from: i64, state: ServiceState) -> Transition {
    Transition {
        subject: Subject::Service("web".into()),
        from: Timestamp(from),
        state,
        reason: state.to_string(),
        over: false,
    }
}

fn outcome(at: i64, check: &str, millis: u64, status: Status) -> Outcome {
    Outcome {
        node: "n".into(),
        check: check.into(),
        instance: Some("a".into()),
        service: "web".into(),
        status,
        at: Timestamp(at),
        response_time: Some(Duration::from_millis(millis)),
        output: "".into(),
    }
}

fn kept(minutes: Timestamp) -> prune::Kept {
    prune::Kept { samples: Timestamp(0), minutes, hours: None, now: None }
}

struct Book {
    ledger: Ledger,
    pen: Pen,
    subjects: Subjects,
}

impl Book {
    fn open(storage: &Storage) -> Self {
        let (ledger, pen) = Ledger::open(storage).unwrap();
        Self { ledger, pen, subjects: Subjects::default() }
    }

    fn turn(&mut self, from: i64, state: ServiceState) {
        let Self { pen, subjects, .. } = self;
        pen.with(|c| write::transition(c, subjects, &transition(from, state))).unwrap();
    }

    fn samples(&mut self, outcomes: &[Outcome]) {
        let Self { pen, subjects, .. } = self;
        let mut written = Written::default();
        let limit = Duration::from_millis(1500);
        pen.with(|c| write::samples(c, subjects, outcomes, limit, &mut written)).unwrap();
    }

    fn intervals(&self) -> Vec<Interval> {
        self.ledger
            .read(|c| {
                let service = read::service(c, "web")?.unwrap();
                read::intervals(c, service, ALL)
            })
            .unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        self.ledger
            .read(|c| c.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)))
            .unwrap()
    }
}

#[test]
fn what_was_open_when_an_earlier_life_ended_is_unmonitored_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("monitor.db"));
    let mut book = Book::open(&storage);
    book.turn(100, ServiceState::Up);
    book.turn(200, ServiceState::Down);
    book.pen.with(|c| write::alive(c, Timestamp(260))).unwrap();
    drop(book);
    let mut book = Book::open(&storage);
    let restored = book.pen.with(write::restore).unwrap();
    assert_eq!((restored[0].gap, restored[0].down.as_deref()), (Timestamp(260), Some("down")));
    book.turn(900, ServiceState::Up);
    let told: Vec<_> = book.intervals().iter().map(|i| (i.from.0, i.to.map(|to| to.0), i.state)).collect();
    assert_eq!(
        told,
        [
            (100, Some(200), ServiceState::Up),
            (200, Some(260), ServiceState::Down),
            (260, Some(900), ServiceState::Unmonitored),
            (900, None, ServiceState::Up),
        ]
    );
}

#[test]
fn the_checks_that_were_there_at_the_end_are_known_and_those_that_were_removed_before_are_not() {
    let mut book = Book::open(&Storage::Memory);
    let turn = |id: &str, from, state, reason: &str| Transition {
        subject: Subject::Check(("n".into(), id.into())),
        reason: reason.to_owned(),
        ..transition(from, state)
    };
    let turns = [
        turn("stays", 10, ServiceState::Up, "passes"),
        turn("goes", 10, ServiceState::Up, "passes"),
        turn("goes", 20, ServiceState::Unmonitored, crate::follow::REMOVED),
    ];
    let Book { pen, subjects, .. } = &mut book;
    for turn in &turns {
        pen.with(|c| write::transition(c, subjects, turn)).unwrap();
    }
    book.pen.with(write::restore).unwrap();
    let known = book.ledger.read(read::open_checks).unwrap();
    assert_eq!(known.into_iter().map(|(_, id)| id.to_string()).collect::<Vec<_>>(), ["stays"]);
}

#[test]
fn a_state_that_is_told_again_has_the_new_reason_and_did_not_happen_twice() {
    let mut book = Book::open(&Storage::Memory);
    book.turn(100, ServiceState::Up);
    let warned = Transition { reason: "it warns".to_owned(), ..transition(100, ServiceState::Up) };
    let Book { pen, subjects, .. } = &mut book;
    pen.with(|c| write::transition(c, subjects, &warned)).unwrap();
    let told: Vec<_> = book.intervals().into_iter().map(|i| (i.from.0, i.to, i.reason)).collect();
    assert_eq!(told, [(100, None, "it warns".to_owned())]);
    assert_eq!(book.count("happening"), 1);
}

#[test]
fn only_its_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monitor.db");
    let _book = Book::open(&Storage::File(path.clone()));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_is_no_ledger_or_a_newer_one_is_refused_by_name_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monitor.db");
    std::fs::write(&path, "certainly not a database, and long enough to be looked at").unwrap();
    let error = Ledger::open(&Storage::File(path.clone())).unwrap_err();
    assert!(
        matches!(&error, MonitorError::Unreadable { .. }) && error.to_string().contains("monitor.db"),
        "{error}"
    );
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("certainly not"));
    let newer = folder.path().join("newer.db");
    Connection::open(&newer).unwrap().execute_batch("PRAGMA user_version=99").unwrap();
    let error = Ledger::open(&Storage::File(newer)).unwrap_err();
    assert!(error.to_string().contains("format 99"), "{error}");
    let error = Ledger::open(&Storage::File(folder.path().join("no/such/folder.db"))).unwrap_err();
    assert!(matches!(error, MonitorError::Open { .. }), "{error}");
}

#[test]
fn check_runs_add_up_over_batches_minutes_and_hours() {
    let mut book = Book::open(&Storage::Memory);
    let run = |at, millis, status| outcome(at, "c", millis, status);
    book.samples(&[run(HOUR + 1, 10, Status::Passing), run(HOUR + 2, 1_600, Status::Passing)]);
    book.samples(&[run(HOUR + 3, 30, Status::Critical), run(HOUR + 2 * MINUTE, 40, Status::Passing)]);
    book.samples(&[run(3 * HOUR - 1, 50, Status::Passing), outcome(HOUR, "d", 60, Status::Passing)]);
    let window = Window { from: Timestamp(HOUR), to: Timestamp(3 * HOUR) };
    let ninety_days = Duration::from_secs(90 * 86_400);
    let total = |window, now| {
        book.ledger
            .read(|c| {
                let service = read::service(c, "web")?.unwrap();
                read::total(c, service, &cover(window, Timestamp(now), ninety_days))
            })
            .unwrap()
    };
    let whole = total(window, 3 * HOUR);
    assert_eq!((whole.count, whole.up, whole.within, whole.timed), (6, 5, 4, 6));
    assert_eq!((whole.min, whole.max, whole.sum), (10_000, 1_600_000, 1_790_000));
    // The same through minutes at both ends.
    let part = total(Window { from: Timestamp(HOUR + MINUTE), to: Timestamp(3 * HOUR - MINUTE) }, 9 * HOUR);
    assert_eq!((part.count, part.sum), (1, 40_000));
    assert_eq!(book.count("sample"), 6);
}

#[test]
fn old_things_go_in_bounded_batches_and_what_is_young_stays() {
    let mut book = Book::open(&Storage::Memory);
    let old: Vec<_> = (0..PRUNE_BATCH + 10).map(|at| outcome(at, "c", 1, Status::Passing)).collect();
    book.samples(&old);
    book.samples(&[outcome(9 * HOUR, "c", 1, Status::Passing)]);
    let prune = |book: &mut Book| book.pen.with(|c| prune::samples(c, Timestamp(8 * HOUR))).unwrap();
    assert_eq!((prune(&mut book) as i64, prune(&mut book), prune(&mut book)), (PRUNE_BATCH, 10, 0));
    assert_eq!(book.count("sample"), 1);
    let Book { pen, subjects, .. } = &mut book;
    let mut after = 0;
    while let Some(next) =
        pen.with(|c| prune::subject(c, subjects, after, kept(Timestamp(8 * HOUR)))).unwrap()
    {
        after = next;
    }
    assert_eq!(
        (book.count("minute"), book.count("hour")),
        (1, 4),
        "one minute of the service; two hours of service and check"
    );
}

#[test]
fn a_check_that_is_gone_for_long_is_forgotten_and_its_service_is_not() {
    let mut book = Book::open(&Storage::Memory);
    book.samples(&[outcome(5, "c", 1, Status::Passing)]);
    let key = (Arc::from("n"), Arc::from("c"));
    let gone =
        Transition { subject: Subject::Check(key), over: true, ..transition(10, ServiceState::Unmonitored) };
    let Book { pen, subjects, .. } = &mut book;
    pen.with(|c| write::transition(c, subjects, &gone)).unwrap();
    for after in 0..3 {
        pen.with(|c| prune::subject(c, subjects, after, kept(Timestamp(HOUR)))).unwrap();
    }
    assert_eq!((book.count("subject"), book.count("hour")), (1, 1));
    // And it may come back.
    book.samples(&[outcome(HOUR, "c", 1, Status::Passing)]);
    assert_eq!(book.count("subject"), 2);
}

const STATES: [ServiceState; 4] =
    [ServiceState::Unmonitored, ServiceState::Starting, ServiceState::Up, ServiceState::Down];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against a model that writes down the state of every millisecond: what is stored says the same,
    /// without gap or overlap, also where a transition takes back some of the state before.
    #[test]
    fn intervals_say_what_was_in_force_at_every_millisecond(
        steps in prop::collection::vec((-20_i64..40, 0_usize..4), 1..25), from in 0_i64..300, length in 0_i64..300,
    ) {
        const END: usize = 1_000;
        let mut book = Book::open(&Storage::Memory);
        let mut model: Vec<Option<ServiceState>> = vec![None; END];
        let (mut at, mut last) = (20, 0);
        for (step, state) in steps {
            at = (at + step).max(0);
            last = at.max(last);
            book.turn(at, STATES[state]);
            model[last as usize..].fill(Some(STATES[state]));
        }
        let intervals = book.intervals();
        for pair in intervals.windows(2) {
            prop_assert_eq!(pair[0].to, Some(pair[1].from));
        }
        prop_assert_eq!(intervals.last().unwrap().to, None);
        let window = Window { from: Timestamp(from), to: Timestamp(from + length) };
        let seen = book.ledger.read(|c| read::intervals(c, 1, window)).unwrap();
        let told = tally(&seen, window, Timestamp(END as i64));
        let part = &model[from as usize..(from + length) as usize];
        let count = |state| part.iter().filter(|s| **s == Some(state)).count() as u64;
        prop_assert_eq!((told.up, told.down), (count(ServiceState::Up), count(ServiceState::Down)));
    }
}

/// Looks at everything there is once, as the writer does over time.
fn pack_all(book: &mut Book, now: i64) {
    let Book { pen, subjects, .. } = book;
    let kept =
        prune::Kept { samples: Timestamp(0), minutes: Timestamp(0), hours: None, now: Some(Timestamp(now)) };
    let mut after = 0;
    while let Some(next) = pen.with(|c| prune::subject(c, subjects, after, kept)).unwrap() {
        after = next;
    }
}

fn total_of(book: &Book, window: Window, now: i64) -> crate::rollup::Bucket {
    book.ledger
        .read(|c| {
            let service = read::service(c, "web")?.unwrap();
            read::total(c, service, &cover(window, Timestamp(now), Duration::from_secs(90 * 86_400)))
        })
        .unwrap()
}

#[test]
fn a_file_of_the_first_format_is_brought_over_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monitor.db");
    let first = Connection::open(&path).unwrap();
    first.execute_batch(&format!("{TABLES} PRAGMA user_version=1;")).unwrap();
    first
        .execute_batch(
            "INSERT INTO subject VALUES (1, 0, '', 'web'); INSERT INTO interval VALUES (1, 5, NULL, 2, 'up');
             INSERT INTO hour VALUES (1, 3600000, 2, 2, 2, 0, 0, 0, 0, x'');",
        )
        .unwrap();
    drop(first);
    let book = Book::open(&Storage::File(path));
    let intervals = book.intervals();
    assert_eq!((intervals.len(), intervals[0].imported), (1, false));
    assert_eq!(total_of(&book, Window { from: Timestamp(0), to: Timestamp(9 * HOUR) }, 9 * HOUR).count, 2);
}

#[test]
fn a_file_of_the_second_format_is_read_and_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monitor.db");
    let second = Connection::open(&path).unwrap();
    second.execute_batch(&format!("{TABLES} {PACKED} PRAGMA user_version=2;")).unwrap();
    // Two runs in the second hour of 1970, as that format packed them.
    second
        .execute_batch(
            "INSERT INTO subject VALUES (1, 0, '', 'web');
             INSERT INTO hour_pack VALUES (16777216, x'040102020200');",
        )
        .unwrap();
    drop(second);
    let mut book = Book::open(&Storage::File(path));
    let count = |book: &Book| {
        total_of(book, Window { from: Timestamp(0), to: Timestamp(9 * HOUR) }, 9_000 * HOUR).count
    };
    assert_eq!(count(&book), 2);
    book.samples(&[outcome(HOUR + 5, "c", 1, Status::Passing)]);
    pack_all(&mut book, 60 * HOUR);
    assert_eq!((count(&book), book.count("hour")), (3, 0));
    assert_eq!(book.ledger.read(|c| c.query_row("PRAGMA user_version", [], |row| row.get(0))), Ok(FORMAT));
}

fn import(from: i64, to: i64, state: ServiceState) -> import::Import {
    import::Import {
        service: "web".to_owned(),
        label: "demo".to_owned(),
        now: Timestamp(1_000 * HOUR),
        intervals: vec![import::ImportedInterval {
            from: Timestamp(from),
            to: Timestamp(to),
            state,
            reason: String::new(),
        }],
        tests: (from..to)
            .step_by(60_000)
            .map(|at| import::Test(Timestamp(at), state == ServiceState::Up, Some(5.0)))
            .collect(),
    }
}

#[test]
fn an_imported_past_ends_where_ours_begins_stays_marked_and_is_taken_once() {
    let mut book = Book::open(&Storage::Memory);
    book.turn(10 * HOUR, ServiceState::Up);
    let rules = import::Rules {
        max_response_time: Duration::from_millis(1500),
        samples: Duration::from_secs(7 * 86_400),
        minutes: Duration::from_secs(90 * 86_400),
    };
    let mut keep = |import: &import::Import| {
        let Book { pen, subjects, .. } = &mut book;
        pen.with(|c| import::keep(c, subjects, import, &rules)).unwrap()
    };
    let taken = keep(&import(4 * HOUR, 12 * HOUR, ServiceState::Down));
    assert_eq!((taken.intervals, taken.tests, taken.until), (1, 360, Timestamp(10 * HOUR)));
    let again = keep(&import(4 * HOUR, 12 * HOUR, ServiceState::Down));
    assert_eq!((again.intervals, again.tests), (0, 0));
    let earlier = keep(&import(2 * HOUR, 4 * HOUR, ServiceState::Up));
    assert_eq!((earlier.intervals, earlier.tests), (1, 120));
    let told: Vec<_> =
        book.intervals().iter().map(|i| (i.from.0 / HOUR, i.to.map(|to| to.0 / HOUR), i.imported)).collect();
    assert_eq!(told, [(2, Some(4), true), (4, Some(10), true), (10, None, false)]);
    let whole = Window { from: Timestamp(0), to: Timestamp(20 * HOUR) };
    assert_eq!(total_of(&book, whole, 20 * HOUR).count, 480);
    let imports = book.ledger.read(|c| read::imports(c, 1)).unwrap();
    assert_eq!(imports.iter().map(|i| &*i.label).collect::<Vec<_>>(), ["demo", "demo"]);
}

#[test]
fn what_follows_an_import_of_an_unknown_service_does_not_stretch_it() {
    let mut book = Book::open(&Storage::Memory);
    let rules = import::Rules {
        max_response_time: Duration::from_millis(1500),
        samples: Duration::ZERO,
        minutes: Duration::ZERO,
    };
    let Book { pen, subjects, .. } = &mut book;
    pen.with(|c| import::keep(c, subjects, &import(HOUR, 2 * HOUR, ServiceState::Up), &rules)).unwrap();
    book.turn(5 * HOUR, ServiceState::Up);
    let told: Vec<_> =
        book.intervals().iter().map(|i| (i.from.0 / HOUR, i.to.map(|to| to.0 / HOUR))).collect();
    assert_eq!(told, [(1, Some(2)), (5, None)]);
}

#[test]
fn backwards_overlapping_and_impossible_pasts_are_refused() {
    let good = import(HOUR, 2 * HOUR, ServiceState::Up);
    assert_eq!(good.check(), Ok(()));
    let backwards = import(2 * HOUR, HOUR, ServiceState::Up);
    assert!(backwards.check().unwrap_err().contains("interval 0"));
    let mut overlapping = good.clone();
    overlapping.intervals.extend(good.intervals.clone());
    assert!(overlapping.check().unwrap_err().contains("interval 1"));
    let mut impossible = good;
    impossible.tests.push(import::Test(Timestamp(5), true, Some(f64::NAN)));
    assert!(impossible.check().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Against a model that keeps every single run: whatever the clock does (steps back and forth), and however
    /// often and whenever what is over is packed, every total is that of the runs in its stretch.
    #[test]
    fn totals_are_those_of_every_single_run_through_clock_steps_and_packing(
        steps in prop::collection::vec((-90_i64..200, 0_u64..3_000, any::<bool>(), 0_u8..12), 1..60),
        from in 0_i64..6_000, length in 0_i64..6_000,
    ) {
        let mut book = Book::open(&Storage::Memory);
        let mut model: Vec<(i64, u64, bool)> = Vec::new();
        let mut now = 40 * HOUR;
        for (minutes, millis, up, action) in steps {
            now = (now + minutes * MINUTE).max(0);
            let status = if up { Status::Passing } else { Status::Critical };
            book.samples(&[outcome(now, "c", millis, status)]);
            model.push((now, millis, up));
            if action == 0 {
                pack_all(&mut book, now);
            }
        }
        let window = Window { from: Timestamp(from * MINUTE), to: Timestamp((from + length) * MINUTE) };
        let end = model.iter().map(|(at, ..)| *at).max().unwrap_or(0).max(window.to.0) + 1;
        let told = total_of(&book, window, end);
        let runs: Vec<_> = model.iter().filter(|(at, ..)| window.from.0 <= *at && *at < window.to.0).collect();
        prop_assert_eq!(told.count, runs.len() as u64);
        prop_assert_eq!(told.up, runs.iter().filter(|(_, _, up)| *up).count() as u64);
        prop_assert_eq!(told.within, runs.iter().filter(|(_, millis, up)| *up && *millis <= 1_500).count() as u64);
        prop_assert_eq!(told.sum, runs.iter().map(|(_, millis, _)| millis * 1_000).sum::<u64>());
        prop_assert_eq!(told.sketch.count(), told.timed);
        if !runs.is_empty() {
            prop_assert_eq!(told.min, runs.iter().map(|(_, millis, _)| millis * 1_000).min().unwrap());
            prop_assert_eq!(told.max, runs.iter().map(|(_, millis, _)| millis * 1_000).max().unwrap());
        }
        let samples = book.ledger.read(|c| read::samples(c, 2, window)).unwrap();
        let mut samples: Vec<_> = samples.iter().map(|sample| sample.at.0).collect();
        let mut wanted: Vec<_> = runs.iter().map(|(at, ..)| *at).collect();
        samples.sort_unstable();
        wanted.sort_unstable();
        prop_assert_eq!(samples, wanted);
    }
}
