//! The catalog at one moment: an immutable value with cheap copies, and the questions it answers.
//!
//! Invariants: every instance's node exists; every check's node exists, and so does its instance if it
//! names one; [`State::index_of`] never falls for any topic in the life of the data.

use std::{ops::Bound, sync::Arc, time::Duration};

use imbl::{HashMap, OrdMap, OrdSet};

use crate::{
    Check, Departure, Document, Health, Index, Instance, KvEntry, Node, Session, Timestamp, Topic,
    apply::Change, commit::Commit,
};

type InstanceKey = (Arc<str>, Arc<str>);

/// A snapshot of the catalog. Cloning shares everything.
#[derive(Debug, Clone, Default)]
pub struct State {
    index: Index,
    nodes: OrdMap<Arc<str>, Arc<Node>>,
    instances: OrdMap<InstanceKey, Arc<Instance>>,
    /// Service name -> its instances by (node, id).
    services: OrdMap<Arc<str>, OrdMap<InstanceKey, Arc<Instance>>>,
    checks: OrdMap<InstanceKey, Arc<Check>>,
    /// (node, instance id or "") -> the checks of exactly that, ordered by id.
    checks_of: OrdMap<InstanceKey, Arc<Vec<Arc<Check>>>>,
    kv: OrdMap<Arc<str>, Arc<KvEntry>>,
    sessions: OrdMap<Arc<str>, Arc<Session>>,
    /// (session, key) for every key that is held.
    held: OrdSet<(Arc<str>, Arc<str>)>,
    /// Deadlines by what ends at them: a session's id, or a TTL check (see [`ttl_lease`]).
    leases: OrdMap<Arc<str>, Timestamp>,
    /// How instances left that left lately. Not kept: after a restart nobody was looking.
    departures: HashMap<InstanceKey, Departure>,
    /// Until when nobody may acquire a key whose holder was lost. Not kept: no client counts on it across a restart.
    lock_delays: OrdMap<Arc<str>, Timestamp>,
    /// By kind and id.
    documents: OrdMap<InstanceKey, Arc<Document>>,
    /// Commit that removed a key.
    tombstones: OrdMap<Arc<str>, Index>,
    /// Last commit that changed the answer to a topic.
    touched: HashMap<Topic, Index>,
    /// What is not in `touched` or `tombstones` may have changed up to here (a restart, forgotten tombstones).
    floor: Index,
}

/// One instance with all that decides whether it takes traffic.
#[derive(Debug, Clone)]
pub struct InstanceHealth<'a> {
    /// The node it runs on.
    pub node: &'a Arc<Node>,
    /// The instance.
    pub instance: &'a Arc<Instance>,
    node_checks: &'a [Arc<Check>],
    instance_checks: &'a [Arc<Check>],
}

impl<'a> InstanceHealth<'a> {
    /// The node's checks, then the instance's own, each ordered by id.
    pub fn checks(&self) -> impl Iterator<Item = &'a Arc<Check>> + use<'a> {
        self.node_checks.iter().chain(self.instance_checks)
    }

    /// What the checks together mean.
    pub fn health(&self) -> Health {
        Health::of(self.checks().map(Arc::as_ref))
    }

    /// Since when the instance has had this health: the youngest change among the checks that say so
    /// (for a passing one: among all). `None` without checks.
    pub fn since(&self) -> Option<Timestamp> {
        let health = self.health();
        let says_so = |check: &&Arc<Check>| Health::of([check.as_ref()]) == health;
        self.checks().filter(says_so).map(|check| check.status_since).max()
    }

    /// Where to reach it: its own address, or its node's.
    pub fn address(&self) -> &'a str {
        if self.instance.address.is_empty() { &self.node.address } else { &self.instance.address }
    }
}

impl State {
    /// Number of the last commit in this snapshot.
    pub fn index(&self) -> Index {
        self.index
    }

    /// Last commit that changed the answer to `topic`; never 0.
    pub fn index_of(&self, topic: &Topic) -> Index {
        match topic {
            Topic::Key(key) => self.key_index(key),
            Topic::KeyPrefix(prefix) => self.prefix_index(prefix),
            other => self.touched.get(other).copied().unwrap_or_default().max(self.floor),
        }
        .max(Index(1))
    }

