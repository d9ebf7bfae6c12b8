//! Stories of incidents, told in pages.

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
fn the_same_entity_is_the_same_incident() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.critical("web");
    rig.alert(Alert { message: "worse".to_owned(), ..Alert::new("web", Kind::Critical) });
    assert_eq!(rig.engine.state().incidents.len(), 1);
    assert_eq!(rig.pages(), ["0 room triggered", "0 dana phone"]);
    assert_eq!(rig.timeline(1).last().unwrap(), "`web` is CRITICAL: worse");
}

#[test]
fn thirty_containers_on_a_dead_host_are_one_incident_whatever_is_noticed_first() {
    let mut rig = Rig::new();
    let container = |n: usize| Alert {
        parents: vec!["node:h1".to_owned()],
        ..Alert::new(format!("c{n}"), Kind::Critical)
    };
    for n in 0..15 {
        rig.alert(container(n));
    }
    assert_eq!(rig.engine.state().incidents.len(), 15);
    rig.critical("node:h1");
    for n in 15..30 {
        rig.alert(container(n));
    }
    let state = rig.engine.state();
    assert_eq!(state.incidents.len(), 1);
    assert_eq!(state.incidents[&16].active().count(), 31);
    let pages = rig.sent.iter().filter(|(_, _, what)| what.is_page() && what.incidents[0] != 16);
    let pages = pages.map(|sent| sent.1).collect::<Vec<_>>();
    assert_eq!(rig.cancelled, pages, "pages of the parts are not sent any more");
    let after = rig.sent.len();
    for n in 0..30 {
        rig.recover(&format!("c{n}"));
    }
    assert_eq!(rig.engine.state().incidents[&16].active().count(), 1);
    rig.recover("node:h1");
    assert!(rig.engine.state().incidents.is_empty());
    assert!(rig.sent[after..].iter().all(|(_, _, what)| what.occasion.to_string() == "resolved"));
}

#[test]
fn a_host_that_fails_again_takes_in_what_failed_while_it_was_well() {
    let mut rig = Rig::new();
    rig.critical("node:h2");
    rig.on("c1h2", "node:h2");
    rig.recover("node:h2");
    rig.on("c2h2", "node:h2");
    assert_eq!(rig.engine.state().incidents.len(), 2);
    rig.critical("node:h2");
    assert_eq!(rig.engine.state().incidents.len(), 1);
    assert_eq!(rig.engine.state().incidents[&1].active().count(), 3);
    assert_eq!(told(&rig, "room"), ["triggered #1", "triggered #2", "resolved #2"]);
}

#[test]
fn a_host_that_flaps_takes_in_what_failed_in_its_quiet_time() {
    let mut rig = Rig::new();
    for _ in 0..6 {
        rig.critical("node:h2");
        rig.recover("node:h2");
    }
    let quiet = rig.engine.state().incidents.keys().next().copied().unwrap();
    rig.on("c1h2", "node:h2");
    assert_eq!(rig.engine.state().incidents.len(), 2);
    rig.critical("node:h2");
    assert_eq!(rig.engine.state().incidents.keys().copied().collect::<Vec<_>>(), [quiet]);
}

/// What a receiver, or a person by that contact, was told: occasion and incident.
fn told(rig: &Rig, name: &str) -> Vec<String> {
    let words =
        |(_, _, what): &(Duration, u64, Delivery)| format!("{} #{}", what.occasion, what.incidents[0]);
    let to = |what: &Delivery| match &what.to {
        To::Receiver { receiver } => receiver.clone(),
        To::User { user, contact, .. } => format!("{user}/{contact}"),
    };
    rig.sent.iter().filter(|(_, _, what)| to(what) == name).map(words).collect()
}

#[test]
fn a_room_hears_the_end_of_each_incident_it_was_told_of_and_the_beginning_of_the_one_they_are_a_part_of() {
    let mut rig = Rig::new();
    rig.on("cont1", "node:hx");
    rig.on("cont2", "node:hx");
    rig.critical("node:hx");
    assert_eq!(rig.sent.iter().filter(|(_, _, what)| what.occasion == Occasion::Resolved).count(), 2);
    rig.has(1, "told `room`: it is a part of #3: it depends on `node:hx`");
    for entity in ["cont1", "node:hx", "cont2"] {
        rig.recover(entity);
    }
    let expected =
        ["triggered #1", "triggered #2", "resolved #1", "resolved #2", "triggered #3", "resolved #3"];
    assert_eq!(told(&rig, "room"), expected);
}

