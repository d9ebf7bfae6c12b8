//! Opens the monitor, and runs its parts side by side: recorder, writer and couriers.

use std::{
    collections::{BTreeSet, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use tokio::sync::{
    mpsc::{self, UnboundedReceiver},
    watch,
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Outcome};

use crate::{
    Config, History,
    follow::{Follower, Restored, Rules},
    history::{
        BY_SAMPLE,
        recent::{self, Recent},
    },
    incident::{Incident, Incidents},
    ledger::{Ledger, Pen, read, write, writer},
    maintenance::{MaintenanceError, Windows},
    member::Key,
    notify::{
        Delivery,
        courier::{self, Office, Receiver},
    },
    record::Recorder,
};

/// Where the memory is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Forgotten when the process ends.
    Memory,
    /// In this file, created if there is none.
    File(PathBuf),
}

impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Why the monitor cannot start.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// See to permissions, free space and the path.
    #[error("cannot open the monitor's database `{path}`: {reason}")]
    Open {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file is damaged, or of a newer wharf.
    #[error(
        "the monitor's database `{path}` is not readable: {reason}; it was left as it is: move it away or restore a backup of it"
    )]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Mend the configuration.
    #[error("webhook `{url}`: {reason}")]
    Webhook {
        /// The receiver, without what may be secret.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Mend the configuration.
    #[error(transparent)]
    Maintenance(#[from] MaintenanceError),
    /// The system gives us no thread.
    #[error("cannot start the monitor's writer: {0}")]
    Thread(String),
}

/// Remembers uptime, opens and resolves incidents, notifies. Has to be [`run`](Self::run).
#[derive(Debug)]
pub struct Monitor {
    recorder: Recorder,
    post: Option<Post>,
    incoming: UnboundedReceiver<Delivery>,
    writer: JoinHandle<()>,
    history: History,
}

/// What it takes to notify.
#[derive(Debug)]
struct Post {
    client: reqwest::Client,
    receivers: HashMap<String, Receiver>,
    left_over: Vec<Delivery>,
}

impl Monitor {
    /// Opens the memory and gives the monitor, which has to be run, and the history to read from. With
    /// webhooks configured the process needs a default TLS provider (`rustls`), installed before.
    pub fn open(
        config: Config,
        storage: Storage,
        catalog: Catalog,
        clock: Clock,
        outcomes: mpsc::Receiver<Outcome>,
    ) -> Result<(Self, History), MonitorError> {
        let receivers = courier::receivers(&config)?;
        let client = courier::client(&config)?;
        let windows = Windows::new(&config.maintenance)?;
        let (ledger, mut pen) = Ledger::open(&storage)?;
        let memory = Memory::recall(&ledger, &mut pen).map_err(|error| MonitorError::Unreadable {
            path: storage.to_string(),
            reason: error.to_string(),
        })?;
        let mut retention = config.retention.clone();
        if ledger.is_memory() {
            retention.samples = retention.samples.min(BY_SAMPLE);
        }
        let (changes_sender, changes) = watch::channel(0);
        let (deliveries, incoming) = mpsc::unbounded_channel();
        let desk = Arc::new(Mutex::new(None));
        let recent = Arc::new(Recent::default());
        let history = History {
            desk: desk.clone(),
            recent: recent.clone(),
            ledger,
            catalog: catalog.clone(),
            clock: clock.clone(),
            changes,
            samples_kept: retention.samples,
            minutes_kept: retention.minutes,
        };
        let settings = writer::Settings {
            max_response_time: config.max_response_time,
            retention,
            deliveries,
            changes: changes_sender,
            recent,
        };
        let (inbox, writer) = writer::start(pen, settings)?;
        *desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(inbox.clone());
        let left_over = memory.pending;
        let post = client.map(|client| Post { client, receivers, left_over });
        let rules = Rules {
            min_healthy: config.min_healthy,
            grace: config.starting_grace,
            forget_after: config.forget_after,
        };
        let recorder = Recorder {
            follower: Follower::new(rules, clock.now(), memory.services)
                .with_maintenance(windows)
                .with_memory_of(memory.checks),
            incidents: Incidents::restored(memory.open, memory.last_incident),
            last_delivery: memory.last_delivery,
            told: None,
            config,
            catalog,
            clock,
            outcomes,
            inbox,
        };
        Ok((Self { recorder, post, incoming, writer, history: history.clone() }, history))
    }

    /// The incidents that are open, and from then on every one that is opened or resolved. For one listener.
    pub fn incidents(&mut self) -> (Vec<Incident>, UnboundedReceiver<Incident>) {
        let (told, heard) = mpsc::unbounded_channel();
        self.recorder.told = Some(told);
        (self.recorder.incidents.all().cloned().collect(), heard)
    }

    /// Follows the catalog and the outcomes until `shutdown`, then writes down what is left.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { mut recorder, post, incoming, writer, history } = self;
        let desk = history.desk.clone();
        let stop = shutdown.child_token();
        let _stops_couriers = stop.clone().drop_guard();
        let mail = post.map(|post| {
            let office = Office {
                client: post.client,
                limits: recorder.config.delivery.clone(),
                clock: recorder.clock.clone(),
                inbox: recorder.inbox.clone(),
                shutdown: stop.clone(),
            };
            courier::dispatch(office, post.receivers, post.left_over, incoming)
        });
        let mail = async {
            if let Some(mail) = mail {
                mail.await;
            }
        };
        tokio::join!(mail, recorder.follow(&stop), recent::warm(history, stop.clone()));
        recorder.leave();
        desk.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(recorder);
        // The last inbox is gone: the writer writes what it has and ends.
        let _ = tokio::task::spawn_blocking(move || writer.join()).await;
    }
}

/// What an earlier life left.
struct Memory {
    services: Vec<Restored>,
    checks: BTreeSet<Key>,
    open: Vec<Incident>,
    last_incident: u64,
    pending: Vec<Delivery>,
    last_delivery: u64,
}

impl Memory {
    fn recall(ledger: &Ledger, pen: &mut Pen) -> Result<Self, rusqlite::Error> {
        let services = pen.with(write::restore)?;
        ledger.read(|connection| {
            let (last_incident, last_delivery) = read::last_ids(connection)?;
            let open = read::open_incidents(connection)?;
            Ok(Self {
                services: with_incidents(services, &open),
                checks: read::open_checks(connection)?,
                open,
                last_incident,
                pending: read::pending(connection)?,
                last_delivery,
            })
        })
    }
}

/// A service with an open incident counts as down before, whatever state it was last seen in.
fn with_incidents(mut services: Vec<Restored>, open: &[Incident]) -> Vec<Restored> {
    for incident in open {
        if let Some(service) = services.iter_mut().find(|s| *s.service == *incident.service) {
            service.down.get_or_insert_with(|| incident.reason.clone());
        }
    }
    services
}
