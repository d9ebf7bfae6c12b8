use std::time::Duration;

use proptest::prelude::*;
use wharf_catalog::{ProbeKind, Status};

use super::*;
use crate::{
    config::{DefaultCheck, TcpProbe},
    container::{ContainerHealth, HealthStatus, Network, Published},
};

/// A container `app` of image `registry:5000/team/image:1.2` that publishes 80/tcp on 32768, with these labels.
pub(crate) fn container(labels: &[(&str, &str)]) -> Container {
    Container {
        id: "0123456789abcdef".to_owned(),
        name: "app".to_owned(),
        image: "registry:5000/team/image:1.2".to_owned(),
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ports: BTreeMap::from([port("80/tcp", Some(32768))]),
        network: Network::Own("172.17.0.2".parse().unwrap()),
        state: RunState::Running,
        ..Container::nameless()
    }
}

pub(crate) fn port(name: &str, published: Option<u16>) -> (Port, Vec<Published>) {
    let published = published.map(|port| Published { address: None, port });
    (name.parse().unwrap(), published.into_iter().collect())
}

pub(crate) fn config() -> Config {
    Config {
        hostname: "host".to_owned(),
        node: "node".into(),
        advertise_addr: "192.0.2.1".parse().unwrap(),
        ..Config::default()
    }
}

/// What is registered, and what is wrong.
pub(crate) fn split(
    config: &Config,
    local: bool,
    container: &Container,
) -> (Vec<Registration>, Vec<Complaint>) {
    let wiring = wire(config, local, container);
    (wiring.registrations, wiring.complaints)
}

impl Registration {
    /// Its first check.
    fn check(&self) -> Option<Check> {
        self.checks.first().cloned()
    }
}

fn register(container: &Container) -> Vec<Registration> {
    let (registrations, complaints) = split(&config(), true, container);
    assert_eq!(complaints, []);
    registrations
}

fn one(labels: &[(&str, &str)]) -> Registration {
    let registered = register(&container(labels));
    let [registration] = registered.as_slice() else {
        panic!("{registered:?}");
    };
    registration.clone()
}

fn complaints(labels: &[(&str, &str)]) -> (Registration, Vec<String>) {
    let (registered, complaints) = split(&config(), true, &container(labels));
    let lines = complaints.iter().map(ToString::to_string).collect();
    (registered[0].clone(), lines)
}

fn names(container: &Container) -> Vec<String> {
    register(container).iter().map(|r| r.instance.name.to_string()).collect()
}

fn probe(labels: &[(&str, &str)]) -> ProbeKind {
    one(labels).check().unwrap().probe.unwrap().kind
}

#[test]
fn a_published_port_becomes_an_instance_at_the_advertised_address() {
    let Registration { instance, .. } = one(&[("SERVICE_NAME", "web"), ("SERVICE_TAGS", r"a,b\,c")]);
    assert_eq!((&*instance.node, &*instance.id, &*instance.name), ("node", "host:app:80", "web"));
    assert_eq!((instance.address.as_str(), instance.port), ("192.0.2.1", 32768));
    assert_eq!(instance.tags, ["a", "b,c"]);
}

#[test]
fn the_image_names_a_service_without_a_name_whatever_its_reference_looks_like() {
    for (image, name) in [
        ("redis", "redis"),
        ("redis:7", "redis"),
        ("registry:5000/team/image:1.2", "image"),
        ("team/web@sha256:0123", "web"),
        ("team/web:3@sha256:0123", "web"),
        ("sha256:0123", "app"),
        ("", "app"),
    ] {
        let container = Container { image: image.to_owned(), ..container(&[]) };
        assert_eq!(names(&container), [name], "{image}");
    }
}

#[test]
fn several_ports_are_told_apart_by_suffix_unless_the_name_is_the_ports_own() {
    let mut container = container(&[("SERVICE_NAME", "web"), ("SERVICE_81_NAME", "admin")]);
    container.ports.extend([port("81/tcp", Some(32769))]);
    assert_eq!(names(&container), ["web-80", "admin"]);
}

