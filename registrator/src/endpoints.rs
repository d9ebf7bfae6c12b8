//! Where is each port of a container reached, and why there? Pure.
//!
//! A host address goes with the host's port, a container address with the container's: the two are never mixed.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    complaint::Complaint,
    config::{Config, TcpProbe},
    container::{Container, Network, Port, Published},
    labels::{Label, Labels, yes_or_no},
    place::{Place, read_host},
};

/// One port, and whether it can be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) port: Port,
    /// Where it is reached; or why it is not.
    pub(crate) reached: Result<Reached, String>,
}

/// Where a port is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) registered: Place,
    pub(crate) probed: Place,
    /// In words for people.
    pub(crate) because: String,
}

/// Every exposed or published port of `container`.
pub(crate) fn endpoints(
    config: &Config,
    local: bool,
    container: &Container,
    labels: &Labels,
    complaints: &mut Vec<Complaint>,
) -> Vec<Endpoint> {
    let at = |(port, published): (&Port, &Vec<Published>)| {
        let asked = labels.for_port(*port);
        let finder = Finder { config, local, container, asked: &asked };
        Endpoint { port: *port, reached: finder.find(*port, published, complaints) }
    };
    container.ports.iter().map(at).collect()
}

struct Finder<'a> {
    config: &'a Config,
    local: bool,
    container: &'a Container,
    asked: &'a BTreeMap<&'a str, &'a Label>,
}

impl Finder<'_> {
    fn find(
        &self,
        port: Port,
        published: &[Published],
        complaints: &mut Vec<Complaint>,
    ) -> Result<Reached, String> {
        let reached = match self.asked.get("network").copied() {
            Some(network) => self.on_network(port, network, complaints)?,
            None => self.by_network_mode(port, published)?,
        };
        Ok(self.at_address_of_choice(reached, complaints))
    }

    fn on_network(
        &self,
        port: Port,
        label: &Label,
        complaints: &mut Vec<Complaint>,
    ) -> Result<Reached, String> {
        let name = label.value.as_str();
        let address = self.container.networks.get(name).and_then(|addresses| addresses.first());
        if let Some(address) = address {
            return Ok(inside(*address, port, format!("{}: its address on network `{name}`", label.key)));
        }
        let problem = "the container has no address on this network, not registered there";
        let remedy = "connect it (`docker network connect`), or name one of its networks";
        complaints.push(Complaint::new(&self.container.name, &label.key, &label.value, problem, remedy));
        Err(format!("{}: no address on network `{name}`", label.key))
    }

    fn by_network_mode(&self, port: Port, published: &[Published]) -> Result<Reached, String> {
        match self.container.network {
            Network::Host => {
                Ok(inside(self.config.advertise_addr, port, "exposed, on the host's network".to_owned()))
            }
            Network::Shared(address) => {
                Ok(inside(address, port, "exposed, on another container's network".to_owned()))
            }
            Network::Own(address) if self.config.internal => {
                Ok(inside(address, port, "exposed, at the container's own address".to_owned()))
            }
            Network::Own(address) => self.published(port, published, Some(address)),
            // A task may have no address here and yet be reached through the swarm.
            Network::Unreachable if self.container.swarm.is_some() && !self.config.internal => {
                self.published(port, published, None)
            }
            Network::Container(_) | Network::Unreachable => Err("the container has no address".to_owned()),
        }
    }

    fn published(&self, port: Port, published: &[Published], own: Option<IpAddr>) -> Result<Reached, String> {
        let binding = published.first().ok_or("not published (`-p`), and not registered as internal")?;
        let advertised = self.config.advertise_addr;
        let bound = binding.address.filter(|_| !self.config.advertise_bound);
        let registered = Place::new(bound.unwrap_or(advertised), binding.port);
        let reachable = self.local && self.config.tcp_probe == TcpProbe::Container;
        let own = own.filter(|_| reachable).map(|own| Place::new(own, port.number));
        let because = match bound {
            Some(bound) => format!("published on {}", Place::new(bound, binding.port)),
            None => format!("published on port {}", binding.port),
        };
        Ok(Reached { probed: own.unwrap_or_else(|| registered.clone()), registered, because })
    }

    /// `SERVICE_ADDRESS`, or the address in the label that the settings name; the port stays.
    fn at_address_of_choice(&self, reached: Reached, complaints: &mut Vec<Complaint>) -> Reached {
        let own = self.asked.get("address").map(|label| (label.key.as_str(), label.value.as_str()));
        let configured = Some(self.config.ip_from_label.as_str()).filter(|key| !key.is_empty());
        let labelled = configured.and_then(|key| {
            let value = self.container.labels.get(key)?;
            Some((key, value.rsplit_once('/').map_or(value.as_str(), |(address, _)| address)))
        });
        let Some((key, value)) = own.or(labelled.filter(|(_, value)| !value.is_empty())) else {
            return reached;
        };
        let Some(host) = read_host(value) else {
            let problem = "neither an address nor a host name, ignored";
            complaints.push(Complaint::new(
                &self.container.name,
                key,
                value,
                problem,
                "write one such as `10.0.0.5`, `fd00::5` or `web-1.internal`, without a port",
            ));
            return reached;
        };
        let registered = Place { host, port: reached.registered.port };
        let probed = if reached.probed == reached.registered { registered.clone() } else { reached.probed };
        Reached { probed, registered, because: format!("{}, address from {key}", reached.because) }
    }
}

fn inside(address: IpAddr, port: Port, because: String) -> Reached {
    let registered = Place::new(address, port.number);
    Reached { probed: registered.clone(), registered, because }
}

/// `SERVICE_MAINTENANCE`: a reason, or yes or no.
pub(crate) fn maintenance(label: &Label) -> Option<String> {
    match yes_or_no(&label.value) {
        Some(false) => None,
        Some(true) => Some(format!("maintenance by label: {}", label.key)),
        None => {
            let reason: String = label.value.chars().filter(|c| !c.is_control()).take(200).collect();
            Some(format!("maintenance by label: {reason}"))
        }
    }
}
