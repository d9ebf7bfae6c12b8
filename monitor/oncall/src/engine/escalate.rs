//! A step of an escalation policy is due: who is told now, and what comes next.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Engine;
use crate::{
    civil,
    config::{EscalationStep, Policy, Target},
    event::Event,
    schedule::Schedule,
    state::{Assignment, Incident, Occasion, To, Track},
};

/// Whom a step tells.
#[derive(Default)]
struct Told {
    users: BTreeSet<String>,
    receivers: Vec<String>,
    policies: Vec<Track>,
    words: Vec<String>,
    anybody: bool,
}

impl Engine {
    /// Pages whoever is due, step by step, until nothing is.
    pub(super) fn run(&mut self, id: u64) {
        while let Some(incident) = self.state.incidents.get(&id).filter(|incident| incident.is_pageable()) {
            let track = incident.tracks.iter().position(|track| track.due.is_some_and(|due| due <= self.now));
            if let Some(track) = track {
                self.escalate(id, track);
                continue;
            }
            let chain = incident.chains.iter().find(|(_, chain)| chain.due <= self.now);
            let Some((user, _)) = chain else {
                break;
            };
            self.page(id, &user.clone());
        }
    }

    /// When a track's first step is due for what began at `started`.
    pub(super) fn first_due(&self, runs: &Assignment, started: Timestamp) -> Option<Timestamp> {
        let delay = match runs {
            Assignment::Policy(policy) => self.plan.policies.get(policy)?.steps.first()?.after,
            Assignment::User(_) => std::time::Duration::ZERO,
        };
        Some(civil::after(started, delay).max(self.now))
    }

    fn escalate(&mut self, id: u64, index: usize) {
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        let Some(track) = incident.tracks.get(index).cloned() else {
            return;
        };
        let plan = self.plan.clone();
        let (targets, policy) = match &track.runs {
            Assignment::User(user) => (vec![Target::User(user.clone())], None),
            Assignment::Policy(name) => match plan.policies.get(name) {
                Some(policy) => {
                    let step = policy.steps.get(track.step);
                    (step.map(|step| step.targets.clone()).unwrap_or_default(), Some(policy))
                }
                None => return self.lost_policy(id, index, &track, name),
            },
        };
        let told = self.tell(incident, &targets);
        let next = self.following(&track, policy, targets.is_empty() || told.anybody);
        let because = because(incident, &track, self.now);
        let place = match &track.runs {
            Assignment::Policy(name) => format!("{because} (`{name}`)"),
            Assignment::User(user) => format!("given to {user}"),
        };
        let words = if told.words.is_empty() { "waits".to_owned() } else { told.words.join("; ") };
        let receivers = told.receivers;
        self.emit(Event::Escalated {
            incident: id,
            track: index,
            round: track.round,
            step: track.step,
            users: told.users.into_iter().collect(),
            policies: told.policies,
            next,
            reason: format!("{place}: {words}"),
            because: because.clone(),
        });
        for receiver in receivers {
            self.send(To::Receiver { receiver }, Occasion::Triggered, vec![id], because.clone(), None);
        }
    }

    /// The configuration no longer has it: the default policy takes over.
    fn lost_policy(&mut self, id: u64, track: usize, lost: &Track, name: &str) {
        let default = self.plan.routing.default.clone().filter(|default| default != name);
        let (next, words) = match default {
            Some(default) => {
                let words = format!("`{default}` takes over");
                (self.track(Assignment::Policy(default)), words)
            }
            None => (Track { due: None, ..lost.clone() }, "nobody is left to tell".to_owned()),
        };
        self.emit(Event::Escalated {
            incident: id,
            track,
            round: lost.round,
            step: lost.step,
            users: Vec::new(),
            policies: Vec::new(),
            next,
            reason: format!("policy `{name}` is not in the configuration any more: {words}"),
            because: String::new(),
        });
    }