#[test]
fn ignored_ports_count_as_ports_but_unpublished_ones_do_not() {
    let mut container = container(&[("SERVICE_NAME", "web"), ("SERVICE_81_IGNORE", "yes")]);
    container.ports.extend([port("82/tcp", None)]);
    assert_eq!(names(&container), ["web"]);
    container.ports.extend([port("81/tcp", Some(32769))]);
    assert_eq!(names(&container), ["web-80"]);
}

#[test]
fn ignore_false_ignores_as_it_always_did_but_says_so() {
    let (registered, complaints) = split(&config(), true, &container(&[("SERVICE_IGNORE", "false")]));
    assert!(registered.is_empty());
    assert!(complaints[0].to_string().contains("remove it"), "{complaints:?}");
}

#[test]
fn a_udp_port_has_its_own_id_and_tag_and_no_check() {
    let mut container = container(&[("SERVICE_TAGS", "dns")]);
    container.ports = BTreeMap::from([port("53/tcp", Some(53)), port("53/udp", Some(53))]);
    let registered = register(&container);
    assert_eq!(&*registered[0].instance.id, "host:app:53");
    assert_eq!(&*registered[1].instance.id, "host:app:53:udp");
    assert_eq!(registered[1].instance.tags, ["dns", "udp"]);
    assert!(registered[0].check().is_some() && registered[1].check().is_none());
}

#[test]
fn an_id_of_ones_own_is_marked_as_ours() {
    let registered = one(&[("SERVICE_ID", "web-1")]);
    let (instance, check) = (&registered.instance, registered.check());
    assert_eq!((&*instance.id, instance.meta[MARK].as_str()), ("web-1", "wharf-registrator:host"));
    assert_eq!(&*check.unwrap().id, "service:web-1");
}

#[test]
fn one_id_for_two_ports_goes_to_the_first_with_a_warning() {
    let mut container = container(&[("SERVICE_ID", "web-1")]);
    container.ports.extend([port("81/tcp", Some(32769))]);
    let (registered, complaints) = split(&config(), true, &container);
    let ids: Vec<_> = registered.iter().map(|r| &*r.instance.id).collect();
    assert_eq!(ids, ["web-1", "host:app:81"]);
    assert!(complaints[0].to_string().contains("SERVICE_81_ID"), "{complaints:?}");
}

#[test]
fn other_keys_become_metadata_in_lower_case() {
    let Registration { instance, .. } = one(&[
        ("SERVICE_VERSION", "3"),
        ("SERVICE_80_REGION", "eu"),
        ("SERVICE_81_REGION", "us"),
        ("SERVICE_CHECK_INTERVAL", "5s"),
        ("SERVICE_NAME", "web"),
        ("OTHER", "x"),
    ]);
    let meta: Vec<_> = instance.meta.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(meta, [("check_interval", "5s"), ("region", "eu"), ("version", "3")]);
}

#[test]
fn internal_registers_exposed_ports_at_the_containers_own_address() {
    let mut container = container(&[]);
    container.ports.extend([port("81/tcp", None)]);
    let internal = Config { internal: true, ..config() };
    let (registered, _) = split(&internal, true, &container);
    let at: Vec<_> = registered.iter().map(|r| (r.instance.address.as_str(), r.instance.port)).collect();
    assert_eq!(at, [("172.17.0.2", 80), ("172.17.0.2", 81)]);
}

#[test]
fn host_and_shared_networks_register_exposed_ports() {
    let mut container = container(&[]);
    container.ports = BTreeMap::from([port("80/tcp", None)]);
    container.network = Network::Host;
    assert_eq!(
        (register(&container)[0].instance.address.as_str(), register(&container)[0].instance.port),
        ("192.0.2.1", 80)
    );
    container.network = Network::Shared("172.17.0.9".parse().unwrap());
    assert_eq!(register(&container)[0].instance.address, "172.17.0.9");
    container.network = Network::Unreachable;
    assert!(register(&container).is_empty());
}

