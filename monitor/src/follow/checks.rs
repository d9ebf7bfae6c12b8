//! The checks of services and nodes: each has states of its own, and its runs count in figures while those are tested.

use std::collections::BTreeMap;

use wharf_catalog::{Check, Outcome, State, Status, Timestamp};

use super::{
    Follower, REMOVED, Subject, Transition,
    service::{Current, Service, turn},
};
use crate::{
    member::{FirstFailures, Key, Member, failing_since, say},
    verdict::{Kind, Verdict},
    view::ServiceState,
};

/// What excuses a check.
#[derive(Clone, Copy, Default)]
struct Why<'a> {
    member: Option<&'a Member>,
    /// Its service is in a maintenance window.
    excuse: Option<&'a Verdict>,
    /// What it said before this does not count.
    floor: Timestamp,
}

impl Follower {
    /// A run as it counts in figures; `None`: it does not, since its check is not tested at that time - in
    /// maintenance, on its way out, or starting and not there yet.
    pub(crate) fn admit(&self, mut outcome: Outcome) -> Option<Outcome> {
        if outcome.service.is_empty() {
            // Of a node: it has no windows.
            return Some(outcome);
        }
        if self.passes(&outcome) {
            outcome.status = Status::Passing;
        }
        let service = self.services.get(&outcome.service);
        let key = (outcome.node.clone(), outcome.check.clone());
        let counts = match service.and_then(|service| service.checks.get(&key)) {
            Some(check) => counts(check.at(outcome.at), outcome.status),
            // It is new to us.
            None => {
                let member = service.and_then(|service| service.member(&outcome));
                !member.is_some_and(Member::is_excused) && !self.is_paused(&outcome.service, outcome.at)
            }
        };
        counts.then_some(outcome)
    }

    /// Has this run passed? So has a warning of what takes no traffic.
    pub(super) fn passes(&self, outcome: &Outcome) -> bool {
        let only_warns = |service: &Service| service.member(outcome).is_some_and(|one| !one.takes_traffic);
        match outcome.status {
            Status::Passing => true,
            Status::Warning => self.services.get(&outcome.service).is_some_and(only_warns),
            Status::Critical => false,
        }
    }

    pub(super) fn update_checks(
        &mut self,
        service: &mut Service,
        name: &str,
        state: &State,
        excuse: Option<&Verdict>,
        transitions: &mut Vec<Transition>,
    ) {
        let mut before = std::mem::take(&mut service.checks);
        for health in state.service_health(name) {
            let key = (health.instance.node.clone(), health.instance.id.clone());
            let member = service.members.get(&key);
            for check in state.checks_of(&key.0, &key.1) {
                let old = before.remove(&(check.node.clone(), check.id.clone()));
                let floor = service.floor.min(self.now);
                let why = Why { member, excuse, floor };
                service.checks.extend(self.update_check(check, old, why, transitions));
            }
        }
        self.end_checks(before, state, transitions);
    }

    pub(super) fn evaluate_node_checks(&mut self, state: &State, transitions: &mut Vec<Transition>) {
        let mut before = std::mem::take(&mut self.node_checks);
        let mut after = BTreeMap::new();
        for check in state.nodes().flat_map(|node| state.checks_of(&node.name, "")) {
            let old = before.remove(&(check.node.clone(), check.id.clone()));
            after.extend(self.update_check(check, old, Why::default(), transitions));
        }
        self.end_checks(before, state, transitions);
        self.node_checks = after;
    }

    /// Maintenance checks test nothing and have no uptime.
    fn update_check(
        &self,
        check: &Check,
        old: Option<Current>,
        Why { member, excuse, floor }: Why<'_>,
        transitions: &mut Vec<Transition>,
    ) -> Option<(Key, Current)> {
        if check.is_maintenance() {
            return None;
        }
        let key = (check.node.clone(), check.id.clone());
        let verdict = match excuse {
            // It was not there to be paused before.
            Some(paused) if old.is_none() => Verdict { since: self.now, ..paused.clone() },
            Some(paused) => paused.clone(),
            None => {
                let verdict = judge_check(check, member, &self.first_failures, self.now);
                Verdict { since: verdict.since.max(floor), ..verdict }
            }
        };
        let Some((from, verdict)) = turn(old.as_ref(), verdict, self.started, self.now) else {
            return old.map(|old| (key, old));
        };
        let Verdict { state, reason, .. } = verdict;
        let subject = Subject::Check(key.clone());
        transitions.push(Transition { subject, from, state, reason: reason.clone(), over: false });
        let was = old.map_or(state, |old| old.state);
        Some((key, Current { state, from, reason, was }))
    }

    fn end_checks(
        &mut self,
        ended: BTreeMap<Key, Current>,
        state: &State,
        transitions: &mut Vec<Transition>,
    ) {
        for (key, current) in ended {
            if state.check(&key.0, &key.1).is_some() {
                continue;
            }
            self.first_failures.remove(&key);
            self.remembered.remove(&key);
            transitions.push(Transition {
                subject: Subject::Check(key),
                from: self.now.max(current.from),
                state: ServiceState::Unmonitored,
                reason: REMOVED.to_owned(),
                over: true,
            });
        }
    }
}

fn judge_check(
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
        Status::Warning if member.is_some_and(|member| !member.takes_traffic) => {
            (ServiceState::Up, check.status_since)
        }
        Status::Warning | Status::Critical => (ServiceState::Down, failing_since(check, first_failures)),
    };
    let since = member.map_or(since, |member| member.within(since, now));
    Verdict { state, since, reason: say(check) }
}

/// Does a run with this result count while its check is in this state? One that passes ends a start.
fn counts(state: ServiceState, status: Status) -> bool {
    match state {
        ServiceState::Up | ServiceState::Down => true,
        ServiceState::Starting => status == Status::Passing,
        ServiceState::Paused | ServiceState::Unmonitored => false,
    }
}
