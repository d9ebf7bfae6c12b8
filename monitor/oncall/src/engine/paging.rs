//! A person's paging policy at work: which contact method now, which next, and what the limits allow.

use std::time::Duration;

use jiff::Timestamp;

use super::Engine;
use crate::{
    civil,
    config::{Contact, Medium},
    event::Event,
    limits,
    state::{Assignment, Chain, Delivery, Incident, Occasion, PagingTurn, Retry, Stand, To, meter_key},
};

/// Most incidents a bundle describes; it counts them all.
const DESCRIBED: usize = 20;
/// The wait before an unreachable person's contact methods are gone through again; doubles up to the longest.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(600);

impl Engine {
    /// The next step of `user`'s paging policy for an incident.
    pub(super) fn page(&mut self, id: u64, user: &str) {
        let plan = self.plan.clone();
        let Some(chain) = self.state.incidents.get(&id).and_then(|incident| incident.chains.get(user)) else {
            return;
        };
        let found = plan.users.get(user).and_then(|found| {
            let taken = chain.index.min(found.paging.len().checked_sub(1)?);
            let step = found.paging.get(taken)?;
            Some((found, taken, step, found.contacts.get(&step.contact)?))
        });
        let Some((found, taken, step, contact)) = found else {
            let reason = "the configuration no longer says how".to_owned();
            return self.emit(Event::Dropped { incident: id, user: user.to_owned(), reason });
        };
        let next = (taken + 1).min(found.paging.len() - 1);
        let due = civil::after(self.now, found.wait_after(taken));
        let reason = reason(chain, taken, self.now);
        if let Some(until) = self.must_wait(user, &step.contact, contact.medium()) {
            return self.emit(Event::HeldBack {
                incident: id,
                user: user.to_owned(),
                contact: step.contact.clone(),
                next: (next, due),
                until,
                reason,
            });
        }
        let kind = contact.kind().to_owned();
        let to = To::User { user: user.to_owned(), contact: step.contact.clone(), kind };
        self.send(to, Occasion::Triggered, vec![id], reason, Some(PagingTurn { taken, next, due }));
    }

    /// Until when a contact method may not be used; nothing if it may.
    fn must_wait(&self, user: &str, contact: &str, medium: Medium) -> Option<Timestamp> {
        if medium == Medium::Push {
            return None;
        }
        let meter = self.state.meters.get(&meter_key(user, contact))?;
        let free = limits::next_allowed(medium, &meter.sent, self.now);
        let others_wait = meter.waiting.iter().any(|(id, _)| self.is_pageable(*id));
        (free > self.now || others_wait).then_some(free)
    }

    /// Until when a test by a contact method may not go; nothing if it may. Pages and tests count, as to its owner
    /// one is as loud as the other.
    pub(super) fn test_must_wait(&self, user: &str, contact: &str, medium: Medium) -> Option<Timestamp> {
        let meter = self.state.meters.get(&meter_key(user, contact))?;
        let mut went: Vec<Timestamp> = meter.sent.iter().chain(&meter.tests).copied().collect();
        went.sort_unstable();
        let free = limits::next_allowed(medium, &went, self.now);
        (free > self.now).then_some(free)
    }

    /// What waited for a limit and may go now, goes: as one message.
    pub(super) fn flush(&mut self) {
        let keys: Vec<String> =
            self.state.meters.iter().filter(|(_, m)| !m.waiting.is_empty()).map(|(k, _)| k.clone()).collect();
        for key in keys {
            let (Some(meter), Some((user, contact))) = (self.state.meters.get(&key), key.split_once('/'))
            else {
                continue;
            };
            let ready = meter.waiting.iter().filter(|(id, _)| self.is_pageable(*id));
            let (ids, reasons): (Vec<u64>, Vec<String>) = ready.cloned().unzip();
            let Some(found) = self.plan.contact(user, contact) else {
                let reason = "the configuration no longer says how".to_owned();
                for incident in ids {
                    self.emit(Event::Dropped { incident, user: user.to_owned(), reason: reason.clone() });
                }
                continue;
            };
            if ids.is_empty() || limits::next_allowed(found.medium(), &meter.sent, self.now) > self.now {
                continue;
            }
            let kind = found.kind().to_owned();
            let to = To::User { user: user.to_owned(), contact: contact.to_owned(), kind };
            let reason = match reasons.as_slice() {
                [only] => only.clone(),
                several => format!("{} incidents that waited for the limit of messages", several.len()),
            };
            self.send(to, Occasion::Triggered, ids, reason, None);
        }
    }

