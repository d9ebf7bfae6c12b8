use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::routes::Candidate;

const MAP: &str = "/etc/haproxy/wharf.map";

fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

fn routes(endpoints: &[(&str, u16, bool)]) -> Routes {
    Routes::new(endpoints.iter().map(|(service, port, serves)| Candidate {
        service,
        host: "10.0.0.1",
        port: *port,
        out: (!serves).then(|| "critical".to_owned()),
        ..Candidate::default()
    }))
}

/// What a running HAProxy makes of the commands: the very words are interpreted.
fn obey(actual: &mut Actual, commands: &[String]) {
    for command in commands {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["add", "map", MAP, key, backend] => {
                assert_eq!(format!("wharf-{}", key.trim_end_matches('.')), *backend);
                assert!(actual.routed.insert(name(key.trim_end_matches('.'))), "{command}");
            }
            ["del", "map", MAP, key] => assert!(actual.routed.remove(&name(key.trim_end_matches('.')))),
            ["set", "server", server, rest @ ..] => {
                let (backend, slot) = server.split_once('/').unwrap();
                let slots = actual.layout.get_mut(&name(backend.strip_prefix("wharf-").unwrap())).unwrap();
                let slot = &mut slots[slot[1..].parse::<usize>().unwrap() - 1];
                match rest {
                    ["addr", ip, "port", port] => {
                        assert!(!slot.ready, "the address of a serving slot changed: {command}");
                        slot.address = Some(format!("{ip}:{port}").parse().unwrap());
                    }
                    ["weight", weight] => slot.weight = weight.parse().unwrap(),
                    ["state", "ready"] => (slot.ready, slot.idle) = (true, 0),
                    ["state", "maint"] => (slot.ready, slot.idle) = (false, 0),
                    other => panic!("{other:?}"),
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A reload: HAProxy has what the file says.
fn reload(actual: &mut Actual, plan: &Plan) {
    actual.layout = plan.layout.clone();
    actual.routed = plan.layout.keys().cloned().collect();
}

fn serving(actual: &Actual, service: &ServiceName) -> Vec<SocketAddr> {
    let slots = actual.layout.get(service).into_iter().flatten();
    slots.filter(|slot| slot.ready).filter_map(|slot| slot.address).collect()
}

#[test]
fn a_change_of_servers_needs_no_reload() {
    let mut actual = Actual::default();
    let first = plan(&actual, &routes(&[("web", 1, true)]), 4, MAP);
    assert!(first.reload && first.commands.is_empty());
    reload(&mut actual, &first);
    let grown = plan(&actual, &routes(&[("web", 1, true), ("web", 2, true)]), 4, MAP);
    assert_eq!(
        grown.commands,
        ["set server wharf-web/s2 addr 10.0.0.1 port 2", "set server wharf-web/s2 state ready"]
    );
    assert!(!grown.reload);
    obey(&mut actual, &grown.commands);
    let swapped = plan(&actual, &routes(&[("web", 1, false), ("web", 2, true), ("web", 3, true)]), 4, MAP);
    assert_eq!(
        swapped.commands,
        [
            "set server wharf-web/s3 addr 10.0.0.1 port 3",
            "set server wharf-web/s3 state ready",
            "set server wharf-web/s1 state maint"
        ]
    );
}

#[test]
fn a_flapping_server_finds_its_slot_again() {
    let mut actual = Actual::default();
    let first = plan(&actual, &routes(&[("web", 1, true), ("web", 2, true)]), 4, MAP);
    reload(&mut actual, &first);
    let out = plan(&actual, &routes(&[("web", 1, false), ("web", 2, true)]), 4, MAP);
    obey(&mut actual, &out.commands);
    let back = plan(&actual, &routes(&[("web", 1, true), ("web", 2, true)]), 4, MAP);
    assert_eq!(back.commands, ["set server wharf-web/s1 state ready"]);
}

#[test]
fn slots_that_run_out_double_by_a_reload() {
    let mut actual = Actual::default();
    let first = plan(&actual, &routes(&[("web", 1, true)]), 2, MAP);
    reload(&mut actual, &first);
    let many = routes(&(1..=5).map(|port| ("web", port, true)).collect::<Vec<_>>());
    let grown = plan(&actual, &many, 2, MAP);
    assert!(grown.reload);
    assert_eq!(grown.layout[&name("web")].len(), 16);
}

#[test]
fn a_service_that_goes_and_comes_back_needs_no_reload_either() {
    let mut actual = Actual::default();
    let first = plan(&actual, &routes(&[("web", 1, true)]), 2, MAP);
    reload(&mut actual, &first);
    let gone = plan(&actual, &routes(&[]), 2, MAP);
    assert_eq!(
        gone.commands,
        [format!("del map {MAP} web."), "set server wharf-web/s1 state maint".to_owned()]
    );
    assert!(!gone.reload && gone.layout.is_empty());
    obey(&mut actual, &gone.commands);
    let back = plan(&actual, &routes(&[("web", 1, true)]), 2, MAP);
    assert!(!back.reload);
    obey(&mut actual, &back.commands);
    assert_eq!(serving(&actual, &name("web")).len(), 1);
}

#[test]
fn weights_are_brought_into_range() {
    let heavy =
        |port, weight| Candidate { service: "web", host: "10.0.0.1", port, weight, ..Candidate::default() };
    let plan = plan(&Actual::default(), &Routes::new([heavy(1, 1000), heavy(2, 500), heavy(3, 1)]), 4, MAP);
    let weights: Vec<u16> = plan.layout[&name("web")].iter().map(|slot| slot.weight).collect();
    assert_eq!(weights, [256, 128, 1, 1, 1, 1, 1, 1]);
}

proptest! {
    #[test]
    fn any_history_converges_with_one_plan_each(
        history in prop::collection::vec(prop::collection::vec((0usize..3, 1u16..12, any::<bool>()), 0..14), 1..12)
    ) {
        let mut actual = Actual::default();
        for endpoints in history {
            let endpoints: Vec<_> = endpoints.iter().map(|(s, p, up)| (["a", "b.c", "d"][*s], *p, *up)).collect();
            let routes = routes(&endpoints);
            let next = plan(&actual, &routes, 2, MAP);
            if !next.commands.is_empty() {
                prop_assert!(next.undone(&actual, &routes).is_some());
            }
            obey(&mut actual, &next.commands);
            prop_assert_eq!(next.undone(&actual, &routes), None);
            if next.reload {
                reload(&mut actual, &next);
            }
            for (name, route) in &routes.services {
                let mut has = serving(&actual, name);
                has.sort();
                prop_assert_eq!(has, route.serving().map(|(a, _)| a).collect::<Vec<_>>());
            }
            prop_assert_eq!(&actual.routed, &routes.services.keys().cloned().collect::<BTreeSet<_>>());
            // What the file says is what runs.
            for (name, slots) in &next.layout {
                prop_assert_eq!(slots.len(), actual.layout[name].len());
                for (file, runs) in slots.iter().zip(&actual.layout[name]) {
                    prop_assert_eq!((file.address, file.ready, file.weight), (runs.address, runs.ready, runs.weight));
                }
            }
            let settled = plan(&actual, &routes, 2, MAP);
            prop_assert!(settled.commands.is_empty() && !settled.reload);
        }
    }
}
