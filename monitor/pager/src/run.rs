//! Opens the pager, and runs its parts side by side: desk, dispatcher, feed, and the file's follower.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Index, Topic};
use wharf_monitor::{Incident, Storage};
use wharf_oncall::{Alert, Engine, Input, Plan};
use wharf_senders::Senders;

use crate::{
    Pager, PagerError, Picture, Refusal,
    desk::Desk,
    dispatch::{Dispatcher, Task},
    feed::{Feed, service_entity},
    journal::Journal,
    links::Signer,
    plan::Layers,
    watch as follower,
};

/// How long after a start what is open but does not fail is given to be found failing.
const SETTLED: Duration = Duration::from_secs(30);
/// Before what could not be kept is said again.
const RETRY: Duration = Duration::from_secs(1);

/// Where the configuration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The table in it, or nothing if it is the whole file.
    pub table: Option<String>,
}

impl Source {
    pub(crate) fn parse(&self, text: &str) -> Result<Plan, PagerError> {
        Plan::from_toml(text, self.table.as_deref())
            .map_err(|problems| PagerError::Config { path: self.path.display().to_string(), problems })
    }

    fn read(&self) -> Result<(Plan, String), PagerError> {
        let text = std::fs::read_to_string(&self.path).map_err(|error| PagerError::Read {
            path: self.path.display().to_string(),
            reason: error.to_string(),
        })?;
        Ok((self.parse(&text)?, text))
    }
}

/// What can be set.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file people configure on-call with, if there is one.
    pub source: Option<Source>,
    /// Where people reach wharf's pages, for links: `http://127.0.0.1:8500`.
    pub url: String,
}

/// What the pager is connected to.
#[derive(Debug)]
pub struct Parts {
    /// Where the journal is kept.
    pub storage: Storage,
    /// What exists.
    pub catalog: Catalog,
    /// What time it is.
    pub clock: Clock,
    /// Services that are down, as the monitor remembers them.
    pub open: Vec<Incident>,
    /// Incidents the monitor opens and resolves from then on.
    pub incidents: mpsc::UnboundedReceiver<Incident>,
    /// Random bytes, for the secret that links are signed with.
    pub random: Vec<u8>,
}

/// The pager at work. Has to be [`run`](Self::run).
pub struct Oncall {
    desk: Desk,
    dispatcher: Dispatcher,
    feed: Feed,
    incidents: mpsc::UnboundedReceiver<Incident>,
    catalog: Catalog,
    pager: Pager,
    followed: Option<(Source, String)>,
}

impl std::fmt::Debug for Oncall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oncall").field("pager", &self.pager).finish_non_exhaustive()
    }
}

impl Oncall {
    /// Opens the journal and reads the configuration. The process needs a default TLS provider (`rustls`), installed
    /// before. Blocks.
    pub fn open(config: Config, parts: Parts) -> Result<(Self, Pager), PagerError> {
        let followed = config.source.map(|source| source.read().map(|(plan, text)| (source, plan, text)));
        let (files, followed) = match followed.transpose()? {
            Some((source, plan, text)) => ((*plan).clone(), Some((source, text))),
            None => (wharf_oncall::Config::default(), None),
        };
        let (mut journal, reader, recalled) = Journal::recalled(&parts.storage)?;
        let (layers, plan) = Layers::new(files, recalled.documents).fit();
        layers.warn();
        let senders = Senders::new(&plan).map_err(|error| PagerError::Senders(error.to_string()))?;
        let signer = Arc::new(Signer::new(journal.secret("links", || parts.random.clone())?));
        let url: Arc<str> = config.url.trim_end_matches('/').into();
        let (commands, heard) = mpsc::unbounded_channel();
        let (tasks, given) = mpsc::unbounded_channel::<Task>();
        let picture = watch::Sender::new(Picture {
            journal: journal.seq(),
            state: Arc::new(recalled.state.clone()),
            plan: Arc::new(plan),
            layers: Arc::new(layers),
        });
        let pager = Pager {
            commands: commands.clone(),
            picture: picture.subscribe(),
            reader,
            signer: signer.clone(),
            url: url.clone(),
        };
        let clock = parts.clock.clone();
        let dispatcher = Dispatcher {
            plan: pager.picture().plan,
            senders,
            signer,
            url,
            desk: commands.downgrade(),
            now: Arc::new(move || Timestamp::from_millisecond(clock.now().0).unwrap_or_default()),
            tasks: given,
        };
        let desk = Desk {
            engine: Engine::new(pager.picture().plan, recalled.state),
            journal: Some(journal),
            layers: pager.picture().layers,
            open: recalled.open.into_iter().map(|row| (row.id, row)).collect(),
            clock: parts.clock,
            commands: heard,
            again: commands.downgrade(),
            picture,
            tasks,
        };
        let feed = Feed::restored(parts.open);
        let Parts { incidents, catalog, .. } = parts;
        Ok((Self { desk, dispatcher, feed, incidents, catalog, pager: pager.clone(), followed }, pager))
    }

