//! Who is not paged: silences, maintenance, mutes; and who is instead.

use super::*;

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
fn a_silence_that_is_ended_is_over_and_can_be_looked_up_for_five_days() {
    let mut rig = Rig::new();
    rig.critical("web");
    rig.silence("entity=\"web\"", 60);
    rig.until(10);
    let end = Input::EndSilence { id: "s".to_owned(), by: "lee".to_owned() };
    rig.apply(end.clone());
    assert!(rig.pages().contains(&"10 dana phone".to_owned()), "{:#?}", rig.pages());
    let silence = &rig.engine.state().silences["s"];
    assert!(silence.is_over(rig.now) && !silence.is_active(rig.now) && silence.ends == rig.now);
    rig.until(11);
    rig.apply(end);
    assert!(rig.engine.state().silences["s"].ends < rig.now, "it ends once");
    let ahead = Silence {
        matchers: vec!["entity=\"db\"".parse().unwrap()],
        starts: civil::after(rig.now, Duration::from_secs(600)),
        ends: civil::after(rig.now, Duration::from_secs(900)),
        by: "lee".to_owned(),
        comment: String::new(),
    };
    rig.apply(Input::Silence { id: "t".to_owned(), silence: ahead });
    rig.apply(Input::EndSilence { id: "t".to_owned(), by: "lee".to_owned() });
    assert!(rig.engine.state().silences["t"].is_over(rig.now));
    assert_eq!(rig.engine.state().silences["t"].next_change(rig.now), None);
    rig.now = civil::after(rig.now, Duration::from_secs(6 * 86_400));
    rig.silence("entity=\"web\"", 60);
    assert_eq!(rig.engine.state().silences.keys().collect::<Vec<_>>(), ["s"]);
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
