//! When does a wall clock show this? Civil times of a zone as moments.
//!
//! One rule for everything that is said in local time: it happens when the wall clock *first reaches or
//! passes* it. So a handoff at 02:30 in the night in which the clock jumps from 02:00 to 03:00 happens at the
//! jump, and one at 02:30 in the night in which 02:30 comes twice happens at the first. The order of civil times
//! is thus the order of their moments, which everything built on top relies on.

use std::time::Duration;

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// The moment the zone's wall clock first reaches or passes `civil`.
pub fn moment(zone: &TimeZone, civil: DateTime) -> Timestamp {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            at_offset(offset, civil)
        }
        AmbiguousOffset::Gap { before, .. } => {
            let past = at_offset(before, civil);
            let jump = zone.preceding(after(past, Duration::from_secs(1))).next();
            jump.map_or(past, |jump| jump.timestamp())
        }
    }
}

fn at_offset(offset: Offset, civil: DateTime) -> Timestamp {
    let edge = if civil.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    offset.to_timestamp(civil).unwrap_or(edge)
}

/// `at` plus `wait`, at most the end of time.
pub fn after(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    at.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// `at` less `wait`, at least the beginning of time.
pub fn before(at: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    at.checked_sub(wait).unwrap_or(Timestamp::MIN)
}

/// From `earlier` to `later`; nothing if the clock went backwards in between.
pub fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// A wait as people say it: `5m`, `1h 30m`; to the second.
pub fn words(wait: Duration) -> String {
    humantime::format_duration(Duration::from_secs(wait.as_secs())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn madrid(civil: &str) -> String {
        moment(&TimeZone::get("Europe/Madrid").unwrap(), civil.parse().unwrap()).to_string()
    }

    #[test]
    fn what_the_clock_jumps_over_happens_at_the_jump() {
        assert_eq!(madrid("2026-03-29T01:59"), "2026-03-29T00:59:00Z");
        assert_eq!(madrid("2026-03-29T02:00"), "2026-03-29T01:00:00Z");
        assert_eq!(madrid("2026-03-29T02:30"), "2026-03-29T01:00:00Z");
        assert_eq!(madrid("2026-03-29T03:00"), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn what_comes_twice_happens_at_the_first() {
        assert_eq!(madrid("2026-10-25T02:30"), "2026-10-25T00:30:00Z");
        assert_eq!(madrid("2026-10-25T03:00"), "2026-10-25T02:00:00Z");
    }

    #[test]
    fn time_saturates_at_its_ends() {
        assert_eq!(after(Timestamp::MAX, Duration::MAX), Timestamp::MAX);
        assert_eq!(before(Timestamp::MIN, Duration::from_secs(1)), Timestamp::MIN);
        assert_eq!(elapsed(Timestamp::MAX, Timestamp::MIN), Duration::ZERO);
    }
}
