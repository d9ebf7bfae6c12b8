//! What is asked for? Pure: a name's labels -> a [`Subject`]. Names: Consul's documentation, "DNS interface".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::Name;

use crate::Config;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Instances of a service; with a tag only those that carry it.
    Service { name: String, tag: Option<String> },
    /// A prepared query, by name or id.
    Query(String),
    /// A service behind the load balancer.
    Virtual(String),
    /// A node.
    Node(String),
    /// An address that is written in the name itself; `None`: of no length an address has.
    Address(Option<IpAddr>),
    /// The name of an address (`4.3.2.1.in-addr.arpa`); `None`: of a part of one.
    Reverse(Option<IpAddr>),
    /// Nothing that is known here: names that only lead on to others (`service.consul`) too, as in Consul.
    Nothing,
}

/// The zone's name; the root when the configured one is no name.
pub(crate) fn zone(config: &Config) -> Name {
    raw_name(config.domain.trim_matches('.')).unwrap_or_else(Name::root)
}

/// Every name the zone goes by, the longest first: one may lie within the other.
pub(crate) fn zones(config: &Config) -> Vec<Name> {
    let alt = config.alt_domain.as_deref().and_then(|alt| raw_name(alt.trim_matches('.')));
    let mut zones: Vec<Name> = alt.into_iter().chain([zone(config)]).collect();
    zones.sort_by_key(|zone| std::cmp::Reverse(zone.num_labels()));
    zones
}

