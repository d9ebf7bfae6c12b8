//! Which instances stand for a container? Pure: configuration and container in, records and complaints out.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use wharf_catalog::{
    Check, Instance, Probe, ProbeKind, Status, TaggedAddress, Weights, service::CONTAINER_ADDRESS,
};

use crate::{
    checks::{Checks, Target},
    complaint::Complaint,
    config::{Config, Deregister, Ttl},
    container::{Container, Port, Protocol, RunState},
    duration,
    endpoints::{Endpoint, Reached, endpoints, maintenance},
    labels::{Label, Labels, split_tags, yes_or_no},
    tags,
};

/// Label of the address under which a swarm service balances between its tasks.
pub const SWARM_VIP: &str = "vip";
/// Longest drain that a label may ask for.
const LONGEST_DRAIN: Duration = Duration::from_secs(3600);
/// Consul's shortest time until a critical instance is deregistered.
const SHORTEST_DEREGISTER: Duration = Duration::from_secs(60);
/// Metadata that marks an instance with an id of the user's choice as ours.
pub const MARK: &str = "external-source";
/// Longest service name, id and tag, in bytes.
const LONGEST_WORD: usize = 255;
/// Nobody reads more about one container.
const MOST_COMPLAINTS: usize = 20;
/// Consul's limits for metadata: pairs, bytes of a key, bytes of a value.
const META: (usize, usize, usize) = (64, 128, 512);

/// One instance with its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The instance.
    pub instance: Instance,
    /// Its checks.
    pub checks: Vec<Check>,
    /// Id of the check that says what the container's `HEALTHCHECK` says, if one does.
    pub health: Option<Arc<str>>,
    /// Why it is out of traffic from the start: `maintenance by label: ...`.
    pub out: Option<String>,
    /// The port it stands for.
    pub port: Port,
    /// Why it is registered where it is, for people.
    pub because: String,
}

/// A port that is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The port.
    pub port: Port,
    /// Why, for people.
    pub because: String,
}

/// What stands for a container.
#[derive(Debug, Default)]
pub struct Wiring {
    /// Its instances.
    pub registrations: Vec<Registration>,
    /// Its ports that are not registered.
    pub skipped: Vec<Skipped>,
    /// What is wrong with what it asks for.
    pub complaints: Vec<Complaint>,
    /// How long its drain may take, if it says so.
    pub drain: Option<Duration>,
}

/// What [`MARK`] says on an instance of ours.
pub fn mark(config: &Config) -> String {
    format!("wharf-registrator:{}", config.id_prefix())
}

/// What stands for `container`. `local`: the engine runs on this machine, so that container addresses can be reached.
pub fn wire(config: &Config, local: bool, container: &Container) -> Wiring {
    let mut wiring = Wiring::default();
    if container.state == RunState::Stopped && config.deregister == Deregister::Always {
        return wiring;
    }
    let complaints = &mut wiring.complaints;
    let labels = Labels::read(container, complaints);
    let endpoints = endpoints(config, local, container, &labels, complaints);
    let tags = tags::render(&config.tags, container).unwrap_or_else(|reason| {
        complaints.push(Complaint::new(&container.name, "tags", &config.tags, reason, "mend the setting"));
        Vec::new()
    });
    let grouped = endpoints.iter().filter(|endpoint| endpoint.reached.is_ok()).count() > 1;
    for Endpoint { port, reached } in endpoints {
        let asked = labels.for_port(port);
        let registered = reached.and_then(|reached| {
            let reached = &reached;
            let draft = Draft { config, container, port, reached, labels: &asked, tags: &tags, grouped };
            draft.register(&mut wiring)
        });
        if let Err(because) = registered {
            wiring.skipped.push(Skipped { port, because });
        }
    }
    let mut said = HashSet::new();
    wiring.complaints.retain(|c| said.insert((c.key.clone(), c.problem.clone())));
    wiring.complaints.truncate(MOST_COMPLAINTS);
    wiring
}

struct Draft<'a> {
    config: &'a Config,
    container: &'a Container,
    port: Port,
    reached: &'a Reached,
    labels: &'a BTreeMap<&'a str, &'a Label>,
    tags: &'a [String],
    grouped: bool,
}