    /// Until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { desk, dispatcher, feed, incidents, catalog, pager, followed } = self;
        let weak = pager.commands.downgrade();
        let file = async {
            if let Some((source, text)) = followed {
                follower::follow(source, text, weak, shutdown.clone()).await;
            }
        };
        // The desk goes last: what the others said is still kept.
        let last = CancellationToken::new();
        let others = async {
            tokio::join!(
                dispatcher.run(shutdown.clone()),
                file,
                shutdown.run_until_cancelled(follow(feed, incidents, catalog, pager)),
            );
            last.cancel();
        };
        tokio::join!(others, desk.run(last.clone()));
    }
}

/// Says what fails.
async fn follow(
    mut feed: Feed,
    mut incidents: mpsc::UnboundedReceiver<Incident>,
    catalog: Catalog,
    pager: Pager,
) {
    say(&pager, unheard(&feed, &catalog, &pager).await).await;
    let (mut seen, mut rested, mut monitored) = (Index::default(), Instant::now(), true);
    let mut settles = Some(Instant::now() + SETTLED);
    loop {
        let alerts = tokio::select! {
            incident = incidents.recv(), if monitored => match incident {
                Some(incident) => {
                    let mut alerts = vec![feed.service(incident, &catalog.snapshot())];
                    while let Ok(incident) = incidents.try_recv() {
                        alerts.push(feed.service(incident, &catalog.snapshot()));
                    }
                    alerts
                }
                None => { monitored = false; continue }
            },
            state = younger(&catalog, seen, rested) => {
                let begun = Instant::now();
                seen = state.index();
                let mut alerts = feed.nodes(&state);
                alerts.extend(feed.warnings(&state));
                rested = Instant::now() + begun.elapsed() * 9;
                alerts
            }
            () = sleep_until(settles.unwrap_or_else(Instant::now)), if settles.is_some() => {
                settles = None;
                feed.missed_recoveries(&pager.picture().state)
            }
        };
        say(&pager, alerts).await;
    }
}

/// The next catalog, not before `rested`: under a storm of commits this takes no more than a tenth of a core.
async fn younger(catalog: &Catalog, seen: Index, rested: Instant) -> Arc<wharf_catalog::State> {
    sleep_until(rested).await;
    catalog.changed(&Topic::Catalog, seen).await
}

/// What was down before the start and was not said: the last life ended in between. What somebody resolved by hand
/// meanwhile was said, and is not said again.
async fn unheard(feed: &Feed, catalog: &Catalog, pager: &Pager) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for incident in feed.down() {
        let started = Timestamp::from_millisecond(incident.started.0).ok();
        let last = pager.last_start(service_entity(&incident.service)).await;
        if !matches!(last, Ok(last) if last.is_some() && last == started) {
            alerts.push(crate::feed::service_alert(incident, &catalog.snapshot()));
        }
    }
    alerts
}

/// Until it is kept.
async fn say(pager: &Pager, alerts: Vec<Alert>) {
    let mut inputs: Vec<Input> = alerts.into_iter().map(|alert| Input::Alert(Box::new(alert))).collect();
    while !inputs.is_empty() {
        let kept = pager.say_all(inputs.clone()).await;
        let mut again = kept.iter().map(|kept| matches!(kept, Err(Refusal::NotKept(_))));
        inputs.retain(|_| again.next().unwrap_or(false));
        if !inputs.is_empty() {
            tokio::time::sleep(RETRY).await;
        }
    }
}
