//! Services, nodes and keys.

use std::{collections::BTreeSet, sync::Arc};

use wharf_gotemplate::{Type, Value};

use super::{
    Function, Library, function, quoted, records,
    records::{KEY_PAIRS, KeyPair, NodeRecord, NodeWithServices, Partition, ServiceInstance, ServiceName},
    string, strings, variadic,
};
use crate::{
    eval::{Entry, Found},
    query::{Query, check_parameters},
};

const TEXT: &[Type] = &[Type::String];
const TWO_TEXTS: &[Type] = &[Type::String, Type::String];

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("datacenters", &[Type::Bool], |library, args, _| {
        if args.len() > 1 {
            return Err(arity("datacenters", args.len()));
        }
        Ok(Value::strings(library.session.datacenters()))
    }),
    variadic("service", TEXT, |library, args, _| service(library, "service", args)),
    variadic("connect", TEXT, |library, args, _| service(library, "connect", args)),
    variadic("services", TEXT, |library, args, _| services(library, &strings(args, 0).concat())),
    variadic("nodes", TEXT, |library, args, _| nodes(library, &strings(args, 0).concat())),
    variadic("node", TEXT, |library, args, _| node(library, &strings(args, 0).concat())),
    function("key", TEXT, |library, args, _| key(library, &string(args, 0))),
    function("keyExists", TEXT, |library, args, _| {
        Ok(Value::Bool(pair(library, &string(args, 0))?.is_some_and(|pair| pair.entry.is_some())))
    }),
    function("keyExistsGet", TEXT, |library, args, _| {
        let absent = || KeyPair { entry: None, path: "".into(), key: String::new() };
        Ok(Value::record(pair(library, &string(args, 0))?.unwrap_or_else(absent)))
    }),
    function("keyOrDefault", TWO_TEXTS, |library, args, _| {
        let found = pair(library, &string(args, 0))?.filter(|pair| pair.entry.is_some());
        let value = found.map(|pair| pair.value()).filter(Value::is_true);
        Ok(value.unwrap_or_else(|| args[1].clone()))
    }),
    function("ls", TEXT, |library, args, _| list(library, &string(args, 0), is_direct, false)),
    function("safeLs", TEXT, |library, args, _| list(library, &string(args, 0), is_direct, true)),
    function("tree", TEXT, |library, args, _| list(library, &string(args, 0), is_key, false)),
    function("safeTree", TEXT, |library, args, _| list(library, &string(args, 0), is_key, true)),
    function("partitions", &[], |_, _, _| Ok(Value::list(PARTITIONS, vec![Value::record(Partition)]))),
    variadic("peerings", TEXT, |_, _, _| Ok(Value::list(PEERINGS, Vec::new()))),
    variadic("exportedServices", TEXT, |_, _, _| Ok(Value::list(SHARED, Vec::new()))),
    variadic("importedServices", TEXT, |_, _, _| Ok(Value::list(SHARED, Vec::new()))),
];

const PARTITIONS: Type = Type::Slice(&Type::Pointer(&records::PARTITION));
const PEERINGS: Type = Type::Slice(&Type::Pointer(&records::PEERING));
const NODES: Type = Type::Slice(&Type::Pointer(&records::NODE));
const SHARED: Type = Type::Slice(&Type::Struct(&records::SHARED_SERVICE));

pub(super) fn arity(name: &str, given: usize) -> String {
    format!("{name}: wrong number of arguments, expected 0 or 1, but got {given}")
}

fn service(library: &Library<'_>, function: &str, args: &[Value]) -> Result<Value, String> {
    let text = strings(args, 0).join("|");
    let empty = || Value::list(SERVICES, Vec::new());
    if args.is_empty() || text.is_empty() || text.starts_with('|') {
        return Ok(empty());
    }
    let query: Query = text.parse().map_err(|error| format!("health.service: invalid format: {error}"))?;
    library.once(format!("{function} {text}"), || {
        let found = if function == "connect" {
            library.session.mesh_instances(&query)?
        } else {
            library.session.instances(&query)?
        };
        let datacenter = datacenter_name(library, query.datacenter.as_deref());
        let record = |found: &Found| {
            Value::record(ServiceInstance { found: found.clone(), datacenter: datacenter.clone() })
        };
        Ok(Value::list(SERVICES, found.iter().map(record).collect()))
    })
}

/// A list of instances.
pub(super) const SERVICES: Type = Type::Slice(&Type::Pointer(&records::SERVICE));
const NAMES: Type = Type::Slice(&Type::Pointer(&records::SNIPPET));

/// The datacenter an answer is from. A mirror knows its own as the nearest of all.
fn datacenter_name(library: &Library<'_>, asked: Option<&str>) -> Arc<str> {
    match asked.unwrap_or_else(|| library.session.datacenter()) {
        "" => library.session.datacenters().first().map_or_else(|| "".into(), |name| name.as_str().into()),
        known => known.into(),
    }
}

