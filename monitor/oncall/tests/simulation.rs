//! A year of nights on call, in virtual time: random alerts, people, silences, failing channels and crashes.
//!
//! The world below keeps the engine's records as an edge would, crashes at any moment (before a record is kept,
//! between two records of a call, between a record and its effect, between an effect and its result) and checks,
//! with books of its own:
//!
//! - nobody is paged for what is acknowledged, resolved or silenced;
//! - an incident that stays triggered has taken every step of its policy that is due;
//! - each step of each round is taken once;
//! - each page that was decided on is sent, and a second time only after a crash before its result was kept;
//! - whoever keeps incidents by their numbers hears the end of each whose beginning it was told;
//! - no limited contact method is used more often than its figures allow;
//! - the journal, read back, amounts to the state.
//!
//! `WHARF_SEED=<n> cargo test -p wharf-oncall --test simulation` runs one seed.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a simulation that cannot go on fails; it tells what it did"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use wharf_oncall::{
    Action, Alert, Effect, Engine, Event, Input, Kind, Plan, Record, Silence, State,
    config::Override,
    state::{Assignment, Delivery, Occasion, Stand, To},
};

const PLAN: &str = r#"
time_zone = "Europe/Madrid"
[smtp]
server = "mail.example.org"
from = "wharf@example.org"
[users.ana]
contacts.push = { type = "ntfy", url = "https://n.example/a" }
contacts.sms = { type = "twilio-sms", account = "a", token = "t", from = "+34911111111", to = "+34922222221" }
contacts.call = { type = "twilio-voice", account = "a", token = "t", from = "+34911111111", to = "+34922222221" }
paging = [{ contact = "push" }, { contact = "sms", after = "5m" }, { contact = "call", after = "10m" }]
page_again = "3h"
[users.bo]
contacts.mail = { type = "email", address = "bo@example.org" }
contacts.call = { type = "twilio-voice", account = "a", token = "t", from = "+34911111111", to = "+34922222222" }
paging = [{ contact = "mail" }, { contact = "call", after = "3m" }]
page_again = "4h"
[users.cy]
contacts.duty = { type = "pagerduty", routing_key = "k" }
paging = [{ contact = "duty" }]
page_again = "4h"
[users.di]
contacts.sms = { type = "twilio-sms", account = "a", token = "t", from = "+34911111111", to = "+34922222224" }
paging = [{ contact = "sms" }]
page_again = "5h"

[receivers.room]
type = "slack"
url = "https://s.example/x"

[rotations.madrid]
start = "2027-11-01T02:30"
every = "day"
members = ["ana", "bo", "cy"]
[rotations.york]
time_zone = "America/New_York"
start = "2027-11-01T02:00"
every = "hour"
shift_length = 12
members = ["di", "ana"]
hours = [{ from = "20:00", until = "08:00" }]

[policies.default]
announce = ["room"]
repeat = 2
repeat_after = "10m"
steps = [
  { targets = [{ rotation = "madrid" }] },
  { after = "5m", targets = [{ next_in_rotation = "madrid" }, { rotation = "york" }] },
  { after = "10m", targets = [{ user = "di" }, { receiver = "room" }] },
]
[policies.patient]
repeat = "until-acknowledged"
repeat_after = "3h"
steps = [{ after = "4m" }, { after = "1m", targets = [{ rotation = "york" }] }, { after = "15m", targets = [{ policy = "default" }] }]

[routing]
default = "default"
keys = { patient = "patient" }

[maintenance.nightly]
match = ['entity=~"m.*"']
time_zone = "UTC"
at = "03:00"
lasts = "1h"
"#;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }

    fn chance(&mut self, of_a_thousand: u64) -> bool {
        self.roll(1000) < of_a_thousand
    }

    fn wait(&mut self, most: Duration) -> Duration {
        Duration::from_millis(self.roll(u64::try_from(most.as_millis()).unwrap()))
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> Option<T> {
        if all.is_empty() {
            None
        } else {
            all.get(usize::try_from(self.roll(all.len() as u64)).unwrap()).cloned()
        }
    }
}

