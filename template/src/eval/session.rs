//! One evaluation in progress: asks the source, and records every question. Both languages stand on this.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use wharf_catalog::{Check, Health, Instance, InstanceHealth, KvEntry, Node, State, Topic};

use super::{EvalError, Evaluation, Reads, Surroundings, WriteFile};
use crate::{
    query::Query,
    source::{Lookup, Source},
};

/// Most notes kept.
const MAX_NOTES: usize = 100;
/// The catalog's own service, which nobody routes to.
pub(crate) const OWN_SERVICE: &str = "consul";

/// A node with its instances.
type OnNode<'a> = (&'a Arc<Node>, Vec<&'a Arc<Instance>>);

/// Services with their tags.
pub(crate) type Services = BTreeMap<Arc<str>, BTreeSet<String>>;

/// An instance as a template sees it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) node: Arc<Node>,
    pub(crate) instance: Arc<Instance>,
    /// The node's, then its own.
    pub(crate) checks: Arc<[Arc<Check>]>,
    pub(crate) health: Health,
}

impl From<InstanceHealth<'_>> for Found {
    fn from(found: InstanceHealth<'_>) -> Self {
        Self {
            node: found.node.clone(),
            instance: found.instance.clone(),
            checks: found.checks().cloned().collect(),
            health: found.health(),
        }
    }
}

impl Found {
    /// Where to reach it: its own address, or its node's.
    pub(crate) fn address(&self) -> &str {
        if self.instance.address.is_empty() { &self.node.address } else { &self.instance.address }
    }
}

pub(crate) struct Session<'a> {
    source: &'a dyn Source,
    pub(crate) surroundings: Surroundings<'a>,
    record: Mutex<Record>,
}

#[derive(Default)]
struct Record {
    reads: Reads,
    pending: bool,
    missing: BTreeSet<String>,
    writes: Vec<WriteFile>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(source: &'a dyn Source, surroundings: Surroundings<'a>) -> Self {
        Self { source, surroundings, record: Mutex::default() }
    }

    pub(crate) fn finish(self, text: Result<Vec<u8>, EvalError>) -> Evaluation {
        let Record { reads, pending, missing, writes } =
            self.record.into_inner().unwrap_or_else(PoisonError::into_inner);
        Evaluation { text, reads, pending, missing, writes }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, note: String) {
        let notes = &mut self.record().reads.notes;
        if notes.len() < MAX_NOTES {
            notes.insert(note);
        }
    }

    /// Something has to exist before the text may be published.
    pub(crate) fn miss(&self, what: String) {
        self.record().missing.insert(what);
    }

    /// Has a file written when the text is published.
    pub(crate) fn write(&self, file: WriteFile) {
        self.record().writes.push(file);
    }

