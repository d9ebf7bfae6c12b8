//! What is known of all containers? Lists, events and inspections in; questions and desired instances out.
//!
//! Pure. An event that leaves something to be looked up becomes a [`Question`]; the answer counts only if
//! nothing younger has happened to the container. What takes an instance out of traffic (a signal, a pause)
//! counts at once, from what is remembered.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use wharf_catalog::Check;

use crate::{
    complaint::Complaint,
    config::{Config, Deregister},
    container::{Container, ContainerHealth, RunState},
    event::{ContainerEvent, EventKind},
    plan::Desired,
    registration::{Registration, sign_of_life_id, wire},
    signal::Signal,
};

/// How long a container may take to end that has not been inspected yet: Docker's own default.
const UNKNOWN_STOP_TIMEOUT: Duration = Duration::from_secs(10);
const PAUSED: &str = "paused: container is paused";

/// All containers of one engine.
#[derive(Debug)]
pub struct Fleet {
    config: Config,
    local: bool,
    known: BTreeMap<String, Known>,
    turn: Turn,
    listed: bool,
    released: BTreeSet<Arc<str>>,
    touched: Touched,
    /// Who asks for which instance id, each time it is asked for.
    claims: HashMap<Arc<str>, Vec<String>>,
}

/// What may stand otherwise in the catalog than it should.
#[derive(Debug)]
enum Touched {
    Everything,
    /// At most what these containers ask for, and what was released.
    Only(BTreeSet<String>),
}

/// Counts what happens, to tell young from old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(u64);

/// A container that has to be inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub container: String,
    turn: Turn,
}

/// What an inspection found.
#[derive(Debug)]
pub enum Answer {
    /// The container.
    Found(Box<Container>),
    /// There is none of that id.
    Gone,
    /// The engine gave no answer: what was known stands until the next list.
    Unknown,
}

/// What a list says of one container; while that stays the same, it need not be inspected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Docker's id.
    pub container: String,
    /// Everything in the list that matters here: names, state, ports, addresses.
    pub print: String,
}

/// Two containers ask for the same instance id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Clash {
    /// The id.
    pub instance: Arc<str>,
    /// Name of the container that has it.
    pub holder: String,
    /// Name of the container that goes without.
    pub loser: String,
}

#[derive(Debug)]
struct Known {
    /// When something last happened to it.
    turn: Turn,
    container: Option<Container>,
    registrations: Vec<Registration>,
    draining: Option<Draining>,
    paused: bool,
    /// What its `HEALTHCHECK` says.
    health: Option<ContainerHealth>,
    /// How long its drain may take, if it says so.
    drain: Option<Duration>,
    /// Its process ended; its entries stay all the same.
    ended: bool,
    print: Option<String>,
    /// Its registrations have stood in the catalog.
    stood: bool,
}

#[derive(Debug)]
struct Draining {
    reason: String,
    until: Instant,
}

impl Known {
    fn new(turn: Turn) -> Self {
        Self {
            turn,
            container: None,
            registrations: Vec::new(),
            draining: None,
            paused: false,
            health: None,
            drain: None,
            ended: false,
            print: None,
            stood: false,
        }
    }

    fn desires<'a>(&'a self, registration: &'a Registration) -> Desired<'a> {
        let once = self.ended || (self.stood && ends_by_itself(registration));
        let out = self.out().or(registration.out.as_deref());
        Desired { registration, out, once, health: self.health.as_ref() }
    }

    fn out(&self) -> Option<&str> {
        let draining = self.draining.as_ref().map(|draining| draining.reason.as_str());
        draining.or(self.paused.then_some(PAUSED))
    }
}

impl Fleet {
    /// Nothing is known yet. `local`: the engine runs on this machine.
    pub fn new(config: Config, local: bool) -> Self {
        Self {
            config,
            local,
            known: BTreeMap::new(),
            turn: Turn(0),
            listed: false,
            released: BTreeSet::new(),
            touched: Touched::Everything,
            claims: HashMap::new(),
        }
    }

