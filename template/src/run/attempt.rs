//! One attempt to bring a file up to date: evaluate, compare, guard, stage, check, publish, reload.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics::{counter, histogram};
use serde_json::Value;
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Clock, Timestamp};

use super::{
    Failure, ReloadError, Undone,
    feed::{Depends, Moment},
    files::{Batch, Texts},
    plugin,
    source::{Seen, TemplateSource, read_inside},
};
use crate::{
    OnEmpty, Source, TemplateConfig,
    config::{Damping, Reload},
    damping::{Dampers, HeldOut},
    eval::{Evaluation, Memo, Surroundings, evaluate as evaluate_over},
    guard::Population,
    machine::Machine,
    reload::{CommandError, fill_in, run_command, send},
    render::{Destination, PublishError},
    source::Source as Answers,
    syntax::Compiled,
};

/// How an attempt ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// The file already says what it should.
    Unchanged,
    /// The new file is in place, and taken up if there is a reload.
    Published,
    /// The file is kept although the catalog says less, for this reason.
    Held(String),
    /// The catalog has not answered yet what the template asks.
    Pending,
}

/// What is known about one template from one attempt to the next.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) config: Arc<TemplateConfig>,
    clock: Clock,
    shutdown: CancellationToken,
    shared: Shared,
    /// Who is held out because it flaps.
    pub(super) held: HeldOut,
    compiled: Option<Arc<Compiled>>,
    /// What the last evaluation asked of the catalog.
    pub(super) depends: Depends,
    /// The files it read, as they looked just before.
    pub(super) seen: Seen,
    /// What it had to leave out.
    pub(super) notes: BTreeSet<String>,
    /// How much it found.
    pub(super) read: Population,
    /// How much stood behind the file that is in place, if we know.
    population: Option<Population>,
    /// The file in place is not known to have been taken up.
    reload_owed: bool,
    /// Reloads that succeeded so far.
    pub(super) reloads: u64,
    /// How long the last evaluation and the last reload took.
    pub(super) took: (Duration, Duration),
}

/// Most templates that are evaluated at a time: more than processors only get into each other's way.
const EVALUATED_AT_ONCE: usize = 4;
/// Most templates whose files are written at a time. The more, the fewer rounds of the disk; but names of one
/// directory are given one after the other.
const WRITTEN_AT_ONCE: usize = 128;

/// What all templates know and share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    dampers: Arc<Mutex<Dampers>>,
    memo: Arc<Memo>,
    evaluating: Arc<Semaphore>,
    writing: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(damping: Damping) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            dampers: Arc::new(Mutex::new(Dampers::new(damping))),
            memo: Arc::default(),
            evaluating: Arc::new(Semaphore::new(processors.max(EVALUATED_AT_ONCE))),
            writing: Arc::new(Semaphore::new(WRITTEN_AT_ONCE)),
        }
    }
}

/// The result of the part that looks and computes.
struct Draft {
    compiled: Option<Arc<Compiled>>,
    seen: Seen,
    held: HeldOut,
    evaluation: Option<(Evaluation, Depends, Duration)>,
    failure: Option<Failure>,
}

/// Texts compared with the files they are for.
enum Prepared {
    Same(Batch),
    Held(Batch, String),
    Staged(Batch),
}

