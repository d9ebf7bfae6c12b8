//! Escalation policies, and how an alert finds its own: routing keys, rules, groups, dependencies, flapping.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::when;
use crate::Matcher;

/// Who is told, in which order, until somebody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The team it belongs to.
    #[serde(default)]
    pub team: Option<String>,
    /// The steps.
    pub steps: Vec<EscalationStep>,
    /// What comes after the last step.
    #[serde(default)]
    pub repeat: Repeat,
    /// How long after the last step a new round begins, before the first step's own delay.
    #[serde(default = "fifteen_minutes", with = "when::duration")]
    pub repeat_after: Duration,
    /// Receivers that are told when an incident opens, is acknowledged and resolves.
    #[serde(default)]
    pub announce: Vec<String>,
}

fn fifteen_minutes() -> Duration {
    Duration::from_secs(900)
}

/// A step of an escalation policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    /// How long after the step before; for the first, after the incident's start (the waiting room).
    #[serde(default, with = "when::duration")]
    pub after: Duration,
    /// Who is told; nobody makes it a waiting room.
    #[serde(default)]
    pub targets: Vec<Target>,
}

/// Whom a step tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Who is on duty.
    Rotation(String),
    /// Who takes over next.
    NextInRotation(String),
    /// Who was on duty before.
    PreviousInRotation(String),
    /// This user.
    User(String),
    /// Starts that policy, beside this one.
    Policy(String),
    /// A room or a machine: `[receivers.<name>]`, a webhook for example.
    Receiver(String),
}

/// What comes after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// So many rounds more.
    Times(u32),
    /// Rounds without end.
    UntilAcknowledged,
}

impl Default for Repeat {
    fn default() -> Self {
        Self::Times(0)
    }
}

impl Repeat {
    /// Whether there is a round after the round numbered `round`, the first being 0.
    pub(crate) fn goes_on_after(self, round: u32) -> bool {
        match self {
            Self::Times(times) => round < times,
            Self::UntilAcknowledged => true,
        }
    }
}

impl<'de> Deserialize<'de> for Repeat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Times(u32),
            Words(String),
        }
        match Written::deserialize(from) {
            Ok(Written::Times(times)) => Ok(Self::Times(times)),
            Ok(Written::Words(words)) if words == "until-acknowledged" => Ok(Self::UntilAcknowledged),
            _ => Err(D::Error::custom("`repeat` is a number of rounds or \"until-acknowledged\"")),
        }
    }
}

impl Serialize for Repeat {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Times(times) => to.serialize_u32(*times),
            Self::UntilAcknowledged => to.serialize_str("until-acknowledged"),
        }
    }
}

/// Which policy an alert goes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// The policy of alerts with no routing key, or with one that is not known.
    pub default: Option<String>,
    /// Policies by routing key.
    pub keys: BTreeMap<String, String>,
}

/// Changes alerts before anything else sees them. Rules apply in order, each on what the ones before left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What to call it in timelines.
    pub name: String,
    /// All of these hold.
    #[serde(rename = "match")]
    pub matchers: Vec<Matcher>,
    /// Fields to set; `{{field}}` stands for what a field was.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// The routing key to go by.
    #[serde(default)]
    pub route: Option<String>,
    /// Makes it an INFO: remembered, but nobody is told.
    #[serde(default)]
    pub mute: bool,
    /// Notes for who is paged, by title: a link to the runbook. `{{field}}` as above.
    #[serde(default)]
    pub annotate: BTreeMap<String, String>,
    /// The rules below are not asked.
    #[serde(default)]
    pub stop: bool,
}

/// Alerts that are one incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// What to call it, if it has to be told from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All of these hold.
    #[serde(rename = "match")]
    pub matchers: Vec<Matcher>,
    /// The fields whose values alerts must share.
    pub by: Vec<String>,
}

/// What cannot work without something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// What to call it, if it has to be told from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Alerts of which all of these hold ...
    #[serde(rename = "match")]
    pub matchers: Vec<Matcher>,
    /// ... are symptoms while this entity has an open alert; `{{field}}` stands for a field of theirs.
    pub on: String,
}

/// When an entity that goes to and fro is one incident rather than many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flapping {
    /// So many changes (to failing, to well) ...
    pub changes: usize,
    /// ... within this time are flapping; 0 changes: nothing ever is.
    #[serde(with = "when::duration")]
    pub within: Duration,
    /// A flapping entity's incident resolves once it has been well for this long.
    #[serde(with = "when::duration")]
    pub quiet: Duration,
}

impl Default for Flapping {
    fn default() -> Self {
        Self { changes: 6, within: Duration::from_secs(600), quiet: Duration::from_secs(300) }
    }
}