    pub(super) fn medium_of(&self, key: &str) -> Medium {
        let contact = key.split_once('/').and_then(|(user, contact)| self.plan.contact(user, contact));
        contact.map_or(Medium::Push, Contact::medium)
    }

    pub(super) fn send(
        &mut self,
        to: To,
        occasion: Occasion,
        incidents: Vec<u64>,
        reason: String,
        step: Option<PagingTurn>,
    ) {
        let about = incidents.iter().take(DESCRIBED).filter_map(|id| self.state.incidents.get(id));
        let about = about.map(|incident| {
            let mut summary = incident.summary();
            if occasion == Occasion::Resolved {
                "resolved".clone_into(&mut summary.state);
            }
            summary
        });
        let metered = match &to {
            To::User { user, contact, .. } => {
                let medium = self.plan.contact(user, contact).map(Contact::medium);
                medium.is_some_and(|medium| medium != Medium::Push)
            }
            To::Receiver { .. } => false,
        };
        let what = Delivery { about: about.collect(), to, occasion, incidents, reason, step, metered };
        self.emit(Event::Sending { delivery: self.state.last_delivery + 1, what });
    }

    /// Receivers that follow incidents of its policies hear of an incident, once nothing silences it.
    pub(super) fn announce(&mut self, id: u64) {
        let Some(incident) = self.state.incidents.get(&id).filter(|incident| incident.held.is_none()) else {
            return;
        };
        let policies = incident.tracks.iter().filter_map(|track| match &track.runs {
            Assignment::Policy(policy) => self.plan.policies.get(policy),
            Assignment::User(_) => None,
        });
        // A receiver that is a step's target of its own hears of it then.
        let listeners = policies.flat_map(|policy| &policy.announce);
        let mut new: Vec<String> =
            listeners.filter(|listener| !incident.told.contains(*listener)).cloned().collect();
        new.sort();
        new.dedup();
        for receiver in new {
            self.send(To::Receiver { receiver }, Occasion::Triggered, vec![id], "opened".to_owned(), None);
        }
    }

    /// Who was told of the beginning is told of the rest, silenced or not: rooms, and what keeps incidents of its
    /// own. A person's other contacts are for waking them, and hear no more.
    pub(super) fn tell_all(&mut self, id: u64, occasion: Occasion, reason: &str) {
        let Some(incident) = self.state.incidents.get(&id) else {
            return;
        };
        let receivers = incident.told.iter().filter(|receiver| self.plan.receivers.contains_key(*receiver));
        let receivers = receivers.map(|receiver| To::Receiver { receiver: receiver.clone() });
        let contacts = incident.told_contacts.iter().filter_map(|(user, contact)| {
            let kind = self.plan.contact(user, contact)?.kind();
            let to = To::User { user: user.clone(), contact: contact.clone(), kind: kind.to_owned() };
            Contact::keeps_incidents(kind).then_some(to)
        });
        let told: Vec<To> = receivers.chain(contacts).collect();
        for to in told {
            self.send(to, occasion, vec![id], reason.to_owned(), None);
        }
    }

    /// Pages on their way that nobody wants any more are stopped.
    pub(super) fn cancel_pages(&mut self, reason: &str) {
        let wanted = |id: &u64| {
            let incident = self.state.incidents.get(id);
            incident.is_some_and(|found| found.stand == Stand::Triggered && found.held.is_none())
        };
        let unwanted = |what: &Delivery| what.is_page() && !what.incidents.iter().any(wanted);
        let deliveries = self.state.deliveries.iter().filter(|(_, what)| unwanted(what));
        let deliveries: Vec<_> = deliveries.map(|(id, what)| (*id, what.incidents.clone())).collect();
        for (delivery, incidents) in deliveries {
            self.emit(Event::Cancelled { delivery, incidents, reason: reason.to_owned() });
        }
    }

