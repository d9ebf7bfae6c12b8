//! What does the catalog say to a question? Pure: (state, names, zone, question) -> [`Answer`].
//!
//! Only instances that may be sent traffic are answered. In which order is decided for each reply (`wire`).

mod records;
mod service;

use std::{net::IpAddr, time::Duration};

use hickory_proto::rr::{Name, RData, Record, RecordType, rdata::CNAME};
use wharf_catalog::{Node, State, Topic};

use crate::{
    Config, Queries,
    question::{self, Subject},
    reverse::{Owner, Reverse},
    spelling::Spellings,
};
use records::Zone;
use service::Selection;

/// Aliases that are followed, one after the other.
const CHASES: u8 = 3;

/// What the answers of a reply are to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Order {
    /// A list in this order.
    #[default]
    Kept,
    /// Equals: in another order for each client, so that those which take the first spread themselves.
    Any,
    /// Alternatives, each begun by a CNAME of the name that was asked for: one is to be told.
    OneAlias,
}

/// Records of a reply, by section.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sections {
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
    pub(crate) additionals: Vec<Record>,
    pub(crate) order: Order,
    /// What the answer hangs on; empty: any change of the catalog may change it.
    pub(crate) depends: Vec<Topic>,
}

/// What to reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// The name exists; without answers: not with this type (NODATA).
    Found(Sections),
    /// The name does not exist (NXDOMAIN), with the SOA.
    NoSuchName(Sections),
    /// An address nobody has here: somebody else may know it.
    NoSuchAddress,
    /// Not ours to answer.
    Refused,
}

/// Who answers: the zone, and how names in it are spelt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) state: &'a State,
    pub(crate) spellings: &'a Spellings,
    pub(crate) config: &'a Config,
    pub(crate) zones: &'a [Name],
    pub(crate) queries: &'a Queries,
}

/// Answers the question for `name` and `kind`.
pub(crate) fn answer(context: Context<'_>, reverse: &mut Reverse, name: &Name, kind: RecordType) -> Answer {
    match question::subject(name, context.zones, &context.config.datacenter) {
        None => Answer::Refused,
        Some(Subject::Reverse(address)) => context.reverse(reverse, name, address),
        // As in Consul, every name of the zone answers these two for the zone.
        Some(_) if kind == RecordType::SOA => context.zone().soa_reply(context.name_server()),
        Some(_) if kind == RecordType::NS => context.zone().ns_reply(context.name_server()),
        Some(subject) => context.about(subject, name, kind, CHASES),
    }
}

impl<'a> Context<'a> {
    fn zone(self) -> Zone {
        self.zone_with(self.config.ttl_of_nodes())
    }

    fn zone_with(self, ttl: Duration) -> Zone {
        Zone::new(self.config, self.state.index(), ttl)
    }

    fn nothing(self) -> Answer {
        Answer::NoSuchName(self.zone().negative())
    }

    fn name_server(self) -> Option<&'a Node> {
        self.find_node(&self.config.node_name.to_ascii_lowercase())
    }

    fn find_node(self, lower: &str) -> Option<&'a Node> {
        let found = self.spellings.nodes(lower).find_map(|name| self.state.node(name));
        found.map(AsRef::as_ref)
    }

    fn about(self, subject: Subject, name: &Name, kind: RecordType, chases: u8) -> Answer {
        match subject {
            Subject::Service { name: service, tag } => {
                self.service(&Selection::service(self.config, &service, tag.as_deref()), name, kind, chases)
            }
            Subject::Query(query) => match self.queries.resolve(self.state, &query) {
                Some(query) => self.service(&Selection::query(self.config, &query), name, kind, chases),
                None => self.nothing(),
            },
            Subject::Virtual(service) => self.behind_proxy(&service, name, kind),
            Subject::Node(node) => self.node(name, kind, &node, chases),
            Subject::Address(address) => Answer::Found(self.written_address(name, kind, address)),
            Subject::Reverse(_) | Subject::Nothing => self.nothing(),
        }
    }

    /// Other types than these are answered with nothing, be there a node or not, as in Consul.
    fn node(self, name: &Name, kind: RecordType, lower: &str, chases: u8) -> Answer {
        let zone = self.zone();
        let mut sections = Sections::default();
        if !matches!(kind, RecordType::A | RecordType::AAAA | RecordType::TXT | RecordType::ANY) {
            return Answer::Found(sections);
        }
        let Some(node) = self.find_node(lower) else {
            return Answer::NoSuchName(zone.negative());
        };
        if kind != RecordType::TXT {
            sections = self.hosts(&zone, name, kind, [node.address.as_str()], chases);
        }
        match kind {
            RecordType::TXT | RecordType::ANY => sections.answers.extend(zone.metadata(name, node)),
            _ => sections.additionals = zone.metadata(name, node),
        }
        Answer::Found(sections)
    }

    /// What the name says itself. Asked for another type, the client is told what there is.
    fn written_address(self, name: &Name, kind: RecordType, address: Option<IpAddr>) -> Sections {
        let mut sections = Sections::default();
        if let Some(address) = address {
            let record = self.zone().address(name, address);
            let asked = kind == RecordType::ANY || kind == record.record_type();
            if asked { &mut sections.answers } else { &mut sections.additionals }.push(record);
        }
        sections
    }

    /// The name of an address, whatever type is asked for, as in Consul.
    fn reverse(self, reverse: &mut Reverse, name: &Name, address: Option<IpAddr>) -> Answer {
        let zone = self.zone();
        let owner = address.and_then(|address| reverse.refreshed(self.state).owner(address));
        let target = owner.and_then(|owner| match owner {
            Owner::Node(node) => zone.named(node, "node"),
            Owner::Service(service) => zone.named(service, "service"),
        });
        let Some(target) = target else {
            return Answer::NoSuchAddress;
        };
        Answer::Found(Sections { answers: vec![zone.pointer(name, target)], ..Sections::default() })
    }

    /// Address records of `hosts`, each address once. Host names become aliases, and only where there is no
    /// address; what lies in the zone is followed.
    fn hosts<'h>(
        self,
        zone: &Zone,
        name: &Name,
        kind: RecordType,
        hosts: impl IntoIterator<Item = &'h str>,
        chases: u8,
    ) -> Sections {
        let (answers, aliases) = zone.hosts(name, kind, hosts);
        let mut sections = Sections { answers, order: Order::Any, ..Sections::default() };
        for alias in aliases.into_iter().filter(|alias| alias != name) {
            sections.order = Order::OneAlias;
            sections.answers.push(zone.record(name, RData::CNAME(CNAME(alias.clone()))));
            if kind != RecordType::CNAME {
                sections.answers.extend(self.chase(&alias, kind, chases));
            }
        }
        sections
    }

    /// What a name of the zone has to say for an alias of it.
    fn chase(self, alias: &Name, kind: RecordType, chases: u8) -> Vec<Record> {
        let subject = question::subject(alias, self.zones, &self.config.datacenter);
        let Some((subject, chases)) = subject.zip(chases.checked_sub(1)) else {
            return Vec::new();
        };
        match self.about(subject, alias, kind, chases) {
            Answer::Found(sections) => sections.answers,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
