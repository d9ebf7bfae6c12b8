//! One check in the schedule: how it did so far, and what follows from that.

use std::{sync::Arc, time::Duration};

use wharf_catalog::{Check, Command, Probe, ProbeKind, State, Status, Timestamp, state::ttl_lease};

use super::{Commit, Told};
use crate::{
    alias, pace,
    probe::{self, Answer},
};

/// A change of nothing but the output is committed at most this often per check.
pub(super) const OUTPUT_EVERY: Duration = Duration::from_secs(60);
/// And not sooner than this after the registration: that an app does not answer while it starts is no news.
pub(super) const OUTPUT_FIRST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Entry {
    /// As the catalog has it.
    pub(super) check: Arc<Check>,
    pub(super) generation: u64,
    pub(super) registered: Timestamp,
    /// Number of the last sync that saw it.
    pub(super) seen: u64,
    /// Next probe or TTL expiry; `None` while a probe runs and after the expiry.
    pub(super) due: Option<Timestamp>,
    pub(super) reap: Option<Timestamp>,
    pub(super) started: Timestamp,
    /// On its way to the catalog.
    pub(super) pending: Option<Pending>,
    pub(super) reported_meanwhile: Option<Told>,
    has_passed: bool,
    retries: u32,
    repeats: u64,
    successes: u32,
    failures: u32,
    written: Option<Timestamp>,
    commits: u64,
    recorded: Option<(Status, Timestamp)>,
}

/// A commit whose effect `Entry::check` does not show yet.
#[derive(Debug)]
pub(super) struct Pending {
    number: u64,
    told: Told,
    /// The catalog has it; the next sync will show it.
    kept: bool,
}

impl Entry {
    pub(super) fn new(check: Arc<Check>, generation: u64, registered: Timestamp, seen: u64) -> Self {
        Self {
            check,
            generation,
            registered,
            seen,
            due: None,
            reap: None,
            started: registered,
            pending: None,
            reported_meanwhile: None,
            has_passed: false,
            retries: 0,
            repeats: 0,
            successes: 0,
            failures: 0,
            written: None,
            commits: 0,
            recorded: None,
        }
    }

    /// Is it still the same check, asking the same thing? (A status or a name may have changed.)
    pub(super) fn is_defined_by(&self, check: &Check) -> bool {
        self.check.created == check.created && self.check.probe == check.probe
    }

    pub(super) fn ttl(&self) -> Option<Duration> {
        self.check.probe.as_ref()?.kind.silence()
    }

    /// How much longer the last report holds at `now`, as the catalog has it.
    pub(super) fn lease(&self, state: &State, now: Timestamp) -> Option<Duration> {
        let ttl = self.ttl()?;
        // Never longer than the TTL, however far the clock was set back since the report.
        state.lease(&ttl_lease(&self.check.node, &self.check.id)).map(|until| until.since(now).min(ttl))
    }

    /// What it says, if it follows others.
    pub(super) fn alias(&self, state: &State) -> Option<Told> {
        match &self.check.probe.as_ref()?.kind {
            ProbeKind::Alias { node, service } => {
                Some(alias::told(state, &self.check, node.as_deref(), service.as_deref()))
            }
            _ => None,
        }
    }

    pub(super) fn is_alias(&self) -> bool {
        self.check.probe.as_ref().is_some_and(|probe| matches!(probe.kind, ProbeKind::Alias { .. }))
    }

    /// How long it takes to hear whether it is still critical.
    pub(super) fn second_opinion(&self) -> Duration {
        self.ttl().unwrap_or_else(|| self.check.probe.as_ref().map_or(Duration::ZERO, probe::timeout))
    }

    /// What the catalog says once every commit under way has arrived.
    pub(super) fn told(&self) -> (Status, &str) {
        match &self.pending {
            Some(Pending { told, .. }) => (told.status, told.output.as_str()),
            None => (self.check.status, self.check.output.as_str()),
        }
    }

    /// Only instances are deregistered, as in Consul: a node's check has nothing to take with it.
    pub(super) fn reap_after(&self) -> Option<Duration> {
        self.check.instance.as_ref()?;
        self.check.probe.as_ref()?.deregister_after
    }