impl Attempts {
    pub(super) fn new(
        config: TemplateConfig,
        clock: Clock,
        shared: Shared,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            config: Arc::new(config),
            clock,
            shutdown,
            shared,
            held: HeldOut::default(),
            compiled: None,
            depends: Depends::default(),
            seen: Seen::default(),
            notes: BTreeSet::new(),
            read: Population::default(),
            population: None,
            reload_owed: false,
            reloads: 0,
            took: (Duration::ZERO, Duration::ZERO),
        }
    }

    /// Brings the file up to date with what is known at `moment`.
    pub(super) async fn attempt(&mut self, moment: Moment) -> Result<Done, Failure> {
        let Some((texts, population)) = self.draft(moment).await? else {
            return Ok(Done::Pending);
        };
        let (config, last, now) = (self.config.clone(), self.population.clone(), population.clone());
        let turn = self.shared.writing.clone().acquire_owned().await.ok();
        let prepared =
            blocking(&self.config, move || prepare(&config, &texts, last.as_ref(), &now)).await??;
        drop(turn);
        let (batch, done) = match prepared {
            Prepared::Held(batch, reason) => (batch, Done::Held(reason)),
            Prepared::Same(batch) => {
                self.population = Some(population);
                (batch, Done::Unchanged)
            }
            Prepared::Staged(batch) => {
                self.check(&batch).await?;
                self.publish(&batch).await?;
                self.population = Some(population);
                (batch, Done::Published)
            }
        };
        if self.reload_owed || batch.owes_reload() {
            self.reload(&batch).await?;
        }
        Ok(done)
    }

    /// Reads the template if it changed, and evaluates it. `None`: some answer is not known yet.
    async fn draft(&mut self, moment: Moment) -> Result<Option<(Texts, Population)>, Failure> {
        let config = self.config.clone();
        let (compiled, seen, now) = (self.compiled.clone(), self.seen.clone(), self.clock.now());
        let (shared, depends) = (self.shared.clone(), self.depends.clone());
        // One that runs programs may take as long as they do, and nobody is to wait for that.
        let turn = match config.allow_plugins {
            true => None,
            false => shared.evaluating.clone().acquire_owned().await.ok(),
        };
        let draft = blocking(&self.config, move || {
            let mut dampers = shared.dampers.lock().unwrap_or_else(PoisonError::into_inner);
            let held = depends.observe(&mut dampers, now, &moment);
            drop(dampers);
            draft(&config, &moment, held, &shared.memo, now, compiled, &seen)
        })
        .await?;
        drop(turn);
        self.held = draft.held;
        (self.compiled, self.seen) = (draft.compiled, draft.seen);
        let Some((evaluation, depends, took)) = draft.evaluation else {
            return Err(draft.failure.unwrap_or_else(|| Failure::Engine(self.config.label())));
        };
        (self.depends, self.took.0) = (depends, took);
        self.notes = evaluation.reads.notes;
        self.read = evaluation.reads.population.clone();
        if evaluation.pending {
            return Ok(None);
        }
        let main = evaluation.text.map_err(|error| {
            TemplateSource::new(&self.config).wrong_at(error.line, error.column, error.reason)
        })?;
        if !evaluation.missing.is_empty() {
            let missing: Vec<_> = evaluation.missing.into_iter().collect();
            return Err(Failure::Waiting {
                location: self.config.source.to_string(),
                missing: missing.join(", "),
            });
        }
        Ok(Some((Texts { main, writes: evaluation.writes }, evaluation.reads.population)))
    }

    async fn check(&self, batch: &Batch) -> Result<(), Failure> {
        let Some(check) = &self.config.check else {
            return Ok(());
        };
        for destination in batch.candidates() {
            self.command(&check.argv(), destination).await.map_err(|error| {
                counter!("wharf_template_checks_failed_total", "template" => self.config.label())
                    .increment(1);
                Failure::Check { candidate: destination.candidate().to_owned(), error }
            })?;
        }
        Ok(())
    }

    async fn publish(&mut self, batch: &Batch) -> Result<(), Failure> {
        let reloads = self.config.reload.is_some();
        let moved = batch.clone();
        let turn = self.shared.writing.clone().acquire_owned().await.ok();
        blocking(&self.config, move || moved.publish(reloads)).await??;
        drop(turn);
        self.reload_owed = reloads;
        Ok(())
    }

    async fn reload(&mut self, batch: &Batch) -> Result<(), Failure> {
        let Some(reload) = self.config.reload.clone() else {
            self.reload_owed = false;
            return Ok(batch.confirm()?);
        };
        match self.tell(&reload, batch.main()).await {
            Ok(()) => {
                self.count_reload("ok");
                self.reloads += 1;
                self.reload_owed = false;
                Ok(batch.confirm()?)
            }
            Err(error) => {
                self.count_reload("failed");
                let then = self.undo(&error, &reload, batch).await;
                Err(Failure::Reload { error, then })
            }
        }
    }

    async fn undo(&mut self, error: &ReloadError, reload: &Reload, batch: &Batch) -> Undone {
        if matches!(error, ReloadError::Command(CommandError::Interrupted(_))) {
            return Undone::Owed;
        }
        match batch.roll_back() {
            Ok(false) => Undone::NothingToGoBackTo,
            Err(error) => Undone::RollBackFailed(error.to_string()),
            Ok(true) => {
                // What stands in the file now is not what was counted.
                self.population = None;
                match self.tell(reload, batch.main()).await {
                    Ok(()) => {
                        self.count_reload("rolled_back");
                        self.reloads += 1;
                        self.reload_owed = false;
                        Undone::RolledBack
                    }
                    Err(error) => {
                        self.count_reload("failed");
                        Undone::ReloadFailedAgain(error.to_string())
                    }
                }
            }
        }
    }

    /// Has the file's reader take it up.
    async fn tell(&mut self, reload: &Reload, destination: &Destination) -> Result<(), ReloadError> {
        let begun = Instant::now();
        match reload {
            Reload::Command(command) => drop(self.command(&command.argv(), destination).await?),
            Reload::Signal(target) => send(target).await?,
        }
        self.took.1 = begun.elapsed();
        histogram!("wharf_template_reload_seconds", "template" => self.config.label())
            .record(self.took.1.as_secs_f64());
        Ok(())
    }

    async fn command(&self, argv: &[String], destination: &Destination) -> Result<String, CommandError> {
        let argv = fill_in(argv, destination.candidate(), destination.path());
        run_command(&argv, self.config.command_timeout, &self.shutdown).await
    }

    fn count_reload(&self, result: &'static str) {
        counter!("wharf_template_reloads_total", "template" => self.config.label(), "result" => result)
            .increment(1);
    }
}

