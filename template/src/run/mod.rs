//! Keeps every file up to date: one loop per template, which only carries out what the pure parts decide.
//!
//! A loop never ends because something failed. What failed is told once, shown in [`Statuses`], and tried
//! again when something it depends on changes, or after a growing delay.

mod attempt;
mod child;
mod feed;
mod files;
mod plugin;
mod source;
mod watcher;
mod worker;

use std::{path::PathBuf, process::ExitStatus, sync::Arc};

use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Clock, State, Timestamp};

use crate::{
    Config, ConfigError, Statuses, TemplateConfig,
    eval::Reads,
    reload::{CommandError, SignalError},
    render::PublishError,
    source::Snapshot,
};

pub use attempt::Done;
use attempt::{Attempts, Shared, evaluate};
pub use feed::Feed;
use watcher::Watcher;
use worker::{Common, Worker};

/// Why a file was not brought up to date. The last good one is in place.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Put the file back, or mend its permissions.
    #[error("cannot read template `{path}`: {error}", path = .path.display())]
    Source {
        /// The template file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Mend the template.
    #[error("{location}:{line}:{}{reason}", .column.map_or(" ".to_owned(), |column| format!("{column}: ")))]
    Template {
        /// The template file.
        location: String,
        /// Its line, from 1.
        line: usize,
        /// Its column, from 1, if that is known.
        column: Option<usize>,
        /// What is wrong there.
        reason: String,
    },
    /// Set the keys, or use `keyOrDefault`; it is rendered as soon as they are there.
    #[error("{location} waits for {missing}")]
    Waiting {
        /// The template file.
        location: String,
        /// What does not exist.
        missing: String,
    },
    /// See to the destination.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Mend the template, or what it was fed with; the file that was refused is kept.
    #[error("the check refused the new file, see `{candidate}`: {error}", candidate = .candidate.display())]
    Check {
        /// The file that was refused.
        candidate: PathBuf,
        /// What the command said.
        error: CommandError,
    },
    /// See to the program that reads the file.
    #[error("the reload failed, {then}: {error}")]
    Reload {
        /// What the command said, or who was not there to be signalled.
        error: ReloadError,
        /// What was done about it.
        then: Undone,
    },
    /// A fault of ours.
    #[error("the template engine gave up on `{0}`: simplify the template and report this")]
    Engine(String),
}

/// Why the reader of a file could not be told.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// See what it said.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// See to the process.
    #[error(transparent)]
    Signal(#[from] SignalError),
}

/// What happened after a reload that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The previous file is back and was taken up.
    RolledBack,
    /// The previous file is back, but its reload failed as well.
    ReloadFailedAgain(String),
    /// There was no previous file: the new one stays.
    NothingToGoBackTo,
    /// The previous file could not be put back.
    RollBackFailed(String),
    /// We are shutting down: the reload is made up for at the next start.
    Owed,
}

impl std::fmt::Display for Undone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RolledBack => f.write_str("the previous file is back and loaded"),
            Self::ReloadFailedAgain(error) => {
                write!(
                    f,
                    "the previous file is back but cannot be loaded either ({error}), is the program running?"
                )
            }
            Self::NothingToGoBackTo => f.write_str("there was no previous file, so the new one stays"),
            Self::RollBackFailed(error) => write!(f, "and the previous file could not be put back ({error})"),
            Self::Owed => f.write_str("it will be repeated at the next start"),
        }
    }
}

/// Keeps the files of all templates up to date until `shutdown`. With an `exec` table also the program; when
/// that has ended for good, its exit status is the result.
///
/// # Errors
/// When the configuration contradicts itself; never later.
pub async fn run(
    config: Config,
    feed: impl Into<Feed>,
    clock: Clock,
    statuses: Statuses,
    shutdown: CancellationToken,
) -> Result<Option<ExitStatus>, ConfigError> {
    config.validate()?;
    let (rendered, heard) = mpsc::unbounded_channel();
    let common = Common {
        feed: feed.into(),
        datacenter: config.datacenter.into(),
        wait: config.wait,
        clock: clock.clone(),
        statuses,
        watcher: Watcher::new(),
        rendered,
    };
    let shared = Shared::new(config.damping);
    let mut workers = JoinSet::new();
    let count = config.templates.len();
    for (number, template) in config.templates.into_iter().enumerate() {
        let attempts = Attempts::new(template, clock.clone(), shared.clone(), shutdown.clone());
        workers.spawn(Worker::new(number, attempts, &common).run(shutdown.clone()));
    }
    drop(common);
    let all = async {
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a template's loop ended, its file is not kept up to date any more");
            }
        }
    };
    let Some(exec) = config.exec else {
        drop(heard);
        all.await;
        return Ok(None);
    };
    let (ended, ()) = tokio::join!(
        async {
            let ended = child::supervise(exec, count, heard, shutdown.clone()).await;
            shutdown.cancel();
            ended
        },
        all
    );
    Ok(ended)
}

