//! Helpers that ask the catalog. Every answer is sorted, so that equal catalogs give equal files.

use std::sync::Arc;

use serde_json::{Value, json};
use wharf_catalog::Node;

use super::Arguments;
use crate::{
    eval::{Found, Session},
    query::{Filter, Query},
};

/// `services`: every service by name, with the tags of all its instances.
pub(crate) fn services(session: &Session<'_>, _: &Arguments<'_, '_>) -> Result<Value, String> {
    let services = session.services(None)?;
    Ok(services.iter().map(|(name, tags)| json!({ "name": &**name, "tags": tags })).collect())
}

/// `service "TAG.NAME@DC~NEAR|FILTER"`, or with the parts as named arguments: `service name=x tag="y"`.
pub(crate) fn service(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let mut query = match (arguments.named("name")?, arguments.count()) {
        (Some(name), 0) => Query::passing(&name),
        (None, 1) => arguments.text(0)?.parse::<Query>().map_err(|error| error.to_string())?,
        _ => return Err("name one service: `service \"web\"` or `service name=x`".to_owned()),
    };
    if let Some(tag) = arguments.named("tag")? {
        query.tag = Some(tag);
    }
    if let Some(filter) = arguments.named("filter")? {
        query.filter = filter.parse::<Filter>().map_err(|error| error.to_string())?;
    }
    Ok(session.instances(&query)?.iter().map(instance_value).collect())
}

fn instance_value(found: &Found) -> Value {
    let (instance, node) = (&found.instance, &found.node);
    json!({
        "id": &*instance.id,
        "name": &*instance.name,
        "node": &*node.name,
        "nodeAddress": node.address,
        "nodeMeta": node.meta,
        "address": found.address(),
        "port": instance.port,
        "tags": instance.tags,
        "meta": instance.meta,
        "status": found.health.as_str(),
        "weights": { "passing": instance.weights.passing, "warning": instance.weights.warning },
    })
}

/// `nodes`: every node by name.
pub(crate) fn nodes(session: &Session<'_>, _: &Arguments<'_, '_>) -> Result<Value, String> {
    Ok(session.nodes(None)?.into_iter().map(|node| node_value(node)).collect())
}

/// `node "NAME@DC"`: one node with its instances, or nothing.
pub(crate) fn node(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let text = arguments.text(0)?;
    let (name, datacenter) = match text.split_once('@') {
        Some((name, datacenter)) => (name, Some(datacenter)),
        None => (text.as_str(), None),
    };
    let Some((node, services)) = session.node(Some(name), datacenter)? else {
        return Ok(Value::Null);
    };
    let services: Vec<_> = services
        .into_iter()
        .map(|instance| {
            json!({
                "id": &*instance.id,
                "name": &*instance.name,
                "address": if instance.address.is_empty() { &node.address } else { &instance.address },
                "port": instance.port,
                "tags": instance.tags,
                "meta": instance.meta,
            })
        })
        .collect();
    Ok(json!({ "node": node_value(node), "services": services }))
}

fn node_value(node: &Node) -> Value {
    json!({
        "name": &*node.name,
        "id": node.id,
        "address": node.address,
        "taggedAddresses": node.tagged_addresses,
        "meta": node.meta,
    })
}

/// `key "path"`: the value of a key that has to exist.
pub(crate) fn key(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let key = arguments.text(0)?;
    key_value(session, &key)?
        .map(Value::String)
        .ok_or_else(|| format!("no key `{key}`: set it, or use `keyOrDefault`"))
}

/// `keyOrDefault "path" default`.
pub(crate) fn key_or_default(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let default = arguments.value(1)?;
    let found = key_value(session, &arguments.text(0)?)?;
    Ok(found.map_or_else(|| default.clone(), Value::String))
}

/// `keyExists "path"`.
pub(crate) fn key_exists(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    Ok(Value::Bool(value(session, &arguments.text(0)?)?.is_some()))
}

fn key_value(session: &Session<'_>, key: &str) -> Result<Option<String>, String> {
    let Some(bytes) = value(session, key)? else {
        return Ok(None);
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(format!("the value of key `{key}` is no UTF-8 text")),
    }
}

fn value(session: &Session<'_>, key: &str) -> Result<Option<Arc<[u8]>>, String> {
    Ok(session.entry(key, None)?.found().map(|entry| entry.value.clone()))
}
