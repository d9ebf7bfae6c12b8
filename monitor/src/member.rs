//! What does one instance mean, now, and what once it is gone?
//!
//! Pure. The catalog says what is; an instance's memory adds what was: whether it ever passed (before
//! that it is starting, for a grace), and whether somebody told it to leave. So a removal can be read:
//!
//! - told to leave first (maintenance, or drained by a stop signal such as SIGTERM): it has *ended*;
//! - drained because of SIGKILL, or removed with no word at all: it *died*, and is missed. A crash looks
//!   exactly like that, and a page that hides a dead service would be a lie. Who deregisters on purpose
//!   withdraws the instance (the API does), or drains it first, as the registrator does at `docker stop`.
//!   A SIGKILL after a stop signal (`docker stop` lost patience) is still an end on purpose.

use std::{collections::HashMap, sync::Arc, time::Duration};

use wharf_catalog::{Check, Departure, Health, Index, InstanceHealth, Status, Timestamp};

use crate::verdict::{Kind, Standing};

/// Names a check or an instance: its node, and its id there.
pub(crate) type Key = (Arc<str>, Arc<str>);

/// First failure of the checks that have failed in every run since.
pub(crate) type FirstFailures = HashMap<Key, Timestamp>;

/// The signal that nothing survives, in the note of a drain.
const KILL: &str = "SIGKILL";

/// Longest text of a check that goes into a reason.
const SHOWN: usize = 200;

/// What is remembered of an instance.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) standing: Standing,
    /// It has a port to send requests to. What has none is only looked at (a site elsewhere, a job that reports):
    /// a warning takes nothing away from it, it is up and says what it warns of.
    pub(crate) takes_traffic: bool,
    passed: bool,
    told_to_leave: bool,
    /// What its checks said before this does not count: it was excused until here.
    floor: Timestamp,
    /// Commit that created the instance: another one is another instance.
    pub(crate) created: Index,
}

/// What is known beside the instance itself.
pub(crate) struct Context<'a> {
    pub(crate) now: Timestamp,
    /// The monitor knows nothing of the time before.
    pub(crate) started: Timestamp,
    pub(crate) grace: Duration,
    pub(crate) first_failures: &'a FirstFailures,
    /// Its service was down before it was seen: no grace.
    pub(crate) known_down: bool,
}

impl Member {
    /// The instance as it is now, given what was remembered of it.
    pub(crate) fn seen(before: Option<&Self>, health: &InstanceHealth<'_>, context: &Context<'_>) -> Self {
        let mut member = Self {
            standing: Standing { kind: Kind::Passing, since: context.now, reason: String::new() },
            takes_traffic: health.instance.port != 0,
            passed: before.map_or(context.known_down, |before| before.passed),
            told_to_leave: false,
            floor: before.map_or(context.started, |before| before.floor_at(context.now)),
            created: health.instance.created,
        };
        let told_before = before.is_some_and(|before| before.told_to_leave);
        member.standing = match health.health() {
            Health::Warning if member.takes_traffic => member.failing(before, health, context),
            Health::Passing | Health::Warning => {
                member.passed = true;
                member.passing(before, health, context)
            }
            Health::Maintenance => {
                member.told_to_leave = true;
                excused(Kind::Maintenance, health, context)
            }
            Health::Draining if told_before || !is_kill(health) => {
                member.told_to_leave = true;
                excused(Kind::Draining, health, context)
            }
            Health::Draining => excused(Kind::Failing, health, context),
            Health::Critical => member.failing(before, health, context),
        };
        member
    }

    /// Excused until now, when it is looked at again, or until earlier.
    fn floor_at(&self, now: Timestamp) -> Timestamp {
        match self.standing.kind {
            Kind::Maintenance | Kind::Draining => now,
            Kind::Passing | Kind::Starting | Kind::Failing => self.floor,
        }
    }

    /// Is it meant not to be there?
    pub(crate) fn is_excused(&self) -> bool {
        matches!(self.standing.kind, Kind::Maintenance | Kind::Draining)
    }

    /// The moment something began, within what counts of this instance.
    pub(crate) fn within(&self, since: Timestamp, now: Timestamp) -> Timestamp {
        since.max(self.floor).min(now)
    }

    fn passing(&self, before: Option<&Self>, health: &InstanceHealth<'_>, context: &Context<'_>) -> Standing {
        let still = before.filter(|before| before.standing.kind == Kind::Passing);
        let since = match (still, health.since()) {
            (Some(still), _) => still.standing.since,
            (None, since) => self.within(since.unwrap_or(context.now), context.now),
        };
        let warns = health.checks().find(|check| check.status == Status::Warning);
        let reason = warns.map(|check| reason(health, check)).unwrap_or_default();
        Standing { kind: Kind::Passing, since, reason }
    }