    /// An existing key answers with exactly its own `modified`: clients compare the two.
    fn key_index(&self, key: &str) -> Index {
        match self.kv.get(key) {
            Some(entry) => entry.modified,
            None => self.tombstones.get(key).copied().unwrap_or_default().max(self.floor),
        }
    }

    fn prefix_index(&self, prefix: &str) -> Index {
        let live = self.keys_under(prefix).map(|entry| entry.modified).max().unwrap_or_default();
        let gone = from(&self.tombstones, prefix)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(_, index)| *index)
            .max()
            .unwrap_or_default();
        live.max(gone).max(self.floor)
    }

    /// All nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nodes.values()
    }

    /// One node by its exact name.
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    /// The instances of one node, by id.
    pub fn instances_on(&self, node: &str) -> impl Iterator<Item = &Arc<Instance>> {
        on_node(&self.instances, node)
    }

    /// One instance by node and id.
    pub fn instance(&self, node: &str, id: &str) -> Option<&Arc<Instance>> {
        self.instances.get(&key(node, id))
    }

    /// Every instance, by node and id.
    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.values()
    }

    /// Names of all services that have an instance, sorted.
    pub fn service_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.services.keys()
    }

    /// The instances of one service, by node and id; empty for an unknown name.
    pub fn service(&self, name: &str) -> impl Iterator<Item = &Arc<Instance>> {
        self.services.get(name).into_iter().flat_map(OrdMap::values)
    }

    /// The instances of one service with their nodes and checks, by node and id.
    pub fn service_health(&self, name: &str) -> impl Iterator<Item = InstanceHealth<'_>> {
        self.service(name).filter_map(|instance| self.health_of(instance))
    }

    /// One instance with its node and checks.
    pub fn instance_health(&self, node: &str, id: &str) -> Option<InstanceHealth<'_>> {
        self.health_of(self.instance(node, id)?)
    }

    fn health_of<'a>(&'a self, instance: &'a Arc<Instance>) -> Option<InstanceHealth<'a>> {
        Some(InstanceHealth {
            node: self.nodes.get(&instance.node)?,
            instance,
            node_checks: self.checks_of(&instance.node, ""),
            instance_checks: self.checks_of(&instance.node, &instance.id),
        })
    }

    /// How an instance left, if that was lately and it has not come back.
    pub fn departure(&self, node: &str, id: &str) -> Option<&Departure> {
        self.departures.get(&key(node, id))
    }

    /// Remembers how an instance left; past a bound, only the latest.
    fn remember_departure(&mut self, node: Arc<str>, id: Arc<str>, departure: Departure) {
        const KEPT: usize = 4096;
        if self.departures.len() >= KEPT {
            self.departures.retain(|_, earlier| departure.at.since(earlier.at) < Duration::from_secs(60));
        }
        if self.departures.len() >= KEPT {
            self.departures = HashMap::new();
        }
        self.departures.insert((node, id), departure);
    }

    /// All checks, by node and id.
    pub fn checks(&self) -> impl Iterator<Item = &Arc<Check>> {
        self.checks.values()
    }

    /// One check by node and id.
    pub fn check(&self, node: &str, id: &str) -> Option<&Arc<Check>> {
        self.checks.get(&key(node, id))
    }

    /// All checks on a node, those of its instances included.
    pub fn checks_on(&self, node: &str) -> impl Iterator<Item = &Arc<Check>> {
        on_node(&self.checks, node)
    }

    /// The checks of one instance (`""`: of the node itself), ordered by id.
    pub fn checks_of(&self, node: &str, instance: &str) -> &[Arc<Check>] {
        self.checks_of.get(&key(node, instance)).map_or(&[], |checks| checks.as_slice())
    }

    /// One key.
    pub fn kv(&self, key: &str) -> Option<&Arc<KvEntry>> {
        self.kv.get(key)
    }

    /// Every key that starts with `prefix` (bytes, not path segments), sorted.
    pub fn keys_under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Arc<KvEntry>> {
        from(&self.kv, prefix).take_while(move |(key, _)| key.starts_with(prefix)).map(|(_, entry)| entry)
    }

    /// All sessions, by id.
    pub fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.sessions.values()
    }

    /// One session.
    pub fn session(&self, id: &str) -> Option<&Arc<Session>> {
        self.sessions.get(id)
    }

    /// The keys a session holds.
    pub fn held_by(&self, session: &Arc<str>) -> impl Iterator<Item = &Arc<str>> {
        let first = (session.clone(), Arc::from(""));
        let session = session.clone();
        self.held
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(move |(holder, _)| *holder == session)
            .map(|(_, key)| key)
    }

    /// The documents of one kind, by id.
    pub fn documents<'a>(&'a self, kind: &str) -> impl Iterator<Item = &'a Arc<Document>> + use<'a> {
        on_node(&self.documents, kind)
    }

    /// One document.
    pub fn document(&self, kind: &str, id: &str) -> Option<&Arc<Document>> {
        self.documents.get(&key(kind, id))
    }

    /// The documents that go when this session ends.
    pub(crate) fn documents_of(&self, session: &str) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.values().filter(move |document| document.session.as_deref() == Some(session))
    }

    /// Everything that stands, as puts in an order that [`Self::restored`] can take.
    pub fn standing(&self) -> Vec<Change> {
        let nodes = self.nodes.values().cloned().map(Change::PutNode);
        let instances = self.instances.values().cloned().map(Change::PutInstance);
        let checks = self.checks.values().cloned().map(Change::PutCheck);
        let sessions = self.sessions.values().cloned().map(Change::PutSession);
        let keys = self.kv.values().cloned().map(Change::PutKey);
        let documents = self.documents.values().cloned().map(Change::PutDocument);
        let leases = self.leases().map(|(id, deadline)| Change::PutLease(id.clone(), deadline));
        nodes
            .chain(instances)
            .chain(checks)
            .chain(sessions)
            .chain(keys)
            .chain(documents)
            .chain(leases)
            .collect()
    }

    /// When something ends unless it is renewed: a session by its id, a TTL check by [`ttl_lease`].
    pub fn lease(&self, id: &str) -> Option<Timestamp> {
        self.leases.get(id).copied()
    }

    /// All deadlines.
    pub fn leases(&self) -> impl Iterator<Item = (&Arc<str>, Timestamp)> {
        self.leases.iter().map(|(id, deadline)| (id, *deadline))
    }

    /// May nobody acquire this key at `now`, because its last holder was lost a moment ago?
    pub fn lock_delayed(&self, key: &str, now: Timestamp) -> bool {
        self.lock_delays.get(key).is_some_and(|until| now < *until)
    }

    /// Bars `key` from being acquired until then; forgets what has passed.
    fn delay_lock(&mut self, key: Arc<str>, until: Timestamp, now: Timestamp) {
        let passed: Vec<_> =
            self.lock_delays.iter().filter(|(_, until)| **until <= now).map(|(key, _)| key.clone()).collect();
        for key in passed {
            self.lock_delays.remove(&key);
        }
        self.lock_delays.insert(key, until);
    }

    /// The state a store held when it was last written to: what stands in it, and nothing remembered of
    /// what was deleted.
    pub fn restored(index: Index, held: impl IntoIterator<Item = Change>) -> Self {
        let mut state = Self::default();
        let mut ignored = Vec::new();
        for change in held {
            state.put(change, &mut ignored);
        }
        state.touched = HashMap::new();
        (state.index, state.floor) = (index, index);
        state
    }

    /// What no store keeps, from an earlier state.
    pub(crate) fn remember(&mut self, earlier: &Self) {
        self.departures = earlier.departures.clone();
        self.lock_delays = earlier.lock_delays.clone();
    }

    /// Carries out one commit, and names the topics whose answers it changes.
    pub fn advance(&mut self, commit: &Commit, topics: &mut Vec<Topic>) {
        let first = topics.len();
        for change in &commit.changes {
            self.put(change.clone(), topics);
        }
        self.seal(commit.index, &topics[first..]);
    }

    /// Closes a commit: everything in `topics` changed at `index`.
    pub(crate) fn seal(&mut self, index: Index, topics: &[Topic]) {
        self.index = index;
        for topic in topics {
            if !matches!(topic, Topic::Key(_) | Topic::KeyPrefix(_)) {
                self.touched.insert(topic.clone(), index);
            }
        }
        self.forget_old_tombstones();
    }

    /// Tombstones only serve watchers that are waiting now; past a bound the floor speaks for them.
    fn forget_old_tombstones(&mut self) {
        const KEPT: usize = 20_000;
        if self.tombstones.len() > KEPT {
            self.tombstones = OrdMap::new();
            self.floor = self.index;
        }
        if self.touched.len() > KEPT + 8 * (self.services.len() + self.nodes.len()) {
            self.touched = HashMap::new();
            self.floor = self.index;
        }
    }

    /// Carries out one change and names the topics whose answers it changes.
    pub(crate) fn put(&mut self, change: Change, topics: &mut Vec<Topic>) {
        match change {
            Change::PutNode(node) => self.put_node(node, topics),
            Change::PutInstance(instance) => self.put_instance(instance, topics),
            Change::PutCheck(check) => self.put_check(check, topics),
            Change::PutKey(entry) => {
                topics.push(Topic::Key(entry.key.clone()));
                self.tombstones.remove(&entry.key);
                self.put_key(entry);
            }
            Change::DeleteNode(node) => self.delete_node(&node, topics),
            Change::DeleteInstance(node, id) => self.delete_instance(&node, &id, topics),
            Change::DeleteCheck(node, id) => self.delete_check(&node, &id, topics),
            Change::DeleteKey(key, index) => {
                topics.push(Topic::Key(key.clone()));
                self.let_go(&key);
                self.kv.remove(&key);
                self.tombstones.insert(key, index);
            }
            Change::PutSession(session) => {
                session_topics(&session, topics);
                self.sessions.insert(session.id.clone(), session);
            }
            Change::DeleteSession(id) => {
                if let Some(session) = self.sessions.remove(&id) {
                    session_topics(&session, topics);
                }
            }
            Change::PutDocument(document) => {
                document_topics(&document.kind, &document.id, topics);
                self.documents.insert((document.kind.clone(), document.id.clone()), document);
            }
            Change::DeleteDocument(kind, id) => {
                document_topics(&kind, &id, topics);
                self.documents.remove(&(kind, id));
            }
            Change::PutLease(id, deadline) => {
                topics.push(Topic::Leases);
                self.leases.insert(id, deadline);
            }
            Change::DeleteLease(id) => {
                topics.push(Topic::Leases);
                self.leases.remove(&id);
            }
            Change::Departed(node, id, departure) => self.remember_departure(node, id, departure),
            Change::DelayLock { key, from, until } => self.delay_lock(key, until, from),
        }
    }

    fn put_key(&mut self, entry: Arc<KvEntry>) {
        self.let_go(&entry.key);
        if let Some(session) = &entry.session {
            self.held.insert((session.clone(), entry.key.clone()));
        }
        self.kv.insert(entry.key.clone(), entry);
    }

    fn let_go(&mut self, key: &Arc<str>) {
        if let Some(session) = self.kv.get(key).and_then(|old| old.session.clone()) {
            self.held.remove(&(session, key.clone()));
        }
    }

    fn put_node(&mut self, node: Arc<Node>, topics: &mut Vec<Topic>) {
        self.node_topics(&node.name, topics);
        self.nodes.insert(node.name.clone(), node);
    }

    fn delete_node(&mut self, node: &str, topics: &mut Vec<Topic>) {
        if let Some(node) = self.nodes.remove(node) {
            self.node_topics(&node.name, topics);
        }
    }

    fn node_topics(&self, node: &Arc<str>, topics: &mut Vec<Topic>) {
        topics.extend([Topic::Catalog, Topic::Nodes, Topic::Node(node.clone())]);
        for instance in self.instances_on(node) {
            topics.extend([Topic::Service(instance.name.clone()), Topic::Health(instance.name.clone())]);
        }
    }

    fn put_instance(&mut self, instance: Arc<Instance>, topics: &mut Vec<Topic>) {
        let key = (instance.node.clone(), instance.id.clone());
        self.departures.remove(&key);
        let old = self.instances.insert(key.clone(), instance.clone());
        instance_topics(&instance, topics);
        let listed_as_before =
            old.as_ref().is_some_and(|o| o.name == instance.name && o.tags == instance.tags);
        if !listed_as_before {
            topics.push(Topic::Services);
        }
        if let Some(old) = old.filter(|old| old.name != instance.name) {
            instance_topics(&old, topics);
            self.unlist(&old.name, &key);
        }
        self.services.entry(instance.name.clone()).or_default().insert(key, instance);
    }

    fn delete_instance(&mut self, node: &str, id: &str, topics: &mut Vec<Topic>) {
        let key = key(node, id);
        let Some(old) = self.instances.remove(&key) else {
            return;
        };
        instance_topics(&old, topics);
        topics.push(Topic::Services);
        self.unlist(&old.name, &key);
    }

    fn unlist(&mut self, service: &Arc<str>, key: &InstanceKey) {
        let Some(members) = self.services.get_mut(service) else {
            return;
        };
        members.remove(key);
        if members.is_empty() {
            self.services.remove(service);
        }
    }

    fn put_check(&mut self, check: Arc<Check>, topics: &mut Vec<Topic>) {
        let key = (check.node.clone(), check.id.clone());
        self.check_topics(&check, topics);
        if let Some(old) = self.checks.insert(key, check.clone()) {
            if old.instance != check.instance || old.service != check.service {
                self.check_topics(&old, topics);
            }
            self.edit_checks_of(&old, |checks| checks.retain(|c| c.id != old.id));
        }
        self.edit_checks_of(&check, |checks| {
            let at = checks.partition_point(|c| c.id < check.id);
            checks.insert(at, check.clone());
        });
    }

    fn delete_check(&mut self, node: &str, id: &str, topics: &mut Vec<Topic>) {
        let Some(old) = self.checks.remove(&key(node, id)) else {
            return;
        };
        self.check_topics(&old, topics);
        self.edit_checks_of(&old, |checks| checks.retain(|c| c.id != old.id));
    }

    fn edit_checks_of(&mut self, check: &Check, edit: impl FnOnce(&mut Vec<Arc<Check>>)) {
        let key = (check.node.clone(), check.instance.clone().unwrap_or_else(|| Arc::from("")));
        let mut checks = self.checks_of.get(&key).map(|checks| checks.to_vec()).unwrap_or_default();
        edit(&mut checks);
        if checks.is_empty() {
            self.checks_of.remove(&key);
        } else {
            self.checks_of.insert(key, Arc::new(checks));
        }
    }

    fn check_topics(&self, check: &Check, topics: &mut Vec<Topic>) {
        topics.extend([Topic::Catalog, Topic::Checks, Topic::NodeChecks(check.node.clone())]);
        if check.instance.is_some() {
            let service = check.service.clone();
            topics.extend([Topic::Health(service.clone()), Topic::ServiceChecks(service)]);
        } else {
            topics.extend(self.instances_on(&check.node).map(|i| Topic::Health(i.name.clone())));
        }
    }
}

