//! What a catalog says it holds, as a [`State`] to plan with.

use std::{net::IpAddr, sync::Arc};

use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Instance, Node, State, Timestamp, apply::apply, check::NODE_ALIVE,
};
use wharf_catalog_http::client::{CheckRecord, Client, ClientError, ServiceRecord};

use super::{FRESH, RegistryError};

/// What the agent holds. `before`: the mirror so far, which knows how checks are run.
pub(super) async fn of_agent(
    client: &Client,
    node: &Arc<str>,
    address: IpAddr,
    before: Option<&State>,
) -> Result<State, RegistryError> {
    let services = client.agent_services().await.map_err(unavailable)?;
    let checks = client.agent_checks().await.map_err(unavailable)?;
    let own = Node::new(node.clone(), address.to_string());
    build(own, services.into_values(), checks.into_values(), before)
}

/// What the catalog holds of `node`.
pub(super) async fn of_catalog(
    client: &Client,
    node: &Arc<str>,
    before: Option<&State>,
) -> Result<State, RegistryError> {
    let (_, services) = client.node_services(node, None).await.map_err(unavailable)?;
    let checks = client.node_checks(node).await.map_err(unavailable)?;
    if checks.iter().any(|check| check.check_id == NODE_ALIVE) {
        return Err(RegistryError::HasAgent(node.to_string()));
    }
    match services {
        None => Ok(State::default()),
        Some((address, services)) => build(Node::new(node.clone(), address), services, checks, before),
    }
}

fn unavailable(error: ClientError) -> RegistryError {
    RegistryError::Unavailable(error.to_string())
}

fn build(
    node: Node,
    services: impl IntoIterator<Item = ServiceRecord>,
    checks: impl IntoIterator<Item = CheckRecord>,
    before: Option<&State>,
) -> Result<State, RegistryError> {
    let name = node.name.clone();
    let instances = services.into_iter().map(|record| Command::PutInstance(instance(record, &name)));
    let commands: Vec<_> = [Command::PutNode(node)].into_iter().chain(instances).collect();
    let state = apply(&State::default(), FRESH, Timestamp::default(), &commands);
    let state = state.map_err(|error| RegistryError::Unavailable(error.to_string()))?.state;
    // The two lists are from two moments: a check may be younger than what it is for.
    let stands = |check: &CheckRecord| state.instance(&name, &check.service_id).is_some();
    let puts: Vec<_> = checks
        .into_iter()
        .filter(stands)
        .map(|record| Command::PutCheck(check(record, &name, before), CheckStatusOnPut::Set))
        .collect();
    let state = apply(&state, FRESH.next(), Timestamp::default(), &puts);
    Ok(state.map_err(|error| RegistryError::Unavailable(error.to_string()))?.state)
}

fn instance(record: ServiceRecord, node: &Arc<str>) -> Instance {
    let mut instance = record.instance(node);
    // Consul adds these by itself; they say nothing that was not registered.
    let (address, port) = (instance.address.clone(), instance.port);
    instance.tagged_addresses.retain(|label, tagged| {
        let added = ["lan_ipv4", "wan_ipv4", "lan_ipv6", "wan_ipv6", "lan", "wan"].contains(&label.as_str());
        !(added && tagged.address == address && tagged.port == port)
    });
    instance
}

fn check(record: CheckRecord, node: &Arc<str>, before: Option<&State>) -> Check {
    let known = before.and_then(|before| before.check(node, &record.check_id));
    let known = known.filter(|known| known.name == record.name && known.notes == record.notes);
    Check {
        status: record.status,
        notes: record.notes,
        output: record.output,
        instance: Some(record.service_id.into()),
        type_label: known.map(|known| known.type_label.clone()).unwrap_or_default(),
        probe: known.and_then(|known| known.probe.clone()),
        ..Check::new(node.clone(), record.check_id, record.name)
    }
}
