//! What was, and what is: the read side.
//!
//! Every answer is worked out from one consistent picture of the ledger, off the async threads; what a
//! service's checks say now comes from the catalog.

pub(crate) mod recent;
pub(crate) mod report;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};
use wharf_catalog::{Catalog, Check, Clock, State, Timestamp};

use self::recent::Recent;
use crate::{
    ledger::{
        Ledger, happening,
        import::{Import, Imported, Test},
        read,
        writer::{Entry, Inbox},
    },
    rollup::{Bucket, DAY, HOUR, MINUTE, cover, floor},
    uptime::{Edges, bar, edges, tally},
    view::{
        CheckUptime, Happening, Incident, Interval, ResponsePoint, ServiceDetail, ServiceState,
        ServiceUptime, Window,
    },
};

/// Longest window whose response times are drawn from single check runs.
pub(crate) const BY_SAMPLE: Duration = Duration::from_secs(2 * 3600);
/// Longest window whose response times are drawn from minutes.
const BY_MINUTE: Duration = Duration::from_secs(2 * 86_400);
/// Points wider than this are drawn by whole days.
const BY_DAY: i64 = 18 * HOUR;
/// Most points of a drawing.
const POINTS: i64 = 120;

/// Reads what the monitor remembers. Cheap to clone; reading never slows the recording.
#[derive(Debug, Clone)]
pub struct History {
    pub(crate) ledger: Ledger,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    pub(crate) changes: watch::Receiver<u64>,
    /// How long single check runs and minutes are kept.
    pub(crate) samples_kept: Duration,
    pub(crate) minutes_kept: Duration,
    pub(crate) recent: Arc<Recent>,
    /// The way to the writer, while there is one.
    pub(crate) desk: Arc<Mutex<Option<Inbox>>>,
}

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// See to the disk.
    #[error("cannot read the monitor's database: {0}")]
    Read(String),
    /// Ask otherwise.
    #[error("{0}")]
    Question(String),
    /// The program is stopping.
    #[error("the monitor is shutting down")]
    Closed,
}

