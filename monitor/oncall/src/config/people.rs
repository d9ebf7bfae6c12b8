//! Teams, users, and how a user wants to be woken.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Contact, Zone, when};

/// People who belong together; for reading, and for finding who to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Team {
    /// What it is called; without it, its key.
    pub name: Option<String>,
    /// Its users.
    pub members: Vec<String>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// What they are called; without it, their key.
    pub name: Option<String>,
    /// The zone in which they read times.
    pub time_zone: Option<Zone>,
    /// Where they can be reached.
    pub contacts: BTreeMap<String, Contact>,
    /// The personal paging policy: who pages them goes through these in order, until somebody acknowledges.
    pub paging: Vec<PagingStep>,
    /// How often the last step of the paging policy is repeated.
    #[serde(with = "when::duration")]
    pub page_again: Duration,
}

impl Default for User {
    fn default() -> Self {
        Self {
            name: None,
            time_zone: None,
            contacts: BTreeMap::new(),
            paging: Vec::new(),
            page_again: Duration::from_secs(600),
        }
    }
}

impl User {
    /// How long after step `index` of the paging policy the one that follows comes. The last repeats.
    pub(crate) fn wait_after(&self, index: usize) -> Duration {
        match (self.paging.get(index), self.paging.get(index + 1)) {
            (Some(this), Some(next)) => next.after.saturating_sub(this.after),
            _ => self.page_again,
        }
    }
}

/// A step of a personal paging policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagingStep {
    /// The contact method.
    pub contact: String,
    /// How long after the page began.
    #[serde(default, with = "when::duration")]
    pub after: Duration,
}
