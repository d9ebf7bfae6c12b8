//! The last events this agent received, and who waits for the next.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use tokio::sync::watch;

/// How many are remembered, as in Consul.
const KEPT: usize = 256;

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// A UUID.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) payload: Vec<u8>,
    pub(super) node_filter: String,
    pub(super) service_filter: String,
    pub(super) tag_filter: String,
    /// The how manieth event it is for this agent; 0 while it is on its way.
    pub(super) ltime: u64,
}

impl Event {
    /// A number to tell it from others by: both halves of its id, one over the other.
    pub(super) fn index(&self) -> u64 {
        let digits: String = self.id.chars().filter(char::is_ascii_hexdigit).collect();
        let id = u128::from_str_radix(&digits, 16).unwrap_or(1);
        let halves = (id >> 64) ^ (id & u128::from(u64::MAX));
        u64::try_from(halves).unwrap_or(1).max(1)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload = (!self.payload.is_empty()).then(|| BASE64_STANDARD.encode(&self.payload));
        let mut shown = serializer.serialize_struct("Event", 8)?;
        shown.serialize_field("ID", &self.id)?;
        shown.serialize_field("Name", &self.name)?;
        shown.serialize_field("Payload", &payload)?;
        shown.serialize_field("NodeFilter", &self.node_filter)?;
        shown.serialize_field("ServiceFilter", &self.service_filter)?;
        shown.serialize_field("TagFilter", &self.tag_filter)?;
        shown.serialize_field("Version", &1)?;
        shown.serialize_field("LTime", &self.ltime)?;
        shown.end()
    }
}

/// What was received.
#[derive(Debug)]
pub(super) struct Events {
    kept: Mutex<VecDeque<Arc<Event>>>,
    /// How many there have been.
    received: watch::Sender<u64>,
}

impl Default for Events {
    fn default() -> Self {
        Self { kept: Mutex::default(), received: watch::Sender::new(0) }
    }
}

impl Events {
    /// Remembers an event, forgets the oldest, wakes who waits.
    pub(super) fn push(&self, event: Event) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let ltime = *self.received.borrow() + 1;
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(Arc::new(Event { ltime, ..event }));
        self.received.send_replace(ltime);
    }

    /// Those of this name, oldest first; all for an empty name.
    pub(super) fn named(&self, name: &str) -> Vec<Arc<Event>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().filter(|event| name.is_empty() || event.name == name).cloned().collect()
    }

    /// Hears of every event after this call.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.received.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Event {
        Event {
            id: "00000000-0000-0001-0000-000000000006".to_owned(),
            name: name.to_owned(),
            payload: Vec::new(),
            node_filter: String::new(),
            service_filter: String::new(),
            tag_filter: String::new(),
            ltime: 0,
        }
    }

    #[test]
    fn only_the_last_256_are_remembered_in_order() {
        let events = Events::default();
        (0..300).for_each(|at| events.push(event(&format!("e{at}"))));
        let names: Vec<_> = events.named("").iter().map(|event| event.name.clone()).collect();
        assert_eq!((names.len(), names[0].as_str(), names[255].as_str()), (256, "e44", "e299"));
        assert_eq!(events.named("e299")[0].ltime, 300);
    }

    #[test]
    fn the_index_is_made_of_both_halves_of_the_id() {
        assert_eq!(event("e").index(), 7);
        assert_eq!(Event { id: String::new(), ..event("e") }.index(), 1);
    }

    #[tokio::test]
    async fn who_waits_hears_of_the_next_event() {
        let events = Events::default();
        let mut news = events.subscribe();
        events.push(event("e"));
        news.changed().await.unwrap();
        assert_eq!(*news.borrow(), 1);
    }
}
