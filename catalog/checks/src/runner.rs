//! The loop: follows the catalog, starts what is due, commits what follows. Decides nothing itself.
//!
//! One task for all checks; only a probe under way has a task of its own.

mod externals;

use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};

use metrics::{counter, histogram};
use tokio::{
    task::{Id, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Index, Outcome, Status, Timestamp, Topic};

use crate::{
    Runner,
    commit::Commits,
    probe::{self, Answer, Tools},
    report::NodeReports,
    schedule::{Effect, Run, Scheduler},
    send_outcome,
};

/// Looking through the catalog may take this share of the time: one part in ...
const SYNC_SHARE: u32 = 10;
/// Sleep when nothing is due at all.
const IDLE: Duration = Duration::from_secs(3600);

/// Looks after our own node, and after every external node that comes to be.
pub(crate) async fn run(runner: Runner, shutdown: CancellationToken) {
    let externals = externals::run(runner.clone(), &shutdown);
    tokio::join!(look_after(runner, Topic::Checks, shutdown.clone()), externals);
}

/// Probes the checks of one node; `topic` says when they may have changed.
async fn look_after(runner: Runner, topic: Topic, shutdown: CancellationToken) {
    let reports = runner.reports.of(&runner.node);
    let mut edge = Edge::new(runner, topic, reports.clone());
    loop {
        let wake = edge.turn();
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = edge.follow.heard() => {}
            Some(ended) = edge.probes.join_next_with_id() => edge.ended(ended),
            settled = edge.commits.landed() => edge.settled(settled),
            () = reports.arrived() => {}
            () = sleep_until(wake) => {}
        }
    }
}

struct Edge {
    runner: Runner,
    steady: Steady,
    scheduler: Scheduler,
    follow: Follow,
    commits: Commits,
    probes: JoinSet<Answer>,
    running: HashMap<Id, (Run, Instant)>,
    tools: Arc<Tools>,
    topic: Topic,
    reports: Arc<NodeReports>,
}

type Ended = Result<(Id, Answer), tokio::task::JoinError>;

impl Edge {
    fn new(runner: Runner, topic: Topic, reports: Arc<NodeReports>) -> Self {
        Self {
            steady: Steady::new(&runner.clock),
            scheduler: Scheduler::new(runner.node.clone()),
            follow: Follow::new(runner.catalog.clone(), topic.clone()),
            topic,
            reports,
            commits: Commits::new(runner.catalog.clone()),
            probes: JoinSet::new(),
            running: HashMap::new(),
            tools: Arc::new(Tools::new(&runner.config, runner.clock.clone())),
            runner,
        }
    }

    /// Does everything that is to be done now; returns when there will be more.
    fn turn(&mut self) -> Instant {
        if self.follow.is_due() {
            let (scheduler, steady, topic) = (&mut self.scheduler, &self.steady, &self.topic);
            let effects = self.follow.sync(|state| {
                let effects = scheduler.sync(steady.now(), state);
                (effects, if scheduler.follows_others() { Topic::Catalog } else { topic.clone() })
            });
            self.carry_out(effects);
        }
        for (check, (told, at)) in self.reports.take() {
            self.scheduler.reported(self.steady.at(at), &check, told);
        }
        self.expire();
        self.launch();
        self.commits.flush(Instant::now());
        self.wake()
    }

    fn expire(&mut self) {
        let now = self.steady.now();
        if self.scheduler.next_deadline().is_some_and(|due| due <= now) {
            let state = self.runner.catalog.snapshot();
            let effects = self.scheduler.expire(now, self.runner.clock.now(), &state);
            self.carry_out(effects);
        }
    }

    fn launch(&mut self) {
        while self.has_room() {
            let Some(run) = self.scheduler.start(self.steady.now()) else {
                return;
            };
            let (check, tools) = (run.check.clone(), self.tools.clone());
            let task = self.probes.spawn(async move {
                match &check.probe {
                    Some(wanted) => probe::run(wanted, &tools).await,
                    None => failed("the check has no probe"),
                }
            });
            self.running.insert(task.id(), (run, Instant::now()));
        }
    }

    fn has_room(&self) -> bool {
        self.running.len() < self.runner.config.concurrency.max(1)
    }

    fn wake(&self) -> Instant {
        let probe = self.scheduler.next_probe().filter(|_| self.has_room());
        let due = [probe, self.scheduler.next_deadline()];
        let due = due.into_iter().flatten().map(|at| self.steady.instant(at));
        due.chain(self.follow.due_at())
            .chain(self.commits.flush_at())
            .min()
            .unwrap_or_else(|| Instant::now() + IDLE)
    }

