//! A made-up past: mostly up, sometimes down, slower by day than by night. Pure, and the same each time.

use std::ops::Range;

use wharf_catalog::Timestamp;
use wharf_monitor::{Import, ImportedInterval, ServiceState, Test};

/// What it is called wherever it is shown.
pub(super) const LABEL: &str = "demo";

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Time between two tests.
const EVERY: i64 = 5 * MINUTE;

/// Numbers that look random (SplitMix64).
struct Numbers(u64);

impl Numbers {
    /// Those of a service on a day.
    fn of(service: &str, day: i64) -> Self {
        let fold = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(service.bytes().fold(0xcbf2_9ce4_8422_2325, fold) ^ day.unsigned_abs().wrapping_mul(0x9e37_79b9))
    }

    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) as f64 / u64::MAX as f64
    }
}

/// The past of `service` on these days before `now`, counted backwards from 0 (the last 24 hours).
pub(super) fn of(service: &str, now: i64, days_ago: Range<i64>) -> Import {
    let mut import = Import {
        service: service.to_owned(),
        label: LABEL.to_owned(),
        now: Timestamp::default(),
        intervals: Vec::new(),
        tests: Vec::new(),
    };
    let (first, last) = (now - days_ago.end * DAY, now - days_ago.start * DAY);
    for day in first.div_euclid(DAY)..=last.div_euclid(DAY) {
        for interval in states(service, day) {
            let (from, to) = (interval.from.0.max(first), interval.to.0.min(last));
            if from < to {
                push(
                    &mut import.intervals,
                    ImportedInterval { from: Timestamp(from), to: Timestamp(to), ..interval },
                );
            }
        }
    }
    import.tests = tests(service, &import.intervals);
    import
}

/// States that go on over midnight are one.
fn push(intervals: &mut Vec<ImportedInterval>, next: ImportedInterval) {
    match intervals.last_mut() {
        Some(last) if last.state == next.state && last.to == next.from => last.to = next.to,
        _ => intervals.push(next),
    }
}

/// The states of one day.
fn states(service: &str, day: i64) -> Vec<ImportedInterval> {
    let mut numbers = Numbers::of(service, day);
    // Some services fail once in a few weeks, some hardly ever.
    let weakness = 0.01 + 0.06 * Numbers::of(service, -1).next().powi(2);
    let (begin, end) = (day * DAY, (day + 1) * DAY);
    let interval = |from: i64, to: i64, state, reason: &str| ImportedInterval {
        from: Timestamp(from),
        to: Timestamp(to),
        state,
        reason: reason.to_owned(),
    };
    let up = |from, to| interval(from, to, ServiceState::Up, "all instances pass");
    // The first Sunday of a month is for maintenance (1970 began on a Thursday).
    let is_sunday = (day + 4).rem_euclid(7) == 0;
    let (state, reason, at, length) = if is_sunday && day % 28 < 7 {
        (ServiceState::Paused, "maintenance: system updates", 2 * 60 * MINUTE, 40 * MINUTE)
    } else if numbers.next() < weakness {
        let reasons = ["connection refused", "503 Service Unavailable", "context deadline exceeded"];
        let reason = reasons[(numbers.next() * 2.99) as usize];
        let at = (numbers.next() * (22 * 60) as f64) as i64 * MINUTE + 17_000;
        (ServiceState::Down, reason, at, ((numbers.next().powi(3) * 70.0) as i64 + 1) * MINUTE + 23_000)
    } else {
        return vec![up(begin, end)];
    };
    let (from, to) = (begin + at, begin + at + length);
    vec![up(begin, from), interval(from, to, state, reason), up(to, end)]
}

fn tests(service: &str, intervals: &[ImportedInterval]) -> Vec<Test> {
    let mut of_service = Numbers::of(service, -2);
    let middle = 3.0 + 60.0 * of_service.next().powi(3);
    let offset = (of_service.next() * EVERY as f64) as i64;
    let mut tests = Vec::new();
    for interval in intervals.iter().filter(|interval| interval.state != ServiceState::Paused) {
        let up = interval.state == ServiceState::Up;
        let first = (interval.from.0 - offset).div_euclid(EVERY) + 1;
        for number in first..=(interval.to.0 - 1 - offset).div_euclid(EVERY) {
            let at = number * EVERY + offset;
            let mut numbers = Numbers::of(service, number);
            let hour = at.rem_euclid(DAY) as f64 / DAY as f64;
            let busy = 1.0 - 0.35 * (std::f64::consts::TAU * (hour - 0.08)).cos();
            let noise = 0.75 + 0.5 * numbers.next() + if numbers.next() > 0.985 { 2.5 } else { 0.0 };
            let millis = (middle * busy * noise * 100.0).round() / 100.0;
            tests.push(Test(Timestamp(at), up, up.then_some(millis)));
        }
    }
    tests
}

#[cfg(test)]
mod test_past {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    #[test]
    fn the_past_is_one_that_can_be_imported_and_the_same_each_time() {
        for service in ["atlas-service", "billing-service", "x"] {
            let past = of(service, NOW, 0..90);
            assert_eq!(past.check(), Ok(()));
            assert_eq!(past, of(service, NOW, 0..90));
            assert_eq!(
                (past.intervals[0].from.0, past.intervals.last().unwrap().to.0),
                (NOW - 90 * DAY, NOW)
            );
            assert!(past.intervals.windows(2).all(|pair| pair[0].to == pair[1].from));
            assert!(past.tests.len() > 25_000 && past.tests.len() < 26_000, "{}", past.tests.len());
        }
    }

    #[test]
    fn chunks_meet_without_a_gap_or_a_test_told_twice() {
        let (late, early, whole) = (of("web", NOW, 0..30), of("web", NOW, 30..60), of("web", NOW, 0..60));
        assert_eq!(early.intervals.last().unwrap().to, late.intervals[0].from);
        assert_eq!(early.tests.len() + late.tests.len(), whole.tests.len());
    }

    #[test]
    fn a_fleet_has_outages_and_is_mostly_up() {
        let down: i64 = (0..13)
            .flat_map(|number| of(&format!("service-{number}"), NOW, 0..90).intervals)
            .filter(|interval| interval.state == ServiceState::Down)
            .map(|interval| interval.to.0 - interval.from.0)
            .sum();
        let share = down as f64 / (13 * 90 * DAY) as f64;
        assert!(share > 0.000_01 && share < 0.005, "{share}");
    }
}
