//! What does a catalog elsewhere say? A copy of just those answers that templates depend on.
//!
//! One blocking query for each distinct question, however many templates ask it, and never more than
//! [`MirrorConfig::connections`] at a time. What was last known stays known while the server is away. Invariant:
//! an answer in the view is one the server gave; nothing is ever made up or removed here.

mod answer;
mod follow;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    task::AbortHandle,
};
use wharf_catalog::{State, Topic};
use wharf_catalog_http::client::Client;

use crate::source::{Lookup, Source};

/// How a catalog elsewhere is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorConfig {
    /// Most queries that wait at the server at a time. Consul refuses more than 200 from one address.
    pub connections: usize,
    /// Answers of a server that may be behind its leader by up to this are accepted; `None`: only the
    /// leader's.
    pub max_stale: Option<Duration>,
    /// How long a query waits at the server for a change before it is asked anew.
    pub wait: Duration,
    /// Longest delay between two attempts while the server is away.
    pub max_backoff: Duration,
}

impl Default for MirrorConfig {
    fn default() -> Self {
        Self {
            connections: 128,
            max_stale: Some(Duration::from_secs(2)),
            wait: Duration::from_secs(60),
            max_backoff: Duration::from_secs(60),
        }
    }
}

/// One question to a catalog elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// What a topic says in a datacenter (`""`: the server's own).
    Topic(Arc<str>, Topic),
    /// Which datacenters there are.
    Datacenters,
    /// Which node it is that answers.
    Agent,
}

/// What is wrong with the connection to the catalog, if anything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    /// How many questions cannot be asked at present.
    pub questions: usize,
    /// What the last one ran into.
    pub error: String,
}

/// The copy. Clones share it; following ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Mirror(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    config: MirrorConfig,
    connections: Arc<Semaphore>,
    board: Mutex<Board>,
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Board {
    view: View,
    followed: HashMap<Question, Followed>,
    errors: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Followed {
    task: AbortHandle,
    wanted_by: HashSet<usize>,
}

/// Everything known at one moment. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    version: u64,
    topics: imbl::HashMap<Question, (u64, Arc<State>)>,
    datacenters: Option<(u64, Arc<[String]>)>,
    agent: Option<(u64, Arc<Agent>)>,
}

/// Who answers.
#[derive(Debug, Default)]
struct Agent {
    datacenter: String,
    /// Empty when it does not say.
    node: String,
}

/// The follower that always needs to know who answers.
const KEEPER: usize = usize::MAX;

impl Drop for Inner {
    fn drop(&mut self) {
        let board = self.board.get_mut().unwrap_or_else(PoisonError::into_inner);
        board.followed.values().for_each(|followed| followed.task.abort());
    }
}

impl Mirror {
    /// A copy of what `client` sees; nothing is asked before a template needs it.
    pub fn new(client: Client, config: MirrorConfig) -> Self {
        Self(Arc::new(Inner {
            connections: Arc::new(Semaphore::new(config.connections.max(1))),
            client,
            config,
            board: Mutex::default(),
            version: watch::Sender::new(0),
        }))
    }

    /// Says what `follower` depends on from now on. What nobody needs any more is not followed any more.
    pub(crate) fn follow(&self, follower: usize, questions: &HashSet<Question>) {
        let mut board = self.0.board();
        board.followed.retain(|question, followed| {
            if !questions.contains(question) {
                followed.wanted_by.remove(&follower);
            }
            if followed.wanted_by.is_empty() {
                followed.task.abort();
            }
            !followed.wanted_by.is_empty()
        });
        for question in questions {
            let followed = board.followed.entry(question.clone()).or_insert_with(|| Followed {
                task: tokio::spawn(follow::run(Arc::downgrade(&self.0), question.clone())).abort_handle(),
                wanted_by: HashSet::new(),
            });
            followed.wanted_by.insert(follower);
        }
        let Board { view, followed, errors } = &mut *board;
        view.topics.retain(|question, _| followed.contains_key(question));
        errors.retain(|name, _| followed.keys().any(|question| question.name() == *name));
    }

    /// Waits until it is known who answers: templates speak of its datacenter.
    pub(crate) async fn ready(&self) {
        let agent = HashSet::from([Question::Agent]);
        self.follow(KEEPER, &agent);
        self.changed(&agent, 0).await;
    }

    pub(crate) fn view(&self) -> View {
        self.0.board().view.clone()
    }

