//! The thread that writes: takes entries from everywhere, keeps them a batch at a time.
//!
//! Transitions and incidents are kept at once, check runs within a second, all that waits in one
//! transaction. Nobody waits for the disk: when it cannot keep up, check runs are dropped and counted;
//! transitions, incidents and deliveries never are. What could not be written is tried again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use metrics::{counter, histogram};
use tokio::{
    sync::{mpsc::UnboundedSender, oneshot, watch},
    time::Instant,
};
use wharf_catalog::{Outcome, Timestamp};

use super::{
    Pen,
    import::{self, Import, Imported},
    prune,
    write::{self, Subjects, Written},
};
use crate::{
    MonitorError, Retention,
    follow::{Mark, Subject, Transition},
    history::recent::Recent,
    incident::Incident,
    notify::{Delivery, DeliveryState},
};

/// Longest time a check run waits to be kept, and shortest between two notices of new ones.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// Most entries in one transaction.
const BATCH: usize = 8_192;
/// Most check runs that wait.
const WAITING: usize = 131_072;

/// Something to remember.
#[derive(Debug)]
pub(crate) enum Entry {
    Transition(Transition),
    /// An incident, and what has to be delivered because of it once it is kept.
    Incident(Incident, Vec<Delivery>),
    Delivery(Delivery),
    Mark(Mark),
    /// A past from elsewhere; who sends it waits to hear how it went.
    Import(Box<Import>, oneshot::Sender<Imported>),
    /// The monitor lives at this time: also the clock by which old things are removed.
    Alive(Timestamp),
    Samples(Vec<Outcome>),
}

/// The way to the writer. It stops when the last clone is gone.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    entries: Sender<Vec<Entry>>,
    waiting: Arc<AtomicUsize>,
}

impl Inbox {
    /// Has something kept, soon, and all of it in one transaction.
    pub(crate) fn keep(&self, entries: Vec<Entry>) {
        // The writer only goes away after its last inbox.
        let _ = self.entries.send(entries);
    }

    /// Has check runs kept, unless too many wait already.
    pub(crate) fn keep_samples(&self, outcomes: Vec<Outcome>) {
        let count = outcomes.len();
        if self.waiting.fetch_add(count, Ordering::Relaxed) > WAITING {
            self.waiting.fetch_sub(count, Ordering::Relaxed);
            counter!("wharf_monitor_outcomes_dropped_total").increment(count as u64);
            return;
        }
        self.keep(vec![Entry::Samples(outcomes)]);
    }
}

/// How the writer works.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) max_response_time: Duration,
    pub(crate) retention: Retention,
    /// Told of every incident that is kept.
    pub(crate) deliveries: UnboundedSender<Delivery>,
    /// Bumped when a page may look different.
    pub(crate) changes: watch::Sender<u64>,
    /// Told of all that is committed.
    pub(crate) recent: Arc<Recent>,
}

impl Settings {
    fn rules(&self) -> import::Rules {
        import::Rules {
            max_response_time: self.max_response_time,
            samples: self.retention.samples,
            minutes: self.retention.minutes,
        }
    }
}