/// A complete name of these labels, whatever characters they have; `None` when DNS cannot carry it.
pub(crate) fn raw_name(dotted: &str) -> Option<Name> {
    let mut name = Name::from_labels(dotted.split('.').map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The subject of `name`, or `None` when it lies outside of `zones` and is of no address.
pub(crate) fn subject(name: &Name, zones: &[Name], datacenter: &str) -> Option<Subject> {
    let labels = |count: usize| -> Vec<String> {
        name.iter().take(count).map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect()
    };
    let all = usize::from(name.num_labels());
    match zones.iter().find(|zone| zone.zone_of(name)) {
        Some(zone) => Some(below_zone(&labels(all.checked_sub(usize::from(zone.num_labels()))?), datacenter)),
        None => reverse(&labels(all)),
    }
}

fn below_zone(labels: &[String], datacenter: &str) -> Subject {
    // The kind is the last word that is one; only the datacenter may follow it.
    let kind = labels.iter().rposition(|label| is_kind(label));
    let rfc2782 = labels.iter().rposition(|label| label.starts_with('_'));
    let (kind, parts, after) = match (kind, rfc2782) {
        (Some(at), under) if under.is_none_or(|under| under < at) => {
            (labels[at].as_str(), &labels[..at], &labels[at + 1..])
        }
        // `_web._tcp.consul` is short for `_web._tcp.service.consul`.
        (_, Some(at)) => ("service", &labels[..=at], &labels[at + 1..]),
        _ => return Subject::Nothing,
    };
    let known = match after {
        [] => true,
        [dc] => dc.eq_ignore_ascii_case(datacenter),
        _ => false,
    };
    if !known {
        return Subject::Nothing;
    }
    match (kind, parts) {
        (_, []) => Subject::Nothing,
        ("service", parts) => service(parts),
        ("query", parts) => Subject::Query(parts.join(".")),
        ("virtual", parts) => Subject::Virtual(parts.join(".")),
        ("node", parts) => Subject::Node(parts.join(".")),
        (_, [hex]) => written_address(hex),
        _ => Subject::Nothing,
    }
}

fn is_kind(label: &str) -> bool {
    matches!(label, "service" | "node" | "addr" | "query" | "virtual")
}

fn service(parts: &[String]) -> Subject {
    if let [name, tag] = parts
        && let (Some(name), Some(tag)) = (name.strip_prefix('_'), tag.strip_prefix('_'))
    {
        let tag = Some(tag.to_owned()).filter(|tag| tag != "tcp");
        return Subject::Service { name: name.to_owned(), tag };
    }
    let [tags @ .., name] = parts else {
        return Subject::Nothing;
    };
    let tag = Some(tags.join(".")).filter(|_| !tags.is_empty());
    Subject::Service { name: name.clone(), tag }
}

/// As in Consul, what has the length of an address and is none does not exist; anything else does, and is empty.
fn written_address(hex: &str) -> Subject {
    match (hex.len() / 2, address(hex)) {
        (4 | 16, None) => Subject::Nothing,
        (_, address) => Subject::Address(address),
    }
}

/// `0a090101` is 10.9.1.1; 32 digits are an IPv6 address.
fn address(hex: &str) -> Option<IpAddr> {
    if !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    match hex.len() {
        8 => u32::from_str_radix(hex, 16).ok().map(|bits| Ipv4Addr::from(bits).into()),
        32 => u128::from_str_radix(hex, 16).ok().map(|bits| Ipv6Addr::from(bits).into()),
        _ => None,
    }
}

/// Names of addresses: RFC 1035, 3.5, and RFC 3596, 2.5.
fn reverse(labels: &[String]) -> Option<Subject> {
    let (kind, "arpa") = (labels.iter().rev().nth(1)?.as_str(), labels.last()?.as_str()) else {
        return None;
    };
    let digits = labels.iter().rev().skip(2);
    let address = match (kind, labels.len()) {
        ("in-addr", 6) => {
            let bytes: Option<Vec<u8>> = digits.map(|label| label.parse().ok()).collect();
            bytes.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(IpAddr::from)
        }
        ("ip6", 34) => address(&digits.map(String::as_str).collect::<String>()).filter(IpAddr::is_ipv6),
        ("in-addr" | "ip6", _) => None,
        _ => return None,
    };
    Some(Subject::Reverse(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str) -> Option<Subject> {
        let config = Config { alt_domain: Some("alt.consul".to_owned()), ..Config::default() };
        let name = raw_name(name.trim_end_matches('.')).unwrap();
        subject(&name, &zones(&config), "dc1")
    }

    fn service(name: &str, tag: Option<&str>) -> Option<Subject> {
        let (name, tag) = (name.to_owned(), tag.map(str::to_owned));
        Some(Subject::Service { name, tag })
    }

    #[test]
    fn services_are_named_with_and_without_tag_and_datacenter_in_any_case() {
        assert_eq!(asked("web.service.consul."), service("web", None));
        assert_eq!(asked("WEB.Service.DC1.Consul."), service("web", None));
        assert_eq!(asked("v1.web.service.consul."), service("web", Some("v1")));
        assert_eq!(asked("a.b.web.service.dc1.consul."), service("web", Some("a.b")));
        assert_eq!(asked("_web._tcp.service.consul."), service("web", None));
        assert_eq!(asked("_web._v1.service.dc1.consul."), service("web", Some("v1")));
        assert_eq!(asked("_web._tcp.consul."), service("web", None));
        assert_eq!(asked("_d_x._t_u.service.consul."), service("d_x", Some("t_u")));
        assert_eq!(asked("node.service.consul."), service("node", None));
    }

    #[test]
    fn nodes_and_addresses() {
        assert_eq!(asked("n1.node.consul."), Some(Subject::Node("n1".to_owned())));
        assert_eq!(asked("n.dot.node.dc1.consul."), Some(Subject::Node("n.dot".to_owned())));
        let four = IpAddr::from([10, 9, 1, 1]);
        assert_eq!(asked("0A090101.addr.consul."), Some(Subject::Address(Some(four))));
        let six = "2001:db8::4".parse().unwrap();
        assert_eq!(
            asked("20010db8000000000000000000000004.addr.dc1.consul."),
            Some(Subject::Address(Some(six)))
        );
    }

    #[test]
    fn the_second_domain_is_the_same_zone_even_below_the_first() {
        assert_eq!(asked("web.service.alt.consul."), service("web", None));
        assert_eq!(asked("n1.node.dc1.ALT.consul."), Some(Subject::Node("n1".to_owned())));
    }

    #[test]
    fn queries_and_services_behind_the_proxy() {
        assert_eq!(asked("a.b.query.dc1.consul."), Some(Subject::Query("a.b".to_owned())));
        assert_eq!(asked("_q._tcp.query.consul."), Some(Subject::Query("_q._tcp".to_owned())));
        assert_eq!(asked("Web.virtual.consul."), Some(Subject::Virtual("web".to_owned())));
    }

    #[test]
    fn names_of_addresses_are_ours_to_look_up_and_the_rest_of_arpa_is_not() {
        let four = Some(IpAddr::from([10, 9, 1, 1]));
        assert_eq!(asked("1.1.9.10.in-addr.ARPA."), Some(Subject::Reverse(four)));
        let six = "4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
        assert_eq!(asked(six), Some(Subject::Reverse("2001:db8::4".parse().ok())));
        for part in ["9.10.in-addr.arpa.", "x.1.9.10.in-addr.arpa.", "1.1.1.300.in-addr.arpa.", "ip6.arpa."] {
            assert_eq!(asked(part), Some(Subject::Reverse(None)), "{part}");
        }
        assert_eq!(asked("e164.arpa."), None);
        assert_eq!(asked("arpa."), None);
    }

    #[test]
    fn what_is_nothing_and_what_is_not_ours() {
        for nothing in [
            "consul.",
            "service.consul.",
            "node.consul.",
            "dc1.consul.",
            "service.dc1.consul.",
            "web.consul.",
            "web.bogus.consul.",
            "web.connect.consul.",
            "web.service.dc9.consul.",
            "web.service.dc1.extra.consul.",
            "zzzzzzzz.addr.consul.",
            "+0a09010.addr.consul.",
        ] {
            assert_eq!(asked(nothing), Some(Subject::Nothing), "{nothing}");
        }
        assert_eq!(asked("zz.addr.consul."), Some(Subject::Address(None)));
        assert_eq!(asked("example.com."), None);
        assert_eq!(asked("notconsul."), None);
    }
}
