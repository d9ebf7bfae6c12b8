//! What a record changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use super::{Chain, FLAP_MEMORY, Incident, MOST_CHANGES, Stand, State, Symptom, To, Track};
use crate::{
    Alert, civil,
    event::{Event, Record},
};

/// Entities whose changes are remembered before the oldest are looked for.
const MANY_ENTITIES: usize = 1_000;

impl State {
    /// Takes a record in. What it speaks of and is not there is let be.
    pub(crate) fn evolve(&mut self, record: &Record) {
        let at = record.at;
        self.at = self.at.max(at);
        match &record.event {
            Event::ClockBack { by } => self.shift(at, *by),
            Event::Opened { .. }
            | Event::Joined { .. }
            | Event::Changed { .. }
            | Event::Refreshed { .. }
            | Event::Recovered { .. }
            | Event::Merged { .. } => self.evolve_symptoms(at, &record.event),
            Event::Sending { .. }
            | Event::HeldBack { .. }
            | Event::Delivered { .. }
            | Event::Failed { .. }
            | Event::Cancelled { .. } => self.evolve_deliveries(at, &record.event),
            Event::Resolved { incident, .. } => {
                self.close(*incident);
                self.merged.retain(|_, whole| whole != incident);
            }
            Event::SilenceSet { .. }
            | Event::SilenceEnded { .. }
            | Event::MaintenanceSet { .. }
            | Event::MaintenanceEnded { .. }
            | Event::OverrideAdded { .. }
            | Event::SwapAdded { .. }
            | Event::AmendmentRemoved { .. } => self.evolve_settings(at, &record.event),
            Event::Muted { .. } | Event::Noted { .. } => {}
            event => self.evolve_incident(at, event),
        }
    }

