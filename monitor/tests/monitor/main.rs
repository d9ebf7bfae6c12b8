//! The monitor against a real catalog, a real file and a real receiver of webhooks.

#![allow(clippy::unwrap_used, reason = "tests, their helpers too, may panic")]

mod figures;
mod flood;
mod incidents;
mod receiver;
mod restart;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Outcome, OutcomeSender, Status,
    Timestamp, store::Memory,
};
use wharf_monitor::{Config, History, Monitor, ServiceState, ServiceUptime, Storage, Window};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that runs from a full hour, and can be moved.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>, Instant);

impl Hands {
    const EPOCH: i64 = 1_767_225_600_000;

    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(Self::EPOCH)), Instant::now())
    }

    fn clock(&self) -> Clock {
        let (hands, begun) = (self.0.clone(), self.1);
        Clock::new(move || Timestamp(hands.load(Ordering::Relaxed) + begun.elapsed().as_millis() as i64))
    }

    fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_millis() as i64, Ordering::Relaxed);
    }
}

/// A catalog with a running monitor.
struct Watched {
    catalog: Catalog,
    clock: Clock,
    outcomes: OutcomeSender,
    history: History,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Watched {
    fn start(config: Config, storage: Storage, clock: Clock) -> Self {
        let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
        let (outcomes, inbox) = mpsc::channel(4_096);
        let (monitor, history) =
            Monitor::open(config, storage, catalog.clone(), clock.clone(), inbox).unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(monitor.run(shutdown.clone()));
        Self { catalog, clock, outcomes, history, shutdown, running }
    }

    async fn register(&self, service: &str, status: Status) {
        let id = format!("{service}-1");
        let check = Check {
            instance: Some(id.clone().into()),
            status,
            ..Check::new("n", format!("c-{service}"), "c")
        };
        let commands = vec![
            Command::PutNode(Node::new("n", "127.0.0.1")),
            Command::PutInstance(Instance::new("n", id, service)),
            Command::PutCheck(check, CheckStatusOnPut::Set),
        ];
        self.catalog.commit(commands).await.unwrap();
    }

    async fn says(&self, service: &str, status: Status, output: &str) {
        let check = format!("c-{service}").into();
        let command = Command::SetCheckStatus { node: "n".into(), check, status, output: output.to_owned() };
        self.catalog.commit(vec![command]).await.unwrap();
    }

    fn outcome(&self, service: &str, status: Status, millis: u64) -> Outcome {
        Outcome {
            node: "n".into(),
            check: format!("c-{service}").into(),
            instance: Some(format!("{service}-1").into()),
            service: service.into(),
            status,
            at: self.clock.now(),
            response_time: Some(Duration::from_millis(millis)),
            output: "".into(),
        }
    }

    fn last(&self, duration: Duration) -> Window {
        Window::last(duration, self.clock.now())
    }

    /// Looks at the last day, after every change, until it looks as wanted.
    async fn until(&self, what: &str, wanted: impl Fn(&[ServiceUptime]) -> bool) -> Vec<ServiceUptime> {
        let mut changes = self.history.changes();
        let look = async {
            loop {
                changes.mark_unchanged();
                let services = self.history.services(self.last(Duration::from_secs(86_400))).await.unwrap();
                if wanted(&services) {
                    return services;
                }
                changes.changed().await.unwrap();
            }
        };
        timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("never seen: {what}"))
    }

    async fn until_state(&self, service: &str, state: ServiceState) -> ServiceUptime {
        let is = |s: &ServiceUptime| s.service == service && s.state == state;
        let services = self.until(state.as_str(), |services| services.iter().any(is)).await;
        services.into_iter().find(is).unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}
