//! What pages and the command line are shown: plain values, ready to be serialised.
//!
//! Times are milliseconds since the Unix epoch, durations milliseconds, shares 0 to 1.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use wharf_catalog::{Status, Timestamp};

pub use crate::incident::{Incident, IncidentState};

/// A stretch of time, `from` included, `to` not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First moment.
    pub from: Timestamp,
    /// First moment after it.
    pub to: Timestamp,
}

impl Window {
    /// The stretch of this length that ends now.
    pub fn last(duration: Duration, now: Timestamp) -> Self {
        Self { from: now.before(duration), to: now }
    }

    /// Its length; zero when it ends before it begins.
    pub fn length(self) -> Duration {
        self.to.since(self.from)
    }
}

/// What is known about a service or check at some moment. Ordered by what an uptime bar has to show:
/// a slot takes the highest state within it (a short deploy does not hide a slot that was up).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// Nobody knows: not there, or nobody looked.
    Unmonitored,
    /// New, has not passed yet, still within its grace.
    Starting,
    /// Enough instances pass.
    Up,
    /// In maintenance.
    Paused,
    /// Too few instances pass.
    Down,
}

impl ServiceState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unmonitored => "unmonitored",
            Self::Up => "up",
            Self::Paused => "paused",
            Self::Starting => "starting",
            Self::Down => "down",
        }
    }

    /// Does time in this state count when availability is worked out?
    pub fn is_tested(self) -> bool {
        matches!(self, Self::Up | Self::Down)
    }
}

impl std::fmt::Display for ServiceState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One service over a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceUptime {
    /// Its name.
    pub service: String,
    /// What is known now.
    pub state: ServiceState,
    /// Since when.
    pub since: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// (tested - downtime) / tested; `None` when no time of the window was tested.
    pub availability: Option<f64>,
    /// Share of tests that were up and answered within the maximum response time; `None` without tests.
    pub responsiveness: Option<f64>,
    /// Mean over the tests that were timed.
    pub response_time_ms: Option<f64>,
    /// Half of the timed tests were at most this slow (to 2 %).
    pub p50_ms: Option<f64>,
    /// 95 of 100 timed tests were at most this slow (to 2 %).
    pub p95_ms: Option<f64>,
    /// 99 of 100 timed tests were at most this slow (to 2 %).
    pub p99_ms: Option<f64>,
    /// Check runs counted in the window (by whole minutes).
    pub tests: u64,
    /// Outages that touch the window.
    pub outages: u64,
    /// Time down within the window.
    pub downtime_ms: u64,
    /// The window in 48 equal parts.
    pub bar: Vec<BarSlot>,
}

/// One part of an uptime bar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BarSlot {
    /// First moment.
    pub from: Timestamp,
    /// First moment after it.
    pub to: Timestamp,
    /// As [`ServiceUptime::availability`], of this part.
    pub availability: Option<f64>,
    /// The worst state within it.
    pub state: ServiceState,
}

/// One service in detail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceDetail {
    /// What the table shows.
    pub summary: ServiceUptime,
    /// States within the window, oldest first.
    pub intervals: Vec<Interval>,
    /// Response times through the window, oldest first; parts without timed tests are left out.
    pub response_times: Vec<ResponsePoint>,
    /// The checks it has now.
    pub checks: Vec<CheckUptime>,
    /// Its incidents within the window, newest first, 100 at most.
    pub incidents: Vec<Incident>,
    /// Deploys within the window, oldest first, 500 at most.
    pub marks: Vec<Mark>,
    /// What of its past was imported.
    pub imported: Vec<ImportedStretch>,
}

/// A stretch of time in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// Its beginning (may lie before the window).
    pub from: Timestamp,
    /// Its end; `None`: it goes on.
    pub to: Option<Timestamp>,
    /// The state.
    pub state: ServiceState,
    /// Why.
    pub reason: String,
    /// Nobody saw this here: it was imported.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// Why a service is unmonitored that is over: none of its instances is left, and none is expected ...
pub(crate) const NO_INSTANCES: &str = "no instances";
/// ... and it was down.
pub(crate) const ENDED_DOWN: &str = "missed for too long, or ended on purpose";

impl Interval {
    /// Is an outage over once this follows it? So it is when the service is up, starts anew or is over. Pauses, and time
    /// in which nobody looked, show nothing of the kind: what is down before them and down after them is one outage,
    /// though its time down does not include them.
    pub fn ends_outage(&self) -> bool {
        match self.state {
            ServiceState::Up | ServiceState::Starting => true,
            ServiceState::Unmonitored => [NO_INSTANCES, ENDED_DOWN].contains(&self.reason.as_str()),
            ServiceState::Paused | ServiceState::Down => false,
        }
    }
}

/// Something that happened to a service: a deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What, in words.
    pub text: String,
}

/// What became of a service, in the order in which it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Its number: what became known later has a greater one.
    pub id: u64,
    /// When it happened, which may be before what has a smaller number.
    pub at: Timestamp,
    /// To which service.
    pub service: String,
    /// What.
    pub what: Happened,
    /// Why, in words.
    pub text: String,
}

/// What happens to services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It is in this state from then on.
    State(ServiceState),
    /// Its containers were replaced.
    Deploy,
}

/// A stretch of time that nobody saw here: it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportedStretch {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// What whoever imported it calls it.
    pub label: String,
}

/// Response times of a short stretch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResponsePoint {
    /// Its beginning.
    pub at: Timestamp,
    /// Tests timed.
    pub count: u64,
    /// Mean.
    pub mean_ms: f64,
    /// Fastest.
    pub min_ms: f64,
    /// Slowest.
    pub max_ms: f64,
    /// 95 of 100 were at most this slow (to 2 %).
    pub p95_ms: f64,
}

/// One check over a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckUptime {
    /// Node it belongs to.
    pub node: Arc<str>,
    /// Its id on that node.
    pub check: Arc<str>,
    /// For people.
    pub name: String,
    /// Instance it belongs to; `None`: its node.
    pub instance: Option<Arc<str>>,
    /// What it says now.
    pub status: Status,
    /// Since when.
    pub since: Timestamp,
    /// As [`ServiceUptime::availability`].
    pub availability: Option<f64>,
    /// As [`ServiceUptime::response_time_ms`].
    pub response_time_ms: Option<f64>,
    /// What its last run printed.
    pub output: String,
}
