//! The loop of one template: waits for what its last render depended on, for files, and for retries.

use std::{collections::HashSet, sync::Arc, time::Duration};

use metrics::{counter, gauge};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::Clock;

use super::{Done, Failure, ReloadError, attempt::Attempts, feed::Feed, watcher::Watcher};
use crate::{
    Condition, Status, Statuses, Wait,
    quiescence::{Quiescence, retry_delay},
    status::{Event, LastError},
};

/// How often files are looked at beside being told of their edits, and when nobody can tell us.
const POLL: Duration = Duration::from_secs(10);
const POLL_ALONE: Duration = Duration::from_secs(1);

/// What a worker tells the others: its number, and whether its file is a new one.
pub(super) type Rendered = (usize, bool);

pub(super) struct Worker {
    number: usize,
    attempts: Attempts,
    feed: Feed,
    datacenter: Arc<str>,
    wait: Wait,
    clock: Clock,
    statuses: Statuses,
    status: Status,
    watcher: Watcher,
    quiet: Quiescence,
    failures: u32,
    retry_at: Option<Instant>,
    /// When the first of those held out may come back.
    release_at: Option<Instant>,
    /// What was told since the last success, so that nothing is told twice.
    told: Told,
    rendered: mpsc::UnboundedSender<Rendered>,
}

/// What all workers have in common.
pub(super) struct Common {
    pub(super) feed: Feed,
    pub(super) datacenter: Arc<str>,
    pub(super) wait: Wait,
    pub(super) clock: Clock,
    pub(super) statuses: Statuses,
    pub(super) watcher: Watcher,
    pub(super) rendered: mpsc::UnboundedSender<Rendered>,
}

