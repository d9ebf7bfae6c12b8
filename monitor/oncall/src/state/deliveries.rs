//! What a message's way changes: sent, held back, delivered, failed.

use jiff::Timestamp;

use super::{Delivery, Incident, Occasion, Retry, State, To, meter_key};
use crate::{civil, config::Contact, event::Event, limits};

impl State {
    pub(super) fn evolve_deliveries(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::Sending { delivery, what } => self.send(at, *delivery, what),
            Event::HeldBack { incident, user, contact, next, reason, .. } => {
                if let Some(chain) = self.chain(*incident, user) {
                    chain.taken = Some(chain.index);
                    (chain.index, chain.due) = *next;
                    let meter = self.meters.entry(meter_key(user, contact)).or_default();
                    if !meter.waiting.iter().any(|(waits, _)| waits == incident) {
                        meter.waiting.push((*incident, reason.clone()));
                    }
                }
            }
            Event::Delivered { delivery, incidents } => {
                if let Some(user) = self.paged(*delivery) {
                    for incident in incidents {
                        if let Some(chain) = self.chain(*incident, &user) {
                            chain.failures = 0;
                        }
                    }
                }
            }
            Event::Failed { delivery, incidents, retries, .. } => self.fail(*delivery, incidents, retries),
            Event::Cancelled { delivery, .. } => {
                self.deliveries.remove(delivery);
            }
            _ => {}
        }
    }

    fn send(&mut self, at: Timestamp, number: u64, what: &Delivery) {
        self.last_delivery = self.last_delivery.max(number);
        for id in &what.incidents {
            if let To::User { user, .. } = &what.to
                && let Some((chain, turn)) = self.chain(*id, user).zip(what.step)
            {
                chain.taken = Some(turn.taken);
                (chain.index, chain.due) = (turn.next, turn.due);
            }
            if let Some(incident) = self.incidents.get_mut(id) {
                tell(incident, what);
            }
        }
        if let To::User { user, contact, .. } = &what.to
            && what.metered
        {
            let meter = self.meters.entry(meter_key(user, contact)).or_default();
            let memory = civil::before(at, limits::MEMORY);
            let sent = if what.occasion == Occasion::Test { &mut meter.tests } else { &mut meter.sent };
            sent.retain(|sent| *sent > memory);
            sent.push(at);
            meter.waiting.retain(|(waits, _)| !what.incidents.contains(waits));
        }
        self.deliveries.insert(number, what.clone());
    }

    /// A message is no longer on its way: who was paged by it, if it was a page.
    fn paged(&mut self, number: u64) -> Option<String> {
        let what = self.deliveries.remove(&number)?;
        let is_page = what.is_page();
        match what.to {
            To::User { user, .. } if is_page => Some(user),
            _ => None,
        }
    }

    fn fail(&mut self, number: u64, incidents: &[u64], retries: &[Retry]) {
        let Some(user) = self.paged(number) else {
            return;
        };
        for incident in incidents {
            if let Some(chain) = self.chain(*incident, &user) {
                chain.failures += 1;
            }
        }
        for retry in retries {
            if let Some(chain) = self.chain(retry.incident, &user) {
                (chain.index, chain.due) = (retry.index, retry.due);
            }
        }
    }
}

/// Who is told of the beginning is to be told of the rest, and after the end of nothing.
fn tell(incident: &mut Incident, what: &Delivery) {
    let over = what.occasion == Occasion::Resolved;
    match &what.to {
        To::Receiver { receiver } if over => drop(incident.told.remove(receiver)),
        To::Receiver { receiver } => drop(incident.told.insert(receiver.clone())),
        To::User { user, contact, kind } if Contact::keeps_incidents(kind) => {
            let contact = (user.clone(), contact.clone());
            if over {
                incident.told_contacts.remove(&contact);
            } else {
                incident.told_contacts.insert(contact);
            }
        }
        To::User { .. } => {}
    }
}
