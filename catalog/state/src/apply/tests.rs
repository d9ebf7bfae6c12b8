//! What commands do to the state, one story at a time, and what must hold after any of them.

use super::*;
use crate::{Health, Probe, ProbeKind};

fn now() -> Timestamp {
    Timestamp(1_000)
}

fn run(state: &State, commands: &[Command]) -> Applied {
    apply(state, state.index().next(), now(), commands).unwrap()
}

fn web(id: &str) -> Instance {
    Instance { port: 80, ..Instance::new("n1", id, "web") }
}

fn check(id: &str, instance: &str) -> Check {
    Check { instance: Some(instance.into()), ..Check::new("n1", id, id) }
}

fn one_web() -> State {
    let commands = [
        Command::PutNode(Node::new("n1", "10.0.0.1")),
        Command::PutInstance(web("web-1")),
        Command::PutCheck(check("c1", "web-1"), CheckStatusOnPut::Set),
    ];
    run(&State::default(), &commands).state
}

fn set(status: Status) -> Command {
    Command::SetCheckStatus { node: "n1".into(), check: "c1".into(), status, output: String::new() }
}

#[test]
fn what_is_already_so_uses_up_no_index() {
    let state = one_web();
    let again =
        run(&state, &[Command::PutNode(Node::new("n1", "10.0.0.1")), Command::PutInstance(web("web-1"))]);
    assert!(again.changes.is_empty() && again.topics.is_empty());
    assert_eq!(again.state.index(), state.index());
}

#[test]
fn commands_take_effect_together_or_not_at_all() {
    let state = one_web();
    let commands = [
        Command::DeleteInstance("n1".into(), "web-1".into()),
        Command::PutInstance(Instance::new("n2", "x", "x")),
    ];
    let error = apply(&state, Index(9), now(), &commands).unwrap_err();
    assert_eq!(error, Rejected { at: 1, error: ApplyError::NoNode("n2".into()) });
    assert!(state.instance("n1", "web-1").is_some());
}

#[test]
fn a_status_change_is_dated_and_moves_only_what_depends_on_it() {
    let state = one_web();
    let later = apply(&state, Index(2), Timestamp(5_000), &[set(Status::Passing)]).unwrap().state;
    assert_eq!(later.check("n1", "c1").unwrap().status_since, Timestamp(5_000));
    assert_eq!(later.service_health("web").next().unwrap().health(), Health::Passing);
    assert_eq!(later.index_of(&Topic::Health("web".into())), Index(2));
    for unmoved in [Topic::Nodes, Topic::Services, Topic::Service("web".into()), Topic::Node("n1".into())] {
        assert_eq!(later.index_of(&unmoved), Index(1), "{unmoved:?}");
    }
}

#[test]
fn the_same_status_again_keeps_its_date() {
    let state = apply(&one_web(), Index(2), Timestamp(5_000), &[set(Status::Passing)]).unwrap().state;
    let output = "200 OK".to_owned();
    let report =
        Command::SetCheckStatus { node: "n1".into(), check: "c1".into(), status: Status::Passing, output };
    let later = apply(&state, Index(3), Timestamp(9_000), &[report]).unwrap().state;
    let check = later.check("n1", "c1").unwrap();
    assert_eq!((check.status_since, &*check.output), (Timestamp(5_000), "200 OK"));
}

#[test]
fn registering_a_check_again_keeps_its_status_unless_its_probe_changed() {
    let probe = |port| Some(Probe::new(ProbeKind::Tcp { address: format!("10.0.0.1:{port}") }));
    let wanted = |port| Check { probe: probe(port), ..check("c1", "web-1") };
    let put = |port| Command::PutCheck(wanted(port), CheckStatusOnPut::Keep);
    let passing = run(&run(&one_web(), &[put(80)]).state, &[set(Status::Passing)]).state;
    let status = |state: &State| state.check("n1", "c1").unwrap().status;
    assert_eq!(status(&run(&passing, &[put(80)]).state), Status::Passing);
    assert_eq!(status(&run(&passing, &[put(81)]).state), Status::Critical);
}

#[test]
fn a_renamed_service_is_found_under_its_new_name_only_and_both_names_hear_of_it() {
    let renamed = Instance { name: "shop".into(), ..web("web-1") };
    let applied = run(&one_web(), &[Command::PutInstance(renamed)]);
    assert_eq!(applied.state.service_names().map(|name| &**name).collect::<Vec<_>>(), ["shop"]);
    assert_eq!(&*applied.state.check("n1", "c1").unwrap().service, "shop");
    for name in ["web", "shop"] {
        assert!(applied.topics.contains(&Topic::Health(name.into())), "{name}");
        assert!(applied.topics.contains(&Topic::ServiceChecks(name.into())), "{name}");
    }
}

