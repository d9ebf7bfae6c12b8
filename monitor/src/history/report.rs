//! How was it, hour by hour, day by day, month by month, year by year?
//!
//! Periods are those of the calendar in a time zone, cut where the window begins and ends. Every figure is worked
//! out from counts and sums of that period: a day is not a mean of hours. Tests are counted by the hour they fell
//! into, and by the minute in hours that no single period has for itself: where the window begins and ends, and at
//! midnight in zones whose offset is no whole hour. Where minutes are no longer kept, such an hour belongs to the
//! period it begins in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp as Instant, ToSpan, Unit, ZonedRound, tz::TimeZone};
use rusqlite::Connection;
use serde::Serialize;
use wharf_catalog::Timestamp;

use super::{History, HistoryError, Looker};
use crate::{
    ledger::read,
    rollup::{Bucket, HOUR, MINUTE, floor, oldest_minutes},
    uptime::tally,
    view::{ImportedStretch, Interval, ServiceState, Window},
};

/// Most periods of one report.
const PERIODS: usize = 10_000;

/// Most periods of all services of one answer together.
const ROWS: usize = 500_000;

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// Sixty minutes.
    Hour,
    /// From midnight to midnight: 23 hours or 25 where clocks change.
    Day,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

impl std::str::FromStr for Per {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "hour" => Ok(Self::Hour),
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            "year" => Ok(Self::Year),
            other => Err(format!("unknown period `{other}`: use `hour`, `day`, `month` or `year`")),
        }
    }
}

/// One service through a window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Its name.
    pub service: String,
    /// The whole window.
    pub total: Period,
    /// The window in periods, oldest first.
    pub periods: Vec<Period>,
    /// States within the window, oldest first.
    pub intervals: Vec<Interval>,
    /// What of its past was imported.
    pub imported: Vec<ImportedStretch>,
}

/// Figures of one stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Period {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// (tested - downtime) / tested; `None` when no time of it was tested.
    pub availability: Option<f64>,
    /// Share of tests that were up and answered within the maximum response time.
    pub responsiveness: Option<f64>,
    /// Mean over the tests that were timed.
    pub response_time_ms: Option<f64>,
    /// Half of the timed tests were at most this slow (to 2 %).
    pub p50_ms: Option<f64>,
    /// 95 of 100 were at most this slow (to 2 %).
    pub p95_ms: Option<f64>,
    /// 99 of 100 were at most this slow (to 2 %).
    pub p99_ms: Option<f64>,
    /// Check runs.
    pub tests: u64,
    /// Outages that touch it.
    pub outages: u64,
    /// Time up or down.
    pub tested_ms: u64,
    /// Time down.
    pub downtime_ms: u64,
    /// The worst state within it.
    pub state: ServiceState,
}

impl History {
    /// Reports of the services in `names` (`None`: all), by name; those nobody has heard of are left out.
    pub async fn report(
        &self,
        names: Option<Vec<String>>,
        window: Window,
        per: Per,
        zone: TimeZone,
    ) -> Result<Vec<Report>, HistoryError> {
        // Sums of days are of UTC's.
        let by_day = per != Per::Hour && zone == TimeZone::UTC;
        self.reports(names, window, per, zone, if by_day { Tests::ByDay } else { Tests::ByHour }).await
    }

    /// As [`report`](Self::report), but of states alone: no tests are counted, which is much cheaper.
    pub async fn availability(
        &self,
        names: Option<Vec<String>>,
        window: Window,
        per: Per,
        zone: TimeZone,
    ) -> Result<Vec<Report>, HistoryError> {
        self.reports(names, window, per, zone, Tests::Unread).await
    }

    async fn reports(
        &self,
        names: Option<Vec<String>>,
        window: Window,
        per: Per,
        zone: TimeZone,
        tests: Tests,
    ) -> Result<Vec<Report>, HistoryError> {
        let periods = periods(window, per, &zone).map_err(HistoryError::Question)?;
        let reports = self.look(move |looker, connection| {
            let wanted = wanted(connection, names)?;
            if wanted.len().saturating_mul(periods.len()) > ROWS {
                let services = wanted.len();
                return Ok(Err(format!(
                    "{services} services in {} periods are more than {ROWS} rows: ask for longer periods or fewer services",
                    periods.len()
                )));
            }
            let report = |(id, name)| looker.report(connection, id, name, window, &periods, tests);
            wanted.into_iter().map(report).collect::<Result<_, _>>().map(Ok)
        });
        reports.await?.map_err(HistoryError::Question)
    }
}

/// Which tests a report counts.
#[derive(Debug, Clone, Copy)]
enum Tests {
    ByHour,
    /// Where no period begins within a day of UTC.
    ByDay,
    Unread,
}

/// The rows and names of the services asked for, by name.
fn wanted(
    connection: &Connection,
    names: Option<Vec<String>>,
) -> Result<Vec<(i64, String)>, rusqlite::Error> {
    let Some(names) = names else { return read::services(connection) };
    let names: BTreeSet<String> = names.into_iter().collect();
    let mut wanted = Vec::with_capacity(names.len());
    for name in names {
        wanted.extend(read::service(connection, &name)?.map(|id| (id, name)));
    }
    Ok(wanted)
}

