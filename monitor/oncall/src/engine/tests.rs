//! Stories of incidents, told in pages.

mod messages;
mod parts;
mod restart;
mod silences;

use super::*;
use crate::{
    Alert, Kind,
    config::{Medium, Override},
    state::{Assignment, Delivery, Occasion, To},
};

const PLAN: &str = r#"
[users.dana]
contacts.phone = { type = "ntfy", url = "https://ntfy.example/dana" }
contacts.sms = { type = "twilio-sms", account = "a", token = "t", from = "+34911111111", to = "+34922222222" }
contacts.call = { type = "twilio-voice", account = "a", token = "t", from = "+34911111111", to = "+34922222222" }
paging = [{ contact = "phone" }, { contact = "sms", after = "5m" }, { contact = "call", after = "10m" }]

[users.lee]
contacts.phone = { type = "gotify", server = "https://g.example", token = "t" }
paging = [{ contact = "phone" }]
page_again = "30m"

[smtp]
server = "mail.example.org"
from = "wharf@example.org"
[users.kim]
contacts.mail = { type = "email", address = "kim@example.org" }
paging = [{ contact = "mail" }]

[receivers.room]
type = "slack"
url = "https://slack.example/x"

[rotations.primary]
start = "2026-01-05T09:00"
every = "week"
members = ["dana", "lee"]

[policies.default]
announce = ["room"]
steps = [
  { targets = [{ rotation = "primary" }] },
  { after = "5m", targets = [{ next_in_rotation = "primary" }] },
]

[policies.patient]
steps = [{ after = "5m", targets = [{ user = "lee" }] }]

[policies.mail]
steps = [{ targets = [{ user = "kim" }] }]

[policies.empty-handed]
steps = [{ targets = [{ rotation = "nights" }] }, { after = "20m", targets = [{ user = "lee" }] }]
repeat = 1
repeat_after = "10m"

[rotations.nights]
start = "2026-01-05T00:00"
every = "day"
members = ["kim"]
hours = [{ from = "22:00", until = "06:00" }]

[routing]
default = "default"
keys = { patient = "patient", mail = "mail", empty = "empty-handed" }

[[grouping]]
match = ['rack=*"?*"']
by = ["rack"]

[[rules]]
name = "lab"
match = ['host=*"lab-*"']
mute = true
"#;

/// The engine with its journal, which is replayed after every step.
struct Rig {
    engine: Engine,
    begin: Timestamp,
    now: Timestamp,
    journal: Vec<Record>,
    replayed: State,
    /// What was sent, with the time since the beginning.
    sent: Vec<(Duration, u64, Delivery)>,
    cancelled: Vec<u64>,
}

impl Rig {
    fn new() -> Self {
        Self::with(PLAN)
    }

    fn with(plan: &str) -> Self {
        let begin = "2026-01-06T12:00Z".parse().unwrap();
        let plan = Arc::new(Plan::from_toml(plan, None).unwrap());
        let engine = Engine::new(plan, State::default());
        let replayed = State::default();
        Self {
            engine,
            begin,
            now: begin,
            journal: Vec::new(),
            replayed,
            sent: Vec::new(),
            cancelled: Vec::new(),
        }
    }

