//! How does each template do? The answer for pages and commands, kept by the loop.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use wharf_catalog::Timestamp;

/// What is known of all templates; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Statuses(Arc<RwLock<BTreeMap<String, Status>>>);

/// What is known of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub template: String,
    /// The file it keeps.
    pub destination: PathBuf,
    /// How it stands.
    pub condition: Condition,
    /// Why it stands so, for people.
    pub reason: String,
    /// When it was last evaluated with success.
    pub last_render: Option<Timestamp>,
    /// When the file last changed.
    pub last_publish: Option<Timestamp>,
    /// When the reload command last succeeded.
    pub last_reload: Option<Timestamp>,
    /// The last failure, also after it has passed.
    pub last_error: Option<LastError>,
    /// How many answers of the catalog it depends on.
    pub dependencies: usize,
    /// Which those are.
    pub questions: Vec<String>,
    /// What it asked for instances, in the syntax of queries.
    pub queries: Vec<String>,
    /// Instances that are held out because they come and go.
    pub flapping: Vec<String>,
    /// What happened lately, the latest first.
    pub events: VecDeque<Event>,
    /// What the last render had to leave out.
    pub notes: BTreeSet<String>,
}

/// How a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Not rendered yet.
    Starting,
    /// The file says what the catalog says.
    Current,
    /// The file is kept although the catalog says less.
    Held,
    /// Something went wrong; the last good file is in place.
    Failing,
}

/// A failure and when it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When it last happened.
    pub at: Timestamp,
    /// What happened.
    pub error: String,
}

/// Most events kept of one template.
const EVENTS: usize = 20;

/// Something that happened to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What, for people.
    pub what: String,
    /// How long it took, in milliseconds, where that says something.
    pub milliseconds: Option<u64>,
}

impl Event {
    fn new(at: Timestamp, what: impl Into<String>, took: Option<Duration>) -> Self {
        let milliseconds = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        Self { at, what: what.into(), milliseconds }
    }

    pub(crate) fn published(at: Timestamp, rendering: Duration) -> Self {
        Self::new(at, "rendered and published", Some(rendering))
    }

    pub(crate) fn reloaded(at: Timestamp, took: Duration) -> Self {
        Self::new(at, "reloaded", Some(took))
    }

    pub(crate) fn held(at: Timestamp, reason: &str) -> Self {
        Self::new(at, format!("the last file is kept: {reason}"), None)
    }

    pub(crate) fn failed(at: Timestamp, error: &str) -> Self {
        Self::new(at, error, None)
    }
}

impl Status {
    pub(crate) fn remember(&mut self, event: Event) {
        self.events.truncate(EVENTS - 1);
        self.events.push_front(event);
    }

    pub(crate) fn starting(template: String, destination: PathBuf) -> Self {
        Self {
            template,
            destination,
            condition: Condition::Starting,
            reason: "not rendered yet".to_owned(),
            last_render: None,
            last_publish: None,
            last_reload: None,
            last_error: None,
            dependencies: 0,
            questions: Vec::new(),
            queries: Vec::new(),
            flapping: Vec::new(),
            events: VecDeque::new(),
            notes: BTreeSet::new(),
        }
    }
}

impl Statuses {
    /// All of them, by name.
    pub fn all(&self) -> Vec<Status> {
        let statuses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        statuses.values().cloned().collect()
    }

    /// That of one template.
    pub fn of(&self, template: &str) -> Option<Status> {
        let statuses = self.0.read().unwrap_or_else(PoisonError::into_inner);
        statuses.get(template).cloned()
    }

    pub(crate) fn set(&self, status: Status) {
        let mut statuses = self.0.write().unwrap_or_else(PoisonError::into_inner);
        statuses.insert(status.template.clone(), status);
    }
}