#[test]
fn deleting_a_node_leaves_nothing_of_it() {
    let state = run(&one_web(), &[Command::DeleteNode("n1".into())]).state;
    assert_eq!((state.nodes().count(), state.instances().count(), state.checks().count()), (0, 0, 0));
    assert_eq!(state.service_names().count(), 0);
    assert_eq!(state.index_of(&Topic::Service("web".into())), Index(2), "its watchers must hear of it");
}

#[test]
fn how_an_instance_left_is_remembered_until_it_comes_back() {
    let drain = Check::maintenance(&"n1".into(), &"web-1".into(), "draining: container got SIGTERM");
    let drained = run(&one_web(), &[Command::PutCheck(drain, CheckStatusOnPut::Set)]).state;
    let gone = run(&drained, &[Command::DeleteInstance("n1".into(), "web-1".into())]).state;
    let departure = gone.departure("n1", "web-1").unwrap();
    assert_eq!(
        (departure.withdrawn, departure.note.as_deref()),
        (false, Some("draining: container got SIGTERM"))
    );
    assert!(run(&gone, &[Command::PutInstance(web("web-1"))]).state.departure("n1", "web-1").is_none());
    let withdrawn = run(&one_web(), &[Command::WithdrawInstance("n1".into(), "web-1".into())]).state;
    assert!(withdrawn.departure("n1", "web-1").unwrap().withdrawn);
}

#[test]
fn a_node_check_decides_over_every_instance_of_the_node() {
    let down = Check::new("n1", "disk", "disk");
    let applied = run(
        &run(&one_web(), &[set(Status::Passing)]).state,
        &[Command::PutCheck(down, CheckStatusOnPut::Set)],
    );
    assert_eq!(applied.state.service_health("web").next().unwrap().health(), Health::Critical);
    assert!(applied.topics.contains(&Topic::Health("web".into())));
}

#[test]
fn cas_zero_creates_and_never_overwrites() {
    let set =
        |value: &str, cas| Command::SetKey { key: "k".into(), value: value.as_bytes().into(), flags: 0, cas };
    let state = run(&State::default(), &[set("a", Some(Index(0)))]).state;
    let error = apply(&state, Index(2), now(), &[set("b", Some(Index(0)))]).unwrap_err();
    assert_eq!(error.error, ApplyError::CasMismatch("k".into()));
    let state = run(&state, &[set("b", Some(Index(1)))]).state;
    assert_eq!(&*state.kv("k").unwrap().value, b"b");
}

#[test]
fn a_prefix_hears_of_deletions_and_a_sibling_does_not() {
    let set = |key: &str| Command::SetKey { key: key.into(), value: b"v"[..].into(), flags: 0, cas: None };
    let state = run(&State::default(), &[set("app/a"), set("apple")]).state;
    let state = run(&state, &[Command::DeleteKey { key: "app/a".into(), cas: None }]).state;
    assert_eq!(state.index_of(&Topic::KeyPrefix("app/".into())), Index(2));
    assert_eq!(state.index_of(&Topic::KeyPrefix("apple".into())), Index(1));
    assert_eq!(state.keys_under("app").count(), 1);
}

fn session(id: &str) -> Session {
    Session { node_checks: vec!["alive".into()], ..Session::new(id, "n1") }
}

/// A node that is alive, and a session of it that holds `leader`.
fn led(session: Session) -> State {
    let alive = Check { status: Status::Passing, ..Check::new("n1", "alive", "alive") };
    let commands = [
        Command::PutNode(Node::new("n1", "10.0.0.1")),
        Command::PutCheck(alive, CheckStatusOnPut::Set),
        Command::PutSession(session),
        acquire("s1"),
    ];
    run(&State::default(), &commands).state
}

fn acquire(session: &str) -> Command {
    Command::AcquireKey { key: "leader".into(), value: b"me"[..].into(), flags: 0, session: session.into() }
}

#[test]
fn a_held_key_is_acquired_by_nobody_else_and_again_by_its_holder() {
    let state = run(&led(session("s1")), &[Command::PutSession(session("s2"))]).state;
    let refused = apply(&state, Index(9), now(), &[acquire("s2")]).unwrap_err();
    assert_eq!(refused.error, ApplyError::Locked("leader".into()));
    let again = run(&state, &[acquire("s1")]).state;
    assert_eq!(again.kv("leader").unwrap().lock_index, 1, "still the first time it was acquired");
    let plain = Command::SetKey { key: "leader".into(), value: b"x"[..].into(), flags: 0, cas: None };
    assert_eq!(run(&again, &[plain]).state.kv("leader").unwrap().session.as_deref(), Some("s1"));
}

