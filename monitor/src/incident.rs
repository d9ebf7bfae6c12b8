//! Is something wrong that a person should know of?
//!
//! Pure. A service that goes down opens an incident; back up, or gone for good, resolves it. A service has
//! at most one open incident, and the reason it was opened with is kept. Maintenance, a deploy or a gap in
//! our own knowledge neither open nor resolve.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_catalog::Timestamp;

use crate::view::ServiceState;

/// Where an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Nobody has taken it yet.
    Triggered,
    /// Somebody is on it.
    Acknowledged,
    /// Over.
    Resolved,
}

impl IncidentState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// An outage of one service, from its first failure to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// The service that is down.
    pub service: String,
    /// Where it stands.
    pub state: IncidentState,
    /// First failure.
    pub started: Timestamp,
    /// When it was known to be an outage.
    pub triggered: Timestamp,
    /// When somebody took it.
    pub acknowledged: Option<Timestamp>,
    /// Its end.
    pub resolved: Option<Timestamp>,
    /// Why the service was said to be down.
    pub reason: String,
    /// Why it ended; empty while it has not.
    pub resolution: String,
}

impl Incident {
    /// Somebody takes it. Answers whether that changed anything: only a triggered incident can be taken.
    pub fn acknowledge(&mut self, now: Timestamp) -> bool {
        let takes = self.state == IncidentState::Triggered;
        if takes {
            (self.state, self.acknowledged) = (IncidentState::Acknowledged, Some(now));
        }
        takes
    }

    fn resolve(&mut self, at: Timestamp, why: &str) {
        self.state = IncidentState::Resolved;
        self.resolved = Some(at.max(self.started));
        self.resolution = why.to_owned();
    }
}

/// A service's state changed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) service: &'a str,
    pub(crate) state: ServiceState,
    /// When the state began.
    pub(crate) from: Timestamp,
    pub(crate) reason: &'a str,
    /// Nothing is left of the service, and nothing is expected.
    pub(crate) over: bool,
}

/// The open incidents.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    open: BTreeMap<String, Incident>,
    last_id: u64,
}

impl Incidents {
    /// Goes on where an earlier life stopped.
    pub(crate) fn restored(open: impl IntoIterator<Item = Incident>, last_id: u64) -> Self {
        let open = open.into_iter().map(|incident| (incident.service.clone(), incident));
        Self { open: open.collect(), last_id }
    }

    /// Every one that is open.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Incident> {
        self.open.values()
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// What a turn does: the incident it opened or resolved, if any.
    pub(crate) fn observe(&mut self, now: Timestamp, turn: Turn<'_>) -> Option<Incident> {
        match turn.state {
            ServiceState::Down => self.trigger(now, turn),
            ServiceState::Up => self.resolve(turn.from, turn),
            _ if turn.over => self.resolve(now, turn),
            _ => None,
        }
    }

    fn trigger(&mut self, now: Timestamp, turn: Turn<'_>) -> Option<Incident> {
        if self.open.contains_key(turn.service) {
            return None;
        }
        self.last_id += 1;
        let incident = Incident {
            id: self.last_id,
            service: turn.service.to_owned(),
            state: IncidentState::Triggered,
            started: turn.from,
            triggered: now,
            acknowledged: None,
            resolved: None,
            reason: turn.reason.to_owned(),
            resolution: String::new(),
        };
        self.open.insert(incident.service.clone(), incident.clone());
        Some(incident)
    }

    fn resolve(&mut self, at: Timestamp, turn: Turn<'_>) -> Option<Incident> {
        let mut incident = self.open.remove(turn.service)?;
        incident.resolve(at, turn.reason);
        Some(incident)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(state: ServiceState, from: i64) -> Turn<'static> {
        Turn { service: "web", state, from: Timestamp(from), reason: "refused", over: false }
    }

    #[test]
    fn down_opens_and_up_resolves_with_the_first_reason_kept() {
        let mut incidents = Incidents::default();
        let opened = incidents.observe(Timestamp(15), turn(ServiceState::Down, 10)).unwrap();
        assert_eq!((opened.id, opened.state), (1, IncidentState::Triggered));
        assert_eq!((opened.started, opened.triggered), (Timestamp(10), Timestamp(15)));
        let up = Turn { reason: "1 instance passes", ..turn(ServiceState::Up, 40) };
        let closed = incidents.observe(Timestamp(41), up).unwrap();
        assert_eq!(
            (closed.id, closed.state, closed.resolved),
            (1, IncidentState::Resolved, Some(Timestamp(40)))
        );
        assert_eq!((&*closed.reason, &*closed.resolution), ("refused", "1 instance passes"));
        assert_eq!(incidents.open(), 0);
    }

    #[test]
    fn a_service_has_one_open_incident_through_maintenance_deploys_and_gaps() {
        let mut incidents = Incidents::default();
        assert!(incidents.observe(Timestamp(1), turn(ServiceState::Down, 1)).is_some());
        for state in
            [ServiceState::Paused, ServiceState::Starting, ServiceState::Unmonitored, ServiceState::Down]
        {
            assert_eq!(incidents.observe(Timestamp(2), turn(state, 2)), None);
        }
        assert_eq!(incidents.open(), 1);
    }

    #[test]
    fn a_service_that_is_gone_for_good_leaves_no_open_incident() {
        let mut incidents = Incidents::default();
        incidents.observe(Timestamp(1), turn(ServiceState::Down, 1));
        let over = Turn { over: true, ..turn(ServiceState::Unmonitored, 2) };
        assert_eq!(incidents.observe(Timestamp(9), over).unwrap().resolved, Some(Timestamp(9)));
    }

    #[test]
    fn incidents_go_on_after_a_restart_and_numbers_are_not_reused() {
        let mut before = Incidents::default();
        let open = before.observe(Timestamp(1), turn(ServiceState::Down, 1)).unwrap();
        let mut after = Incidents::restored([open], 7);
        assert_eq!(after.observe(Timestamp(5), turn(ServiceState::Down, 5)), None);
        assert_eq!(after.observe(Timestamp(6), turn(ServiceState::Up, 6)).unwrap().id, 1);
        assert_eq!(after.observe(Timestamp(7), turn(ServiceState::Down, 7)).unwrap().id, 8);
    }

    #[test]
    fn only_a_triggered_incident_can_be_acknowledged_and_it_still_resolves() {
        let mut incidents = Incidents::default();
        let mut incident = incidents.observe(Timestamp(1), turn(ServiceState::Down, 1)).unwrap();
        assert!(incident.acknowledge(Timestamp(2)));
        assert!(!incident.acknowledge(Timestamp(3)));
        assert_eq!(incident.acknowledged, Some(Timestamp(2)));
        incident.resolve(Timestamp(4), "back");
        assert!(!incident.acknowledge(Timestamp(5)));
        assert_eq!(incident.state, IncidentState::Resolved);
    }
}