impl Looker {
    fn report(
        &self,
        connection: &Connection,
        id: i64,
        service: String,
        window: Window,
        periods: &[Window],
        tests: Tests,
    ) -> Result<Report, rusqlite::Error> {
        let intervals = read::intervals(connection, id, window)?;
        let buckets = self.tests(connection, id, window, periods, tests)?;
        let mut whole = Bucket::default();
        buckets.values().for_each(|bucket| whole.merge(bucket));
        let empty = Bucket::default();
        let mut rest = &intervals[..];
        let figures = periods.iter().enumerate().map(|(at, period)| {
            // What ended before this period is of no interest to later ones either.
            let over = rest.iter().take_while(|i| i.to.is_some_and(|to| to <= period.from)).count();
            rest = &rest[over..];
            let reach = rest.iter().take_while(|i| i.from < period.to).count();
            self.period(&rest[..reach], *period, buckets.get(&at).unwrap_or(&empty))
        });
        let periods = figures.collect();
        Ok(Report {
            total: self.period(&intervals, window, &whole),
            service,
            periods,
            imported: read::imports(connection, id)?,
            intervals,
        })
    }

    /// The tests of each period that has some.
    fn tests(
        &self,
        connection: &Connection,
        id: i64,
        window: Window,
        periods: &[Window],
        tests: Tests,
    ) -> Result<BTreeMap<usize, Bucket>, rusqlite::Error> {
        let mut buckets: BTreeMap<usize, Bucket> = BTreeMap::new();
        let shared = self.shared_hours(periods);
        let mut add = |at: i64, bucket: &Bucket| {
            // The window may begin within the first hour, or minute.
            let at = at.max(window.from.0);
            let period = periods.partition_point(|period| period.to.0 <= at);
            buckets.entry(period).or_default().merge(bucket);
        };
        // Days are summed up with all their hours: the first and the last of the window are no part of any.
        let (first, last) = (floor(window.from, HOUR), floor(window.to, HOUR));
        let from = if shared.contains(&first) { first + HOUR } else { first };
        let hours = from..if shared.contains(&last) { last } else { window.to.0 };
        match tests {
            Tests::Unread => return Ok(buckets),
            Tests::ByDay => read::each_day_or_hour(connection, id, &hours, &mut add)?,
            Tests::ByHour => read::each_hour(connection, id, &hours, |at, bucket| {
                if !shared.contains(&at) {
                    add(at, bucket);
                }
            })?,
        }
        for hour in shared {
            let minutes = hour.max(floor(window.from, MINUTE))..(hour + HOUR).min(window.to.0);
            read::each_bucket(connection, "minute", id, &minutes, &mut add)?;
        }
        Ok(buckets)
    }

    /// Hours that a period begins or ends within, as far as their minutes are kept. The hour that is not over yet is
    /// whole: nothing comes after it.
    fn shared_hours(&self, periods: &[Window]) -> BTreeSet<i64> {
        let oldest = oldest_minutes(self.now, self.minutes_kept);
        let edges = periods.iter().flat_map(|period| [period.from, period.to]);
        let within = edges.filter(|edge| *edge < self.now && edge.0 % HOUR != 0);
        within.map(|edge| floor(edge, HOUR)).filter(|hour| *hour >= oldest).collect()
    }

    fn period(&self, intervals: &[Interval], period: Window, bucket: &Bucket) -> Period {
        let tally = tally(intervals, period, self.now);
        Period {
            from: period.from,
            to: period.to,
            availability: tally.availability(),
            responsiveness: bucket.responsiveness(),
            response_time_ms: bucket.mean_ms(),
            p50_ms: bucket.quantile_ms(0.5),
            p95_ms: bucket.quantile_ms(0.95),
            p99_ms: bucket.quantile_ms(0.99),
            tests: bucket.count,
            outages: tally.outages,
            tested_ms: tally.up + tally.down,
            downtime_ms: tally.down,
            state: tally.worst.unwrap_or(ServiceState::Unmonitored),
        }
    }
}

/// The periods of the calendar that `window` touches, cut to it.
fn periods(window: Window, per: Per, zone: &TimeZone) -> Result<Vec<Window>, String> {
    let (unit, step) = match per {
        Per::Hour => (Unit::Hour, 1.hour()),
        Per::Day => (Unit::Day, 1.day()),
        Per::Month => (Unit::Month, 1.month()),
        Per::Year => (Unit::Year, 1.year()),
    };
    let impossible = |error: jiff::Error| format!("the window cannot be divided: {error}");
    let begin = Instant::from_millisecond(window.from.0).map_err(impossible)?.to_zoned(zone.clone());
    let mut at = match unit {
        Unit::Month => begin.first_of_month().and_then(|day| day.start_of_day()),
        Unit::Year => begin.first_of_year().and_then(|day| day.start_of_day()),
        Unit::Day => begin.start_of_day(),
        unit => begin.round(ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Trunc)),
    }
    .map_err(impossible)?;
    let mut periods = Vec::new();
    while at.timestamp().as_millisecond() < window.to.0 {
        if periods.len() >= PERIODS {
            return Err(format!("that makes more than {PERIODS} periods: ask for longer ones"));
        }
        let mut next = at.checked_add(step).map_err(impossible)?;
        if unit == Unit::Day {
            // Where midnight is skipped the next day begins later.
            next = next.start_of_day().map_err(impossible)?;
        }
        let from = Timestamp(at.timestamp().as_millisecond()).max(window.from);
        let to = Timestamp(next.timestamp().as_millisecond()).min(window.to);
        periods.push(Window { from, to });
        at = next;
    }
    Ok(periods)
}

#[cfg(test)]
mod tests;
