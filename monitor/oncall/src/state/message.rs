//! A message: to whom, what for, about what.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Summary;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum To {
    /// A person.
    User {
        /// Who.
        user: String,
        /// Their contact method, by its name.
        contact: String,
        /// Its kind.
        kind: String,
    },
    /// A room or a machine.
    Receiver {
        /// Its name.
        receiver: String,
    },
}

impl Delivery {
    /// Whether it is to wake a person.
    pub fn is_page(&self) -> bool {
        matches!(self.to, To::User { .. }) && self.occasion == Occasion::Triggered
    }
}

/// What a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Occasion {
    /// It is time to act.
    Triggered,
    /// Somebody is on it.
    Acknowledged,
    /// It is over.
    Resolved,
    /// Nothing; somebody wants to see it arrive.
    Test,
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Test => "test",
        })
    }
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// To whom.
    pub to: To,
    /// What for.
    pub occasion: Occasion,
    /// Which incidents; several if a limit bundled them.
    pub incidents: Vec<u64>,
    /// Why, in words.
    pub reason: String,
    /// The incidents as they were; of a large bundle the first ones.
    pub about: Vec<Summary>,
    /// The step of the user's paging policy it is, and the one that follows; of a bundle nothing.
    pub step: Option<PagingTurn>,
    /// It counts for the contact's limits.
    pub metered: bool,
}

/// A step of a paging policy is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PagingTurn {
    /// This one.
    pub taken: usize,
    /// The next.
    pub next: usize,
    /// When that is due.
    pub due: Timestamp,
}

/// A contact method failed: when the next one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// The incident.
    pub incident: u64,
    /// The step of the paging policy.
    pub index: usize,
    /// When.
    pub due: Timestamp,
}
