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

mod checks;
mod excuse;
mod roster;
mod service;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use wharf_catalog::{Index, Outcome, State, Timestamp, Topic};

pub(crate) use self::roster::Mark;
use self::{
    excuse::Maintenance,
    roster::Roster,
    service::{Current, Service},
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

/// Services that are over and remembered at most.
const REMEMBERED: usize = 10_000;

/// Why a check that is not in the catalog any more is unmonitored.
pub(crate) const REMOVED: &str = "removed";

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
    /// Of services that say nothing else.
    pub(crate) min_healthy: usize,
    pub(crate) grace: Duration,
    pub(crate) forget_after: Duration,
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
    /// Services that are over, should they come again.
    over: HashMap<Arc<str>, Roster>,
    /// Checks that were there in an earlier life of the process.
    remembered: BTreeSet<Key>,
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
            over: HashMap::new(),
            remembered: BTreeSet::new(),
        }
    }

    /// Observes these maintenance windows beside those of the catalog.
    pub(crate) fn with_maintenance(self, windows: Windows) -> Self {
        Self { maintenance: Maintenance::new(windows), ..self }
    }

    /// Knows that these checks were there in an earlier life of the process.
    pub(crate) fn with_memory_of(self, remembered: BTreeSet<Key>) -> Self {
        Self { remembered, ..self }
    }

    /// What happened to services since this was asked last.
    pub(crate) fn take_marks(&mut self) -> Vec<Mark> {
        std::mem::take(&mut self.marks)
    }

    /// A check was run: remembers where a row of failures began.
    pub(crate) fn note(&mut self, outcome: &Outcome) {
        let key = (outcome.node.clone(), outcome.check.clone());
        if self.passes(outcome) {
            self.first_failures.remove(&key);
        } else {
            self.first_failures.entry(key).or_insert(outcome.at);
        }
    }

    /// Nothing of the catalog has been seen yet.
    pub(crate) fn is_blind(&self) -> bool {
        self.state.is_none()
    }

    /// Is a service in a maintenance window?
    fn is_paused(&self, name: &str, at: Timestamp) -> bool {
        self.state.as_ref().is_some_and(|state| self.maintenance.covers(name, state, at))
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
        let mut service = self.services.remove(name).unwrap_or_else(|| self.again(name));
        let newcomers = self.update_members(&mut service, name, state);
        let mark = |text| Mark { service: name.clone(), at: self.now, text };
        self.marks.extend(newcomers.into_iter().map(mark));
        let verdict = service.judge(self.rules, self.now);
        let over = service.members.is_empty() && service.missed.is_empty();
        let excuse = if over { None } else { self.maintenance.excuse(&mut service, name, state, self.now) };
        let verdict = match &excuse {
            Some(paused) => paused.clone(),
            None => Verdict { since: verdict.since.max(service.floor.min(self.now)), ..verdict },
        };
        if let Some((from, verdict)) = service.turn(verdict, self.started, self.now) {
            let Verdict { state, reason, .. } = verdict;
            let was = service.current.as_ref().map_or(state, |current| current.state);
            service.current = Some(Current { state, from, reason: reason.clone(), was });
            transitions.push(Transition {
                subject: Subject::Service(name.clone()),
                from,
                state,
                reason,
                over,
            });
        }
        self.update_checks(&mut service, name, state, excuse.as_ref(), transitions);
        if over {
            // Where jobs have names of their own each, none comes again.
            if self.over.len() >= REMEMBERED {
                self.over.clear();
            }
            self.over.insert(name.clone(), service.roster);
        } else {
            self.services.insert(name.clone(), service);
        }
    }

    /// A service that is new, or was over.
    fn again(&mut self, name: &str) -> Service {
        Service { roster: self.over.remove(name).unwrap_or_default(), ..Service::default() }
    }

    /// Tells of instances that are news.
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
                newcomers.extend(service.roster.meet(&health, old.is_some(), &self.remembered));
            }
            let member = Member::seen(old.as_ref(), &health, &context);
            service.members.insert(key, member);
        }
        service.ask(name, state);
        service.find();
        service.roster.see(service.members.keys());
        // An instance that only changed its service's name has neither ended nor died.
        before.retain(|(node, id), _| state.instance(node, id).is_none());
        service.lose(before, state, self.now, self.rules.forget_after);
        newcomers
    }

    /// Outcomes may name checks that never come to be in the catalog, or are gone from it.
    fn forget_strangers(&mut self, state: &State) {
        const TOLERATED: usize = 10_000;
        if self.first_failures.len() > TOLERATED {
            self.first_failures.retain(|(node, id), _| state.check(node, id).is_some());
        }
    }
}

#[cfg(test)]
mod tests;
