//! What the table of all services shows again and again is kept at hand: its rows cost no query each.
//!
//! Of every service: its states of the last month, its tests of the last hours, and for each length of window that
//! is shown the sum of a closed stretch of that length. Read from the ledger once; from then on the writer adds what
//! it has committed ([`Recent::apply`]), and [`warm`] renews closed stretches before somebody asks. Late comers and
//! imports make the ledger be read again. Invariant: what is at hand is what the ledger says. So that nothing read
//! before a commit is kept after it, [`Recent`] has an edition, odd while the writer commits: what was read in one
//! edition is kept only while that lasts.
//!
//! A closed stretch ends at a full hour (for short windows: at full five minutes), of each service at another moment,
//! so that never all are worked out anew at the same time. So the table counts tests of up to two such steps more
//! than its window has; availability is exact.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;
use wharf_catalog::Timestamp;

use super::{History, Looker};
use crate::{
    ledger::{Ledger, read, write::Written},
    rollup::{Bucket, DAY, HOUR, MINUTE, cover, floor},
    view::{Interval, Window},
};

/// Windows up to this length go by five minutes.
const SHORT: Duration = Duration::from_secs(2 * 3600);
/// Outcomes may be this late without being missed.
pub(super) const LATE: i64 = 2 * MINUTE;
/// How far back states, hours and minutes are at hand.
const STATES: i64 = 31 * DAY;
const HOURS: i64 = 4 * HOUR;
const MINUTES: i64 = 30 * MINUTE;
/// Lengths of window of one service that sums are kept of.
const LENGTHS: usize = 8;
/// Services read in one go: no transaction is long.
const AT_ONCE: usize = 32;
/// Lengths that pages offer, the one they begin with first: nobody waits for their sums.
const OFFERED: [Duration; 4] = [
    Duration::from_secs(86_400),
    Duration::from_secs(3_600),
    Duration::from_secs(7 * 86_400),
    Duration::from_secs(30 * 86_400),
];
/// Between two looks for sums to renew.
const ROUND: Duration = Duration::from_secs(5);

/// What is at hand of all services.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    /// Odd while the writer commits.
    edition: u64,
    services: HashMap<i64, Arc<Entry>>,
}

/// What is at hand of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    states: Vec<Interval>,
    hours: BTreeMap<i64, Bucket>,
    minutes: BTreeMap<i64, Bucket>,
    /// From where on states, hours and minutes are complete.
    since: [i64; 3],
    /// By the length of the window, in milliseconds.
    sums: HashMap<i64, Sum>,
}

/// All tests of a closed stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sum {
    end: i64,
    bucket: Arc<Bucket>,
}

/// Which closed stretch a window that ends now starts from.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    length: i64,
    end: i64,
    is_short: bool,
}

impl Stretch {
    fn of(subject: i64, length: Duration, now: Timestamp) -> Self {
        let is_short = length <= SHORT;
        let step = if is_short { 5 * MINUTE } else { HOUR };
        let stagger = subject.wrapping_mul(7_919).rem_euclid(step / 1_000) * 1_000;
        Self {
            length: i64::try_from(length.as_millis()).unwrap_or(i64::MAX),
            end: floor(Timestamp(now.0.saturating_sub(LATE + stagger)), step),
            is_short,
        }
    }
}

impl Recent {
    /// The writer is about to commit.
    pub(crate) fn begin(&self) {
        self.shelf().edition += 1;
    }

    /// The writer has committed (`Some`: this), or has not.
    pub(crate) fn apply(&self, written: Option<&Written>) {
        let mut shelf = self.shelf();
        shelf.edition += 1;
        let Some(written) = written else { return };
        for service in &written.anew {
            shelf.services.remove(service);
        }
        for (service, state) in &written.states {
            if let Some(entry) = shelf.services.get_mut(service) {
                Arc::make_mut(entry).turn(state);
            }
        }
        for (&(service, at), bucket) in &written.hours {
            if let Some(entry) = shelf.services.get_mut(&service) {
                Arc::make_mut(entry).hours.entry(at).or_default().merge(bucket);
            }
        }
        for (&(service, at), bucket) in &written.minutes {
            if let Some(entry) = shelf.services.get_mut(&service) {
                let entry = Arc::make_mut(entry);
                entry.sums.retain(|_, sum| sum.end <= at);
                entry.minutes.entry(at).or_default().merge(bucket);
            }
        }
    }

