//! The services table: one row each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wharf_catalog::{Health, State, Timestamp};
use wharf_monitor::{BarSlot, ServiceState, ServiceUptime, Window};

use super::{floor_to, is_catalog_itself, millis, share};

/// One service as the table shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceRow {
    /// Its name.
    pub name: String,
    /// What is known now.
    pub state: ServiceState,
    /// Some of its instances fail, whether or not that brings it down.
    pub degraded: bool,
    /// Since when it has been in that state; `None` before anybody looked.
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: String,
    /// (tested - downtime) / tested.
    pub availability: Option<f64>,
    /// Mean response time, milliseconds.
    pub response_ms: Option<f64>,
    /// Instances that take traffic.
    pub passing: usize,
    /// Instances there are.
    pub total: usize,
    /// Tags of all its instances, sorted.
    pub tags: Vec<String>,
    /// The uptime bar over the window.
    pub bar: Bar,
    /// More figures, where there is a past; the live table goes without.
    #[serde(flatten)]
    pub figures: Option<Figures>,
}

/// Figures that change with every single test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Share of tests that were up and answered in time.
    pub responsiveness: Option<f64>,
    /// Half of the answers were at most this slow, milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 of 100 answers were at most this slow, milliseconds.
    pub p95_ms: Option<f64>,
    /// 99 of 100 answers were at most this slow, milliseconds.
    pub p99_ms: Option<f64>,
    /// Tests in the window.
    pub tests: u64,
    /// Outages that touch the window.
    pub outages: u64,
    /// Time down within the window.
    pub downtime_ms: u64,
}

impl ServiceRow {
    /// The row without the figures that change with every single test.
    #[must_use]
    pub fn brief(self) -> Self {
        Self { figures: None, ..self }
    }
}

/// An uptime bar: the window in equal parts, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// One letter a part, its worst state: `u`p, `d`own, `p`aused, `s`tarting, `-` not monitored.
    pub states: String,
    /// Availability of the parts where the letter does not say it (`u`: 1, `d`: 0, else unknown), by
    /// position from 0, rounded down to whole per cents.
    pub partial: BTreeMap<usize, f64>,
}

impl Bar {
    /// How many parts a bar has.
    pub const SLOTS: usize = 48;

    fn of(slots: &[BarSlot]) -> Self {
        let rounded = |slot: &BarSlot| slot.availability.map(|a| floor_to(a, 100.0));
        Self {
            states: slots.iter().map(|slot| letter(slot.state)).collect(),
            partial: slots
                .iter()
                .enumerate()
                .filter(|(_, slot)| rounded(slot) != implied(slot.state))
                .filter_map(|(at, slot)| Some((at, rounded(slot)?)))
                .collect(),
        }
    }

    fn unknown() -> Self {
        Self { states: "-".repeat(Self::SLOTS), partial: BTreeMap::new() }
    }
}

fn implied(state: ServiceState) -> Option<f64> {
    match state {
        ServiceState::Up => Some(1.0),
        ServiceState::Down => Some(0.0),
        ServiceState::Paused | ServiceState::Starting | ServiceState::Unmonitored => None,
    }
}

fn letter(state: ServiceState) -> char {
    match state {
        ServiceState::Up => 'u',
        ServiceState::Down => 'd',
        ServiceState::Paused => 'p',
        ServiceState::Starting => 's',
        ServiceState::Unmonitored => '-',
    }
}

/// Every service that exists, and every one remembered that is not long gone; by name.
pub fn service_rows(state: &State, uptimes: &[ServiceUptime], window: Window) -> Vec<ServiceRow> {
    let known: BTreeMap<&str, &ServiceUptime> = uptimes.iter().map(|u| (u.service.as_str(), u)).collect();
    let existing = state.service_names().map(|name| &**name);
    let remembered = known
        .values()
        .filter(|uptime| uptime.state != ServiceState::Unmonitored || uptime.since >= window.from)
        .map(|uptime| uptime.service.as_str());
    existing
        .chain(remembered)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|name| !only_the_catalog_itself(state, name))
        .map(|name| service_row(state, name, known.get(name).copied()))
        .collect()
}

fn only_the_catalog_itself(state: &State, name: &str) -> bool {
    let mut instances = state.service(name).peekable();
    instances.peek().is_some() && instances.all(|one| is_catalog_itself(one))
}

/// One row; without `uptime` the monitor has not heard of the service yet.
pub(super) fn service_row(state: &State, name: &str, uptime: Option<&ServiceUptime>) -> ServiceRow {
    let health: Vec<Health> = state.service_health(name).map(|one| one.health()).collect();
    let tags: BTreeSet<&String> = state.service(name).flat_map(|one| &one.tags).collect();
    let row = ServiceRow {
        name: name.to_owned(),
        state: ServiceState::Unmonitored,
        degraded: health.iter().any(|h| matches!(h, Health::Critical | Health::Warning)),
        since: None,
        reason: "nothing is known of it yet".to_owned(),
        availability: None,
        response_ms: None,
        passing: health.iter().filter(|h| h.takes_traffic()).count(),
        total: health.len(),
        tags: tags.into_iter().cloned().collect(),
        bar: Bar::unknown(),
        figures: None,
    };
    match uptime {
        Some(uptime) => with_past(row, uptime),
        None => row,
    }
}

fn with_past(row: ServiceRow, uptime: &ServiceUptime) -> ServiceRow {
    // Why it came up is history; what is up now is what people want to know.
    let reason = match uptime.state {
        ServiceState::Up if row.passing == row.total => String::new(),
        ServiceState::Up => format!("{} of {} instances pass", row.passing, row.total),
        _ => uptime.reason.clone(),
    };
    ServiceRow {
        state: uptime.state,
        since: Some(uptime.since),
        reason,
        availability: uptime.availability.map(share),
        response_ms: uptime.response_time_ms.map(millis),
        bar: Bar::of(&uptime.bar),
        figures: Some(Figures::of(uptime)),
        ..row
    }
}

impl Figures {
    fn of(uptime: &ServiceUptime) -> Self {
        Self {
            responsiveness: uptime.responsiveness.map(share),
            p50_ms: uptime.p50_ms.map(millis),
            p95_ms: uptime.p95_ms.map(millis),
            p99_ms: uptime.p99_ms.map(millis),
            tests: uptime.tests,
            outages: uptime.outages,
            downtime_ms: uptime.downtime_ms,
        }
    }
}
