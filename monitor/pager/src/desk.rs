//! One task that has the engine and the journal: what is said goes in, is decided, kept, and only then carried out.
//!
//! What waits is taken together and kept together (group commit). If it cannot be kept, the engine goes back to what
//! the journal has, whoever spoke is told, and what time alone decided is decided again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use metrics::{counter, gauge, histogram};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::Clock;
use wharf_oncall::{ApplyError, Config, Effect, Engine, Event, Input, Plan, Record, State};

use crate::{
    Kept, Picture, Refusal,
    dispatch::Task,
    journal::{Batch, Document, IncidentRow, Journal},
    plan::Layers,
};

/// Most commands taken at a time.
const TAKEN: usize = 1_024;
/// The longest sleep, so that a clock that jumps is noticed.
const LOOK: Duration = Duration::from_secs(5);
/// Before what could not be kept is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the desk is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Something happened.
    Say { inputs: Vec<Input>, reply: oneshot::Sender<Vec<Kept>> },
    /// A message arrived or was given up.
    Done { delivery: u64, attempts: u32, result: Result<String, String> },
    /// The files say something else.
    Files(Box<Config>),
    /// The API says something else.
    Configure { document: Document, reply: oneshot::Sender<Kept> },
}

/// Who waits for an answer.
enum Waiting {
    Said(oneshot::Sender<Vec<Kept>>, Vec<Kept>),
    Configured(oneshot::Sender<Kept>),
    /// Nobody: it is said again if it cannot be kept.
    Again(Command),
}

pub(crate) struct Desk {
    pub(crate) engine: Engine,
    /// Taken while a batch is being kept.
    pub(crate) journal: Option<Journal>,
    pub(crate) layers: Arc<Layers>,
    /// Incidents that are open, as they were last shown.
    pub(crate) open: BTreeMap<u64, IncidentRow>,
    pub(crate) clock: Clock,
    pub(crate) commands: mpsc::UnboundedReceiver<Command>,
    /// To say again what could not be kept.
    pub(crate) again: mpsc::WeakUnboundedSender<Command>,
    pub(crate) picture: watch::Sender<Picture>,
    pub(crate) tasks: mpsc::UnboundedSender<Task>,
}

/// A batch in the making.
#[derive(Default)]
struct Draft {
    batch: Batch,
    rows: BTreeMap<u64, IncidentRow>,
    effects: Vec<Effect>,
    waiting: Vec<Waiting>,
    /// What it went by before the draft, if that changes.
    before: Option<(Arc<Layers>, Arc<Plan>)>,
}