/// Runs what blocks away from the loop; a panic of the engine becomes a failure.
async fn blocking<T: Send + 'static>(
    config: &TemplateConfig,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Failure::Engine(config.label()))
}

fn draft(
    config: &TemplateConfig,
    moment: &Moment,
    held: HeldOut,
    memo: &Memo,
    time: Timestamp,
    compiled: Option<Arc<Compiled>>,
    seen: &Seen,
) -> Draft {
    let source = TemplateSource::new(config);
    // Looked at before they are read: what changes in between is noticed the next time.
    let now = Seen::now(source.path());
    let unchanged = compiled.filter(|_| now.is_part_of(seen));
    let compiled = match unchanged
        .map(Ok)
        .unwrap_or_else(|| source.read().and_then(|text| source.compile(&text)).map(Arc::new))
    {
        Ok(compiled) => compiled,
        Err(failure) => {
            return Draft { compiled: None, seen: now, held, evaluation: None, failure: Some(failure) };
        }
    };
    let begun = Instant::now();
    let included = Mutex::new(now);
    let file = |path: &Path| {
        included.lock().unwrap_or_else(PoisonError::into_inner).add(path);
        read_inside(config.sandbox_path.as_deref(), path)
    };
    let evaluation =
        moment.damped(&held, memo, |answers| evaluate_with(config, &compiled, answers, time, &file));
    let took = begun.elapsed();
    counter!("wharf_template_renders_total", "template" => config.label()).increment(1);
    histogram!("wharf_template_render_seconds", "template" => config.label()).record(took.as_secs_f64());
    let depends = moment.depends(&evaluation.reads);
    Draft {
        compiled: Some(compiled),
        seen: included.into_inner().unwrap_or_else(PoisonError::into_inner),
        held,
        evaluation: Some((evaluation, depends, took)),
        failure: None,
    }
}

/// Evaluates a template with what its configuration gives it.
pub(super) fn evaluate(
    config: &TemplateConfig,
    compiled: &Compiled,
    answers: &dyn Answers,
    now: Timestamp,
) -> Evaluation {
    let file = |path: &Path| read_inside(config.sandbox_path.as_deref(), path);
    evaluate_with(config, compiled, answers, now, &file)
}

fn evaluate_with(
    config: &TemplateConfig,
    compiled: &Compiled,
    answers: &dyn Answers,
    now: Timestamp,
    file: &(dyn Fn(&Path) -> std::io::Result<Vec<u8>> + Sync),
) -> Evaluation {
    let vars = vars(config);
    let surroundings = Surroundings {
        vars: &vars,
        env: &|name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
        file,
        now,
        machine: &Machine::here,
        plugin: config.allow_plugins.then_some(&plugin::run),
    };
    evaluate_over(compiled, answers, surroundings)
}

fn vars(config: &TemplateConfig) -> Value {
    let mut vars = match &config.source {
        Source::File(_) | Source::Text(_) => Default::default(),
        Source::Builtin(builtin) => {
            let destination = std::path::absolute(&config.destination).unwrap_or_default();
            builtin.default_vars(destination.parent().unwrap_or(Path::new("/")))
        }
    };
    vars.extend(config.vars.clone());
    Value::Object(vars.into_iter().collect())
}

fn prepare(
    config: &TemplateConfig,
    texts: &Texts,
    last: Option<&Population>,
    now: &Population,
) -> Result<Prepared, PublishError> {
    let batch = Batch::compare(config, texts)?;
    if !batch.differs() {
        return Ok(Prepared::Same(batch));
    }
    let keep = config.on_empty == OnEmpty::Keep;
    let vanished = now.vanished(last).filter(|_| keep);
    let held = vanished.or_else(|| now.shrunk(last?, config.max_shrink?));
    if let Some(reason) = held.filter(|_| batch.replaces()) {
        return Ok(Prepared::Held(batch, reason));
    }
    batch.stage(texts)?;
    Ok(Prepared::Staged(batch))
}