#[test]
fn in_a_journal_of_before_who_was_told_of_a_part_is_told_of_the_rest_of_the_whole() {
    let mut rig = Rig::new();
    rig.on("cont1", "node:hx");
    rig.routed("node:hx", "patient");
    let before = rig.journal.iter().filter(|record| match &record.event {
        Event::Sending { what, .. } => what.occasion != Occasion::Resolved,
        _ => true,
    });
    let before = before.map(|record| {
        let mut record = serde_json::to_value(record).unwrap();
        if record["event"] == "merged" {
            record.as_object_mut().unwrap().remove("told").unwrap();
        }
        serde_json::from_value(record).unwrap()
    });
    let state = State::default().replay(&before.collect::<Vec<Record>>());
    assert!(state.incidents[&2].told.contains("room"));
    assert!(!rig.engine.state().incidents[&2].told.contains("room"));
}

#[test]
fn a_person_whose_contact_keeps_incidents_has_them_acknowledged_and_resolved_there() {
    let contacts = r#"contacts.duty = { type = "pagerduty", routing_key = "k" }
contacts.phone = { type = "gotify", server = "https://g.example", token = "t" }
paging = [{ contact = "duty" }, { contact = "phone" }]"#;
    let plan = PLAN.replace(
        r#"contacts.mail = { type = "email", address = "kim@example.org" }
paging = [{ contact = "mail" }]"#,
        contacts,
    );
    let mut rig = Rig::with(&plan);
    rig.routed("web", "mail");
    rig.result(1, Ok(()));
    rig.ack(1);
    rig.has(1, "told kim by pagerduty: acknowledged by dana");
    let now = rig.now;
    rig.act(1, Action::Snooze { until: civil::after(now, Duration::from_secs(60)) });
    let told_of_it = rig.sent.last().unwrap().1;
    rig.until(2);
    rig.result(told_of_it, Err("503"));
    let chain = rig.engine.state().incidents[&1].chains["kim"].clone();
    assert_eq!(chain.failures, 0, "only a page that fails makes way");
    rig.act(1, Action::Reassign { to: Assignment::User("lee".to_owned()) });
    assert!(rig.cancelled.iter().all(|cancelled| *cancelled != told_of_it));
    rig.recover("web");
    let expected = ["triggered #1", "acknowledged #1", "acknowledged #1", "triggered #1", "resolved #1"];
    assert_eq!(told(&rig, "kim/duty"), expected);
    assert!(told(&rig, "kim/phone").iter().all(|told| told == "triggered #1"));
}

#[test]
fn who_acts_on_what_became_a_part_of_another_acts_on_that() {
    let mut rig = Rig::new();
    rig.on("c0", "rack:r1");
    rig.on("node:h1", "rack:r1");
    rig.on("c1", "node:h1");
    rig.on("c1b", "c1");
    assert_eq!(rig.engine.state().incidents.len(), 2, "the rack is not known to be wrong");
    rig.critical("rack:r1");
    assert_eq!(rig.engine.state().incidents.keys().copied().collect::<Vec<_>>(), [3]);
    rig.act(1, Action::Note { text: "on my way".to_owned() });
    rig.has(3, "dana: on my way");
    rig.ack(2);
    assert_eq!(rig.engine.state().incidents[&3].state(), "acknowledged");
    let again =
        Input::Act { incident: 1, by: "lee".to_owned(), action: Action::Acknowledge { note: String::new() } };
    assert_eq!(rig.refused(again.clone()), "incident #3 is already acknowledged by dana");
    rig.act(1, Action::Resolve { note: String::new() });
    assert!(rig.engine.state().incidents.is_empty() && rig.engine.state().merged.is_empty());
    assert_eq!(rig.refused(again), "no open incident #1");
}