/// What the observer knows of an incident, from the kept records alone.
#[derive(Default)]
struct Book {
    triggered: bool,
    active: BTreeSet<String>,
    /// Pageable since then, and how long it was in all before, in this run.
    since: Option<Timestamp>,
    pageable: Duration,
    /// Every run of tracks since it was (re)triggered.
    run: u32,
    policy: Option<String>,
    taken: BTreeSet<(String, u32, usize)>,
}

struct World {
    seed: u64,
    dice: Dice,
    plan: Arc<Plan>,
    engine: Engine,
    now: Timestamp,
    /// What the disk has.
    journal: Vec<String>,
    durable: State,
    books: BTreeMap<u64, Book>,
    silences: BTreeMap<String, (String, Timestamp, Timestamp)>,
    /// Messages out there: when the result comes.
    on_their_way: BTreeMap<u64, Timestamp>,
    decided: BTreeSet<u64>,
    sent: BTreeMap<u64, u32>,
    /// Crashes while the result of a sent message was not kept.
    excused: BTreeMap<u64, u32>,
    finished: BTreeSet<u64>,
    /// Receivers and contacts with the numbers they were told of, and the end of which they were not.
    open_there: BTreeSet<(String, u64)>,
    metered: BTreeMap<String, Vec<Timestamp>>,
    crashes: u32,
    pages: u32,
    bundles: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let plan = Arc::new(Plan::from_toml(PLAN, None).unwrap());
        Self {
            seed,
            dice: Dice(seed),
            engine: Engine::new(plan.clone(), State::default()),
            plan,
            now: "2027-12-01T00:00Z".parse().unwrap(),
            journal: Vec::new(),
            durable: State::default(),
            books: BTreeMap::new(),
            silences: BTreeMap::new(),
            on_their_way: BTreeMap::new(),
            decided: BTreeSet::new(),
            sent: BTreeMap::new(),
            excused: BTreeMap::new(),
            finished: BTreeSet::new(),
            open_there: BTreeSet::new(),
            metered: BTreeMap::new(),
            crashes: 0,
            pages: 0,
            bundles: 0,
        }
    }

    fn live(&mut self, days: u32) {
        let end = self.now + SignedDuration::try_from(DAY * days).unwrap();
        while self.now < end {
            let quiet = if self.dice.chance(600) { MINUTE * 3 } else { MINUTE * 900 };
            let next = after(self.now, self.dice.wait(quiet));
            self.pass(next.min(end));
            let input = self.something_happens();
            self.give(input);
        }
        self.calm_down();
        println!(
            "seed {}: {} incidents, {} records, {} pages, {} bundles, {} crashes",
            self.seed,
            self.engine.state().last_incident,
            self.journal.len(),
            self.pages,
            self.bundles,
            self.crashes
        );
        let records: Vec<Record> =
            self.journal.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(State::default().replay(&records), *self.engine.state(), "seed {}", self.seed);
        let lost: Vec<_> = self.decided.difference(&self.finished).collect();
        assert!(lost.is_empty(), "seed {}: pages {lost:?} are lost", self.seed);
    }

    /// Everything recovers, every result arrives.
    fn calm_down(&mut self) {
        let entities: Vec<String> = self.engine.state().entities.keys().cloned().collect();
        for entity in entities {
            self.give(Input::Alert(Box::new(Alert::new(entity, Kind::Recovery))));
        }
        self.pass(after(self.now, DAY));
        assert_eq!(self.engine.state().incidents.len(), 0, "seed {}", self.seed);
        assert_eq!(self.open_there, BTreeSet::new(), "seed {}: still open there", self.seed);
    }

    fn something_happens(&mut self) -> Input {
        let incidents: Vec<u64> = self.engine.state().incidents.keys().copied().collect();
        let incident = self.dice.pick(&incidents);
        let by = "cy".to_owned();
        match (self.dice.roll(100), incident) {
            (0..28, _) => Input::Alert(Box::new(self.problem())),
            (28..48, Some(_)) => {
                let entities: Vec<String> = self.engine.state().entities.keys().cloned().collect();
                let entity = self.dice.pick(&entities).unwrap();
                Input::Alert(Box::new(Alert::new(entity, Kind::Recovery)))
            }
            (48..72, Some(incident)) => {
                Input::Act { incident, by, action: Action::Acknowledge { note: String::new() } }
            }
            (72..76, Some(incident)) => {
                let until = after(self.now, self.dice.wait(MINUTE * 300));
                Input::Act { incident, by, action: Action::Snooze { until } }
            }
            (76..80, Some(incident)) => {
                let to = Assignment::User(self.dice.pick(&["ana", "bo", "cy", "di"]).unwrap().to_owned());
                Input::Act { incident, by, action: Action::Reassign { to } }
            }
            (80..84, Some(incident)) => {
                Input::Act { incident, by, action: Action::Resolve { note: "done".to_owned() } }
            }
            (84..92, _) => self.silence(),
            (92..95, _) => Input::EndSilence { id: format!("s{}", self.dice.roll(4)), by },
            (95..97, _) => self.substitute(),
            _ => Input::Alert(Box::new(Alert::new(self.entity(), Kind::Info))),
        }
    }

    fn entity(&mut self) -> String {
        match self.dice.roll(3) {
            0 => format!("m{}", self.dice.roll(8)),
            1 => format!("c{}", self.dice.roll(20)),
            _ => format!("h{}", self.dice.roll(3)),
        }
    }

    fn problem(&mut self) -> Alert {
        let entity = self.entity();
        let mut alert = Alert::new(entity.clone(), self.dice.pick(&[Kind::Critical, Kind::Warning]).unwrap());
        if entity.starts_with('c') {
            alert.parents.push(format!("h{}", entity.len() % 3));
        }
        if self.dice.chance(300) {
            alert.routing_key = Some("patient".to_owned());
        }
        if self.dice.chance(200) {
            alert.expires = Some(after(self.now, self.dice.wait(MINUTE * 60)));
        }
        if self.dice.chance(200) {
            alert.started = Some(self.now - SignedDuration::from_secs(120));
        }
        alert
    }

    fn silence(&mut self) -> Input {
        let (id, entity) = (format!("s{}", self.dice.roll(4)), self.entity());
        let starts = after(self.now, self.dice.wait(MINUTE * 10));
        let ends = after(starts, MINUTE + self.dice.wait(MINUTE * 120));
        let matchers = vec![format!("entity=\"{entity}\"").parse().unwrap()];
        let silence = Silence { matchers, starts, ends, by: "cy".to_owned(), comment: String::new() };
        Input::Silence { id, silence }
    }

    fn substitute(&mut self) -> Input {
        let from = after(self.now, self.dice.wait(MINUTE * 600));
        let until = after(from, MINUTE + self.dice.wait(MINUTE * 600));
        let substitute = Override {
            rotation: self.dice.pick(&["madrid", "york"]).unwrap().to_owned(),
            user: self.dice.pick(&["ana", "bo", "cy", "di"]).unwrap().to_owned(),
            instead_of: None,
            from: from.to_string().parse().unwrap(),
            until: until.to_string().parse().unwrap(),
            reason: String::new(),
        };
        Input::Override { by: "cy".to_owned(), substitute }
    }

    /// An input, given again as its source would when a crash swallowed it.
    fn give(&mut self, input: Input) {
        for _ in 0..20 {
            match self.engine.apply(self.now, input.clone()) {
                Ok(records) => {
                    if self.keep(records) {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
        panic!("seed {}: crashes without end", self.seed);
    }

    /// Time passes until `end`, from deadline to deadline and result to result.
    fn pass(&mut self, end: Timestamp) {
        for _ in 0..1_000_000 {
            let deadline = self.engine.next_deadline();
            let result = self.on_their_way.iter().min_by_key(|(_, at)| **at).map(|(id, at)| (*at, *id));
            let next = deadline.into_iter().chain(result.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(next);
            match result.filter(|(at, _)| *at <= self.now) {
                Some((_, delivery)) => self.result(delivery),
                None => self.advance(),
            }
        }
        panic!("seed {}: time does not pass", self.seed);
    }

    fn advance(&mut self) {
        let records = self.engine.advance(self.now);
        if self.keep(records) {
            let next = self.engine.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "seed {}: something due was left", self.seed);
        }
    }

    fn result(&mut self, delivery: u64) {
        self.on_their_way.remove(&delivery);
        let result = if self.dice.chance(150) { Err("refused".to_owned()) } else { Ok(()) };
        let records = self.engine.apply(self.now, Input::Delivery { delivery, result }).unwrap();
        self.keep(records);
    }

    /// The edge: keeps, then carries out. Whether it lived through it.
    fn keep(&mut self, records: Vec<Record>) -> bool {
        let crash = self.dice.chance(6);
        let count = records.len() as u64;
        let kept = if crash { usize::try_from(self.dice.roll(count + 1)).unwrap() } else { records.len() };
        for record in &records[..kept] {
            self.durable = std::mem::take(&mut self.durable).replay([record]);
            self.journal.push(serde_json::to_string(record).unwrap());
            self.observe(record);
        }
        let carried = if crash && kept == records.len() { self.dice.roll(count + 1) } else { count };
        if !crash || kept == records.len() {
            for record in records.iter().take(usize::try_from(carried).unwrap()) {
                if let Some(effect) = Effect::of(record) {
                    self.carry_out(effect);
                }
            }
        }
        if crash {
            self.crash();
        }
        !crash
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.on_their_way.clear();
        for (delivery, times) in self.sent.iter().filter(|(delivery, _)| !self.finished.contains(delivery)) {
            self.excused.insert(*delivery, *times);
        }
        for book in self.books.values_mut() {
            book.rest(self.now);
        }
        self.now = after(self.now, self.dice.wait(MINUTE * 5));
        self.engine = Engine::new(self.plan.clone(), self.durable.clone());
        let (records, effects) = self.engine.recover(self.now);
        for record in &records {
            self.durable = std::mem::take(&mut self.durable).replay([record]);
            self.journal.push(serde_json::to_string(record).unwrap());
            self.observe(record);
        }
        // Recovery may page by itself, for what is no longer silenced: its effects are among these.
        for effect in effects {
            self.carry_out(effect);
        }
        self.settle_books();
        self.advance();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Cancel { delivery } => {
                self.on_their_way.remove(&delivery);
            }
            Effect::Send { delivery, what } => {
                // A cancellation decided on in the same call comes after it.
                self.check_page(delivery, &what);
                let times = self.sent.entry(delivery).or_default();
                *times += 1;
                let excused = self.excused.get(&delivery).copied().unwrap_or_default();
                assert!(*times <= 1 + excused, "seed {}: {delivery} sent {times} times", self.seed);
                assert!(!self.finished.contains(&delivery), "seed {}: {delivery} sent again", self.seed);
                let wait = Duration::from_millis(1) + self.dice.wait(MINUTE / 3);
                self.on_their_way.insert(delivery, after(self.now, wait));
            }
        }
    }

    fn check_page(&mut self, delivery: u64, what: &Delivery) {
        if !what.is_page() {
            return;
        }
        self.pages += 1;
        self.bundles += u32::from(what.incidents.len() > 1);
        let wanted = what.incidents.iter().any(|id| {
            let Some(book) = self.books.get(id) else {
                return false;
            };
            let open = book.active.iter().any(|entity| !self.is_silenced(entity));
            // A page on its way when everything recovers for a moment (flapping) may still go out.
            book.triggered && (open || book.active.is_empty())
        });
        let cancelled = self.finished.contains(&delivery);
        assert!(
            wanted || cancelled,
            "seed {}: nobody wants page {delivery} at {}: {what:?}",
            self.seed,
            self.now
        );
    }

    fn is_silenced(&self, entity: &str) -> bool {
        let hour = TimeZone::UTC.to_datetime(self.now).hour();
        let mut silences = self.engine.state().silences.values();
        let mut books = self.silences.values();
        let silenced = books.any(|(of, from, until)| of == entity && *from <= self.now && self.now < *until);
        let says = silences.any(|silence| silence.is_active(self.now) && silence.matchers[0].matches(entity));
        assert_eq!(silenced, says, "seed {}", self.seed);
        silenced || (entity.starts_with('m') && hour == 3)
    }

    /// Keeps the books.
    fn observe(&mut self, record: &Record) {
        self.observe_deliveries(record);
        let at = record.at;
        match &record.event {
            Event::Opened { incident, alert, tracks, .. } => {
                let book = self.books.entry(*incident).or_default();
                book.begin(tracks);
                book.active.insert(alert.entity.clone());
            }
            Event::Joined { incident, alert, .. } | Event::Changed { incident, alert } => {
                self.books.get_mut(incident).unwrap().active.insert(alert.entity.clone());
            }
            Event::Recovered { incident, entity, .. } => {
                self.books.get_mut(incident).unwrap().active.remove(entity);
            }
            Event::Merged { incident, into, .. } => {
                let merged = self.books.remove(incident).unwrap();
                self.books.get_mut(into).unwrap().active.extend(merged.active);
            }
            Event::Resolved { incident, .. } => {
                let mut book = self.books.remove(incident).unwrap();
                book.rest(at);
                self.check_steps(*incident, &book);
            }
            Event::Acknowledged { incident, .. } => {
                let mut book = self.books.remove(incident).unwrap();
                book.rest(at);
                self.check_steps(*incident, &book);
                book.triggered = false;
                self.books.insert(*incident, book);
            }
            Event::Retriggered { incident, tracks, .. } | Event::Reassigned { incident, tracks, .. } => {
                let book = self.books.get_mut(incident).unwrap();
                book.rest(at);
                book.begin(tracks);
            }
            Event::Escalated { incident, track, round, step, .. } => {
                let book = self.books.get_mut(incident).unwrap();
                let once = book.taken.insert((format!("{}/{track}", book.run), *round, *step));
                assert!(once, "seed {}: #{incident} takes step {step} of round {round} again", self.seed);
            }
            Event::SilenceSet { id, silence } => {
                let entity = silence.matchers[0].value().to_owned();
                self.silences.insert(id.clone(), (entity, silence.starts, silence.ends));
            }
            Event::SilenceEnded { id, .. } => {
                self.silences.remove(id);
            }
            _ => {}
        }
        self.settle_books();
    }

    fn observe_deliveries(&mut self, record: &Record) {
        match &record.event {
            Event::Sending { delivery, what } => {
                self.decided.insert(*delivery);
                self.follow(what);
                if let (To::User { user, contact, kind }, Occasion::Triggered) = (&what.to, what.occasion) {
                    self.check_limits(&format!("{user}/{contact}"), kind, record.at);
                }
            }
            Event::Delivered { delivery, .. } => {
                assert!(self.sent.contains_key(delivery), "seed {}: {delivery} never sent", self.seed);
                self.finished.insert(*delivery);
            }
            Event::Failed { delivery, .. } | Event::Cancelled { delivery, .. } => {
                self.finished.insert(*delivery);
            }
            _ => {}
        }
    }

    /// What keeps incidents of its own, rooms as well, is told of the end of each.
    fn follow(&mut self, what: &Delivery) {
        let name = match &what.to {
            To::Receiver { receiver } => receiver.clone(),
            To::User { user, contact, kind } if kind == "pagerduty" => format!("{user}/{contact}"),
            To::User { .. } => {
                assert_eq!(what.occasion, Occasion::Triggered, "seed {}: {what:?}", self.seed);
                return;
            }
        };
        for id in &what.incidents {
            if what.occasion == Occasion::Resolved {
                let known = self.open_there.remove(&(name.clone(), *id));
                assert!(known, "seed {}: {name} never heard of #{id}", self.seed);
            } else {
                self.open_there.insert((name.clone(), *id));
            }
        }
    }

    fn check_limits(&mut self, contact: &str, kind: &str, at: Timestamp) {
        let limits: &[(usize, u64)] = match kind {
            "twilio-sms" => &[(1, 60), (5, 900), (11, 3600)],
            "twilio-voice" => &[(1, 60), (3, 900), (7, 3600)],
            "email" => &[(1, 60)],
            _ => &[],
        };
        let sent = self.metered.entry(contact.to_owned()).or_default();
        let hour = at - SignedDuration::from_secs(3600);
        sent.retain(|sent| *sent > hour);
        sent.push(at);
        for (most, seconds) in limits {
            let from = at - SignedDuration::from_secs(i64::try_from(*seconds).unwrap());
            let count = sent.iter().filter(|sent| **sent > from).count();
            assert!(count <= *most, "seed {}: {contact}: {count} messages in {seconds} s", self.seed);
        }
    }

    /// Who can be paged for, and since when.
    fn settle_books(&mut self) {
        let ids: Vec<u64> = self.books.keys().copied().collect();
        for id in ids {
            let held = self.durable.incidents.get(&id).is_none_or(|incident| incident.held.is_some());
            let book = self.books.get_mut(&id).unwrap();
            let pageable = book.triggered && !held && !book.active.is_empty();
            match (pageable, book.since) {
                (true, None) => book.since = Some(self.now),
                (false, Some(_)) => book.rest(self.now),
                _ => {}
            }
            let stand = self.durable.incidents.get(&id).map(|incident| incident.stand == Stand::Triggered);
            assert_eq!(stand, Some(book.triggered), "seed {}: #{id}", self.seed);
        }
    }

    /// An incident that could be paged for so long has taken the steps of its policy's first round.
    fn check_steps(&self, id: u64, book: &Book) {
        let Some(policy) = book.policy.as_ref().filter(|_| book.triggered) else {
            return;
        };
        let mut due = Duration::ZERO;
        for (step, written) in self.plan.policies[policy].steps.iter().enumerate() {
            due += written.after;
            let taken = book.taken.contains(&(format!("{}/0", book.run), 0, step));
            assert!(
                taken || book.pageable <= due,
                "seed {}: #{id} was open to pages for {:?}, but step {step} due after {due:?} was not taken",
                self.seed,
                book.pageable
            );
        }
    }
}

impl Book {
    fn begin(&mut self, tracks: &[wharf_oncall::state::Track]) {
        self.triggered = true;
        self.run += 1;
        self.pageable = Duration::ZERO;
        self.policy = tracks.first().and_then(|track| match &track.runs {
            Assignment::Policy(policy) => Some(policy.clone()),
            Assignment::User(_) => None,
        });
    }

    fn rest(&mut self, at: Timestamp) {
        if let Some(since) = self.since.take() {
            self.pageable += Duration::try_from(at.duration_since(since)).unwrap_or_default();
        }
    }
}

fn after(at: Timestamp, wait: Duration) -> Timestamp {
    wharf_oncall::civil::after(at, wait)
}

fn seeds(default: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("WHARF_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => default.collect(),
    }
}

#[test]
fn a_year_on_call_with_crashes_at_any_moment() {
    for seed in seeds(1..2) {
        let mut world = World::new(seed);
        world.live(366);
        let incidents = world.engine.state().last_incident;
        assert!(incidents > 200, "{incidents} incidents");
        assert!(world.crashes > 50, "{} crashes", world.crashes);
        assert!(world.pages > 1_000 && world.bundles > 0, "{} pages, {} bundles", world.pages, world.bundles);
    }
}

#[test]
fn many_fortnights_on_call() {
    for seed in seeds(100..108) {
        World::new(seed).live(14);
    }
}
