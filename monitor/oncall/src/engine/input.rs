//! What goes into the engine, what comes out, and why something may be refused.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Alert,
    config::{Maintenance, Override, Problems, Swap},
    event::{Event, Record},
    maintenance::Silence,
    state::{Assignment, Delivery},
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Somebody says something about an entity.
    Alert(Box<Alert>),
    /// A person acts on an incident.
    Act {
        /// Which.
        incident: u64,
        /// Who.
        by: String,
        /// What.
        action: Action,
    },
    /// A message arrived, or was given up, after what retries its sender makes.
    Delivery {
        /// Which.
        delivery: u64,
        /// Or why not.
        result: Result<(), String>,
    },
    /// A message by every contact method of a user.
    Test {
        /// To whom.
        user: String,
        /// Who asks for it.
        by: String,
    },
    /// A silence, or what a silence of that name is to be.
    Silence {
        /// Its name.
        id: String,
        /// The silence.
        silence: Silence,
    },
    /// A silence ends now, if it has not.
    EndSilence {
        /// Its name.
        id: String,
        /// Who says so.
        by: String,
    },
    /// A maintenance window, or what one of that name is to be.
    Maintain {
        /// Its name.
        id: String,
        /// Who says so.
        by: String,
        /// The window.
        window: Maintenance,
    },
    /// A maintenance window is no more.
    EndMaintenance {
        /// Its name.
        id: String,
        /// Who says so.
        by: String,
    },
    /// Somebody stands in.
    Override {
        /// Who says so.
        by: String,
        /// For whom and when.
        substitute: Override,
    },
    /// Two shifts trade.
    Swap {
        /// Who says so.
        by: String,
        /// Which.
        swap: Swap,
    },
    /// An override or a swap is no more.
    RemoveAmendment {
        /// Its number.
        id: u64,
        /// Who says so.
        by: String,
    },
}

/// What a person does with an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Takes it.
    Acknowledge {
        /// With these words.
        note: String,
    },
    /// Says that it is over.
    Resolve {
        /// With these words.
        note: String,
    },
    /// Takes it until then.
    Snooze {
        /// Until when.
        until: Timestamp,
    },
    /// Gives it to somebody, who is paged at once.
    Reassign {
        /// To whom.
        to: Assignment,
    },
    /// Remarks.
    Note {
        /// These words.
        text: String,
    },
}

/// What is to be done about a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Send it; the number is the same at every attempt, so that a receiver can tell a repetition.
    Send {
        /// Its number.
        delivery: u64,
        /// All about it.
        what: Delivery,
    },
    /// Do not send it if it has not been sent yet.
    Cancel {
        /// Its number.
        delivery: u64,
    },
}

impl Effect {
    /// What is to be done once `record` is kept.
    pub fn of(record: &Record) -> Option<Self> {
        match &record.event {
            Event::Sending { delivery, what } => Some(Self::Send { delivery: *delivery, what: what.clone() }),
            Event::Cancelled { delivery, .. } => Some(Self::Cancel { delivery: *delivery }),
            _ => None,
        }
    }
}

/// Why something cannot be done; nothing was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Look the number up; an incident that is resolved cannot be acted on.
    #[error("no open incident #{0}")]
    NoIncident(u64),
    /// Somebody was quicker.
    #[error("incident #{incident} is already acknowledged by {by}")]
    Acknowledged {
        /// Which.
        incident: u64,
        /// By whom.
        by: String,
    },
    /// Name a later time.
    #[error("`{field}` lies in the past: {at}")]
    Past {
        /// Which time.
        field: &'static str,
        /// The time.
        at: Timestamp,
    },
    /// Look the name up.
    #[error("no {kind} `{name}`; {remedy}")]
    Unknown {
        /// A kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Give the user contacts and paging steps.
    #[error("user `{0}` has no contact methods and cannot be paged")]
    Unpageable(String),
    /// Test again then.
    #[error(
        "`{user}` was sent as many messages by {kind} as the limits allow, and can be tested again at {until}; pages do not wait for tests"
    )]
    TooOften {
        /// Whom.
        user: String,
        /// Which kind of contact method.
        kind: &'static str,
        /// When.
        until: Timestamp,
    },
    /// Ask for something.
    #[error("a silence needs a matcher that does not match everything")]
    MatchesAll,
    /// Change the configuration.
    #[error("{kind} `{name}` is from the configuration and is changed there")]
    ReadOnly {
        /// A kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Correct what it says.
    #[error("{0}")]
    Wrong(Problems),
}
