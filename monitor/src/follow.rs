//! What changed for whom? Snapshots of the catalog in, transitions of services and checks out.
//!
//! Pure: the clock is an argument, and one that steps back is taken to stand still. The catalog decides
//! what is healthy; [`crate::member`] and [`crate::verdict`] say what that means; this module compares
//! with before and says when the new state began:
//!
//! - at the moment the catalog or a check's first failure gives, if that lies within the state before;
//! - where a service never passed, down since it was registered (the grace is taken back);
//! - otherwise when it was seen.
//!
//! A transition never begins before the state it ends. A service whose last instance died (see
//! [`crate::member`]) is down until an instance passes, or until it has been missed for `forget_after`:
//! then it is over, as it is at once when the last instance ended on purpose.

mod excuse;
mod service;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use wharf_catalog::{Check, Index, Instance, Outcome, State, Status, Timestamp, Topic};

use self::{
    excuse::Maintenance,
    service::{Current, Service, judge_check, turn},
};
use crate::{
    maintenance::Windows,
    member::{Context, FirstFailures, Key, Member},
    verdict::Verdict,
    view::ServiceState,
};

/// What a transition is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    Service(Arc<str>),
    Check(Key),
}

/// A new state of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transition {
    pub(crate) subject: Subject,
    pub(crate) from: Timestamp,
    pub(crate) state: ServiceState,
    pub(crate) reason: String,
    /// Nothing is left of it, and nothing is expected.
    pub(crate) over: bool,
}

/// The rules services are judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) min_healthy: usize,
    pub(crate) grace: Duration,
    pub(crate) forget_after: Duration,
}

/// Something that happened to a service, to be shown beside its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) service: Arc<str>,
    pub(crate) at: Timestamp,
    pub(crate) text: String,
}

/// A service as an earlier life of the process left it.
#[derive(Debug, Clone)]
pub(crate) struct Restored {
    pub(crate) service: Arc<str>,
    /// It has been unmonitored from here.
    pub(crate) gap: Timestamp,
    /// It was down, for this reason.
    pub(crate) down: Option<String>,
}

/// Follows the catalog.
#[derive(Debug)]
pub(crate) struct Follower {
    rules: Rules,
    started: Timestamp,
    now: Timestamp,
    state: Option<Arc<State>>,
    seen: Index,
    services: BTreeMap<Arc<str>, Service>,
    node_checks: BTreeMap<Key, Current>,
    first_failures: FirstFailures,
    maintenance: Maintenance,
    marks: Vec<Mark>,
}

impl Follower {
    /// Knows nothing before `now` but what was `restored`.
    pub(crate) fn new(rules: Rules, now: Timestamp, restored: impl IntoIterator<Item = Restored>) -> Self {
        let services = restored.into_iter().map(|restored| {
            let name = restored.service.clone();
            (name, Service::restored(restored, now, rules.forget_after))
        });
        Self {
            rules,
            started: now,
            now,
            state: None,
            seen: Index::default(),
            services: services.collect(),
            node_checks: BTreeMap::new(),
            first_failures: FirstFailures::new(),
            maintenance: Maintenance::default(),
            marks: Vec::new(),
        }
    }

    /// Observes these maintenance windows beside those of the catalog.
    pub(crate) fn with_maintenance(self, windows: Windows) -> Self {
        Self { maintenance: Maintenance::new(windows), ..self }
    }

    /// What happened to services since this was asked last.
    pub(crate) fn take_marks(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }

    /// A check was run: remembers where a row of failures began.
    pub(crate) fn note(&mut self, outcome: &Outcome) {
        let key = (outcome.node.clone(), outcome.check.clone());
        if outcome.status == Status::Passing {
            self.first_failures.remove(&key);
        } else {
            self.first_failures.entry(key).or_insert(outcome.at);
        }
    }

    /// The catalog is now `state`.
    pub(crate) fn observe(&mut self, now: Timestamp, state: Arc<State>) -> Vec<Transition> {
        self.now = self.now.max(now);
        let first = self.maintenance.follow(&state) || self.state.is_none();
        let seen = std::mem::replace(&mut self.seen, state.index());
        let touched = |name: &Arc<str>| first || state.index_of(&Topic::Health(name.clone())) > seen;
        let names: BTreeSet<Arc<str>> =
            state.service_names().chain(self.services.keys()).filter(|name| touched(name)).cloned().collect();
        let mut transitions = Vec::new();
        for name in names {
            self.evaluate(&name, &state, &mut transitions);
        }
        if first || state.index_of(&Topic::Checks) > seen {
            self.evaluate_node_checks(&state, &mut transitions);
        }
        self.forget_strangers(&state);
        self.state = Some(state);
        transitions
    }

