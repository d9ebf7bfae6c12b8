//! An alert comes in: a new incident, a symptom of one there is, or the end of one.

use std::time::Duration;

use super::Engine;
use crate::{
    Alert, Kind, civil,
    event::Event,
    rules::{self, Ruled},
    state::{Assignment, Incident, Occasion, Stand, Track},
};

/// How long what depends on something has to follow once that is well again.
const SETTLE: Duration = Duration::from_secs(120);

impl Engine {
    pub(super) fn alert(&mut self, alert: Alert) {
        let Ruled { alert, applied } = rules::apply(&self.plan, alert);
        match alert.kind {
            Kind::Info => self.muted(&alert, &applied),
            Kind::Acknowledgement => self.acknowledged_by_alert(&alert),
            Kind::Recovery => {
                let reason = if alert.message.is_empty() { "said by its source" } else { &alert.message };
                let (entity, reason) = (alert.entity.clone(), reason.to_owned());
                self.recovered(&entity, &reason);
            }
            Kind::Warning | Kind::Critical => self.problem(alert, &applied),
        }
        self.flush();
    }

    fn muted(&mut self, alert: &Alert, applied: &[String]) {
        let reason = if applied.is_empty() { "it is an INFO".to_owned() } else { applied.join(", ") };
        self.emit(Event::Muted {
            incident: self.state.entities.get(&alert.entity).copied(),
            entity: alert.entity.clone(),
            message: alert.headline().to_owned(),
            reason,
        });
    }

    fn acknowledged_by_alert(&mut self, alert: &Alert) {
        let Some(incident) = self.state.incident_of(&alert.entity) else {
            return;
        };
        if incident.stand == Stand::Triggered {
            let by = alert.author.clone().unwrap_or_else(|| alert.source.clone());
            let by = if by.is_empty() { "an alert".to_owned() } else { by };
            self.acknowledge(incident.id, &by, &alert.message.clone(), None);
        }
    }

    fn problem(&mut self, alert: Alert, applied: &[String]) {
        if let Some(id) = self.state.entities.get(&alert.entity).copied() {
            return self.said_again(id, alert);
        }
        let entity = alert.entity.clone();
        let id = match self.related(&alert) {
            Some((id, reason)) => {
                self.emit(Event::Joined { incident: id, alert, reason });
                id
            }
            None => self.open(alert, applied),
        };
        self.began(id, &entity);
    }

    /// `entity` was well, or not known, and is wrong now.
    fn began(&mut self, id: u64, entity: &str) {
        self.absorb(id, entity);
        self.refresh_hold(id);
        self.announce(id);
        self.run(id);
    }

    fn said_again(&mut self, id: u64, alert: Alert) {
        let before = self.state.incidents.get(&id).and_then(|found| found.symptoms.get(&alert.entity));
        let Some(before) = before else {
            return;
        };
        let (expires, was_active) = (alert.expires, before.active);
        let same = Alert { expires: None, started: None, ..before.alert.clone() }
            == Alert { expires: None, started: None, ..alert.clone() };
        if !was_active {
            let (entity, parents) = (alert.entity.clone(), alert.parents.clone());
            self.emit(Event::Changed { incident: id, alert });
            // While it was well, what it depends on and what depends on it may have come up for themselves.
            let id = self.taken_in(id, &parents);
            return self.began(id, &entity);
        }
        if !same {
            self.emit(Event::Changed { incident: id, alert });
            self.refresh_hold(id);
        } else if before.alert.expires != expires {
            self.emit(Event::Refreshed { incident: id, entity: alert.entity, expires });
        }
        self.run(id);
    }

    /// The open incident an alert belongs to, and why.
    fn related(&self, alert: &Alert) -> Option<(u64, String)> {
        let group = alert.group.as_ref().and_then(|group| {
            let same = |incident: &&Incident| incident.group.as_ref() == Some(group);
            let found = self.state.incidents.values().find(same)?;
            Some((found.id, format!("group `{group}`")))
        });
        group.or_else(|| {
            alert.parents.iter().find_map(|parent| {
                let incident = self.state.incident_of(parent)?;
                let active = incident.symptoms.get(parent).is_some_and(|symptom| symptom.active);
                active.then(|| (incident.id, format!("it depends on `{parent}`")))
            })
        })
    }

    fn open(&mut self, alert: Alert, applied: &[String]) -> u64 {
        let id = self.state.last_incident + 1;
        let started = alert.started.unwrap_or(self.now).min(self.now);
        let (mut tracks, mut reason) = self.tracks_for(&alert);
        for track in &mut tracks {
            track.due = self.first_due(&track.runs, started);
        }
        for rule in applied {
            reason = format!("{reason}, {rule}");
        }
        self.emit(Event::Opened { incident: id, alert, started, tracks, reason });
        id
    }

    /// What pages for an alert, due at once, and why that.
    pub(super) fn tracks_for(&self, alert: &Alert) -> (Vec<Track>, String) {
        let (policy, why) = rules::route(&self.plan, alert.routing_key.as_deref());
        match policy {
            Some(policy) => {
                let reason = format!("policy `{policy}`: {why}");
                (vec![self.track(Assignment::Policy(policy))], reason)
            }
            None => (Vec::new(), format!("{why}, and there is no default policy: nobody is paged")),
        }
    }