    /// Waits until one of `questions` has an answer younger than version `after`.
    pub(crate) async fn changed(&self, questions: &HashSet<Question>, after: u64) -> u64 {
        let mut versions = self.0.version.subscribe();
        loop {
            versions.borrow_and_update();
            let view = self.view();
            if questions.iter().any(|question| view.version_of(question).is_some_and(|v| v > after)) {
                return view.version;
            }
            if versions.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// What cannot be asked at present.
    pub fn outage(&self) -> Option<Outage> {
        let board = self.0.board();
        let error = board.errors.values().next()?.clone();
        Some(Outage { questions: board.errors.len(), error })
    }

    /// How many distinct questions are followed.
    pub fn followed(&self) -> usize {
        self.0.board().followed.len()
    }
}

impl Inner {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an answer known, unless nobody follows the question any more.
    fn publish(&self, question: &Question, learn: impl FnOnce(&mut View)) {
        let mut board = self.board();
        if !board.followed.contains_key(question) {
            return;
        }
        board.errors.remove(&question.name());
        board.view.version += 1;
        learn(&mut board.view);
        let version = board.view.version;
        drop(board);
        self.version.send_replace(version);
    }

    fn failed(&self, question: &Question, error: String) {
        let mut board = self.board();
        if board.followed.contains_key(question) {
            board.errors.insert(question.name(), error);
        }
    }

    fn recovered(&self, question: &Question) {
        self.board().errors.remove(&question.name());
    }
}

impl Question {
    /// For people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Datacenters => "datacenters".to_owned(),
            Self::Agent => "this agent".to_owned(),
            Self::Topic(datacenter, topic) => {
                let at = if datacenter.is_empty() { String::new() } else { format!("@{datacenter}") };
                match topic {
                    Topic::Services => format!("services{at}"),
                    Topic::Health(name) => format!("service {name}{at}"),
                    Topic::Nodes => format!("nodes{at}"),
                    Topic::Node(name) => format!("node {name}{at}"),
                    Topic::Key(key) => format!("key {key}{at}"),
                    Topic::KeyPrefix(prefix) => format!("keys under {prefix}{at}"),
                    other => format!("{other:?}{at}"),
                }
            }
        }
    }
}

impl View {
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    fn version_of(&self, question: &Question) -> Option<u64> {
        match question {
            Question::Datacenters => self.datacenters.as_ref().map(|(version, _)| *version),
            Question::Agent => self.agent.as_ref().map(|(version, _)| *version),
            topic => self.topics.get(topic).map(|(version, _)| *version),
        }
    }
}

/// A view that remembers which of the questions that are no topics were asked.
#[derive(Debug, Default)]
pub(crate) struct Look {
    pub(crate) view: View,
    datacenters: AtomicBool,
    agent: AtomicBool,
}

impl Look {
    pub(crate) fn new(view: View) -> Self {
        Self { view, ..Self::default() }
    }

    fn answer(&self, datacenter: &str, topic: &Topic) -> Option<&(u64, Arc<State>)> {
        let datacenter = if datacenter == self.datacenter() { "" } else { datacenter };
        self.view.topics.get(&Question::Topic(datacenter.into(), topic.clone()))
    }

    /// The questions asked beside topics.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Question> {
        let datacenters = self.datacenters.load(Ordering::Relaxed).then_some(Question::Datacenters);
        let agent = self.agent.load(Ordering::Relaxed).then_some(Question::Agent);
        datacenters.into_iter().chain(agent)
    }
}

impl Source for Look {
    fn datacenter(&self) -> &str {
        self.view.agent.as_ref().map_or("", |(_, agent)| &agent.datacenter)
    }

    fn datacenters(&self) -> Option<Vec<String>> {
        self.datacenters.store(true, Ordering::Relaxed);
        self.view.datacenters.as_ref().map(|(_, names)| names.to_vec())
    }

    fn local_node(&self) -> Option<String> {
        self.agent.store(true, Ordering::Relaxed);
        let (_, agent) = self.view.agent.as_ref()?;
        Some(agent.node.clone()).filter(|name| !name.is_empty())
    }

    fn catalog(&self, datacenter: &str, topic: &Topic) -> Lookup<'_> {
        match self.answer(datacenter, topic) {
            Some((_, state)) => Lookup::Known(state),
            None => Lookup::Pending,
        }
    }

    fn stamp(&self, datacenter: &str, topic: &Topic) -> Option<u64> {
        self.answer(datacenter, topic).map(|(version, _)| *version)
    }
}
