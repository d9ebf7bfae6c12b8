//! The past as CSV.

use wharf_catalog::Timestamp;
use wharf_monitor::{Incident, Period, Report, Test};

use crate::csv::{Cell, Table};

fn instant(at: Timestamp) -> Cell {
    Cell::Word(jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_string()).unwrap_or_default())
}

pub(super) fn periods(reports: &[Report]) -> Table {
    let mut table = Table::new(&[
        "service",
        "from",
        "to",
        "availability",
        "responsiveness",
        "response_time_ms",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "tests",
        "outages",
        "tested_ms",
        "downtime_ms",
        "state",
    ]);
    for (report, period) in reports.iter().flat_map(|report| report.periods.iter().map(move |p| (report, p)))
    {
        let Period { from, to, availability, responsiveness, response_time_ms, .. } = period;
        table.row([
            Cell::Text(report.service.clone()),
            instant(*from),
            instant(*to),
            Cell::known(*availability),
            Cell::known(*responsiveness),
            Cell::known(*response_time_ms),
            Cell::known(period.p50_ms),
            Cell::known(period.p95_ms),
            Cell::known(period.p99_ms),
            Cell::number(period.tests),
            Cell::number(period.outages),
            Cell::number(period.tested_ms),
            Cell::number(period.downtime_ms),
            Cell::number(period.state),
        ]);
    }
    table
}

pub(super) fn intervals(reports: &[Report]) -> Table {
    let mut table = Table::new(&["service", "from", "to", "state", "reason", "imported"]);
    for (report, interval) in
        reports.iter().flat_map(|report| report.intervals.iter().map(move |i| (report, i)))
    {
        table.row([
            Cell::Text(report.service.clone()),
            instant(interval.from),
            interval.to.map_or(Cell::Word(String::new()), instant),
            Cell::number(interval.state),
            Cell::Text(interval.reason.clone()),
            Cell::number(interval.imported),
        ]);
    }
    table
}

pub(super) fn tests(service: &str, tests: &[Test]) -> Table {
    let mut table = Table::new(&["service", "at", "up", "response_time_ms"]);
    for Test(at, up, millis) in tests {
        table.row([Cell::Text(service.to_owned()), instant(*at), Cell::number(up), Cell::known(*millis)]);
    }
    table
}

pub(super) fn outages(outages: &[Incident]) -> Table {
    let mut table = Table::new(&["id", "service", "state", "started", "resolved", "reason", "resolution"]);
    for incident in outages {
        table.row([
            Cell::number(incident.id),
            Cell::Text(incident.service.clone()),
            Cell::number(incident.state.as_str()),
            instant(incident.started),
            incident.resolved.map_or(Cell::Word(String::new()), instant),
            Cell::Text(incident.reason.clone()),
            Cell::Text(incident.resolution.clone()),
        ]);
    }
    table
}
