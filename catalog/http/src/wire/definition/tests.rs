use std::time::Duration;

use wharf_catalog::ProbeKind;

use super::*;
use crate::{
    fields::Spelling,
    wire::check_definition::{MIN_DEREGISTER_AFTER, MIN_INTERVAL, refuse_scripts},
};

fn read(json: &str) -> Result<ServiceDefinition> {
    let fields = Fields::parse(json.as_bytes(), Spelling::Snake)?;
    ServiceDefinition::read(fields, &Arc::from("n"))
}

fn refusal(json: &str) -> String {
    read(json).expect_err(json).to_string()
}

#[test]
fn a_name_is_enough() {
    let definition = read(r#"{"Name":"web"}"#).unwrap();
    assert_eq!((&*definition.instance.id, &*definition.instance.name), ("web", "web"));
    assert!(definition.checks.is_empty());
}

#[test]
fn checks_without_ids_are_numbered_when_there_are_several() {
    let one = read(r#"{"Name":"web","ID":"w1","Checks":[{"TTL":"10s"}]}"#).unwrap();
    assert_eq!(&*one.checks[0].id, "service:w1");
    assert_eq!(one.checks[0].name, "Service 'web' check");
    let many = read(
        r#"{"Name":"web","Check":{"TTL":"1m","Name":"single"},"Checks":[{"TTL":"1m"},{"TTL":"1m","CheckID":"mine"},{"TTL":"1m"}]}"#,
    )
    .unwrap();
    let ids: Vec<_> = many.checks.iter().map(|check| &*check.id).collect();
    assert_eq!(ids, ["service:web:1", "service:web:2", "mine", "service:web:4"]);
}

#[test]
fn an_http_check_keeps_what_it_asks() {
    let check = &read(
        r#"{"name":"web","check":{"http":"http://h/x","method":"POST","header":{"X-A":["1","2"]},
        "body":"ping","tls_skip_verify":true,"interval":"5s","timeout":2000000000,
        "deregister_critical_service_after":"90m","failures_before_critical":3}}"#,
    )
    .unwrap()
    .checks[0];
    let probe = check.probe.clone().unwrap();
    assert_eq!(probe.interval, Duration::from_secs(5));
    assert_eq!(probe.timeout, Duration::from_secs(2));
    assert_eq!(probe.deregister_after, Some(Duration::from_secs(5400)));
    assert_eq!(probe.failures_before_critical, 3);
    let ProbeKind::Http { url, headers, tls_skip_verify, .. } = probe.kind else {
        panic!("{probe:?}");
    };
    assert_eq!((url.as_str(), headers["X-A"].len(), tls_skip_verify), ("http://h/x", 2, true));
}

