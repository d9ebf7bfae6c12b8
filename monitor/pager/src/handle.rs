//! What everybody else has of the pager: say something, look at what is known, wait for news.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use wharf_oncall::{ApplyError, Input, Plan, Problems, State};

use crate::{
    desk::Command,
    journal::{self, DeliveryQuery, DeliveryRow, Document, IncidentQuery, IncidentRow, Reader, RecordQuery},
    links::Signer,
    plan::Layers,
};

/// Why the pager cannot start, or cannot answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PagerError {
    /// See to permissions, free space and the path.
    #[error("cannot open the on-call journal `{path}`: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is damaged, or of a newer wharf.
    #[error(
        "the on-call journal `{path}` is not readable: {reason}; it was left as it is: move it away or restore a backup of it"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Mend the configuration.
    #[error("{path} is wrong:\n{problems}")]
    Config {
        /// The file.
        path: String,
        /// Everything that is wrong with it.
        problems: Problems,
    },
    /// Mend the configuration.
    #[error("{0}")]
    Senders(String),
    /// See to the file.
    #[error("cannot read `{path}`: {reason}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

/// Why something was not done. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It cannot be; the reason names the remedy.
    #[error(transparent)]
    Wrong(#[from] ApplyError),
    /// The configuration would not hold together.
    #[error("{0}")]
    Plan(Problems),
    /// It comes from a file.
    #[error("{kind} `{name}` comes from the configuration file and is changed there")]
    FromFile {
        /// `users`, `rotations`, ...
        kind: String,
        /// Its name.
        name: String,
    },
    /// Look the name up.
    #[error("no {kind} `{name}` was made here")]
    NoDocument {
        /// `users`, `rotations`, ...
        kind: String,
        /// Its name.
        name: String,
    },
    /// It could not be kept: say it again.
    #[error("it could not be kept and was not done: {0}; try again")]
    NotKept(String),
    /// The process stops.
    #[error("the pager stops; try again")]
    Stopped,
}

/// What came of what was said, once it is on disk.
pub type Kept = Result<(), Refusal>;

/// What is known at one moment.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The last record's number.
    pub journal: u64,
    /// The engine's state.
    pub state: Arc<State>,
    /// What it goes by.
    pub plan: Arc<Plan>,
    /// Where that comes from.
    pub layers: Arc<Layers>,
}

/// A handle on the pager; cheap to clone.
#[derive(Debug, Clone)]
pub struct Pager {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) picture: watch::Receiver<Picture>,
    pub(crate) reader: Reader,
    pub(crate) signer: Arc<Signer>,
    pub(crate) url: Arc<str>,
}

impl Pager {
    /// Says something. Answers when it is on disk.
    pub async fn say(&self, input: Input) -> Kept {
        self.say_all(vec![input]).await.pop().unwrap_or(Err(Refusal::Stopped))
    }

    /// Says several things, kept together. One that is refused holds no other up.
    pub async fn say_all(&self, inputs: Vec<Input>) -> Vec<Kept> {
        let (count, (reply, answer)) = (inputs.len(), oneshot::channel());
        let _ = self.commands.send(Command::Say { inputs, reply });
        answer.await.unwrap_or_else(|_| vec![Err(Refusal::Stopped); count])
    }

    /// Makes, changes or (without a body) removes a piece of configuration.
    pub async fn configure(&self, document: Document) -> Kept {
        let (reply, answer) = oneshot::channel();
        let _ = self.commands.send(Command::Configure { document, reply });
        answer.await.unwrap_or(Err(Refusal::Stopped))
    }

    /// What is known now.
    pub fn picture(&self) -> Picture {
        self.picture.borrow().clone()
    }

    /// Changes with every record.
    pub fn changes(&self) -> watch::Receiver<Picture> {
        self.picture.clone()
    }

    /// Signs links, and knows its own again.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Where people reach wharf's pages: `http://127.0.0.1:8500`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Incidents, the newest first.
    pub async fn incidents(&self, query: IncidentQuery) -> Result<Vec<IncidentRow>, PagerError> {
        self.read(move |connection| journal::incidents(connection, &query)).await
    }

    /// One incident, open or over.
    pub async fn incident(&self, id: u64) -> Result<Option<IncidentRow>, PagerError> {
        self.read(move |connection| journal::incident(connection, id)).await
    }

    /// The incident that stands for `id` now: itself, or what it became a part of.
    pub async fn whole_incident(&self, id: u64) -> Result<Option<IncidentRow>, PagerError> {
        // The rows of earlier versions do not say it, the state does while the whole is open.
        let id = self.picture.borrow().state.whole(id);
        self.read(move |connection| journal::whole(connection, id)).await
    }

    /// Those of `ids` that there are.
    pub async fn incidents_named(&self, ids: Vec<u64>) -> Result<Vec<IncidentRow>, PagerError> {
        self.read(move |connection| journal::named(connection, &ids)).await
    }

    /// Messages, the newest first.
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRow>, PagerError> {
        self.read(move |connection| journal::deliveries(connection, &query)).await
    }

    /// Records, the oldest first.
    pub async fn records(&self, query: RecordQuery) -> Result<Vec<journal::Kept>, PagerError> {
        self.read(move |connection| journal::records(connection, &query)).await
    }

    /// When the latest incident with this symptom began, as its source said.
    pub async fn last_start(&self, entity: String) -> Result<Option<Timestamp>, PagerError> {
        self.read(move |connection| journal::last_start(connection, &entity)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&rusqlite::Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, PagerError> {
        let reader = self.reader.clone();
        let unreadable = |reason: String| PagerError::Unreadable { path: "oncall.db".to_owned(), reason };
        match tokio::task::spawn_blocking(move || reader.read(look)).await {
            Ok(seen) => seen.map_err(|error| unreadable(error.to_string())),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }
}
