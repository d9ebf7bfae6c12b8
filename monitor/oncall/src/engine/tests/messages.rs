//! Messages: contact methods that fail, limits, tests, and what is told of the rest.

use super::*;

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
    assert_eq!(rig.told("kim/duty"), expected);
    assert!(rig.told("kim/phone").iter().all(|told| told == "triggered #1"));
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
