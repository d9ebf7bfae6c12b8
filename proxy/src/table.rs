//! Which endpoints does a service have, and which of them take traffic? Pure: catalog state -> table.
//!
//! A table is immutable; a commit makes a new one that shares every service the commit did not touch.
//! Every endpoint that is out carries the reason.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use wharf_catalog::{
    Check, Health, Index, InstanceHealth, ProbeKind, State, Status, Topic, service::CONTAINER_ADDRESS,
};

/// The service the catalog registers for itself; it is not routed to.
const CATALOG_ITSELF: &str = "consul";
/// Longest piece of a check's output told as a reason, in characters.
const REASON_LENGTH: usize = 200;

/// Metadata keys that the registrator makes of `SERVICE_CACHE`, `SERVICE_CHECK_HTTP` and
/// `SERVICE_CHECK_HTTP_METHOD`.
const CACHE: &str = "cache";
const CHECK_PATH: &str = "check_http";
const CHECK_METHOD: &str = "check_http_method";

/// All routes at one moment.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {
    index: Index,
    services: BTreeMap<Arc<str>, Arc<Service>>,
}

/// One routable name and its endpoints.
#[derive(Debug, PartialEq, Eq)]
pub struct Service {
    /// The name in lower case. Services whose names differ in case only are one.
    pub name: Arc<str>,
    /// Its endpoints, those out of rotation included, by node and id.
    pub endpoints: Vec<Endpoint>,
    /// The names it has in the catalog.
    names: Vec<Arc<str>>,
    /// Last commit that changed one of its endpoints.
    told: Index,
}

/// One instance as a place to send requests to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Node it runs on.
    pub node: Arc<str>,
    /// Instance id.
    pub id: Arc<str>,
    /// IP address or host name.
    pub host: Arc<str>,
    /// Port; 0 when it has none.
    pub port: u16,
    /// What its checks say.
    pub health: Health,
    /// Does it take traffic?
    pub rotation: Rotation,
    /// Its share of the traffic, relative to others.
    pub weight: u16,
    /// Metadata `cache`: how long answers may be cached, as its label says.
    pub cache: Option<Arc<str>>,
    /// The path of its HTTP check, as its label says.
    pub probe: Option<Arc<str>>,
    /// Last commit that said something about it.
    pub told: Index,
}

/// In or out of rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Takes traffic.
    In,
    /// Takes none.
    Out(Out),
}

/// Why an endpoint takes no traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// Its checks are against it.
    Unhealthy {
        /// What they say together.
        health: Health,
        /// Id of the worst check.
        check: Arc<str>,
        /// What that check printed, shortened.
        says: String,
    },
    /// It was registered without a port.
    NoPort,
    /// Neither it nor its node has an address.
    NoAddress,
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unhealthy { health, check, says } if says.is_empty() => {
                write!(f, "{health}: check `{check}`")
            }
            Self::Unhealthy { health, check, says } => write!(f, "{health}: check `{check}` says: {says}"),
            Self::NoPort => f.write_str("registered without a port"),
            Self::NoAddress => f.write_str("neither the instance nor its node has an address"),
        }
    }
}

impl RouteTable {
    /// The table for `state`, sharing with `self` every service that did not change in between.
    #[must_use]
    pub fn next(&self, state: &State) -> Self {
        let mut by_name = BTreeMap::<Arc<str>, Vec<Arc<str>>>::new();
        for name in state.service_names() {
            let routed = lower_case(name);
            if &*routed != CATALOG_ITSELF {
                by_name.entry(routed).or_default().push(name.clone());
            }
        }
        let services = by_name
            .into_iter()
            .map(|(name, names)| (name.clone(), self.service_at(state, name, names)))
            .collect();
        Self { index: state.index_of(&Topic::Catalog), services }
    }

