//! Is work planned right now, and when does that change? Silences and maintenance windows.

use std::time::Duration;

use jiff::{
    Span, Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{Matcher, civil, config::Maintenance};

/// Far enough to find the next Saturday the 31st.
const HORIZON_DAYS: usize = 900;

/// Alerts that page nobody from `starts` until `ends`, that moment not included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// All of these hold.
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts: Timestamp,
    /// Until when.
    pub ends: Timestamp,
    /// Who said so.
    pub by: String,
    /// Why.
    pub comment: String,
}

impl Silence {
    /// Whether it holds at `at`.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.starts <= at && at < self.ends
    }

    /// Whether it is past.
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.ends <= at
    }

    /// It holds no longer; one that had not begun never does.
    pub(crate) fn end(&mut self, at: Timestamp) {
        self.ends = self.ends.min(at);
        self.starts = self.starts.min(self.ends);
    }

    pub(crate) fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        [self.starts, self.ends].into_iter().filter(|at| *at > after).min()
    }
}

/// A maintenance window with its zone.
#[derive(Debug, Clone)]
pub struct Window<'a> {
    written: &'a Maintenance,
    zone: TimeZone,
}

impl<'a> Window<'a> {
    /// What `written` means where `zone` is the zone of times that name none.
    pub fn new(written: &'a Maintenance, zone: &TimeZone) -> Self {
        Self { written, zone: written.time_zone.as_ref().map_or_else(|| zone.clone(), |zone| zone.0.clone()) }
    }

    /// Whether it holds at `at`.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.around(at).any(|(from, until)| from <= at && at < until)
    }

    /// When it begins or ends next, after `after`.
    pub fn next_change(&self, after: Timestamp) -> Option<Timestamp> {
        // They come in the order of their beginnings: what begins later cannot change anything earlier.
        let mut next: Option<Timestamp> = None;
        for (from, until) in self.around(after) {
            if next.is_some_and(|next| from > next) {
                break;
            }
            let changes = [Some(from), Some(until), next];
            next = changes.into_iter().flatten().filter(|at| *at > after).min();
        }
        next
    }

    /// Every time it is held that may matter at `at` or later, in order.
    fn around(&self, at: Timestamp) -> Box<dyn Iterator<Item = (Timestamp, Timestamp)> + '_> {
        let (from, until) = self.bounds();
        let (Some(time), Some(lasts)) = (self.written.at, self.written.lasts) else {
            return Box::new(std::iter::once((from, until)));
        };
        let before = lasts.0 + Duration::from_secs(2 * 86_400);
        let first = self.zone.to_datetime(civil::before(at, before)).date();
        let days = first.series(Span::new().days(1)).take(HORIZON_DAYS).filter(|day| self.is_on(*day));
        Box::new(
            days.map(move |day| self.held(day, time.0, lasts.0))
                .filter(move |(begin, _)| from <= *begin && *begin < until),
        )
    }

    fn bounds(&self) -> (Timestamp, Timestamp) {
        let from = self.written.from.map_or(Timestamp::MIN, |from| from.at(&self.zone));
        (from, self.written.until.map_or(Timestamp::MAX, |until| until.at(&self.zone)))
    }

    fn held(&self, day: Date, time: Time, lasts: Duration) -> (Timestamp, Timestamp) {
        let begin = civil::moment(&self.zone, day.to_datetime(time));
        (begin, civil::after(begin, lasts))
    }

    fn is_on(&self, day: Date) -> bool {
        let (days, of_month) = (&self.written.days, &self.written.days_of_month);
        let from_end = day.day() - day.days_in_month() - 1;
        (days.is_empty() || days.iter().any(|wanted| wanted.0 == day.weekday()))
            && (of_month.is_empty() || of_month.iter().any(|wanted| [day.day(), from_end].contains(wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Maintenance {
        toml::from_str(&format!("match = ['a=\"b\"']\ntime_zone = \"Europe/Madrid\"\n{text}")).unwrap()
    }

    /// The first changes after `after`, and whether it is held from there on.
    fn changes(text: &str, after: &str, count: usize) -> Vec<(String, bool)> {
        let written = window(text);
        let window = Window::new(&written, &TimeZone::UTC);
        let mut at: Timestamp = after.parse().unwrap();
        let mut changes = Vec::new();
        while let Some(next) = window.next_change(at).filter(|_| changes.len() < count) {
            changes.push((next.to_string(), window.is_active(next)));
            at = next;
        }
        changes
    }

    fn expected(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
        expected.iter().map(|(at, active)| (at.to_string(), *active)).collect()
    }

    #[test]
    fn a_window_that_is_held_once_begins_and_ends() {
        let text = "from = \"2026-03-01T22:00\"\nuntil = \"2026-03-02T02:00\"";
        let all = expected(&[("2026-03-01T21:00:00Z", true), ("2026-03-02T01:00:00Z", false)]);
        assert_eq!(changes(text, "2026-01-01T00:00Z", 9), all);
    }

    #[test]
    fn a_weekly_window_keeps_its_local_time_and_its_length_when_the_clock_changes() {
        let text = "at = \"01:30\"\nlasts = \"2h\"\ndays = [\"sun\"]";
        let all = expected(&[
            ("2026-03-22T00:30:00Z", true),
            ("2026-03-22T02:30:00Z", false),
            ("2026-03-29T00:30:00Z", true),
            ("2026-03-29T02:30:00Z", false),
            ("2026-04-04T23:30:00Z", true),
        ]);
        assert_eq!(changes(text, "2026-03-20T00:00Z", 5), all);
    }

    #[test]
    fn the_first_saturday_and_the_last_day_of_a_month_can_be_said() {
        let text = "at = \"00:00\"\nlasts = \"1d\"\ndays = [\"sat\"]\ndays_of_month = [1, 2, 3, 4, 5, 6, 7]";
        assert_eq!(changes(text, "2026-02-10T00:00Z", 1), expected(&[("2026-03-06T23:00:00Z", true)]));
        let text = "at = \"12:00\"\nlasts = \"1h\"\ndays_of_month = [-1]";
        assert_eq!(changes(text, "2028-02-01T00:00Z", 1), expected(&[("2028-02-29T11:00:00Z", true)]));
    }

    #[test]
    fn a_recurring_window_is_held_within_its_bounds_only() {
        let text =
            "at = \"12:00\"\nlasts = \"1h\"\nfrom = \"2026-03-02T00:00\"\nuntil = \"2026-03-03T12:00\"";
        let all = expected(&[("2026-03-02T11:00:00Z", true), ("2026-03-02T12:00:00Z", false)]);
        assert_eq!(changes(text, "2026-01-01T00:00Z", 9), all);
    }
}
