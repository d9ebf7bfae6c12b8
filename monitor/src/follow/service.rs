//! One service as the follower knows it: its instances, those it misses, its checks; and when a new
//! state began.

use std::{collections::BTreeMap, time::Duration};

use wharf_catalog::{InstanceHealth, Outcome, State, Timestamp};

use super::{Restored, Rules, roster::Roster};
use crate::{
    member::{Key, Member},
    verdict::{Kind, Standing, Verdict, judge},
    view::{ENDED_DOWN, ServiceState},
};

/// Key of an instance's meta: how many instances of its service have to pass (label `SERVICE_MIN_HEALTHY`).
const MIN_HEALTHY: &str = "min_healthy";
/// Key of a node's meta: what is on it is outside.
const EXTERNAL_NODE: &str = "external-node";

/// A state that is in force.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) state: ServiceState,
    pub(super) from: Timestamp,
    pub(super) reason: String,
    /// The state before it.
    pub(super) was: ServiceState,
}

impl Current {
    /// What it was at a moment that is not long ago.
    pub(super) fn at(&self, at: Timestamp) -> ServiceState {
        if at < self.from { self.was } else { self.state }
    }
}

/// An instance that died and is missed.
#[derive(Debug)]
pub(super) struct Missed {
    /// Who; `None`: all that an earlier life of the process knew, whoever they were.
    key: Option<Key>,
    standing: Standing,
    until: Timestamp,
}

/// What is remembered of a service.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) current: Option<Current>,
    pub(super) members: BTreeMap<Key, Member>,
    pub(super) missed: Vec<Missed>,
    pub(super) checks: BTreeMap<Key, Current>,
    pub(super) deadline: Option<Timestamp>,
    /// Down when an earlier life of the process ended.
    pub(super) known_down: bool,
    /// When the next maintenance window that is known begins (or one ends).
    pub(super) window_begins: Option<Timestamp>,
    /// It is in a maintenance window, up to here as far as is known.
    pub(super) window_ends: Option<Timestamp>,
    /// What its checks said before this does not count: it was in a maintenance window.
    pub(super) floor: Timestamp,
    /// How many of its instances have to pass, where that is not what the settings say of all services.
    pub(super) min_healthy: Option<usize>,
    /// Which of its instances are news.
    pub(super) roster: Roster,
    /// What its instances warn of, as it was told with its state.
    pub(super) warning: String,
}

impl Service {
    /// Down before and not seen since: missed, from now on.
    pub(super) fn restored(restored: Restored, now: Timestamp, forget_after: Duration) -> Self {
        let missed = restored.down.clone().map(|reason| Missed {
            key: None,
            standing: Standing { kind: Kind::Failing, since: now, reason },
            until: now.after(forget_after),
        });
        Self {
            current: Some(Current {
                state: ServiceState::Unmonitored,
                from: restored.gap,
                reason: String::new(),
                was: ServiceState::Unmonitored,
            }),
            known_down: missed.is_some(),
            roster: Roster::inherited(),
            missed: missed.into_iter().collect(),
            ..Self::default()
        }
    }

    /// `gone` are not in the catalog any more.
    pub(super) fn lose(
        &mut self,
        gone: BTreeMap<Key, Member>,
        state: &State,
        now: Timestamp,
        forget_after: Duration,
    ) {
        let lost = gone.len();
        let before = self.missed.len();
        for (key, member) in gone {
            match member.gone(&key.1, state.departure(&key.0, &key.1), now) {
                Some(standing) => {
                    self.missed.push(Missed { key: Some(key), standing, until: now.after(forget_after) });
                }
                None => self.roster.strike(&key),
            }
        }
        let ended = lost > self.missed.len() - before;
        if ended && self.members.is_empty() {
            // Whoever told the last one to leave does not miss the others either.
            self.missed.clear();
        }
        self.missed.retain(|missed| now < missed.until);
    }