    /// Of each service what a window of this length that ends now is made of.
    pub(super) fn all(
        &self,
        ledger: &Ledger,
        looker: &Looker,
        services: &[i64],
        length: Duration,
    ) -> Result<HashMap<i64, Arc<Entry>>, rusqlite::Error> {
        let mut ready = HashMap::with_capacity(services.len());
        let mut missing = Vec::new();
        let stretch = |service| Stretch::of(service, length, looker.now);
        {
            let shelf = self.shelf();
            for &service in services {
                match shelf.services.get(&service).filter(|entry| entry.has(stretch(service))) {
                    Some(entry) => drop(ready.insert(service, entry.clone())),
                    None => missing.push(service),
                }
            }
        }
        // From the other end than `warm`: whoever asks right after a start has half of it done by that.
        for some in missing.rchunks(AT_ONCE) {
            let edition = self.shelf().edition;
            let read = ledger.read(|connection| {
                let read = |&service: &i64| {
                    let known = self.shelf().services.get(&service).cloned();
                    let entry = looker.entry(connection, service, stretch(service), known)?;
                    Ok((service, Arc::new(entry)))
                };
                some.iter().map(read).collect::<Result<Vec<_>, rusqlite::Error>>()
            })?;
            self.keep(edition, &read);
            ready.extend(read);
        }
        Ok(ready)
    }

    /// Keeps what was read, unless the ledger says something else by now.
    fn keep(&self, edition: u64, read: &[(i64, Arc<Entry>)]) {
        let mut shelf = self.shelf();
        if shelf.edition == edition && edition.is_multiple_of(2) {
            shelf.services.extend(read.iter().cloned());
        }
    }