    fn tell(&self, incident: &Incident, targets: &[Target]) -> Told {
        let mut told = Told::default();
        for target in targets {
            match target {
                Target::User(user) => self.tell_user(incident, Some(user.clone()), "", &mut told),
                Target::Rotation(name) => {
                    let user = self.schedule(name).and_then(|schedule| schedule.on_duty(self.now));
                    self.tell_user(incident, user, &format!("on duty in `{name}`"), &mut told);
                }
                Target::NextInRotation(name) => {
                    let user = self.schedule(name).and_then(|schedule| schedule.next_in_shift(self.now));
                    self.tell_user(incident, user, &format!("next in `{name}`"), &mut told);
                }
                Target::PreviousInRotation(name) => {
                    let user = self.schedule(name).and_then(|schedule| schedule.previous_in_shift(self.now));
                    self.tell_user(incident, user, &format!("previous in `{name}`"), &mut told);
                }
                Target::Receiver(receiver) => {
                    told.anybody = true;
                    told.words.push(format!("tells `{receiver}`"));
                    told.receivers.push(receiver.clone());
                }
                Target::Policy(policy) => self.tell_policy(incident, policy, &mut told),
            }
        }
        told
    }

    fn tell_user(&self, incident: &Incident, user: Option<String>, role: &str, told: &mut Told) {
        let Some(user) = user else {
            told.words.push(format!("nobody is {role}"));
            return;
        };
        let role = if role.is_empty() { String::new() } else { format!(", {role}") };
        if self.pageable_user(&user).is_err() {
            told.words.push(format!("{user}{role} cannot be paged"));
        } else if self.is_unreachable(incident, &user) {
            told.words.push(format!("{user}{role} is being paged, but was not reached"));
        } else if incident.chains.contains_key(&user) || told.users.contains(&user) {
            told.anybody = true;
            told.words.push(format!("{user}{role} is being paged already"));
        } else {
            told.anybody = true;
            told.words.push(format!("pages {user}{role}"));
            told.users.insert(user);
        }
    }

    fn tell_policy(&self, incident: &Incident, policy: &str, told: &mut Told) {
        let runs = Assignment::Policy(policy.to_owned());
        told.anybody = true;
        if incident.tracks.iter().chain(&told.policies).any(|track| track.runs == runs) {
            told.words.push(format!("policy `{policy}` runs already"));
            return;
        }
        told.words.push(format!("starts policy `{policy}`"));
        let due = self.first_due(&runs, self.now);
        told.policies.push(Track { runs, round: 0, step: 0, due });
    }

    pub(super) fn schedule(&self, rotation: &str) -> Option<Schedule<'_>> {
        Schedule::of(&self.plan, &self.state.amendments, rotation)
    }

    /// The track after its step. A step that reaches nobody does not wait for them.
    fn following(&self, track: &Track, policy: Option<&Policy>, reached: bool) -> Track {
        let over = Track { due: None, ..track.clone() };
        let Some(policy) = policy else {
            return over;
        };
        let step = track.step + 1;
        if let Some(EscalationStep { after, .. }) = policy.steps.get(step) {
            let due = if reached { civil::after(self.now, *after) } else { self.now };
            return Track { step, due: Some(due), ..track.clone() };
        }
        let first =
            policy.steps.first().map_or(policy.repeat_after, |first| policy.repeat_after + first.after);
        if policy.repeat.goes_on_after(track.round) {
            let due = Some(civil::after(self.now, first));
            return Track { round: track.round + 1, step: 0, due, ..track.clone() };
        }
        over
    }
}

fn because(incident: &Incident, track: &Track, now: Timestamp) -> String {
    let step = match track.round {
        0 => format!("step {}", track.step + 1),
        round => format!("round {}, step {}", round + 1, track.step + 1),
    };
    let waited = civil::elapsed(incident.opened, now);
    if waited.as_secs() == 0 { step } else { format!("{step}, no ack after {}", civil::words(waited)) }
}
