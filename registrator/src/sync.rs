//! The loop: listens to the engine, keeps the [`Fleet`] up to date, commits what the [`plan`] says.
//!
//! The list is the truth: it is read at every connection and every `reconcile_interval`. While the engine is
//! away, entries stay (the containers may well run on) and health checks judge them.

use std::{collections::HashSet, future, sync::Arc, time::Duration};

use bollard::models::EventMessage;
use futures_util::{FutureExt, Stream, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use metrics::{counter, gauge, histogram};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use wharf_catalog::{Clock, Command, State, Status};

use crate::{
    config::{Config, Deregister},
    docker::{self, Engine, EngineError},
    event::{ContainerEvent, EventKind},
    fleet::{Answer, Clash, Fleet, Listed, Question, Turn},
    plan::{Owner, Sweep, plan},
    registration::sign_of_life_id,
    registry::{Refusal, Registry, RegistryError},
};

/// First wait before connecting again; it doubles up to `reconnect_max`.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// First wait before a commit that failed is tried again, and the longest.
const COMMIT_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));
/// Changes of the catalog by others are looked at this often at most.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// A connection that held this long was a good one: the next wait is short again.
const GOOD_CONNECTION: Duration = Duration::from_secs(10);

/// Keeps the catalog behind `registry` in line with the containers of one engine until `shutdown`. Errors never
/// end it.
pub async fn run(config: Config, registry: impl Registry, clock: Clock, shutdown: CancellationToken) {
    let mut sync = Sync::new(config, registry, clock);
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = sync.forever() => {}
    }
}

type Inspection = BoxFuture<'static, (Question, Answer, Option<Instant>)>;
type Listing = BoxFuture<'static, (Turn, Result<Vec<Listed>, EngineError>)>;

struct Sync<R> {
    config: Config,
    host: String,
    registry: R,
    clock: Clock,
    owner: Owner,
    fleet: Fleet,
    inspections: FuturesUnordered<Inspection>,
    /// When the events came that the next commit deals with.
    received: Vec<Instant>,
    /// Something happened that the catalog may have to follow.
    unsettled: bool,
    retry_commit: Option<Instant>,
    retry_wait: Duration,
    /// The catalog could not be had, and that was told.
    failing: bool,
    /// Until then, changes of the catalog by others are not looked at.
    look_again: Instant,
    /// Others changed the catalog, and that was not looked at yet.
    look_owed: bool,
    /// How often the catalog has been away.
    absences: u64,
    /// What dangles from before we ran was removed.
    cleaned: bool,
    /// When signs of life are due.
    sign_of_life: Option<Instant>,
    /// What was complained about and still holds.
    said: HashSet<Said>,
    connection: Connection,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Said {
    Clash(Clash),
    Refused(Arc<str>),
    Rejected(Refusal),
}

impl Said {
    fn instance(&self) -> &Arc<str> {
        match self {
            Self::Refused(instance)
            | Self::Clash(Clash { instance, .. })
            | Self::Rejected(Refusal { instance, .. }) => instance,
        }
    }

