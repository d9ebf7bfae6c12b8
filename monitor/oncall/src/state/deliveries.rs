//! What a message's way changes: sent, held back, delivered, failed.

use jiff::Timestamp;

use super::{Delivery, Retry, State, To, meter_key};
use crate::{civil, event::Event, limits};

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
                if let Some(Delivery { to: To::User { user, .. }, .. }) = self.deliveries.remove(delivery) {
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
        for incident in &what.incidents {
            match &what.to {
                To::User { user, .. } => {
                    if let Some((chain, turn)) = self.chain(*incident, user).zip(what.step) {
                        chain.taken = Some(turn.taken);
                        (chain.index, chain.due) = (turn.next, turn.due);
                    }
                }
                To::Receiver { receiver } => {
                    if let Some(incident) = self.incidents.get_mut(incident) {
                        incident.told.insert(receiver.clone());
                    }
                }
            }
        }
        if let To::User { user, contact, .. } = &what.to
            && what.metered
        {
            let meter = self.meters.entry(meter_key(user, contact)).or_default();
            let memory = civil::before(at, limits::MEMORY);
            meter.sent.retain(|sent| *sent > memory);
            meter.sent.push(at);
            meter.waiting.retain(|(waits, _)| !what.incidents.contains(waits));
        }
        self.deliveries.insert(number, what.clone());
    }

    fn fail(&mut self, number: u64, incidents: &[u64], retries: &[Retry]) {
        let Some(Delivery { to: To::User { user, .. }, .. }) = self.deliveries.remove(&number) else {
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