#[test]
fn what_is_not_well_when_its_host_is_pages_again_though_the_host_was_acknowledged() {
    let mut rig = Rig::new();
    rig.critical("node:h1");
    for n in 0..2 {
        rig.alert(Alert {
            parents: vec!["node:h1".to_owned()],
            ..Alert::new(format!("c{n}"), Kind::Critical)
        });
    }
    rig.ack(1);
    rig.recover("node:h1");
    rig.recover("c0");
    rig.until(1);
    assert_eq!(rig.pages().iter().filter(|page| page.contains("dana")).count(), 1);
    rig.until(2);
    assert_eq!(rig.pages().last().unwrap(), "2 dana phone");
    let expected = "pages again: dana acknowledged, and what it depended on is well, but `c1` is not well";
    assert!(rig.timeline(1).iter().any(|line| line == expected), "{:#?}", rig.timeline(1));
}

#[test]
fn a_group_is_one_incident() {
    let mut rig = Rig::new();
    for entity in ["a", "b"] {
        let mut alert = Alert::new(entity, Kind::Warning);
        alert.fields.insert("rack".to_owned(), "r7".to_owned());
        rig.alert(alert);
    }
    assert_eq!(rig.engine.state().incidents.len(), 1);
    rig.recover("a");
    assert_eq!(rig.engine.state().incidents.len(), 1);
    rig.recover("b");
    assert_eq!(rig.engine.state().incidents.len(), 0);
}

#[test]
fn a_silence_pages_nobody_resolves_all_the_same_and_pages_when_it_ends() {
    let mut rig = Rig::new();
    rig.silence("entity=\"web\"", 30);
    rig.critical("web");
    rig.critical("db");
    rig.ack(2);
    rig.until(29);
    assert!(rig.pages().iter().all(|page| !page.contains("29")));
    assert_eq!(rig.sent.iter().filter(|(_, _, what)| what.incidents == [1]).count(), 0);
    rig.until(31);
    assert_eq!(rig.pages()[3..], ["30 room triggered", "30 dana phone"]);
    let mut rig = Rig::new();
    rig.silence("entity=\"web\"", 30);
    rig.critical("web");
    rig.recover("web");
    rig.until(60);
    assert_eq!(rig.pages(), [""; 0]);
    assert_eq!(rig.timeline(1).last().unwrap(), "resolved: said by its source");
}

#[test]
fn a_silence_in_the_middle_stops_what_is_on_its_way_and_goes_on_where_it_was() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.until(6);
    rig.silence("entity=\"web\"", 60);
    let on_their_way: Vec<u64> = rig.sent.iter().map(|sent| sent.1).filter(|n| *n != 1).collect();
    assert_eq!(rig.cancelled, on_their_way, "all but what the room was told");
    rig.until(65);
    assert_eq!(rig.pages().len(), 4);
    rig.until(67);
    assert_eq!(rig.pages()[4..], ["66 dana sms", "66 lee phone"], "each goes on with what did not arrive");
    rig.recover("web");
    assert_eq!(rig.pages().last().unwrap(), "67 room resolved");
}

#[test]
fn whoever_was_told_of_the_beginning_is_told_of_the_end_even_if_it_is_silenced_by_then() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.silence("entity=\"web\"", 60);
    rig.recover("web");
    assert_eq!(rig.pages().last().unwrap(), "0 room resolved");
}

#[test]
fn maintenance_is_a_silence_that_recurs() {
    let plan = format!(
        "{PLAN}\n[maintenance.nightly]\nmatch = ['entity=\"web\"']\nat = \"12:00\"\nlasts = \"1h\"\ndays = [\"tue\"]\n"
    );
    let mut rig = Rig::with(&plan);
    rig.critical("web");
    rig.until(59);
    assert_eq!(rig.pages(), [""; 0]);
    rig.until(61);
    assert_eq!(rig.pages(), ["60 room triggered", "60 dana phone"]);
    let end = Input::EndMaintenance { id: "nightly".to_owned(), by: "lee".to_owned() };
    assert_eq!(rig.refused(end), "maintenance `nightly` is from the configuration and is changed there");
}

