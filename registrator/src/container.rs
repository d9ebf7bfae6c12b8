//! What does Docker say about a container? Its wire shapes in our words, whatever the API version left out.
//!
//! Addresses come from `NetworkSettings.Networks`: the top-level `IPAddress` is gone since API 1.52.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::IpAddr,
    str::FromStr,
    time::Duration,
};

use bollard::models::{
    ContainerInspectResponse, ContainerStateStatusEnum, EndpointSettings, NetworkSettings, PortMap,
};

use crate::signal::Signal;

/// Docker's own default between the stop signal and `SIGKILL`.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest output of a `HEALTHCHECK` that is kept, in characters.
const LONGEST_OUTPUT: usize = 1000;

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Docker's id: 64 hex digits.
    pub id: String,
    /// Its name, without the leading slash.
    pub name: String,
    /// What it calls itself.
    pub hostname: String,
    /// The image as it was asked for.
    pub image: String,
    /// Environment, in order.
    pub environment: Vec<(String, String)>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Exposed ports, each with where it is published (empty: nowhere).
    pub ports: BTreeMap<Port, Vec<Published>>,
    /// How it is networked.
    pub network: Network,
    /// Its addresses by network, IPv4 first.
    pub networks: BTreeMap<String, Vec<IpAddr>>,
    /// Does it run?
    pub state: RunState,
    /// What its process ended with, while it does not run.
    pub exit_code: i64,
    /// What its `HEALTHCHECK` says; `None`: it has none.
    pub health: Option<ContainerHealth>,
    /// What the swarm knows of it, once that was looked up.
    pub swarm: Option<SwarmTask>,
    /// The signal that asks it to end.
    pub stop_signal: Signal,
    /// How long Docker waits for it to end after that.
    pub stop_timeout: Duration,
}

/// What a container's `HEALTHCHECK` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerHealth {
    /// In one word.
    pub status: HealthStatus,
    /// What its last run printed, if that was looked up.
    pub output: Option<String>,
}

/// Docker's word for the health of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// Nothing is known yet.
    Starting,
    /// The last run passed.
    Healthy,
    /// Several runs in a row failed.
    Unhealthy,
}

/// What the swarm knows of a container that is a task of one of its services.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwarmTask {
    /// Id of the service.
    pub service: String,
    /// Host name of the node it runs on.
    pub node: Option<String>,
    /// Labels of the service, which those of the container beat.
    pub labels: BTreeMap<String, String>,
    /// The service's virtual address.
    pub vip: Option<IpAddr>,
    /// Ports that every node of the swarm answers on for the service.
    pub published: Vec<(Port, u16)>,
}

/// A port inside a container. Ordered by number, TCP first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// Its number, never 0.
    pub number: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Where on the host a port is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    /// Host address; `None` for all of them (`0.0.0.0`, `::`).
    pub address: Option<IpAddr>,
    /// Host port.
    pub port: u16,
}

/// How a container is networked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// The host's own network.
    Host,
    /// An address of its own.
    Own(IpAddr),
    /// The network of another container, by id or name.
    Container(String),
    /// The network of another container that has this address.
    Shared(IpAddr),
    /// Out of reach.
    Unreachable,
}

/// Does a container run?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Yes.
    Running,
    /// Frozen.
    Paused,
    /// Not (yet, or any more).
    Stopped,
}

impl Container {
    /// From what `inspect` answers; `None` if that names no container.
    pub fn from_inspect(inspect: ContainerInspectResponse) -> Option<Self> {
        let config = inspect.config.unwrap_or_default();
        let settings = inspect.network_settings.unwrap_or_default();
        let mode = inspect.host_config.and_then(|host| host.network_mode).unwrap_or_default();
        let state = inspect.state.as_ref()?;
        let mut ports = read_ports(settings.ports.as_ref());
        for port in config.exposed_ports.iter().flatten().filter_map(|text| text.parse().ok()) {
            ports.entry(port).or_default();
        }
        let id = inspect.id.filter(|id| !id.is_empty())?;
        // What Docker calls a container that was given no host name.
        let hostname = config.hostname.filter(|name| !name.is_empty());
        let hostname = hostname.unwrap_or_else(|| id.chars().take(12).collect());
        Some(Self {
            id,
            name: inspect.name?.trim_start_matches('/').to_owned(),
            hostname,
            image: config.image.unwrap_or_default(),
            environment: config.env.iter().flatten().filter_map(|line| variable(line)).collect(),
            labels: config.labels.unwrap_or_default().into_iter().collect(),
            ports,
            network: read_network(&mode, &settings),
            networks: read_networks(&settings),
            state: read_state(state),
            exit_code: state.exit_code.unwrap_or(0),
            health: state.health.as_ref().and_then(read_health),
            swarm: None,
            stop_signal: config.stop_signal.as_deref().and_then(Signal::parse).unwrap_or(Signal::TERM),
            stop_timeout: config
                .stop_timeout
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map_or(STOP_TIMEOUT, |seconds| Duration::from_secs(seconds.min(86_400))),
        })
    }

    /// A container about which nothing is known.
    pub fn nameless() -> Self {
        Self {
            id: String::new(),
            name: String::new(),
            hostname: String::new(),
            image: String::new(),
            environment: Vec::new(),
            labels: BTreeMap::new(),
            ports: BTreeMap::new(),
            network: Network::Unreachable,
            networks: BTreeMap::new(),
            state: RunState::Stopped,
            exit_code: 0,
            health: None,
            swarm: None,
            stop_signal: Signal::TERM,
            stop_timeout: STOP_TIMEOUT,
        }
    }