/// Starts the writer on a thread of its own.
pub(crate) fn start(pen: Pen, settings: Settings) -> Result<(Inbox, JoinHandle<()>), MonitorError> {
    let (entries, inbox) = channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let mut writer = Writer {
        pen,
        settings,
        subjects: Subjects::default(),
        waiting: waiting.clone(),
        batch: Batch::default(),
        told: Instant::now(),
        failing: false,
        untold: false,
        pruned: 0,
        imports: Vec::new(),
    };
    let thread = std::thread::Builder::new()
        .name("monitor-writer".to_owned())
        .spawn(move || writer.run(&inbox))
        .map_err(|error| MonitorError::Thread(error.to_string()))?;
    Ok((Inbox { entries, waiting }, thread))
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Batch {
    /// In order; without samples.
    entries: Vec<Entry>,
    samples: Vec<Outcome>,
    /// Something a page shows at once.
    urgent: bool,
    begun: Option<Instant>,
}

impl Batch {
    fn push(&mut self, entry: Entry) {
        match entry {
            Entry::Samples(outcomes) => self.samples.extend(outcomes),
            entry => {
                self.urgent |= matches!(
                    entry,
                    Entry::Transition(_) | Entry::Incident(..) | Entry::Mark(_) | Entry::Import(..)
                );
                self.entries.push(entry);
            }
        }
    }
}

struct Writer {
    pen: Pen,
    settings: Settings,
    subjects: Subjects,
    waiting: Arc<AtomicUsize>,
    batch: Batch,
    told: Instant,
    /// The last batch could not be written, and that was told.
    failing: bool,
    /// Samples were kept that nobody was told of.
    untold: bool,
    /// Last subject looked at for old things.
    pruned: i64,
    /// How the imports of this batch went, in order.
    imports: Vec<Imported>,
}

impl Writer {
    fn run(&mut self, inbox: &Receiver<Vec<Entry>>) {
        loop {
            let patience =
                self.batch.begun.map_or(BATCH_TIME, |begun| BATCH_TIME.saturating_sub(begun.elapsed()));
            match inbox.recv_timeout(patience) {
                Ok(entry) => self.take(entry, inbox),
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => return self.write(),
            }
            let due = self.batch.begun.is_some_and(|begun| begun.elapsed() >= BATCH_TIME);
            if self.batch.urgent || due || self.batch.samples.len() >= BATCH {
                self.write();
            }
            self.tell_of_samples();
        }
    }

    /// Takes `first` and whatever else already waits.
    fn take(&mut self, first: Vec<Entry>, inbox: &Receiver<Vec<Entry>>) {
        self.batch.begun.get_or_insert_with(Instant::now);
        for entries in std::iter::once(first).chain(inbox.try_iter()) {
            for entry in entries {
                self.batch.push(entry);
            }
            if self.batch.samples.len() + self.batch.entries.len() >= BATCH {
                return;
            }
        }
    }

    fn write(&mut self) {
        if self.batch.begun.is_none() {
            return;
        }
        let begun = Instant::now();
        let result = self.transaction();
        histogram!("wharf_monitor_write_seconds").record(begun.elapsed().as_secs_f64());
        match result {
            Ok(()) => self.written(),
            Err(error) => self.not_written(&error),
        }
    }

    fn transaction(&mut self) -> Result<(), rusqlite::Error> {
        let Self { pen, settings, subjects, batch, pruned, imports, .. } = self;
        imports.clear();
        pen.with(|connection| {
            let transaction = connection.transaction()?;
            let mut written = Written::default();
            for entry in &batch.entries {
                match entry {
                    Entry::Transition(transition) => {
                        written.states.push(write::transition(&transaction, subjects, transition)?);
                    }
                    Entry::Incident(incident, deliveries) => {
                        write::incident(&transaction, incident)?;
                        for delivery in deliveries {
                            write::delivery(&transaction, delivery)?;
                        }
                    }
                    Entry::Delivery(delivery) => write::delivery(&transaction, delivery)?,
                    Entry::Mark(mark) => write::mark(&transaction, subjects, mark)?,
                    Entry::Import(import, _) => {
                        imports.push(import::keep(&transaction, subjects, import, &settings.rules())?);
                        let service = Subject::Service(import.service.as_str().into());
                        written.anew.push(subjects.id(&transaction, service)?);
                    }
                    Entry::Alive(now) => {
                        write::alive(&transaction, *now)?;
                        *pruned = prune::step(&transaction, subjects, &settings.retention, *now, *pruned)?;
                    }
                    Entry::Samples(_) => {}
                }
            }
            let limit = settings.max_response_time;
            write::samples(&transaction, subjects, &batch.samples, limit, &mut written)?;
            settings.recent.begin();
            let committed = transaction.commit();
            settings.recent.apply(committed.is_ok().then_some(&written));
            committed
        })
    }

    fn written(&mut self) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("monitor writes its database again");
        }
        let batch = std::mem::take(&mut self.batch);
        self.waiting.fetch_sub(batch.samples.len(), Ordering::Relaxed);
        self.untold |= !batch.samples.is_empty();
        let mut imports = std::mem::take(&mut self.imports).into_iter();
        for entry in batch.entries {
            match entry {
                Entry::Incident(_, deliveries) => {
                    for delivery in deliveries.into_iter().filter(|d| d.state == DeliveryState::Pending) {
                        // Nobody listens any more when the monitor stops: they are sent by its next life.
                        let _ = self.settings.deliveries.send(delivery);
                    }
                }
                Entry::Import(_, asked) => {
                    // Who asked may have gone away.
                    let _ = imports.next().map(|imported| asked.send(imported));
                }
                _ => {}
            }
        }
        if batch.urgent {
            self.tell();
        }
    }

    /// What must not be lost waits for the next try; check runs are let go when too many wait.
    fn not_written(&mut self, error: &rusqlite::Error) {
        let entries = self.batch.entries.len();
        if self.failing {
            tracing::debug!(%error, entries, "monitor still cannot write its database");
        } else {
            tracing::error!(%error, entries, "monitor cannot write its database, keeps what it has and tries on");
        }
        self.failing = true;
        // Rows the failed transaction made do not exist.
        self.subjects.forget();
        self.batch.entries.retain(|entry| !matches!(entry, Entry::Alive(_)));
        if self.batch.samples.len() >= BATCH {
            counter!("wharf_monitor_outcomes_dropped_total").increment(self.batch.samples.len() as u64);
            self.waiting.fetch_sub(self.batch.samples.len(), Ordering::Relaxed);
            self.batch.samples.clear();
        }
        self.batch.urgent = false;
        self.batch.begun = Some(Instant::now());
    }

    fn tell_of_samples(&mut self) {
        if self.untold && self.told.elapsed() >= BATCH_TIME {
            self.tell();
        }
    }

    fn tell(&mut self) {
        (self.told, self.untold) = (Instant::now(), false);
        self.settings.changes.send_modify(|changes| *changes += 1);
    }
}
