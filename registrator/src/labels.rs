//! What does a container ask for? `SERVICE_*` from its environment and labels, for each port.
//!
//! A key names all ports (`SERVICE_NAME`), a range (`SERVICE_8000-8010_NAME`), a port (`SERVICE_53_NAME`), or one
//! protocol of those (`SERVICE_53_UDP_NAME`). What names fewer ports beats what names more, then labels beat the
//! environment; the prefix is case-sensitive, the rest of a key is not. Any key is kept: those that mean nothing
//! to us become metadata.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
};

use crate::{
    complaint::Complaint,
    container::{Container, Port, Protocol},
};

const PREFIX: &str = "SERVICE_";

/// One label or variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The key as the user wrote it.
    pub key: String,
    /// The value.
    pub value: String,
    /// Does the key name the port, or a range it is in?
    pub of_port: bool,
}

/// Everything a container asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(Vec<(Scope, String, Label)>);

/// The ports that a key is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scope {
    first: u16,
    last: u16,
    protocol: Option<Protocol>,
}

impl Scope {
    const ALL: Self = Self { first: 0, last: u16::MAX, protocol: None };

    fn covers(self, port: Port) -> bool {
        let protocol = self.protocol.is_none_or(|protocol| protocol == port.protocol);
        protocol && (self.first..=self.last).contains(&port.number)
    }

    /// Grows with how much a key is about one port and no other.
    fn rank(self) -> (Reverse<u16>, bool) {
        (Reverse(self.last - self.first), self.protocol.is_some())
    }
}

impl Labels {
    /// Reads environment and labels.
    pub fn read(container: &Container, complaints: &mut Vec<Complaint>) -> Self {
        let environment = container.environment.iter().map(|(key, value)| (key, value));
        let mut labels = Vec::new();
        for (key, value) in environment.chain(&container.labels) {
            let Some(rest) = key.strip_prefix(PREFIX).map(str::to_lowercase) else {
                continue;
            };
            match split_key(&rest) {
                Ok((scope, name)) => {
                    let (key, value, of_port) = (key.clone(), value.clone(), scope != Scope::ALL);
                    labels.push((scope, name.to_owned(), Label { key, value, of_port }));
                }
                Err(NoSuchPort) => complaints.push(Complaint::new(
                    &container.name,
                    key,
                    value,
                    "no such port, ignored",
                    "name a port from 1 to 65535",
                )),
            }
        }
        Self(labels)
    }

    /// What holds for one port, by lower-case key without prefix and port. Empty values say nothing.
    pub fn for_port(&self, port: Port) -> BTreeMap<&str, &Label> {
        let mut best: BTreeMap<&str, (Scope, &Label)> = BTreeMap::new();
        for (scope, name, label) in self.0.iter().filter(|(scope, ..)| scope.covers(port)) {
            match best.entry(name) {
                Entry::Vacant(place) => {
                    place.insert((*scope, label));
                }
                Entry::Occupied(mut place) if scope.rank() >= place.get().0.rank() => {
                    place.insert((*scope, label));
                }
                Entry::Occupied(_) => {}
            }
        }
        let said = |label: &&Label| !label.value.is_empty();
        best.into_iter().map(|(name, (_, label))| (name, label)).filter(|(_, label)| said(label)).collect()
    }
}

struct NoSuchPort;

/// Splits `53_udp_name` into what it is about and what it says; the key is in lower case.
fn split_key(key: &str) -> Result<(Scope, &str), NoSuchPort> {
    let Some((ports, name)) = key.split_once('_') else {
        return Ok((Scope::ALL, key));
    };
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    if !is_number(first) || !is_number(last) {
        return Ok((Scope::ALL, key));
    }
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        return Err(NoSuchPort);
    };
    if first == 0 || last < first {
        return Err(NoSuchPort);
    }
    let protocols = [("tcp_", Protocol::Tcp), ("udp_", Protocol::Udp), ("sctp_", Protocol::Sctp)];
    let of_protocol = protocols.iter().find_map(|(word, protocol)| {
        let rest = name.strip_prefix(word).filter(|rest| !rest.is_empty())?;
        Some((Scope { first, last, protocol: Some(*protocol) }, rest))
    });
    Ok(of_protocol.unwrap_or((Scope { first, last, protocol: None }, name)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads a yes or no; `None` for what is neither.
pub fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" | "yes" | "on" => Some(true),
        "false" | "f" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Splits at commas; `\,` is a comma in a tag. Empty tags are dropped.
pub fn split_tags(text: &str) -> Vec<String> {
    let mut tags = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let tag = match c {
            '\\' if rest.peek() == Some(&',') => rest.next(),
            ',' => {
                tags.push(String::new());
                None
            }
            other => Some(other),
        };
        if let (Some(c), Some(last)) = (tag, tags.last_mut()) {
            last.push(c);
        }
    }
    tags.retain(|tag| !tag.is_empty());
    tags
}

#[cfg(test)]
mod tests;