    /// The present moment, to be taken before a list is asked for.
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// Something happened.
    pub fn apply(&mut self, now: Instant, event: &ContainerEvent) -> Vec<Question> {
        let id = event.container.as_str();
        self.touch(id);
        match &event.kind {
            EventKind::Signalled(signal) => self.signalled(now, id, *signal),
            EventKind::Ended(code) => self.ended(id, *code),
            EventKind::Removed => self.removed(id),
            EventKind::ServiceChanged => return self.tasks_of(id).iter().map(|id| self.ask(id)).collect(),
            EventKind::Renamed | EventKind::Rewired if !self.known.contains_key(id) => {}
            EventKind::Renamed | EventKind::Rewired => return vec![self.ask(id)],
            EventKind::Paused => self.known(id).paused = true,
            EventKind::Unpaused => self.known(id).paused = false,
            EventKind::Health(status) => {
                self.known(id).health = Some(ContainerHealth { status: *status, output: None });
            }
            EventKind::Started => {
                let known = self.known(id);
                (known.draining, known.paused, known.stood, known.ended) = (None, false, false, false);
            }
        }
        let asks = matches!(
            event.kind,
            EventKind::Paused | EventKind::Unpaused | EventKind::Health(_) | EventKind::Started
        );
        asks.then(|| self.ask(id)).into_iter().collect()
    }

    fn touch(&mut self, id: &str) {
        if let Touched::Only(touched) = &mut self.touched
            && !touched.contains(id)
        {
            touched.insert(id.to_owned());
        }
    }

    /// Others may have changed the catalog: the next comparison is about everything.
    pub fn touch_everything(&mut self) {
        self.touched = Touched::Everything;
    }

    fn known(&mut self, id: &str) -> &mut Known {
        self.known.entry(id.to_owned()).or_insert(Known::new(self.turn))
    }

    fn tasks_of(&self, service: &str) -> Vec<String> {
        let is_task = |known: &Known| {
            let task = known.container.as_ref().and_then(|container| container.swarm.as_ref());
            task.is_some_and(|task| task.service == service)
        };
        self.known.iter().filter(|(_, known)| is_task(known)).map(|(id, _)| id.clone()).collect()
    }

    /// Its process ended: its entries go, or stay as they are for their checks to tell.
    fn ended(&mut self, id: &str, code: Option<i64>) {
        if self.keeps(code) && self.known.contains_key(id) {
            self.keep(id);
        } else {
            self.forget(id);
        }
    }

    fn removed(&mut self, id: &str) {
        if self.config.deregister == Deregister::Never && self.known.contains_key(id) {
            self.keep(id);
        } else {
            self.forget(id);
        }
    }

    /// Do the entries of a container stay that ended with this exit code? A signal's is 128 and more.
    fn keeps(&self, code: Option<i64>) -> bool {
        match self.config.deregister {
            Deregister::Always => false,
            Deregister::OnSuccess => code.is_some_and(|code| code != 0 && code & 128 == 0),
            Deregister::Never => true,
        }
    }

    fn keep(&mut self, id: &str) {
        self.turn.0 += 1;
        let turn = self.turn;
        let known = self.known(id);
        (known.turn, known.ended, known.draining, known.paused) = (turn, true, None, false);
    }

    fn signalled(&mut self, now: Instant, id: &str, signal: Signal) {
        let Some(known) = self.known.get_mut(id) else {
            return;
        };
        let (stop, timeout) = known
            .container
            .as_ref()
            .map_or((Signal::TERM, UNKNOWN_STOP_TIMEOUT), |c| (c.stop_signal, c.stop_timeout));
        if signal.ends(stop) {
            known.draining = Some(Draining {
                reason: format!("draining: container got {signal}"),
                until: now + timeout.max(known.drain.unwrap_or_default()) + self.config.drain_grace,
            });
        }
    }

    fn ask(&mut self, id: &str) -> Question {
        self.touch(id);
        self.turn.0 += 1;
        let known = self.known.entry(id.to_owned()).or_insert(Known::new(self.turn));
        known.turn = self.turn;
        Question { container: id.to_owned(), turn: self.turn }
    }

    fn forget(&mut self, id: &str) {
        self.turn.0 += 1;
        if let Some(known) = self.known.remove(id) {
            self.release(id, known.registrations);
        }
    }

