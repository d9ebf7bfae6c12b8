//! Who is woken by a commit? Exactly those who wait for a topic it touched.
//!
//! A waiter registers first and looks at the snapshot second; the writer publishes first and wakes
//! second. So a change is either seen in the snapshot or heard, never missed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::Topic;

/// The waiting room: one [`Notify`] per topic somebody waits for.
#[derive(Debug, Default)]
pub struct Watchers {
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    by_topic: HashMap<Topic, Room>,
    /// How many [`Topic::KeyPrefix`] rooms there are: without any, a key change looks up no prefix.
    prefixes: usize,
}

#[derive(Debug)]
struct Room {
    notify: Arc<Notify>,
    seats: usize,
}

impl Watchers {
    /// Takes a seat in the room of `topic`.
    pub fn register(self: &Arc<Self>, topic: Topic) -> Seat {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = usize::from(matches!(topic, Topic::KeyPrefix(_)));
        let room =
            rooms.by_topic.entry(topic.clone()).or_insert_with(|| Room { notify: Arc::default(), seats: 0 });
        room.seats += 1;
        let (notify, first) = (room.notify.clone(), room.seats == 1);
        if first {
            rooms.prefixes += prefix;
        }
        Seat { watchers: self.clone(), topic, notify }
    }

    /// Wakes everybody who waits for one of `topics`.
    pub fn wake<'a>(&self, topics: impl IntoIterator<Item = &'a Topic>) {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in topics {
            rooms.wake_one(topic);
            if let Topic::Key(key) = topic {
                rooms.wake_prefixes_of(key);
            }
        }
    }

    /// Wakes everybody: there is no telling what has changed.
    pub fn wake_all(&self) {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        for room in rooms.by_topic.values() {
            room.notify.notify_waiters();
        }
    }

    fn leave(&self, topic: &Topic) {
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(room) = rooms.by_topic.get_mut(topic) else {
            return;
        };
        room.seats -= 1;
        if room.seats == 0 {
            rooms.by_topic.remove(topic);
            rooms.prefixes -= usize::from(matches!(topic, Topic::KeyPrefix(_)));
        }
    }

    #[cfg(test)]
    fn topics(&self) -> usize {
        self.rooms.lock().unwrap().by_topic.len()
    }
}

impl Rooms {
    fn wake_one(&self, topic: &Topic) {
        if let Some(room) = self.by_topic.get(topic) {
            room.notify.notify_waiters();
        }
    }

    fn wake_prefixes_of(&self, key: &str) {
        if self.prefixes == 0 {
            return;
        }
        let ends = key.char_indices().map(|(at, _)| at).chain([key.len()]);
        for end in ends {
            self.wake_one(&Topic::KeyPrefix(Arc::from(&key[..end])));
        }
    }
}

/// A place in a room; leaving it frees what nobody else waits for.
#[derive(Debug)]
pub struct Seat {
    watchers: Arc<Watchers>,
    topic: Topic,
    notify: Arc<Notify>,
}

impl Seat {
    /// Completes at the next wake-up after this call (not: after its first poll). Take it *before*
    /// looking at the snapshot.
    pub fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.watchers.leave(&self.topic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_wakes_its_prefixes_and_nobody_else() {
        let watchers = Arc::new(Watchers::default());
        let prefix = watchers.register(Topic::KeyPrefix("app/".into()));
        let other = watchers.register(Topic::KeyPrefix("apple".into()));
        let (woken, mut asleep) = (prefix.notified(), Box::pin(other.notified()));
        asleep.as_mut().enable();
        watchers.wake(&[Topic::Key("app/url".into())]);
        woken.await;
        assert!(!asleep.as_mut().enable(), "unrelated prefix was woken");
    }

    #[test]
    fn the_last_to_leave_turns_off_the_light() {
        let watchers = Arc::new(Watchers::default());
        let seats = [watchers.register(Topic::Nodes), watchers.register(Topic::Nodes)];
        assert_eq!(watchers.topics(), 1);
        drop(seats);
        assert_eq!(watchers.topics(), 0);
    }
}
