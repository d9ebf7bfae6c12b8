//! What is there of a service? Pure. Addresses, ports and weights of the instances that may be sent traffic.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use hickory_proto::rr::{Name, RecordType};
use wharf_catalog::{Health, InstanceHealth, Topic};

use super::{Answer, Context, Order, Sections, records::Zone};
use crate::{Config, ServiceQuery, question};

/// Which instances are meant, and how long that may be remembered.
pub(super) struct Selection<'a> {
    service: &'a str,
    tag: Option<&'a str>,
    query: Option<&'a ServiceQuery>,
    only_passing: bool,
    ttl: Duration,
}

impl<'a> Selection<'a> {
    pub(super) fn service(config: &Config, lower: &'a str, tag: Option<&'a str>) -> Self {
        let ttl = config.ttl_of_service(lower);
        Self { service: lower, tag, query: None, only_passing: config.only_passing, ttl }
    }

    pub(super) fn query(config: &Config, query: &'a ServiceQuery) -> Self {
        let ttl = query.ttl.unwrap_or_else(|| config.ttl_of_service(&query.service.to_ascii_lowercase()));
        let only_passing = query.only_passing || config.only_passing;
        Self { service: &query.service, tag: None, query: Some(query), only_passing, ttl }
    }

    fn selects(&self, instance: &InstanceHealth<'_>) -> bool {
        let tagged = |tag: &str| instance.instance.tags.iter().any(|has| has.eq_ignore_ascii_case(tag));
        self.tag.is_none_or(tagged)
            && self.query.is_none_or(|query| query.selects(instance))
            && self.takes_traffic(instance.health())
    }

    fn takes_traffic(&self, health: Health) -> bool {
        health.takes_traffic() || (!self.only_passing && health == Health::Warning)
    }
}

impl<'a> Context<'a> {
    pub(super) fn service(
        self,
        selection: &Selection<'_>,
        name: &Name,
        kind: RecordType,
        chases: u8,
    ) -> Answer {
        let zone = self.zone_with(selection.ttl);
        let lower = selection.service.to_ascii_lowercase();
        let (mut depends, mut instances) = (vec![Topic::Services], Vec::new());
        for spelling in self.spellings.services(&lower) {
            depends.push(Topic::Health(spelling.into()));
            let meant = self.state.service_health(spelling).filter(|instance| selection.selects(instance));
            instances.extend(meant);
        }
        if instances.is_empty() {
            return Answer::NoSuchName(zone.negative());
        }
        let mut sections = match kind {
            RecordType::SRV => self.srv(&zone, name, &instances, chases),
            _ => self.hosts(&zone, name, kind, instances.iter().map(|i| address(i, name)), chases),
        };
        if sections.answers.is_empty() {
            return Answer::Found(zone.negative());
        }
        // Other services may have been asked for their addresses, and queries may be edited.
        if sections.order == Order::Any && selection.query.is_none() {
            sections.depends = depends;
        }
        Answer::Found(sections)
    }

    /// Where each instance is, with port and weight; addresses of the targets ride along.
    fn srv(self, zone: &Zone, name: &Name, instances: &[InstanceHealth<'a>], chases: u8) -> Sections {
        let mut sections = Sections { order: Order::Any, ..Sections::default() };
        let (mut told, mut targets) = (HashSet::new(), HashSet::new());
        for instance in instances {
            let (own, port) = (own_address(instance, name), instance.instance.port);
            if !told.insert((&instance.node.name, own, port)) {
                continue;
            }
            let Some(target) = zone.target(instance.node, own) else {
                continue;
            };
            let weights = instance.instance.weights;
            let weight = match instance.health() {
                Health::Passing => weights.passing,
                _ => weights.warning,
            };
            sections.answers.push(zone.srv(name, weight, port, target.clone()));
            if targets.insert(target.clone()) {
                self.target_records(zone, instance, own, &target, chases, &mut sections);
            }
        }
        sections
    }

    fn target_records(
        self,
        zone: &Zone,
        instance: &InstanceHealth<'_>,
        own: &str,
        target: &Name,
        chases: u8,
        sections: &mut Sections,
    ) {
        if own.is_empty() {
            let address = [instance.node.address.as_str()];
            let hosts = self.hosts(zone, target, RecordType::ANY, address, chases);
            sections.additionals.extend(hosts.answers);
            sections.additionals.extend(zone.metadata(target, instance.node));
        } else if let Ok(address) = own.parse::<IpAddr>() {
            sections.additionals.push(zone.address(target, address));
        } else {
            let chased = self.chase(target, RecordType::ANY, chases);
            if !chased.is_empty() {
                // The answer hangs on another name.
                sections.order = Order::Kept;
            }
            sections.additionals.extend(chased);
        }
    }
}

/// The address that is not the node's own IP address: that of the instance, or the host name the node goes by. An
/// instance whose host name is the very name that is being asked for is where its node is.
fn own_address<'a>(instance: &InstanceHealth<'a>, name: &Name) -> &'a str {
    let (own, node) = (instance.instance.address.as_str(), instance.node.address.as_str());
    let is_ip = |address: &str| address.parse::<IpAddr>().is_ok();
    let is_name = || question::raw_name(own.trim_end_matches('.')).is_some_and(|own| own == *name);
    if own.is_empty() {
        if is_ip(node) { "" } else { node }
    } else if !is_ip(own) && is_name() && is_ip(node) {
        ""
    } else {
        own
    }
}

fn address<'a>(instance: &InstanceHealth<'a>, name: &Name) -> &'a str {
    match own_address(instance, name) {
        "" => &instance.node.address,
        own => own,
    }
}

impl Context<'_> {
    /// The load balancer, for every service it may have a route to.
    pub(super) fn behind_proxy(self, lower: &str, name: &Name, kind: RecordType) -> Answer {
        let mut spellings = self.spellings.services(lower);
        let known = spellings.any(|spelling| self.state.service(spelling).next().is_some());
        let Some(proxy) = self.config.proxy_addr.filter(|_| known) else {
            return self.nothing();
        };
        let zone = self.zone_with(self.config.ttl_of_service(lower));
        let record = zone.address(name, proxy);
        if kind != RecordType::ANY && kind != record.record_type() {
            return Answer::Found(zone.negative());
        }
        Answer::Found(Sections { answers: vec![record], ..Sections::default() })
    }
}