    /// All pages on their way that are for this incident alone are stopped.
    pub(super) fn cancel_all(&mut self, id: u64, reason: &str) {
        let deliveries = self.state.deliveries.iter();
        let of_it = deliveries.filter(|(_, what)| what.is_page() && what.incidents == [id]);
        let of_it: Vec<u64> = of_it.map(|(delivery, _)| *delivery).collect();
        for delivery in of_it {
            self.emit(Event::Cancelled { delivery, incidents: vec![id], reason: reason.to_owned() });
        }
    }

    /// What became of a message.
    pub(super) fn delivered(&mut self, delivery: u64, result: Result<(), String>) {
        let Some(what) = self.state.deliveries.get(&delivery).cloned() else {
            // Cancelled, or heard of already: there is nothing left to do about it.
            return;
        };
        let incidents = what.incidents.clone();
        let Err(reason) = result else {
            return self.emit(Event::Delivered { delivery, incidents });
        };
        let user = match &what.to {
            To::User { user, .. } if what.is_page() => Some(user.clone()),
            _ => None,
        };
        let retry = |user: &String| {
            incidents.iter().filter_map(|id| self.retry(delivery, *id, user)).collect::<Vec<_>>()
        };
        let retries = user.as_ref().map(retry).unwrap_or_default();
        let whom = what.to.to_string();
        self.emit(Event::Failed { delivery, incidents: incidents.clone(), whom, reason, retries });
        for id in incidents {
            if let Some(user) = &user {
                self.go_on_without(id, user);
            }
            self.run(id);
        }
        self.flush();
    }

    /// The contact method that comes next, unless a later one is on its way already.
    fn retry(&self, delivery: u64, id: u64, user: &str) -> Option<Retry> {
        let chain = self.state.incidents.get(&id)?.chains.get(user)?;
        let count = self.plan.users.get(user)?.paging.len();
        let another = self.state.deliveries.iter().any(|(other, what)| {
            let same = matches!(&what.to, To::User { user: to, .. } if to == user);
            *other != delivery && same && what.is_page() && what.incidents.contains(&id)
        });
        if another {
            return None;
        }
        let index = (chain.taken? + 1) % count.max(1);
        let rounds = u32::try_from((chain.failures + 1) / count.max(1)).unwrap_or(u32::MAX);
        let wait = match rounds {
            0 => Duration::ZERO,
            rounds => FIRST_RETRY.saturating_mul(1 << (rounds - 1).min(8)).min(LONGEST_RETRY),
        };
        let due = civil::after(self.now, wait);
        (due < chain.due).then_some(Retry { incident: id, index, due })
    }

    /// Whether all contact methods of somebody who is being paged have failed, one after the other.
    pub(super) fn is_unreachable(&self, incident: &Incident, user: &str) -> bool {
        incident.chains.get(user).is_some_and(|chain| chain.failures >= self.methods(user))
    }

    fn methods(&self, user: &str) -> usize {
        self.plan.users.get(user).map_or(0, |user| user.paging.len())
    }

    /// If none of those a step paged can be reached, waiting for them is no use.
    fn go_on_without(&mut self, id: u64, user: &str) {
        let Some(incident) = self.state.incidents.get(&id).filter(|incident| incident.is_pageable()) else {
            return;
        };
        let just_now = incident.chains.get(user).is_some_and(|chain| chain.failures == self.methods(user));
        if !just_now || !incident.chains.keys().all(|user| self.is_unreachable(incident, user)) {
            return;
        }
        let tracks = incident.tracks.iter().enumerate();
        let waiting = tracks.filter(|(_, t)| t.step > 0 && t.due.is_some_and(|due| due > self.now));
        let tracks: Vec<usize> = waiting.map(|(index, _)| index).collect();
        if !tracks.is_empty() {
            self.emit(Event::Unreached { incident: id, tracks });
        }
    }
}

/// Why this page now: "step 2, no ack after 5m".
fn reason(chain: &Chain, taken: usize, now: Timestamp) -> String {
    let since = civil::elapsed(chain.since, now);
    match chain.taken {
        Some(last) if last == taken => {
            format!("{}; again, {} after their first page", chain.because, civil::words(since))
        }
        Some(_) if since.as_secs() > 0 => {
            format!("{}; {} after their first page", chain.because, civil::words(since))
        }
        Some(_) => format!("{}; the contact method before it failed", chain.because),
        None => chain.because.clone(),
    }
}