#[test]
fn a_binding_to_one_address_keeps_it() {
    let mut container = container(&[]);
    let published = Published { address: Some("10.9.8.7".parse().unwrap()), port: 8080 };
    container.ports = BTreeMap::from([("80/tcp".parse().unwrap(), vec![published])]);
    assert_eq!(register(&container)[0].instance.address, "10.9.8.7");
}

#[test]
fn explicit_registers_named_containers_only() {
    let explicit = Config { explicit: true, ..config() };
    assert!(split(&explicit, true, &container(&[])).0.is_empty());
    assert_eq!(split(&explicit, true, &container(&[("SERVICE_NAME", "web")])).0.len(), 1);
}

#[test]
fn a_container_without_a_check_is_probed_inside_where_the_proxy_of_docker_cannot_lie() {
    let inside = ProbeKind::Tcp { address: "172.17.0.2:80".to_owned() };
    let outside = ProbeKind::Tcp { address: "192.0.2.1:32768".to_owned() };
    let kind = |config: &Config, local| {
        let (registered, _) = split(config, local, &container(&[]));
        registered[0].check().map(|check| check.probe.unwrap().kind)
    };
    assert_eq!(kind(&config(), true), Some(inside));
    assert_eq!(kind(&config(), false), Some(outside.clone()));
    assert_eq!(kind(&Config { tcp_probe: TcpProbe::Registered, ..config() }, true), Some(outside));
    assert_eq!(kind(&Config { default_check: DefaultCheck::None, ..config() }, true), None);
}

#[test]
fn a_new_check_is_critical_unless_the_container_says_otherwise() {
    assert_eq!(one(&[]).check().unwrap().status, Status::Critical);
    assert_eq!(one(&[("SERVICE_CHECK_INITIAL_STATUS", "passing")]).check().unwrap().status, Status::Passing);
}

#[test]
fn an_http_check_asks_the_registered_address_as_told() {
    let check = one(&[
        ("SERVICE_CHECK_HTTP", "/health?deep=1"),
        ("SERVICE_CHECK_HTTP_METHOD", "head"),
        ("SERVICE_CHECK_INTERVAL", "15s"),
        ("SERVICE_CHECK_TIMEOUT", "500ms"),
        ("SERVICE_CHECK_DEREGISTER_AFTER", "1m30s"),
    ]);
    let check = check.check().unwrap();
    assert_eq!(
        (check.type_label.as_str(), &*check.id, check.name.as_str()),
        ("http", "service:host:app:80", "Service 'image' check")
    );
    let probe = check.probe.unwrap();
    assert_eq!(probe.interval, Duration::from_secs(15));
    assert_eq!(probe.timeout, Duration::from_millis(500));
    assert_eq!(probe.deregister_after, Some(Duration::from_secs(90)));
    let ProbeKind::Http { url, method, tls_skip_verify, .. } = probe.kind else { panic!() };
    assert_eq!(
        (url.as_str(), method.as_str(), tls_skip_verify),
        ("http://192.0.2.1:32768/health?deep=1", "HEAD", false)
    );
}

#[test]
fn https_skips_verification_only_when_told_and_ipv6_stands_in_brackets() {
    let six = Config { advertise_addr: "2001:db8::1".parse().unwrap(), ..config() };
    let labels = [("SERVICE_CHECK_HTTPS", "health"), ("SERVICE_CHECK_TLS_SKIP_VERIFY", "true")];
    let (registered, _) = split(&six, true, &container(&labels));
    let ProbeKind::Http { url, tls_skip_verify, .. } = registered[0].check().unwrap().probe.unwrap().kind
    else {
        panic!()
    };
    assert_eq!((url.as_str(), tls_skip_verify), ("https://[2001:db8::1]:32768/health", true));
    assert_eq!(registered[0].instance.address, "2001:db8::1");
}

#[test]
fn the_precedence_of_checks_is_that_of_registrator() {
    let all = [
        ("SERVICE_CHECK_HTTP", "/"),
        ("SERVICE_CHECK_HTTPS", "/"),
        ("SERVICE_CHECK_TTL", "30s"),
        ("SERVICE_CHECK_TCP", "true"),
    ];
    let kinds = [0, 1, 2, 3].map(|from| match probe(&all[from..]) {
        ProbeKind::Http { url, .. } => url.split(':').next().unwrap().to_owned(),
        ProbeKind::Ttl { ttl } => format!("ttl {}", ttl.as_secs()),
        other => other.label().to_owned(),
    });
    assert_eq!(kinds, ["http", "https", "ttl 30", "tcp"]);
}

