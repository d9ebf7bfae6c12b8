//! Takes commits to the catalog without holding up probes: one batch at a time, in the order they were decided.
//!
//! Changes of nothing but an output wait for company, up to a second; everything else goes at once.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::time::Instant;
use wharf_catalog::{Catalog, CommitError};

use crate::schedule::Commit;

/// Longest wait of a commit that is not urgent.
const PATIENCE: Duration = Duration::from_secs(1);

/// How the commit of a check went.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) check: Arc<str>,
    pub(crate) number: u64,
    pub(crate) kept: bool,
}

pub(crate) struct Commits {
    catalog: Catalog,
    waiting: Vec<Commit>,
    flush_at: Option<Instant>,
    flight: Option<Pin<Box<dyn Future<Output = Vec<Settled>> + Send>>>,
}

impl Commits {
    pub(crate) fn new(catalog: Catalog) -> Self {
        Self { catalog, waiting: Vec::new(), flush_at: None, flight: None }
    }

    pub(crate) fn push(&mut self, now: Instant, commit: Commit) {
        let at = if commit.urgent { now } else { now + PATIENCE };
        self.flush_at = Some(self.flush_at.map_or(at, |earlier| earlier.min(at)));
        self.waiting.push(commit);
    }

    /// Sends what is waiting, if its time has come and nothing is under way.
    pub(crate) fn flush(&mut self, now: Instant) {
        if self.flight.is_some() || self.flush_at.is_none_or(|at| at > now) {
            return;
        }
        self.flush_at = None;
        let batch = std::mem::take(&mut self.waiting);
        self.flight = Some(Box::pin(keep(self.catalog.clone(), batch)));
    }

    /// When to call [`Self::flush`] next.
    pub(crate) fn flush_at(&self) -> Option<Instant> {
        self.flush_at.filter(|_| self.flight.is_none())
    }

    /// Waits for the batch under way; forever when there is none.
    pub(crate) async fn landed(&mut self) -> Vec<Settled> {
        let Some(flight) = &mut self.flight else {
            return std::future::pending().await;
        };
        let settled = flight.await;
        self.flight = None;
        settled
    }
}

async fn keep(catalog: Catalog, batch: Vec<Commit>) -> Vec<Settled> {
    let commands = batch.iter().map(|commit| commit.command.clone()).collect();
    match catalog.commit(commands).await {
        Ok(_) => batch.into_iter().map(|commit| commit.settled(true)).collect(),
        // A check was deregistered meanwhile: the others must not suffer for it.
        Err(CommitError::Rejected(_)) => one_by_one(catalog, batch).await,
        Err(error) => {
            tracing::warn!(%error, checks = batch.len(), "check results not kept");
            batch.into_iter().map(|commit| commit.settled(false)).collect()
        }
    }
}

async fn one_by_one(catalog: Catalog, batch: Vec<Commit>) -> Vec<Settled> {
    let mut settled = Vec::with_capacity(batch.len());
    for commit in batch {
        let result = catalog.commit(vec![commit.command.clone()]).await;
        if let Err(error) = &result {
            tracing::debug!(check = %commit.check, %error, "check result not kept");
        }
        let kept = matches!(result, Ok(_) | Err(CommitError::Rejected(_)));
        settled.push(commit.settled(kept));
    }
    settled
}

impl Commit {
    fn settled(self, kept: bool) -> Settled {
        Settled { check: self.check, number: self.number, kept }
    }
}
