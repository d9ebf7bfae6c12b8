use super::*;

const OLD: &str = include_str!("../../tests/fixtures/inspect-1.41.json");
const NEW: &str = include_str!("../../tests/fixtures/inspect-1.52.json");

fn read(json: &str) -> Option<Container> {
    Container::from_inspect(serde_json::from_str(json).unwrap())
}

#[test]
fn a_container_reads_the_same_in_both_dialects() {
    assert!(OLD.contains("LinkLocalIPv6Address") && !NEW.contains("LinkLocalIPv6Address"));
    let old = read(OLD).unwrap();
    assert_eq!(read(NEW).unwrap(), old);
    assert_eq!((old.name.as_str(), old.image.as_str()), ("whr-fix", "whr-fix:1"));
    assert_eq!(old.environment, [("SERVICE_TAGS".to_owned(), "a,b".to_owned())]);
    assert_eq!(old.labels["SERVICE_NAME"], "web");
    assert_eq!(old.network, Network::Own("172.17.0.2".parse().unwrap()));
    let published = Published { address: None, port: 32768 };
    assert_eq!(old.ports[&"8080/tcp".parse().unwrap()], [published, published]);
    assert_eq!(old.ports[&"53/udp".parse().unwrap()], []);
    assert_eq!((old.state, old.stop_signal), (RunState::Running, Signal::TERM));
    assert_eq!(old.stop_timeout, Duration::from_secs(10));
}

#[test]
fn a_container_that_says_next_to_nothing_is_still_read() {
    let bare = read(r#"{"Id":"1","Name":"/a","State":{"Running":true}}"#).unwrap();
    assert_eq!((bare.state, bare.network), (RunState::Running, Network::Unreachable));
    assert_eq!(read("{}"), None);
}

fn with(mode: &str, networks: &str) -> Network {
    let json = format!(
        r#"{{"Id":"1","Name":"/a","State":{{"Status":"running"}},"HostConfig":{{"NetworkMode":"{mode}"}},
        "NetworkSettings":{{"Networks":{networks}}}}}"#
    );
    read(&json).unwrap().network
}