/// `@dc~near` and nothing before it; parameters are looked at, and the nearness is of no account.
fn place<'t>(what: &str, text: &'t str) -> Result<Option<&'t str>, String> {
    let wrong = || format!("{what}: invalid format: {}", quoted(text.as_bytes()));
    let (rest, near) = text.split_once('~').map_or((text, None), |(rest, near)| (rest, Some(near)));
    let (rest, datacenter) = rest.split_once('@').map_or((rest, None), |(rest, dc)| (rest, Some(dc)));
    let words = [datacenter, near].into_iter().flatten();
    if !words.into_iter().all(is_word) {
        return Err(wrong());
    }
    match rest.strip_prefix('?') {
        Some(parameters) => check_parameters(text, parameters).map_err(|error| error.to_string())?,
        None if rest.is_empty() => {}
        None => return Err(wrong()),
    }
    Ok(datacenter)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn services(library: &Library<'_>, text: &str) -> Result<Value, String> {
    let datacenter = place("catalog.services", text)?;
    library.once(format!("services {text}"), || {
        let services = library.session.services(datacenter)?;
        let record = |(name, tags): (&Arc<str>, &BTreeSet<String>)| {
            Value::record(ServiceName { name: name.clone(), tags: tags.iter().cloned().collect() })
        };
        Ok(Value::list(NAMES, services.iter().map(record).collect()))
    })
}

fn nodes(library: &Library<'_>, text: &str) -> Result<Value, String> {
    let asked = place("catalog.nodes", text)?;
    library.once(format!("nodes {text}"), || {
        let datacenter = datacenter_name(library, asked);
        let nodes = library.session.nodes(asked)?;
        let record = |node: &Arc<wharf_catalog::Node>| {
            Value::record(NodeRecord { node: node.clone(), datacenter: datacenter.clone() })
        };
        Ok(Value::list(NODES, nodes.into_iter().map(record).collect()))
    })
}

fn node(library: &Library<'_>, text: &str) -> Result<Value, String> {
    let (name, datacenter) = match text.find(['@', '?']) {
        Some(at) => (&text[..at], place("catalog.node", &text[at..])?),
        None => (text, None),
    };
    if !name.is_empty() && !is_word(name) {
        return Err(format!("catalog.node: invalid format: {}", quoted(text.as_bytes())));
    }
    let name = (!name.is_empty()).then_some(name);
    let found = library.session.node(name, datacenter)?;
    let datacenter = datacenter_name(library, datacenter);
    Ok(Value::record(match found {
        Some((node, services)) => NodeWithServices {
            node: Some((node.clone(), datacenter)),
            services: services.into_iter().cloned().collect(),
        },
        None => NodeWithServices { node: None, services: Vec::new() },
    }))
}

/// A key and the datacenter it is asked for in.
fn key_and_place<'t>(what: &str, text: &'t str) -> Result<(&'t str, Option<&'t str>), String> {
    let wrong = || format!("{what}: invalid format: {}", quoted(text.as_bytes()));
    let (rest, datacenter) = match text.split_once('@') {
        Some((rest, datacenter)) if is_word(datacenter) => (rest, Some(datacenter)),
        Some(_) => return Err(wrong()),
        None => (text, None),
    };
    let (key, parameters) = match rest.rsplit_once('?') {
        Some((key, parameters)) if is_parameters(parameters) => (key, parameters),
        _ => (rest, ""),
    };
    check_parameters(text, parameters).map_err(|error| error.to_string())?;
    let key = key.strip_prefix('/').unwrap_or(key);
    if key.is_empty() && rest != "/" { Err(wrong()) } else { Ok((key, datacenter)) }
}

/// Is what stands behind a `?` meant for the catalog, rather than part of a key?
fn is_parameters(text: &str) -> bool {
    ["ns=", "partition=", "peer=", "sameness-group="].iter().any(|name| text.starts_with(name))
}

fn pair(library: &Library<'_>, text: &str) -> Result<Option<KeyPair>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let (key, datacenter) = key_and_place("kv.get", text)?;
    let entry = library.session.entry(key, datacenter)?.found().cloned();
    let path = entry.as_ref().map_or_else(|| key.into(), |entry| entry.key.clone());
    Ok(Some(KeyPair { entry, path, key: key.to_owned() }))
}

fn key(library: &Library<'_>, text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok("".into());
    }
    let (key, datacenter) = key_and_place("kv.get", text)?;
    match library.session.entry(key, datacenter)? {
        Entry::Found(entry) => Ok(Value::from(entry.value.clone())),
        Entry::Pending => Ok("".into()),
        Entry::Absent => {
            library.session.miss(format!("key `{text}`"));
            Ok("".into())
        }
    }
}

/// A key right below the prefix.
fn is_direct(key: &str) -> bool {
    !key.is_empty() && !key.contains('/')
}

/// A key that is no marker of a folder.
fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.ends_with('/')
}

fn list(library: &Library<'_>, text: &str, wanted: fn(&str) -> bool, safe: bool) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::list(KEY_PAIRS, Vec::new()));
    }
    let (prefix, datacenter) = key_and_place("kv.list", text)?;
    let mut pairs = Vec::new();
    for entry in library.session.entries(prefix, datacenter)? {
        let key = entry.key.strip_prefix(prefix).unwrap_or(&entry.key).trim_start_matches('/').to_owned();
        if wanted(&key) {
            pairs.push(Value::record(KeyPair { path: entry.key.clone(), entry: Some(entry), key }));
        }
    }
    if safe && pairs.is_empty() {
        library.session.miss(format!("keys below `{text}`"));
    }
    Ok(Value::list(KEY_PAIRS, pairs))
}
