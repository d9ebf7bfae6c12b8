//! The loop of one balancer: waits for new routes, for its turn to reload, for retries.
//!
//! Decides nothing about the balancer: [`crate::hold`] and [`crate::pace`] say what and when, the driver how.

use std::{path::PathBuf, sync::Arc, time::Duration};

use metrics::{counter, gauge, histogram};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::Clock;

use crate::{
    Balancers,
    balancer::{Balancer, Done, DriverError},
    blocking, haproxy,
    hold::Served,
    nginx,
    pace::Pace,
    routes::Routes,
    status::{Condition, Status, Statuses},
    varnish,
};

/// How often a balancer is looked at although nothing changed: somebody may have restarted it.
const LOOK: Duration = Duration::from_secs(5);

/// Follows `routes` with every balancer that is configured, until `shutdown`. The balancers go on as they are.
pub async fn run(
    config: Balancers,
    routes: watch::Receiver<Arc<Routes>>,
    clock: Clock,
    statuses: Statuses,
    shutdown: CancellationToken,
) {
    let mut loops = JoinSet::new();
    if let Some(config) = config.nginx {
        let rate = Rate::new(config.reload_burst, config.reload_interval, config.startup_hold);
        let driver = nginx::Driver::new(config, shutdown.clone());
        loops.spawn(follow(driver, rate, routes.clone(), clock.clone(), statuses.clone(), shutdown.clone()));
    }
    if let Some(config) = config.haproxy {
        let rate = Rate::new(config.reload_burst, config.reload_interval, config.startup_hold);
        let driver = haproxy::Driver::new(config, shutdown.clone());
        loops.spawn(follow(driver, rate, routes.clone(), clock.clone(), statuses.clone(), shutdown.clone()));
    }
    if let Some(config) = config.varnish {
        let rate = Rate::new(config.reload_burst, config.reload_interval, config.startup_hold);
        let driver = varnish::Driver::new(config, shutdown.clone());
        loops.spawn(follow(driver, rate, routes, clock, statuses, shutdown));
    }
    // A panic in one of them is passed on: better to end than to look alive and follow nothing.
    loops.join_all().await;
}

/// When things may happen.
struct Rate {
    pace: Pace,
    hold: Duration,
}

impl Rate {
    fn new(burst: u32, interval: Duration, hold: Duration) -> Self {
        Self { pace: Pace::new(burst, interval), hold }
    }
}

/// The state of one loop.
struct Follower<B> {
    balancer: B,
    pace: Pace,
    /// What served before we started, and until when that counts.
    before: Option<(Served, Instant)>,
    kept: Option<Served>,
    memory: PathBuf,
    failures: u32,
    /// What was told last, so that it is told once.
    told: Option<String>,
    clock: Clock,
    statuses: Statuses,
    status: Status,
}

async fn follow<B: Balancer>(
    balancer: B,
    rate: Rate,
    mut routes: watch::Receiver<Arc<Routes>>,
    clock: Clock,
    statuses: Statuses,
    shutdown: CancellationToken,
) {
    let mut follower = Follower::new(balancer, rate, clock, statuses).await;
    let mut again = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            changed = routes.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = sleep_until(again) => {}
        }
        let latest = routes.borrow_and_update().clone();
        again = follower.attempt(&latest).await;
    }
}

impl<B: Balancer> Follower<B> {
    async fn new(balancer: B, rate: Rate, clock: Clock, statuses: Statuses) -> Self {
        let mut memory = balancer.file().as_os_str().to_owned();
        memory.push(".wharf-routes");
        let memory = PathBuf::from(memory);
        let path = memory.clone();
        // Unreadable or not there: nothing is held, the catalog's word is enough.
        let served = blocking(move || std::fs::read(path)).await.ok().and_then(Result::ok);
        let served = served.and_then(|bytes| serde_json::from_slice::<Served>(&bytes).ok());
        let status = Status::starting(B::NAME, balancer.file().to_owned());
        statuses.set(status.clone());
        Self {
            balancer,
            pace: rate.pace,
            before: served.map(|served| (served, Instant::now() + rate.hold)),
            kept: None,
            memory,
            failures: 0,
            told: None,
            clock,
            statuses,
            status,
        }
    }

