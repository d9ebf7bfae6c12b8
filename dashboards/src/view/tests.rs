use std::{sync::Arc, time::Duration};

use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Health, Index, Instance, Node, State, Status, Timestamp, apply::apply,
};
use wharf_monitor::{BarSlot, ServiceState, ServiceUptime, Window};
use wharf_proxy::RouteTable;

use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn day() -> Window {
    Window::last(Duration::from_secs(86_400), NOW)
}

fn state(commands: &[Command]) -> State {
    apply(&State::default(), Index(1), NOW, commands).unwrap().state
}

fn node() -> Command {
    Command::PutNode(Node::new("pier-1", "10.0.0.1"))
}

fn instance(service: &str, id: &str, tags: &[&str]) -> Command {
    Command::PutInstance(Instance {
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        port: 8000,
        ..Instance::new("pier-1", id, service)
    })
}

fn check(id: &str, instance: &str, status: Status, output: &str) -> Command {
    let check = Check {
        status,
        output: output.to_owned(),
        instance: Some(instance.into()),
        ..Check::new("pier-1", id, format!("check of {instance}"))
    };
    Command::PutCheck(check, CheckStatusOnPut::Set)
}

fn uptime(service: &str, state: ServiceState, since: Timestamp) -> ServiceUptime {
    let slot = BarSlot { from: since, to: NOW, availability: Some(0.999), state: ServiceState::Down };
    ServiceUptime {
        service: service.to_owned(),
        state,
        since,
        reason: "why not".to_owned(),
        availability: Some(0.999_999_9),
        responsiveness: Some(1.0),
        response_time_ms: Some(12.345_678),
        p50_ms: Some(3.0),
        p95_ms: Some(3.333_333),
        p99_ms: Some(1234.56),
        tests: 7,
        outages: 1,
        downtime_ms: 1000,
        bar: vec![slot; 48],
    }
}

#[test]
fn a_service_nobody_has_looked_at_yet_is_shown_at_once() {
    let state = state(&[node(), instance("web", "web-1", &[])]);
    let [row] = <[ServiceRow; 1]>::try_from(service_rows(&state, &[], day())).unwrap();
    assert_eq!((&*row.name, row.state, row.since), ("web", ServiceState::Unmonitored, None));
    assert_eq!((row.passing, row.total), (1, 1));
    assert_eq!(row.bar.states.len(), Bar::SLOTS);
}

#[test]
fn the_catalog_counts_instances_and_the_monitor_tells_the_past() {
    let state = state(&[
        node(),
        instance("web", "web-1", &["prod", "v2"]),
        instance("web", "web-2", &["prod", "v1"]),
        check("c1", "web-1", Status::Passing, ""),
        check("c2", "web-2", Status::Critical, "refused"),
    ]);
    let rows = service_rows(&state, &[uptime("web", ServiceState::Up, NOW)], day());
    assert_eq!((rows[0].passing, rows[0].total, rows[0].degraded), (1, 2, true));
    assert_eq!(rows[0].tags, ["prod", "v1", "v2"]);
    assert_eq!((rows[0].state, rows[0].since), (ServiceState::Up, Some(NOW)));
    assert_eq!(rows[0].reason, "1 of 2 instances pass");
    let json = serde_json::to_value(rows[0].clone()).unwrap();
    assert_eq!((&json["outages"], &json["downtime_ms"]), (&1.into(), &1000.into()));
    assert!(serde_json::to_value(rows[0].clone().brief()).unwrap().get("outages").is_none());
}

#[test]
fn a_service_that_is_gone_stays_for_the_window_and_one_that_is_down_for_as_long_as_it_is() {
    let long_ago = day().from.before(Duration::from_secs(1));
    let uptimes = [
        uptime("down-for-days", ServiceState::Down, long_ago),
        uptime("gone-for-days", ServiceState::Unmonitored, long_ago),
        uptime("gone-today", ServiceState::Unmonitored, day().from),
    ];
    let rows = service_rows(&State::default(), &uptimes, day());
    let names: Vec<_> = rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["down-for-days", "gone-today"]);
}

#[test]
fn an_outage_is_never_rounded_away() {
    let rows = service_rows(&State::default(), &[uptime("web", ServiceState::Up, NOW)], day());
    assert_eq!(rows[0].availability, Some(0.99999));
    assert_eq!((rows[0].bar.states.len(), rows[0].bar.partial[&0]), (48, 0.99));
    let figures = rows[0].figures.as_ref().unwrap();
    assert_eq!((rows[0].response_ms, figures.p95_ms), (Some(12.3), Some(3.33)));
}

#[test]
fn a_bar_says_with_numbers_only_what_its_letters_do_not() {
    let slot = |state, availability| BarSlot { from: NOW, to: NOW, availability, state };
    let bar = vec![
        slot(ServiceState::Up, Some(1.0)),
        slot(ServiceState::Down, Some(0.0)),
        slot(ServiceState::Down, Some(0.5)),
        slot(ServiceState::Paused, None),
        slot(ServiceState::Starting, Some(1.0)),
        slot(ServiceState::Unmonitored, None),
    ];
    let uptime = ServiceUptime { bar, ..uptime("web", ServiceState::Up, NOW) };
    let rows = service_rows(&State::default(), &[uptime], day());
    assert_eq!(rows[0].bar.states, "uddps-");
    assert_eq!(rows[0].bar.partial, [(2, 0.5), (4, 1.0)].into());
}

