//! The proxy as a whole: the handle, and the follower that turns commits into routes.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wharf_catalog::{Catalog, Index, Topic};

use crate::{
    Config, RouteTable, listener,
    upstream::{Live, Upstream},
};

/// Most often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(5);

/// The load balancer. Cheap to clone; clones share everything.
#[derive(Debug, Clone)]
pub struct Proxy {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) live: ArcSwap<Live>,
    /// Says the table's index whenever there is a new one.
    pub(crate) swapped: watch::Sender<Index>,
    /// Client connections and tunnels under way.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when their time to finish is over.
    pub(crate) cut: CancellationToken,
    pub(crate) slots: Arc<Semaphore>,
    catalog: Catalog,
    started: Instant,
}

impl Proxy {
    /// A proxy with the routes of the catalog as it is now; [`Self::run`] makes it follow and serve.
    pub fn new(config: Config, catalog: Catalog) -> Self {
        let table = RouteTable::default().next(&catalog.snapshot());
        let index = table.index();
        let (live, _) = Live::default().next(table);
        let slots = config.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            inner: Arc::new(Inner {
                config,
                live: ArcSwap::from_pointee(live),
                swapped: watch::Sender::new(index),
                tasks: TaskTracker::new(),
                cut: CancellationToken::new(),
                slots: Arc::new(Semaphore::new(slots)),
                catalog,
                started: Instant::now(),
            }),
        }
    }

    /// Accepts from all `listeners` until `shutdown`, then lets requests in flight finish, as long as
    /// the configuration allows. To be called once.
    pub async fn run(&self, listeners: Vec<TcpListener>, shutdown: CancellationToken) {
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(listener::accept(self.inner.clone(), listener, shutdown.clone()));
        }
        tokio::select! {
            () = self.serve(accepting, shutdown) => {}
            () = follow(&self.inner) => {}
            () = sweep(&self.inner) => {}
        }
    }

    async fn serve(&self, accepting: JoinSet<()>, shutdown: CancellationToken) {
        // A panic in one of them is passed on: better to end than to look alive and accept nothing.
        accepting.join_all().await;
        shutdown.cancelled().await;
        self.inner.tasks.close();
        let in_time = timeout(self.inner.config.shutdown_timeout, self.inner.tasks.wait()).await;
        if in_time.is_err() {
            tracing::warn!(connections = self.inner.tasks.len(), "requests in flight cut off");
        }
        self.inner.cut.cancel();
        self.inner.tasks.wait().await;
    }

    /// The present routes: every service, its endpoints, and why one is out.
    pub fn table(&self) -> Arc<RouteTable> {
        self.inner.live.load().table.clone()
    }

    /// What it was configured with.
    pub(crate) fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Says the index of each new table.
    pub(crate) fn swapped(&self) -> watch::Receiver<Index> {
        self.inner.swapped.subscribe()
    }
}

impl Inner {
    /// Time since the proxy began: what ejections are counted in.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until `deadline` for the service to be another than `used`.
    pub(crate) async fn newer(&self, used: &Arc<Upstream>, deadline: Instant) -> Option<Arc<Upstream>> {
        let mut swapped = self.swapped.subscribe();
        loop {
            let present = self.live.load().upstream(used.name()).cloned();
            if let Some(present) = present.filter(|present| !Arc::ptr_eq(present, used)) {
                return Some(present);
            }
            tokio::time::timeout_at(deadline, swapped.changed()).await.ok()?.ok()?;
        }
    }

    fn swap(&self, table: RouteTable) {
        let index = table.index();
        let (live, gone) = self.live.load().next(table);
        self.live.store(Arc::new(live));
        self.swapped.send_replace(index);
        for target in gone {
            tracing::debug!(endpoint = %target.authority, "endpoint left rotation");
            target.leave();
        }
    }
}

/// Never ends.
async fn follow(inner: &Inner) {
    loop {
        let index = inner.live.load().table.index();
        let state = inner.catalog.changed(&Topic::Catalog, index).await;
        let begun = Instant::now();
        let table = inner.live.load().table.next(&state);
        inner.swap(table);
        // Under a storm of commits following takes no more than a tenth of a core; a lone one is followed at once.
        tokio::time::sleep(begun.elapsed() * 9).await;
    }
}

/// Never ends.
async fn sweep(inner: &Inner) {
    let every = (inner.config.idle_timeout / 2).clamp(Duration::from_millis(100), SWEEP);
    loop {
        tokio::time::sleep(every).await;
        inner.live.load().close_idle(&inner.config);
    }
}
