//! How the catalog's records answer for their fields. The names are those of `fields`; a test asks every
//! one of them.

use std::collections::BTreeMap;

use wharf_catalog::{Check, Instance, InstanceHealth, Node, TaggedAddress};
use wharf_catalog_filter::{Record, Shape, Value};

use super::fields::{CONNECT, PROXY};

type Test<'t> = &'t dyn Fn(Value<'_>) -> bool;

/// A node, in this datacenter.
pub(crate) struct NodeRecord<'a>(pub(crate) &'a Node, pub(crate) &'a str);

impl Record for NodeRecord<'_> {
    fn test(&self, path: &[String], test: Test<'_>) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        let Self(node, datacenter) = *self;
        match name.as_str() {
            "ID" => test(Value::Text(&node.id)),
            "Node" => test(Value::Text(&node.name)),
            "Address" => test(Value::Text(&node.address)),
            "Datacenter" => test(Value::Text(datacenter)),
            "TaggedAddresses" => texts(&node.tagged_addresses, rest, test),
            "Meta" | "NodeMeta" => texts(&node.meta, rest, test),
            _ => false,
        }
    }
}

/// An instance without its node.
pub(crate) struct ServiceRecord<'a>(pub(crate) &'a Instance);

impl Record for ServiceRecord<'_> {
    fn test(&self, path: &[String], test: Test<'_>) -> bool {
        match path.split_first() {
            Some((name, rest)) => instance(self.0, name, rest, test),
            None => false,
        }
    }
}

fn instance(instance: &Instance, name: &str, rest: &[String], test: Test<'_>) -> bool {
    match name {
        "Kind" => test(Value::Text(&instance.kind)),
        "ID" => test(Value::Text(&instance.id)),
        "Service" => test(Value::Text(&instance.name)),
        "Tags" => test(Value::Texts(&instance.tags)),
        "Address" => test(Value::Text(&instance.address)),
        "TaggedAddresses" => addresses(&instance.tagged_addresses, rest, test),
        "Meta" => texts(&instance.meta, rest, test),
        "Port" => test(Value::Number(instance.odd_port.unwrap_or(instance.port.into()))),
        "Weights" => match rest.first().map(String::as_str) {
            Some("Passing") => test(Value::Number(instance.weights.passing.into())),
            _ => test(Value::Number(instance.weights.warning.into())),
        },
        "EnableTagOverride" => test(Value::Flag(instance.enable_tag_override)),
        "Proxy" => unset(PROXY, rest, test),
        "Connect" => unset(CONNECT, rest, test),
        _ => false,
    }
}

/// An instance with its node, in one flat record.
pub(crate) struct CatalogServiceRecord<'a>(pub(crate) NodeRecord<'a>, pub(crate) &'a Instance);

impl Record for CatalogServiceRecord<'_> {
    fn test(&self, path: &[String], test: Test<'_>) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        match name.strip_prefix("Service") {
            Some("Name") => instance(self.1, "Service", rest, test),
            Some(name) => instance(self.1, name, rest, test),
            None => self.0.test(path, test),
        }
    }
}

/// A check.
pub(crate) struct CheckRecord<'a>(pub(crate) &'a Check);

impl Record for CheckRecord<'_> {
    fn test(&self, path: &[String], test: Test<'_>) -> bool {
        let check = self.0;
        test(match path.first().map(String::as_str) {
            Some("Node") => Value::Text(&check.node),
            Some("CheckID") => Value::Text(&check.id),
            Some("Name") => Value::Text(&check.name),
            Some("Status") => Value::Text(check.status_word()),
            Some("Notes") => Value::Text(&check.notes),
            Some("Output") => Value::Text(&check.output),
            Some("ServiceID") => Value::Text(check.instance.as_deref().unwrap_or_default()),
            Some("ServiceName") => Value::Text(&check.service),
            Some("ServiceTags") => Value::Texts(&check.service_tags),
            Some("Type") => Value::Text(&check.type_label),
            _ => return false,
        })
    }
}

/// An instance with its node and checks.
pub(crate) struct EntryRecord<'a>(pub(crate) &'a InstanceHealth<'a>, pub(crate) &'a str);

impl Record for EntryRecord<'_> {
    fn test(&self, path: &[String], test: Test<'_>) -> bool {
        let Some((name, rest)) = path.split_first() else {
            return false;
        };
        let Self(health, datacenter) = *self;
        match name.as_str() {
            "Node" => NodeRecord(health.node, datacenter).test(rest, test),
            "Service" => ServiceRecord(health.instance).test(rest, test),
            "Checks" if rest.is_empty() => test(Value::List { is_empty: health.checks().next().is_none() }),
            "Checks" => health.checks().any(|check| CheckRecord(check).test(rest, test)),
            _ => false,
        }
    }
}

fn texts(map: &BTreeMap<String, String>, rest: &[String], test: Test<'_>) -> bool {
    match rest.first() {
        None => test(Value::Map(map)),
        Some(key) => test(map.get(key).map_or(Value::Absent, |text| Value::Text(text))),
    }
}

fn addresses(map: &BTreeMap<String, TaggedAddress>, rest: &[String], test: Test<'_>) -> bool {
    let Some((label, rest)) = rest.split_first() else {
        return test(Value::Map(map));
    };
    test(match (map.get(label), rest.first().map(String::as_str)) {
        (None, _) => Value::Absent,
        (Some(tagged), Some("Port")) => Value::Number(tagged.port.into()),
        (Some(tagged), _) => Value::Text(&tagged.address),
    })
}

/// What Consul has there when nobody set it.
fn unset(shape: Shape, path: &[String], test: Test<'_>) -> bool {
    match (shape, path.split_first()) {
        (Shape::Record(fields), Some((name, rest))) => {
            fields.iter().find(|field| field.name == name).is_some_and(|field| unset(field.shape, rest, test))
        }
        // Of no items, none matches.
        (Shape::List(_), Some(_)) | (Shape::Record(_), None) => false,
        (Shape::List(_), None) => test(Value::List { is_empty: true }),
        (Shape::Text, _) => test(Value::Text("")),
        (Shape::Number, _) => test(Value::Number(0)),
        (Shape::Flag, _) => test(Value::Flag(false)),
        (Shape::Texts, _) => test(Value::Texts(&[])),
        (Shape::Map(_), _) => test(Value::Absent),
    }
}

#[cfg(test)]
mod tests;