    /// Counts a run. The status it decides, if it does: enough in a row say the same.
    pub(super) fn count(&mut self, status: Status) -> Option<Status> {
        let probe = self.check.probe.as_ref()?;
        if status != Status::Critical {
            (self.successes, self.failures) = (self.successes.saturating_add(1), 0);
            return (self.successes >= probe.successes_before_passing).then_some(status);
        }
        (self.successes, self.failures) = (0, self.failures.saturating_add(1));
        if self.failures >= probe.failures_before_critical {
            return Some(Status::Critical);
        }
        let warns = probe.failures_before_warning > 0 && self.failures >= probe.failures_before_warning;
        // What is critical does not get better by failing.
        (warns && self.told().0 != Status::Critical).then_some(Status::Warning)
    }

    /// When to run again, after a run that started at `self.started` and ended at `now`.
    pub(super) fn next_run(&mut self, now: Timestamp, status: Status) -> Timestamp {
        let interval = self.interval();
        if self.is_young(now) && status == Status::Critical {
            let delay = self.retry(interval);
            self.retries = self.retries.saturating_add(1);
            return now.after(delay);
        }
        self.has_passed |= status != Status::Critical;
        let delay = pace::repeat(&self.check.id, self.repeats, interval);
        self.repeats += 1;
        // A run longer than the interval is followed by a pause, not by the next run.
        self.started.after(delay).max(now.after(delay / 10))
    }

    fn retry(&self, interval: Duration) -> Duration {
        match self.check.probe.as_ref().map(|probe| &probe.kind) {
            Some(ProbeKind::Script { .. } | ProbeKind::Docker { .. }) => pace::retry_command(interval),
            _ => pace::retry(self.retries, interval),
        }
    }

    /// Just registered, and never passed since.
    fn is_young(&self, now: Timestamp) -> bool {
        !self.has_passed && now.since(self.registered) < pace::YOUNG
    }

    /// Every run is, except that the fast retries of a young check would flood the ledger with the same news:
    /// of them only those that say something new, and one per interval.
    pub(super) fn is_worth_recording(&mut self, now: Timestamp, answer: &Answer) -> bool {
        let repeated = self.is_young(now)
            && self
                .recorded
                .is_some_and(|(status, at)| status == answer.status && now.since(at) < self.interval());
        if !repeated {
            self.recorded = Some((answer.status, now));
        }
        !repeated
    }

    fn interval(&self) -> Duration {
        self.check.probe.as_ref().map_or(Duration::from_secs(10), |probe: &Probe| probe.interval)
    }

    /// The commit that `answer` calls for, if any: always for another status; for another output alone at
    /// most once a minute.
    pub(super) fn commit(&mut self, now: Timestamp, answer: &Answer) -> Option<Commit> {
        let (status, output) = self.told();
        let urgent = status != answer.status;
        let rested = match self.written {
            Some(written) => now.since(written) >= OUTPUT_EVERY,
            None => now.since(self.registered) >= OUTPUT_FIRST,
        };
        if !urgent && (output == answer.output || !rested) {
            return None;
        }
        let told = Told { status: answer.status, output: answer.output.clone() };
        let mut commit = self.tell(now, told);
        commit.urgent = urgent;
        Some(commit)
    }

    /// As [`Self::commit`], but another output is news as well.
    pub(super) fn commit_now(&mut self, now: Timestamp, answer: &Answer) -> Option<Commit> {
        let told = Told { status: answer.status, output: answer.output.clone() };
        (self.told() != (told.status, &told.output)).then(|| self.tell(now, told))
    }

    /// A commit that says this, whatever the catalog has.
    pub(super) fn tell(&mut self, now: Timestamp, told: Told) -> Commit {
        self.written = Some(now);
        self.commits += 1;
        self.pending = Some(Pending { number: self.commits, told: told.clone(), kept: false });
        Commit {
            check: self.check.id.clone(),
            number: self.commits,
            command: Command::SetCheckStatus {
                node: self.check.node.clone(),
                check: self.check.id.clone(),
                status: told.status,
                output: told.output,
            },
            urgent: true,
        }
    }

    /// Commit `number` is kept or not. What it said, if it is the last one.
    pub(super) fn settle(&mut self, number: u64, kept: bool) -> Option<Told> {
        let pending = self.pending.as_mut().filter(|pending| pending.number == number)?;
        pending.kept = true;
        let told = pending.told.clone();
        if !kept {
            self.pending = None;
        }
        Some(told)
    }

    /// The catalog was looked at again: what it keeps shows in `check` now.
    pub(super) fn forget_kept(&mut self) {
        if self.pending.as_ref().is_some_and(|pending| pending.kept) {
            self.pending = None;
        }
    }
}