#[test]
fn a_failed_channel_makes_way_for_the_next_contact_method_at_once() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.result(2, Err("410 gone"));
    assert_eq!(rig.pages()[2..], ["0 dana sms"]);
    rig.until(4);
    rig.result(3, Ok(()));
    rig.until(5);
    assert_eq!(rig.pages()[3..], ["5 dana call", "5 lee phone"]);
    assert!(
        rig.timeline(1)
            .contains(&"could not reach dana by ntfy: 410 gone; the next contact method is tried".to_owned())
    );
    assert!(
        rig.timeline(1)
            .contains(&"paged dana by twilio-sms: step 1; the contact method before it failed".to_owned())
    );
}

#[test]
fn when_nobody_of_a_step_can_be_reached_the_next_step_comes_at_once() {
    let mut rig = Rig::new();
    rig.critical("web");
    for delivery in 2..=4 {
        rig.result(delivery, Err("no network"));
    }
    assert_eq!(rig.pages()[1..], ["0 dana phone", "0 dana sms", "0 dana call", "0 lee phone"]);
    rig.until(1);
    assert_eq!(rig.pages()[5..], ["1 dana phone"], "and dana's contacts are gone through again");
}

#[test]
fn a_step_that_names_somebody_who_could_not_be_reached_does_not_wait_for_them() {
    let steps = r#"steps = [{ targets = [{ user = "kim" }] }, { after = "5m", targets = [{ user = "kim" }] },
  { after = "5m", targets = [{ user = "kim" }, { user = "lee" }] }, { after = "5m", targets = [{ user = "dana" }] }]"#;
    let mut rig = Rig::with(&PLAN.replace(r#"steps = [{ targets = [{ user = "kim" }] }]"#, steps));
    rig.routed("web", "mail");
    rig.result(1, Err("550 no such mailbox"));
    assert_eq!(rig.pages(), ["0 kim mail", "0 lee phone"]);
    rig.has(1, "step 2 (`mail`): kim is being paged, but was not reached");
    rig.result(2, Ok(()));
    rig.until(4);
    assert!(rig.pages().iter().all(|page| !page.contains("dana")), "lee was reached, and has the time");
    rig.until(5);
    assert!(rig.pages().contains(&"5 dana phone".to_owned()), "{:#?}", rig.pages());
}

#[test]
fn texts_and_mails_beyond_the_limits_are_bundled() {
    let mut rig = Rig::new();
    for n in 0..50 {
        rig.routed(&format!("e{n}"), "mail");
    }
    assert_eq!(rig.sent.len(), 1);
    rig.ack(3);
    rig.until(1);
    let (_, _, bundle) = &rig.sent[1];
    assert_eq!(
        (bundle.incidents.len(), bundle.about.len()),
        (48, 20),
        "all but the first and the acknowledged"
    );
    assert_eq!(bundle.reason, "48 incidents that waited for the limit of messages");
    assert!(rig.timeline(2)[2].starts_with("pages kim by mail at 2026-01-06T12:01:00Z, the limit"));
}

#[test]
fn nobody_on_duty_is_told_and_the_next_step_comes_at_once_and_rounds_repeat() {
    let mut rig = Rig::new();
    rig.routed("web", "empty");
    rig.until(29);
    assert_eq!(rig.pages(), ["0 lee phone"]);
    assert!(rig.timeline(1)[1].ends_with("nobody is on duty in `nights`"), "{:#?}", rig.timeline(1));
    rig.until(600);
    let steps = rig.journal.iter().filter(|record| matches!(record.event, Event::Escalated { .. })).count();
    assert_eq!(steps, 4, "two rounds of two steps");
    assert_eq!(rig.pages().len(), 21, "lee is paged every half hour until somebody acknowledges");
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
fn whose_it_is_is_paged_again_when_what_hangs_on_a_host_does_not_follow_it() {
    let mut rig = Rig::new();
    rig.critical("node:h1");
    rig.on("c0", "node:h1");
    rig.act(1, Action::Reassign { to: Assignment::User("kim".to_owned()) });
    rig.ack(1);
    rig.recover("node:h1");
    rig.until(3);
    assert_eq!(rig.pages().last().unwrap(), "2 kim mail");
}

#[test]
fn a_snooze_lasts_until_its_end_though_the_host_is_well_before() {
    let mut rig = Rig::new();
    rig.critical("node:h1");
    rig.on("c0", "node:h1");
    rig.act(1, Action::Snooze { until: civil::after(rig.now, Duration::from_secs(3600)) });
    rig.recover("node:h1");
    rig.until(59);
    assert_eq!(rig.pages().last().unwrap(), "0 room acknowledged");
    rig.until(60);
    assert_eq!(rig.pages().last().unwrap(), "60 dana phone");
}

#[test]
fn an_entity_that_flaps_is_one_incident_until_it_is_quiet() {
    let mut rig = Rig::new();
    for minute in 0..8 {
        rig.critical("web");
        rig.until(minute);
        rig.recover("web");
    }
    assert_eq!(rig.engine.state().last_incident, 3);
    assert!(rig.timeline(3).iter().any(|line| line.contains("`web` changed 6 times in 10m")));
    rig.until(11);
    assert_eq!(rig.engine.state().incidents.len(), 1);
    rig.until(12);
    rig.has(3, "resolved: well for 5m");
}

#[test]
fn an_alert_that_is_not_said_again_in_time_is_over() {
    let mut rig = Rig::new();
    let until = |minutes: u64, rig: &Rig| Some(civil::after(rig.begin, Duration::from_secs(minutes * 60)));
    rig.alert(Alert { expires: until(5, &rig), ..Alert::new("web", Kind::Critical) });
    rig.until(4);
    rig.alert(Alert { expires: until(9, &rig), ..Alert::new("web", Kind::Critical) });
    rig.until(8);
    assert_eq!(rig.engine.state().incidents.len(), 1);
    rig.until(9);
    rig.has(1, "resolved: not said again until 2026-01-06T12:09:00Z");
}

#[test]
fn an_info_and_a_muted_alert_tell_nobody() {
    let mut rig = Rig::new();
    rig.alert(Alert::new("web", Kind::Info));
    let mut lab = Alert::new("db", Kind::Critical);
    lab.fields.insert("host".to_owned(), "lab-3".to_owned());
    rig.alert(lab);
    assert!(rig.sent.is_empty() && rig.engine.state().incidents.is_empty());
    assert_eq!(rig.journal[1].event.to_string(), "nobody is told of `db`: db (rule `lab`)");
}

#[test]
fn an_override_decides_whom_the_next_step_pages() {
    let mut rig = Rig::new();
    let substitute = Override {
        rotation: "primary".to_owned(),
        user: "kim".to_owned(),
        instead_of: None,
        from: "2026-01-06T00:00".parse().unwrap(),
        until: "2026-01-07T00:00".parse().unwrap(),
        reason: String::new(),
    };
    rig.apply(Input::Override { by: "kim".to_owned(), substitute: substitute.clone() });
    rig.critical("web");
    assert_eq!(rig.pages().last().unwrap(), "0 kim mail");
    rig.apply(Input::RemoveAmendment { id: 1, by: "kim".to_owned() });
    rig.critical("db");
    assert_eq!(rig.pages().last().unwrap(), "0 dana phone");
    let wrong = Override { user: "bob".to_owned(), ..substitute };
    assert!(
        rig.refused(Input::Override { by: "x".to_owned(), substitute: wrong })
            .starts_with("user: no user `bob`")
    );
}

#[test]
fn after_a_restart_what_may_not_have_been_sent_is_sent_again_and_what_was_is_not() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.result(1, Ok(()));
    let state = State::default().replay(&rig.journal);
    let mut engine = Engine::new(rig.engine.plan().clone(), state);
    let (records, effects) = engine.recover(rig.now);
    assert!(records.is_empty(), "{records:?}");
    assert!(matches!(&effects[..], [Effect::Send { delivery: 2, .. }]), "{effects:?}");
}

#[test]
fn a_recovery_of_which_half_was_kept_still_resolves() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.recover("web");
    let kept = rig.journal.iter().take_while(|record| !matches!(record.event, Event::Resolved { .. }));
    let state = State::default().replay(kept);
    assert_eq!(state.incidents.len(), 1);
    let mut engine = Engine::new(rig.engine.plan().clone(), state);
    assert!(engine.next_deadline().unwrap() <= rig.now);
    engine.advance(rig.now);
    assert!(engine.state().incidents.is_empty());
}

