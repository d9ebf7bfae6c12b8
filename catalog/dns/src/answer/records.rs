//! How records of the zone are made. Pure. A name or text that DNS cannot carry gives no record, never an error.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use hickory_proto::rr::{
    Name, RData, Record, RecordType,
    rdata::{NS, PTR, SOA, SRV, TXT},
};
use wharf_catalog::{Index, Node};

use super::{Answer, Sections};
use crate::{Config, Soa, question};

/// Longest string in a TXT record, in bytes (RFC 1035, 3.3).
const TXT_STRING: usize = 255;

/// The zone that answers.
pub(super) struct Zone {
    name: Name,
    datacenter: String,
    server: Option<Name>,
    ttl: u32,
    negative_ttl: u32,
    timers: Soa,
    serial: u32,
}

impl Zone {
    pub(super) fn new(config: &Config, index: Index, ttl: Duration) -> Self {
        let seconds = |ttl: Duration| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
        let mut zone = Self {
            name: question::zone(config),
            datacenter: config.datacenter.clone(),
            server: None,
            ttl: seconds(ttl),
            negative_ttl: seconds(config.negative_ttl),
            timers: config.soa,
            // Serial numbers are compared modulo 2^32 (RFC 1982).
            serial: index.0 as u32,
        };
        zone.server = zone.named(&config.node_name, "node");
        zone
    }

    pub(super) fn record(&self, name: &Name, data: RData) -> Record {
        Record::from_rdata(name.clone(), self.ttl, data)
    }

    /// `<labels>.<kind>.<datacenter>.<zone>`.
    pub(super) fn named(&self, labels: &str, kind: &str) -> Option<Name> {
        let labels = labels.split('.').chain([kind, self.datacenter.as_str()]);
        let relative = Name::from_labels(labels.map(str::as_bytes)).ok()?;
        relative.append_domain(&self.name).ok()
    }

    fn soa(&self) -> Record {
        let under = |label: &str| {
            let label = Name::from_labels([label.as_bytes()]).unwrap_or_default();
            label.append_domain(&self.name).unwrap_or_default()
        };
        let seconds = |timer: Duration| i32::try_from(timer.as_secs()).unwrap_or(i32::MAX);
        let (refresh, retry) = (seconds(self.timers.refresh), seconds(self.timers.retry));
        let (expire, negative) = (seconds(self.timers.expire), self.negative_ttl);
        let soa = SOA::new(under("ns"), under("hostmaster"), self.serial, refresh, retry, expire, negative);
        Record::from_rdata(self.name.clone(), negative, RData::SOA(soa))
    }

    fn name_server(&self, node: Option<&Node>) -> (Vec<Record>, Vec<Record>) {
        let Some(server) = &self.server else {
            return (Vec::new(), Vec::new());
        };
        let record = self.record(&self.name, RData::NS(NS(server.clone())));
        let address = node.and_then(|node| node.address.parse().ok());
        let glue = address.map(|address| self.address(server, address)).into_iter().collect();
        (vec![record], glue)
    }

    pub(super) fn soa_reply(&self, node: Option<&Node>) -> Answer {
        let (authorities, additionals) = self.name_server(node);
        let answers = vec![self.soa()];
        Answer::Found(Sections { answers, authorities, additionals, ..Sections::default() })
    }

    pub(super) fn ns_reply(&self, node: Option<&Node>) -> Answer {
        let (answers, additionals) = self.name_server(node);
        Answer::Found(Sections { answers, additionals, ..Sections::default() })
    }

    /// What says how long "there is none" may be remembered.
    pub(super) fn negative(&self) -> Sections {
        Sections { authorities: vec![self.soa()], ..Sections::default() }
    }

    pub(super) fn address(&self, name: &Name, address: IpAddr) -> Record {
        self.record(name, address.into())
    }

    pub(super) fn pointer(&self, name: &Name, target: Name) -> Record {
        self.record(name, RData::PTR(PTR(target)))
    }

    /// Address records of `hosts`, each address once; and their host names, each once, where none has an
    /// address: an alias stands alone (RFC 1034, 3.6.2). As in Consul, TXT is answered with addresses too.
    pub(super) fn hosts<'a>(
        &self,
        name: &Name,
        kind: RecordType,
        hosts: impl IntoIterator<Item = &'a str>,
    ) -> (Vec<Record>, Vec<Name>) {
        let (mut told, mut aliases, mut has_address) = (HashSet::new(), Vec::new(), false);
        let mut records = Vec::new();
        for host in hosts {
            let Ok(address) = host.parse::<IpAddr>() else {
                aliases.extend(host_name(host).filter(|alias| !aliases.contains(alias)));
                continue;
            };
            has_address = true;
            let wanted = match kind {
                RecordType::A => address.is_ipv4(),
                RecordType::AAAA => address.is_ipv6(),
                RecordType::ANY | RecordType::TXT => true,
                _ => false,
            };
            if wanted && told.insert(address) {
                records.push(self.address(name, address));
            }
        }
        if has_address {
            aliases.clear();
        }
        (records, aliases)
    }

    pub(super) fn srv(&self, name: &Name, weight: u16, port: u16, target: Name) -> Record {
        self.record(name, RData::SRV(SRV::new(1, weight, port, target)))
    }

    /// The name an SRV record sends to: the node, or the instance's own address as a name.
    pub(super) fn target(&self, node: &Node, own: &str) -> Option<Name> {
        match own.parse::<IpAddr>() {
            Ok(address) => self.hex_name(address),
            Err(_) if !own.is_empty() => host_name(own),
            Err(_) => self.named(&node.name, "node").or_else(|| {
                let address = node.address.parse().ok()?;
                self.hex_name(address)
            }),
        }
    }

    fn hex_name(&self, address: IpAddr) -> Option<Name> {
        let hex = match address {
            IpAddr::V4(address) => format!("{:08x}", address.to_bits()),
            IpAddr::V6(address) => format!("{:032x}", address.to_bits()),
        };
        self.named(&hex, "addr")
    }

    /// A node's metadata as TXT records: `key=value` (RFC 1464), or the bare value of `rfc1035-` keys.
    pub(super) fn metadata(&self, name: &Name, node: &Node) -> Vec<Record> {
        let text = |(key, value): (&String, &String)| {
            let bare = key.to_ascii_lowercase().starts_with("rfc1035-");
            let text = if bare { value.clone() } else { format!("{}={value}", escaped(key)) };
            let strings = text.as_bytes().chunks(TXT_STRING).collect::<Vec<_>>();
            self.record(name, RData::TXT(TXT::from_bytes(strings)))
        };
        node.meta.iter().map(text).collect()
    }
}

/// RFC 1464: `=` and the grave accent in a key are quoted with a grave accent.
fn escaped(key: &str) -> String {
    key.replace('`', "``").replace('=', "`=")
}

/// A host name as a complete domain name. Underscores and the like are let through: networks of containers
/// have such names.
fn host_name(host: &str) -> Option<Name> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let plain = host.bytes().all(|byte| byte.is_ascii_graphic());
    question::raw_name(host).filter(|name| plain && !name.is_root())
}
