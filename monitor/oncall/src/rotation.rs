//! Whose turn is it? Handoffs of a rotation, in the wall-clock time of its zone.
//!
//! Shift `n` begins when the clock there first shows the start plus `n` shift lengths. Days, weeks and months
//! therefore keep their time of day over changes of the clock, and so do hours: an hourly shift the clock jumps
//! over is left out that night, one it shows twice lasts twice as long. A month that lacks the day hands off on
//! its last. Swaps and overrides come on top, in [`crate::schedule`].

use jiff::{Span, Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    civil,
    config::{Plan, Rotation, Unit},
};

/// A rotation's turns.
#[derive(Debug, Clone)]
pub(crate) struct Turns<'a> {
    pub(crate) rotation: &'a Rotation,
    pub(crate) zone: TimeZone,
}

impl<'a> Turns<'a> {
    pub(crate) fn of(plan: &Plan, rotation: &'a Rotation) -> Self {
        Self { rotation, zone: plan.zone_of(rotation) }
    }

    /// When shift `index` begins; the end of time if that is later.
    pub(crate) fn start_of(&self, index: i64) -> Timestamp {
        self.civil_start(index).map_or(Timestamp::MAX, |start| civil::moment(&self.zone, start))
    }

    fn civil_start(&self, index: i64) -> Option<DateTime> {
        let count = index.checked_mul(i64::from(self.rotation.shift_length.max(1)))?;
        let span = Span::new();
        let span = match self.rotation.every {
            Unit::Hour => span.try_hours(count),
            Unit::Day => span.try_days(count),
            Unit::Week => span.try_weeks(count),
            Unit::Month => span.try_months(count),
        };
        self.rotation.start.0.checked_add(span.ok()?).ok()
    }

    /// The shift at `at`: the last one that has begun; none before the first.
    pub(crate) fn index_at(&self, at: Timestamp) -> Option<i64> {
        if at < self.start_of(0) {
            return None;
        }
        let mut index = self.estimate(at).max(0);
        while self.start_of(index) > at {
            index -= 1;
        }
        while self.start_of(index + 1) <= at && self.start_of(index + 1) < Timestamp::MAX {
            index += 1;
        }
        Some(index)
    }

    /// Off by no more than what the clock may jump.
    fn estimate(&self, at: Timestamp) -> i64 {
        let (start, local) = (self.rotation.start.0, self.zone.to_datetime(at));
        let length = i64::from(self.rotation.shift_length.max(1));
        let seconds = local.duration_since(start).as_secs();
        match self.rotation.every {
            Unit::Hour => seconds / 3600 / length,
            Unit::Day => seconds / 86_400 / length,
            Unit::Week => seconds / (7 * 86_400) / length,
            Unit::Month => (months(local) - months(start)) / length,
        }
    }

    /// Whose turn shift `index` is.
    pub(crate) fn member(&self, index: i64) -> Option<&'a str> {
        let count = i64::try_from(self.rotation.members.len()).ok().filter(|count| *count > 0)?;
        let position = usize::try_from(index.rem_euclid(count)).ok()?;
        self.rotation.members.get(position).map(String::as_str)
    }
}

fn months(at: DateTime) -> i64 {
    i64::from(at.year()) * 12 + i64::from(at.month())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rotation: &str) -> Plan {
        let user =
            "contacts.m = { type = \"ntfy\", url = \"https://n.example/t\" }\npaging = [{ contact = \"m\" }]";
        let text = format!(
            "time_zone = \"Europe/Madrid\"\n[users.a]\n{user}\n[users.b]\n{user}\n[users.c]\n{user}\n\
             [rotations.r]\nmembers = [\"a\", \"b\", \"c\"]\n{rotation}"
        );
        Plan::from_toml(&text, None).unwrap()
    }

    fn starts(rotation: &str, indexes: std::ops::Range<i64>) -> Vec<String> {
        let plan = plan(rotation);
        let turns = Turns::of(&plan, &plan.rotations["r"]);
        indexes.map(|i| turns.zone.to_datetime(turns.start_of(i)).to_string()).collect()
    }

    #[test]
    fn a_weekly_handoff_keeps_its_time_of_day_when_the_clock_changes() {
        let starts = starts("start = \"2026-03-16T09:00\"\nevery = \"week\"", 0..4);
        assert_eq!(
            starts,
            ["2026-03-16T09:00:00", "2026-03-23T09:00:00", "2026-03-30T09:00:00", "2026-04-06T09:00:00"]
        );
    }

    #[test]
    fn a_month_without_the_day_hands_off_on_its_last_and_the_next_one_is_not_moved() {
        let starts = starts("start = \"2028-01-31T08:00\"\nevery = \"month\"", 0..4);
        assert_eq!(
            starts,
            ["2028-01-31T08:00:00", "2028-02-29T08:00:00", "2028-03-31T08:00:00", "2028-04-30T08:00:00"]
        );
    }

    #[test]
    fn the_shift_begins_exactly_at_its_handoff() {
        let plan = plan("start = \"2026-01-05T09:00\"\nevery = \"hour\"\nshift_length = 12");
        let turns = Turns::of(&plan, &plan.rotations["r"]);
        let handoff = turns.start_of(100);
        let just_before = civil::before(handoff, std::time::Duration::from_nanos(1));
        assert_eq!((turns.index_at(just_before), turns.index_at(handoff)), (Some(99), Some(100)));
        assert_eq!(
            turns.index_at(civil::before(turns.start_of(0), std::time::Duration::from_nanos(1))),
            None
        );
        assert_eq!(turns.member(100), Some("b"));
    }

    #[test]
    fn the_end_of_time_is_no_trap() {
        for every in ["hour", "day", "week", "month"] {
            let plan = plan(&format!("start = \"2026-01-05T09:00\"\nevery = \"{every}\"\nshift_length = 7"));
            let turns = Turns::of(&plan, &plan.rotations["r"]);
            assert!(turns.index_at(Timestamp::MAX).is_some());
            assert_eq!(turns.start_of(i64::MAX), Timestamp::MAX);
        }
    }
}
