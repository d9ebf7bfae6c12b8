//! What people set changes: silences, windows, overrides and swaps.

use std::time::Duration;

use jiff::Timestamp;

use super::State;
use crate::{civil, event::Event};

/// How long silences that are over can be looked up, as Alertmanager's can.
const SILENCE_MEMORY: Duration = Duration::from_secs(5 * 86_400);

impl State {
    pub(super) fn evolve_settings(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::SilenceSet { id, silence } => {
                self.forget_silences(at);
                self.silences.insert(id.clone(), silence.clone());
            }
            Event::SilenceEnded { id, .. } => {
                self.forget_silences(at);
                if let Some(silence) = self.silences.get_mut(id) {
                    silence.end(at);
                }
            }
            Event::MaintenanceSet { id, by, window } => {
                self.maintained_by.insert(id.clone(), by.clone());
                self.maintenance.insert(id.clone(), window.clone());
            }
            Event::MaintenanceEnded { id, .. } => {
                self.maintenance.remove(id);
                self.maintained_by.remove(id);
            }
            Event::OverrideAdded { id, by, substitute } => {
                self.amendments.by.insert(*id, by.clone());
                self.last_amendment = self.last_amendment.max(*id);
                self.amendments.overrides.insert(*id, substitute.clone());
            }
            Event::SwapAdded { id, by, swap } => {
                self.amendments.by.insert(*id, by.clone());
                self.last_amendment = self.last_amendment.max(*id);
                self.amendments.swaps.insert(*id, swap.clone());
            }
            Event::AmendmentRemoved { id, .. } => {
                self.amendments.overrides.remove(id);
                self.amendments.swaps.remove(id);
                self.amendments.by.remove(id);
            }
            _ => {}
        }
    }

    fn forget_silences(&mut self, at: Timestamp) {
        let memory = civil::before(at, SILENCE_MEMORY);
        self.silences.retain(|_, silence| silence.ends > memory);
    }
}