#[test]
fn exact_shares_survive_rounding_down() {
    for per_cent in 0..=100 {
        let exact = f64::from(per_cent) / 100.0;
        assert_eq!(floor_to(exact, 100.0), exact, "{per_cent} %");
    }
}

#[test]
fn every_instance_says_why_it_is_in_or_out() {
    let drain = Check::maintenance(&Arc::from("pier-1"), &Arc::from("web-3"), "draining: SIGTERM");
    let state = state(&[
        node(),
        instance("web", "web-1", &[]),
        instance("web", "web-2", &[]),
        instance("web", "web-3", &[]),
        check("c1", "web-2", Status::Critical, "connection refused\nat 10.0.0.1"),
        check("c2", "web-2", Status::Critical, ""),
        Command::PutCheck(drain, CheckStatusOnPut::Set),
    ]);
    let page = service_page(&state, None, "web", None, day(), NOW).unwrap();
    let told: Vec<_> = page.instances.iter().map(|i| (i.in_rotation, i.health, i.why.as_str())).collect();
    assert_eq!(
        told,
        [
            (true, Health::Passing, "no check: counts as passing"),
            (false, Health::Critical, "check `check of web-2` is critical: connection refused (and 1 more)"),
            (false, Health::Draining, "draining: SIGTERM"),
        ]
    );
}

#[test]
fn a_node_check_is_listed_once_however_many_instances_it_decides_about() {
    let node_check = Check {
        status: Status::Critical,
        output: "disk full".to_owned(),
        ..Check::new("pier-1", "disk", "disk")
    };
    let state = state(&[
        node(),
        instance("web", "web-1", &[]),
        instance("web", "web-2", &[]),
        check("c1", "web-1", Status::Passing, "ok"),
        Command::PutCheck(node_check, CheckStatusOnPut::Set),
    ]);
    let page = service_page(&state, None, "web", None, day(), NOW).unwrap();
    let ids: Vec<_> = page.checks.iter().map(|check| &*check.id).collect();
    assert_eq!(ids, ["disk", "c1"], "worst first");
    let nodes = node_rows(&state);
    assert_eq!((nodes[0].health, nodes[0].passing), (Health::Critical, 0));
    assert_eq!(nodes[0].why, "check `disk` is critical: disk full");
}

#[test]
fn an_instance_the_load_balancer_cannot_reach_is_out_whatever_its_checks_say() {
    let portless = Command::PutInstance(Instance::new("pier-1", "web-1", "web"));
    let state = state(&[node(), portless]);
    let routes = RouteTable::default().next(&state);
    let page = service_page(&state, Some(&routes), "web", None, day(), NOW).unwrap();
    let row = &page.instances[0];
    assert_eq!((row.in_rotation, &*row.why), (false, "registered without a port"));
    let route = row.route.as_ref().unwrap();
    assert_eq!((route.in_rotation, &*route.why, &*route.to), (false, "registered without a port", ""));
}

#[test]
fn an_instance_tells_what_it_was_registered_with_and_what_the_load_balancer_makes_of_it() {
    let meta = [("rack".to_owned(), "7".to_owned())];
    let weighted = Instance {
        port: 80,
        meta: meta.clone().into(),
        weights: wharf_catalog::Weights { passing: 5, warning: 2 },
        ..Instance::new("pier-1", "web-1", "Web")
    };
    let state = state(&[
        node(),
        Command::PutInstance(weighted),
        Command::PutInstance(Instance {
            port: 81,
            address: "fd00::1".into(),
            ..Instance::new("pier-1", "web-2", "Web")
        }),
        check("c2", "web-2", Status::Critical, "refused"),
    ]);
    let routes = RouteTable::default().next(&state);
    let page = service_page(&state, Some(&routes), "Web", None, day(), NOW).unwrap();
    let [first, second] = &page.instances[..] else { panic!("{:?}", page.instances) };
    assert_eq!((&first.meta, first.weights), (&meta.into(), Weights { passing: 5, warning: 2 }));
    let route = RouteOf { in_rotation: true, why: String::new(), to: "10.0.0.1:80".to_owned(), weight: 5 };
    assert_eq!(first.route, Some(route));
    let route = second.route.as_ref().unwrap();
    assert_eq!((route.in_rotation, &*route.why), (false, "critical: check `c2` says: refused"));
    assert_eq!(route.to, "[fd00::1]:81");
    let alone = service_page(&state, None, "Web", None, day(), NOW).unwrap();
    assert_eq!(alone.instances[0].route, None, "nothing is said of a load balancer that is not there");
}

#[test]
fn the_catalog_does_not_list_itself_but_lists_a_consul_somebody_runs() {
    let itself = state(&[node(), instance("consul", "consul", &[])]);
    assert_eq!(service_rows(&itself, &[uptime("consul", ServiceState::Up, NOW)], day()), []);
    assert_eq!(node_rows(&itself)[0].instances, []);
    let somebodys = state(&[node(), instance("consul", "host:consul:8500", &[])]);
    assert_eq!(service_rows(&somebodys, &[], day()).len(), 1);
}

#[test]
fn a_service_nobody_knows_has_no_page() {
    assert_eq!(service_page(&State::default(), None, "web", None, day(), NOW), None);
}
