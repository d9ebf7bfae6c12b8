//! When should the mirror be read again? One long request that the catalog answers when something changes.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use wharf_catalog::Index;
use wharf_catalog_http::client::{Client, ClientError, Wait};

/// Longest time the catalog is waited for in one request.
const WAIT: Duration = Duration::from_secs(20);
/// Time between two attempts while the catalog is away.
const RETRY: Duration = Duration::from_millis(250);
/// Where waiting is not allowed (by the catalog's access control), the mirror is read this often.
const POLL: Duration = Duration::from_secs(1);
/// What changed may have been our doing: the mirror is read when we have done nothing for this long ...
const QUIET: Duration = Duration::from_millis(200);
/// ... or when it has been waiting for this long.
const LATEST: Duration = Duration::from_millis(700);

/// What is heard of the catalog.
#[derive(Debug, Default)]
pub(super) struct News {
    heard: Mutex<Heard>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    /// Since when the mirror may be wrong.
    since: Option<Instant>,
    /// It is not to be relied on any more.
    urgent: bool,
    /// When we last changed something.
    wrote: Option<Instant>,
    away: bool,
    absences: u64,
}

impl Heard {
    /// When the mirror has to be read again.
    fn due(&self) -> Option<Instant> {
        let since = self.since?;
        let quiet = self.wrote.map_or(since, |wrote| since.max(wrote + QUIET));
        Some(if self.urgent { since } else { quiet.min(since + LATEST) })
    }
}

impl News {
    fn heard_so_far(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something changed, perhaps by us.
    pub(super) fn tell(&self) {
        self.heard_so_far().since.get_or_insert_with(Instant::now);
        self.notify.notify_one();
    }

    /// The mirror is wrong.
    pub(super) fn tell_urgently(&self) {
        self.heard_so_far().urgent = true;
        self.tell();
    }

    /// We changed something.
    pub(super) fn wrote(&self) {
        self.heard_so_far().wrote = Some(Instant::now());
    }

    /// Has the mirror to be read again? The answer is yes once.
    pub(super) fn take(&self) -> bool {
        let mut heard = self.heard_so_far();
        let due = heard.due().is_some_and(|due| due <= Instant::now());
        if due {
            (heard.since, heard.urgent) = (None, false);
        }
        due
    }

    /// Waits until it has.
    pub(super) async fn heard(&self) {
        loop {
            let due = self.heard_so_far().due();
            match due {
                Some(due) if due <= Instant::now() => return,
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.notify.notified() => {}
                },
                None => self.notify.notified().await,
            }
        }
    }

    /// The catalog does not answer: who knows what it holds when it does again?
    pub(super) fn lost(&self) {
        let mut heard = self.heard_so_far();
        if !std::mem::replace(&mut heard.away, true) {
            heard.absences += 1;
        }
        drop(heard);
        self.tell_urgently();
    }

    /// The catalog answers; was it away?
    pub(super) fn found(&self) -> bool {
        std::mem::take(&mut self.heard_so_far().away)
    }

    pub(super) fn absences(&self) -> u64 {
        self.heard_so_far().absences
    }
}

/// Watches `node`; the agent's own if none is named.
pub(super) async fn run(client: Client, node: Option<Arc<str>>, news: Arc<News>) {
    loop {
        let watched = match &node {
            Some(node) => Ok(node.to_string()),
            None => client.agent_self().await.map(|agent| agent.config.node_name),
        };
        let ended = match watched {
            Ok(node) => follow(&client, &node, &news).await,
            Err(error) => error,
        };
        match ended {
            ClientError::Refused { status, .. } if status < 500 => {
                news.tell();
                sleep(POLL).await;
            }
            _ => {
                news.lost();
                sleep(RETRY).await;
            }
        }
    }
}

async fn follow(client: &Client, node: &str, news: &News) -> ClientError {
    let mut seen: Option<Index> = None;
    loop {
        // Without an index, and with one from before a restart, the answer comes at once.
        let wait = seen.map(|after| Wait { after, at_most: WAIT });
        match client.node_index(node, wait).await {
            Ok(index) => {
                // The first answer too: something may have happened since the mirror was read.
                if news.found() {
                    news.tell_urgently();
                } else if seen != Some(index) {
                    news.tell();
                }
                seen = Some(index);
            }
            Err(error) => return error,
        }
    }
}
