//! The edge that listens: outcomes and catalog in, entries for the ledger out.
//!
//! Decides nothing: [`crate::follow`] says what changed, [`crate::incident`] what that means.

use std::{sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Index, Outcome, State, Timestamp, Topic};

use crate::{
    Config,
    follow::{Follower, Subject, Transition},
    incident::{Incident, IncidentState, Incidents, Turn},
    ledger::writer::{Entry, Inbox},
    maintenance::DOCUMENTS,
    notify,
};

/// How often the ledger is told that we live: what a crash can cost of the knowledge of what was.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Most outcomes taken at a time.
const TAKEN: usize = 4_096;

/// Follows and records.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) config: Config,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    pub(crate) outcomes: mpsc::Receiver<Outcome>,
    pub(crate) follower: Follower,
    pub(crate) incidents: Incidents,
    pub(crate) last_delivery: u64,
    pub(crate) inbox: Inbox,
    /// Who hears of incidents at once.
    pub(crate) told: Option<mpsc::UnboundedSender<Incident>>,
}

impl Recorder {
    /// Until `shutdown`.
    pub(crate) async fn follow(&mut self, shutdown: &CancellationToken) {
        gauge!("wharf_monitor_incidents_open").set(self.incidents.open() as f64);
        let catalog = self.catalog.clone();
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut seen, mut more, mut rested) = (Index::default(), true, Instant::now());
        let mut taken = Vec::with_capacity(TAKEN);
        loop {
            let deadline = self.follower.next_deadline();
            let patience =
                deadline.map_or(HEARTBEAT, |deadline| deadline.since(self.clock.now()).min(HEARTBEAT));
            tokio::select! {
                () = shutdown.cancelled() => return,
                state = younger(&catalog, seen, rested) => {
                    seen = state.index();
                    let begun = Instant::now();
                    self.observe(state, &mut taken);
                    rested = Instant::now() + begun.elapsed() * 9;
                }
                count = self.outcomes.recv_many(&mut taken, TAKEN), if more => {
                    more = count > 0;
                    self.hear(&mut taken);
                }
                () = sleep(patience), if deadline.is_some() => self.advance(),
                _ = heartbeat.tick() => {
                    self.advance();
                    self.inbox.keep(vec![Entry::Alive(self.clock.now())]);
                }
            }
        }
    }

    /// Outcomes that already wait are heard first: they know of failures before the status does. They are kept last:
    /// the catalog says which of them count.
    fn observe(&mut self, state: Arc<State>, taken: &mut Vec<Outcome>) {
        while taken.len() < TAKEN {
            let Ok(outcome) = self.outcomes.try_recv() else {
                break;
            };
            taken.push(outcome);
        }
        taken.iter().for_each(|outcome| self.follower.note(outcome));
        let now = self.clock.now();
        let transitions = self.follower.observe(now, state);
        self.turn(now, transitions);
        self.record(taken);
    }

    /// Outcomes came. Those of now are judged by what holds now: a window that has begun, at a start the catalog as
    /// it is.
    fn hear(&mut self, taken: &mut Vec<Outcome>) {
        if self.follower.is_blind() && !taken.is_empty() {
            return self.observe(self.catalog.snapshot(), taken);
        }
        taken.iter().for_each(|outcome| self.follower.note(outcome));
        if self.follower.next_deadline().is_some_and(|deadline| deadline <= self.clock.now()) {
            self.advance();
        }
        self.record(taken);
    }

    fn advance(&mut self) {
        let now = self.clock.now();
        let transitions = self.follower.advance(now);
        self.turn(now, transitions);
    }

    fn record(&mut self, taken: &mut Vec<Outcome>) {
        if taken.is_empty() {
            return;
        }
        counter!("wharf_monitor_outcomes_total").increment(taken.len() as u64);
        let count = taken.drain(..).filter_map(|outcome| self.follower.admit(outcome)).collect();
        self.inbox.keep_samples(count);
    }

    fn turn(&mut self, now: Timestamp, transitions: Vec<Transition>) {
        let mut entries = Vec::with_capacity(transitions.len());
        for transition in transitions {
            let incident = self.incident(now, &transition);
            entries.push(Entry::Transition(transition));
            entries.extend(incident);
        }
        entries.extend(self.follower.take_marks().into_iter().map(Entry::Mark));
        if !entries.is_empty() {
            gauge!("wharf_monitor_incidents_open").set(self.incidents.open() as f64);
            self.inbox.keep(entries);
        }
    }

    fn incident(&mut self, now: Timestamp, transition: &Transition) -> Option<Entry> {
        let Subject::Service(service) = &transition.subject else {
            return None;
        };
        let turn = Turn {
            service,
            state: transition.state,
            from: transition.from,
            reason: &transition.reason,
            over: transition.over,
        };
        let incident = self.incidents.observe(now, turn)?;
        tell(&incident);
        if let Some(told) = &self.told {
            let _ = told.send(incident.clone());
        }
        let deliveries =
            notify::deliveries(&self.config, &incident, transition.state, now, &mut self.last_delivery);
        Some(Entry::Incident(incident, deliveries))
    }

    /// The last words: what still waits, and until when we knew.
    pub(crate) fn leave(&mut self) {
        let mut taken = Vec::new();
        while let Ok(outcome) = self.outcomes.try_recv() {
            taken.push(outcome);
        }
        self.record(&mut taken);
        self.inbox.keep(vec![Entry::Alive(self.clock.now())]);
    }
}

/// The next catalog, not before `rested`: under a storm of commits following takes no more than a tenth of
/// a core; a lone one is followed at once.
async fn younger(catalog: &Catalog, seen: Index, rested: Instant) -> Arc<State> {
    sleep_until(rested).await;
    let maintenance = Topic::Documents(DOCUMENTS.into());
    tokio::select! {
        state = catalog.changed(&Topic::Catalog, seen) => state,
        state = catalog.changed(&maintenance, seen) => state,
    }
}

fn tell(incident: &Incident) {
    let (id, service, reason) = (incident.id, &incident.service, &incident.reason);
    if incident.state == IncidentState::Resolved {
        tracing::info!(id, %service, resolution = %incident.resolution, "outage over");
    } else {
        tracing::warn!(id, %service, %reason, "outage");
    }
}