    /// Takes over how many have to pass: the largest number that an instance asks for, which stays while all are
    /// missed. Where none asks and all are outside, or have no port, it is one: such services mostly are single, and
    /// what the settings ask of all others would make them down for ever.
    pub(super) fn ask(&mut self, name: &str, state: &State) {
        if self.members.is_empty() {
            return;
        }
        let asked = |health: InstanceHealth<'_>| health.instance.meta.get(MIN_HEALTHY)?.trim().parse().ok();
        let is_outside = |health: InstanceHealth<'_>| {
            let node = health.node.meta.get(EXTERNAL_NODE).is_some_and(|value| value == "true");
            node || health.instance.port == 0
        };
        let largest = state.service_health(name).filter_map(asked).max();
        self.min_healthy = largest.or_else(|| state.service_health(name).all(is_outside).then_some(1));
    }

    /// The instance that an outcome is about.
    pub(super) fn member(&self, outcome: &Outcome) -> Option<&Member> {
        self.members.get(&(outcome.node.clone(), outcome.instance.clone()?))
    }

    /// Is this instance missed?
    pub(super) fn misses(&self, key: &Key) -> bool {
        self.missed.iter().any(|missed| missed.key.as_ref() == Some(key))
    }

    /// Nobody who is there again is missed, and who stood in for those of an earlier life gives way to the first of
    /// them: each instance counts once.
    pub(super) fn find(&mut self) {
        let Self { missed, members, .. } = self;
        missed.retain(|missed| match &missed.key {
            Some(key) => !members.contains_key(key),
            None => members.is_empty(),
        });
    }

    pub(super) fn judge(&mut self, rules: Rules, now: Timestamp) -> Verdict {
        let members = self.members.values().map(|member| &member.standing);
        let standings: Vec<_> = members.chain(self.missed.iter().map(|missed| &missed.standing)).collect();
        let mut verdict = judge(&standings, self.min_healthy.unwrap_or(rules.min_healthy), now);
        if verdict.state == ServiceState::Up {
            self.missed.clear();
            self.known_down = false;
        }
        let warning = self.warning();
        if verdict.state == ServiceState::Up && !warning.is_empty() {
            verdict.reason = format!("{}; {warning}", verdict.reason);
        }
        let over = self.members.is_empty() && self.missed.is_empty();
        if over && self.current.as_ref().is_some_and(|current| current.state == ServiceState::Down) {
            ENDED_DOWN.clone_into(&mut verdict.reason);
        }
        let graces = self.members.values().filter_map(|member| member.deadline(rules.grace));
        self.deadline = graces.chain(self.missed.iter().map(|missed| missed.until)).min();
        verdict
    }

    /// What an instance that passes all the same warns of.
    fn warning(&self) -> String {
        let passing =
            self.members.values().map(|member| &member.standing).filter(|s| s.kind == Kind::Passing);
        let warning = passing.map(|standing| &standing.reason).find(|reason| !reason.is_empty());
        warning.cloned().unwrap_or_default()
    }

    /// If `verdict` is news: when it began to hold. A warning that comes, changes or goes makes the state that is in
    /// force be told again, with its reason, as of its beginning.
    pub(super) fn turn(
        &mut self,
        verdict: Verdict,
        started: Timestamp,
        now: Timestamp,
    ) -> Option<(Timestamp, Verdict)> {
        let warning = self.warning();
        let told = std::mem::replace(&mut self.warning, warning);
        match &self.current {
            Some(current) if [current.state, verdict.state] == [ServiceState::Up; 2] => {
                (told != self.warning).then_some((current.from, verdict))
            }
            current => turn(current.as_ref(), verdict, started, now),
        }
    }
}

/// If `verdict` is news: when it began to hold.
pub(super) fn turn(
    current: Option<&Current>,
    verdict: Verdict,
    started: Timestamp,
    now: Timestamp,
) -> Option<(Timestamp, Verdict)> {
    let since = verdict.since.max(started).min(now);
    let Some(current) = current else {
        return Some((since, verdict));
    };
    let same_gap = current.state == ServiceState::Unmonitored && current.reason == verdict.reason;
    if current.state == verdict.state && (verdict.state != ServiceState::Unmonitored || same_gap) {
        return None;
    }
    let never_passed = current.state == ServiceState::Starting && verdict.state == ServiceState::Down;
    let from = if since > current.from {
        since
    } else if never_passed {
        current.from
    } else {
        now.max(current.from)
    };
    Some((from, verdict))
}