    /// Lets go of what no window reaches any more.
    fn tidy(&self, now: Timestamp) {
        for entry in self.shelf().services.values_mut().filter(|entry| entry.is_long(now)) {
            Arc::make_mut(entry).trim(now);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// As the ledger keeps it: never before the beginning of the last one, but maybe in its place.
    fn turn(&mut self, state: &Interval) {
        self.states.pop_if(|last| last.from >= state.from);
        if let Some(last) = self.states.last_mut().filter(|last| last.to.is_none()) {
            last.to = Some(state.from);
        }
        self.states.push(state.clone());
    }

    fn has(&self, stretch: Stretch) -> bool {
        self.is_complete_from(stretch) && self.sum(stretch).is_some()
    }

    fn is_complete_from(&self, Stretch { length, end, is_short }: Stretch) -> bool {
        let [states, hours, minutes] = self.since;
        // States from before all that is at hand are asked of the ledger itself.
        (states <= end.saturating_sub(length) || length > STATES - DAY)
            && end >= if is_short { minutes } else { hours }
    }

    fn sum(&self, stretch: Stretch) -> Option<&Sum> {
        self.sums.get(&stretch.length).filter(|sum| sum.end == stretch.end)
    }

    /// All tests of a window of this length that ends now, and of a little before it: into `total`, whatever that was.
    pub(super) fn total(&self, subject: i64, length: Duration, now: Timestamp, total: &mut Bucket) {
        let stretch = Stretch::of(subject, length, now);
        match self.sum(stretch) {
            Some(sum) => total.copy(&sum.bucket),
            None => *total = Bucket::default(),
        }
        let rest = if stretch.is_short { &self.minutes } else { &self.hours };
        // Whoever asked took the time a moment ago.
        let young = range(stretch.end..now.0.saturating_add(LATE));
        rest.range(young).for_each(|(_, bucket)| total.merge(bucket));
    }

    /// The states that reach into `window`, oldest first, and the last one there is; `None`: it begins before all
    /// that is at hand.
    pub(super) fn states(&self, window: Window) -> Option<(&[Interval], Option<&Interval>)> {
        if window.from.0 < self.since[0] {
            return None;
        }
        let first = self.states.partition_point(|state| state.from <= window.from).saturating_sub(1);
        let end = self.states.partition_point(|state| state.from < window.to).max(first);
        Some((&self.states[first..end], self.states.last()))
    }

    fn is_long(&self, now: Timestamp) -> bool {
        // Twice what is needed: nothing is copied for a single row.
        self.since[2] < now.0.saturating_sub(2 * MINUTES)
    }

    fn trim(&mut self, now: Timestamp) {
        let [states, hours, minutes] = since(now);
        let old = self.states.partition_point(|state| state.from.0 <= states).saturating_sub(1);
        self.states.drain(..old);
        self.hours = self.hours.split_off(&hours);
        self.minutes = self.minutes.split_off(&minutes);
        self.since = [self.since[0].max(states), self.since[1].max(hours), self.since[2].max(minutes)];
    }
}

/// From where on things are at hand.
fn since(now: Timestamp) -> [i64; 3] {
    let before = |length: i64, width| floor(Timestamp(now.0.saturating_sub(length)), width);
    [before(STATES, HOUR), before(HOURS, HOUR), before(MINUTES, MINUTE)]
}

/// Ranges that end before they begin are empty.
fn range(range: Range<i64>) -> Range<i64> {
    range.start..range.end.max(range.start)
}

impl Looker {
    /// What is at hand of a service, with the sum of `stretch`.
    fn entry(
        &self,
        connection: &Connection,
        service: i64,
        stretch: Stretch,
        known: Option<Arc<Entry>>,
    ) -> Result<Entry, rusqlite::Error> {
        let known = known.filter(|entry| entry.is_complete_from(stretch));
        let mut entry = match known {
            Some(entry) => Arc::unwrap_or_clone(entry),
            None => self.read(connection, service)?,
        };
        if entry.sum(stretch).is_none() {
            let Stretch { length, end, .. } = stretch;
            let window = Window { from: Timestamp(end.saturating_sub(length)), to: Timestamp(end) };
            let cover = cover(window, self.now, self.minutes_kept);
            let bucket = Arc::new(read::total(connection, service, &cover)?);
            if entry.sums.len() >= LENGTHS {
                entry.sums.clear();
            }
            entry.sums.insert(length, Sum { end, bucket });
        }
        Ok(entry)
    }

    fn read(&self, connection: &Connection, service: i64) -> Result<Entry, rusqlite::Error> {
        let since @ [states, hours, minutes] = since(self.now);
        let window = Window { from: Timestamp(states), to: Timestamp(i64::MAX) };
        let buckets = |table, from| read::buckets(connection, service, table, &(from..i64::MAX));
        Ok(Entry {
            states: read::intervals(connection, service, window)?,
            hours: buckets("hour", hours)?.into_iter().collect(),
            minutes: buckets("minute", minutes)?.into_iter().collect(),
            since,
            sums: HashMap::new(),
        })
    }
}

/// Renews sums before somebody asks for them, until `stop`.
pub(crate) async fn warm(history: History, stop: CancellationToken) {
    loop {
        if let Err(error) = round(&history, &stop).await {
            tracing::debug!(%error, "sums of the services table not renewed");
        }
        let pause = tokio::time::sleep(ROUND);
        if stop.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

async fn round(history: &History, stop: &CancellationToken) -> Result<(), super::HistoryError> {
    let services = history.look(|_, connection| read::services(connection)).await?;
    history.recent.tidy(history.clock.now());
    let services: Vec<i64> = services.into_iter().map(|(id, _)| id).collect();
    for length in OFFERED {
        // A bit at a time: others want the reading threads, and stopping waits for none of it.
        for some in services.chunks(8 * AT_ONCE) {
            if stop.is_cancelled() {
                return Ok(());
            }
            let some = some.to_vec();
            history.ask(move |recent, ledger, looker| recent.all(ledger, looker, &some, length)).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