#[test]
fn the_main_network_is_the_one_of_the_network_mode_then_the_first_by_name_with_an_address() {
    let two = r#"{"a":{"IPAddress":"10.0.0.2"},"b":{"IPAddress":"10.1.0.2"}}"#;
    let own = |address: &str| Network::Own(address.parse().unwrap());
    assert_eq!(with("b", two), own("10.1.0.2"));
    assert_eq!(with("gone", two), own("10.0.0.2"));
    assert_eq!(with("b", r#"{"a":{"IPAddress":"10.0.0.2"},"b":{"IPAddress":""}}"#), own("10.0.0.2"));
    assert_eq!(with("six", r#"{"six":{"IPAddress":"","GlobalIPv6Address":"fd00::2"}}"#), own("fd00::2"));
    assert_eq!(with("default", "{}"), Network::Unreachable);
    assert_eq!(with("none", r#"{"none":{"IPAddress":""}}"#), Network::Unreachable);
    assert_eq!(with("host", r#"{"host":{"IPAddress":""}}"#), Network::Host);
}

#[test]
fn a_container_in_the_network_of_another_takes_its_address() {
    let mut sidecar = read(OLD).unwrap();
    sidecar.network = with("container:abc", "{}");
    assert_eq!(sidecar.network, Network::Container("abc".to_owned()));
    sidecar.share_network_of(Some(&read(OLD).unwrap()));
    assert_eq!(sidecar.network, Network::Shared("172.17.0.2".parse().unwrap()));
    sidecar.share_network_of(None);
    assert_eq!(sidecar.network, Network::Unreachable);
}

#[test]
fn only_running_and_paused_containers_stand_for_something() {
    let state = |status: &str| {
        let running = r#""Running":true"#;
        let json = format!(r#"{{"Id":"1","Name":"/a","State":{{"Status":"{status}",{running}}}}}"#);
        read(&json).unwrap().state
    };
    assert_eq!(state("running"), RunState::Running);
    assert_eq!(state("paused"), RunState::Paused);
    for status in ["restarting", "created", "exited", "dead", "removing"] {
        assert_eq!(state(status), RunState::Stopped, "{status}");
    }
}

#[test]
fn absurd_values_on_the_wire_are_left_out() {
    let json = r#"{"Id":"1","Name":"/a","State":{"Status":"running"},
        "Config":{"ExposedPorts":{"99999/tcp":{},"0/tcp":{},"80/carrier-pigeon":{},"x":{}},"StopSignal":"NOPE","StopTimeout":-3,"Env":["NOEQUALS"]},
        "NetworkSettings":{"Ports":{"80/tcp":[{"HostIp":"::1","HostPort":"99999"},{"HostIp":"nonsense","HostPort":"8080"}]}}}"#;
    let container = read(json).unwrap();
    let published = Published { address: None, port: 8080 };
    assert_eq!(container.ports, BTreeMap::from([("80/tcp".parse().unwrap(), vec![published])]));
    assert_eq!((container.stop_signal, container.stop_timeout), (Signal::TERM, STOP_TIMEOUT));
    assert!(container.environment.is_empty());
}

#[test]
fn podmans_container_is_read_as_dockers() {
    let podman = read(include_str!("../../tests/fixtures/inspect-podman.json")).unwrap();
    assert_eq!((podman.name.as_str(), podman.image.as_str()), ("wrp2", "localhost/wharf-reg-pod:1"));
    assert_eq!(podman.labels["SERVICE_NAME"], "web");
    assert!(matches!(podman.network, Network::Own(_)), "{:?}", podman.network);
    assert_eq!(podman.ports[&"8080/tcp".parse().unwrap()], [Published { address: None, port: 18080 }]);
    assert_eq!((podman.state, podman.stop_signal, podman.health), (RunState::Running, Signal::TERM, None));
}

#[test]
fn health_is_read_with_the_output_of_its_last_run() {
    let health = |json: &str| {
        let json = format!(r#"{{"Id":"1","Name":"/a","State":{{"Status":"running","Health":{json}}}}}"#);
        read(&json).unwrap().health
    };
    let unhealthy = r#"{"Status":"unhealthy","Log":[{"ExitCode":0,"Output":"old"},{"ExitCode":1,"Output":" refused\n"}]}"#;
    let output = Some("refused".to_owned());
    assert_eq!(health(unhealthy), Some(ContainerHealth { status: HealthStatus::Unhealthy, output }));
    for none in [r#"{"Status":"none"}"#, r#"{"Status":""}"#, "{}"] {
        assert_eq!(health(none), None, "{none}");
    }
}

#[test]
fn every_network_is_known_with_its_addresses_and_the_swarms_own_comes_last() {
    let json = r#"{"Id":"1","Name":"/a","State":{"Status":"running"},"NetworkSettings":{"Networks":{
        "ingress":{"IPAddress":"10.0.0.5"},"net":{"IPAddress":"10.0.1.5","GlobalIPv6Address":"fd00::5"}}}}"#;
    let container = read(json).unwrap();
    assert_eq!(container.network, Network::Own("10.0.1.5".parse().unwrap()));
    let net: Vec<IpAddr> = vec!["10.0.1.5".parse().unwrap(), "fd00::5".parse().unwrap()];
    assert_eq!(container.networks["net"], net);
}

/// JSON of the shapes Docker answers with, and of no shape at all.
fn any_json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    let word = prop::sample::select(vec![
        "Id",
        "Name",
        "State",
        "Status",
        "Running",
        "Health",
        "Log",
        "Config",
        "Env",
        "Labels",
        "ExposedPorts",
        "Image",
        "StopSignal",
        "StopTimeout",
        "NetworkSettings",
        "Networks",
        "Ports",
        "bridge",
        "IPAddress",
        "HostConfig",
        "NetworkMode",
        "80/tcp",
        "HostIp",
        "HostPort",
        "SERVICE_NAME",
    ]);
    let text = prop::sample::select(vec![
        "running",
        "host",
        "container:x",
        "80/tcp",
        "::1",
        "10.0.0.1",
        "healthy",
        "99999",
        "-1",
        "A=b",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| fields.into_iter().fold(
                json!({}),
                |mut object, (key, value)| {
                    object[key] = value;
                    object
                }
            )),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn no_json_panics(state in any_json(), config in any_json(), network in any_json()) {
        let inspect = serde_json::json!({
            "Id": "1", "Name": "/a", "State": state, "Config": config, "NetworkSettings": network,
        });
        if let Some(container) = serde_json::from_value(inspect).ok().and_then(Container::from_inspect) {
            let _ = crate::registration::wire(&crate::registration::tests::config(), true, &container);
        }
        if let Ok(message) = serde_json::from_value(config) {
            let _ = crate::event::ContainerEvent::from_message(message);
        }
    }
}