    /// Time has passed: graces run out, and who is missed is forgotten.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Vec<Transition> {
        self.now = self.now.max(now);
        let Some(state) = self.state.clone() else {
            return Vec::new();
        };
        let due = |service: &Service| service.deadline.is_some_and(|deadline| deadline <= self.now);
        let names: Vec<_> =
            self.services.iter().filter(|(_, service)| due(service)).map(|(name, _)| name.clone()).collect();
        let mut transitions = Vec::new();
        for name in names {
            self.evaluate(&name, &state, &mut transitions);
        }
        transitions
    }

    /// When to call [`advance`](Self::advance) next.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.services.values().filter_map(|service| service.deadline).min()
    }

    fn evaluate(&mut self, name: &Arc<str>, state: &State, transitions: &mut Vec<Transition>) {
        let mut service = self.services.remove(name).unwrap_or_default();
        let known = self.state.is_some() && service.current.is_some();
        let newcomers = self.update_members(&mut service, name, state);
        if known {
            self.marks.extend(newcomers.into_iter().map(|text| Mark {
                service: name.clone(),
                at: self.now,
                text,
            }));
        }
        let verdict = service.judge(self.rules, self.now);
        let over = service.members.is_empty() && service.missed.is_empty();
        let excuse = if over { None } else { self.maintenance.excuse(&mut service, name, state, self.now) };
        let verdict = match &excuse {
            Some(paused) => paused.clone(),
            None => Verdict { since: verdict.since.max(service.floor.min(self.now)), ..verdict },
        };
        if let Some((from, verdict)) = turn(service.current.as_ref(), verdict, self.started, self.now) {
            let Verdict { state, reason, .. } = verdict;
            service.current = Some(Current { state, from, reason: reason.clone() });
            transitions.push(Transition {
                subject: Subject::Service(name.clone()),
                from,
                state,
                reason,
                over,
            });
        }
        self.update_checks(&mut service, name, state, excuse.as_ref(), transitions);
        if !over {
            self.services.insert(name.clone(), service);
        }
    }

    /// Tells of instances that were not there before.
    fn update_members(&self, service: &mut Service, name: &str, state: &State) -> Vec<String> {
        let mut newcomers = Vec::new();
        let mut before = std::mem::take(&mut service.members);
        for health in state.service_health(name) {
            let key = (health.instance.node.clone(), health.instance.id.clone());
            let old = before.remove(&key);
            let context = Context {
                now: self.now,
                started: self.started,
                grace: self.rules.grace,
                first_failures: &self.first_failures,
                known_down: service.known_down || service.misses(&key),
            };
            if old.as_ref().is_none_or(|old| old.created != health.instance.created) {
                newcomers.push(deployed(health.instance, old.is_some()));
            }
            let member = Member::seen(old.as_ref(), &health, &context);
            service.members.insert(key, member);
        }
        service.find();
        // An instance that only changed its service's name has neither ended nor died.
        before.retain(|(node, id), _| state.instance(node, id).is_none());
        service.lose(before, state, self.now, self.rules.forget_after);
        newcomers
    }

    fn update_checks(
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

    fn evaluate_node_checks(&mut self, state: &State, transitions: &mut Vec<Transition>) {
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
        Some((key, Current { state, from, reason }))
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
            transitions.push(Transition {
                subject: Subject::Check(key),
                from: self.now.max(current.from),
                state: ServiceState::Unmonitored,
                reason: "removed".to_owned(),
                over: true,
            });
        }
    }

    /// Outcomes may name checks that never come to be in the catalog, or are gone from it.
    fn forget_strangers(&mut self, state: &State) {
        const TOLERATED: usize = 10_000;
        if self.first_failures.len() > TOLERATED {
            self.first_failures.retain(|(node, id), _| state.check(node, id).is_some());
        }
    }
}

/// What excuses a check.
#[derive(Clone, Copy, Default)]
struct Why<'a> {
    member: Option<&'a Member>,
    /// Its service is in a maintenance window.
    excuse: Option<&'a Verdict>,
    /// What it said before this does not count.
    floor: Timestamp,
}

/// What is told of an instance that came.
fn deployed(instance: &Instance, replaces: bool) -> String {
    let id = &instance.id;
    match replaces {
        true => format!("instance `{id}` was replaced"),
        false => format!("instance `{id}` came"),
    }
}

#[cfg(test)]
mod tests;