impl History {
    /// Every service the monitor knows, by name; those that were not there at any time of the window are
    /// left out.
    pub async fn services(&self, window: Window) -> Result<Vec<ServiceUptime>, HistoryError> {
        // Whoever asked took the time a moment ago.
        if window.to.0.saturating_add(recent::LATE) >= self.clock.now().0 {
            return self.ask(move |recent, ledger, looker| looker.table(recent, ledger, window)).await;
        }
        self.look(move |looker, connection| {
            let services = read::services(connection)?.into_iter();
            let rows = services.map(|(id, name)| looker.uptime(connection, id, name, window));
            Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().filter_map(was_there).collect())
        })
        .await
    }

    /// One service; `None` when nobody has ever heard of it.
    pub async fn service(&self, name: &str, window: Window) -> Result<Option<ServiceDetail>, HistoryError> {
        let name = name.to_owned();
        let state = self.catalog.snapshot();
        self.look(move |looker, connection| looker.detail(connection, &state, name, window)).await
    }

    /// The figures of one service; `None` when nobody has ever heard of it.
    pub async fn summary(&self, name: &str, window: Window) -> Result<Option<ServiceUptime>, HistoryError> {
        let name = name.to_owned();
        self.look(move |looker, connection| {
            let Some(id) = read::service(connection, &name)? else {
                return Ok(None);
            };
            Ok(Some(looker.uptime(connection, id, name, window)?.0))
        })
        .await
    }

    /// What the services of these names are, and since when; those nobody has heard of are left out.
    pub async fn current(
        &self,
        names: Vec<String>,
    ) -> Result<Vec<(String, ServiceState, Timestamp)>, HistoryError> {
        self.look(move |looker, connection| {
            let mut states = Vec::with_capacity(names.len());
            for name in names {
                if let Some(id) = read::service(connection, &name)? {
                    let current = looker.current(read::current(connection, id)?);
                    states.push((name, current.state, current.from));
                }
            }
            Ok(states)
        })
        .await
    }

    /// The single tests of a service that are still kept; `None` when nobody has ever heard of it.
    pub async fn tests(&self, name: &str, window: Window) -> Result<Option<Vec<Test>>, HistoryError> {
        let name = name.to_owned();
        self.look(move |_, connection| {
            let Some(id) = read::service(connection, &name)? else { return Ok(None) };
            let samples = read::samples(connection, id, window)?.into_iter();
            let millis = |micros: u64| micros as f64 / 1_000.0;
            Ok(Some(samples.map(|one| Test(one.at, one.up, one.micros.map(millis))).collect()))
        })
        .await
    }

    /// The last incidents, newest first.
    pub async fn incidents(&self, limit: usize) -> Result<Vec<Incident>, HistoryError> {
        self.look(move |_, connection| read::incidents(connection, limit)).await
    }

    /// What became of services, in the order in which it became known: the oldest numbered above `after`, or (without
    /// that) the newest numbered below `before`.
    pub async fn happenings(
        &self,
        after: Option<u64>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Happening>, HistoryError> {
        self.look(move |_, connection| happening::happenings(connection, after, before, limit)).await
    }

    /// Keeps a past from elsewhere, marked as such; returns once it is kept.
    pub async fn import(&self, import: Import) -> Result<Imported, HistoryError> {
        import.check().map_err(HistoryError::Question)?;
        let (asked, answer) = oneshot::channel();
        let import = Box::new(Import { now: self.clock.now(), ..import });
        {
            let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
            let inbox = desk.as_ref().ok_or(HistoryError::Closed)?;
            inbox.keep(vec![Entry::Import(import, asked)]);
        }
        answer.await.map_err(|_| HistoryError::Closed)
    }

    /// A number that grows when something a page shows may have changed: a transition or an incident at
    /// once, samples at most once a second.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Looker, &Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, HistoryError> {
        self.ask(move |_, ledger, looker| ledger.read(|connection| look(looker, connection))).await
    }

    /// Off the async threads.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Recent, &Ledger, &Looker) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let (recent, ledger) = (self.recent.clone(), self.ledger.clone());
        let looker = Looker {
            now: self.clock.now(),
            samples_kept: self.samples_kept,
            minutes_kept: self.minutes_kept,
        };
        tokio::task::spawn_blocking(move || ask(&recent, &ledger, &looker))
            .await
            .map_err(|_| HistoryError::Closed)?
            .map_err(|error| HistoryError::Read(error.to_string()))
    }
}

/// What a look needs beside the ledger.
#[derive(Debug, Clone, Copy)]
struct Looker {
    now: Timestamp,
    samples_kept: Duration,
    minutes_kept: Duration,
}

impl Looker {
    /// All services that were there at some time of a window that ends now, by name.
    fn table(
        &self,
        recent: &Recent,
        ledger: &Ledger,
        window: Window,
    ) -> Result<Vec<ServiceUptime>, rusqlite::Error> {
        let services = ledger.read(read::services)?;
        let ids: Vec<i64> = services.iter().map(|(id, _)| *id).collect();
        let entries = recent.all(ledger, self, &ids, window.length())?;
        let edges = edges(window);
        let mut rows = Vec::with_capacity(services.len());
        let mut total = Bucket::default();
        for (id, name) in services {
            let Some(entry) = entries.get(&id) else { continue };
            entry.total(id, window.length(), self.now, &mut total);
            rows.extend(match entry.states(window) {
                Some((states, last)) => {
                    let row = self.figures(name, states, self.current(last.cloned()), &edges, &total);
                    was_there((row, states))
                }
                None => was_there(ledger.read(|c| self.uptime_with(c, id, name, window, &total))?),
            });
        }
        Ok(rows)
    }