#[test]
fn commands_that_may_not_be_run_give_one_warning_and_never_a_silent_pass() {
    for key in ["SERVICE_CHECK_CMD", "SERVICE_CHECK_SCRIPT"] {
        let none = Config { default_check: DefaultCheck::None, ..config() };
        let (registered, complaints) = split(&none, true, &container(&[(key, "curl $SERVICE_IP")]));
        let check = registered[0].check().unwrap();
        assert!(matches!(check.probe.unwrap().kind, ProbeKind::Tcp { .. }), "{key}");
        assert_eq!(complaints.len(), 1);
        let line = complaints[0].to_string();
        assert!(
            line.contains("`app`") && line.contains(key) && line.contains("SERVICE_CHECK_HTTP"),
            "{line}"
        );
    }
}

#[test]
fn absurd_values_cost_one_warning_each_and_nothing_else() {
    let long = "n".repeat(1_000_000);
    for (key, value, remedy) in [
        ("SERVICE_CHECK_INTERVAL", "soon", "10s"),
        ("SERVICE_CHECK_INTERVAL", "1ns", "10s"),
        ("SERVICE_CHECK_TIMEOUT", "99999999h", "10s"),
        ("SERVICE_CHECK_TTL", "never", "10s"),
        ("SERVICE_CHECK_INITIAL_STATUS", "fine", "`passing`"),
        ("SERVICE_CHECK_DEREGISTER_AFTER", "-1s", "10s"),
        ("SERVICE_CHECK_HTTP", "/a b\n", "/health"),
        ("SERVICE_99999_NAME", "x", "65535"),
        ("SERVICE_NAME", long.as_str(), "shorten"),
        ("SERVICE_ID", "a\nb", "shorten"),
        ("SERVICE_TAGS", long.as_str(), "shorten"),
        ("SERVICE_WEIRD KEY", "x", "63 keys"),
    ] {
        let (registration, lines) = complaints(&[(key, value)]);
        assert_eq!(lines.len(), 1, "{key}={lines:?}");
        assert!(
            lines[0].contains("`app`") && lines[0].contains(key) && lines[0].contains(remedy),
            "{}",
            lines[0]
        );
        assert!(lines[0].len() < 400, "{}", lines[0].len());
        assert_eq!((&*registration.instance.name, &*registration.instance.id), ("image", "host:app:80"));
        assert!(registration.check().is_some());
    }
}

#[test]
fn a_bad_method_and_a_bad_yes_or_no_fall_back_to_the_safe_side() {
    let (registration, lines) = complaints(&[
        ("SERVICE_CHECK_HTTPS", "/"),
        ("SERVICE_CHECK_HTTPS_METHOD", "GET /"),
        ("SERVICE_CHECK_TLS_SKIP_VERIFY", "perhaps"),
    ]);
    assert_eq!(lines.len(), 2);
    let ProbeKind::Http { method, tls_skip_verify, .. } = registration.check().unwrap().probe.unwrap().kind
    else {
        panic!()
    };
    assert_eq!((method.as_str(), tls_skip_verify), ("", false));
}

#[test]
fn a_stopped_container_stands_for_nothing() {
    assert!(register(&Container { state: RunState::Stopped, ..container(&[]) }).is_empty());
    assert_eq!(register(&Container { state: RunState::Paused, ..container(&[]) }).len(), 1);
}