    fn release(&mut self, container: &str, registrations: Vec<Registration>) {
        for Registration { instance, .. } in registrations {
            if let Some(claims) = self.claims.get_mut(&instance.id) {
                if let Some(at) = claims.iter().position(|claim| claim == container) {
                    claims.swap_remove(at);
                }
                if claims.is_empty() {
                    self.claims.remove(&instance.id);
                }
            }
            self.released.insert(instance.id);
        }
    }

    /// An inspection found something; complaints are about what is new in it.
    pub fn answer(&mut self, question: &Question, answer: Answer) -> Vec<Complaint> {
        let id = question.container.as_str();
        if self.known.get(id).is_none_or(|known| known.turn != question.turn) {
            return Vec::new();
        }
        self.touch(id);
        match answer {
            Answer::Found(container) if container.state != RunState::Stopped => self.learn(*container),
            Answer::Found(container) if self.keeps(Some(container.exit_code)) => {
                self.keep(id);
                self.known(id).container.get_or_insert(*container);
                Vec::new()
            }
            Answer::Found(_) | Answer::Gone => {
                self.removed(id);
                Vec::new()
            }
            Answer::Unknown => {
                self.known(id).print = None;
                Vec::new()
            }
        }
    }

    fn learn(&mut self, container: Container) -> Vec<Complaint> {
        let Some(known) = self.known.get_mut(&container.id) else {
            return Vec::new();
        };
        known.paused = container.state == RunState::Paused;
        known.health = container.health.clone();
        known.ended = false;
        if known.container.as_ref() == Some(&container) {
            return Vec::new();
        }
        let wiring = wire(&self.config, self.local, &container);
        let (registrations, complaints) = (wiring.registrations, wiring.complaints);
        known.drain = wiring.drain;
        known.stood &= known.registrations == registrations;
        let ids: Vec<_> = registrations.iter().map(|r| r.instance.id.clone()).collect();
        let before = std::mem::replace(&mut known.registrations, registrations);
        let asks_the_same = known.container.as_ref().is_some_and(|old| {
            (&old.labels, &old.environment) == (&container.labels, &container.environment)
        });
        let name = container.id.clone();
        known.container = Some(container);
        self.release(&name, before);
        for id in ids {
            self.claims.entry(id).or_default().push(name.clone());
        }
        if asks_the_same { Vec::new() } else { complaints }
    }

    /// A list that was asked for at `asked`: what is not in it is gone, unless it came since; what is new
    /// or looks different has to be inspected.
    pub fn list(&mut self, asked: Turn, list: Vec<Listed>) -> Vec<Question> {
        self.listed = true;
        self.touch_everything();
        let running: BTreeSet<_> = list.iter().map(|listed| listed.container.clone()).collect();
        let stale = |(id, known): (&String, &Known)| {
            (known.turn <= asked && !running.contains(id)).then(|| id.clone())
        };
        for id in self.known.iter().filter_map(stale).collect::<Vec<_>>() {
            self.removed(&id);
        }
        list.into_iter().filter_map(|listed| self.see(listed)).collect()
    }

    fn see(&mut self, listed: Listed) -> Option<Question> {
        let known = self.known.get(&listed.container);
        if known.is_some_and(|known| known.print.as_ref() == Some(&listed.print)) {
            return None;
        }
        let question = self.ask(&listed.container);
        if let Some(known) = self.known.get_mut(&listed.container) {
            known.print = Some(listed.print);
        }
        Some(question)
    }

    /// Questions under way will not be answered: the next list asks them again.
    pub fn interrupted(&mut self) {
        for known in self.known.values_mut() {
            known.print = None;
        }
    }

    /// Time passes: containers that should have ended long ago and did not take traffic again.
    pub fn advance(&mut self, now: Instant) {
        for (id, known) in &mut self.known {
            let over = known.draining.take_if(|draining| draining.until <= now).is_some();
            if let Touched::Only(touched) = &mut self.touched
                && over
            {
                touched.insert(id.clone());
            }
        }
    }

