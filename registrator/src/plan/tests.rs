use proptest::prelude::*;
use wharf_catalog::{Health, Timestamp, apply::apply};

use super::*;
use crate::{
    container::Container,
    registration::tests::{any_labels, config, container, port, split},
};

const DRAIN: &str = "draining: container got SIGTERM";

fn owner() -> Owner {
    Owner::new(&config())
}

fn run(state: &State, commands: &[Command]) -> State {
    apply(state, state.index().next(), Timestamp(1), commands).unwrap().state
}

fn register(labels: &[(&str, &str)]) -> Vec<Registration> {
    split(&config(), true, &container(labels)).0
}

fn desired<'a>(registrations: &'a [Registration], out: Option<&'a str>) -> BTreeMap<&'a str, Desired<'a>> {
    let entry = |registration: &'a Registration| {
        (&*registration.instance.id, Desired { registration, out, once: false, health: None })
    };
    registrations.iter().map(entry).collect()
}

/// Plans, carries out, and checks that nothing is left to do.
fn follow(state: &State, registrations: &[Registration], out: Option<&str>) -> State {
    let desired = desired(registrations, out);
    let next = run(state, &plan(&owner(), &desired, state, Sweep::All).commands);
    let rest = plan(&owner(), &desired, &next, Sweep::All).commands;
    assert_eq!(rest, [], "a second plan still wants something");
    next
}

fn foreign(id: &str, node: &str) -> [Command; 2] {
    [Command::PutNode(Node::new(node, "10.0.0.1")), Command::PutInstance(Instance::new(node, id, "theirs"))]
}

fn health(state: &State) -> Health {
    state.instance_health("node", "host:app:80").unwrap().health()
}

#[test]
fn what_is_desired_is_registered_with_its_node_and_check_and_goes_when_it_is_not() {
    let state = follow(&State::default(), &register(&[]), None);
    assert_eq!(state.node("node").unwrap().address, "192.0.2.1");
    assert!(state.check("node", "service:host:app:80").is_some());
    let state = follow(&state, &[], None);
    assert_eq!((state.instances().count(), state.checks().count()), (0, 0));
}

#[test]
fn a_node_that_exists_keeps_its_record() {
    let state = run(&State::default(), &[Command::PutNode(Node::new("node", "10.0.0.7"))]);
    assert_eq!(follow(&state, &register(&[]), None).node("node").unwrap().address, "10.0.0.7");
}

#[test]
fn a_check_that_stands_keeps_its_status() {
    let state = follow(&State::default(), &register(&[]), None);
    let (node, check, output) = ("node".into(), "service:host:app:80".into(), "ok".to_owned());
    let state = run(&state, &[Command::SetCheckStatus { node, check, status: Status::Passing, output }]);
    let state = follow(&state, &register(&[("SERVICE_TAGS", "new")]), None);
    assert_eq!(
        (health(&state), state.instance("node", "host:app:80").unwrap().tags.len()),
        (Health::Passing, 1)
    );
}

#[test]
fn a_drain_and_a_pause_come_and_go() {
    let registered = register(&[("SERVICE_CHECK_INITIAL_STATUS", "passing")]);
    let state = follow(&State::default(), &registered, Some(DRAIN));
    assert_eq!(health(&state), Health::Draining);
    let state = follow(&state, &registered, Some("paused: container is paused"));
    assert_eq!(health(&state), Health::Maintenance);
    assert_eq!(health(&follow(&state, &registered, None)), Health::Passing);
}

#[test]
fn maintenance_put_up_by_a_person_stays() {
    let registered = register(&[("SERVICE_CHECK_INITIAL_STATUS", "passing")]);
    let state = follow(&State::default(), &registered, None);
    let theirs = Check::maintenance(&"node".into(), &"host:app:80".into(), "new disk");
    let state = run(&state, &[Command::PutCheck(theirs, CheckStatusOnPut::Set)]);
    for out in [None, Some(DRAIN), None] {
        let state = follow(&state, &registered, out);
        assert_eq!(health(&state), Health::Maintenance);
    }
}

