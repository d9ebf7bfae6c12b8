//! What outlasts a restart, another configuration or a wrong clock, and what runs out.

use super::*;

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
fn what_expired_while_wharf_was_down_gets_five_minutes_to_be_said_again() {
    let mut rig = Rig::new();
    let expires = |rig: &Rig| Some(civil::after(rig.now, Duration::from_secs(240)));
    for entity in ["web", "db"] {
        rig.alert(Alert { expires: expires(&rig), ..Alert::new(entity, Kind::Critical) });
    }
    rig.ack(1);
    rig.now = civil::after(rig.begin, Duration::from_secs(20 * 60));
    rig.engine = Engine::new(rig.engine.plan().clone(), rig.replayed.clone());
    let (records, _) = rig.engine.recover(rig.now);
    rig.keep(records);
    let before = rig.sent.len();
    rig.until(24);
    assert_eq!(rig.engine.state().incidents.len(), 2);
    rig.alert(Alert { expires: expires(&rig), ..Alert::new("web", Kind::Critical) });
    rig.until(25);
    assert_eq!(rig.engine.state().incidents.keys().copied().collect::<Vec<_>>(), [1]);
    rig.has(2, "resolved: not said again until 2026-01-06T12:25:00Z");
    assert_eq!(rig.engine.state().incidents[&1].state(), "acknowledged");
    assert!(
        rig.sent[before..].iter().all(|(_, _, what)| what.incidents != [1]),
        "nobody is paged for it again"
    );
    rig.until(28);
    rig.has(1, "resolved: not said again until 2026-01-06T12:28:00Z");
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
fn a_state_that_an_earlier_wharf_kept_is_read() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.routed("db", "mail");
    let mut kept = serde_json::to_value(rig.engine.state()).unwrap();
    kept.as_object_mut().unwrap().remove("merged").unwrap();
    for incident in kept["incidents"].as_object_mut().unwrap().values_mut() {
        for newer in ["told_contacts", "given_to"] {
            incident.as_object_mut().unwrap().remove(newer).unwrap();
        }
    }
    kept["meters"]["kim/mail"].as_object_mut().unwrap().remove("tests").unwrap();
    assert_eq!(&serde_json::from_value::<State>(kept).unwrap(), rig.engine.state());
}
