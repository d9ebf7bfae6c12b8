//! What happens next? The one state machine of incidents and pages.
//!
//! Alerts, people's actions and the results of deliveries go in ([`Engine::apply`]), time passes
//! ([`Engine::advance`], to be called at [`Engine::next_deadline`]), and records come out. Whoever runs it
//!
//! 1. keeps the records of a call, all or none, before anything else;
//! 2. carries out their [effects](Effect::of): sends messages and stops sending them;
//! 3. brings what became of each message back as [`Input::Delivery`].
//!
//! After a restart the state is [replayed](State::replay) from the records, and [`Engine::recover`] says again
//! what was on its way. A message that had been sent, but whose result had not been kept, is thereby sent
//! a second time with the same number: that is the whole at-least-once window. None is lost.
//!
//! Invariants: nobody is paged for an incident that is acknowledged, resolved or silenced; each step of each
//! round of a policy is taken once; as long as it is triggered, an incident gets to the last step.

mod actions;
mod alerts;
mod escalate;
mod hold;
mod input;
mod paging;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

pub use self::{
    hold::written_silences,
    input::{Action, ApplyError, Effect, Input},
};
use crate::{
    Alert, civil,
    config::Plan,
    event::{Event, Record},
    limits,
    maintenance::Silence,
    state::{Incident, Stand, State},
};

/// What expired while nobody could say it again gets this long to be said again: Prometheus does every minute, and
/// Alertmanager's `resolve_timeout` is as long.
const HEARING: Duration = Duration::from_secs(300);
/// A clock that goes back by less stands still instead.
const TOLERATED_STEP: Duration = Duration::from_secs(60);

/// The state machine.
#[derive(Debug, Clone)]
pub struct Engine {
    plan: Arc<Plan>,
    /// The plan's own, with their moments.
    silences: Vec<(String, Silence)>,
    state: State,
    now: Timestamp,
    /// When a silence or maintenance begins or ends next.
    boundary: Option<Timestamp>,
    /// Alerts expire then at the earliest.
    heard_from: Timestamp,
    records: Vec<Record>,
}

impl Engine {
    /// Goes on from `state`.
    pub fn new(plan: Arc<Plan>, state: State) -> Self {
        let now = state.at;
        let silences = written_silences(&plan);
        let heard_from = Timestamp::MIN;
        Self { plan, silences, state, now, boundary: None, heard_from, records: Vec::new() }
    }

    /// What it knows.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What it goes by.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Until `now` nobody could say anything, or nothing that was said could be kept: no alert expires before its
    /// source had the time to say it again.
    pub fn was_deaf(&mut self, now: Timestamp) {
        self.heard_from = civil::after(now, HEARING);
    }

    /// After a restart: what was on its way and still has to arrive, to be
    /// sent (again), and what has to be kept first.
    pub fn recover(&mut self, now: Timestamp) -> (Vec<Record>, Vec<Effect>) {
        self.begin(now);
        self.was_deaf(self.now);
        self.observe_windows();
        self.cancel_pages("it is not wanted any more");
        let pending = self.state.deliveries.iter();
        let pending =
            pending.map(|(delivery, what)| Effect::Send { delivery: *delivery, what: what.clone() });
        let effects = pending.collect();
        (std::mem::take(&mut self.records), effects)
    }

    /// Goes by another plan from now on. What is on its way stays on its way.
    pub fn reconfigure(&mut self, now: Timestamp, plan: Arc<Plan>) -> Vec<Record> {
        self.begin(now);
        self.silences = written_silences(&plan);
        self.plan = plan;
        self.observe_windows();
        self.run_all();
        std::mem::take(&mut self.records)
    }

    /// Something happened.
    pub fn apply(&mut self, now: Timestamp, input: Input) -> Result<Vec<Record>, ApplyError> {
        self.begin(now);
        // A refusal comes before the first decision: what is recorded then is the clock's, and comes out with
        // the next call, which is due at once.
        self.take(input)?;
        Ok(std::mem::take(&mut self.records))
    }

    fn take(&mut self, input: Input) -> Result<(), ApplyError> {
        match input {
            Input::Alert(alert) => self.alert(*alert),
            Input::Act { incident, by, action } => self.act(incident, &by, action)?,
            Input::Delivery { delivery, result } => self.delivered(delivery, result),
            Input::Test { user, by } => self.test(&user, &by)?,
            setting => self.set(setting)?,
        }
        Ok(())
    }

