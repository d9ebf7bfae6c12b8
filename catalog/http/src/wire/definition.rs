//! Service definitions, as clients register them with an agent: read, checked, and turned into domain
//! types.
//!
//! Deviation: what only a service mesh could carry out (a sidecar made by the agent) is refused; mesh proxies are
//! kept and told. Ports outside 0 to 65535 are told as they came, and count as none.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use wharf_catalog::{Check, Instance, TaggedAddress, Weights};

use super::{
    check_definition::{CheckDefinition, Place},
    proxy,
};
use crate::{error::ApiError, fields::Fields};

type Result<T> = std::result::Result<T, ApiError>;

/// A service with its checks.
#[derive(Debug)]
pub(crate) struct ServiceDefinition {
    pub(crate) instance: Instance,
    pub(crate) checks: Vec<Check>,
}

impl ServiceDefinition {
    /// Reads what `agent/service/register` gets, for an agent of this `node`.
    pub(crate) fn read(mut fields: Fields, node: &Arc<str>) -> Result<Self> {
        let checks = check_fields(&mut fields)?
            .into_iter()
            .map(|check| CheckDefinition::read(check, Place::InService))
            .collect::<Result<Vec<_>>>()?;
        let (name, id) = (fields.text("Name")?, fields.text("ID")?);
        let mut instance = read_instance(&mut fields, node, Teller::Agent)?;
        refuse_namespaces(&mut fields)?;
        fields.text("Token")?;
        fields.finish()?;
        if name.is_empty() {
            return Err(ApiError::bad("Missing service name"));
        }
        if let Some(fault) = meta_fault(&instance.meta) {
            return Err(ApiError::bad(format!("Invalid Service Meta: {fault}")));
        }
        if let Some(fault) = instance_fault(&instance) {
            return Err(ApiError::bad(fault));
        }
        instance.id = if id.is_empty() { name.as_str() } else { id.as_str() }.into();
        instance.name = name.into();
        add_address_families(&mut instance);
        let checks = named_checks(checks, &instance)?;
        Ok(Self { instance, checks })
    }
}

/// `Check` and `Checks`; an empty `Check` is none.
fn check_fields(fields: &mut Fields) -> Result<Vec<Fields>> {
    let one = fields.object("Check")?.filter(|check| !check.is_empty());
    Ok(one.into_iter().chain(fields.objects("Checks")?).collect())
}

/// Everything but names, in definitions and in `catalog/register`.
pub(crate) fn read_instance(fields: &mut Fields, node: &Arc<str>, teller: Teller) -> Result<Instance> {
    let (port, odd_port) = fields.any_port("Port")?;
    let mut instance = Instance {
        kind: fields.text("Kind")?,
        tags: fields.texts("Tags")?,
        address: fields.text("Address")?,
        port,
        odd_port,
        tagged_addresses: tagged_addresses(fields)?,
        meta: fields.text_map("Meta")?,
        weights: weights(fields, teller)?,
        enable_tag_override: fields.flag("EnableTagOverride")?,
        ..Instance::new(node.clone(), "", "")
    };
    proxy::read(fields, &mut instance)?;
    Ok(instance)
}

fn tagged_addresses(fields: &mut Fields) -> Result<BTreeMap<String, TaggedAddress>> {
    fields
        .object_map("TaggedAddresses")?
        .into_iter()
        .map(|(label, mut fields)| {
            let tagged = TaggedAddress { address: fields.text("Address")?, port: fields.port("Port")? };
            fields.finish()?;
            Ok((label, tagged))
        })
        .collect()
}

/// Who registers? Consul's agent is stricter than its catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    /// A client, its service with the agent.
    Agent,
    /// A registrar, whatever it looks after with the catalog.
    Registrar,
}

fn weights(fields: &mut Fields, teller: Teller) -> Result<Weights> {
    let Some(mut fields) = fields.object("Weights")? else {
        return Ok(Weights::default());
    };
    let passing = fields.integer("Passing")?.unwrap_or(0);
    let warning = fields.integer("Warning")?.unwrap_or(0);
    fields.finish()?;
    let wrong = |why: &str| Err(ApiError::bad(format!("Invalid Weights: {why}")));
    match (u16::try_from(passing), u16::try_from(warning)) {
        _ if passing < 0 || passing < 1 && teller == Teller::Agent => wrong("Passing must be greater than 0"),
        _ if warning < 0 => wrong("Warning must be greater or equal than 0"),
        (Ok(passing), Ok(warning)) => Ok(Weights { passing, warning }),
        _ => wrong("DNS Weight must be between 0 and 65535"),
    }
}

