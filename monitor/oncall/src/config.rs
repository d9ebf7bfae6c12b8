//! `oncall.toml`, or the table `[oncall]`: who is on call, who is told what, and when nobody is.
//!
//! [`Config`] is what is written; [`Plan`] is one that holds together: every name it mentions exists. Only a
//! plan gets to the engine. `docs/oncall.md` explains the configuration to its users.

mod check;
mod contact;
mod inbound;
mod messages;
mod people;
mod policy;
pub(crate) mod problem;
mod read;
mod schedule;
mod smtp;
pub(crate) mod when;

use std::{collections::BTreeMap, ops::Deref};

use jiff::tz::TimeZone;
use serde::Serialize;

pub use self::{
    contact::{Contact, Medium},
    inbound::Inbound,
    messages::{Messages, Texts},
    people::{PagingStep, Team, User},
    policy::{Dependency, EscalationStep, Flapping, Grouping, Policy, Repeat, Routing, Rule, Target},
    problem::{Problem, Problems},
    schedule::{Hours, Lasts, Maintenance, Override, Rotation, SilenceConfig, Start, Swap, TimeOfDay, Unit},
    smtp::{Smtp, SmtpTls},
    when::{Day, Moment, Zone},
};

/// Can this be a name? Names stand in URLs and calendars.
pub fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 64 && name.chars().all(fits)
}

/// Everything that can be written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The zone of all times that name no other.
    pub time_zone: Zone,
    /// By name.
    pub teams: BTreeMap<String, Team>,
    /// By name.
    pub users: BTreeMap<String, User>,
    /// Rooms and machines that are told things, by name.
    pub receivers: BTreeMap<String, Contact>,
    /// By name.
    pub rotations: BTreeMap<String, Rotation>,
    /// The later beats the earlier.
    pub overrides: Vec<Override>,
    /// In this order.
    pub swaps: Vec<Swap>,
    /// Escalation policies by name.
    pub policies: BTreeMap<String, Policy>,
    /// Which policy an alert goes to.
    pub routing: Routing,
    /// In this order.
    pub rules: Vec<Rule>,
    /// The first that matches.
    pub grouping: Vec<Grouping>,
    /// All that match.
    pub dependencies: Vec<Dependency>,
    /// By name.
    pub silences: BTreeMap<String, SilenceConfig>,
    /// By name.
    pub maintenance: BTreeMap<String, Maintenance>,
    /// When an entity flaps.
    pub flapping: Flapping,
    /// The server that mails go out by.
    pub smtp: Option<Smtp>,
    /// What other tools need to send alerts.
    pub inbound: Inbound,
    /// How messages read.
    pub messages: Messages,
}

/// A configuration that holds together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Plan(Config);

impl Plan {
    /// Reads the configuration from TOML; `table` is the table it is in, or nothing if it is the whole text.
    /// All that is wrong with it is told at once.
    pub fn from_toml(text: &str, table: Option<&str>) -> Result<Self, Problems> {
        read::plan(text, table)
    }

    /// Takes a configuration that was made otherwise.
    pub fn new(config: Config) -> Result<Self, Problems> {
        let mut complaints = problem::Complaints::default();
        check::config(&config, &problem::Place::default(), &mut complaints);
        complaints.into_result(None)?;
        Ok(Self(config))
    }

    /// The zone a rotation's times are in.
    pub fn zone_of(&self, rotation: &Rotation) -> TimeZone {
        rotation.time_zone.as_ref().unwrap_or(&self.time_zone).0.clone()
    }

    /// The zone a user reads times in.
    pub fn zone_of_user(&self, user: &str) -> TimeZone {
        let zone = self.users.get(user).and_then(|user| user.time_zone.as_ref());
        zone.unwrap_or(&self.time_zone).0.clone()
    }

    /// Where `contact` of `user` goes.
    pub fn contact(&self, user: &str, contact: &str) -> Option<&Contact> {
        self.users.get(user)?.contacts.get(contact)
    }

    /// Whether the plan knows what an override speaks of; what is wrong with it otherwise.
    pub fn check_override(&self, substitute: &Override) -> Result<(), Problems> {
        let mut complaints = problem::Complaints::default();
        check::substitute(self, substitute, &problem::Place::default(), &mut complaints);
        complaints.into_result(None)
    }

    /// Whether the plan knows what a swap speaks of; what is wrong with it otherwise.
    pub fn check_swap(&self, swap: &Swap) -> Result<(), Problems> {
        let mut complaints = problem::Complaints::default();
        check::swap(self, swap, &problem::Place::default(), &mut complaints);
        complaints.into_result(None)
    }

    /// Whether a maintenance window can be; what is wrong with it otherwise.
    pub fn check_maintenance(&self, window: &Maintenance) -> Result<(), Problems> {
        let mut complaints = problem::Complaints::default();
        check::maintenance(self, window, &problem::Place::default(), &mut complaints);
        complaints.into_result(None)
    }
}

impl Deref for Plan {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

#[cfg(test)]
mod tests;
