//! The journal: everything that ever happened to incidents, and all decisions with their reasons.
//!
//! The engine's state is what comes of these records in their order, and of nothing else: whoever keeps them
//! can [rebuild](crate::state::State::replay) it, whatever the configuration or the version of wharf says by
//! then. A record is kept before its effects are carried out.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Alert,
    config::{Maintenance, Override, Swap},
    maintenance::Silence,
    state::{Assignment, Delivery, Retry, Track},
};

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// An alert opened an incident.
    Opened {
        /// Its number.
        incident: u64,
        /// The alert, after the rules.
        alert: Alert,
        /// Since when it is wrong.
        started: Timestamp,
        /// What pages for it.
        tracks: Vec<Track>,
        /// Why this policy, and which rules applied.
        reason: String,
    },
    /// Another entity is a symptom of the same incident.
    Joined {
        /// The incident.
        incident: u64,
        /// The alert, after the rules.
        alert: Alert,
        /// Why it is the same incident.
        reason: String,
    },
    /// A symptom said something new: it is worse or better, or wrong again.
    Changed {
        /// The incident.
        incident: u64,
        /// The alert as it now is.
        alert: Alert,
    },
    /// A symptom was said again, and lasts until then.
    Refreshed {
        /// The incident.
        incident: u64,
        /// Which symptom.
        entity: String,
        /// Until when, unless it is said again.
        expires: Option<Timestamp>,
    },
    /// A symptom is well again.
    Recovered {
        /// The incident.
        incident: u64,
        /// Which symptom.
        entity: String,
        /// What was said.
        reason: String,
    },
    /// An alert that nobody is told of.
    Muted {
        /// The incident of the entity, if it has one.
        incident: Option<u64>,
        /// Which entity.
        entity: String,
        /// What was said.
        message: String,
        /// Why nobody is told.
        reason: String,
    },
    /// The incident turned out to be a part of another.
    Merged {
        /// This one is closed.
        incident: u64,
        /// Its symptoms are this one's.
        into: u64,
        /// Why.
        reason: String,
        /// Who was told of it was told that it is over. Not so in journals of before: there they were counted as
        /// told of the other.
        #[serde(default)]
        told: bool,
    },
    /// All symptoms are well, but they were before: the incident waits until they have been for a while.
    Quieting {
        /// The incident.
        incident: u64,
        /// It resolves then.
        until: Timestamp,
        /// What flaps, and how much.
        reason: String,
    },
    /// What others depend on is well again; they get a moment to follow.
    Settling {
        /// The incident.
        incident: u64,
        /// Who is not well then is paged for.
        until: Timestamp,
        /// What is well again.
        reason: String,
    },
    /// The moment is over.
    Settled {
        /// The incident.
        incident: u64,
    },
    /// Over.
    Resolved {
        /// The incident.
        incident: u64,
        /// Who said so, if a person did.
        by: Option<String>,
        /// Why.
        reason: String,
    },
    /// Somebody takes it: paging stops.
    Acknowledged {
        /// The incident.
        incident: u64,
        /// Who.
        by: String,
        /// What they said.
        note: String,
        /// Until then only.
        until: Option<Timestamp>,
    },
    /// Paging starts again.
    Retriggered {
        /// The incident.
        incident: u64,
        /// What pages for it.
        tracks: Vec<Track>,
        /// Why.
        reason: String,
    },
    /// Somebody else's.
    Reassigned {
        /// The incident.
        incident: u64,
        /// Who said so.
        by: String,
        /// Whose.
        to: Assignment,
        /// What pages for it.
        tracks: Vec<Track>,
    },
    /// Somebody remarks.
    Noted {
        /// The incident.
        incident: u64,
        /// Who.
        by: String,
        /// What.
        text: String,
    },
    /// A silence or maintenance: nobody is paged.
    Held {
        /// The incident.
        incident: u64,
        /// By what.
        reason: String,
    },
    /// The silence or maintenance is over, or covers no longer all of it.
    Released {
        /// The incident.
        incident: u64,
    },
    /// A step of an escalation policy.
    Escalated {
        /// The incident.
        incident: u64,
        /// The incident's track, by position.
        track: usize,
        /// The round, from 0.
        round: u32,
        /// The step, from 0.
        step: usize,
        /// Who is paged from now on.
        users: Vec<String>,
        /// Policies that begin beside it.
        policies: Vec<Track>,
        /// The track from now on.
        next: Track,
        /// Who was told, who was not, and why now.
        reason: String,
        /// Why those users are paged, for their pages.
        because: String,
    },
    /// A page or notification is to be sent: an effect.
    Sending {
        /// Its number.
        delivery: u64,
        /// All about it.
        what: Delivery,
    },
    /// A limit holds a page back; it is bundled with what else waits.
    HeldBack {
        /// The incident.
        incident: u64,
        /// Who.
        user: String,
        /// Their contact method.
        contact: String,
        /// The next step of their paging policy, and when.
        next: (usize, Timestamp),
        /// The earliest it goes.
        until: Timestamp,
        /// Why it would be sent.
        reason: String,
    },
    /// It was taken.
    Delivered {
        /// Its number.
        delivery: u64,
        /// Its incidents.
        incidents: Vec<u64>,
    },
    /// It was given up.
    Failed {
        /// Its number.
        delivery: u64,
        /// Its incidents.
        incidents: Vec<u64>,
        /// Who was not reached, by what.
        whom: String,
        /// Why.
        reason: String,
        /// The next contact methods.
        retries: Vec<Retry>,
    },
    /// Not to be sent any more.
    Cancelled {
        /// Its number.
        delivery: u64,
        /// Its incidents.
        incidents: Vec<u64>,
        /// Why.
        reason: String,
    },
    /// Nobody of a step could be reached: the next one comes at once.
    Unreached {
        /// The incident.
        incident: u64,
        /// The tracks that go on now, by position.
        tracks: Vec<usize>,
    },
    /// Somebody can no longer be paged: the configuration changed.
    Dropped {
        /// The incident.
        incident: u64,
        /// Who.
        user: String,
        /// Why.
        reason: String,
    },
    /// The clock was ahead and is right again: waits are as long as they were.
    ClockBack {
        /// By how much.
        by: Duration,
    },
    /// A silence begins to exist, or is changed.
    SilenceSet {
        /// Its name.
        id: String,
        /// The silence.
        silence: Silence,
    },
    /// A silence is taken back.
    SilenceEnded {
        /// Its name.
        id: String,
        /// By whom.
        by: String,
    },
    /// A maintenance window begins to exist, or is changed.
    MaintenanceSet {
        /// Its name.
        id: String,
        /// By whom.
        by: String,
        /// The window.
        window: Maintenance,
    },
    /// A maintenance window is taken back.
    MaintenanceEnded {
        /// Its name.
        id: String,
        /// By whom.
        by: String,
    },
    /// Somebody stands in.
    OverrideAdded {
        /// Its number.
        id: u64,
        /// By whom.
        by: String,
        /// The override.
        substitute: Override,
    },
    /// Shifts are traded.
    SwapAdded {
        /// Its number.
        id: u64,
        /// By whom.
        by: String,
        /// The swap.
        swap: Swap,
    },
    /// An override or a swap is taken back.
    AmendmentRemoved {
        /// Its number.
        id: u64,
        /// By whom.
        by: String,
    },
}