    /// What `look_up` finds, which another template may have looked up already.
    fn once<T: Send + Sync + 'static>(
        &self,
        question: impl FnOnce() -> String,
        look_up: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        let Some(memo) = self.source.memo() else {
            return look_up(self).map(Arc::new);
        };
        let (answer, reads, pending) = memo.once(self.source, question(), || {
            let apart = Session::new(self.source, self.surroundings);
            let answer = look_up(&apart).map(Arc::new);
            let record = apart.record.into_inner().unwrap_or_else(PoisonError::into_inner);
            (answer, record.reads, record.pending)
        });
        let mut record = self.record();
        record.pending |= pending;
        record.reads.take_in(&reads);
        answer
    }

    /// The catalog that answers for `topic`; `None`: it is not known yet.
    fn ask(&self, datacenter: Option<&str>, topic: Topic) -> Result<Option<&'a State>, String> {
        let own = self.source.datacenter();
        let datacenter = datacenter.unwrap_or(own);
        let answer = self.source.catalog(datacenter, &topic);
        let reads = &mut self.record().reads;
        if datacenter == own {
            reads.topics.insert(topic);
        } else {
            reads.elsewhere.insert((datacenter.to_owned(), topic));
        }
        match answer {
            Lookup::Known(state) => Ok(Some(state)),
            Lookup::Pending => Ok(None),
            Lookup::NoDatacenter => Err(format!("no datacenter `{datacenter}`: this catalog is `{own}`")),
        }
    }

    fn known(&self, datacenter: Option<&str>, topic: Topic) -> Result<Option<&'a State>, String> {
        let state = self.ask(datacenter, topic)?;
        if state.is_none() {
            self.record().pending = true;
        }
        Ok(state)
    }

    pub(crate) fn datacenter(&self) -> &'a str {
        self.source.datacenter()
    }

    /// All datacenters, nearest first.
    pub(crate) fn datacenters(&self) -> Vec<String> {
        let known = self.source.datacenters();
        self.record().pending |= known.is_none();
        known.unwrap_or_default()
    }

    /// Every service by name, with the tags of all its instances.
    pub(crate) fn services(&self, datacenter: Option<&str>) -> Result<Arc<Services>, String> {
        let question = || format!("services@{}", self.place(datacenter));
        self.once(question, |session| {
            let Some(state) = session.known(datacenter, Topic::Services)? else {
                return Ok(BTreeMap::new());
            };
            let tags = |name| state.service(name).flat_map(|i: &Arc<Instance>| i.tags.iter().cloned());
            let services: Services =
                state.service_names().map(|name| (name.clone(), tags(name).collect())).collect();
            let count = services.keys().filter(|name| &***name != OWN_SERVICE).count();
            session.record().reads.population.services = Some(count);
            Ok(services)
        })
    }

    fn place<'d>(&'d self, datacenter: Option<&'d str>) -> &'d str {
        datacenter.unwrap_or_else(|| self.source.datacenter())
    }

    /// The instances `query` asks for, by node and id. Names and tags are the same whatever their case.
    pub(crate) fn instances(&self, query: &Query) -> Result<Arc<[Found]>, String> {
        let question = || format!("service {query} in {}", self.place(query.datacenter.as_deref()));
        self.once(question, |session| session.look_up_instances(query)).map(|found| (*found).clone())
    }

    fn look_up_instances(&self, query: &Query) -> Result<Arc<[Found]>, String> {
        let datacenter = query.datacenter.as_deref();
        let Some(state) = self.known(datacenter, Topic::Health(query.name.as_str().into()))? else {
            return Ok(Arc::default());
        };
        let name = match state.service(&query.name).next() {
            Some(_) => Some(query.name.as_str()),
            None => self.same_but_for_case(state, query)?,
        };
        let found: Arc<[Found]> = name
            .into_iter()
            .flat_map(|name| state.service_health(name))
            .filter(|found| query.wants(found) && !self.holds_out(query, found))
            .map(Found::from)
            .collect();
        if query.name != OWN_SERVICE {
            self.record().reads.population.instances.insert(query.to_string(), found.len());
        }
        Ok(found)
    }

    /// The instances that speak for a service in the mesh: its proxies, and those that need none.
    pub(crate) fn mesh_instances(&self, query: &Query) -> Result<Arc<[Found]>, String> {
        let question = || format!("connect {query} in {}", self.place(query.datacenter.as_deref()));
        self.once(question, |session| session.look_up_mesh(query)).map(|found| (*found).clone())
    }

    fn look_up_mesh(&self, query: &Query) -> Result<Arc<[Found]>, String> {
        let Some(state) = self.known(query.datacenter.as_deref(), Topic::Catalog)? else {
            return Ok(Arc::default());
        };
        let speaks = |instance: &&Arc<Instance>| match &instance.proxy {
            Some(proxy) if instance.kind == "connect-proxy" => proxy.destination_service == query.name,
            _ => instance.mesh_native && *instance.name == *query.name,
        };
        let health = |instance: &Arc<Instance>| state.instance_health(&instance.node, &instance.id);
        let found = state.instances().filter(speaks).filter_map(health);
        Ok(found.filter(|found| query.wants(found)).map(Found::from).collect())
    }

    /// One that flaps takes no traffic, whatever it says at the moment.
    fn holds_out(&self, query: &Query, found: &InstanceHealth<'_>) -> bool {
        let datacenter = query.datacenter.as_deref().unwrap_or_else(|| self.source.datacenter());
        query.only_passing() && self.source.held_out(datacenter, found).is_some()
    }

    /// The service meant when none is spelled like the query. One that comes later is noticed if its name is
    /// the query's, or that in small letters: following every name would render with every new service.
    fn same_but_for_case(&self, state: &'a State, query: &Query) -> Result<Option<&'a str>, String> {
        let found = state.service_names().find(|name| same(name, &query.name));
        let small = query.name.to_lowercase();
        let follow = found.cloned().or_else(|| (small != query.name).then(|| small.into()));
        if let Some(name) = follow {
            self.ask(query.datacenter.as_deref(), Topic::Health(name))?;
        }
        Ok(found.map(|name| &**name))
    }

    /// Every node by name.
    pub(crate) fn nodes(&self, datacenter: Option<&str>) -> Result<Vec<&'a Arc<Node>>, String> {
        let Some(state) = self.known(datacenter, Topic::Nodes)? else {
            return Ok(Vec::new());
        };
        let nodes: Vec<_> = state.nodes().collect();
        self.record().reads.population.nodes = Some(nodes.len());
        Ok(nodes)
    }

    /// One node (`None`: the one that answers) with its instances, by service and id.
    pub(crate) fn node(
        &self,
        name: Option<&str>,
        datacenter: Option<&str>,
    ) -> Result<Option<OnNode<'a>>, String> {
        let Some(name) = name.map(str::to_owned).or_else(|| self.source.local_node()) else {
            self.record().pending = true;
            return Ok(None);
        };
        let Some(state) = self.known(datacenter, Topic::Node(name.as_str().into()))? else {
            return Ok(None);
        };
        let found = match state.node(&name) {
            Some(node) => Some(node),
            None => self.node_but_for_case(state, &name, datacenter)?,
        };
        let Some(node) = found else {
            return Ok(None);
        };
        let mut instances: Vec<_> = state.instances_on(&node.name).collect();
        instances.sort_by_key(|instance| (&instance.name, &instance.id));
        Ok(Some((node, instances)))
    }

    fn node_but_for_case(
        &self,
        state: &'a State,
        name: &str,
        datacenter: Option<&str>,
    ) -> Result<Option<&'a Arc<Node>>, String> {
        let found =
            state.nodes().find(|node| same(&node.name, name) || (!node.id.is_empty() && node.id == name));
        if let Some(node) = found {
            self.ask(datacenter, Topic::Node(node.name.clone()))?;
        }
        Ok(found)
    }

    /// One key. Leading slashes say nothing.
    pub(crate) fn entry(&self, key: &str, datacenter: Option<&str>) -> Result<Entry<'a>, String> {
        let key = key.trim_start_matches('/');
        Ok(match self.known(datacenter, Topic::Key(key.into()))? {
            None => Entry::Pending,
            Some(state) => state.kv(key).map_or(Entry::Absent, Entry::Found),
        })
    }

    /// Every key with this prefix, sorted.
    pub(crate) fn entries(
        &self,
        prefix: &str,
        datacenter: Option<&str>,
    ) -> Result<Vec<Arc<KvEntry>>, String> {
        match self.known(datacenter, Topic::KeyPrefix(prefix.into()))? {
            None => Ok(Vec::new()),
            Some(state) => Ok(state.keys_under(prefix).cloned().collect()),
        }
    }
}

/// What is known about one key.
pub(crate) enum Entry<'a> {
    Pending,
    Absent,
    Found(&'a Arc<KvEntry>),
}

impl<'a> Entry<'a> {
    pub(crate) fn found(self) -> Option<&'a Arc<KvEntry>> {
        match self {
            Self::Found(entry) => Some(entry),
            Self::Pending | Self::Absent => None,
        }
    }
}

/// The same but for case?
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) && one.to_lowercase() == other.to_lowercase())
}