    fn say(&self) {
        match self {
            Self::Clash(Clash { instance, holder, loser }) => warn!(
                %instance, %holder, container = %loser, remedy = "give each its own `SERVICE_ID`",
                "two containers ask for one instance id, the second is not registered"
            ),
            Self::Refused(instance) => warn!(
                %instance, remedy = "give the container another `SERVICE_ID`, or deregister the other service",
                "an instance id is taken by a service that is not ours, the container is not registered"
            ),
            Self::Rejected(Refusal { instance, reason }) => {
                warn!(%instance, reason, "the catalog refuses the instance, it is not registered; trying again now and then");
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Connection {
    NotYet,
    Up,
    Lost,
}

impl<R: Registry> Sync<R> {
    fn new(config: Config, registry: R, clock: Clock) -> Self {
        let host = docker::address(&config);
        let local = docker::is_local(&host) && registry.is_local();
        Self {
            owner: Owner::new(&config),
            fleet: Fleet::new(config.clone(), local),
            look_again: Instant::now(),
            look_owed: false,
            absences: 0,
            cleaned: false,
            sign_of_life: config.ttl.map(|ttl| Instant::now() + ttl.refresh),
            config,
            host,
            registry,
            clock,
            inspections: FuturesUnordered::new(),
            received: Vec::new(),
            unsettled: true,
            retry_commit: None,
            retry_wait: COMMIT_RETRY.0,
            failing: false,
            said: HashSet::new(),
            connection: Connection::NotYet,
        }
    }

    async fn forever(&mut self) {
        let (mut wait, mut missed) = (FIRST_WAIT, false);
        loop {
            let begun = Instant::now();
            let Err(error) = self.session().await;
            self.fleet.interrupted();
            self.inspections.clear();
            if begun.elapsed() >= GOOD_CONNECTION {
                wait = FIRST_WAIT;
            }
            self.report_loss(&error, &mut missed);
            self.wait_out(wait).await;
            wait = (wait * 2).min(self.config.reconnect_max);
        }
    }

    /// Says once that the engine is away.
    fn report_loss(&mut self, error: &EngineError, missed: &mut bool) {
        match self.connection {
            Connection::Up => warn!(%error, "lost the Docker engine; entries stay, retrying"),
            Connection::NotYet if !*missed => {
                warn!("{error}; services can be registered over HTTP; retrying");
            }
            Connection::NotYet | Connection::Lost => debug!(%error, "the Docker engine is still away"),
        }
        *missed = true;
        if self.connection == Connection::Up {
            self.connection = Connection::Lost;
        }
    }

    fn report_connection(&mut self, containers: usize) {
        match self.connection {
            Connection::NotYet => info!(host = %self.host, containers, "connected to the Docker engine"),
            Connection::Lost | Connection::Up => {
                counter!("wharf_registrator_reconnects_total").increment(1);
                info!(host = %self.host, containers, "the Docker engine is back");
            }
        }
        self.connection = Connection::Up;
    }

    /// Between two connections drains still end, and what the catalog lost comes back.
    async fn wait_out(&mut self, wait: Duration) {
        let end = Instant::now() + wait;
        loop {
            self.settle().await;
            let deadline = self.deadline().filter(|deadline| *deadline < end);
            tokio::select! {
                () = sleep_until(end) => return,
                () = at(deadline) => self.advance(),
                () = changed(&self.registry, self.look_again, self.look_owed), if self.may_settle() => {
                    self.look_at_the_catalog();
                }
            }
        }
    }

    /// One connection, from list to loss.
    async fn session(&mut self) -> Result<std::convert::Infallible, EngineError> {
        let engine = Arc::new(Engine::new(&self.host, &self.config)?);
        let (since, turn) = (self.clock.now(), self.fleet.turn());
        let list = engine.list().await?;
        self.report_connection(list.len());
        let mut events = engine.events(since);
        self.listed(&engine, turn, list);
        let mut listing: Option<Listing> = None;
        let mut reconcile_at = Instant::now() + self.config.reconcile_interval;
        loop {
            self.take_what_is_ready(&engine, &mut events)?;
            self.settle().await;
            let deadline = self.deadline();
            tokio::select! {
                biased;
                message = events.next() => self.heard(&engine, message)?,
                Some(answer) = self.inspections.next() => self.answered(answer),
                (turn, list) = polled(&mut listing) => {
                    listing = None;
                    self.listed(&engine, turn, list?);
                }
                () = sleep_until(reconcile_at), if listing.is_none() => {
                    reconcile_at = Instant::now() + self.config.reconcile_interval;
                    let (engine, turn) = (engine.clone(), self.fleet.turn());
                    listing = Some(Box::pin(async move { (turn, engine.list().await) }));
                }
                () = at(deadline) => self.advance(),
                () = changed(&self.registry, self.look_again, self.look_owed), if self.may_settle() => {
                    self.look_at_the_catalog();
                }
            }
        }
    }

    fn advance(&mut self) {
        self.fleet.advance(Instant::now());
        self.unsettled = true;
    }

    fn look_at_the_catalog(&mut self) {
        self.look_owed = true;
        self.unsettled = true;
    }

    /// Everything that is there already goes into one commit.
    fn take_what_is_ready(
        &mut self,
        engine: &Arc<Engine>,
        events: &mut (impl Stream<Item = Result<EventMessage, EngineError>> + Unpin),
    ) -> Result<(), EngineError> {
        const MOST: usize = 256;
        for _ in 0..MOST {
            if let Some(message) = events.next().now_or_never() {
                self.heard(engine, message)?;
            } else if let Some(Some(answer)) = self.inspections.next().now_or_never() {
                self.answered(answer);
            } else {
                break;
            }
        }
        Ok(())
    }

    fn heard(
        &mut self,
        engine: &Arc<Engine>,
        message: Option<Result<EventMessage, EngineError>>,
    ) -> Result<(), EngineError> {
        let message = message.unwrap_or_else(|| Err(engine.ended()))?;
        let Some(event) = ContainerEvent::from_message(message) else {
            return Ok(());
        };
        let now = Instant::now();
        counter!("wharf_registrator_events_total", "action" => event.kind.as_str()).increment(1);
        debug!(container = %event.container, kind = ?event.kind, "container event");
        let questions = self.fleet.apply(now, &event);
        // What has to be looked up first is followed when that is done.
        let at_once = matches!(event.kind, EventKind::Paused | EventKind::Unpaused | EventKind::Health(_));
        self.unsettled |= questions.is_empty() || at_once;
        if questions.is_empty() {
            self.received.push(now);
        }
        for question in questions {
            self.inspect(engine, question, Some(now));
        }
        Ok(())
    }

    fn inspect(&mut self, engine: &Arc<Engine>, question: Question, received: Option<Instant>) {
        let engine = engine.clone();
        self.inspections.push(Box::pin(async move {
            let answer = engine.inspect(&question.container).await;
            (question, answer, received)
        }));
    }

    fn answered(&mut self, (question, answer, received): (Question, Answer, Option<Instant>)) {
        self.received.extend(received);
        self.unsettled = true;
        for complaint in self.fleet.answer(&question, answer) {
            let (container, key, value) = (&complaint.container, &complaint.key, &complaint.value);
            warn!(%container, %key, %value, remedy = %complaint.remedy, "{}", complaint.problem);
        }
    }

    fn listed(&mut self, engine: &Arc<Engine>, turn: Turn, list: Vec<Listed>) {
        self.unsettled = true;
        for question in self.fleet.list(turn, list) {
            self.inspect(engine, question, None);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let settles = self.fleet.is_listed() && self.retry_commit.is_none();
        let sign_of_life = self.sign_of_life.filter(|_| settles);
        [self.fleet.next_deadline(), self.retry_commit, sign_of_life].into_iter().flatten().min()
    }

    /// Is it known what runs, and is the catalog worth another try? Until then its news change nothing, and
    /// nobody listens for them.
    fn may_settle(&self) -> bool {
        self.fleet.is_listed() && self.retry_commit.is_none_or(|retry| retry <= Instant::now())
    }

    /// Has the catalog hold what is desired.
    async fn settle(&mut self) {
        if !self.may_settle() || !self.unsettled {
            return;
        }
        self.retry_commit = None;
        match self.try_settle().await {
            Ok(()) => self.recovered(),
            // It stays unsettled.
            Err(error) => return self.failed(&error),
        }
        for received in self.received.drain(..) {
            histogram!("wharf_registrator_event_seconds").record(received.elapsed().as_secs_f64());
        }
    }

    async fn try_settle(&mut self) -> Result<(), RegistryError> {
        let held = self.registry.snapshot().await?;
        if held.absences > self.absences {
            self.absences = held.absences;
            self.fleet.catalog_was_away();
        }
        self.look_owed |= held.news;
        if self.look_owed && self.look_again <= Instant::now() {
            self.fleet.touch_everything();
        }
        let (plan, mut to_say) = match self.plan_for_touched(&held.state) {
            Some(narrow) => narrow,
            None => {
                (self.look_owed, self.look_again) = (false, Instant::now() + LOOK_AGAIN);
                self.fleet.touch_everything();
                self.plan_everything(&held.state)
            }
        };
        gauge!("wharf_registrator_instances").set(self.fleet.instances() as f64);
        let commands = plan.into_iter().chain(self.signs_of_life(&held.state)).collect::<Vec<_>>();
        let mut rejected = Vec::new();
        if !commands.is_empty() {
            rejected = self.commit(commands).await?;
        }
        to_say.extend(rejected.into_iter().map(Said::Rejected));
        to_say.difference(&self.said).for_each(Said::say);
        self.said = to_say;
        let said = &self.said;
        self.fleet.settled(|instance| {
            said.iter().any(|said| !matches!(said, Said::Clash(_)) && said.instance() == instance)
        });
        Ok(())
    }

    /// What has to be done, and what has to be said as long as it holds.
    fn plan_everything(&mut self, state: &State) -> (Vec<Command>, HashSet<Said>) {
        let (desired, clashes) = self.fleet.desired();
        let (complete, spared) = (self.fleet.is_complete(), self.fleet.spared());
        let keeps_all = self.config.deregister == Deregister::Never && (self.cleaned || !self.config.cleanup);
        let sweep = match complete && !keeps_all {
            true if spared.is_empty() || self.config.deregister == Deregister::Never => Sweep::All,
            true => Sweep::AllBut(&spared),
            false => Sweep::Only(self.fleet.released()),
        };
        let plan = plan(&self.owner, &desired, state, sweep);
        self.cleaned |= complete;
        let clashes = clashes.into_iter().map(Said::Clash);
        (plan.commands, plan.refused.into_iter().map(Said::Refused).chain(clashes).collect())
    }

    /// As [`Self::plan_everything`], with a look at nothing but what an event was about: of a thousand containers
    /// that is one. `None`: that does not do.
    fn plan_for_touched(&self, state: &State) -> Option<(Vec<Command>, HashSet<Said>)> {
        let desired = self.fleet.desired_of_touched()?;
        state.node(&self.config.node)?;
        let released = self.fleet.released();
        let plan = plan(&self.owner, &desired, state, Sweep::Only(released));
        let untouched = |said: &&Said| {
            let instance = said.instance();
            !desired.contains_key(&**instance) && !released.contains(instance)
        };
        let still = self.said.iter().filter(untouched).cloned();
        Some((plan.commands, still.chain(plan.refused.into_iter().map(Said::Refused)).collect()))
    }

    /// Renews the checks that say that somebody looks after the instances.
    fn signs_of_life(&mut self, held: &State) -> Vec<Command> {
        let Some((ttl, due)) = self.config.ttl.zip(self.sign_of_life) else {
            return Vec::new();
        };
        if due > Instant::now() {
            return Vec::new();
        }
        self.sign_of_life = Some(Instant::now() + ttl.refresh);
        let node = &self.config.node;
        let ids = self.fleet.alive().map(|registration| sign_of_life_id(&registration.instance.id));
        let sign = |check: String| Command::SetCheckStatus {
            node: node.clone(),
            check: check.into(),
            status: Status::Passing,
            output: "the registrator looks after it".to_owned(),
        };
        ids.filter(|id| held.check(node, id).is_some()).map(sign).collect()
    }

    async fn commit(&mut self, commands: Vec<Command>) -> Result<Vec<Refusal>, RegistryError> {
        let count = |wanted: fn(&Command) -> bool| commands.iter().filter(|c| wanted(c)).count();
        let registered = count(|command| matches!(command, Command::PutInstance(_)));
        let removed = count(|command| matches!(command, Command::DeleteInstance(..)));
        let checks = commands.len() - registered - removed;
        let refused = self.registry.commit(commands).await?;
        if refused.is_empty() {
            info!(registered, removed, checks, "catalog follows the containers");
        } else {
            debug!(registered, removed, checks, refused = refused.len(), "catalog follows in part");
        }
        Ok(refused)
    }

    fn recovered(&mut self) {
        if self.failing {
            info!("the catalog is back, and holds what runs");
        }
        (self.failing, self.retry_wait, self.unsettled) = (false, COMMIT_RETRY.0, false);
    }

    fn failed(&mut self, error: &RegistryError) {
        if self.failing {
            debug!(%error, "the catalog is still away");
        } else {
            counter!("wharf_registrator_catalog_absences_total").increment(1);
            warn!(%error, "cannot tell the catalog what runs; retrying");
        }
        // Nobody knows what became of the commit.
        self.fleet.touch_everything();
        self.failing = true;
        self.retry_commit = Some(Instant::now() + self.retry_wait);
        self.retry_wait = (self.retry_wait * 2).min(COMMIT_RETRY.1);
    }
}

/// Waits until others may have changed the catalog, not before `earliest`. `owed`: they have.
async fn changed(registry: &impl Registry, earliest: Instant, owed: bool) {
    sleep_until(earliest).await;
    if !owed {
        registry.changed().await;
    }
}

async fn polled(listing: &mut Option<Listing>) -> (Turn, Result<Vec<Listed>, EngineError>) {
    match listing {
        Some(listing) => listing.await,
        None => future::pending().await,
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => future::pending().await,
    }
}
