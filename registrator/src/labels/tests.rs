use super::*;
use crate::registration::tests::container;

fn read(environment: &[(&str, &str)], labels: &[(&str, &str)]) -> (Labels, Vec<Complaint>) {
    let mut container = container(labels);
    container.environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let mut complaints = Vec::new();
    (Labels::read(&container, &mut complaints), complaints)
}

fn tcp(number: u16) -> Port {
    Port { number, protocol: Protocol::Tcp }
}

fn name(environment: &[(&str, &str)], labels: &[(&str, &str)], port: u16) -> Option<String> {
    let (labels, _) = read(environment, labels);
    labels.for_port(tcp(port)).get("name").map(|label| label.value.clone())
}

#[test]
fn a_port_beats_none_and_a_label_beats_the_environment() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(name(&[("SERVICE_NAME", "env")], &[("SERVICE_NAME", "label")], 80), some("label"));
    assert_eq!(name(&[("SERVICE_80_NAME", "env")], &[("SERVICE_NAME", "label")], 80), some("env"));
    assert_eq!(name(&[("SERVICE_80_NAME", "env")], &[("SERVICE_NAME", "label")], 81), some("label"));
    assert_eq!(name(&[("SERVICE_80_NAME", "env")], &[("SERVICE_80_NAME", "label")], 80), some("label"));
}

#[test]
fn the_prefix_is_case_sensitive_and_the_rest_of_the_key_is_not() {
    assert_eq!(name(&[], &[("service_NAME", "x")], 80), None);
    assert_eq!(name(&[], &[("SERVICE_name", "x")], 80).as_deref(), Some("x"));
}

#[test]
fn an_empty_value_says_nothing() {
    assert_eq!(name(&[], &[("SERVICE_NAME", "")], 80), None);
}

#[test]
fn a_port_that_cannot_be_is_complained_about_once_by_name_value_and_remedy() {
    for key in [
        "SERVICE_99999_NAME",
        "SERVICE_0_NAME",
        "SERVICE_99999999999999999999_NAME",
        "SERVICE_90-80_NAME",
        "SERVICE_1-70000_NAME",
    ] {
        let (labels, complaints) = read(&[], &[(key, "web")]);
        assert!(labels.for_port(tcp(80)).is_empty());
        assert_eq!(complaints.len(), 1, "{key}");
        let line = complaints[0].to_string();
        assert!(
            line.contains("`app`")
                && line.contains(key)
                && line.contains("`web`")
                && line.contains("1 to 65535"),
            "{line}"
        );
    }
}

#[test]
fn tags_split_at_commas_that_are_not_escaped() {
    assert_eq!(split_tags(r"a,b\,c,,d\e"), ["a", "b,c", r"d\e"]);
    assert_eq!(split_tags(r"a\"), [r"a\"]);
    assert!(split_tags("").is_empty() && split_tags(",,").is_empty());
}

#[test]
fn the_narrower_key_wins_port_over_range_and_protocol_over_port() {
    let labels = [
        ("SERVICE_NAME", "all"),
        ("SERVICE_8000-8100_NAME", "wide"),
        ("SERVICE_8000-8010_NAME", "narrow"),
        ("SERVICE_8005_NAME", "port"),
        ("SERVICE_8005_UDP_NAME", "udp"),
    ];
    for (port, expected) in [
        ("80/tcp", "all"),
        ("8050/tcp", "wide"),
        ("8010/tcp", "narrow"),
        ("8005/tcp", "port"),
        ("8005/udp", "udp"),
    ] {
        let (labels, complaints) = read(&[], &labels);
        assert_eq!(labels.for_port(port.parse().unwrap())["name"].value, expected, "{port}");
        assert_eq!(complaints, []);
    }
}

#[test]
fn a_word_after_the_port_that_is_no_protocol_is_the_key() {
    let (labels, _) =
        read(&[], &[("SERVICE_80_TCP", "x"), ("SERVICE_80_UDPISH_A", "y"), ("SERVICE_A-B_C", "z")]);
    let keys: Vec<_> = labels.for_port(tcp(80)).into_keys().collect();
    assert_eq!(keys, ["a-b_c", "tcp", "udpish_a"]);
}