    /// Time has passed.
    pub fn advance(&mut self, now: Timestamp) -> Vec<Record> {
        self.begin(now);
        let due = |incident: &&Incident| self.deadline_of(incident).is_some_and(|at| at <= self.now);
        let due: Vec<u64> = self.state.incidents.values().filter(due).map(|incident| incident.id).collect();
        for id in due {
            self.time_passed(id);
            self.run(id);
        }
        self.flush();
        std::mem::take(&mut self.records)
    }

    /// When to call [`advance`](Self::advance) next.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if !self.records.is_empty() {
            return Some(self.now);
        }
        let incidents = self.state.incidents.values().filter_map(|incident| self.deadline_of(incident));
        let meters = self.state.meters.iter().filter_map(|(key, meter)| {
            let waits = meter.waiting.iter().any(|(id, _)| self.is_pageable(*id));
            let medium = self.medium_of(key);
            waits.then(|| limits::next_allowed(medium, &meter.sent, Timestamp::MIN))
        });
        let boundary = self.boundary.filter(|_| !self.state.incidents.is_empty());
        incidents.chain(meters).chain(boundary).min()
    }

    fn deadline_of(&self, incident: &Incident) -> Option<Timestamp> {
        if is_left_over(incident) {
            return Some(self.state.at);
        }
        let until = match &incident.stand {
            Stand::Acknowledged { until, .. } => *until,
            Stand::Triggered => None,
        };
        let expiries = incident.active().filter_map(|symptom| self.expiry_of(&symptom.alert));
        let waits = [until, incident.quiet_until, incident.settles].into_iter().flatten();
        let waits = waits.chain(expiries).min();
        if !incident.is_pageable() {
            return waits;
        }
        let tracks = incident.tracks.iter().filter_map(|track| track.due);
        let chains = incident.chains.values().map(|chain| chain.due);
        tracks.chain(chains).chain(waits).min()
    }

    /// When an alert is over unless it is said again.
    fn expiry_of(&self, alert: &Alert) -> Option<Timestamp> {
        alert.expires.map(|expires| expires.max(self.heard_from))
    }

    /// What waited for its time, except paging.
    fn time_passed(&mut self, id: u64) {
        let now = self.now;
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        if is_left_over(incident) {
            return self.resolve(id, None, "all of it is well again");
        }
        let expired: Vec<(String, Option<Timestamp>)> = incident
            .active()
            .map(|symptom| (symptom.alert.entity.clone(), self.expiry_of(&symptom.alert)))
            .filter(|(_, expiry)| is_due(*expiry))
            .collect();
        for (entity, until) in expired {
            let until = until.map(|until| until.to_string()).unwrap_or_default();
            self.recovered(&entity, &format!("not said again until {until}"));
        }
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        if is_due(incident.quiet_until) {
            let quiet = civil::words(self.plan.flapping.quiet);
            return self.resolve(id, None, &format!("well for {quiet}"));
        }
        if is_due(incident.settles) {
            self.settled(id);
        }
        self.end_snooze(id);
    }

    /// Nothing is silenced by accident of the clock: one that goes back takes its waits along.
    fn begin(&mut self, now: Timestamp) {
        let back = civil::elapsed(now, self.state.at);
        let last = self.now;
        if back > TOLERATED_STEP {
            self.now = now;
            self.heard_from = civil::before(self.heard_from, back);
            self.emit(Event::ClockBack { by: back });
        } else {
            self.now = now.max(self.state.at);
        }
        if self.now < last || self.boundary.is_none_or(|boundary| boundary <= self.now) {
            self.observe_windows();
        }
    }

    fn emit(&mut self, event: Event) {
        let record = Record { at: self.now, event };
        self.state.evolve(&record);
        self.records.push(record);
    }

    fn run_all(&mut self) {
        let ids: Vec<u64> = self.state.incidents.keys().copied().collect();
        for id in ids {
            self.run(id);
        }
        self.flush();
    }

    fn is_pageable(&self, id: u64) -> bool {
        self.state.incidents.get(&id).is_some_and(Incident::is_pageable)
    }
}

/// All is well, but nobody came to say so: only half of what a recovery recorded was kept.
fn is_left_over(incident: &Incident) -> bool {
    incident.active().next().is_none() && incident.quiet_until.is_none()
}

#[cfg(test)]
mod tests;
