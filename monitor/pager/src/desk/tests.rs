use std::path::Path;

use jiff::SignedDuration;
use wharf_monitor::Storage;
use wharf_oncall::{Action, Alert, Kind};

use super::*;
use crate::{Pager, journal::Document, links::Signer};

const PLAN: &str = r#"
    [users.dana]
    contacts.phone = { type = "ntfy", url = "https://n.example/d" }
    contacts.mail = { type = "ntfy", url = "https://n.example/m" }
    paging = [{ contact = "phone" }, { contact = "mail", after = "5m" }]
    [policies.default]
    steps = [{ targets = [{ user = "dana" }] }]
    [routing]
    default = "default"
"#;

/// A desk whose messages nobody carries, with a clock of its own.
struct Bench {
    pager: Pager,
    tasks: mpsc::UnboundedReceiver<Task>,
    clock: Arc<std::sync::atomic::AtomicI64>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    _alive: mpsc::UnboundedSender<Command>,
}

impl Bench {
    fn start(storage: &Storage) -> Self {
        let (journal, reader, recalled) = Journal::recalled(storage).unwrap();
        let files = (*Plan::from_toml(PLAN, None).unwrap()).clone();
        let (layers, plan) = Layers::new(files, recalled.documents).fit();
        let (plan, layers) = (Arc::new(plan), Arc::new(layers));
        let (commands, heard) = mpsc::unbounded_channel();
        let (tasks, given) = mpsc::unbounded_channel();
        let clock = Arc::new(std::sync::atomic::AtomicI64::new(1_772_352_000_000));
        let told = clock.clone();
        let picture = watch::Sender::new(Picture {
            journal: journal.seq(),
            state: Arc::new(recalled.state.clone()),
            plan: plan.clone(),
            layers: layers.clone(),
        });
        let pager = Pager {
            commands: commands.clone(),
            picture: picture.subscribe(),
            reader,
            signer: Arc::new(Signer::new(vec![1])),
            url: "http://127.0.0.1".into(),
        };
        let desk = Desk {
            engine: Engine::new(plan, recalled.state),
            journal: Some(journal),
            layers,
            open: recalled.open.into_iter().map(|row| (row.id, row)).collect(),
            clock: Clock::new(move || {
                wharf_catalog::Timestamp(told.load(std::sync::atomic::Ordering::Relaxed))
            }),
            commands: heard,
            again: commands.downgrade(),
            picture,
            tasks,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(desk.run(stop.clone()));
        Self { pager, tasks: given, clock, stop, running, _alive: commands }
    }

    fn pass(&self, minutes: i64) {
        let by = SignedDuration::from_mins(minutes).as_millis();
        self.clock.fetch_add(i64::try_from(by).unwrap(), std::sync::atomic::Ordering::Relaxed);
    }

    async fn alert(&self, entity: &str, kind: Kind) {
        self.pager.say(Input::Alert(Box::new(Alert::new(entity, kind)))).await.unwrap();
    }

    /// The next message that is to be sent.
    async fn sending(&mut self) -> (u64, String) {
        loop {
            match self.tasks.recv().await.unwrap() {
                Task::Send { delivery, what } => return (delivery, what.to.to_string()),
                Task::Cancel { .. } | Task::Plan(_) => {}
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

#[tokio::test]
async fn a_page_is_sent_when_it_is_kept_and_its_fate_is_in_the_log() {
    let mut bench = Bench::start(&Storage::Memory);
    bench.alert("service:web", Kind::Critical).await;
    let (delivery, to) = bench.sending().await;
    assert_eq!(to, "dana by ntfy");
    let done = Command::Done { delivery, attempts: 2, result: Ok("202".to_owned()) };
    bench.pager.commands.send(done).unwrap();
    bench.alert("service:web", Kind::Recovery).await;
    let log = bench.pager.deliveries(DeliveryQuery { limit: 9, ..DeliveryQuery::default() }).await.unwrap();
    assert_eq!((log[0].state, log[0].attempts, log[0].answer.as_str()), (DeliveryState::Delivered, 2, "202"));
    let over = bench.pager.incident(1).await.unwrap().unwrap();
    assert_eq!(over.state, IncidentState::Resolved);
    assert!(over.resolved.is_some() && bench.pager.picture().state.incidents.is_empty());
    bench.end().await;
}

#[tokio::test]
async fn after_a_crash_what_had_no_result_is_sent_again_with_its_number_and_what_had_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("oncall.db"));
    let mut bench = Bench::start(&storage);
    bench.alert("service:a", Kind::Critical).await;
    bench.alert("service:b", Kind::Critical).await;
    let (first, second) = (bench.sending().await, bench.sending().await);
    let done = Command::Done { delivery: first.0, attempts: 1, result: Ok(String::new()) };
    bench.pager.commands.send(done).unwrap();
    bench.alert("service:c", Kind::Info).await; // all before it is kept
    bench.running.abort(); // a crash: nothing more is said or kept
    let mut bench = Bench::start(&storage);
    assert_eq!(bench.sending().await, second);
    assert_eq!(bench.tasks.try_recv().map(|task| format!("{task:?}")).ok(), None);
    bench.end().await;
}

/// The desk cannot write until the trigger is dropped.
fn full(path: &Path) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON record BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )
        .unwrap();
    other
}

#[tokio::test]
async fn what_cannot_be_kept_did_not_happen_is_said_so_and_works_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncall.db");
    let mut bench = Bench::start(&Storage::File(path.clone()));
    bench.alert("service:a", Kind::Critical).await;
    bench.sending().await;
    let other = full(&path);
    let refused = bench.pager.say(Input::Alert(Box::new(Alert::new("service:b", Kind::Critical)))).await;
    assert!(matches!(&refused, Err(Refusal::NotKept(reason)) if reason.contains("disk full")), "{refused:?}");
    assert!(bench.pager.picture().state.incident_of("service:b").is_none());
    assert!(bench.tasks.try_recv().is_err(), "nobody was paged for what was not kept");
    let document = Document {
        kind: "policies".to_owned(),
        name: "night".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        by: "dana".to_owned(),
        body: Some(r#"{"steps": [{"targets": [{"user": "dana"}]}]}"#.to_owned()),
    };
    other.execute_batch("DROP TRIGGER full").unwrap();
    bench.alert("service:b", Kind::Critical).await;
    assert_eq!(bench.sending().await.1, "dana by ntfy");
    bench.pager.configure(document).await.unwrap();
    assert!(bench.pager.picture().plan.policies.contains_key("night"));
    bench.end().await;
    let bench = Bench::start(&Storage::File(path));
    assert!(bench.pager.picture().plan.policies.contains_key("night"), "it is there after a restart");
    assert_eq!(bench.pager.picture().state.incidents.len(), 2);
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_expires_while_nothing_can_be_kept_gets_time_to_be_said_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("oncall.db");
    let mut bench = Bench::start(&Storage::File(path.clone()));
    let expires = Some(Timestamp::from_second(1_772_352_060).unwrap());
    let alert = Alert { expires, ..Alert::new("service:a", Kind::Critical) };
    bench.pager.say(Input::Alert(Box::new(alert))).await.unwrap();
    bench.sending().await;
    let other = full(&path);
    bench.pass(2);
    let again = Input::Alert(Box::new(Alert::new("service:b", Kind::Critical)));
    assert!(matches!(bench.pager.say(again).await, Err(Refusal::NotKept(_))));
    other.execute_batch("DROP TRIGGER full").unwrap();
    bench.pass(4);
    bench.alert("service:c", Kind::Info).await;
    assert!(bench.pager.picture().state.incident_of("service:a").is_some());
    bench.pass(6);
    bench.alert("service:c", Kind::Info).await;
    assert!(bench.pager.picture().state.incident_of("service:a").is_none());
    bench.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_contact_method_comes_in_its_time_unless_somebody_acknowledged() {
    let mut bench = Bench::start(&Storage::Memory);
    bench.alert("service:a", Kind::Critical).await;
    bench.alert("service:b", Kind::Critical).await;
    bench.sending().await;
    bench.sending().await;
    let action = Action::Acknowledge { note: String::new() };
    bench.pager.say(Input::Act { incident: 1, by: "dana".to_owned(), action }).await.unwrap();
    bench.pass(6);
    let (delivery, _) = bench.sending().await;
    let log = bench.pager.deliveries(DeliveryQuery { limit: 1, ..DeliveryQuery::default() }).await.unwrap();
    assert_eq!((log[0].delivery, log[0].contact.as_deref()), (delivery, Some("mail")));
    assert_eq!(log[0].incidents, [2]);
    bench.end().await;
}

use crate::journal::{DeliveryQuery, DeliveryState, IncidentState};