    /// When [`Self::advance`] next has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.known.values().filter_map(|known| Some(known.draining.as_ref()?.until)).min()
    }

    /// The instances that should stand in the catalog, by id; of several claims the first container's holds.
    pub fn desired(&self) -> (BTreeMap<&str, Desired<'_>>, Vec<Clash>) {
        let (mut desired, mut holders, mut clashes) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for known in self.known.values() {
            let name = known.container.as_ref().map_or("", |c| c.name.as_str());
            for registration in &known.registrations {
                let id = &registration.instance.id;
                if let Some(holder) = holders.get(id) {
                    let (holder, loser) = (String::from(*holder), name.to_owned());
                    clashes.push(Clash { instance: id.clone(), holder, loser });
                    continue;
                }
                holders.insert(id, name);
                desired.insert(&**id, known.desires(registration));
            }
        }
        (desired, clashes)
    }

    /// As [`Self::desired`], of what was touched since the catalog last held what was desired. `None`: that does
    /// not tell, everything has to be compared.
    pub fn desired_of_touched(&self) -> Option<BTreeMap<&str, Desired<'_>>> {
        let Touched::Only(touched) = &self.touched else {
            return None;
        };
        if self.config.deregister != Deregister::Always && !self.spared().is_empty() {
            return None;
        }
        let claims = |id: &Arc<str>| self.claims.get(id).map_or(&[][..], Vec::as_slice);
        let taken_over = |id: &Arc<str>| match claims(id) {
            [] => false,
            [holder] => !touched.contains(holder),
            _ => true,
        };
        if self.released.iter().any(taken_over) {
            return None;
        }
        let mut desired = BTreeMap::new();
        for known in touched.iter().filter_map(|id| self.known.get(id)) {
            for registration in &known.registrations {
                if claims(&registration.instance.id).len() != 1 {
                    return None;
                }
                desired.insert(&*registration.instance.id, known.desires(registration));
            }
        }
        Some(desired)
    }

    /// How many instances should stand in the catalog.
    pub fn instances(&self) -> usize {
        self.claims.len()
    }

    /// Is every running container known, so that entries without one can be removed?
    pub fn is_complete(&self) -> bool {
        self.listed && self.known.values().all(|known| known.container.is_some())
    }

    /// Everything that stands for a container that runs.
    pub fn alive(&self) -> impl Iterator<Item = &Registration> {
        self.known.values().filter(|known| !known.ended).flat_map(|known| &known.registrations)
    }

    /// Names of containers that ended and whose entries stay, though what they were is not known any more.
    pub fn spared(&self) -> BTreeSet<String> {
        let unknown = |known: &&Known| known.ended && known.registrations.is_empty();
        let names = self.known.values().filter(unknown).filter_map(|known| known.container.as_ref());
        names.map(|container| container.name.clone()).collect()
    }

    /// The catalog may have lost what stood in it: whatever is missing was not taken away on purpose.
    pub fn catalog_was_away(&mut self) {
        self.touch_everything();
        for known in self.known.values_mut() {
            known.stood = false;
        }
    }

    /// Has a list been seen? Before that nothing is known, and nothing should be done.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// Instances that were ours and may have to be removed.
    pub fn released(&self) -> &BTreeSet<Arc<str>> {
        &self.released
    }

    /// The catalog now holds what is desired, but for instances whose id is `refused` to us.
    pub fn settled(&mut self, refused: impl Fn(&Arc<str>) -> bool) {
        self.released.clear();
        // What was refused is tried again with whatever happens next.
        let mut again = BTreeSet::new();
        let mut stands = |id: &str, known: &mut Known| {
            if known.registrations.iter().any(|r| refused(&r.instance.id)) {
                again.insert(id.to_owned());
            } else {
                known.stood |= known.container.is_some();
            }
        };
        match &self.touched {
            Touched::Everything => self.known.iter_mut().for_each(|(id, known)| stands(id, known)),
            Touched::Only(touched) => {
                for id in touched {
                    self.known.get_mut(id).into_iter().for_each(|known| stands(id, known));
                }
            }
        }
        // What is stale can be told only once everything is known.
        if matches!(self.touched, Touched::Only(_)) || self.is_complete() {
            self.touched = Touched::Only(again);
        }
    }
}

/// May a check of the container's have the instance deregistered? (Our sign of life may too, but then we are gone.)
fn ends_by_itself(registration: &Registration) -> bool {
    let deregisters =
        |check: &&Check| check.probe.as_ref().is_some_and(|probe| probe.deregister_after.is_some());
    let id = &registration.instance.id;
    registration.checks.iter().filter(deregisters).any(|check| *check.id != *sign_of_life_id(id))
}

#[cfg(test)]
mod tests;