#[test]
fn commands_run_by_a_shell_in_the_container_or_on_the_machine_when_they_may() {
    let may = Config { enable_script_checks: true, ..config() };
    let kind = |labels: &[(&str, &str)]| {
        let (registered, complaints) = split(&may, true, &container(labels));
        assert_eq!(complaints, []);
        registered[0].check().unwrap().probe.unwrap().kind
    };
    let by_shell = |script: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()];
    let script = kind(&[("SERVICE_CHECK_SCRIPT", "curl -f $SERVICE_IP:$SERVICE_PORT/x | grep ok")]);
    assert_eq!(script, ProbeKind::Script { args: by_shell("curl -f 192.0.2.1:32768/x | grep ok") });
    let ProbeKind::Docker { container, args, .. } = kind(&[("SERVICE_CHECK_CMD", "test -f /up")]) else {
        panic!()
    };
    assert_eq!((container.as_str(), args), ("0123456789abcdef", by_shell("test -f /up")));
}

#[test]
fn a_grpc_check_asks_the_registered_address_about_the_service_it_names() {
    let target =
        |value: &str| match probe(&[("SERVICE_CHECK_GRPC", value), ("SERVICE_CHECK_GRPC_USE_TLS", "true")]) {
            ProbeKind::Grpc { target, tls: true, tls_skip_verify: false } => target,
            other => panic!("{other:?}"),
        };
    assert_eq!(target("true"), "192.0.2.1:32768");
    assert_eq!(target("/users.Accounts"), "192.0.2.1:32768/users.Accounts");
}

#[test]
fn further_checks_have_numbers_and_take_what_they_do_not_say_from_the_first() {
    let registered = one(&[
        ("SERVICE_CHECK_HTTP", "/live"),
        ("SERVICE_CHECK_INTERVAL", "3s"),
        ("SERVICE_CHECK_2_HTTP", "/ready"),
        ("SERVICE_CHECK_2_INTERVAL", "7s"),
        ("SERVICE_CHECK_3_TCP", "true"),
    ]);
    let checks: Vec<_> = registered
        .checks
        .iter()
        .map(|check| {
            let probe = check.probe.as_ref().unwrap();
            (&*check.id, probe.kind.label(), probe.interval.as_secs())
        })
        .collect();
    assert_eq!(
        checks,
        [
            ("service:host:app:80", "http", 3),
            ("service:host:app:80:2", "http", 7),
            ("service:host:app:80:3", "tcp", 3)
        ]
    );
}

fn healthy(labels: &[(&str, &str)]) -> Container {
    let health = ContainerHealth { status: HealthStatus::Healthy, output: None };
    Container { health: Some(health), ..container(labels) }
}

#[test]
fn a_healthcheck_is_the_check_of_a_container_that_asks_for_no_other() {
    let ids = |container: &Container| {
        let registered = register(container).remove(0);
        let checks = registered.checks.iter().map(|check| (check.id.to_string(), check.type_label.clone()));
        (checks.collect::<Vec<_>>(), registered.health.map(|id| id.to_string()))
    };
    let check = |id: &str, label: &str| (id.to_owned(), label.to_owned());
    let own = "service:host:app:80";
    assert_eq!(ids(&healthy(&[])), (vec![check(own, "healthcheck")], Some(own.to_owned())));
    assert_eq!(ids(&healthy(&[("SERVICE_CHECK_HTTP", "/")])), (vec![check(own, "http")], None));
    assert_eq!(ids(&healthy(&[("SERVICE_CHECK_DOCKER", "false")])), (vec![check(own, "tcp")], None));
    let both = ids(&healthy(&[("SERVICE_CHECK_HTTP", "/"), ("SERVICE_CHECK_DOCKER", "true")]));
    let second = "service:host:app:80:healthcheck";
    assert_eq!(both, (vec![check(own, "http"), check(second, "healthcheck")], Some(second.to_owned())));
    let (_, lines) = complaints(&[("SERVICE_CHECK_DOCKER", "true")]);
    assert!(lines[0].contains("no `HEALTHCHECK`"), "{lines:?}");
}

#[test]
fn several_names_are_several_instances_of_one_port() {
    let registered = register(&container(&[("SERVICE_80_NAME", "web, api,web"), ("SERVICE_TAGS", "a")]));
    let told: Vec<_> =
        registered.iter().map(|r| (&*r.instance.name, &*r.instance.id, r.instance.meta.get(MARK))).collect();
    let mark = "wharf-registrator:host".to_owned();
    assert_eq!(told, [("web", "host:app:80", None), ("api", "host:app:80:api", Some(&mark))]);
    assert!(registered.iter().all(|r| r.instance.port == 32768 && r.instance.tags == ["a"]));
}