    /// What pages for an incident from the beginning again: whose it is, or what pages for this alert of it.
    pub(super) fn tracks_again(&self, incident: &Incident, alert: &Alert) -> Vec<Track> {
        match &incident.given_to {
            // Nobody else is to be woken for it, as long as they can be.
            Some(Assignment::User(user)) if self.pageable_user(user).is_err() => {}
            Some(owner) => return vec![self.track(owner.clone())],
            None => {}
        }
        self.tracks_for(alert).0
    }

    pub(super) fn track(&self, runs: Assignment) -> Track {
        Track { runs, round: 0, step: 0, due: Some(self.now) }
    }

    /// Incidents that are nothing but consequences of `entity` become a part of the incident `id`.
    fn absorb(&mut self, id: u64, entity: &str) {
        let follows = |incident: &&Incident| incident.id != id && is_consequence(incident, entity);
        let parts: Vec<u64> = self.state.incidents.values().filter(follows).map(|part| part.id).collect();
        for part in parts {
            self.merge(part, id, entity);
        }
        self.cancel_pages("its incident is a part of another");
    }

    /// An incident that is nothing but a consequence of one of `parents` becomes a part of that one's incident;
    /// whose it is from then on.
    fn taken_in(&mut self, id: u64, parents: &[String]) -> u64 {
        let cause = parents.iter().find_map(|parent| {
            let whole = self.state.incident_of(parent)?;
            let fails = whole.symptoms.get(parent).is_some_and(|symptom| symptom.active);
            let follows = self.state.incidents.get(&id).is_some_and(|part| is_consequence(part, parent));
            (whole.id != id && fails && follows).then(|| (whole.id, parent.clone()))
        });
        let Some((whole, parent)) = cause else {
            return id;
        };
        self.merge(id, whole, &parent);
        self.cancel_pages("its incident is a part of another");
        whole
    }

    fn merge(&mut self, part: u64, into: u64, cause: &str) {
        let reason = format!("it depends on `{cause}`");
        // Whoever follows it by its number hears that this number is over; the other has its own.
        self.tell_all(part, Occasion::Resolved, &format!("it is a part of #{into}: {reason}"));
        self.emit(Event::Merged { incident: part, into, reason, told: true });
    }

    /// `entity` is well again.
    pub(super) fn recovered(&mut self, entity: &str, reason: &str) {
        let Some(incident) = self.state.incident_of(entity) else {
            return;
        };
        let id = incident.id;
        if !incident.symptoms.get(entity).is_some_and(|symptom| symptom.active) {
            return;
        }
        self.emit(Event::Recovered { incident: id, entity: entity.to_owned(), reason: reason.to_owned() });
        let left = self.state.incidents.get(&id).map_or(0, |incident| incident.active().count());
        if left > 0 {
            self.settle(id, entity);
            self.refresh_hold(id);
            return self.run(id);
        }
        match self.flapping(entity) {
            Some(changes) => {
                let flapping = &self.plan.flapping;
                let (within, until) = (civil::words(flapping.within), civil::after(self.now, flapping.quiet));
                let reason = format!("`{entity}` changed {changes} times in {within}");
                self.emit(Event::Quieting { incident: id, until, reason });
            }
            None => self.resolve(id, None, reason),
        }
    }

    /// How often `entity` changed lately, if that is too often.
    fn flapping(&self, entity: &str) -> Option<usize> {
        let flapping = &self.plan.flapping;
        let since = civil::before(self.now, flapping.within);
        let changes = self.state.changes.get(entity)?.iter().filter(|at| **at > since).count();
        (flapping.changes > 0 && changes >= flapping.changes).then_some(changes)
    }

    /// What waited for `entity` only gets a moment to follow it.
    fn settle(&mut self, id: u64, entity: &str) {
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        let waited = incident.active().any(|symptom| symptom.alert.parents.iter().any(|p| p == entity));
        if waited && incident.settles.is_none() {
            let until = civil::after(self.now, SETTLE);
            self.emit(Event::Settling { incident: id, until, reason: format!("`{entity}` is well again") });
        }
    }

    /// What has not followed by now is a problem of its own: who had taken the cause may not know of it.
    pub(super) fn settled(&mut self, id: u64) {
        self.emit(Event::Settled { incident: id });
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        let is_active = |entity: &String| incident.symptoms.get(entity).is_some_and(|found| found.active);
        let left: Vec<_> =
            incident.active().filter(|symptom| !symptom.alert.parents.iter().any(is_active)).collect();
        // A snooze lasts as long as it was said to.
        let (Some(first), Stand::Acknowledged { by, until: None, .. }) = (left.first(), &incident.stand)
        else {
            return;
        };
        let still = if left.len() == 1 {
            format!("`{}` is not well", first.alert.entity)
        } else {
            format!("{} entities are not well", left.len())
        };
        let reason = format!("{by} acknowledged, and what it depended on is well, but {still}");
        let tracks = self.tracks_again(incident, &first.alert);
        self.emit(Event::Retriggered { incident: id, tracks, reason });
    }
}

/// Whether all that is wrong with an incident follows from `entity`, directly or through its own symptoms.
fn is_consequence(incident: &Incident, entity: &str) -> bool {
    let is_active = |parent: &String| incident.symptoms.get(parent).is_some_and(|found| found.active);
    let mut direct = false;
    let all = incident.active().all(|symptom| {
        let parents = &symptom.alert.parents;
        let follows = parents.iter().any(|parent| parent == entity);
        direct |= follows;
        follows || parents.iter().any(is_active)
    });
    all && direct
}