#[test]
fn a_check_added_by_somebody_else_stays() {
    let state = follow(&State::default(), &register(&[]), None);
    let extra = Check { instance: Some("host:app:80".into()), ..Check::new("node", "extra", "extra") };
    let state = run(&state, &[Command::PutCheck(extra, CheckStatusOnPut::Set)]);
    assert!(follow(&state, &register(&[("SERVICE_NAME", "other")]), None).check("node", "extra").is_some());
}

#[test]
fn ours_is_what_has_our_pattern_or_mark_on_our_node() {
    let owns = |id: &str| owner().owns(&Instance::new("node", id, "x"));
    for ours in ["host:app:80", "host:app:53:udp"] {
        assert!(owns(ours), "{ours}");
    }
    for theirs in [
        "host",
        "host:app",
        "host:app:x",
        "host:app:0",
        "host::80",
        "host:app:80:tcp",
        "host:app:80:udp:x",
        "hosts:app:80",
        "web-1",
    ] {
        assert!(!owns(theirs), "{theirs}");
    }
    assert!(!owner().owns(&Instance::new("elsewhere", "host:app:80", "x")));
    let marked = register(&[("SERVICE_ID", "web-1")]).remove(0).instance;
    assert!(owner().owns(&marked));
    let other = Owner::new(&Config { hostname: "other".to_owned(), ..config() });
    assert!(!other.owns(&marked));
}

#[test]
fn stale_entries_of_ours_go_and_those_of_others_stay() {
    let mut state = State::default();
    for (id, node) in
        [("host:old:80", "node"), ("web-9", "node"), ("host:old:80", "elsewhere"), ("host2:old:80", "node")]
    {
        state = run(&state, &foreign(id, node));
    }
    let state = follow(&state, &register(&[]), None);
    let ids: Vec<_> = state.instances().map(|i| (&*i.node, &*i.id)).collect();
    assert_eq!(
        ids,
        [("elsewhere", "host:old:80"), ("node", "host2:old:80"), ("node", "host:app:80"), ("node", "web-9")]
    );
}

#[test]
fn while_not_everything_is_known_only_what_was_released_is_removed() {
    let mut state = State::default();
    for id in ["host:a:80", "host:b:80"] {
        state = run(&state, &foreign(id, "node"));
    }
    let released = BTreeSet::from([Arc::from("host:a:80")]);
    let commands = plan(&owner(), &BTreeMap::new(), &state, Sweep::Only(&released)).commands;
    assert_eq!(commands, [Command::DeleteInstance("node".into(), "host:a:80".into())]);
}

#[test]
fn an_id_that_somebody_else_registered_is_refused_and_left_alone() {
    let state = run(&State::default(), &foreign("web-1", "node"));
    let registered = register(&[("SERVICE_ID", "web-1")]);
    let plan = plan(&owner(), &desired(&registered, None), &state, Sweep::All);
    assert_eq!((plan.commands, plan.refused), (vec![], vec![Arc::from("web-1")]));
}

#[test]
fn what_its_own_check_deregistered_is_not_put_back() {
    let registered = register(&[("SERVICE_CHECK_DEREGISTER_AFTER", "1m")]);
    let mut desired = desired(&registered, None);
    let state = run(&State::default(), &[Command::PutNode(Node::new("node", "10.0.0.7"))]);
    assert_ne!(plan(&owner(), &desired, &state, Sweep::All).commands, []);
    desired.values_mut().for_each(|desired| desired.once = true);
    assert_eq!(plan(&owner(), &desired, &state, Sweep::All).commands, []);
}

fn any_container() -> impl Strategy<Value = Container> {
    (any_labels(), any::<bool>(), 0..3_u16).prop_map(|(labels, udp, number)| {
        let mut container = container(&[]);
        container.labels = labels.into_iter().collect();
        container.name = format!("app{number}");
        if udp {
            container.ports.extend([port("53/udp", Some(53))]);
        }
        container
    })
}

