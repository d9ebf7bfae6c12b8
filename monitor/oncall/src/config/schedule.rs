//! Rotations, overrides, swaps, silences and maintenance windows, as they are written.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use serde::{Deserialize, Serialize};

use super::{Day, Moment, Zone, when};
use crate::Matcher;

/// Users who take turns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The team it belongs to.
    #[serde(default)]
    pub team: Option<String>,
    /// The zone of its handoffs; without it the configuration's.
    #[serde(default)]
    pub time_zone: Option<Zone>,
    /// The first handoff: when the first member begins, and the time of day (and day of the week or month)
    /// of all handoffs that follow.
    pub start: Start,
    /// What a shift's length is counted in.
    pub every: Unit,
    /// How many of these a shift lasts.
    #[serde(default = "one")]
    pub shift_length: u32,
    /// Who takes turns, in this order.
    pub members: Vec<String>,
    /// When somebody is on duty at all; without any, always.
    #[serde(default)]
    pub hours: Vec<Hours>,
}

fn one() -> u32 {
    1
}

/// A local date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Start(pub DateTime);

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Moment::deserialize(from)? {
            Moment::Local(civil) => Ok(Self(civil)),
            Moment::Absolute(at) => Err(serde::de::Error::custom(format!(
                "`start` is local to `time_zone`; write it without an offset, not as {at}"
            ))),
        }
    }
}

/// What shifts are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Hours on the wall clock.
    Hour,
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months; a day the month does not have is its last.
    Month,
}

/// A part of the day, on some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The days it begins on; without any, every day.
    #[serde(default)]
    pub days: Vec<Day>,
    /// Its beginning.
    #[serde(deserialize_with = "when::time")]
    pub from: Time,
    /// Its end; not after `from`: on the day after.
    #[serde(deserialize_with = "when::time")]
    pub until: Time,
}

/// Somebody stands in for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// In which rotation.
    pub rotation: String,
    /// Who.
    pub user: String,
    /// Only when it would be this user's turn; without it, all the time, hours without duty included.
    #[serde(default)]
    pub instead_of: Option<String>,
    /// From when.
    pub from: Moment,
    /// Until when.
    pub until: Moment,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Two shifts trade their users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// In which rotation.
    pub rotation: String,
    /// Any moment of the one shift.
    pub shift: Moment,
    /// Any moment of the other.
    pub with: Moment,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Alerts that page nobody for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceConfig {
    /// All of these hold.
    #[serde(rename = "match")]
    pub matchers: Vec<Matcher>,
    /// From when; without it, always has.
    #[serde(default)]
    pub from: Option<Moment>,
    /// Until when.
    pub until: Moment,
    /// Why.
    pub comment: String,
}

/// Work that is planned: alerts that page nobody meanwhile. Once (`from`, `until`) or again and again
/// (`at`, `lasts`, on `days` or `days_of_month`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// All of these hold.
    #[serde(rename = "match")]
    pub matchers: Vec<Matcher>,
    /// The zone of its times; without it the configuration's.
    #[serde(default)]
    pub time_zone: Option<Zone>,
    /// The beginning; of a recurring one: not before.
    #[serde(default)]
    pub from: Option<Moment>,
    /// The end; of a recurring one: does not begin at or after this.
    #[serde(default)]
    pub until: Option<Moment>,
    /// When it begins, each time.
    #[serde(default)]
    pub at: Option<TimeOfDay>,
    /// How long it lasts, each time.
    #[serde(default)]
    pub lasts: Option<Lasts>,
    /// The days of the week it begins on.
    #[serde(default)]
    pub days: Vec<Day>,
    /// The days of the month it begins on; -1 is the last.
    #[serde(default)]
    pub days_of_month: Vec<i8>,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeOfDay(#[serde(deserialize_with = "when::time")] pub Time);

/// How long something lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lasts(#[serde(with = "when::duration")] pub Duration);
