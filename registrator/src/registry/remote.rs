//! A catalog somewhere else: wharf's or Consul's, over HTTP.
//!
//! What it holds is mirrored here, so that comparing costs no request: read when it may have changed, and kept up
//! with what we do to it. Agents do not tell how they run a check; the mirror remembers what we registered, and what
//! an earlier process registered is registered again once, which keeps the check's status.

mod calls;
mod mirror;
mod watch;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::{task::AbortHandle, time::Instant};
use wharf_catalog::{Command, Index, State, Timestamp, apply::apply};
use wharf_catalog_http::client::{Client, ClientError};

use super::{Held, Refusal, Registry, RegistryError};
use calls::Call;
use watch::News;

/// Requests under way at the same time.
const REQUESTS: usize = 32;
/// What was refused is not asked for again before this time has passed, or something else is asked for.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// Who registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The agent: it runs the checks, and holds the entries on its own node.
    #[default]
    Agent,
    /// Nobody: entries go straight into the catalog, on a node without an agent. Nobody runs checks there.
    Catalog,
}

/// A catalog over HTTP.
#[derive(Debug)]
pub struct Remote {
    client: Client,
    mode: Mode,
    node: Arc<str>,
    address: IpAddr,
    news: Arc<News>,
    memory: Mutex<Memory>,
    watcher: AbortHandle,
}

#[derive(Debug, Default)]
struct Memory {
    mirror: Option<Arc<State>>,
    refused: HashMap<Arc<str>, (Vec<Command>, Instant, String)>,
}

/// Commands about one instance, or about no instance.
#[derive(Debug)]
struct Group {
    instance: Option<Arc<str>>,
    commands: Vec<Command>,
}

enum Done {
    Yes,
    Refused(String),
}

impl Remote {
    /// Registers on `node`, which is made at `address` if it is missing; an agent has its own. Starts watching at once.
    pub fn new(client: Client, mode: Mode, node: Arc<str>, address: IpAddr) -> Self {
        let news = Arc::new(News::default());
        let watched = (mode == Mode::Catalog).then(|| node.clone());
        let watcher = tokio::spawn(watch::run(client.clone(), watched, news.clone())).abort_handle();
        Self { client, mode, node, address, news, memory: Mutex::default(), watcher }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> Result<Arc<State>, RegistryError> {
        let before = self.memory().mirror.clone();
        let read = match self.mode {
            Mode::Agent => mirror::of_agent(&self.client, &self.node, self.address, before.as_deref()).await,
            Mode::Catalog => mirror::of_catalog(&self.client, &self.node, before.as_deref()).await,
        };
        let state = Arc::new(read.inspect_err(|_| self.news.lost())?);
        self.news.found();
        self.memory().mirror = Some(state.clone());
        Ok(state)
    }

    /// The same was refused a moment ago.
    fn refused_already(&self, group: &Group) -> Option<Refusal> {
        let instance = group.instance.clone()?;
        let memory = self.memory();
        let (commands, at, reason) = memory.refused.get(&instance)?;
        let again = *commands == group.commands && at.elapsed() < REFUSED_FOR;
        again.then(|| Refusal { instance, reason: reason.clone() })
    }

    async fn carry_out(&self, group: Group, mirror: &State) -> Result<Option<Refusal>, RegistryError> {
        if let Some(refusal) = self.refused_already(&group) {
            return Ok(Some(refusal));
        }
        for call in calls::calls(self.mode, &self.node, &group.commands, mirror) {
            match self.send(call).await {
                Ok(Done::Yes) => {}
                Ok(Done::Refused(reason)) => return Ok(self.remember_refusal(group, reason)),
                Err(error) => {
                    self.news.lost();
                    return Err(error);
                }
            }
        }
        self.note(&group);
        Ok(None)
    }

    async fn send(&self, call: Call) -> Result<Done, RegistryError> {
        let Call { path, query, body } = call;
        let query: Vec<_> = query.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.news.wrote();
        let done = self.client.put(&path, &query, body.as_ref()).await;
        self.news.wrote();
        match done {
            Ok(()) => Ok(Done::Yes),
            Err(ClientError::Refused { status, text, .. }) if !is_passing_trouble(status, &text) => {
                Ok(Done::Refused(format!("{status}: {text}")))
            }
            Err(error) => Err(RegistryError::Unavailable(error.to_string())),
        }
    }

    /// The mirror takes part in what was done.
    fn note(&self, group: &Group) {
        let mut memory = self.memory();
        if let Some(instance) = &group.instance {
            memory.refused.remove(instance);
        }
        let applied = memory
            .mirror
            .as_ref()
            .map(|mirror| apply(mirror, mirror.index().next(), Timestamp::default(), &group.commands));
        match applied {
            Some(Ok(applied)) => memory.mirror = Some(Arc::new(applied.state)),
            _ => self.news.tell_urgently(),
        }
    }

    fn remember_refusal(&self, group: Group, reason: String) -> Option<Refusal> {
        self.news.tell_urgently();
        let instance = group.instance.unwrap_or_else(|| Arc::from(""));
        let entry = (group.commands, Instant::now(), reason.clone());
        self.memory().refused.insert(instance.clone(), entry);
        Some(Refusal { instance, reason })
    }
}

impl Registry for Remote {
    async fn snapshot(&self) -> Result<Held, RegistryError> {
        let known = if self.news.take() { None } else { self.memory().mirror.clone() };
        let (state, news) = match known {
            Some(mirror) => (mirror, false),
            None => (self.read().await?, true),
        };
        Ok(Held { state, news, absences: self.news.absences() })
    }