    fn service_at(&self, state: &State, name: Arc<str>, names: Vec<Arc<str>>) -> Arc<Service> {
        let told = names.iter().map(|name| state.index_of(&Topic::Health(name.clone()))).max();
        let told = told.unwrap_or_default();
        match self.services.get(&name) {
            Some(same) if same.told == told && same.names == names => same.clone(),
            _ => Arc::new(Service::new(state, name, names, told)),
        }
    }

    /// The commit this table was made from.
    pub fn index(&self) -> Index {
        self.index
    }

    /// All services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// One service by its name, in any case.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.services.get(&*lower_case(name))
    }
}

impl Service {
    fn new(state: &State, name: Arc<str>, names: Vec<Arc<str>>, told: Index) -> Self {
        let endpoints =
            names.iter().flat_map(|name| state.service_health(name)).map(|i| Endpoint::new(&i)).collect();
        Self { name, endpoints, names, told }
    }

    /// The endpoints that take traffic.
    pub fn in_rotation(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.rotation == Rotation::In)
    }
}

impl Endpoint {
    fn new(seen: &InstanceHealth<'_>) -> Self {
        let checks = seen.checks().map(|check| check.modified);
        let told = checks.chain([seen.instance.modified, seen.node.modified]).max();
        let meta = |key: &str| seen.instance.meta.get(key).map(|value| Arc::from(value.as_str()));
        let (host, port) = direct(seen).unwrap_or((seen.address(), seen.instance.port));
        Self {
            node: seen.instance.node.clone(),
            id: seen.instance.id.clone(),
            host: Arc::from(host),
            port,
            health: seen.health(),
            rotation: rotation(seen),
            weight: seen.instance.weights.passing,
            cache: meta(CACHE),
            // Only a path that is asked for in the plain way can be asked for by others.
            probe: meta(CHECK_PATH).filter(|_| meta(CHECK_METHOD).is_none()),
            told: told.unwrap_or_default(),
        }
    }

    /// Is this the same place: the same instance at the same address?
    pub fn same_place(&self, other: &Self) -> bool {
        self.port == other.port && self.host == other.host && self.id == other.id && self.node == other.node
    }
}

/// The container's own address, if a passing TCP check shows that it is reached from here. It saves a hop,
/// says no at once when nobody listens, and does not lose the last answer of a container that stops.
fn direct<'a>(seen: &InstanceHealth<'a>) -> Option<(&'a str, u16)> {
    let own = seen.instance.tagged_addresses.get(CONTAINER_ADDRESS)?;
    let ip: IpAddr = own.address.parse().ok()?;
    let shown = SocketAddr::from((ip, own.port)).to_string();
    let reached = |check: &Arc<Check>| match check.probe.as_ref().map(|probe| &probe.kind) {
        Some(ProbeKind::Tcp { address }) => check.status == Status::Passing && *address == shown,
        _ => false,
    };
    seen.checks().any(reached).then_some((own.address.as_str(), own.port))
}

fn rotation(seen: &InstanceHealth<'_>) -> Rotation {
    let health = seen.health();
    if seen.instance.port == 0 {
        return Rotation::Out(Out::NoPort);
    }
    if seen.address().is_empty() {
        return Rotation::Out(Out::NoAddress);
    }
    if health.takes_traffic() {
        return Rotation::In;
    }
    let worst = seen
        .checks()
        .filter(|check| check.status != Status::Passing)
        .max_by_key(|check| Health::of([check.as_ref()]));
    let (check, says) = worst.map_or_else(
        || (Arc::from(""), String::new()),
        |worst| {
            let said = if worst.is_maintenance() { &worst.notes } else { &worst.output };
            (worst.id.clone(), said.trim().chars().take(REASON_LENGTH).collect())
        },
    );
    Rotation::Out(Out::Unhealthy { health, check, says })
}

/// The name as routes know it; shares it when it already is.
pub(crate) fn lower_case(name: &str) -> Arc<str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Arc::from(name.to_ascii_lowercase())
    } else {
        Arc::from(name)
    }
}

#[cfg(test)]
mod tests;