#[test]
fn a_page_that_waits_when_a_silence_begins_during_a_restart_is_not_sent() {
    let mut rig = Rig::new();
    rig.critical("web");
    let silence = Silence {
        matchers: vec!["entity=\"web\"".parse().unwrap()],
        starts: civil::after(rig.now, Duration::from_secs(60)),
        ends: civil::after(rig.now, Duration::from_secs(600)),
        by: "lee".to_owned(),
        comment: String::new(),
    };
    rig.apply(Input::Silence { id: "s".to_owned(), silence });
    let state = State::default().replay(&rig.journal);
    let mut engine = Engine::new(rig.engine.plan().clone(), state);
    let (_, effects) = engine.recover(civil::after(rig.now, Duration::from_secs(120)));
    assert!(
        matches!(&effects[..], [Effect::Send { delivery: 1, .. }]),
        "only what the room is told: {effects:?}"
    );
    assert_eq!(engine.next_deadline().unwrap(), civil::after(rig.now, Duration::from_secs(600)));
}

#[test]
fn a_clock_that_was_ahead_delays_no_page() {
    let mut rig = Rig::new();
    rig.now = civil::after(rig.begin, Duration::from_secs(365 * 86_400));
    rig.critical("web");
    rig.now = rig.begin;
    let records = rig.engine.advance(rig.now);
    rig.keep(records);
    rig.critical("db");
    rig.until(6);
    assert!(rig.pages().contains(&"5 dana sms".to_owned()), "{:#?}", rig.pages());
    assert_eq!(rig.engine.state().incidents.len(), 2);
}