#[test]
fn a_lost_session_releases_its_keys_and_bars_them_for_its_lock_delay() {
    let dead = Command::SetCheckStatus {
        node: "n1".into(),
        check: "alive".into(),
        status: Status::Critical,
        output: String::new(),
    };
    let state = run(&led(session("s1")), &[dead]).state;
    assert!(state.session("s1").is_none());
    assert_eq!(state.kv("leader").unwrap().session, None);
    let other = Session::new("s2", "n1");
    let state = run(&state, &[Command::PutSession(other)]).state;
    let barred = apply(&state, Index(9), Timestamp(15_999), &[acquire("s2")]).unwrap_err();
    assert_eq!(barred.error, ApplyError::Barred("leader".into()));
    assert!(apply(&state, Index(9), Timestamp(16_000), &[acquire("s2")]).is_ok(), "15 s later it is free");
}

#[test]
fn a_session_that_deletes_takes_its_keys_with_it() {
    let state = led(Session { behavior: crate::Behavior::Delete, ..session("s1") });
    let state = run(&state, &[Command::EndSession("s1".into())]).state;
    assert!(state.kv("leader").is_none());
    assert_eq!(state.index_of(&Topic::Key("leader".into())), Index(2));
}

#[test]
fn a_renewed_session_ends_later_and_its_record_is_not_touched() {
    let ttl = Some(std::time::Duration::from_secs(10));
    let state = led(Session { ttl, ..session("s1") });
    assert_eq!(state.lease("s1"), Some(Timestamp(21_000)));
    let renewed = apply(&state, Index(2), Timestamp(5_000), &[Command::RenewSession("s1".into())]).unwrap();
    assert_eq!(renewed.state.lease("s1"), Some(Timestamp(25_000)));
    assert_eq!(renewed.topics, [Topic::Leases], "nobody who watches sessions is woken");
}

#[test]
fn a_transaction_reads_what_it_wrote_and_names_the_command_that_failed() {
    let set = Command::SetKey { key: "k".into(), value: b"1"[..].into(), flags: 0, cas: None };
    let applied = run(&State::default(), &[set.clone(), Command::ReadKey("k".into())]);
    assert!(matches!(&applied.replies[1], Reply::Key(entry) if &*entry.value == b"1"));
    let commands = [set, Command::ExpectAbsent("k".into())];
    let rejected = apply(&State::default(), Index(1), now(), &commands).unwrap_err();
    assert_eq!(rejected, Rejected { at: 1, error: ApplyError::KeyExists("k".into()) });
}

#[test]
fn a_lock_delay_bars_no_key_for_more_than_a_minute() {
    let lock_delay = std::time::Duration::from_secs(3_600);
    let state = led(Session { lock_delay, ..session("s1") });
    let again = [Command::EndSession("s1".into()), Command::PutSession(session("s2"))];
    let state = run(&state, &again).state;
    assert!(apply(&state, Index(9), Timestamp(60_999), &[acquire("s2")]).is_err());
    assert!(apply(&state, Index(9), Timestamp(61_000), &[acquire("s2")]).is_ok());
}

#[test]
fn a_record_is_expected_at_exactly_its_last_change() {
    let state = one_web();
    let records = [
        Record::Node("n1".into()),
        Record::Instance("n1".into(), "web-1".into()),
        Record::Check("n1".into(), "c1".into()),
    ];
    for record in records {
        let expect = |index| apply(&state, Index(2), now(), &[Command::ExpectRecord(record.clone(), index)]);
        assert!(expect(Some(Index(1))).is_ok(), "{record}");
        for wrong in [None, Some(Index(0)), Some(Index(2))] {
            assert_eq!(expect(wrong).unwrap_err().error, ApplyError::Stale(record.clone()));
        }
    }
    let absent = Command::ExpectRecord(Record::Node("n2".into()), None);
    assert!(apply(&state, Index(2), now(), &[absent]).is_ok());
}

#[test]
fn a_record_is_read_as_it_is_at_that_point_of_the_commit() {
    let moved = Command::PutNode(Node::new("n1", "10.0.0.9"));
    let read = Command::ReadRecord(Record::Node("n1".into()));
    let applied = run(&one_web(), &[moved, read]);
    assert!(
        matches!(&applied.replies[1], Reply::Node(node) if node.address == "10.0.0.9" && node.modified == Index(2))
    );
    let gone = [
        Command::DeleteInstance("n1".into(), "web-1".into()),
        Command::ReadRecord(Record::Check("n1".into(), "c1".into())),
    ];
    let rejected = apply(&one_web(), Index(2), now(), &gone).unwrap_err();
    assert_eq!(rejected.error, ApplyError::NoCheck { node: "n1".into(), id: "c1".into() });
}
