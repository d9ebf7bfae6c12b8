//! What does the swarm say of a container that is one of its tasks? Its wire shapes in our words. Pure.

use std::net::IpAddr;

use bollard::models::{EndpointPortConfigProtocolEnum, EndpointPortConfigPublishModeEnum, Node, Service};

use crate::container::{Container, Port, Protocol, SwarmTask};

/// What is known of `container` from its service and its node.
pub fn task(container: &Container, service: Service, node: Option<Node>) -> SwarmTask {
    let endpoint = service.endpoint.unwrap_or_default();
    let vip =
        endpoint.virtual_ips.iter().flatten().find_map(|vip| own_address(container, vip.addr.as_deref()?));
    let published = endpoint.ports.iter().flatten().filter_map(|port| {
        let everywhere = port.publish_mode != Some(EndpointPortConfigPublishModeEnum::HOST);
        let protocol = match port.protocol {
            Some(EndpointPortConfigProtocolEnum::UDP) => Protocol::Udp,
            Some(EndpointPortConfigProtocolEnum::SCTP) => Protocol::Sctp,
            _ => Protocol::Tcp,
        };
        let number = |port: Option<i64>| u16::try_from(port?).ok().filter(|port| *port > 0);
        let (target, published) = (number(port.target_port)?, number(port.published_port)?);
        everywhere.then_some((Port { number: target, protocol }, published))
    });
    SwarmTask {
        service: service.id.unwrap_or_default(),
        node: node.and_then(|node| node.description?.hostname),
        labels: service.spec.and_then(|spec| spec.labels).unwrap_or_default().into_iter().collect(),
        vip,
        published: published.collect(),
    }
}

/// A virtual address is of use only where the container is: the one on the swarm's own ingress network is not.
fn own_address(container: &Container, address: &str) -> Option<IpAddr> {
    let (address, prefix) = address.split_once('/')?;
    let (address, prefix): (IpAddr, u32) = (address.parse().ok()?, prefix.parse().ok()?);
    let networks = container.networks.iter().filter(|(name, _)| *name != "ingress");
    let near = networks.flat_map(|(_, addresses)| addresses).any(|own| same_network(address, *own, prefix));
    near.then_some(address)
}

fn same_network(one: IpAddr, other: IpAddr, prefix: u32) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let differs = u32::from(one) ^ u32::from(other);
            differs.checked_shr(32_u32.saturating_sub(prefix)).unwrap_or(0) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let differs = u128::from(one) ^ u128::from(other);
            differs.checked_shr(128_u32.saturating_sub(prefix)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::registration::tests::container;

    const SERVICE: &str = r#"{"ID":"s1","Spec":{"Name":"web","Labels":{"SERVICE_NAME":"web","SERVICE_TAGS":"service"}},
        "Endpoint":{"Ports":[
            {"Protocol":"tcp","TargetPort":80,"PublishedPort":30000,"PublishMode":"ingress"},
            {"Protocol":"tcp","TargetPort":81,"PublishedPort":30001,"PublishMode":"host"},
            {"Protocol":"tcp","TargetPort":99999,"PublishedPort":1}],
        "VirtualIPs":[{"NetworkID":"i","Addr":"10.0.0.9/24"},{"NetworkID":"n","Addr":"10.0.1.2/24"}]}}"#;

    #[test]
    fn a_task_has_its_node_its_vip_the_ports_of_the_swarm_and_the_labels_of_its_service() {
        let mut container = container(&[("SERVICE_TAGS", "container")]);
        container.ports = BTreeMap::from([("80/tcp".parse().unwrap(), vec![])]);
        container.networks = BTreeMap::from([
            ("ingress".to_owned(), vec!["10.0.0.5".parse().unwrap()]),
            ("net".to_owned(), vec!["10.0.1.5".parse().unwrap()]),
        ]);
        let node = serde_json::from_str(r#"{"Description":{"Hostname":"worker-1"}}"#).unwrap();
        let task = task(&container, serde_json::from_str(SERVICE).unwrap(), Some(node));
        assert_eq!((task.service.as_str(), task.node.as_deref()), ("s1", Some("worker-1")));
        assert_eq!(task.vip, Some("10.0.1.2".parse().unwrap()));
        container.join(task);
        assert_eq!(container.labels["SERVICE_NAME"], "web");
        assert_eq!(container.labels["SERVICE_TAGS"], "container");
        let published = &container.ports[&"80/tcp".parse().unwrap()];
        assert_eq!((published[0].address, published[0].port), (None, 30000));
        assert_eq!(container.ports.len(), 1);
    }
}
