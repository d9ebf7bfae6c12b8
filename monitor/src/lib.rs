//! Remembers how the catalog's services fared, opens and resolves incidents, and notifies.
//!
//! The catalog checks; the monitor remembers and pages; nobody else probes. Two things come in: the
//! catalog, which alone says what is healthy, and the outcome of every check run, which says how fast the
//! answers are and when a failure began. [`History`] reads what came of it; [`config`] says what can be set.
//!
//! Pure: [`incident`], [`view`] (what readers get), `member` (one instance), `verdict` (a service by its
//! instances), [`maintenance`] (windows), `follow` (snapshots -> transitions), `uptime` (intervals -> availability), `rollup` and
//! `sketch` (check runs -> figures), [`notify`] (what receivers are sent).
//! Edges: `ledger` (SQLite: one writer, many readers), `notify::courier` (webhooks), [`history`], `record`
//! (listens), `run` (starts and stops the parts).
//!
//! # Definitions
//! - *Up* is what takes traffic: a check or instance that passes; a service while at least `min_healthy`
//!   of its instances do. Maintenance is paused, starting and draining are unmonitored; a service whose
//!   last instance died without being told to leave is down until it is back or forgotten (`member`).
//! - *Availability* is (tested - downtime) / tested, tested being the time up or down. The time while
//!   wharf was not running is unmonitored. An outage begins with its first failure, and goes on over pauses and gaps.
//! - Check runs count while their check is tested.
//! - *Responsiveness* is the share of check runs that passed within `max_response_time`; the *response
//!   time* is the mean over all timed runs, with quantiles to 2 %.

#[doc(hidden)]
pub mod bench;
pub mod config;
mod follow;
pub mod history;
pub mod incident;
mod ledger;
pub mod maintenance;
mod member;
pub mod notify;
mod record;
mod rollup;
mod run;
mod sketch;
mod uptime;
mod verdict;
pub mod view;

pub use config::{Config, DeliveryConfig, Retention, Secret, WebhookConfig};
pub use history::{
    History, HistoryError,
    report::{Per, Period, Report},
};
pub use ledger::import::{Import, Imported, ImportedInterval, Test};
pub use run::{Monitor, MonitorError, Storage};
pub use view::{
    BarSlot, CheckUptime, Happened, Happening, ImportedStretch, Incident, IncidentState, Interval, Mark,
    ResponsePoint, ServiceDetail, ServiceState, ServiceUptime, Window,
};