    fn failing(&self, before: Option<&Self>, health: &InstanceHealth<'_>, context: &Context<'_>) -> Standing {
        let tolerated = if self.takes_traffic { Status::Passing } else { Status::Warning };
        let culprit = health
            .checks()
            .filter(|check| check.status > tolerated)
            .min_by_key(|check| failing_since(check, context.first_failures));
        let Some(culprit) = culprit else {
            return Standing { kind: Kind::Failing, since: context.now, reason: String::new() };
        };
        let mut since = failing_since(culprit, context.first_failures);
        let mut kind = Kind::Failing;
        if !self.passed {
            // Not passed yet: what counts is since when it is there.
            since = before.map_or(since, |before| before.standing.since);
            if context.now < since.after(context.grace) {
                kind = Kind::Starting;
            }
        }
        let since = self.within(since, context.now);
        Standing { kind, since, reason: reason(health, culprit) }
    }

    /// When its standing changes by itself.
    pub(crate) fn deadline(&self, grace: Duration) -> Option<Timestamp> {
        (self.standing.kind == Kind::Starting).then(|| self.standing.since.after(grace))
    }

    /// It is not in the catalog any more. What stays of it: nothing if it ended, its failure if it died.
    /// The catalog remembers for a while how it left, for whoever did not see every step.
    pub(crate) fn gone(self, id: &str, departure: Option<&Departure>, now: Timestamp) -> Option<Standing> {
        let ended = |departure: &Departure| {
            departure.withdrawn || departure.note.as_deref().is_some_and(|note| !note.contains(KILL))
        };
        if self.told_to_leave || departure.is_some_and(ended) {
            return None;
        }
        let (since, was) = match self.standing.kind {
            Kind::Failing => (self.standing.since, "failing"),
            Kind::Starting => (self.standing.since, "starting"),
            Kind::Passing | Kind::Maintenance | Kind::Draining => (now, "passing"),
        };
        let reason = match self.standing.kind {
            Kind::Failing | Kind::Starting => {
                format!("{}; then it was removed while {was}", self.standing.reason)
            }
            _ => format!("instance `{id}` was removed while {was}, without being drained"),
        };
        Some(Standing { kind: Kind::Failing, since, reason })
    }
}

fn reason(health: &InstanceHealth<'_>, check: &Check) -> String {
    format!("instance `{}`: {}", health.instance.id, say(check))
}

fn excused(kind: Kind, health: &InstanceHealth<'_>, context: &Context<'_>) -> Standing {
    let since = health.since().unwrap_or(context.now).max(context.started).min(context.now);
    let notes = maintenance(health).map_or("", |check| check.notes.as_str());
    let why = match first_line(notes) {
        "" => "maintenance",
        // It is not leaving, it was killed: what matters is the signal.
        note if kind == Kind::Failing => note.split_once(": ").map_or(note, |(_, signal)| signal),
        note => note,
    };
    Standing { kind, since, reason: format!("instance `{}`: {why}", health.instance.id) }
}

/// Was it SIGKILL, which nothing survives, that it drains for?
fn is_kill(health: &InstanceHealth<'_>) -> bool {
    maintenance(health).is_some_and(|check| check.notes.contains(KILL))
}

/// The maintenance check that decides: a drain before any other.
fn maintenance<'a>(health: &InstanceHealth<'a>) -> Option<&'a Arc<Check>> {
    health
        .checks()
        .filter(|check| check.is_maintenance() && check.status == Status::Critical)
        .max_by_key(|check| Health::of([check.as_ref()]))
}

/// Since the first failure in a row, which a threshold may have kept the status from telling.
pub(crate) fn failing_since(check: &Check, first_failures: &FirstFailures) -> Timestamp {
    let key = (check.node.clone(), check.id.clone());
    first_failures.get(&key).map_or(check.status_since, |&first| first.min(check.status_since))
}

/// A check's word in one line.
pub(crate) fn say(check: &Check) -> String {
    let output = first_line(&check.output);
    let (id, status) = (&check.id, check.status);
    if output.is_empty() {
        format!("check `{id}` is {status}")
    } else {
        format!("check `{id}` is {status}: {output}")
    }
}

fn first_line(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or_default().trim_end();
    let end = line.char_indices().nth(SHOWN).map_or(line.len(), |(at, _)| at);
    &line[..end]
}