#[test]
fn tcp_and_udp_of_one_port_may_say_different_things_and_ranges_name_many_ports() {
    let mut container = container(&[
        ("SERVICE_53_TCP_NAME", "dns-tcp"),
        ("SERVICE_53_UDP_NAME", "dns"),
        ("SERVICE_8000-8001_NAME", "pool"),
    ]);
    container.ports = ["53/tcp", "53/udp", "8000/tcp", "8001/tcp"]
        .iter()
        .enumerate()
        .map(|(at, name)| port(name, Some(9000 + at as u16)))
        .collect();
    assert_eq!(names(&container), ["dns-tcp", "dns", "pool", "pool"]);
}

fn on_networks(labels: &[(&str, &str)]) -> Container {
    let networks = BTreeMap::from([
        ("front".to_owned(), vec!["10.1.0.2".parse().unwrap()]),
        ("six".to_owned(), vec!["fd00::2".parse().unwrap()]),
        ("none".to_owned(), vec![]),
    ]);
    Container { networks, ..container(labels) }
}

#[test]
fn a_network_of_choice_gives_the_containers_address_there_with_its_own_port() {
    let at = |label: &str| {
        let registered = register(&on_networks(&[("SERVICE_NETWORK", label)])).remove(0).instance;
        (registered.address, registered.port)
    };
    assert_eq!(at("front"), ("10.1.0.2".to_owned(), 80));
    assert_eq!(at("six"), ("fd00::2".to_owned(), 80));
    let (registered, complaints) = split(&config(), true, &on_networks(&[("SERVICE_NETWORK", "none")]));
    assert!(registered.is_empty() && complaints[0].to_string().contains("docker network connect"));
}

#[test]
fn an_address_of_choice_replaces_the_address_and_never_the_port() {
    let registered = one(&[("SERVICE_ADDRESS", "[fd00::9]"), ("SERVICE_CHECK_HTTP", "/h")]);
    assert_eq!((registered.instance.address.as_str(), registered.instance.port), ("fd00::9", 32768));
    let ProbeKind::Http { url, .. } = registered.check().unwrap().probe.unwrap().kind else { panic!() };
    assert_eq!(url, "http://[fd00::9]:32768/h");
    let (registered, lines) = complaints(&[("SERVICE_ADDRESS", "http://x/")]);
    assert_eq!((registered.instance.address.as_str(), lines.len()), ("192.0.2.1", 1));
    let by_label = Config { ip_from_label: "my.ip".to_owned(), ..config() };
    let (registered, _) = split(&by_label, true, &container(&[("my.ip", "10.7.0.1/24")]));
    assert_eq!(registered[0].instance.address, "10.7.0.1");
}

#[test]
fn the_advertised_address_replaces_a_bound_one_only_when_told_to() {
    let mut container = container(&[]);
    let published = Published { address: Some("10.9.8.7".parse().unwrap()), port: 8080 };
    container.ports = BTreeMap::from([("80/tcp".parse().unwrap(), vec![published])]);
    let replaced = Config { advertise_bound: true, ..config() };
    assert_eq!(split(&replaced, true, &container).0[0].instance.address, "192.0.2.1");
}

#[test]
fn weights_tag_override_and_maintenance_are_had_by_label() {
    let registered = one(&[
        ("SERVICE_WEIGHT", "10"),
        ("SERVICE_WEIGHT_WARNING", "0"),
        ("SERVICE_ENABLE_TAG_OVERRIDE", "true"),
        ("SERVICE_MAINTENANCE", "new disk"),
    ]);
    let weights = registered.instance.weights;
    assert_eq!((weights.passing, weights.warning), (10, 0));
    assert!(registered.instance.enable_tag_override);
    assert_eq!(registered.out.as_deref(), Some("maintenance by label: new disk"));
    assert_eq!(one(&[("SERVICE_MAINTENANCE", "false")]).out, None);
    let (registered, lines) =
        complaints(&[("SERVICE_WEIGHT", "0"), ("SERVICE_ENABLE_TAG_OVERRIDE", "so-so")]);
    assert_eq!((registered.instance.weights.passing, lines.len()), (1, 2));
}

