//! A person acts: takes an incident, ends it, gives it away; silences, windows, overrides.

use jiff::Timestamp;

use super::{Action, ApplyError, Engine, Input};
use crate::{
    Matcher,
    event::Event,
    maintenance::Silence,
    state::{Assignment, Occasion, Stand, To},
};

impl Engine {
    /// What became a part of another incident is acted on there: its pages, with their links, are out already.
    pub(super) fn act(&mut self, id: u64, by: &str, action: Action) -> Result<(), ApplyError> {
        let id = self.state.whole(id);
        let incident = self.state.incidents.get(&id).ok_or(ApplyError::NoIncident(id))?;
        match action {
            Action::Acknowledge { note } => {
                if let Stand::Acknowledged { by, until: None, .. } = &incident.stand {
                    return Err(ApplyError::Acknowledged { incident: id, by: by.clone() });
                }
                self.acknowledge(id, by, &note, None);
            }
            Action::Snooze { until } => {
                self.future("until", until)?;
                self.acknowledge(id, by, "", Some(until));
            }
            Action::Resolve { note } => {
                let reason = if note.is_empty() { "no reason given" } else { &note };
                self.resolve(id, Some(by), reason);
            }
            Action::Reassign { to } => self.reassign(id, by, to)?,
            Action::Note { text } => {
                self.emit(Event::Noted { incident: id, by: by.to_owned(), text });
            }
        }
        Ok(())
    }

    pub(super) fn acknowledge(&mut self, id: u64, by: &str, note: &str, until: Option<Timestamp>) {
        let note = note.to_owned();
        self.emit(Event::Acknowledged { incident: id, by: by.to_owned(), note, until });
        self.cancel_pages(&format!("acknowledged by {by}"));
        self.tell_all(id, Occasion::Acknowledged, &format!("acknowledged by {by}"));
    }

    pub(super) fn resolve(&mut self, id: u64, by: Option<&str>, reason: &str) {
        self.tell_all(id, Occasion::Resolved, reason);
        self.emit(Event::Resolved { incident: id, by: by.map(str::to_owned), reason: reason.to_owned() });
        self.cancel_pages("its incident is resolved");
    }

    fn reassign(&mut self, id: u64, by: &str, to: Assignment) -> Result<(), ApplyError> {
        match &to {
            Assignment::User(user) => self.pageable_user(user)?,
            Assignment::Policy(policy) if !self.plan.policies.contains_key(policy) => {
                return Err(unknown("policy", policy, "see the configuration for those there are"));
            }
            Assignment::Policy(_) => {}
        }
        let tracks = vec![self.track(to.clone())];
        // Pages of whom it belonged to end with their chains; the new one's begin after that.
        self.cancel_all(id, &format!("given to {to}"));
        self.emit(Event::Reassigned { incident: id, by: by.to_owned(), to, tracks });
        self.run(id);
        Ok(())
    }

    pub(super) fn end_snooze(&mut self, id: u64) {
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        let Stand::Acknowledged { by, until: Some(until), .. } = &incident.stand else {
            return;
        };
        if *until > self.now {
            return;
        }
        let reason = format!("snoozed by {by} until {until}");
        let alert = incident.symptoms.get(&incident.root).or_else(|| incident.symptoms.values().next());
        let tracks = alert.map(|symptom| self.tracks_again(incident, &symptom.alert)).unwrap_or_default();
        self.emit(Event::Retriggered { incident: id, tracks, reason });
    }

    pub(super) fn pageable_user(&self, user: &str) -> Result<(), ApplyError> {
        match self.plan.users.get(user) {
            None => Err(unknown("user", user, "see the configuration for those there are")),
            Some(found) if found.paging.is_empty() => Err(ApplyError::Unpageable(user.to_owned())),
            Some(_) => Ok(()),
        }
    }

    fn future(&self, field: &'static str, at: Timestamp) -> Result<(), ApplyError> {
        if at <= self.now { Err(ApplyError::Past { field, at }) } else { Ok(()) }
    }