    async fn commit(&self, commands: Vec<Command>) -> Result<Vec<Refusal>, RegistryError> {
        let mirror = self.memory().mirror.clone().unwrap_or_default();
        let (first, groups) = grouped(commands, &self.node, &mirror);
        let mut refusals = Vec::new();
        if !first.commands.is_empty() {
            refusals.extend(self.carry_out(first, &mirror).await?);
        }
        let mut under_way =
            stream::iter(groups).map(|group| self.carry_out(group, &mirror)).buffer_unordered(REQUESTS);
        let mut failure = Ok(());
        while let Some(done) = under_way.next().await {
            match done {
                Ok(refusal) => refusals.extend(refusal),
                Err(error) => failure = Err(error),
            }
        }
        failure.map(|()| refusals)
    }

    async fn changed(&self) {
        self.news.heard().await;
    }

    fn is_local(&self) -> bool {
        self.client.is_local()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Commands about no instance come first, the others by instance.
fn grouped(commands: Vec<Command>, node: &Arc<str>, mirror: &State) -> (Group, Vec<Group>) {
    let mut first = Group { instance: None, commands: Vec::new() };
    let mut groups: BTreeMap<Arc<str>, Vec<Command>> = BTreeMap::new();
    let new: HashMap<Arc<str>, Option<Arc<str>>> = commands
        .iter()
        .filter_map(|command| match command {
            Command::PutCheck(check, _) => Some((check.id.clone(), check.instance.clone())),
            _ => None,
        })
        .collect();
    for command in commands {
        let of_check = |check: &Arc<str>| match new.get(check) {
            Some(instance) => instance.clone(),
            None => mirror.check(node, check).and_then(|check| check.instance.clone()),
        };
        let instance = match &command {
            Command::PutInstance(instance) => Some(instance.id.clone()),
            Command::DeleteInstance(_, instance) => Some(instance.clone()),
            Command::PutCheck(check, _) => check.instance.clone(),
            Command::DeleteCheck(_, check) | Command::SetCheckStatus { check, .. } => of_check(check),
            _ => None,
        };
        match instance {
            Some(instance) => groups.entry(instance).or_default().push(command),
            None => first.commands.push(command),
        }
    }
    let group = |(instance, commands)| Group { instance: Some(instance), commands };
    (first, groups.into_iter().map(group).collect())
}

/// Not our request's fault: the same may be taken in a moment.
fn is_passing_trouble(status: u16, text: &str) -> bool {
    matches!(status, 429 | 502 | 503 | 504) || text.contains("leader") || text.contains("rpc error")
}

/// The index of a mirror that was just read.
const FRESH: Index = Index(1);