impl Event {
    /// The incidents whose timeline it belongs to.
    pub fn incidents(&self) -> Vec<u64> {
        match self {
            Self::Opened { incident, .. }
            | Self::Joined { incident, .. }
            | Self::Changed { incident, .. }
            | Self::Refreshed { incident, .. }
            | Self::Recovered { incident, .. }
            | Self::Quieting { incident, .. }
            | Self::Settling { incident, .. }
            | Self::Settled { incident, .. }
            | Self::Resolved { incident, .. }
            | Self::Acknowledged { incident, .. }
            | Self::Retriggered { incident, .. }
            | Self::Reassigned { incident, .. }
            | Self::Noted { incident, .. }
            | Self::Held { incident, .. }
            | Self::Released { incident, .. }
            | Self::Escalated { incident, .. }
            | Self::HeldBack { incident, .. }
            | Self::Dropped { incident, .. }
            | Self::Unreached { incident, .. } => vec![*incident],
            Self::Merged { incident, into, .. } => vec![*incident, *into],
            Self::Muted { incident, .. } => incident.iter().copied().collect(),
            Self::Sending { what, .. } => what.incidents.clone(),
            Self::Delivered { incidents, .. }
            | Self::Failed { incidents, .. }
            | Self::Cancelled { incidents, .. } => incidents.clone(),
            Self::ClockBack { .. }
            | Self::SilenceSet { .. }
            | Self::SilenceEnded { .. }
            | Self::MaintenanceSet { .. }
            | Self::MaintenanceEnded { .. }
            | Self::OverrideAdded { .. }
            | Self::SwapAdded { .. }
            | Self::AmendmentRemoved { .. } => Vec::new(),
        }
    }
}