    fn keep(&mut self, records: Vec<Record>) {
        for record in &records {
            match Effect::of(record) {
                Some(Effect::Send { delivery, what }) => {
                    self.sent.push((civil::elapsed(self.begin, self.now), delivery, what));
                }
                Some(Effect::Cancel { delivery }) => self.cancelled.push(delivery),
                None => {}
            }
        }
        let text: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let read: Vec<Record> = text.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, records, "the journal is read as it was written");
        self.replayed = std::mem::take(&mut self.replayed).replay(&read);
        assert_eq!(self.replayed, *self.engine.state(), "the journal amounts to the state");
        self.journal.extend(records);
    }

    fn apply(&mut self, input: Input) {
        let records = self.engine.apply(self.now, input).unwrap();
        self.keep(records);
    }

    fn refused(&mut self, input: Input) -> String {
        self.engine.apply(self.now, input).unwrap_err().to_string()
    }

    fn alert(&mut self, alert: Alert) {
        self.apply(Input::Alert(Box::new(alert)));
    }

    fn critical(&mut self, entity: &str) {
        self.alert(Alert::new(entity, Kind::Critical));
    }

    /// An alert of what depends on `parent`.
    fn on(&mut self, entity: &str, parent: &str) {
        self.alert(Alert { parents: vec![parent.to_owned()], ..Alert::new(entity, Kind::Critical) });
    }

    fn routed(&mut self, entity: &str, key: &str) {
        self.alert(Alert { routing_key: Some(key.to_owned()), ..Alert::new(entity, Kind::Critical) });
    }

    fn recover(&mut self, entity: &str) {
        self.alert(Alert::new(entity, Kind::Recovery));
    }

    fn act(&mut self, incident: u64, action: Action) {
        self.apply(Input::Act { incident, by: "dana".to_owned(), action });
    }

    fn ack(&mut self, incident: u64) {
        self.act(incident, Action::Acknowledge { note: String::new() });
    }

    fn silence(&mut self, matcher: &str, minutes: u64) {
        let silence = Silence {
            matchers: vec![matcher.parse().unwrap()],
            starts: self.now,
            ends: civil::after(self.now, Duration::from_secs(minutes * 60)),
            by: "lee".to_owned(),
            comment: "known".to_owned(),
        };
        self.apply(Input::Silence { id: "s".to_owned(), silence });
    }

    fn result(&mut self, delivery: u64, result: Result<(), &str>) {
        self.apply(Input::Delivery { delivery, result: result.map_err(str::to_owned) });
    }

    /// Lets time pass, from deadline to deadline, until so many minutes after the beginning.
    fn until(&mut self, minutes: u64) {
        let end = civil::after(self.begin, Duration::from_secs(minutes * 60));
        for _ in 0..10_000 {
            let Some(next) = self.engine.next_deadline().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            let records = self.engine.advance(self.now);
            self.keep(records);
        }
        panic!("time does not pass");
    }

    /// What people were sent, as `minute user contact`, and rooms as `minute room`.
    fn pages(&self) -> Vec<String> {
        let words = |(at, _, what): &(Duration, u64, Delivery)| {
            let minute = at.as_secs() / 60;
            match &what.to {
                To::User { user, contact, .. } => format!("{minute} {user} {contact}"),
                To::Receiver { receiver } => format!("{minute} {receiver} {}", what.occasion),
            }
        };
        self.sent.iter().map(words).collect()
    }

    /// What a receiver, or a person by a contact (`user/contact`), was told: occasion and incident.
    fn told(&self, name: &str) -> Vec<String> {
        let words =
            |(_, _, what): &(Duration, u64, Delivery)| format!("{} #{}", what.occasion, what.incidents[0]);
        let to = |what: &Delivery| match &what.to {
            To::Receiver { receiver } => receiver.clone(),
            To::User { user, contact, .. } => format!("{user}/{contact}"),
        };
        self.sent.iter().filter(|(_, _, what)| to(what) == name).map(words).collect()
    }

    fn has(&self, incident: u64, line: &str) {
        let timeline = self.timeline(incident);
        assert!(timeline.iter().any(|found| found == line), "{line}\n{timeline:#?}");
    }

    fn timeline(&self, incident: u64) -> Vec<String> {
        let of_it = self.journal.iter().filter(|record| record.event.incidents().contains(&incident));
        of_it.map(|record| record.event.to_string()).collect()
    }
}

#[test]
fn an_unacknowledged_page_goes_through_the_persons_contacts_and_on_to_the_next_person() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.until(25);
    assert_eq!(
        rig.pages(),
        ["0 room triggered", "0 dana phone", "5 dana sms", "5 lee phone", "10 dana call", "20 dana call",]
    );
    let timeline = rig.timeline(1);
    assert_eq!(timeline[0], "opened as #1: `web` is CRITICAL: web (policy `default`: no routing key)");
    for expected in [
        "step 1 (`default`): pages dana, on duty in `primary`",
        "paged dana by ntfy: step 1",
        "step 2, no ack after 5m (`default`): pages lee, next in `primary`",
        "paged lee by gotify: step 2, no ack after 5m",
        "paged dana by twilio-sms: step 1; 5m after their first page",
        "paged dana by twilio-voice: step 1; again, 20m after their first page",
    ] {
        assert!(timeline.iter().any(|line| line == expected), "{expected}\n{timeline:#?}");
    }
}

