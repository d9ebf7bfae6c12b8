//! What is due, and what does an outcome mean? Pure: no clock, no sockets; time is an argument.
//!
//! Invariants: one definition of a check has at most one run under way, and the outcome of a run that was
//! started for another definition counts for nothing; while a commit is on its way, the check counts as what
//! that commit says.

mod deadlines;
mod entry;
mod follow;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use wharf_catalog::{Check, Command, State, Status, Timestamp};

use crate::probe::Answer;
use deadlines::{Deadline, is_expired};
use entry::Entry;

/// A deregistration or expiry that could not be committed is tried again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Something to carry out.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a few at a time, and each is moved once")]
pub(crate) enum Effect {
    /// Commit this, and say how it went with [`Scheduler::settled`].
    Commit(Commit),
    /// Hand this run's result to the monitor.
    Record(Arc<Check>, Answer),
}

/// A command about one check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Commit {
    pub(crate) check: Arc<str>,
    /// Tells the commits of one check apart.
    pub(crate) number: u64,
    pub(crate) command: Command,
    /// False when only the output changed: it may wait for company.
    pub(crate) urgent: bool,
}

/// A probe to be run now.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) check: Arc<Check>,
    generation: u64,
}

/// What somebody said of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: Status,
    pub(crate) output: String,
}

/// Knows when each check of one node is due.
#[derive(Debug)]
pub(crate) struct Scheduler {
    node: Arc<str>,
    entries: HashMap<Arc<str>, Entry>,
    /// Probes by the time they are due; a check whose probe is running is not in here.
    probes: BTreeSet<(Timestamp, Arc<str>)>,
    deadlines: BTreeSet<(Timestamp, Arc<str>, Deadline)>,
    /// Checks that follow others.
    aliases: BTreeSet<Arc<str>>,
    generations: u64,
    syncs: u64,
}

impl Scheduler {
    pub(crate) fn new(node: Arc<str>) -> Self {
        Self {
            node,
            entries: HashMap::new(),
            probes: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            aliases: BTreeSet::new(),
            generations: 0,
            syncs: 0,
        }
    }

    /// Takes over what the catalog says: new and redefined checks are due at once, gone ones are forgotten,
    /// and what follows others is told anew.
    pub(crate) fn sync(&mut self, now: Timestamp, state: &State) -> Vec<Effect> {
        self.syncs += 1;
        let node = self.node.clone();
        let mut present = 0;
        for check in state.checks_on(&node).filter(|check| check.probe.is_some()) {
            present += 1;
            self.sync_one(now, check, state);
        }
        if present < self.entries.len() {
            self.forget_absent();
        }
        self.follow(now, state)
    }

    fn sync_one(&mut self, now: Timestamp, check: &Arc<Check>, state: &State) {
        let syncs = self.syncs;
        match self.entries.get_mut(&check.id) {
            Some(entry) if entry.is_defined_by(check) => {
                entry.seen = syncs;
                entry.forget_kept();
                if !Arc::ptr_eq(&entry.check, check) {
                    entry.check = check.clone();
                    self.watch_critical(now, &check.id);
                }
            }
            _ => self.begin(now, check, state),
        }
    }

    fn begin(&mut self, now: Timestamp, check: &Arc<Check>, state: &State) {
        self.forget(&check.id);
        self.generations += 1;
        // A check found at the start may have been registered long before: it is young only if its status is.
        let registered = if self.is_first_sync() { check.status_since.min(now) } else { now };
        let mut entry = Entry::new(check.clone(), self.generations, registered, self.syncs);
        if entry.is_alias() {
            self.aliases.insert(check.id.clone());
        } else if entry.ttl().is_none() {
            entry.due = Some(now);
            self.probes.insert((now, check.id.clone()));
        } else if let Some(expiry) = self.first_expiry(now, &entry, state) {
            entry.due = Some(expiry);
            self.deadlines.insert((expiry, check.id.clone(), Deadline::Expire));
        }
        self.entries.insert(check.id.clone(), entry);
        self.watch_critical(now, &check.id);
    }

