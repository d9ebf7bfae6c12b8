use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Instance, Node, Probe, TaggedAddress, Timestamp, apply::apply,
};

use super::*;

/// Applies one commit to `state`.
fn commit(state: &State, commands: &[Command]) -> State {
    apply(state, state.index().next(), Timestamp(0), commands).unwrap().state
}

fn instance(id: &str, name: &str, address: &str, port: u16) -> Command {
    Command::PutInstance(Instance { address: address.into(), port, ..Instance::new("n1", id, name) })
}

fn check(id: &str, instance: Option<&str>, status: Status, output: &str) -> Command {
    let check = Check {
        instance: instance.map(Arc::from),
        status,
        output: output.into(),
        ..Check::new("n1", id, id)
    };
    Command::PutCheck(check, CheckStatusOnPut::Set)
}

fn two_services() -> State {
    commit(
        &State::default(),
        &[
            Command::PutNode(Node::new("n1", "10.0.0.1")),
            instance("web-1", "web", "", 80),
            instance("web-2", "web", "10.0.0.9", 81),
            instance("api-1", "api", "", 90),
        ],
    )
}

fn reason(table: &RouteTable, service: &str) -> String {
    match &table.service(service).unwrap().endpoints[0].rotation {
        Rotation::In => "in".to_owned(),
        Rotation::Out(out) => out.to_string(),
    }
}

#[test]
fn an_instance_is_reached_at_its_own_address_or_its_nodes() {
    let table = RouteTable::default().next(&two_services());
    let web = table.service("web").unwrap();
    let places: Vec<_> = web.in_rotation().map(|e| (&*e.host, e.port)).collect();
    assert_eq!(places, [("10.0.0.1", 80), ("10.0.0.9", 81)]);
}

#[test]
fn a_containers_own_address_is_used_once_a_check_reached_it_there_and_no_other() {
    let own = TaggedAddress { address: "172.17.0.2".into(), port: 80 };
    let container = Command::PutInstance(Instance {
        address: "127.0.0.1".into(),
        port: 32_768,
        tagged_addresses: [(CONTAINER_ADDRESS.to_owned(), own)].into(),
        ..Instance::new("n1", "web-1", "web")
    });
    let probe = |address: &str, status| {
        let probe = Some(Probe::new(ProbeKind::Tcp { address: address.into() }));
        let check = Check { instance: Some("web-1".into()), probe, status, ..Check::new("n1", "tcp", "tcp") };
        Command::PutCheck(check, CheckStatusOnPut::Set)
    };
    let place = |probe: Command| {
        let node = Command::PutNode(Node::new("n1", "10.0.0.1"));
        let table = RouteTable::default().next(&commit(&State::default(), &[node, container.clone(), probe]));
        let endpoint = &table.service("web").unwrap().endpoints[0];
        (endpoint.host.to_string(), endpoint.port)
    };
    let published = ("127.0.0.1".to_owned(), 32_768);
    assert_eq!(place(probe("172.17.0.2:80", Status::Passing)), ("172.17.0.2".to_owned(), 80));
    assert_eq!(place(probe("172.17.0.2:80", Status::Critical)), published);
    assert_eq!(place(probe("127.0.0.1:32768", Status::Passing)), published);
}

#[test]
fn an_endpoint_that_is_out_says_why() {
    let cases: [(&[Command], &str); 4] = [
        (
            &[check("alive", Some("api-1"), Status::Critical, "connection refused\n")],
            "critical: check `alive` says: connection refused",
        ),
        (&[check("load", Some("api-1"), Status::Warning, "")], "warning: check `load`"),
        (
            &[check("serfHealth", None, Status::Critical, "node is gone")],
            "critical: check `serfHealth` says: node is gone",
        ),
        (&[instance("api-1", "api", "", 0)], "registered without a port"),
    ];
    for (commands, expected) in cases {
        let table = RouteTable::default().next(&commit(&two_services(), commands));
        assert_eq!(reason(&table, "api"), expected);
        assert_eq!(table.service("api").unwrap().in_rotation().count(), 0);
    }
}

#[test]
fn a_draining_instance_tells_its_drain_and_not_its_probe() {
    let drain = Check::maintenance(&"n1".into(), &"api-1".into(), "draining: SIGTERM");
    let state = commit(
        &two_services(),
        &[
            check("alive", Some("api-1"), Status::Critical, "refused"),
            Command::PutCheck(drain, CheckStatusOnPut::Set),
        ],
    );
    let table = RouteTable::default().next(&state);
    let told = reason(&table, "api");
    assert!(
        told.starts_with("draining: check `_service_maintenance:api-1` says: draining: SIGTERM"),
        "{told}"
    );
}

#[test]
fn a_commit_replaces_only_the_services_it_touched() {
    let state = two_services();
    let before = RouteTable::default().next(&state);
    let after = before.next(&commit(&state, &[instance("web-3", "web", "", 82)]));
    assert!(Arc::ptr_eq(before.service("api").unwrap(), after.service("api").unwrap()));
    assert_eq!(after.service("web").unwrap().endpoints.len(), 3);
    assert!(after.index() > before.index());
}

#[test]
fn names_that_differ_in_case_are_one_service_and_follow_each_other_out() {
    let state = commit(&two_services(), &[instance("web-4", "WEB", "", 83)]);
    let table = RouteTable::default().next(&state);
    assert_eq!(table.service("Web").unwrap().endpoints.len(), 3);
    let state = commit(&state, &[Command::DeleteInstance("n1".into(), "web-4".into())]);
    assert_eq!(table.next(&state).service("web").unwrap().endpoints.len(), 2);
}

#[test]
fn the_catalog_itself_is_not_routed_to_and_a_gone_service_leaves() {
    let state = commit(&two_services(), &[instance("c", "Consul", "", 8300)]);
    let table = RouteTable::default().next(&state);
    assert!(table.service("consul").is_none());
    let table = table.next(&commit(&state, &[Command::DeleteInstance("n1".into(), "api-1".into())]));
    let names: Vec<_> = table.services().map(|service| &*service.name).collect();
    assert_eq!(names, ["web"]);
}
