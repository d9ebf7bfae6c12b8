//! Silences and maintenance: who is not to be paged now, and when that changes.
//!
//! An incident is held while each of its symptoms is covered. Held, nobody is paged for it, but its symptoms
//! come and go, and it resolves, as if nothing were; when the hold ends it pages at once what is due.

use jiff::Timestamp;

use super::Engine;
use crate::{
    Alert,
    config::Plan,
    event::Event,
    maintenance::{Silence, Window},
    matchers::all_match,
    state::Incident,
};

/// The silences of a plan, with their moments.
pub fn written_silences(plan: &Plan) -> Vec<(String, Silence)> {
    let zone = &plan.time_zone.0;
    let silence = |written: &crate::config::SilenceConfig| Silence {
        matchers: written.matchers.clone(),
        starts: written.from.map_or(Timestamp::MIN, |from| from.at(zone)),
        ends: written.until.at(zone),
        by: "the configuration".to_owned(),
        comment: written.comment.clone(),
    };
    plan.silences.iter().map(|(name, written)| (name.clone(), silence(written))).collect()
}

impl Engine {
    /// All silences, by name.
    pub fn silences(&self) -> impl Iterator<Item = (&str, &Silence)> {
        let written = self.silences.iter().map(|(id, silence)| (id.as_str(), silence));
        written.chain(self.state.silences.iter().map(|(id, silence)| (id.as_str(), silence)))
    }

    /// All maintenance windows, by name.
    pub fn windows(&self) -> impl Iterator<Item = (&str, Window<'_>)> {
        let all = self.plan.maintenance.iter().chain(&self.state.maintenance);
        all.map(|(id, written)| (id.as_str(), Window::new(written, &self.plan.time_zone.0)))
    }

    /// What keeps an alert from paging anybody now, in words.
    pub fn silenced(&self, alert: &Alert) -> Option<String> {
        let matches = |matchers: &[crate::Matcher]| all_match(matchers, |field| alert.field(field));
        let mut silences = self.silences();
        let silence = silences.find(|(_, found)| found.is_active(self.now) && matches(&found.matchers));
        if let Some((id, silence)) = silence {
            return Some(format!("silence `{id}` of {} until {}", silence.by, silence.ends));
        }
        let all = self.plan.maintenance.iter().chain(&self.state.maintenance);
        let mut matching = all.filter(|(_, written)| matches(&written.matchers));
        let window =
            matching.find(|(_, written)| Window::new(written, &self.plan.time_zone.0).is_active(self.now));
        window.map(|(id, _)| format!("maintenance `{id}`"))
    }

    /// Windows may have begun or ended, or be others.
    pub(super) fn observe_windows(&mut self) {
        let silences = self.silences().filter_map(|(_, silence)| silence.next_change(self.now));
        let windows = self.windows().filter_map(|(_, window)| window.next_change(self.now));
        self.boundary = Some(silences.chain(windows).min().unwrap_or(Timestamp::MAX));
        let ids: Vec<u64> = self.state.incidents.keys().copied().collect();
        for id in ids {
            self.refresh_hold(id);
        }
    }

    pub(super) fn refresh_hold(&mut self, id: u64) {
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        let was_held = incident.held.is_some();
        match self.hold_of(incident) {
            Some(reason) if !was_held => {
                self.emit(Event::Held { incident: id, reason });
                self.cancel_pages("silenced");
            }
            None if was_held => {
                self.emit(Event::Released { incident: id });
                self.announce(id);
                self.run(id);
            }
            _ => {}
        }
    }

    fn hold_of(&self, incident: &Incident) -> Option<String> {
        let mut reason = None;
        for symptom in incident.active() {
            reason = Some(self.silenced(&symptom.alert)?);
        }
        // With nothing wrong there is nothing to silence: as it was.
        reason.or_else(|| incident.held.clone())
    }
}
