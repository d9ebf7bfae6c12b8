//! What is one incident: hosts with what is on them, groups, what flaps.

use super::*;

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
    assert_eq!(rig.told("room"), ["triggered #1", "triggered #2", "resolved #2"]);
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
    assert_eq!(rig.told("room"), expected);
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
fn what_flaps_on_a_host_becomes_a_part_of_its_incident_when_it_fails_again() {
    let mut rig = Rig::new();
    for _ in 0..6 {
        rig.on("c1", "node:h1");
        rig.recover("c1");
    }
    let quiet = rig.engine.state().incident_of("c1").unwrap().id;
    rig.critical("node:h1");
    let host = rig.engine.state().incident_of("node:h1").unwrap().id;
    rig.on("c1", "node:h1");
    assert_eq!(rig.engine.state().incidents.keys().copied().collect::<Vec<_>>(), [host]);
    assert_eq!(rig.engine.state().whole(quiet), host);
    assert_eq!(rig.engine.state().incidents[&host].active().count(), 2);
}