#[test]
fn who_acknowledges_stops_it_and_what_was_on_its_way() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.ack(1);
    rig.until(600);
    assert_eq!(rig.pages(), ["0 room triggered", "0 dana phone", "0 room acknowledged"]);
    assert_eq!(rig.cancelled, [2]);
    let again =
        Input::Act { incident: 1, by: "lee".to_owned(), action: Action::Acknowledge { note: String::new() } };
    assert_eq!(rig.refused(again), "incident #1 is already acknowledged by dana");
    rig.recover("web");
    assert_eq!(rig.pages().last().unwrap(), "600 room resolved");
    assert!(rig.engine.state().incidents.is_empty() && rig.engine.state().entities.is_empty());
}

#[test]
fn the_waiting_room_counts_from_the_incidents_start_and_absorbs_what_passes_by_itself() {
    let mut rig = Rig::new();
    rig.routed("blip", "patient");
    rig.until(4);
    rig.recover("blip");
    let started = Some(civil::before(rig.now, Duration::from_secs(180)));
    let late =
        Alert { started, routing_key: Some("patient".to_owned()), ..Alert::new("late", Kind::Critical) };
    rig.alert(late);
    rig.until(30);
    assert_eq!(rig.pages(), ["6 lee phone"], "two of the five minutes were left");
}

#[test]
fn a_snooze_ends_and_pages_again_unless_it_was_resolved() {
    let mut rig = Rig::new();
    rig.critical("web");
    let until = civil::after(rig.now, Duration::from_secs(3600));
    rig.act(1, Action::Snooze { until });
    rig.until(59);
    assert_eq!(rig.pages().len(), 3);
    rig.until(60);
    assert_eq!(rig.pages()[3..], ["60 dana phone"]);
    let past = Input::Act { incident: 1, by: "x".to_owned(), action: Action::Snooze { until: rig.begin } };
    assert_eq!(rig.refused(past), "`until` lies in the past: 2026-01-06T12:00:00Z");
}

#[test]
fn a_reassigned_incident_pages_its_new_owner_only() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.ack(1);
    rig.act(1, Action::Reassign { to: Assignment::User("lee".to_owned()) });
    rig.until(20);
    assert_eq!(rig.pages()[3..], ["0 lee phone"]);
    let nobody = Action::Reassign { to: Assignment::User("bob".to_owned()) };
    let refused = rig.refused(Input::Act { incident: 1, by: "x".to_owned(), action: nobody });
    assert_eq!(refused, "no user `bob`; see the configuration for those there are");
}

#[test]
fn whose_it_is_is_paged_again_when_a_snooze_ends_and_nobody_else() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.act(1, Action::Reassign { to: Assignment::User("kim".to_owned()) });
    rig.act(1, Action::Snooze { until: civil::after(rig.now, Duration::from_secs(3600)) });
    rig.until(100);
    assert_eq!(rig.pages()[2..4], ["0 kim mail", "0 room acknowledged"]);
    assert!(rig.pages()[4..].iter().all(|page| page.ends_with("kim mail")), "{:#?}", rig.pages());
    rig.ack(1);
    let plan = PLAN.replace("[users.kim]", "[users.kim-b]").replace("\"kim\"", "\"kim-b\"");
    let records = rig.engine.reconfigure(rig.now, Arc::new(Plan::from_toml(&plan, None).unwrap()));
    rig.keep(records);
    rig.act(1, Action::Snooze { until: civil::after(rig.now, Duration::from_secs(60)) });
    rig.until(101);
    assert_eq!(rig.pages().last().unwrap(), "101 dana phone", "kim is there no more: it goes its usual way");
}

#[test]
fn five_hundred_alerts_at_once_are_decided_on_quickly_and_paged_each() {
    let mut rig = Rig::new();
    let mut records = Vec::new();
    for n in 0..500 {
        let alert = Alert::new(format!("e{n}"), Kind::Critical);
        records.extend(rig.engine.apply(rig.now, Input::Alert(Box::new(alert))).unwrap());
        rig.engine.next_deadline();
    }
    rig.keep(records);
    assert_eq!(rig.pages().iter().filter(|page| *page == "0 dana phone").count(), 500);
    assert_eq!(rig.engine.medium_of("dana/phone"), Medium::Push);
}