    /// Silences, windows, overrides and swaps.
    pub(super) fn set(&mut self, setting: Input) -> Result<(), ApplyError> {
        let event = match setting {
            Input::Silence { id, silence } => self.checked_silence(id, silence)?,
            Input::EndSilence { id, by } => {
                self.not_written("silence", &id, self.plan.silences.contains_key(&id))?;
                self.present("silence", &id, self.state.silences.contains_key(&id))?;
                if self.state.silences.get(&id).is_some_and(|silence| silence.is_over(self.now)) {
                    return Ok(());
                }
                Event::SilenceEnded { id, by }
            }
            Input::Maintain { id, by, window } => {
                self.not_written("maintenance", &id, self.plan.maintenance.contains_key(&id))?;
                self.plan.check_maintenance(&window).map_err(ApplyError::Wrong)?;
                Event::MaintenanceSet { id, by, window }
            }
            Input::EndMaintenance { id, by } => {
                self.not_written("maintenance", &id, self.plan.maintenance.contains_key(&id))?;
                self.present("maintenance", &id, self.state.maintenance.contains_key(&id))?;
                Event::MaintenanceEnded { id, by }
            }
            Input::Override { by, substitute } => {
                self.plan.check_override(&substitute).map_err(ApplyError::Wrong)?;
                self.pageable_user(&substitute.user)?;
                Event::OverrideAdded { id: self.state.last_amendment + 1, by, substitute }
            }
            Input::Swap { by, swap } => {
                self.plan.check_swap(&swap).map_err(ApplyError::Wrong)?;
                Event::SwapAdded { id: self.state.last_amendment + 1, by, swap }
            }
            Input::RemoveAmendment { id, by } => {
                let amendments = &self.state.amendments;
                let there = amendments.overrides.contains_key(&id) || amendments.swaps.contains_key(&id);
                self.present("override or swap", &id.to_string(), there)?;
                Event::AmendmentRemoved { id, by }
            }
            Input::Alert(_) | Input::Act { .. } | Input::Delivery { .. } | Input::Test { .. } => {
                return Ok(());
            }
        };
        self.emit(event);
        self.observe_windows();
        self.run_all();
        Ok(())
    }

    fn checked_silence(&self, id: String, silence: Silence) -> Result<Event, ApplyError> {
        self.not_written("silence", &id, self.plan.silences.contains_key(&id))?;
        self.future("ends", silence.ends)?;
        if silence.ends <= silence.starts {
            return Err(ApplyError::Past { field: "ends", at: silence.ends });
        }
        if silence.matchers.iter().all(Matcher::matches_empty) {
            return Err(ApplyError::MatchesAll);
        }
        Ok(Event::SilenceSet { id, silence })
    }

    fn not_written(&self, kind: &'static str, name: &str, written: bool) -> Result<(), ApplyError> {
        if written { Err(ApplyError::ReadOnly { kind, name: name.to_owned() }) } else { Ok(()) }
    }

    fn present(&self, kind: &'static str, name: &str, there: bool) -> Result<(), ApplyError> {
        if there { Ok(()) } else { Err(unknown(kind, name, "it may have been removed already")) }
    }

    /// A message by every contact method of `user`, or by none: a test that skips some says less than it seems to.
    pub(super) fn test(&mut self, user: &str, by: &str) -> Result<(), ApplyError> {
        let found = self.plan.users.get(user);
        let found =
            found.ok_or_else(|| unknown("user", user, "see the configuration for those there are"))?;
        if found.contacts.is_empty() {
            return Err(ApplyError::Unpageable(user.to_owned()));
        }
        let contacts: Vec<_> =
            found.contacts.iter().map(|(name, contact)| (name.clone(), contact.kind().to_owned())).collect();
        let limited = found.contacts.iter().filter_map(|(name, contact)| {
            let until = self.test_must_wait(user, name, contact.medium())?;
            Some((until, contact.kind()))
        });
        if let Some((until, kind)) = limited.max() {
            return Err(ApplyError::TooOften { user: user.to_owned(), kind, until });
        }
        for (contact, kind) in contacts {
            let to = To::User { user: user.to_owned(), contact, kind };
            self.send(to, Occasion::Test, Vec::new(), format!("asked for by {by}"), None);
        }
        Ok(())
    }
}

fn unknown(kind: &'static str, name: &str, remedy: &'static str) -> ApplyError {
    ApplyError::Unknown { kind, name: name.to_owned(), remedy }
}