/// What became of one template.
pub type Outcome = (String, Result<Done, Failure>);

/// Brings every file up to date once: checked, published and reloaded as usual. What the catalog has not told
/// yet and what has to exist first is waited for, until `shutdown`.
///
/// # Errors
/// When the configuration contradicts itself; what failed for a template stands in its entry. Entries of
/// templates that still waited at `shutdown` are missing.
pub async fn render_once(
    config: &Config,
    feed: impl Into<Feed>,
    clock: &Clock,
    shutdown: &CancellationToken,
) -> Result<Vec<Outcome>, ConfigError> {
    config.validate()?;
    let (feed, datacenter) = (feed.into(), Arc::<str>::from(config.datacenter.as_str()));
    if shutdown.run_until_cancelled(feed.ready()).await.is_none() {
        return Ok(Vec::new());
    }
    let shared = Shared::new(config.damping);
    let templates = config.templates.iter().enumerate().map(async |(number, template)| {
        let mut attempts = Attempts::new(template.clone(), clock.clone(), shared.clone(), shutdown.clone());
        let result = loop {
            let result = attempts.attempt(feed.now(&datacenter)).await;
            if !matches!(result, Ok(Done::Pending) | Err(Failure::Waiting { .. })) {
                break result;
            }
            if let Err(waiting) = result {
                tracing::debug!(%waiting, "not rendered yet");
            }
            feed.follow(number, &attempts.depends);
            shutdown.run_until_cancelled(feed.changed(&attempts.depends)).await?;
        };
        Some((template.label(), result))
    });
    let outcomes = futures_util::future::join_all(templates).await;
    Ok(outcomes.into_iter().flatten().collect())
}

/// What a template would write.
#[derive(Debug)]
pub struct Rendered {
    /// Name of the template.
    pub template: String,
    /// The file it would write.
    pub destination: PathBuf,
    /// The text, or why there is none.
    pub text: Result<Vec<u8>, Failure>,
}

/// Evaluates every template over `state`, and writes and runs nothing.
///
/// # Errors
/// When the configuration contradicts itself.
pub fn dry_run(config: &Config, state: &State, now: Timestamp) -> Result<Vec<Rendered>, ConfigError> {
    config.validate()?;
    let answers = Snapshot { state, datacenter: &config.datacenter, local_node: None };
    Ok(config.templates.iter().map(|template| rendered(template, &answers, now).0).collect())
}

/// As [`dry_run`] once, over a catalog that may be elsewhere; waits for its answers until `shutdown`.
///
/// # Errors
/// When the configuration contradicts itself.
pub async fn dry_run_once(
    config: &Config,
    feed: impl Into<Feed>,
    clock: &Clock,
    shutdown: &CancellationToken,
) -> Result<Vec<Rendered>, ConfigError> {
    config.validate()?;
    let (feed, datacenter) = (feed.into(), Arc::<str>::from(config.datacenter.as_str()));
    if shutdown.run_until_cancelled(feed.ready()).await.is_none() {
        return Ok(Vec::new());
    }
    let mut all = Vec::new();
    for (number, template) in config.templates.iter().enumerate() {
        loop {
            let moment = feed.now(&datacenter);
            let (rendered, reads) = moment.with(|answers| rendered(template, answers, clock.now()));
            match reads {
                Some(reads) => {
                    let depends = moment.depends(&reads);
                    feed.follow(number, &depends);
                    if shutdown.run_until_cancelled(feed.changed(&depends)).await.is_none() {
                        return Ok(all);
                    }
                }
                None => {
                    all.push(rendered);
                    break;
                }
            }
        }
    }
    Ok(all)
}

/// One template evaluated; with what it read if that is not the end of it.
fn rendered(
    template: &TemplateConfig,
    answers: &dyn crate::source::Source,
    now: Timestamp,
) -> (Rendered, Option<Reads>) {
    let source = source::TemplateSource::new(template);
    let mut unfinished = None;
    let text = source.read().and_then(|read| source.compile(&read)).and_then(|compiled| {
        let evaluation = evaluate(template, &compiled, answers, now);
        unfinished = (evaluation.pending || (evaluation.text.is_ok() && !evaluation.missing.is_empty()))
            .then_some(evaluation.reads);
        evaluation.text.map_err(|error| source.wrong_at(error.line, error.column, error.reason))
    });
    (Rendered { template: template.label(), destination: template.destination.clone(), text }, unfinished)
}

#[cfg(test)]
mod tests;