#[test]
fn absurdly_short_times_are_lengthened() {
    let check =
        &read(r#"{"Name":"w","Check":{"TCP":"h:1","Interval":"1ns","DeregisterCriticalServiceAfter":"1s"}}"#)
            .unwrap()
            .checks[0];
    let probe = check.probe.as_ref().unwrap();
    assert_eq!(probe.interval, MIN_INTERVAL);
    assert_eq!(probe.deregister_after, Some(MIN_DEREGISTER_AFTER));
}

#[test]
fn refusals_say_what_consul_says() {
    for (json, text) in [
        ("{}", "Missing service name"),
        ("null", "Missing service name"),
        (
            r#"{"Name":"b","Check":{"TTL":"10m","Status":"maybe"}}"#,
            "Status for checks must 'passing', 'warning', 'critical'",
        ),
        (
            r#"{"Name":"b","Check":{"HTTP":"http://x"}}"#,
            "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks",
        ),
        (r#"{"Name":"b","Check":{"Name":"x"}}"#, "Invalid check: TTL must be > 0 for TTL checks"),
        (
            r#"{"Name":"b","Check":{"TTL":"5s","Interval":"5s"}}"#,
            "Invalid check: Interval and TTL cannot both be specified",
        ),
        (
            r#"{"Name":"b","Meta":{"a b":"1"}}"#,
            "Invalid Service Meta: Couldn't load metadata pair ('a b', '1'): Key contains invalid characters",
        ),
        (
            r#"{"Name":"b","Weights":{"Passing":70000,"Warning":1}}"#,
            "Invalid Weights: DNS Weight must be between 0 and 65535",
        ),
        (
            r#"{"Name":"b","Weights":{"Passing":-1,"Warning":1}}"#,
            "Invalid Weights: Passing must be greater than 0",
        ),
        (
            r#"{"Name":"b","Check":{"TTL":"5s","ID":"x"}}"#,
            "Request decode failed: json: unknown field \"ID\"",
        ),
    ] {
        assert_eq!(refusal(json), text, "{json}");
    }
}

fn kind(check: &str) -> ProbeKind {
    let definition = read(&format!(r#"{{"Name":"b","Check":{{{check}}}}}"#)).expect(check);
    definition.checks[0].probe.clone().unwrap().kind
}

#[test]
fn every_kind_of_check_is_read() {
    for (check, label) in [
        (r#""Args":["/bin/true"],"Interval":"5s""#, "script"),
        (r#""DockerContainerID":"c","Shell":"/bin/sh","ScriptArgs":["true"],"Interval":"5s""#, "docker"),
        (r#""GRPC":"h:1/s","grpc_use_tls":true,"Interval":"5s""#, "grpc"),
        (r#""UDP":"h:1","Interval":"5s""#, "udp"),
        (r#""H2PING":"h:1","Interval":"5s""#, "h2ping"),
        (r#""AliasService":"x""#, "alias"),
        (r#""AliasNode":"n","AliasService":"x","Interval":"5s""#, "alias"),
    ] {
        assert_eq!(kind(check).label(), label);
    }
    assert!(matches!(
        kind(r#""GRPC":"h:1","GRPCUseTLS":true,"Interval":"5s""#),
        ProbeKind::Grpc { tls: true, .. }
    ));
    assert!(matches!(kind(r#""H2PING":"h:1","Interval":"5s""#), ProbeKind::H2Ping { tls: true, .. }));
}

#[test]
fn what_runs_commands_needs_leave() {
    let config = crate::Config::default();
    let allowed = crate::Config { enable_script_checks: true, ..crate::Config::default() };
    for check in
        [r#""Args":["true"],"Interval":"5s""#, r#""DockerContainerID":"c","Args":["true"],"Interval":"5s""#]
    {
        let check = &read(&format!(r#"{{"Name":"b","Check":{{{check}}}}}"#)).unwrap().checks[0];
        let refusal = refuse_scripts(check, &config).unwrap_err().to_string();
        assert!(refusal.contains("--enable-script-checks"), "{refusal}");
        assert!(refuse_scripts(check, &allowed).is_ok());
    }
}

#[test]
fn thresholds_and_output_sizes_are_kept_within_bounds() {
    let definition = read(
        r#"{"Name":"b","Check":{"TCP":"h:1","Interval":"5s","FailuresBeforeCritical":3,"FailuresBeforeWarning":2,"OutputMaxSize":9999999}}"#,
    )
    .unwrap();
    let probe = definition.checks[0].probe.clone().unwrap();
    assert_eq!((probe.failures_before_warning, probe.output_max_size), (2, 4096));
    let refused = refusal(r#"{"Name":"b","Check":{"TCP":"h:1","Interval":"5s","FailuresBeforeWarning":2}}"#);
    assert!(refused.contains("can't be higher"), "{refused}");
}

#[test]
fn a_mesh_proxy_is_kept_and_an_automatic_sidecar_refused() {
    let definition = read(
        r#"{"Name":"p","Kind":"connect-proxy","Port":1,"Proxy":{"DestinationServiceName":"web","Upstreams":[{"DestinationName":"db","LocalBindPort":2}]}}"#,
    )
    .unwrap();
    let proxy = definition.instance.proxy.unwrap();
    assert_eq!(
        (proxy.destination_service.as_str(), proxy.upstreams[0].destination_type.as_str()),
        ("web", "service")
    );
    let refused = refusal(r#"{"Name":"p","Connect":{"SidecarService":{"Port":1}}}"#);
    assert!(refused.contains("service mesh"), "{refused}");
}

#[test]
fn a_number_that_is_no_port_is_told_and_counts_as_none() {
    for odd in [-1, 70_000] {
        let instance = read(&format!(r#"{{"Name":"p","Port":{odd}}}"#)).unwrap().instance;
        assert_eq!((instance.port, instance.odd_port), (0, Some(odd)));
    }
}

#[test]
fn an_own_address_is_told_by_family() {
    let definition = read(
        r#"{"Name":"w","Address":"10.1.2.3","Port":80,"TaggedAddresses":{"wan_ipv4":{"Address":"1.1.1.1"}}}"#,
    )
    .unwrap();
    let tagged = &definition.instance.tagged_addresses;
    assert_eq!((tagged["lan_ipv4"].address.as_str(), tagged["lan_ipv4"].port), ("10.1.2.3", 80));
    assert_eq!(tagged["wan_ipv4"].address, "1.1.1.1");
    assert_eq!(read(r#"{"Name":"w","Address":"host"}"#).unwrap().instance.tagged_addresses.len(), 0);
}