    fn uptime(
        &self,
        connection: &Connection,
        id: i64,
        service: String,
        window: Window,
    ) -> Result<(ServiceUptime, Vec<Interval>), rusqlite::Error> {
        let total = self.total(connection, id, window)?;
        self.uptime_with(connection, id, service, window, &total)
    }

    fn uptime_with(
        &self,
        connection: &Connection,
        id: i64,
        service: String,
        window: Window,
        total: &Bucket,
    ) -> Result<(ServiceUptime, Vec<Interval>), rusqlite::Error> {
        let intervals = read::intervals(connection, id, window)?;
        let last = match intervals.last() {
            Some(last) if last.to.is_none() => Some(last.clone()),
            _ => read::current(connection, id)?,
        };
        Ok((self.figures(service, &intervals, self.current(last), &edges(window), total), intervals))
    }

    /// What a row shows: states of the window, the state now, and all tests of the window.
    fn figures(
        &self,
        service: String,
        intervals: &[Interval],
        current: Interval,
        edges: &Edges,
        total: &Bucket,
    ) -> ServiceUptime {
        let window = Window { from: edges[0], to: edges[edges.len() - 1] };
        let tally = tally(intervals, window, self.now);
        ServiceUptime {
            service,
            state: current.state,
            since: current.from,
            reason: current.reason,
            availability: tally.availability(),
            responsiveness: total.responsiveness(),
            response_time_ms: total.mean_ms(),
            p50_ms: total.quantile_ms(0.5),
            p95_ms: total.quantile_ms(0.95),
            p99_ms: total.quantile_ms(0.99),
            tests: total.count,
            outages: tally.outages,
            downtime_ms: tally.down,
            bar: bar(intervals, edges, self.now),
        }
    }

    /// The state it is in, by the last one kept.
    fn current(&self, last: Option<Interval>) -> Interval {
        // What was imported may have ended without anything after it.
        let since = last.as_ref().map_or(self.now, |last| last.to.unwrap_or(last.from));
        last.filter(|last| last.to.is_none()).unwrap_or_else(|| Interval {
            from: since,
            to: None,
            state: ServiceState::Unmonitored,
            reason: String::new(),
            imported: false,
        })
    }

    fn total(
        &self,
        connection: &Connection,
        subject: i64,
        window: Window,
    ) -> Result<Bucket, rusqlite::Error> {
        read::total(connection, subject, &cover(window, self.now, self.minutes_kept))
    }

    fn detail(
        &self,
        connection: &Connection,
        state: &State,
        name: String,
        window: Window,
    ) -> Result<Option<ServiceDetail>, rusqlite::Error> {
        let Some(id) = read::service(connection, &name)? else {
            return Ok(None);
        };
        let checks = checks_of(state, &name)
            .into_iter()
            .map(|check| self.check(connection, &check, window))
            .collect::<Result<_, _>>()?;
        let incidents = read::incidents_of(connection, &name, window)?;
        let (summary, intervals) = self.uptime(connection, id, name, window)?;
        let (marks, imported) = (read::marks(connection, id, window)?, read::imports(connection, id)?);
        Ok(Some(ServiceDetail {
            marks,
            imported,
            summary,
            intervals,
            response_times: self.response_times(connection, id, window)?,
            checks,
            incidents,
        }))
    }

    fn check(
        &self,
        connection: &Connection,
        check: &Check,
        window: Window,
    ) -> Result<CheckUptime, rusqlite::Error> {
        let mut uptime = CheckUptime {
            node: check.node.clone(),
            check: check.id.clone(),
            name: check.name.clone(),
            instance: check.instance.clone(),
            status: check.status,
            since: check.status_since,
            availability: None,
            response_time_ms: None,
            output: check.output.clone(),
        };
        if let Some(id) = read::check(connection, &check.node, &check.id)? {
            let intervals = read::intervals(connection, id, window)?;
            uptime.availability = tally(&intervals, window, self.now).availability();
            let cover = cover(window, self.now, self.minutes_kept);
            // Checks have no minutes: hours that the window only touches count whole.
            let hours = floor(Timestamp(cover.head.start), HOUR)..cover.tail.end;
            uptime.response_time_ms = read::hours_total(connection, id, &hours)?.mean_ms();
        }
        Ok(uptime)
    }

