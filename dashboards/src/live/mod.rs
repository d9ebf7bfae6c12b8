//! How do open pages stay true? One task works out a board when something changed; every viewer's stream
//! copies the same bytes.
//!
//! Level-triggered: a viewer that saw the board before gets what changed since, any other (new, slow, back
//! from sleep) gets the whole. Nothing is worked out while nobody looks.

mod event;
mod stream;

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::get};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Clock, Index, Timestamp, Topic};
use wharf_pager::{Pager, Picture};

use crate::{Sources, view, window::WindowName};
use event::{Board, Frame};

/// Shortest time between two boards.
const APART: Duration = Duration::from_millis(250);
/// Longest: the window slides even when nothing happens.
const SLIDE: Duration = Duration::from_secs(30);
/// Between two attempts to read a history that cannot be read.
const RETRY: Duration = Duration::from_secs(2);

/// Where streams get their boards.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    frames: Arc<watch::Sender<Option<Arc<Frame>>>>,
    arrived: Arc<Notify>,
    clock: Clock,
}

impl Hub {
    /// Starts the one task.
    pub(crate) fn start(sources: Sources, version: String, shutdown: CancellationToken) -> Self {
        let hub = Self {
            frames: Arc::new(watch::Sender::new(None)),
            arrived: Arc::default(),
            clock: sources.clock.clone(),
        };
        let oncall = sources.pager.as_ref().map(Pager::changes);
        let task = Task { epoch: sources.clock.now(), sources, oncall, version, hub: hub.clone(), id: 0 };
        tokio::spawn(shutdown.run_until_cancelled_owned(task.run()));
        hub
    }

    fn subscribe(&self) -> watch::Receiver<Option<Arc<Frame>>> {
        let frames = self.frames.subscribe();
        self.arrived.notify_one();
        frames
    }
}

/// Serves the stream.
pub(crate) fn router(hub: Hub, shutdown: CancellationToken) -> Router {
    Router::new().route("/live", get(stream::live)).with_state((hub, shutdown))
}

struct Task {
    sources: Sources,
    /// What is known of incidents.
    oncall: Option<watch::Receiver<Picture>>,
    version: String,
    hub: Hub,
    /// Tells event ids of this process from those of the one before.
    epoch: Timestamp,
    id: u64,
}

impl Task {
    async fn run(mut self) {
        let mut changes = self.sources.history.changes();
        loop {
            self.viewer().await;
            let begun = Instant::now();
            changes.mark_unchanged();
            if let Some(oncall) = &mut self.oncall {
                oncall.mark_unchanged();
            }
            let seen = match self.board().await {
                Ok(board) => self.publish(board),
                Err(error) => {
                    tracing::warn!(%error, "board not worked out");
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            // However long a board takes, working them out keeps no core busy.
            tokio::time::sleep_until(begun + APART.max(begun.elapsed() * 4)).await;
            tokio::select! {
                _ = self.sources.catalog.changed(&Topic::Catalog, seen) => {}
                () = changed(Some(&mut changes)) => {}
                () = changed(self.oncall.as_mut()) => {}
                () = tokio::time::sleep(SLIDE) => {}
            }
        }
    }

    /// Waits until somebody looks. What was worked out before is dropped: the next viewer must not see it.
    async fn viewer(&self) {
        while self.hub.frames.receiver_count() == 0 {
            self.hub.frames.send_replace(None);
            self.hub.arrived.notified().await;
        }
    }

    async fn board(&self) -> Result<Board, wharf_monitor::HistoryError> {
        let now = self.sources.clock.now();
        let window = WindowName::Day.ending(now);
        let uptimes = self.sources.history.services(window).await?;
        let state = self.sources.catalog.snapshot();
        let rows = view::service_rows(&state, &uptimes, window);
        Ok(Board {
            now,
            window,
            catalog: state.index_of(&Topic::Catalog),
            oncall: self.oncall.as_ref().map(|oncall| (&*oncall.borrow()).into()),
            services: rows.into_iter().map(view::ServiceRow::brief).collect(),
            version: self.version.clone(),
            proxy: self.sources.config.proxy_addr.map(Into::into),
        })
    }

    /// Shows `board` if it differs from what is shown; returns the catalog commit it was made from.
    fn publish(&mut self, board: Board) -> Index {
        let seen = board.catalog;
        let before = self.hub.frames.borrow().clone();
        let Some(frame) = Frame::after(before.as_deref(), board, self.epoch, self.id + 1) else {
            return seen;
        };
        self.id += 1;
        self.hub.frames.send_replace(Some(Arc::new(frame)));
        seen
    }
}

/// Waits for a change; for ever where nobody is left, or was, to make one.
async fn changed<T>(changes: Option<&mut watch::Receiver<T>>) {
    let changed = match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}
