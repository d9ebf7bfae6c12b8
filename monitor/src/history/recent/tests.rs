use std::collections::HashMap;

use proptest::prelude::*;
use wharf_catalog::{Outcome, Status};

use super::*;
use crate::{
    Storage,
    follow::{Subject, Transition},
    ledger::{
        Pen,
        import::{self, Import, ImportedInterval, Test},
        prune,
        write::{self, Subjects},
    },
    view::{ServiceState, ServiceUptime},
};

const LIMIT: Duration = Duration::from_millis(1500);
const KEPT: Duration = Duration::from_secs(90 * 86_400);

struct Book {
    ledger: Ledger,
    pen: Pen,
    subjects: Subjects,
    recent: Recent,
}

impl Book {
    fn open() -> Self {
        let (ledger, pen) = Ledger::open(&Storage::Memory).unwrap();
        Self { ledger, pen, subjects: Subjects::default(), recent: Recent::default() }
    }

    /// As the writer does.
    fn write(&mut self, write: impl FnOnce(&Connection, &mut Subjects, &mut Written)) {
        let Self { pen, subjects, recent, .. } = self;
        pen.with(|connection| {
            let mut written = Written::default();
            let transaction = connection.transaction().unwrap();
            write(&transaction, subjects, &mut written);
            recent.begin();
            transaction.commit().unwrap();
            recent.apply(Some(&written));
        });
    }

    fn turn(&mut self, service: &str, from: i64, state: ServiceState) {
        let turn = Transition {
            subject: Subject::Service(service.into()),
            from: Timestamp(from),
            state,
            reason: format!("{state} at {from}"),
            over: false,
        };
        self.write(|c, subjects, written| {
            written.states.push(write::transition(c, subjects, &turn).unwrap());
        });
    }

    fn test(&mut self, service: &str, at: i64, millis: u64) {
        let outcome = Outcome {
            node: "n".into(),
            check: "c".into(),
            instance: None,
            service: service.into(),
            status: Status::Passing,
            at: Timestamp(at),
            response_time: Some(Duration::from_millis(millis)),
            output: "".into(),
        };
        self.write(|c, subjects, written| write::samples(c, subjects, &[outcome], LIMIT, written).unwrap());
    }

    fn import(&mut self, service: &str, from: i64, to: i64) {
        let import = Import {
            service: service.to_owned(),
            label: "elsewhere".to_owned(),
            now: Timestamp(i64::MAX / 2),
            intervals: vec![ImportedInterval {
                from: Timestamp(from),
                to: Timestamp(to),
                state: ServiceState::Down,
                reason: String::new(),
            }],
            tests: vec![Test(Timestamp(from), false, Some(7.0))],
        };
        let rules = import::Rules { max_response_time: LIMIT, samples: KEPT, minutes: KEPT };
        self.write(|c, subjects, written| {
            import::keep(c, subjects, &import, &rules).unwrap();
            written.anew.push(subjects.id(c, Subject::Service(service.into())).unwrap());
        });
    }

    fn pack(&mut self, now: i64) {
        let Self { pen, subjects, .. } = self;
        let kept = prune::Kept {
            samples: Timestamp(0),
            minutes: Timestamp(0),
            hours: None,
            now: Some(Timestamp(now)),
        };
        let mut after = 0;
        while let Some(next) = pen.with(|c| prune::subject(c, subjects, after, kept)).unwrap() {
            after = next;
        }
    }

    fn table(&self, recent: &Recent, now: i64, length: Duration) -> HashMap<String, ServiceUptime> {
        let looker = looker(now);
        let rows = looker.table(recent, &self.ledger, Window::last(length, looker.now)).unwrap();
        rows.into_iter().map(|row| (row.service.clone(), row)).collect()
    }
}

fn looker(now: i64) -> Looker {
    Looker { now: Timestamp(now), samples_kept: KEPT, minutes_kept: KEPT }
}

const STATES: [ServiceState; 4] =
    [ServiceState::Unmonitored, ServiceState::Paused, ServiceState::Up, ServiceState::Down];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever happens between two looks (late comers, imports, packing, a clock that steps, old things let go of):
    /// a table made of what is at hand is the table made of the ledger alone.
    #[test]
    fn what_is_at_hand_is_what_the_ledger_says(
        steps in prop::collection::vec((0_u8..8, 0_usize..2, -120_i64..600, 0_u64..3_000), 1..40),
    ) {
        let mut book = Book::open();
        let mut now = 400 * DAY;
        for (action, service, minutes, number) in steps {
            let name = ["web", "api"][service];
            match action {
                0 => now += minutes * MINUTE,
                1 => book.turn(name, now + minutes.min(0) * MINUTE, STATES[(number % 4) as usize]),
                2 | 3 => book.test(name, now, number),
                4 => book.test(name, now - minutes.abs() * MINUTE, number),
                5 => book.import(name, now - 40 * DAY + number as i64 * HOUR, now - 40 * DAY + (number as i64 + 5) * HOUR),
                6 => book.pack(now),
                _ => book.recent.tidy(Timestamp(now)),
            }
            for length in OFFERED.into_iter().chain([KEPT]) {
                let at_hand = book.table(&book.recent, now, length);
                prop_assert_eq!(at_hand, book.table(&Recent::default(), now, length));
            }
        }
    }
}

#[test]
fn what_was_read_before_a_commit_is_not_kept_after_it() {
    let mut book = Book::open();
    book.turn("web", 0, ServiceState::Up);
    let stretch = Stretch::of(1, OFFERED[0], Timestamp(DAY));
    let read = |book: &Book| {
        let entry = book.ledger.read(|c| looker(DAY).entry(c, 1, stretch, None)).unwrap();
        [(1, Arc::new(entry))]
    };
    let (edition, old) = (book.recent.shelf().edition, read(&book));
    book.turn("web", 5, ServiceState::Down);
    book.recent.keep(edition, &old);
    assert!(book.recent.shelf().services.is_empty(), "it does not know of the turn");
    // Nor what was read while a commit was under way: nobody knows on which side of it.
    book.recent.begin();
    let (edition, unsure) = (book.recent.shelf().edition, read(&book));
    book.recent.keep(edition, &unsure);
    assert!(book.recent.shelf().services.is_empty());
    book.recent.apply(None);
    let (edition, new) = (book.recent.shelf().edition, read(&book));
    book.recent.keep(edition, &new);
    assert_eq!(book.recent.shelf().services[&1].states.len(), 2);
}
