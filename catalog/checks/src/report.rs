//! Somebody reports for a TTL check: status and lease are one commit, the monitor hears of it.
//!
//! The lease says until when the report holds; it is kept, so that a restart does not make it hold longer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use wharf_catalog::{
    ApplyError, Catalog, Check, Clock, Command, CommitError, Outcome, OutcomeSender, Rejected, Status,
};

use crate::{
    probe::text::{OUTPUT_LIMIT, reported},
    schedule::Told,
    send_outcome,
};

/// The way in for reports. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Checks {
    catalog: Catalog,
    clock: Clock,
    outcomes: OutcomeSender,
    reports: Arc<Reports>,
}

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Register it first.
    #[error("no check `{check}` on node `{node}`")]
    NoCheck {
        /// Node looked at.
        node: Arc<str>,
        /// Id looked for.
        check: Arc<str>,
    },
    /// Only TTL checks take reports.
    #[error("check `{check}` is not a TTL check")]
    NotTtl {
        /// The check.
        check: Arc<str>,
    },
    /// The catalog could not keep it.
    #[error(transparent)]
    Commit(CommitError),
}

impl Checks {
    pub(crate) fn new(
        catalog: Catalog,
        clock: Clock,
        outcomes: OutcomeSender,
        reports: Arc<Reports>,
    ) -> Self {
        Self { catalog, clock, outcomes, reports }
    }

    /// Takes a report for a TTL check; returns once it is kept. Of an output longer than the check's limit
    /// (4 KiB unless it says otherwise) the beginning is kept.
    pub async fn report(
        &self,
        node: &str,
        id: &str,
        status: Status,
        output: String,
    ) -> Result<(), ReportError> {
        self.report_timed(node, id, status, output, None).await
    }

    /// As [`Self::report`], by somebody who measured how long the answer took.
    pub async fn report_timed(
        &self,
        node: &str,
        id: &str,
        status: Status,
        output: String,
        response_time: Option<Duration>,
    ) -> Result<(), ReportError> {
        let (check, ttl, limit) = self.ttl_check(node, id)?;
        let output = reported(output, limit);
        // Before the commit: from here on the silence cannot run out under the report's feet.
        self.reports.push(&check, Told { status, output: output.clone() });
        self.keep(&check, ttl, status, output.clone()).await?;
        let outcome = Outcome {
            node: check.node.clone(),
            check: check.id.clone(),
            instance: check.instance.clone(),
            service: check.service.clone(),
            status,
            at: self.clock.now(),
            response_time,
            output: output.into(),
        };
        send_outcome(&self.outcomes, outcome);
        Ok(())
    }

    async fn keep(
        &self,
        check: &Check,
        ttl: Duration,
        status: Status,
        output: String,
    ) -> Result<(), ReportError> {
        let (node, id) = (check.node.clone(), check.id.clone());
        let set = Command::SetCheckStatus { node: node.clone(), check: id.clone(), status, output };
        let renew = Command::RenewCheck(node, id, self.clock.now().after(ttl));
        match self.catalog.commit(vec![set, renew]).await {
            Ok(_) => Ok(()),
            Err(CommitError::Rejected(Rejected { error: ApplyError::NoCheck { node, id }, .. })) => {
                Err(ReportError::NoCheck { node, check: id })
            }
            Err(other) => Err(ReportError::Commit(other)),
        }
    }

    /// The check, its TTL, and how much of an output it keeps.
    fn ttl_check(&self, node: &str, id: &str) -> Result<(Arc<Check>, Duration, usize), ReportError> {
        let state = self.catalog.snapshot();
        let Some(check) = state.check(node, id) else {
            return Err(ReportError::NoCheck { node: node.into(), check: id.into() });
        };
        let silence = check.probe.as_ref().and_then(|probe| Some((probe.kind.silence()?, probe)));
        let Some((ttl, probe)) = silence else {
            return Err(ReportError::NotTtl { check: check.id.clone() });
        };
        let limit = if probe.output_max_size == 0 { OUTPUT_LIMIT } else { probe.output_max_size };
        Ok((check.clone(), ttl, limit))
    }
}

/// Reports the runner has not seen yet: the last one of each check, so a flood of them needs no more room.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// By node; only of those that are looked after.
    nodes: Mutex<HashMap<Arc<str>, Arc<NodeReports>>>,
}

/// Those for the checks of one node.
#[derive(Debug, Default)]
pub(crate) struct NodeReports {
    unseen: Mutex<HashMap<Arc<str>, (Told, Instant)>>,
    news: Notify,
}

impl Reports {
    /// From now on, until [`Self::forget`], those for this node are kept for its scheduler.
    pub(crate) fn of(&self, node: &Arc<str>) -> Arc<NodeReports> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).entry(node.clone()).or_default().clone()
    }

    /// Nobody looks after this node any more.
    pub(crate) fn forget(&self, node: &Arc<str>) {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }

    fn push(&self, check: &Check, told: Told) {
        let node = self.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(&check.node).cloned();
        if let Some(node) = node {
            node.push(check, told);
        }
    }
}

impl NodeReports {
    fn push(&self, check: &Check, told: Told) {
        self.unseen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(check.id.clone(), (told, Instant::now()));
        self.news.notify_one();
    }

    /// Everything reported since the last call, and when.
    pub(crate) fn take(&self) -> HashMap<Arc<str>, (Told, Instant)> {
        std::mem::take(&mut *self.unseen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for a report; one that came since the last wait counts.
    pub(crate) async fn arrived(&self) {
        self.news.notified().await;
    }
}