/// Consul tells what has an address of its own under the label of the address family, too.
fn add_address_families(instance: &mut Instance) {
    let labels = match instance.address.parse() {
        Ok(IpAddr::V4(_)) => ["lan_ipv4", "wan_ipv4"],
        Ok(IpAddr::V6(_)) => ["lan_ipv6", "wan_ipv6"],
        Err(_) => return,
    };
    for label in labels {
        let own = TaggedAddress { address: instance.address.clone(), port: instance.port };
        instance.tagged_addresses.entry(label.to_owned()).or_insert(own);
    }
}

/// Refuses all namespaces and partitions but the default one.
pub(crate) fn refuse_namespaces(fields: &mut Fields) -> Result<()> {
    for name in ["Namespace", "Partition"] {
        let value = fields.text(name)?;
        if !value.is_empty() && value != "default" {
            return Err(ApiError::bad(format!("Invalid {name} `{value}`: only `default` exists")));
        }
    }
    Ok(())
}

/// What is wrong with an instance as a whole, in Consul's words.
pub(crate) fn instance_fault(instance: &Instance) -> Option<String> {
    if instance.address.parse().is_ok_and(|address: IpAddr| address.is_unspecified()) {
        return Some("Invalid service address".to_owned());
    }
    let no_port = instance.port == 0 && instance.odd_port.is_none();
    let destination = instance.proxy.as_ref().map_or("", |proxy| &proxy.destination_service);
    let mut faults = Vec::new();
    match instance.kind.as_str() {
        "connect-proxy" => {
            if destination.is_empty() {
                faults.push("Proxy.DestinationServiceName must be non-empty for Connect proxy services");
            }
            if no_port {
                faults.push("Port must be set for a Connect proxy");
            }
        }
        "mesh-gateway" if no_port => faults.push("Port must be non-zero for a mesh-gateway"),
        "terminating-gateway" if no_port => faults.push("Port must be non-zero for a terminating-gateway"),
        _ => {}
    }
    let count = match faults.len() {
        0 => return None,
        1 => "1 error".to_owned(),
        several => format!("{several} errors"),
    };
    Some(format!("{count} occurred:\n\t* {}", faults.join("\n\t* ")))
}

/// What is wrong with the id of a node, in Consul's words.
pub(crate) fn node_id_fault(id: &str) -> Option<String> {
    if id.is_empty() || id.len() == 36 && uuid::Uuid::try_parse(id).is_ok() {
        return None;
    }
    let why = if id.len() == 36 { "uuid is improperly formatted" } else { "uuid string is wrong length" };
    Some(format!("Bad node ID: {why}"))
}

/// What is wrong with the metadata of a service, in Consul's words.
pub(crate) fn meta_fault(meta: &BTreeMap<String, String>) -> Option<String> {
    if meta.len() > 64 {
        return Some("Node metadata cannot contain more than 64 key/value pairs".to_owned());
    }
    meta.iter().find_map(|(key, value)| {
        let fault = pair_fault(key, value)?;
        Some(format!("Couldn't load metadata pair ('{key}', '{value}'): {fault}"))
    })
}

fn pair_fault(key: &str, value: &str) -> Option<&'static str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if key.is_empty() {
        Some("Key cannot be blank")
    } else if !key.bytes().all(plain) {
        Some("Key contains invalid characters")
    } else if key.len() > 128 {
        Some("Key is too long (limit: 128 characters)")
    } else if key.starts_with("consul-") {
        Some("Key prefix 'consul-' is reserved for internal use")
    } else if value.len() > 512 {
        Some("Value is too long (limit: 512 characters)")
    } else {
        None
    }
}

/// Gives checks without a name or an id Consul's default ones.
fn named_checks(definitions: Vec<CheckDefinition>, instance: &Instance) -> Result<Vec<Check>> {
    let several = definitions.len() > 1;
    definitions
        .into_iter()
        .enumerate()
        .map(|(at, definition)| {
            let mut check = definition
                .check(&instance.node, "Status for checks must 'passing', 'warning', 'critical'")?;
            if check.id.is_empty() {
                check.id = match several {
                    true => format!("service:{}:{}", instance.id, at + 1).into(),
                    false => format!("service:{}", instance.id).into(),
                };
            }
            if check.name.is_empty() {
                check.name = format!("Service '{}' check", instance.name);
            }
            check.instance = Some(instance.id.clone());
            Ok(check)
        })
        .collect()
}

#[cfg(test)]
mod tests;