fn session_topics(session: &Session, topics: &mut Vec<Topic>) {
    topics.extend([
        Topic::Sessions,
        Topic::Session(session.id.clone()),
        Topic::NodeSessions(session.node.clone()),
    ]);
}

fn document_topics(kind: &Arc<str>, id: &Arc<str>, topics: &mut Vec<Topic>) {
    topics.extend([Topic::Documents(kind.clone()), Topic::Document(kind.clone(), id.clone())]);
}

/// Name of the lease of a TTL check.
pub fn ttl_lease(node: &str, check: &str) -> String {
    format!("check/{node}/{check}")
}

fn instance_topics(instance: &Instance, topics: &mut Vec<Topic>) {
    topics.extend([
        Topic::Catalog,
        Topic::Node(instance.node.clone()),
        Topic::Service(instance.name.clone()),
        Topic::Health(instance.name.clone()),
    ]);
}

fn key(node: &str, id: &str) -> InstanceKey {
    (Arc::from(node), Arc::from(id))
}

fn on_node<'a, V>(map: &'a OrdMap<InstanceKey, V>, node: &str) -> impl Iterator<Item = &'a V> + use<'a, V> {
    let first = key(node, "");
    let node = first.0.clone();
    map.range((Bound::Included(first), Bound::Unbounded))
        .take_while(move |(key, _)| key.0 == node)
        .map(|(_, v)| v)
}

fn from<'a, V>(
    map: &'a OrdMap<Arc<str>, V>,
    start: &str,
) -> impl Iterator<Item = (&'a Arc<str>, &'a V)> + use<'a, V> {
    map.range((Bound::Included(Arc::<str>::from(start)), Bound::Unbounded))
}