    fn ended(&mut self, first: Ended) {
        let mut next = Some(first);
        while let Some(ended) = next {
            let (id, answer) = match ended {
                Ok(ended) => ended,
                Err(error) => (error.id(), failed("the probe broke off")),
            };
            if let Some((run, begun)) = self.running.remove(&id) {
                count(&run, &answer, begun);
                let effects = self.scheduler.finished(self.steady.now(), &run, answer);
                self.carry_out(effects);
            }
            next = self.probes.try_join_next_with_id();
        }
    }

    fn settled(&mut self, settled: Vec<crate::commit::Settled>) {
        for one in settled {
            let now = self.steady.now();
            let effect = self.scheduler.settled(now, &one.check, one.number, one.kept);
            self.carry_out(effect);
        }
        self.follow.look_again();
    }

    fn carry_out(&mut self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            match effect {
                Effect::Commit(commit) => self.commits.push(Instant::now(), commit),
                Effect::Record(check, answer) => {
                    let outcome = Outcome {
                        node: check.node.clone(),
                        check: check.id.clone(),
                        instance: check.instance.clone(),
                        service: check.service.clone(),
                        status: answer.status,
                        at: self.runner.clock.now(),
                        response_time: answer.response_time,
                        output: answer.output.into(),
                    };
                    send_outcome(&self.runner.outcomes, outcome);
                }
            }
        }
    }
}

fn failed(why: &str) -> Answer {
    Answer { status: Status::Critical, output: why.to_owned(), response_time: None }
}

fn count(run: &Run, answer: &Answer, begun: Instant) {
    let Some(probe) = &run.check.probe else {
        return;
    };
    let (kind, status) = (probe.kind.label(), answer.status.as_str());
    counter!("wharf_checks_runs_total", "kind" => kind, "status" => status).increment(1);
    histogram!("wharf_checks_run_seconds").record(begun.elapsed().as_secs_f64());
}

/// The schedule's time: starts as the wall clock and then goes as steadily as a stopwatch, so that no clock
/// that is set makes every check due, or none.
struct Steady {
    base: Timestamp,
    begun: Instant,
}

impl Steady {
    fn new(clock: &Clock) -> Self {
        Self { base: clock.now(), begun: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> Timestamp {
        self.base.after(instant.saturating_duration_since(self.begun))
    }

    fn instant(&self, at: Timestamp) -> Instant {
        self.begun + at.since(self.base)
    }
}

/// Hears of changes to checks, and looks at the catalog at once, but never so often that looking is most of
/// the work: with ten thousand checks and many results a second every look would find something.
struct Follow {
    catalog: Catalog,
    topic: Topic,
    seen: Index,
    change: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    not_before: Instant,
}

impl Follow {
    fn new(catalog: Catalog, topic: Topic) -> Self {
        Self { catalog, topic, seen: Index(0), change: None, not_before: Instant::now() }
    }

    /// Waits for the next change; forever once one was heard and not yet looked at.
    async fn heard(&mut self) {
        let Some(change) = &mut self.change else {
            return std::future::pending().await;
        };
        change.await;
        self.change = None;
    }

    fn look_again(&mut self) {
        self.change = None;
    }

    fn due_at(&self) -> Option<Instant> {
        self.change.is_none().then_some(self.not_before)
    }

    /// Is there something to look at, heard of or not yet?
    fn is_due(&self) -> bool {
        let changed = || self.catalog.snapshot().index_of(&self.topic) > self.seen;
        self.not_before <= Instant::now() && (self.change.is_none() || changed())
    }

    /// Looks at the catalog; `look` also says what to hear of next.
    fn sync<T>(&mut self, look: impl FnOnce(&wharf_catalog::State) -> (T, Topic)) -> T {
        let begun = Instant::now();
        let state = self.catalog.snapshot();
        let (looked, topic) = look(&state);
        (self.seen, self.topic) = (state.index_of(&topic), topic.clone());
        let (catalog, seen) = (self.catalog.clone(), self.seen);
        self.change = Some(Box::pin(async move {
            catalog.changed(&topic, seen).await;
        }));
        self.not_before = Instant::now() + begun.elapsed() * SYNC_SHARE;
        looked
    }
}

#[cfg(test)]
mod tests;
