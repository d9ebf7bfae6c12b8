//! Runs the catalog's checks: the only prober there is.
//!
//! [`Checks`] is the way in for reports (TTL checks); [`Runner`] is the edge that probes. What happens when is
//! decided by a state machine without clock, sockets or randomness; the runner carries it out:
//!
//! - pure: `schedule` (what is due, what an outcome means), `alias` (what a check says that follows others),
//!   `pace` (when to come back), `probe/{text,tail}` (Consul's words), `probe/grpc/message`
//!   [`external`] (things outside containers, as services of the catalog)
//! - edges: `runner` (the loop), `commit` (batches), `probe/{http,tcp,udp,dns,icmp,grpc,http2,docker,script,tls}`, `report`

mod alias;
mod commit;
pub mod external;
mod pace;
mod probe;
mod report;
mod runner;
mod schedule;

use std::{net::SocketAddr, sync::Arc};

use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, OutcomeSender};

pub use report::{Checks, ReportError};

use report::Reports;

/// How checks are run.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Most probes under way at the same time; 0 is taken as 1.
    pub concurrency: usize,
    /// Run checks that are commands, here or in containers. Whoever may register a check may then run anything.
    /// Set from outside: what takes registrations and what runs them have to agree.
    #[serde(skip)]
    pub enable_script_checks: bool,
    /// Engine of Docker checks, `unix:///path` or `tcp://host:port`; `DOCKER_HOST` or the local socket if unset.
    pub docker_host: Option<String>,
    /// Where our own load balancer answers, for checks of what a browser sees. Set from outside.
    #[serde(skip)]
    pub proxy_addr: Option<SocketAddr>,
}

impl Default for Config {
    fn default() -> Self {
        Self { concurrency: 512, enable_script_checks: false, docker_host: None, proxy_addr: None }
    }
}

/// Probes every check of `node` and of the external nodes that carries a probe, until told to stop.
#[derive(Debug, Clone)]
pub struct Runner {
    catalog: Catalog,
    clock: Clock,
    outcomes: OutcomeSender,
    node: Arc<str>,
    config: Config,
    reports: Arc<Reports>,
}

/// Starts nothing yet: gives the handle and the runner that has to be run.
pub fn checks(
    catalog: Catalog,
    clock: Clock,
    outcomes: OutcomeSender,
    node: Arc<str>,
    config: Config,
) -> (Checks, Runner) {
    let reports = Arc::new(Reports::default());
    let handle = Checks::new(catalog.clone(), clock.clone(), outcomes.clone(), reports.clone());
    (handle, Runner { catalog, clock, outcomes, node, config, reports })
}

impl Runner {
    /// Runs until `shutdown`. Checks are found in the catalog, and followed as they come, change and go.
    pub async fn run(self, shutdown: CancellationToken) {
        runner::run(self, shutdown).await;
    }
}

/// Hands an outcome to whoever remembers them; a receiver that is behind loses it, and that is counted.
fn send_outcome(outcomes: &OutcomeSender, outcome: wharf_catalog::Outcome) {
    if outcomes.try_send(outcome).is_err() {
        metrics::counter!("wharf_checks_outcomes_dropped_total").increment(1);
    }
}