proptest! {
    #[test]
    fn carrying_out_a_plan_leaves_nothing_to_plan(
        before in prop::collection::vec(any_container(), 0..3),
        after in prop::collection::vec(any_container(), 0..3),
        out in prop::option::of(Just(DRAIN)),
    ) {
        let register = |containers: &[Container]| -> Vec<Registration> {
            containers.iter().flat_map(|container| split(&config(), true, container).0).collect()
        };
        let state = run(&State::default(), &foreign("web-1", "node"));
        let (before, after) = (register(&before), register(&after));
        let held = follow(&state, &before, None);
        let state = follow(&held, &after, out);
        prop_assert_eq!(&*state.instance("node", "web-1").unwrap().name, "theirs");
        let wanted: BTreeSet<_> = after.iter().map(|r| r.instance.id.clone()).chain(["web-1".into()]).collect();
        let stands: BTreeSet<_> = state.instances().map(|i| i.id.clone()).collect();
        prop_assert_eq!(stands, wanted);
    }
}

fn health_check(state: &State) -> (Status, String) {
    let check = state.check("node", "service:host:app:80").unwrap();
    (check.status, check.output.clone())
}

#[test]
fn what_the_healthcheck_says_is_told_when_it_changes_and_only_then() {
    let says = |status, output: Option<&str>| ContainerHealth { status, output: output.map(str::to_owned) };
    let mut ours = container(&[]);
    ours.health = Some(says(HealthStatus::Starting, None));
    let registered = split(&config(), true, &ours).0;
    let mut state = State::default();
    for (health, expected) in [
        (says(HealthStatus::Starting, None), (Status::Critical, "the container is starting")),
        (says(HealthStatus::Healthy, None), (Status::Passing, "the container is healthy")),
        (says(HealthStatus::Healthy, Some("ok")), (Status::Passing, "ok")),
        (says(HealthStatus::Healthy, None), (Status::Passing, "ok")),
        (says(HealthStatus::Unhealthy, Some("refused")), (Status::Critical, "refused")),
    ] {
        let mut desired = desired(&registered, None);
        desired.values_mut().for_each(|desired| desired.health = Some(&health));
        state = run(&state, &plan(&owner(), &desired, &state, Sweep::All).commands);
        assert_eq!(health_check(&state), (expected.0, expected.1.to_owned()));
        assert_eq!(plan(&owner(), &desired, &state, Sweep::All).commands, []);
    }
}

#[test]
fn checks_of_ours_that_are_asked_for_no_more_go_and_those_of_others_stay() {
    let labels = [("SERVICE_CHECK_HTTP", "/"), ("SERVICE_CHECK_2_HTTP", "/ready")];
    let state = follow(&State::default(), &register(&labels), None);
    let extra = |id: &str| {
        Command::PutCheck(
            Check { instance: Some("host:app:80".into()), ..Check::new("node", id, id) },
            CheckStatusOnPut::Set,
        )
    };
    let state = run(&state, &[extra("service:host:app:80:theirs"), extra("theirs")]);
    let state = follow(&state, &register(&labels[..1]), None);
    let ids: Vec<_> = state.checks().map(|check| check.id.to_string()).collect();
    assert_eq!(ids, ["service:host:app:80", "service:host:app:80:theirs", "theirs"]);
}

#[test]
fn tags_that_others_may_change_are_not_changed_back() {
    let registered = register(&[("SERVICE_ENABLE_TAG_OVERRIDE", "true"), ("SERVICE_TAGS", "ours")]);
    let state = follow(&State::default(), &registered, None);
    let mut theirs = registered[0].instance.clone();
    theirs.tags = vec!["theirs".to_owned()];
    let state = run(&state, &[Command::PutInstance(theirs)]);
    assert_eq!(follow(&state, &registered, None).instance("node", "host:app:80").unwrap().tags, ["theirs"]);
}

#[test]
fn entries_of_spared_containers_stay() {
    let mut state = State::default();
    for id in ["host:failed:80", "host:gone:80"] {
        state = run(&state, &foreign(id, "node"));
    }
    let spared = BTreeSet::from(["failed".to_owned()]);
    let commands = plan(&owner(), &BTreeMap::new(), &state, Sweep::AllBut(&spared)).commands;
    assert_eq!(commands, [Command::DeleteInstance("node".into(), "host:gone:80".into())]);
}