#[test]
fn a_policy_that_is_gone_from_the_configuration_leaves_its_incidents_to_the_default() {
    let mut rig = Rig::new();
    rig.routed("web", "patient");
    let plan = PLAN
        .replace("[policies.patient]", "[policies.renamed]")
        .replace("patient = \"patient\"", "x = \"renamed\"");
    let records = rig.engine.reconfigure(rig.now, Arc::new(Plan::from_toml(&plan, None).unwrap()));
    rig.keep(records);
    rig.until(5);
    assert_eq!(rig.pages(), ["5 dana phone"]);
}

#[test]
fn a_user_who_is_gone_from_the_configuration_is_not_paged_any_more() {
    let mut rig = Rig::new();
    rig.routed("web", "mail");
    let plan = PLAN.replace("[users.kim]", "[users.kim-b]").replace("\"kim\"", "\"kim-b\"");
    let records = rig.engine.reconfigure(rig.now, Arc::new(Plan::from_toml(&plan, None).unwrap()));
    rig.keep(records);
    rig.until(60);
    assert_eq!(rig.pages().len(), 1);
    assert!(rig.timeline(1).last().unwrap().starts_with("kim is not paged any more"));
}

#[test]
fn a_test_message_goes_by_every_contact_method_and_belongs_to_no_incident() {
    let mut rig = Rig::new();
    rig.apply(Input::Test { user: "dana".to_owned(), by: "lee".to_owned() });
    assert_eq!(rig.pages(), ["0 dana call", "0 dana phone", "0 dana sms"]);
    rig.result(1, Err("busy"));
    assert_eq!(rig.journal.last().unwrap().event.to_string(), "could not reach dana by twilio-voice: busy");
}

#[test]
fn tests_wait_for_pages_and_tests_but_no_page_waits_for_a_test() {
    let mut rig = Rig::new();
    let test = |user: &str| Input::Test { user: user.to_owned(), by: "lee".to_owned() };
    for minute in 0..5 {
        rig.until(minute);
        rig.apply(test("kim"));
    }
    rig.routed("web", "mail");
    assert_eq!(rig.pages()[5..], ["4 kim mail"], "the page goes in the minute of a test");
    let refused = rig.refused(test("kim"));
    let expected = "`kim` was sent as many messages by email as the limits allow, and can be tested again at \
                    2026-01-06T12:05:00Z; pages do not wait for tests";
    assert_eq!(refused, expected);
    rig.until(5);
    rig.apply(test("kim"));
    for minute in 6..11 {
        rig.until(minute);
        let _ = rig.engine.apply(rig.now, test("dana")).map(|records| rig.keep(records));
    }
    let calls = rig.pages().iter().filter(|page| page.ends_with("dana call")).count();
    assert_eq!(calls, 3, "tests keep to the limits of calls");
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
