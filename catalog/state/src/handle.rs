//! The way in to the catalog: commits go to its writer, snapshots and watches come from what it has published.

mod writer;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use self::writer::{Order, Request, Writer};
use crate::{
    Clock, Command, Index, State, Store, StoreError, Topic,
    apply::{Rejected, Reply},
    watch::Watchers,
};

/// The way in to the catalog. Cheap to clone; the writer stops when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Catalog {
    current: Arc<ArcSwap<State>>,
    watchers: Arc<Watchers>,
    orders: mpsc::Sender<Order>,
}

/// A commit that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its number; the catalog's present one when nothing had to change.
    pub index: Index,
    /// Did anything change?
    pub changed: bool,
    /// One for each command.
    pub replies: Vec<Reply>,
}

/// Why a commit did not happen. Nothing of it did.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A command does not fit the state: mend the command.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The store could not keep it: see to the disk, then retry.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog is shutting down.
    #[error("the catalog is shutting down")]
    Closed,
}

impl Catalog {
    /// Loads what `store` holds and starts the writer on a thread of its own.
    pub fn open(mut store: Box<dyn Store>, clock: Clock) -> Result<Self, StoreError> {
        let (orders, inbox) = mpsc::channel(4096);
        let behind = writer::follow(store.as_mut(), &orders);
        let standing = store.load()?;
        let state = State::restored(standing.index, standing.records);
        let current = Arc::new(ArcSwap::from_pointee(state.clone()));
        let watchers = Arc::new(Watchers::default());
        let writer =
            Writer { state, current: current.clone(), watchers: watchers.clone(), store, clock, behind };
        std::thread::Builder::new()
            .name("catalog-writer".to_owned())
            .spawn(move || writer.run(inbox))
            .map_err(|source| StoreError::Thread(source.to_string()))?;
        Ok(Self { current, watchers, orders })
    }

    /// The catalog as of the last commit.
    pub fn snapshot(&self) -> Arc<State> {
        self.current.load_full()
    }

    /// Last commit that changed the answer to `topic`, as of the last commit.
    pub fn index_of(&self, topic: &Topic) -> Index {
        self.current.load().index_of(topic)
    }

    /// Carries out `commands` together, as one commit; returns once it is kept and visible.
    pub async fn commit(&self, commands: Vec<Command>) -> Result<Committed, CommitError> {
        let (answer, answered) = oneshot::channel();
        let order = Order::Commit(Request { commands, answer });
        self.orders.send(order).await.map_err(|_| CommitError::Closed)?;
        answered.await.map_err(|_| CommitError::Closed)?
    }

    /// Waits until the answer to `topic` is younger than `after`; at once if it already is. An `after`
    /// the catalog has not reached yet waits as well.
    pub async fn changed(&self, topic: &Topic, after: Index) -> Arc<State> {
        let seat = self.watchers.register(topic.clone());
        loop {
            let woken = seat.notified();
            // Who waits holds no snapshot: it would keep alive what has long been replaced.
            if let Some(state) = Some(self.snapshot()).filter(|state| state.index_of(topic) > after) {
                return state;
            }
            woken.await;
        }
    }

    /// As [`Self::changed`], but gives up after `wait` and returns the snapshot of then.
    pub async fn changed_within(&self, topic: &Topic, after: Index, wait: Duration) -> Arc<State> {
        timeout(wait, self.changed(topic, after)).await.unwrap_or_else(|_| self.snapshot())
    }
}

#[cfg(test)]
mod tests;
