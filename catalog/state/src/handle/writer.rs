//! The writer: decides what commands change, proposes that to the store, and moves the state on by what the
//! store has kept. It is not the only one that proposes.
//!
//! Commits that arrive while the store is busy are proposed together (group commit). What was decided on a
//! state that is no longer the last one - a change, a refusal, or that nothing had to change - is decided anew
//! on what others have committed meanwhile. An answer is given once the state has reached its index. If the
//! store fails, nothing that was proposed happened as far as anybody is told, and the state stays what it was.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use metrics::{counter, gauge, histogram};
use tokio::sync::{mpsc, oneshot};

use super::{CommitError, Committed};
use crate::{
    Clock, Command, Commit, Index, State, Store, StoreError, Topic,
    apply::{Applied, Rejected, apply},
    commit::Renumbering,
    store::Wake,
    watch::Watchers,
};

/// Most commits proposed at once.
const GROUP: usize = 256;

/// What the writer is told to do.
pub(super) enum Order {
    /// Carry this out.
    Commit(Request),
    /// See what others have committed.
    Follow,
}

/// Commands to carry out together, and who waits for that.
pub(super) struct Request {
    pub(super) commands: Vec<Command>,
    pub(super) answer: oneshot::Sender<Result<Committed, CommitError>>,
}

/// Has `store` call when others may have committed; the flag says that it has.
pub(super) fn follow(store: &mut dyn Store, orders: &mpsc::Sender<Order>) -> Arc<AtomicBool> {
    let behind = Arc::new(AtomicBool::new(false));
    let (raised, orders) = (behind.clone(), orders.downgrade());
    store.follow(Wake::new(move || {
        // A full inbox needs no order: the writer looks at the flag before it takes up the next one.
        if !raised.swap(true, Ordering::SeqCst)
            && let Some(orders) = orders.upgrade()
        {
            let _ = orders.try_send(Order::Follow);
        }
    }));
    behind
}

pub(super) struct Writer {
    /// As of the last commit known here.
    pub(super) state: State,
    pub(super) current: Arc<ArcSwap<State>>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) store: Box<dyn Store>,
    pub(super) clock: Clock,
    /// Others may have committed.
    pub(super) behind: Arc<AtomicBool>,
}

/// What a group of requests comes to on one state.
struct Decided {
    proposed: Vec<Commit>,
    /// For each request: how many of the proposals its verdict rests on, its own included.
    verdicts: Vec<(usize, Result<Committed, Rejected>)>,
}

/// What became of it.
struct Outcome {
    /// So many of the verdicts hold; the others were decided on a state that was not the last one.
    settled: usize,
    /// The store says that somebody else has committed.
    overtaken: bool,
}