#[test]
fn tags_of_the_settings_come_after_those_of_the_container() {
    let tagged = Config { tags: "all,{{.Config.Labels.zone}}".to_owned(), ..config() };
    let (registered, _) = split(&tagged, true, &container(&[("SERVICE_TAGS", "own"), ("zone", "a")]));
    assert_eq!(registered[0].instance.tags, ["own", "all", "a"]);
}

#[test]
fn in_a_catalog_without_an_agent_nobody_runs_checks_and_nothing_pretends_to() {
    let bare = Config { checks_are_run: false, ..config() };
    let (registered, complaints) = split(&bare, true, &container(&[("SERVICE_CHECK_HTTP", "/")]));
    assert!(registered[0].checks.is_empty() && complaints[0].to_string().contains("agent"), "{complaints:?}");
    assert_eq!(split(&bare, true, &healthy(&[])).0[0].checks.len(), 1);
}

#[test]
fn a_sign_of_life_is_a_check_of_its_own() {
    let ttl = Ttl { ttl: Duration::from_secs(30), refresh: Duration::from_secs(10) };
    let (registered, _) = split(&Config { ttl: Some(ttl), ..config() }, true, &container(&[]));
    let check = registered[0].checks.last().unwrap();
    assert_eq!((&*check.id, check.status), ("service:host:app:80:ttl", Status::Passing));
    assert_eq!(check.probe.as_ref().unwrap().kind, ProbeKind::Ttl { ttl: Duration::from_secs(30) });
}

/// Labels as a hostile or careless user might write them.
pub(crate) fn any_labels() -> impl Strategy<Value = Vec<(String, String)>> {
    let word = prop::sample::select(vec![
        "NAME",
        "TAGS",
        "ID",
        "IGNORE",
        "CHECK_HTTP",
        "CHECK_HTTPS",
        "CHECK_TCP",
        "CHECK_TTL",
        "CHECK_INTERVAL",
        "CHECK_TIMEOUT",
        "CHECK_CMD",
        "CHECK_INITIAL_STATUS",
        "CHECK_DEREGISTER_AFTER",
        "CHECK_HTTP_METHOD",
        "CHECK_2_HTTP",
        "CHECK_300_TCP",
        "CHECK_GRPC",
        "CHECK_DOCKER",
        "NETWORK",
        "ADDRESS",
        "WEIGHT",
        "MAINTENANCE",
        "DRAIN",
        "X",
        "",
    ]);
    let port = prop::sample::select(vec!["", "80_", "53_", "53_udp_", "50-60_", "9-1_", "0_", "99999_", "_"]);
    let key =
        (port, word, "[a-zA-Z_é ]{0,3}").prop_map(|(port, word, rest)| format!("SERVICE_{port}{word}{rest}"));
    let value = prop_oneof![
        Just("10s".to_owned()),
        Just("passing".to_owned()),
        Just("web-1".to_owned()),
        ".{0,20}",
        Just("x".repeat(2000)),
    ];
    prop::collection::vec((key, value), 0..12)
}

proptest! {
    #[test]
    fn no_label_panics_and_ids_stay_apart(labels in any_labels(), environment in any_labels(), internal: bool) {
        let mut container = container(&[]);
        container.labels = labels.into_iter().collect();
        container.environment = environment;
        container.ports.extend([port("53/tcp", Some(53)), port("53/udp", Some(53))]);
        let config = Config { internal, ..config() };
        let (registered, complaints) = split(&config, true, &container);
        let ids: HashSet<_> = registered.iter().map(|r| r.instance.id.clone()).collect();
        prop_assert_eq!(ids.len(), registered.len());
        prop_assert!(complaints.iter().all(|c| c.to_string().len() < 1000));
    }
}
