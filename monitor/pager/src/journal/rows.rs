//! What readers get: incidents and deliveries as rows, as JSON has them (`docs/oncall-api.md`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
pub use wharf_monitor::IncidentState;
use wharf_oncall::{
    Record,
    event::Event,
    state::{Delivery, Incident, Occasion, Stand, To},
    template,
};

/// A record with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub seq: u64,
    /// The record.
    pub record: Record,
}

/// Who took an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledged {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until then only.
    pub until: Option<Timestamp>,
}

/// How an incident ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// When.
    pub at: Timestamp,
    /// Who said so, if a person did.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
}

/// An incident in short, open or over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Its number.
    pub id: u64,
    /// Where it stands.
    pub state: IncidentState,
    /// The entity that opened it.
    pub entity: String,
    /// One line.
    pub title: String,
    /// What is wrong.
    pub message: String,
    /// `CRITICAL` or `WARNING`.
    pub severity: String,
    /// Who said so.
    pub source: String,
    /// Its routing key.
    pub routing_key: Option<String>,
    /// Since when it is wrong.
    pub started: Timestamp,
    /// Since when that is known.
    pub opened: Timestamp,
    /// Who has it.
    pub acknowledged: Option<Acknowledged>,
    /// How it ended.
    pub resolved: Option<Resolved>,
    /// The incident it became a part of.
    #[serde(default)]
    pub part_of: Option<u64>,
    /// By what it is silenced.
    pub held: Option<String>,
    /// How many entities are not well.
    pub symptoms: usize,
    /// How many were, in all.
    pub symptoms_ever: usize,
    /// Some of them.
    pub entities: Vec<String>,
    /// What else is known.
    pub fields: BTreeMap<String, String>,
    /// Runbooks and the like.
    pub notes: BTreeMap<String, String>,
}

impl IncidentRow {
    /// An open incident.
    pub(crate) fn of(incident: &Incident) -> Self {
        let summary = incident.summary();
        let (state, acknowledged) = match &incident.stand {
            Stand::Triggered => (IncidentState::Triggered, None),
            Stand::Acknowledged { by, at, until } => {
                (IncidentState::Acknowledged, Some(Acknowledged { by: by.clone(), at: *at, until: *until }))
            }
        };
        Self {
            id: incident.id,
            state,
            entity: summary.entity,
            title: summary.title,
            message: summary.message,
            severity: summary.severity,
            source: summary.source,
            routing_key: summary.routing_key,
            started: incident.started,
            opened: incident.opened,
            acknowledged,
            resolved: None,
            part_of: None,
            held: incident.held.clone(),
            symptoms: summary.symptoms,
            symptoms_ever: incident.symptoms.len(),
            entities: summary.entities,
            fields: summary.fields,
            notes: summary.notes,
        }
    }

    /// The same, over.
    pub(crate) fn ended(mut self, record: &Record) -> Self {
        let (by, reason) = match &record.event {
            Event::Resolved { by, reason, .. } => (by.clone(), reason.clone()),
            Event::Merged { into, reason, .. } => {
                self.part_of = Some(*into);
                (None, format!("it is a part of #{into}: {reason}"))
            }
            _ => return self,
        };
        self.state = IncidentState::Resolved;
        self.resolved = Some(Resolved { at: record.at, by, reason });
        (self.symptoms, self.held) = (0, None);
        self
    }

    /// What a search looks through.
    pub(crate) fn text(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.title, self.message, self.entity, self.entities.join("\n"))
            .to_lowercase()
    }
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// On its way.
    Sending,
    /// Taken.
    Delivered,
    /// Given up.
    Failed,
    /// Not wanted any more.
    Cancelled,
}

impl DeliveryState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A message, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRow {
    /// Its number.
    pub delivery: u64,
    /// When it was decided on.
    pub at: Timestamp,
    /// To whom, if to a person.
    pub user: Option<String>,
    /// By which of their contact methods.
    pub contact: Option<String>,
    /// Its kind.
    pub kind: Option<String>,
    /// To which room or machine, otherwise.
    pub receiver: Option<String>,
    /// `triggered`, `acknowledged`, `resolved`, `test`.
    pub occasion: Occasion,
    /// What it tells of.
    pub incidents: Vec<u64>,
    /// Why it is sent.
    pub reason: String,
    /// Its one line.
    pub title: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Since when that is final.
    pub done: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// What the other side said last, or why it was given up.
    pub answer: String,
}

impl DeliveryRow {
    pub(crate) fn new(delivery: u64, at: Timestamp, what: &Delivery) -> Self {
        let (user, contact, kind, receiver) = match &what.to {
            To::User { user, contact, kind } => (Some(user), Some(contact), Some(kind), None),
            To::Receiver { receiver } => (None, None, None, Some(receiver)),
        };
        Self {
            delivery,
            at,
            user: user.cloned(),
            contact: contact.cloned(),
            kind: kind.cloned(),
            receiver: receiver.cloned(),
            occasion: what.occasion,
            incidents: what.incidents.clone(),
            reason: what.reason.clone(),
            title: template::title(what),
            state: DeliveryState::Sending,
            done: None,
            attempts: 0,
            answer: String::new(),
        }
    }
}

/// A piece of configuration made by the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `users`, `rotations`, ...
    pub kind: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// JSON, as it was sent; nothing: it is removed.
    pub body: Option<String>,
}