impl Writer {
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        let mut orders = Vec::with_capacity(GROUP);
        while inbox.blocking_recv_many(&mut orders, GROUP) > 0 {
            let requests = orders.drain(..).filter_map(|order| match order {
                Order::Commit(request) => Some(request),
                Order::Follow => None,
            });
            self.carry_out(requests.collect());
        }
    }

    fn carry_out(&mut self, mut requests: Vec<Request>) {
        let mut overtaken = false;
        loop {
            if let Err(error) = self.follow_others(overtaken) {
                return self.refuse(requests, &error);
            }
            if requests.is_empty() {
                return;
            }
            let mut decided = self.decide(&requests);
            let proposed = self.propose(&mut decided);
            // What rests on no proposal holds whatever became of those.
            let settled = proposed.as_ref().map_or_else(|_| decided.resting_on(0), |outcome| outcome.settled);
            answer(&mut requests, decided, settled);
            match proposed {
                Ok(outcome) => overtaken = outcome.overtaken,
                Err(error) => return self.refuse(requests, &error),
            }
        }
    }

    /// `certain`: that others have committed is known.
    fn follow_others(&mut self, certain: bool) -> Result<(), StoreError> {
        let told = self.behind.swap(false, Ordering::SeqCst);
        let moved_on = if certain || told { self.catch_up()? } else { true };
        if certain && !moved_on { Err(StoreError::NotTold) } else { Ok(()) }
    }

    fn decide(&self, requests: &[Request]) -> Decided {
        let mut state = self.state.clone();
        let mut decided = Decided { proposed: Vec::new(), verdicts: Vec::with_capacity(requests.len()) };
        for request in requests {
            let result = apply(&state, state.index().next(), self.clock.now(), &request.commands);
            let verdict = result.map(|applied| {
                let Applied { state: next, changes, replies, .. } = applied;
                let changed = !changes.is_empty();
                if changed {
                    decided.proposed.push(Commit { index: next.index(), changes });
                    state = next;
                }
                Committed { index: state.index(), changed, replies }
            });
            decided.verdicts.push((decided.proposed.len(), verdict));
        }
        decided
    }

    /// Has the store keep the proposals, and moves on by what it has kept.
    fn propose(&mut self, decided: &mut Decided) -> Result<Outcome, StoreError> {
        let after = self.state.index();
        if decided.proposed.is_empty() {
            // Nothing changes; if that is so as of the last commit too.
            let settled = if self.catch_up()? { 0 } else { decided.verdicts.len() };
            return Ok(Outcome { settled, overtaken: false });
        }
        let begun = tokio::time::Instant::now();
        let assigned = self.store.commit(after, &decided.proposed);
        histogram!("wharf_catalog_store_commit_seconds").record(begun.elapsed().as_secs_f64());
        let assigned = assigned?;
        decided.renumber(after, &assigned);
        self.advance(&decided.proposed[..assigned.len()]);
        if assigned.len() == decided.proposed.len() {
            return Ok(Outcome { settled: decided.verdicts.len(), overtaken: false });
        }
        counter!("wharf_catalog_store_conflicts_total").increment(1);
        let settled = if assigned.is_empty() { 0 } else { decided.resting_on(assigned.len()) };
        Ok(Outcome { settled, overtaken: true })
    }

    /// Moves on by what others have committed. Was there any?
    fn catch_up(&mut self) -> Result<bool, StoreError> {
        match self.store.since(self.state.index())? {
            Some(commits) => {
                self.advance(&commits);
                Ok(!commits.is_empty())
            }
            None => self.load_anew().map(|()| true),
        }
    }

    /// Too much was missed to follow: whoever watches is woken, and sees for himself.
    fn load_anew(&mut self) -> Result<(), StoreError> {
        let standing = self.store.load()?;
        let mut state = State::restored(standing.index, standing.records);
        state.remember(&self.state);
        self.state = state;
        self.current.store(Arc::new(self.state.clone()));
        self.watchers.wake_all();
        Ok(())
    }

    fn advance(&mut self, commits: &[Commit]) {
        if commits.is_empty() {
            return;
        }
        let mut topics = Vec::<Topic>::new();
        for commit in commits {
            self.state.advance(commit, &mut topics);
            counter!("wharf_catalog_changes_total").increment(commit.changes.len() as u64);
        }
        gauge!("wharf_catalog_index").set(self.state.index().0 as f64);
        self.current.store(Arc::new(self.state.clone()));
        self.watchers.wake(&topics);
    }

    /// The store has failed; what it may have kept all the same is looked for before the next commit.
    fn refuse(&self, requests: Vec<Request>, error: &StoreError) {
        self.behind.store(true, Ordering::SeqCst);
        counter!("wharf_catalog_store_errors_total").increment(1);
        tracing::error!(%error, commits = requests.len(), "catalog commit not kept");
        for request in requests {
            let _ = request.answer.send(Err(CommitError::Store(error.clone())));
        }
    }
}

impl Decided {
    /// How many verdicts, from the first on, rest on no more than `kept` proposals?
    fn resting_on(&self, kept: usize) -> usize {
        self.verdicts.partition_point(|(rests_on, _)| *rests_on <= kept)
    }

    fn renumber(&mut self, after: Index, assigned: &[Index]) {
        let Some(renumbering) = Renumbering::new(after, assigned) else {
            return;
        };
        self.proposed.iter_mut().for_each(|commit| renumbering.commit(commit));
        for committed in self.verdicts.iter_mut().filter_map(|(_, verdict)| verdict.as_mut().ok()) {
            renumbering.index(&mut committed.index);
            committed.replies.iter_mut().for_each(|reply| renumbering.reply(reply));
        }
    }
}

/// Gives the first `settled` requests their answers; the others stay.
fn answer(requests: &mut Vec<Request>, decided: Decided, settled: usize) {
    for (request, (_, verdict)) in requests.drain(..settled).zip(decided.verdicts) {
        let _ = request.answer.send(verdict.map_err(CommitError::from));
    }
}