impl Draft<'_> {
    /// Adds the instances of the port; says why there are none.
    fn register(&self, wiring: &mut Wiring) -> Result<(), String> {
        let complaints = &mut wiring.complaints;
        if let Some(label) = self.ignored(complaints) {
            return Err(format!("{} is set", label.key));
        }
        if self.config.explicit && !self.labels.contains_key("name") {
            return Err("no SERVICE_NAME, and only containers with one are registered".to_owned());
        }
        let taken =
            |registrations: &[Registration], id: &str| registrations.iter().any(|r| *r.instance.id == *id);
        wiring.drain = wiring.drain.max(self.duration("drain", complaints));
        let names = self.names(complaints);
        let own_id = self.own_id(|id| taken(&wiring.registrations, id), complaints);
        for (at, name) in names.iter().enumerate() {
            let base = own_id.clone().unwrap_or_else(|| self.default_id());
            let id = if at == 0 { base } else { format!("{base}:{name}") };
            let marked = own_id.is_some() || at > 0;
            if !taken(&wiring.registrations, &id) {
                let registration = self.registration(name, id.into(), marked, complaints);
                wiring.registrations.push(registration);
            }
        }
        Ok(())
    }

    fn registration(
        &self,
        name: &str,
        id: Arc<str>,
        marked: bool,
        complaints: &mut Vec<Complaint>,
    ) -> Registration {
        let node = &self.config.node;
        let mut instance = Instance::new(node.clone(), id.clone(), name);
        instance.address = self.reached.registered.host.clone();
        instance.port = self.reached.registered.port;
        instance.tagged_addresses = self.tagged_addresses();
        instance.tags = self.tags(complaints);
        instance.meta = self.meta(complaints);
        instance.weights = self.weights(complaints);
        instance.enable_tag_override = ["enable_tag_override", "enabletagoverride"]
            .iter()
            .find_map(|key| self.flag(key, complaints))
            .unwrap_or(false);
        if marked {
            instance.meta.insert(MARK.to_owned(), mark(self.config));
        }
        let Checks { mut all, health } = self.target().checks(node, &id, name, complaints);
        all.extend(self.config.ttl.map(|ttl| sign_of_life(&instance, ttl)));
        Registration {
            instance,
            checks: all,
            health,
            out: self.labels.get("maintenance").and_then(|label| maintenance(label)),
            port: self.port,
            because: self.reached.because.clone(),
        }
    }

    /// The container's own address, where it is another than the registered one: programs on this machine
    /// may go there without the detour through Docker's userland proxy, which accepts connections for
    /// containers that do not listen and takes answers with it when they stop.
    fn tagged_addresses(&self) -> BTreeMap<String, TaggedAddress> {
        let Reached { registered, probed, .. } = self.reached;
        let mut addresses = BTreeMap::new();
        if probed != registered {
            let own = TaggedAddress { address: probed.host.clone(), port: probed.port };
            addresses.insert(CONTAINER_ADDRESS.to_owned(), own);
        }
        if let Some(vip) = self.container.swarm.as_ref().and_then(|task| task.vip) {
            let own = TaggedAddress { address: vip.to_string(), port: self.port.number };
            addresses.insert(SWARM_VIP.to_owned(), own);
        }
        addresses
    }

    fn ignored(&self, complaints: &mut Vec<Complaint>) -> Option<&Label> {
        let label = self.labels.get("ignore").copied()?;
        if ["false", "0", "no", "off"].contains(&label.value.to_ascii_lowercase().as_str()) {
            let problem =
                "any value but an empty one means that the port is not registered, as in Registrator";
            complaints.push(self.complaint(label, problem, "remove it to register the port"));
        }
        Some(label)
    }

    fn default_id(&self) -> String {
        let suffix = if self.port.protocol == Protocol::Udp { ":udp" } else { "" };
        let (host, name) = (self.config.id_prefix(), &self.container.name);
        format!("{host}:{name}:{}{suffix}", self.port.number)
    }

    fn own_id(&self, taken: impl Fn(&str) -> bool, complaints: &mut Vec<Complaint>) -> Option<String> {
        let label = self.word("id", complaints)?;
        if taken(&label.value) {
            let problem = "another port of this container already has this id, the ordinary id is used";
            let remedy = format!("name the port: `SERVICE_{}_ID`", self.port.number);
            complaints.push(self.complaint(label, problem, &remedy));
            return None;
        }
        Some(label.value.clone())
    }

    /// Its names, at least one; several are separated by commas.
    fn names(&self, complaints: &mut Vec<Complaint>) -> Vec<String> {
        let label = self.word("name", complaints);
        let asked = label.map(|label| split_tags(&label.value)).unwrap_or_default();
        let mut names: Vec<_> =
            asked.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
        let image = self.image_name();
        if names.is_empty() {
            names.push(&image);
        }
        let mut known = HashSet::new();
        names.retain(|name| known.insert(*name));
        let suffixed = self.grouped && !label.is_some_and(|label| label.of_port);
        let name =
            |name: &&str| if suffixed { format!("{name}-{}", self.port.number) } else { (*name).to_owned() };
        names.iter().map(name).collect()
    }

    /// The image's last path segment without tag and digest; a bare image id names nothing, the container does.
    fn image_name(&self) -> String {
        let image = &self.container.image;
        let path = image.split('@').next().unwrap_or_default();
        let base = path.rsplit('/').next().unwrap_or_default();
        let name = base.split(':').next().unwrap_or_default();
        let names_something = !name.is_empty() && !image.starts_with("sha256:");
        if names_something { name } else { &self.container.name }.to_owned()
    }

    fn tags(&self, complaints: &mut Vec<Complaint>) -> Vec<String> {
        let label = self.labels.get("tags");
        let mut tags = label.map(|label| split_tags(&label.value)).unwrap_or_default();
        if let (Some(label), true) = (label, tags.iter().any(|tag| !is_word(tag))) {
            let problem = "a tag is longer than 255 bytes or holds control characters, left out";
            complaints.push(self.complaint(label, problem, "shorten it"));
        }
        tags.retain(|tag| is_word(tag));
        tags.extend(self.tags.iter().cloned());
        if self.port.protocol == Protocol::Udp && !tags.iter().any(|tag| tag == "udp") {
            tags.push("udp".to_owned());
        }
        tags
    }

    fn meta(&self, complaints: &mut Vec<Complaint>) -> BTreeMap<String, String> {
        let mut meta = self.swarm_meta();
        for (key, label) in self.labels {
            if ["name", "tags", "id", "ignore"].contains(key) {
                continue;
            }
            let fits = key.len() <= META.1 && label.value.len() <= META.2 && meta.len() < META.0 - 1;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
            let free = !key.is_empty() && !key.starts_with("consul-");
            if fits && free && key.bytes().all(plain) {
                meta.insert((*key).to_owned(), label.value.clone());
            } else {
                let problem = "does not fit into service metadata, left out of it";
                let remedy = "use at most 63 keys of letters, digits, `-`, `_` (not `consul-`) and values of at most 512 bytes";
                complaints.push(self.complaint(label, problem, remedy));
            }
        }
        meta
    }

    fn swarm_meta(&self) -> BTreeMap<String, String> {
        let node = self.container.swarm.as_ref().and_then(|task| task.node.clone());
        node.map(|node| ("swarm_node".to_owned(), node)).into_iter().collect()
    }

    fn weights(&self, complaints: &mut Vec<Complaint>) -> Weights {
        let mut weight = |key: &str, least: u16| {
            let label = self.labels.get(key).copied()?;
            let weight = label.value.trim().parse().ok().filter(|weight| *weight >= least);
            if weight.is_none() {
                let problem = "not a weight, 1 is used";
                complaints.push(self.complaint(label, problem, "write a whole number from 1 to 65535"));
            }
            weight
        };
        let (passing, warning) = (weight("weight", 1), weight("weight_warning", 0));
        Weights { passing: passing.unwrap_or(1), warning: warning.unwrap_or(1) }
    }

    fn flag(&self, key: &str, complaints: &mut Vec<Complaint>) -> Option<bool> {
        let label = self.labels.get(key).copied()?;
        let read = yes_or_no(&label.value);
        if read.is_none() {
            complaints.push(self.complaint(
                label,
                "neither true nor false, ignored",
                "write `true` or `false`",
            ));
        }
        read
    }

    fn duration(&self, key: &str, complaints: &mut Vec<Complaint>) -> Option<Duration> {
        let label = self.labels.get(key).copied()?;
        let read = duration::parse(&label.value).filter(|duration| *duration <= LONGEST_DRAIN);
        if read.is_none() {
            let problem = "not a duration of at most an hour, ignored";
            complaints.push(self.complaint(label, problem, "write a number with a unit, such as `5s`"));
        }
        read
    }

    fn target(&self) -> Target<'_> {
        Target {
            config: self.config,
            container: self.container,
            labels: self.labels,
            tcp: self.port.protocol == Protocol::Tcp,
            registered: &self.reached.registered,
            probed: &self.reached.probed,
        }
    }

    fn word(&self, key: &str, complaints: &mut Vec<Complaint>) -> Option<&Label> {
        let label = self.labels.get(key).copied()?;
        if is_word(&label.value) {
            return Some(label);
        }
        let problem = "longer than 255 bytes or with control characters, the default is used";
        complaints.push(self.complaint(label, problem, "shorten it"));
        None
    }

    fn complaint(&self, label: &Label, problem: &str, remedy: &str) -> Complaint {
        Complaint::new(&self.container.name, &label.key, &label.value, problem, remedy)
    }
}

/// The check that says that somebody still looks after the instance.
fn sign_of_life(instance: &Instance, ttl: Ttl) -> Check {
    let kind = ProbeKind::Ttl { ttl: ttl.ttl };
    Check {
        instance: Some(instance.id.clone()),
        status: Status::Passing,
        type_label: kind.label().to_owned(),
        probe: Some(Probe { deregister_after: Some(ttl.ttl.max(SHORTEST_DEREGISTER)), ..Probe::new(kind) }),
        ..Check::new(instance.node.clone(), sign_of_life_id(&instance.id), "registrator is alive")
    }
}

/// Id of the check that says that somebody still looks after the instance.
pub fn sign_of_life_id(instance: &str) -> String {
    format!("service:{instance}:ttl")
}

fn is_word(text: &str) -> bool {
    text.len() <= LONGEST_WORD && !text.chars().any(char::is_control)
}

#[cfg(test)]
pub(crate) mod tests;