impl Desk {
    /// Until `shutdown`; what had been said by then is still kept.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        while !self.recover().await {
            if shutdown.run_until_cancelled(sleep(RETRY)).await.is_none() {
                return;
            }
        }
        let mut taken = Vec::new();
        loop {
            let patience = self.patience();
            let ends = tokio::select! {
                () = shutdown.cancelled() => true,
                count = self.commands.recv_many(&mut taken, TAKEN) => count == 0,
                () = sleep(patience) => false,
            };
            while taken.len() < TAKEN {
                let Ok(command) = self.commands.try_recv() else { break };
                taken.push(command);
            }
            if !self.turn(std::mem::take(&mut taken)).await {
                sleep(RETRY).await;
            }
            if ends {
                return;
            }
        }
    }

    /// What was on its way when the last life ended is sent again. Whether that could be kept.
    async fn recover(&mut self) -> bool {
        let mut draft = Draft::default();
        let (records, effects) = self.engine.recover(self.now());
        self.take(&mut draft, records);
        draft.effects = effects;
        self.keep(draft).await
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now().0).unwrap_or_default()
    }

    fn patience(&self) -> Duration {
        let Some(deadline) = self.engine.next_deadline() else {
            return LOOK;
        };
        let wait = deadline.as_millisecond().saturating_sub(self.clock.now().0);
        Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(LOOK)
    }

    /// Whether it could be kept.
    async fn turn(&mut self, commands: Vec<Command>) -> bool {
        let mut draft = Draft::default();
        for command in commands {
            self.hear(&mut draft, command);
        }
        if self.engine.next_deadline().is_some_and(|deadline| deadline <= self.now()) {
            let records = self.engine.advance(self.now());
            self.take(&mut draft, records);
        }
        self.keep(draft).await
    }

    fn hear(&mut self, draft: &mut Draft, command: Command) {
        match command {
            Command::Say { inputs, reply } => {
                let kept = inputs.into_iter().map(|input| Ok(self.apply(draft, input)?)).collect();
                draft.waiting.push(Waiting::Said(reply, kept));
            }
            Command::Done { delivery, attempts, result } => {
                let answer = match &result {
                    Ok(answer) | Err(answer) => answer.clone(),
                };
                draft.batch.results.push((delivery, attempts, answer));
                let input = Input::Delivery { delivery, result: result.clone().map(drop) };
                // One that was cancelled meanwhile is known no more.
                let _ = self.apply(draft, input);
                draft.waiting.push(Waiting::Again(Command::Done { delivery, attempts, result }));
            }
            Command::Files(files) => self.read(draft, *files),
            Command::Configure { document, reply } => match self.layers.with(&document) {
                Ok((layers, plan)) => {
                    self.reconfigure(draft, plan, layers);
                    draft.batch.documents.push(document);
                    draft.waiting.push(Waiting::Configured(reply));
                }
                Err(refusal) => drop(reply.send(Err(refusal))),
            },
        }
    }

    fn read(&mut self, draft: &mut Draft, files: Config) {
        let (layers, plan) = Layers::new(files.clone(), self.layers.documents.clone()).fit();
        let (users, policies) = (plan.users.len(), plan.policies.len());
        tracing::info!(users, policies, "on-call configuration read");
        layers.warn();
        self.reconfigure(draft, plan, layers);
        draft.waiting.push(Waiting::Again(Command::Files(Box::new(files))));
    }

    fn reconfigure(&mut self, draft: &mut Draft, plan: Plan, layers: Layers) {
        draft.before.get_or_insert_with(|| (self.layers.clone(), self.engine.plan().clone()));
        let records = self.engine.reconfigure(self.now(), Arc::new(plan));
        self.layers = Arc::new(layers);
        self.take(draft, records);
    }

    fn apply(&mut self, draft: &mut Draft, input: Input) -> Result<(), ApplyError> {
        let records = self.engine.apply(self.now(), input)?;
        self.take(draft, records);
        Ok(())
    }

    /// What was decided becomes part of the draft.
    fn take(&mut self, draft: &mut Draft, records: Vec<Record>) {
        for record in &records {
            draft.effects.extend(Effect::of(record));
            for id in record.event.incidents() {
                self.redraw(draft, id, record);
            }
        }
        draft.batch.records.extend(records);
    }

    fn redraw(&mut self, draft: &mut Draft, id: u64, record: &Record) {
        if let Event::Merged { into, .. } = &record.event
            && *into != id
            && let Some(incident) = self.engine.state().incidents.get(into)
        {
            draft.rows.insert(*into, IncidentRow::of(incident));
        }
        let row = match self.engine.state().incidents.get(&id) {
            Some(incident) => IncidentRow::of(incident),
            None => {
                let Some(last) = draft.rows.get(&id).or_else(|| self.open.get(&id)) else {
                    return;
                };
                last.clone().ended(record)
            }
        };
        draft.rows.insert(id, row);
    }

    /// Keeps the draft and carries it out; whether that was possible.
    async fn keep(&mut self, mut draft: Draft) -> bool {
        draft.batch.incidents = draft.rows.values().cloned().collect();
        if !draft.batch.is_empty() {
            let state = Arc::new(self.engine.state().clone());
            if let Err(reason) = self.commit(std::mem::take(&mut draft.batch), state).await {
                counter!("wharf_pager_journal_failures_total").increment(1);
                tracing::error!(%reason, "the on-call journal cannot be written: none of this happened, it is tried again");
                self.refuse(draft, &reason).await;
                return false;
            }
            for (id, row) in std::mem::take(&mut draft.rows) {
                match row.resolved {
                    Some(_) => drop(self.open.remove(&id)),
                    None => drop(self.open.insert(id, row)),
                }
            }
            gauge!("wharf_pager_incidents_open").set(self.open.len() as f64);
        }
        if draft.before.is_some() {
            let _ = self.tasks.send(Task::Plan(self.engine.plan().clone()));
            self.show(Arc::new(self.engine.state().clone()));
        }
        for effect in draft.effects {
            let _ = self.tasks.send(match effect {
                Effect::Send { delivery, what } => Task::Send { delivery, what: Box::new(what) },
                Effect::Cancel { delivery } => Task::Cancel { delivery },
            });
        }
        for waiting in draft.waiting {
            match waiting {
                Waiting::Said(reply, kept) => drop(reply.send(kept)),
                Waiting::Configured(reply) => drop(reply.send(Ok(()))),
                Waiting::Again(_) => {}
            }
        }
        true
    }

    async fn commit(&mut self, batch: Batch, state: Arc<State>) -> Result<(), String> {
        let Some(mut journal) = self.journal.take() else {
            return Err("the journal is gone".to_owned());
        };
        let begun = Instant::now();
        let after = state.clone();
        let written = tokio::task::spawn_blocking(move || {
            let kept = journal.keep(&batch, &after);
            (journal, kept)
        });
        match written.await {
            Ok((journal, kept)) => {
                self.journal = Some(journal);
                histogram!("wharf_pager_commit_seconds").record(begun.elapsed());
                kept.map_err(|error| error.to_string())?;
                self.show(state);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn show(&self, state: Arc<State>) {
        let journal = self.journal.as_ref().map_or(0, Journal::seq);
        self.picture.send_replace(Picture {
            journal,
            state,
            plan: self.engine.plan().clone(),
            layers: self.layers.clone(),
        });
    }

    /// Back to what the journal has.
    async fn refuse(&mut self, draft: Draft, reason: &str) {
        for waiting in draft.waiting {
            match waiting {
                Waiting::Said(reply, kept) => {
                    let refused = || Err(Refusal::NotKept(reason.to_owned()));
                    drop(reply.send(kept.into_iter().map(|kept| kept.and_then(|()| refused())).collect()));
                }
                Waiting::Configured(reply) => drop(reply.send(Err(Refusal::NotKept(reason.to_owned())))),
                Waiting::Again(command) => drop(self.again.upgrade().map(|again| again.send(command))),
            }
        }
        let Some(mut journal) = self.journal.take() else {
            return;
        };
        let read = tokio::task::spawn_blocking(move || {
            let recalled = journal.recall();
            (journal, recalled)
        });
        let Ok((journal, recalled)) = read.await else {
            return;
        };
        self.journal = Some(journal);
        let recalled = match recalled {
            Ok(recalled) => recalled,
            Err(error) => return tracing::error!(%error, "the on-call journal cannot be read either"),
        };
        let mut plan = self.engine.plan().clone();
        if let Some((layers, before)) = draft.before {
            (self.layers, plan) = (layers, before);
        }
        self.open = recalled.open.into_iter().map(|row| (row.id, row)).collect();
        self.engine = Engine::new(plan, recalled.state);
        self.engine.was_deaf(self.now());
    }
}

#[cfg(test)]
mod tests;
