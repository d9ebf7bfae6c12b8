//! What is open, who is being paged for it, and what is on its way: all that the journal amounts to.
//!
//! [`State::evolve`] is the only code that changes it, and it decides nothing: [`crate::engine`] does.

mod deliveries;
mod evolve;
mod message;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::message::{Delivery, Occasion, PagingTurn, Retry, To};
use crate::{
    Alert, Kind,
    config::Maintenance,
    event::{Record, Summary},
    maintenance::Silence,
    schedule::Amendments,
};

/// The most changes of an entity that are remembered.
pub(crate) const MOST_CHANGES: usize = 64;
/// The longest they are.
pub(crate) const FLAP_MEMORY: Duration = Duration::from_secs(86_400);
/// Entities named in a summary.
const NAMED: usize = 10;

/// All that is to be known. Small: what is resolved is in the journal only.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The latest time that was seen.
    pub at: Timestamp,
    /// The last incident's number.
    pub last_incident: u64,
    /// The last delivery's number.
    pub last_delivery: u64,
    /// The last override's or swap's number.
    pub last_amendment: u64,
    /// The open incidents by number.
    pub incidents: BTreeMap<u64, Incident>,
    /// Incidents that became a part of one that is open, by number: which.
    pub merged: BTreeMap<u64, u64>,
    /// The open incident of each entity that has one.
    pub entities: BTreeMap<String, u64>,
    /// What is on its way, by number.
    pub deliveries: BTreeMap<u64, Delivery>,
    /// What went over limited contact methods, by `user/contact`.
    pub meters: BTreeMap<String, Meter>,
    /// Silences made while wharf ran, by name.
    pub silences: BTreeMap<String, Silence>,
    /// Maintenance windows made while wharf ran, by name.
    pub maintenance: BTreeMap<String, Maintenance>,
    /// Who made which of those.
    pub maintained_by: BTreeMap<String, String>,
    /// Overrides and swaps made while wharf ran.
    pub amendments: Amendments,
    /// When entities last changed between well and not.
    pub changes: BTreeMap<String, Vec<Timestamp>>,
}

impl State {
    /// What the records amount to, on top of `self`: nothing, or a snapshot taken before the first of them.
    #[must_use]
    pub fn replay<'r>(mut self, records: impl IntoIterator<Item = &'r Record>) -> Self {
        for record in records {
            self.evolve(record);
        }
        self
    }

    /// The open incident of an entity.
    pub fn incident_of(&self, entity: &str) -> Option<&Incident> {
        self.incidents.get(self.entities.get(entity)?)
    }

    /// The incident that stands for `id` now: itself, or what it became a part of.
    pub fn whole(&self, id: u64) -> u64 {
        self.merged.get(&id).copied().unwrap_or(id)
    }
}

/// Whether somebody has taken it. What is resolved is no longer in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Stand {
    /// Nobody has.
    Triggered,
    /// Somebody has.
    Acknowledged {
        /// Who.
        by: String,
        /// When.
        at: Timestamp,
        /// It is triggered again then (snoozed).
        until: Option<Timestamp>,
    },
}

/// Something that is wrong, once, with all its symptoms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// The entity that opened it.
    pub root: String,
    /// The group it stands for.
    pub group: Option<String>,
    /// Whether somebody has taken it.
    pub stand: Stand,
    /// Since when it is wrong.
    pub started: Timestamp,
    /// Since when we know.
    pub opened: Timestamp,
    /// All that is or was wrong, by entity.
    pub symptoms: BTreeMap<String, Symptom>,
    /// Whose it is, if somebody said so.
    #[serde(default)]
    pub given_to: Option<Assignment>,
    /// The policies that page for it.
    pub tracks: Vec<Track>,
    /// Who is being paged.
    pub chains: BTreeMap<String, Chain>,
    /// By what it is silenced.
    pub held: Option<String>,
    /// It flaps: resolves then.
    pub quiet_until: Option<Timestamp>,
    /// What others depend on is back: they have until then.
    pub settles: Option<Timestamp>,
    /// Receivers that were told, and will be told the rest.
    pub told: BTreeSet<String>,
    /// Contacts, by user and name, that were told and keep incidents of their own: they will be told the rest too.
    #[serde(default)]
    pub told_contacts: BTreeSet<(String, String)>,
}

impl Incident {
    /// The symptoms that are not well.
    pub fn active(&self) -> impl Iterator<Item = &Symptom> {
        self.symptoms.values().filter(|symptom| symptom.active)
    }

    /// Whether anybody may be paged for it.
    pub fn is_pageable(&self) -> bool {
        self.stand == Stand::Triggered && self.held.is_none() && self.active().next().is_some()
    }

    /// `triggered` or `acknowledged`.
    pub fn state(&self) -> &'static str {
        match self.stand {
            Stand::Triggered => "triggered",
            Stand::Acknowledged { .. } => "acknowledged",
        }
    }

    /// It in short.
    pub fn summary(&self) -> Summary {
        let root = self.symptoms.get(&self.root).or_else(|| self.symptoms.values().next());
        let alert = root.map_or_else(|| Alert::new(&self.root, Kind::Critical), |root| root.alert.clone());
        let worst = self.active().map(|symptom| symptom.alert.kind).max().unwrap_or(alert.kind);
        Summary {
            incident: self.id,
            state: self.state().to_owned(),
            entity: self.root.clone(),
            severity: worst.to_string(),
            title: alert.headline().to_owned(),
            message: alert.message,
            source: alert.source,
            routing_key: alert.routing_key,
            started: self.started,
            symptoms: self.active().count(),
            entities: self.active().take(NAMED).map(|symptom| symptom.alert.entity.clone()).collect(),
            fields: alert.fields,
            notes: alert.notes,
        }
    }
}

/// One entity of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symptom {
    /// What was last said of it.
    pub alert: Alert,
    /// Since when it is a symptom.
    pub since: Timestamp,
    /// Not well.
    pub active: bool,
}

/// What pages for an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// An escalation policy.
    Policy(String),
    /// One user.
    User(String),
}

/// An escalation policy at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Which.
    pub runs: Assignment,
    /// The round, from 0.
    pub round: u32,
    /// The next step, from 0.
    pub step: usize,
    /// When that is due; nothing: the policy is through.
    pub due: Option<Timestamp>,
}

/// A user's paging policy at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// Why they are paged.
    pub because: String,
    /// Since when.
    pub since: Timestamp,
    /// The last step that was taken.
    pub taken: Option<usize>,
    /// The next step.
    pub index: usize,
    /// When it is due.
    pub due: Timestamp,
    /// Contact methods that failed one after the other.
    pub failures: usize,
}

/// What went over a limited contact method within the limits' memory, and what waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// When messages went, in order; tests apart.
    pub sent: Vec<Timestamp>,
    /// When tests went, in order: they wait for pages, and pages do not wait for them.
    #[serde(default)]
    pub tests: Vec<Timestamp>,
    /// The incidents that wait, with their reasons, in order.
    pub waiting: Vec<(u64, String)>,
}

/// The key of a contact's meter.
pub(crate) fn meter_key(user: &str, contact: &str) -> String {
    format!("{user}/{contact}")
}