    fn is_first_sync(&self) -> bool {
        self.syncs == 1
    }

    fn forget_absent(&mut self) {
        let absent: Vec<_> = self
            .entries
            .values()
            .filter(|entry| entry.seen < self.syncs)
            .map(|entry| entry.check.id.clone())
            .collect();
        for id in absent {
            self.forget(&id);
        }
    }

    fn forget(&mut self, id: &Arc<str>) {
        let Some(entry) = self.entries.remove(id) else {
            return;
        };
        self.aliases.remove(id);
        if let Some(due) = entry.due {
            self.probes.remove(&(due, id.clone()));
            for deadline in [Deadline::Expire, Deadline::Follow] {
                self.deadlines.remove(&(due, id.clone(), deadline));
            }
        }
        if let Some(reap) = entry.reap {
            self.deadlines.remove(&(reap, id.clone(), Deadline::Reap));
        }
    }

    /// When the next probe is due.
    pub(crate) fn next_probe(&self) -> Option<Timestamp> {
        self.probes.first().map(|(due, _)| *due)
    }

    /// When [`Self::expire`] next has something to say.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(due, ..)| *due)
    }

    /// A probe that is due at `now`, if any. Once given out it counts as running.
    pub(crate) fn start(&mut self, now: Timestamp) -> Option<Run> {
        while self.next_probe().is_some_and(|due| due <= now) {
            let (_, id) = self.probes.pop_first()?;
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.due = None;
                entry.started = now;
                return Some(Run { check: entry.check.clone(), generation: entry.generation });
            }
        }
        None
    }

    /// A run has ended.
    pub(crate) fn finished(&mut self, now: Timestamp, run: &Run, answer: Answer) -> Vec<Effect> {
        let id = &run.check.id;
        let Some(entry) = self.entries.get_mut(id) else {
            return Vec::new();
        };
        if entry.generation != run.generation {
            return Vec::new();
        }
        let record = entry.is_worth_recording(now, &answer);
        let decided = entry.count(answer.status);
        let next = entry.next_run(now, answer.status);
        entry.due = Some(next);
        self.probes.insert((next, id.clone()));
        let mut effects = Vec::new();
        if let Some(status) = decided {
            let decided = Answer { status, ..answer.clone() };
            effects.extend(entry.commit(now, &decided).map(Effect::Commit));
        }
        if record {
            effects.push(Effect::Record(entry.check.clone(), answer));
        }
        effects
    }

    /// Somebody reported for a TTL check (and commits that himself): the silence starts anew.
    pub(crate) fn reported(&mut self, now: Timestamp, id: &Arc<str>, told: Told) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let Some(ttl) = entry.ttl() else {
            return;
        };
        if let Some(due) = entry.due.replace(now.after(ttl)) {
            self.deadlines.remove(&(due, id.clone(), Deadline::Expire));
        }
        self.deadlines.insert((now.after(ttl), id.clone(), Deadline::Expire));
        // The expiry is on its way to the catalog and may arrive after the report: then the report is repeated.
        if entry.pending.is_some() {
            entry.reported_meanwhile = Some(told);
        }
    }

    /// Commit `number` of a check is kept, or failed; what failed is tried again with the next outcome. A sync
    /// has to follow.
    pub(crate) fn settled(
        &mut self,
        now: Timestamp,
        id: &Arc<str>,
        number: u64,
        kept: bool,
    ) -> Option<Effect> {
        let entry = self.entries.get_mut(id)?;
        let told = entry.settle(number, kept)?;
        if let Some(told) = entry.reported_meanwhile.take() {
            return Some(Effect::Commit(entry.tell(now, told)));
        }
        let deadline = match entry.is_alias() {
            true => Some(Deadline::Follow),
            false => is_expired(&told.output).then_some(Deadline::Expire),
        };
        if let Some(deadline) = deadline.filter(|_| !kept && entry.due.is_none()) {
            let again = now.after(AGAIN);
            entry.due = Some(again);
            self.deadlines.insert((again, id.clone(), deadline));
        }
        None
    }
}

#[cfg(test)]
mod tests;
