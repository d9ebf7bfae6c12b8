//! Services and checks as they are registered: the shapes of `agent/service/register`, `agent/check/register`
//! and `catalog/register`.

use std::time::Duration;

use serde_json::{Map, Value, json};
use wharf_catalog::{Check, Instance, ProbeKind};

/// A check that nobody runs is one that somebody reports for; how often is not the agent's business.
const FOR_EVER: &str = "8760h";

/// A service with its checks, for an agent.
pub fn agent_service(instance: &Instance, checks: &[&Check]) -> Value {
    let mut service = service(instance);
    service["Name"] = json!(&*instance.name);
    let check = |check: &&Check| {
        let mut definition = run(check);
        definition["CheckID"] = json!(&*check.id);
        definition
    };
    service["Checks"] = checks.iter().map(check).collect();
    service
}

/// A check of a service that the agent has.
pub fn agent_check(check: &Check) -> Value {
    let mut definition = run(check);
    definition["ID"] = json!(&*check.id);
    definition["ServiceID"] = json!(check.instance.as_deref().unwrap_or_default());
    definition
}

/// A service, for the catalog.
pub fn catalog_service(instance: &Instance) -> Value {
    let mut service = service(instance);
    service["Service"] = json!(&*instance.name);
    service
}

/// A check, for the catalog.
pub fn catalog_check(check: &Check) -> Value {
    json!({
        "Node": &*check.node,
        "CheckID": &*check.id,
        "Name": check.name,
        "Notes": check.notes,
        "Status": check.status.as_str(),
        "Output": check.output,
        "ServiceID": check.instance.as_deref().unwrap_or_default(),
        "Type": check.type_label,
    })
}

fn service(instance: &Instance) -> Value {
    let tagged = instance.tagged_addresses.iter();
    let tagged = tagged
        .map(|(label, to)| (label.clone(), json!({ "Address": to.address, "Port": to.port })))
        .collect::<Map<_, _>>();
    json!({
        "ID": &*instance.id,
        "Tags": instance.tags,
        "Address": instance.address,
        "Port": instance.port,
        "Meta": instance.meta,
        "TaggedAddresses": tagged,
        "Weights": { "Passing": instance.weights.passing, "Warning": instance.weights.warning },
        "EnableTagOverride": instance.enable_tag_override,
    })
}

/// What a check is called, and how an agent runs it.
fn run(check: &Check) -> Value {
    let mut definition = json!({ "Name": check.name, "Notes": check.notes, "Status": check.status.as_str() });
    let Some(probe) = &check.probe else {
        definition["TTL"] = json!(FOR_EVER);
        return definition;
    };
    let what = match &probe.kind {
        ProbeKind::Http { url, method, headers, body, tls_skip_verify } => json!({
            "HTTP": url, "Method": method, "Header": headers, "Body": body, "TLSSkipVerify": tls_skip_verify,
        }),
        ProbeKind::Tcp { address } => json!({ "TCP": address }),
        ProbeKind::Udp { address } => json!({ "UDP": address }),
        ProbeKind::Ttl { ttl } => json!({ "TTL": text(*ttl) }),
        ProbeKind::Grpc { target, tls, tls_skip_verify } => {
            json!({ "GRPC": target, "GRPCUseTLS": tls, "TLSSkipVerify": tls_skip_verify })
        }
        ProbeKind::H2Ping { address, tls, tls_skip_verify } => {
            json!({ "H2PING": address, "H2PingUseTLS": tls, "TLSSkipVerify": tls_skip_verify })
        }
        ProbeKind::Alias { node, service } => json!({ "AliasNode": node, "AliasService": service }),
        ProbeKind::Docker { container, shell, args } => {
            json!({ "DockerContainerID": container, "Shell": shell, "Args": args })
        }
        ProbeKind::Script { args } => json!({ "Args": args }),
        // Only another wharf runs these.
        ProbeKind::Dns { name, record, server, expect } => {
            json!({ "Wharf": { "dns": { "name": name, "record": record, "server": server, "expect": expect } } })
        }
        ProbeKind::Icmp { host } => json!({ "Wharf": { "icmp": host } }),
        ProbeKind::Route { host, path } => json!({ "Wharf": { "route": { "host": host, "path": path } } }),
        // The token is not known any more; whoever has it may report in the ordinary way.
        ProbeKind::Push { every, grace, .. } => json!({ "TTL": text(every.saturating_add(*grace)) }),
    };
    if let (Value::Object(definition), Value::Object(what)) = (&mut definition, what) {
        definition.extend(what);
    }
    if let Some(expect) = &probe.expect {
        definition["Wharf"]["expect"] = json!(expect);
    }
    if probe.kind.silence().is_none() && !matches!(probe.kind, ProbeKind::Alias { .. }) {
        definition["Interval"] = json!(text(probe.interval));
        definition["Timeout"] = json!(text(probe.timeout));
    }
    if let Some(after) = probe.deregister_after {
        definition["DeregisterCriticalServiceAfter"] = json!(text(after));
    }
    definition
}

fn text(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}