    /// Takes the network of the container it shares one with.
    pub fn share_network_of(&mut self, other: Option<&Self>) {
        self.network = match other.map(|other| &other.network) {
            Some(Network::Host) => Network::Host,
            Some(Network::Own(address) | Network::Shared(address)) => Network::Shared(*address),
            _ => Network::Unreachable,
        };
        self.networks = other.map(|other| other.networks.clone()).unwrap_or_default();
    }

    /// The id of the swarm task that it is.
    pub fn task_id(&self) -> Option<&str> {
        self.labels.get("com.docker.swarm.task.id").map(String::as_str).filter(|id| !id.is_empty())
    }

    /// Takes in what the swarm knows of it: the labels of its service, and the ports that the swarm publishes.
    pub fn join(&mut self, task: SwarmTask) {
        for (key, value) in &task.labels {
            self.labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for (port, published) in &task.published {
            let bindings = self.ports.entry(*port).or_default();
            if bindings.is_empty() {
                bindings.push(Published { address: None, port: *published });
            }
        }
        self.swarm = Some(task);
    }
}

impl HealthStatus {
    /// Reads Docker's word; `None` for `none` and what is no health.
    pub fn parse(word: &str) -> Option<Self> {
        match word.trim() {
            "starting" => Some(Self::Starting),
            "healthy" => Some(Self::Healthy),
            "unhealthy" => Some(Self::Unhealthy),
            _ => None,
        }
    }

    /// Docker's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl FromStr for Port {
    type Err = NotAPort;

    /// Reads Docker's `80/tcp`, `53/udp`, `80`.
    fn from_str(text: &str) -> Result<Self, NotAPort> {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return Err(NotAPort),
        };
        match number.parse() {
            Ok(number) if number > 0 => Ok(Self { number, protocol }),
            _ => Err(NotAPort),
        }
    }
}

/// Not what Docker writes for a port.
#[derive(Debug, thiserror::Error)]
#[error("not a port such as `80/tcp`")]
pub struct NotAPort;

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

fn variable(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once('=')?;
    Some((key.to_owned(), value.to_owned()))
}

fn read_state(state: &bollard::models::ContainerState) -> RunState {
    match state.status {
        Some(ContainerStateStatusEnum::PAUSED) => RunState::Paused,
        Some(ContainerStateStatusEnum::RUNNING) => RunState::Running,
        None | Some(ContainerStateStatusEnum::EMPTY) if state.running == Some(true) => RunState::Running,
        _ => RunState::Stopped,
    }
}

fn read_health(health: &bollard::models::Health) -> Option<ContainerHealth> {
    let status = HealthStatus::parse(health.status?.as_ref())?;
    let last = health.log.as_ref().and_then(|log| log.last()).and_then(|run| run.output.clone());
    let output = last.map(|text| text.trim().chars().take(LONGEST_OUTPUT).collect());
    Some(ContainerHealth { status, output })
}

fn read_networks(settings: &NetworkSettings) -> BTreeMap<String, Vec<IpAddr>> {
    let networks = settings.networks.iter().flatten();
    networks.map(|(name, endpoint)| (name.clone(), addresses_of(endpoint).collect())).collect()
}

/// Published ports; of several bindings IPv4 comes first.
fn read_ports(ports: Option<&PortMap>) -> BTreeMap<Port, Vec<Published>> {
    let read = |binding: &bollard::models::PortBinding| {
        let port = binding.host_port.as_deref()?.parse().ok().filter(|port| *port > 0)?;
        let address = binding.host_ip.as_deref().unwrap_or_default();
        let address = address.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified());
        Some(Published { address, port })
    };
    let entry = |(port, bindings): (&String, &Option<Vec<_>>)| {
        Some((port.parse().ok()?, bindings.iter().flatten().filter_map(read).collect()))
    };
    ports.into_iter().flatten().filter_map(entry).collect()
}

/// The network named in the host configuration is the main one; others count by name.
fn read_network(mode: &str, settings: &NetworkSettings) -> Network {
    if mode == "host" {
        return Network::Host;
    }
    if let Some(other) = mode.strip_prefix("container:") {
        return Network::Container(other.to_owned());
    }
    let empty = HashMap::new();
    let networks = settings.networks.as_ref().unwrap_or(&empty);
    if networks.contains_key("host") {
        return Network::Host;
    }
    let main = if mode.is_empty() || mode == "default" { "bridge" } else { mode };
    let mut names: Vec<_> = networks.keys().collect();
    // The swarm's ingress network leads to its balancer only.
    names.sort_by_key(|name| (name.as_str() != main, name.as_str() == "ingress", name.as_str()));
    names.into_iter().find_map(|name| address_of(&networks[name])).map_or(Network::Unreachable, Network::Own)
}

fn address_of(endpoint: &EndpointSettings) -> Option<IpAddr> {
    addresses_of(endpoint).next()
}

fn addresses_of(endpoint: &EndpointSettings) -> impl Iterator<Item = IpAddr> {
    let addresses = [&endpoint.ip_address, &endpoint.global_ipv6_address];
    addresses.into_iter().flatten().filter_map(|address| address.parse().ok())
}

#[cfg(test)]
mod tests;