impl Event {
    /// The word for it, as the journal has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Joined { .. } => "joined",
            Self::Changed { .. } => "changed",
            Self::Refreshed { .. } => "refreshed",
            Self::Recovered { .. } => "recovered",
            Self::Muted { .. } => "muted",
            Self::Merged { .. } => "merged",
            Self::Quieting { .. } => "quieting",
            Self::Settling { .. } => "settling",
            Self::Settled { .. } => "settled",
            Self::Resolved { .. } => "resolved",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Retriggered { .. } => "retriggered",
            Self::Reassigned { .. } => "reassigned",
            Self::Noted { .. } => "noted",
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::Escalated { .. } => "escalated",
            Self::Sending { .. } => "sending",
            Self::HeldBack { .. } => "held_back",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
            Self::Unreached { .. } => "unreached",
            Self::Dropped { .. } => "dropped",
            Self::ClockBack { .. } => "clock_back",
            Self::SilenceSet { .. } => "silence_set",
            Self::SilenceEnded { .. } => "silence_ended",
            Self::MaintenanceSet { .. } => "maintenance_set",
            Self::MaintenanceEnded { .. } => "maintenance_ended",
            Self::OverrideAdded { .. } => "override_added",
            Self::SwapAdded { .. } => "swap_added",
            Self::AmendmentRemoved { .. } => "amendment_removed",
        }
    }

    /// Who did it, if a person did.
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::Resolved { by, .. } => by.as_deref(),
            Self::SilenceSet { silence, .. } => Some(&silence.by),
            Self::Acknowledged { by, .. }
            | Self::Reassigned { by, .. }
            | Self::Noted { by, .. }
            | Self::SilenceEnded { by, .. }
            | Self::MaintenanceSet { by, .. }
            | Self::MaintenanceEnded { by, .. }
            | Self::OverrideAdded { by, .. }
            | Self::SwapAdded { by, .. }
            | Self::AmendmentRemoved { by, .. } => Some(by),
            _ => None,
        }
    }
}

/// A summary of an incident for who is told of it, as it was when it was decided to tell them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its number.
    pub incident: u64,
    /// `triggered`, `acknowledged` or `resolved`.
    pub state: String,
    /// The entity that opened it.
    pub entity: String,
    /// `CRITICAL` or `WARNING`.
    pub severity: String,
    /// One line.
    pub title: String,
    /// What is wrong.
    pub message: String,
    /// Who said so.
    pub source: String,
    /// Its routing key.
    pub routing_key: Option<String>,
    /// Since when.
    pub started: Timestamp,
    /// How many entities are not well.
    pub symptoms: usize,
    /// Some of them.
    pub entities: Vec<String>,
    /// What else is known.
    pub fields: BTreeMap<String, String>,
    /// Runbooks and the like.
    pub notes: BTreeMap<String, String>,
}
