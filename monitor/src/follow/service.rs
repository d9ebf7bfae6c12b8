//! One service as the follower knows it: its instances, those it misses, its checks; and when a new
//! state began.

use std::{collections::BTreeMap, time::Duration};

use wharf_catalog::{Check, State, Status, Timestamp};

use super::{Restored, Rules};
use crate::{
    member::{FirstFailures, Key, Member, failing_since, say},
    verdict::{Kind, Standing, Verdict, judge},
    view::ServiceState,
};

/// A state that is in force.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub(super) state: ServiceState,
    pub(super) from: Timestamp,
    pub(super) reason: String,
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
    /// It is in a maintenance window, up to here as far as is known.
    pub(super) window_ends: Option<Timestamp>,
    /// What its checks said before this does not count: it was in a maintenance window.
    pub(super) floor: Timestamp,
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
            }),
            known_down: missed.is_some(),
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
        let died = gone.into_iter().filter_map(|(key, member)| {
            let standing = member.gone(&key.1, state.departure(&key.0, &key.1), now)?;
            Some(Missed { key: Some(key), standing, until: now.after(forget_after) })
        });
        let before = self.missed.len();
        self.missed.extend(died);
        let ended = lost > self.missed.len() - before;
        if ended && self.members.is_empty() {
            // Whoever told the last one to leave does not miss the others either.
            self.missed.clear();
        }
        self.missed.retain(|missed| now < missed.until);
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
        let mut verdict = judge(&standings, rules.min_healthy, now);
        if verdict.state == ServiceState::Up {
            self.missed.clear();
            self.known_down = false;
        }
        let over = self.members.is_empty() && self.missed.is_empty();
        if over && self.current.as_ref().is_some_and(|current| current.state == ServiceState::Down) {
            "missed for too long, or ended on purpose".clone_into(&mut verdict.reason);
        }
        let graces = self.members.values().filter_map(|member| member.deadline(rules.grace));
        self.deadline = graces.chain(self.missed.iter().map(|missed| missed.until)).min();
        verdict
    }
}

pub(super) fn judge_check(
    check: &Check,
    member: Option<&Member>,
    first_failures: &FirstFailures,
    now: Timestamp,
) -> Verdict {
    let excuse = member.and_then(|member| match member.standing.kind {
        Kind::Maintenance => Some((ServiceState::Paused, &member.standing)),
        Kind::Draining => Some((ServiceState::Unmonitored, &member.standing)),
        Kind::Starting if check.status != Status::Passing => Some((ServiceState::Starting, &member.standing)),
        Kind::Passing | Kind::Starting | Kind::Failing => None,
    });
    if let Some((state, standing)) = excuse {
        return Verdict { state, since: standing.since, reason: standing.reason.clone() };
    }
    let (state, since) = match check.status {
        Status::Passing => (ServiceState::Up, check.status_since),
        Status::Warning | Status::Critical => (ServiceState::Down, failing_since(check, first_failures)),
    };
    let since = member.map_or(since, |member| member.within(since, now));
    Verdict { state, since, reason: say(check) }
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