    /// As fine as the window and what is still kept allow.
    fn response_times(
        &self,
        connection: &Connection,
        id: i64,
        window: Window,
    ) -> Result<Vec<ResponsePoint>, rusqlite::Error> {
        let length = window.length();
        let kept = |kept: Duration| window.from >= self.now.before(kept);
        let mut points = Points::new(window);
        if length <= BY_SAMPLE && kept(self.samples_kept.max(BY_SAMPLE)) {
            points.width = points.wide(1_000);
            for sample in read::samples(connection, id, window)? {
                points.at(sample.at).add(sample, Duration::MAX);
            }
            return Ok(points.drawn());
        }
        let (table, step) =
            if length <= BY_MINUTE && kept(self.minutes_kept) { ("minute", MINUTE) } else { ("hour", HOUR) };
        points.width = points.wide(step);
        if points.width > BY_DAY {
            // Whole days are summed up already.
            points.width = points.wide(DAY);
            let range = floor(window.from, DAY)..window.to.0;
            read::each_day_or_hour(connection, id, &range, |at, bucket| {
                points.at(Timestamp(at)).merge(bucket);
            })?;
            return Ok(points.drawn());
        }
        for (at, bucket) in read::buckets(connection, id, table, &(floor(window.from, step)..window.to.0))? {
            points.at(Timestamp(at)).merge(&bucket);
        }
        Ok(points.drawn())
    }
}

/// A row of a service that was there at some time of the window, or is now.
fn was_there<I: AsRef<[Interval]>>((row, intervals): (ServiceUptime, I)) -> Option<ServiceUptime> {
    let is = |interval: &Interval| interval.state != ServiceState::Unmonitored;
    (row.state != ServiceState::Unmonitored || intervals.as_ref().iter().any(is)).then_some(row)
}

/// Check runs gathered into the points of a drawing.
struct Points {
    length: i64,
    width: i64,
    buckets: BTreeMap<i64, Bucket>,
}

impl Points {
    fn new(window: Window) -> Self {
        let length = i64::try_from(window.length().as_millis()).unwrap_or(i64::MAX);
        Self { length, width: 1, buckets: BTreeMap::new() }
    }

    /// The multiple of `step` that gives no more than the wanted number of points.
    fn wide(&self, step: i64) -> i64 {
        let wanted = self.length / POINTS;
        (wanted / step + i64::from(wanted % step != 0)).max(1).saturating_mul(step)
    }

    fn at(&mut self, at: Timestamp) -> &mut Bucket {
        self.buckets.entry(floor(at, self.width)).or_default()
    }

    fn drawn(self) -> Vec<ResponsePoint> {
        let point = |(at, bucket): (i64, Bucket)| {
            Some(ResponsePoint {
                at: Timestamp(at),
                count: bucket.timed,
                mean_ms: bucket.mean_ms()?,
                min_ms: bucket.min as f64 / 1000.0,
                max_ms: bucket.max as f64 / 1000.0,
                p95_ms: bucket.quantile_ms(0.95)?,
            })
        };
        self.buckets.into_iter().filter_map(point).collect()
    }
}

/// The checks that decide a service's health now, each once; maintenance tests nothing and is left out.
fn checks_of(state: &State, name: &str) -> Vec<Arc<Check>> {
    let mut checks = BTreeMap::new();
    for health in state.service_health(name) {
        for check in health.checks().filter(|check| !check.is_maintenance()) {
            checks.insert((check.node.clone(), check.id.clone()), check.clone());
        }
    }
    checks.into_values().collect()
}