impl Worker {
    pub(super) fn new(number: usize, attempts: Attempts, common: &Common) -> Self {
        let status = Status::starting(attempts.config.label(), attempts.config.destination.clone());
        common.statuses.set(status.clone());
        Self {
            number,
            // What is not known yet is not waited for longer than it takes.
            quiet: Quiescence::new(Wait::default()),
            wait: attempts.config.wait.unwrap_or(common.wait),
            attempts,
            feed: common.feed.clone(),
            datacenter: common.datacenter.clone(),
            clock: common.clock.clone(),
            statuses: common.statuses.clone(),
            status,
            watcher: common.watcher.clone(),
            failures: 0,
            retry_at: None,
            release_at: None,
            told: Told::default(),
            rendered: common.rendered.clone(),
        }
    }

    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let mut poll = interval(if self.watcher.works() { POLL } else { POLL_ALONE });
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut edits = self.watcher.subscribe();
        if shutdown.run_until_cancelled(self.feed.ready()).await.is_none() {
            return;
        }
        self.quiet.change(Instant::now());
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = sleep_until_or_never(self.quiet.next_deadline()) => {
                    if self.quiet.advance(Instant::now()) {
                        self.attempt().await;
                    }
                }
                seen = self.feed.changed(&self.attempts.depends) => {
                    self.attempts.depends.seen = seen;
                    self.quiet.change(Instant::now());
                }
                () = sleep_until_or_never(self.retry_at) => {
                    self.retry_at = None;
                    self.quiet.change(Instant::now());
                }
                () = sleep_until_or_never(self.release_at) => {
                    self.release_at = None;
                    self.quiet.change(Instant::now());
                }
                Ok(()) = edits.changed() => self.look_at_files().await,
                _ = poll.tick() => self.look_at_files().await,
            }
        }
    }

    async fn attempt(&mut self) {
        self.retry_at = None;
        let reloads = self.attempts.reloads;
        let outcome = self.attempts.attempt(self.feed.now(&self.datacenter)).await;
        self.feed.follow(self.number, &self.attempts.depends);
        self.watcher.follow(self.attempts.seen.paths());
        let pending = matches!(outcome, Ok(Done::Pending));
        self.quiet.set_wait(if pending { Wait::default() } else { self.wait });
        match outcome {
            Ok(done) => self.succeeded(&done),
            Err(failure) => self.failed(&failure),
        }
        if self.attempts.reloads > reloads {
            let now = self.clock.now();
            self.status.last_reload = Some(now);
            self.status.remember(Event::reloaded(now, self.attempts.took.1));
        }
        self.show_flapping();
        self.status.dependencies = self.attempts.depends.count();
        self.status.questions = self.attempts.depends.names();
        self.status.queries = self.attempts.read.instances.keys().cloned().collect();
        self.status.notes = self.attempts.notes.clone();
        self.statuses.set(self.status.clone());
    }

    fn show_flapping(&mut self) {
        let held = &self.attempts.held;
        self.release_at = held.until.map(|until| Instant::now() + until.since(self.clock.now()));
        let flapping = held.names();
        let known = std::mem::take(&mut self.status.flapping);
        for instance in flapping.iter().filter(|it| !known.contains(*it)) {
            tracing::warn!(template = %self.status.template, %instance, "instance held out");
            self.status.remember(Event::failed(self.clock.now(), instance));
        }
        gauge!("wharf_template_held_out", "template" => self.status.template.clone())
            .set(flapping.len() as f64);
        self.status.flapping = flapping;
    }

    fn succeeded(&mut self, done: &Done) {
        let now = self.clock.now();
        let template = self.status.template.clone();
        if *done == Done::Pending {
            self.status.reason = "waits for the catalog's first answers".to_owned();
            return;
        }
        self.status.last_render = Some(now);
        let (condition, reason) = match done {
            Done::Published => {
                tracing::info!(%template, file = %self.status.destination.display(), "published");
                self.status.last_publish = Some(now);
                self.status.remember(Event::published(now, self.attempts.took.0));
                (Condition::Current, "the file says what the catalog says".to_owned())
            }
            Done::Held(reason) => {
                if self.status.condition != Condition::Held {
                    tracing::warn!(%template, %reason, "the last file is kept until the catalog is sound again");
                    self.status.remember(Event::held(now, reason));
                }
                (Condition::Held, format!("kept the last file: {reason}"))
            }
            Done::Unchanged | Done::Pending => {
                counter!("wharf_template_skips_total", "template" => template.clone()).increment(1);
                (Condition::Current, "the file says what the catalog says".to_owned())
            }
        };
        if matches!(self.status.condition, Condition::Failing | Condition::Held)
            && condition == Condition::Current
        {
            tracing::info!(%template, "recovered");
        }
        gauge!("wharf_template_held", "template" => template).set(if condition == Condition::Held {
            1.0
        } else {
            0.0
        });
        (self.status.condition, self.status.reason) = (condition, reason);
        self.failures = 0;
        self.told = Told::default();
        // Nobody listens when there is no program to tell.
        let _ = self.rendered.send((self.number, *done == Done::Published));
    }

    fn failed(&mut self, failure: &Failure) {
        let (template, error) = (&self.status.template, failure.to_string());
        counter!("wharf_template_errors_total", "template" => template.clone(), "kind" => kind(failure))
            .increment(1);
        let now = self.clock.now();
        if self.told.is_news(&error) {
            let file = self.status.destination.display();
            match failure {
                Failure::Waiting { .. } => tracing::info!(%template, %file, %error, "not rendered yet"),
                _ => tracing::error!(%template, %file, %error, "not updated, the last good file stays"),
            }
            self.status.remember(Event::failed(now, &error));
        } else {
            tracing::debug!(%template, %error, "still not updated");
        }
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(Instant::now() + retry_delay(self.failures));
        self.status.condition = Condition::Failing;
        self.status.reason = format!("the last good file stays: {error}");
        self.status.last_error = Some(LastError { at: now, error });
    }

    async fn look_at_files(&mut self) {
        if self.attempts.seen.is_empty() {
            return;
        }
        let seen = self.attempts.seen.clone();
        let changed = tokio::task::spawn_blocking(move || seen.again() != seen).await;
        if changed.unwrap_or(false) {
            self.quiet.change(Instant::now());
        }
    }
}

/// Which failures people have been told of.
#[derive(Default)]
struct Told(HashSet<String>);

impl Told {
    /// Has nothing like it been told? Numbers (process ids, times, lines of a candidate that moves) do not
    /// make a failure a new one.
    fn is_news(&mut self, error: &str) -> bool {
        if self.0.len() > 100 {
            self.0.clear();
        }
        self.0.insert(error.chars().filter(|c| !c.is_ascii_digit()).collect())
    }
}

fn kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Source { .. } | Failure::Waiting { .. } | Failure::Template { .. } | Failure::Engine(_) => {
            "template"
        }
        Failure::Publish(_) => "publish",
        Failure::Check { .. } => "check",
        Failure::Reload { error: ReloadError::Command(_), .. } => "reload",
        Failure::Reload { error: ReloadError::Signal(_), .. } => "signal",
    }
}

pub(super) async fn sleep_until_or_never(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_whatever_its_numbers() {
        let mut told = Told::default();
        assert!(told.is_news("unknown directive in line 12, pid 7"));
        assert!(!told.is_news("unknown directive in line 13, pid 9"));
        assert!(told.is_news("host not found in line 13"));
        assert!(!told.is_news("unknown directive in line 1, pid 1"));
    }
}