    /// Brings the balancer to `latest`; says when to look again.
    async fn attempt(&mut self, latest: &Arc<Routes>) -> Instant {
        let begun = Instant::now();
        let held = match &self.before {
            Some((before, until)) if begun < *until => before.over(latest),
            _ => None,
        };
        if held.is_none() {
            self.before = None;
        }
        let routes = held.as_ref().unwrap_or(latest);
        let result = self.balancer.apply(routes, self.pace.allows(begun)).await;
        let now = Instant::now();
        self.status.told(routes);
        let next = match result {
            Ok(done) => self.succeeded(routes, done, begun, now).await,
            Err(error) => self.failed(&error, now),
        };
        gauge!("wharf_proxy_driver_in_sync", "balancer" => B::NAME)
            .set(if self.status.condition == Condition::Current { 1.0 } else { 0.0 });
        self.statuses.set(self.status.clone());
        match &self.before {
            Some((_, until)) => next.min(*until),
            None => next,
        }
    }

    async fn succeeded(&mut self, routes: &Routes, done: Done, begun: Instant, now: Instant) -> Instant {
        if done.reloaded {
            self.pace.spend(now);
        }
        let took = now - begun;
        if done.reloaded || done.commands > 0 {
            count_reloads::<B>(done.reloaded, "ok");
            counter!("wharf_proxy_driver_commands_total", "balancer" => B::NAME).increment(done.commands);
            let how = if done.reloaded { "reload" } else { "commands" };
            histogram!("wharf_proxy_driver_change_seconds", "balancer" => B::NAME, "how" => how)
                .record(took.as_secs_f64());
            tracing::debug!(
                balancer = B::NAME,
                commands = done.commands,
                reloaded = done.reloaded,
                ?took,
                "followed"
            );
        }
        if self.told.take().is_some() {
            tracing::info!(balancer = B::NAME, "recovered");
        }
        self.failures = 0;
        self.status.succeeded(self.clock.now(), took.as_secs_f64() * 1e3, done, self.before.is_some());
        if done.waits {
            return self.pace.ready_at(now);
        }
        self.remember(routes).await;
        now + LOOK
    }

    fn failed(&mut self, error: &DriverError, now: Instant) -> Instant {
        let text = error.to_string();
        counter!("wharf_proxy_driver_failures_total", "balancer" => B::NAME, "kind" => error.kind())
            .increment(1);
        count_reloads::<B>(matches!(error, DriverError::Reload { .. }), "failed");
        if self.told.as_ref() != Some(&text) {
            tracing::error!(balancer = B::NAME, error = %text, "not updated, it goes on with what it had");
        }
        self.told = Some(text);
        self.failures = self.failures.saturating_add(1);
        self.status.failed(self.clock.now(), error);
        now + retry_delay(self.failures)
    }

    /// Keeps what is served, for the next start.
    async fn remember(&mut self, routes: &Routes) {
        let served = Served::from(routes);
        if self.kept.as_ref() == Some(&served) {
            return;
        }
        let (path, bytes) = (self.memory.clone(), serde_json::to_vec(&served).unwrap_or_default());
        let written = blocking(move || {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".new");
            std::fs::write(&beside, bytes).and_then(|()| std::fs::rename(&beside, &path))
        });
        match written.await {
            Ok(Ok(())) => self.kept = Some(served),
            failed => tracing::warn!(file = %self.memory.display(), ?failed, "not kept for the next start"),
        }
    }
}

fn count_reloads<B: Balancer>(reloaded: bool, result: &'static str) {
    if reloaded {
        counter!("wharf_proxy_driver_reloads_total", "balancer" => B::NAME, "result" => result).increment(1);
    }
}

/// 100 ms, doubling to 5 s: a balancer that is started by hand should not be waited for long.
fn retry_delay(failures: u32) -> Duration {
    Duration::from_millis(100 << failures.saturating_sub(1).min(6)).min(LOOK)
}