    fn evolve_symptoms(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Opened { incident, alert, started, tracks, .. } => {
                self.last_incident = self.last_incident.max(*incident);
                let opened = opened(*incident, alert, at, *started, tracks);
                self.incidents.insert(*incident, opened);
                self.add_symptom(at, *incident, alert);
            }
            Event::Joined { incident, alert, .. } | Event::Changed { incident, alert } => {
                self.add_symptom(at, *incident, alert);
            }
            Event::Refreshed { incident, entity, expires } => {
                if let Some(symptom) = self.symptom(*incident, entity) {
                    symptom.alert.expires = *expires;
                }
            }
            Event::Recovered { incident, entity, .. } => {
                if let Some(symptom) = self.symptom(*incident, entity) {
                    symptom.active = false;
                    symptom.alert.expires = None;
                    self.count_change(at, entity);
                }
            }
            Event::Merged { incident, into, told, .. } => self.merge(*incident, *into, *told),
            _ => {}
        }
    }

    fn evolve_incident(&mut self, at: Timestamp, event: &Event) {
        let incidents = event.incidents();
        let Some(incident) = incidents.first().and_then(|id| self.incidents.get_mut(id)) else {
            return;
        };
        match event {
            Event::Quieting { until, .. } => incident.quiet_until = Some(*until),
            Event::Settling { until, .. } => incident.settles = Some(*until),
            Event::Settled { .. } => incident.settles = None,
            Event::Acknowledged { by, until, .. } => {
                incident.stand = Stand::Acknowledged { by: by.clone(), at, until: *until };
                incident.tracks.clear();
                incident.chains.clear();
                self.no_longer_waits(incidents[0]);
            }
            Event::Retriggered { tracks, .. } | Event::Reassigned { tracks, .. } => {
                if let Event::Reassigned { to, .. } = event {
                    incident.given_to = Some(to.clone());
                }
                incident.stand = Stand::Triggered;
                incident.tracks.clone_from(tracks);
                incident.chains.clear();
                self.no_longer_waits(incidents[0]);
            }
            Event::Held { reason, .. } => self.hold(at, incidents[0], reason),
            Event::Released { .. } => incident.held = None,
            Event::Escalated { track, users, policies, next, because, .. } => {
                if let Some(slot) = incident.tracks.get_mut(*track) {
                    slot.clone_from(next);
                }
                incident.tracks.extend(policies.iter().cloned());
                for user in users {
                    incident.chains.insert(user.clone(), begun(at, because));
                }
            }
            Event::Dropped { user, .. } => {
                incident.chains.remove(user);
                let prefix = format!("{user}/");
                for (_, meter) in self.meters.iter_mut().filter(|(key, _)| key.starts_with(&prefix)) {
                    meter.waiting.retain(|(waits, _)| *waits != incidents[0]);
                }
            }
            Event::Unreached { tracks, .. } => {
                for track in tracks {
                    if let Some(track) = incident.tracks.get_mut(*track) {
                        track.due = track.due.map(|due| due.min(at));
                    }
                }
            }
            _ => {}
        }
    }

    /// Who has not been reached yet is to be paged by the same contact method when the hold is over.
    fn hold(&mut self, at: Timestamp, id: u64, reason: &str) {
        let on_its_way = |user: &str| {
            let pending = self.deliveries.values().any(|delivery| {
                let to_user = matches!(&delivery.to, To::User { user: to, .. } if to == user);
                to_user && delivery.is_page() && delivery.incidents == [id]
            });
            let prefix = format!("{user}/");
            pending
                || self.meters.iter().any(|(key, meter)| {
                    key.starts_with(&prefix) && meter.waiting.iter().any(|(waits, _)| *waits == id)
                })
        };
        let users = self.incidents.get(&id).map(|incident| incident.chains.keys().cloned().collect());
        let missed: BTreeSet<String> = users.unwrap_or_default();
        let missed: Vec<String> = missed.into_iter().filter(|user| on_its_way(user)).collect();
        self.no_longer_waits(id);
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        incident.held = Some(reason.to_owned());
        for user in missed {
            if let Some(chain) = incident.chains.get_mut(&user) {
                chain.index = chain.taken.unwrap_or(chain.index);
                chain.due = at;
            }
        }
    }

    fn add_symptom(&mut self, at: Timestamp, id: u64, alert: &Alert) {
        let Some(incident) = self.incidents.get_mut(&id) else {
            return;
        };
        incident.quiet_until = None;
        let before = incident.symptoms.get(&alert.entity);
        let was_active = before.is_some_and(|symptom| symptom.active);
        let since = before.filter(|symptom| symptom.active).map_or(at, |symptom| symptom.since);
        let symptom = Symptom { alert: alert.clone(), since, active: true };
        incident.symptoms.insert(alert.entity.clone(), symptom);
        self.entities.insert(alert.entity.clone(), id);
        if !was_active {
            self.count_change(at, &alert.entity);
        }
    }

    fn merge(&mut self, from: u64, into: u64, told: bool) {
        let Some(closed) = self.close(from) else {
            return;
        };
        let Some(target) = self.incidents.get_mut(&into) else {
            return;
        };
        target.started = target.started.min(closed.started);
        if !told {
            target.told.extend(closed.told);
        }
        for (entity, symptom) in closed.symptoms {
            self.entities.insert(entity.clone(), into);
            target.symptoms.entry(entity).or_insert(symptom);
        }
        self.merged.values_mut().filter(|whole| **whole == from).for_each(|whole| *whole = into);
        self.merged.insert(from, into);
    }

    fn close(&mut self, id: u64) -> Option<Incident> {
        let closed = self.incidents.remove(&id)?;
        for entity in closed.symptoms.keys() {
            if self.entities.get(entity) == Some(&id) {
                self.entities.remove(entity);
            }
        }
        self.no_longer_waits(id);
        Some(closed)
    }

    /// The clock was wrong and is not any more: what was to come after a wait comes after it.
    fn shift(&mut self, at: Timestamp, by: Duration) {
        let back = |time: &mut Timestamp| *time = civil::before(*time, by);
        self.at = at;
        for incident in self.incidents.values_mut() {
            incident.tracks.iter_mut().filter_map(|track| track.due.as_mut()).for_each(back);
            incident.chains.values_mut().for_each(|chain| back(&mut chain.due));
            incident.quiet_until.iter_mut().for_each(back);
            incident.settles.iter_mut().for_each(back);
        }
        let sent = self.meters.values_mut().flat_map(|meter| meter.sent.iter_mut().chain(&mut meter.tests));
        sent.for_each(back);
    }

    fn no_longer_waits(&mut self, id: u64) {
        for meter in self.meters.values_mut() {
            meter.waiting.retain(|(waits, _)| *waits != id);
        }
    }

    fn count_change(&mut self, at: Timestamp, entity: &str) {
        let memory = civil::before(at, FLAP_MEMORY);
        // At every doubling, not at every change: with many entities looking through all of them is no small thing.
        let many = self.changes.len() > MANY_ENTITIES && self.changes.len().is_power_of_two();
        if many && !self.changes.contains_key(entity) {
            self.changes.retain(|_, changes| changes.last().is_some_and(|last| *last > memory));
        }
        let changes = self.changes.entry(entity.to_owned()).or_default();
        changes.retain(|change| *change > memory);
        changes.push(at);
        if changes.len() > MOST_CHANGES {
            changes.remove(0);
        }
    }

    fn symptom(&mut self, incident: u64, entity: &str) -> Option<&mut Symptom> {
        self.incidents.get_mut(&incident)?.symptoms.get_mut(entity)
    }

    pub(super) fn chain(&mut self, incident: u64, user: &str) -> Option<&mut Chain> {
        self.incidents.get_mut(&incident)?.chains.get_mut(user)
    }
}

fn opened(id: u64, alert: &Alert, at: Timestamp, started: Timestamp, tracks: &[Track]) -> Incident {
    Incident {
        id,
        root: alert.entity.clone(),
        group: alert.group.clone(),
        stand: Stand::Triggered,
        started,
        opened: at,
        symptoms: BTreeMap::new(),
        given_to: None,
        tracks: tracks.to_vec(),
        chains: BTreeMap::new(),
        held: None,
        quiet_until: None,
        settles: None,
        told: BTreeSet::new(),
        told_contacts: BTreeSet::new(),
    }
}

fn begun(at: Timestamp, because: &str) -> Chain {
    Chain { because: because.to_owned(), since: at, taken: None, index: 0, due: at, failures: 0 }
}
