//! The result of one run of a check: what the monitor remembers.

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{Status, Timestamp};

/// One run of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Node of the check.
    pub node: Arc<str>,
    /// Id of the check on that node.
    pub check: Arc<str>,
    /// Instance it belongs to, `None` for node checks.
    pub instance: Option<Arc<str>>,
    /// Service of that instance; empty for node checks.
    pub service: Arc<str>,
    /// What this one run said (a threshold may keep the check's status unchanged).
    pub status: Status,
    /// When the run ended.
    pub at: Timestamp,
    /// How long the answer took; `None` where there is nothing to measure (TTL) or no answer came.
    pub response_time: Option<Duration>,
    /// What the run printed, shortened.
    pub output: Arc<str>,
}

/// Where outcomes go. Bounded: whoever sends counts what a slow receiver made it drop, and never waits.
pub type OutcomeSender = mpsc::Sender<Outcome>;
