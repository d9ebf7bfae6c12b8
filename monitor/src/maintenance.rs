//! When is a service meant to be out? Maintenance windows, one-off and recurring, in their own time zones.
//!
//! Pure. Time inside a window is paused: it counts neither as up nor as down, and opens no incident. A window
//! lasts from its beginning, included, to its end, not included. Recurring ones begin at a time of day in an
//! IANA zone; where a clock change skips that time they begin when the skipped hour is over, where it comes twice at
//! the first; the length is real time.

use std::time::Duration;

use jiff::{
    Timestamp as Instant, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use wharf_catalog::Timestamp;

/// Kind of the catalog's documents that hold windows, as JSON.
pub const DOCUMENTS: &str = "wharf-maintenance";

/// Longest length of a recurring window.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);
/// Days looked ahead for the next beginning (a leap day, and a month without a 31st).
const AHEAD: i64 = 400;

/// A maintenance window as it is written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maintenance {
    /// What it is for; shown to people.
    pub name: String,
    /// Services it is about, by name (a `*` at the end: all that begin so).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Services with one of these tags as well. Neither services nor tags: everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// IANA zone of the times here; UTC if not given.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// One-off: from here (`2026-12-24T18:00`, or with an offset) ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// ... to here; not given: until it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Recurring: on these days of the week (`mon` ... `sun`, or `day` for all) ...
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub every: Vec<String>,
    /// ... or on these days of the month (1 to 31) ...
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub month_days: Vec<i8>,
    /// ... at this time (`02:30`) ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// ... for this long.
    #[serde(
        serialize_with = "spoken",
        deserialize_with = "duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub length: Option<Duration>,
}

/// What is wrong with a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("maintenance window `{name}`: {reason}")]
pub struct MaintenanceError {
    /// Its name.
    pub name: String,
    /// What to mend.
    pub reason: String,
}

/// Windows ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct Windows(Vec<Compiled>);

#[derive(Debug, Clone)]
struct Compiled {
    name: String,
    services: Vec<String>,
    tags: Vec<String>,
    when: When,
}

#[derive(Debug, Clone)]
enum When {
    Once { from: Timestamp, to: Option<Timestamp> },
    Recurring { days: Days, at: Time, length: Duration, zone: TimeZone },
}

#[derive(Debug, Clone)]
struct Days {
    week: Vec<Weekday>,
    month: Vec<i8>,
}

/// A stretch of maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active<'a> {
    /// What it is for.
    pub name: &'a str,
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, if one is known.
    pub to: Option<Timestamp>,
}

impl Windows {
    /// Reads what is written down; the first mistake is told.
    pub fn new<'a>(windows: impl IntoIterator<Item = &'a Maintenance>) -> Result<Self, MaintenanceError> {
        windows.into_iter().map(Compiled::new).collect::<Result<_, _>>().map(Self)
    }

    /// Adds another one.
    pub fn push(&mut self, window: &Maintenance) -> Result<(), MaintenanceError> {
        self.0.push(Compiled::new(window)?);
        Ok(())
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The window a service is in at `now`; of several the one that ends last.
    pub fn active(&self, service: &str, tags: &[&str], now: Timestamp) -> Option<Active<'_>> {
        let about = self.0.iter().filter(|window| window.is_about(service, tags));
        let found = about.filter_map(|window| {
            let (from, to) = window.when.span_at(now)?;
            Some(Active { name: &window.name, from, to })
        });
        found.max_by_key(|active| active.to.map_or(i64::MAX, |to| to.0))
    }

    /// Is anything in a window at `now`?
    pub fn is_any_active(&self, now: Timestamp) -> bool {
        self.0.iter().any(|window| window.when.span_at(now).is_some())
    }

    /// When [`Self::active`] next may answer otherwise.
    pub fn next_change(&self, service: &str, tags: &[&str], now: Timestamp) -> Option<Timestamp> {
        let about = self.0.iter().filter(|window| window.is_about(service, tags));
        about.filter_map(|window| window.when.next_change(now)).min()
    }
}

impl Compiled {
    fn new(window: &Maintenance) -> Result<Self, MaintenanceError> {
        let wrong = |reason: String| MaintenanceError { name: window.name.clone(), reason };
        let zone = match window.zone.as_str() {
            "" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| wrong(format!("there is no time zone `{name}`")))?,
        };
        Ok(Self {
            name: window.name.clone(),
            services: window.services.clone(),
            tags: window.tags.clone(),
            when: When::new(window, zone).map_err(wrong)?,
        })
    }

    fn is_about(&self, service: &str, tags: &[&str]) -> bool {
        let names = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => service.starts_with(beginning),
            None => pattern == service,
        };
        let everything = self.services.is_empty() && self.tags.is_empty();
        everything
            || self.services.iter().any(names)
            || self.tags.iter().any(|tag| tags.contains(&tag.as_str()))
    }
}

impl When {
    fn new(window: &Maintenance, zone: TimeZone) -> Result<Self, String> {
        let recurring = !window.every.is_empty() || !window.month_days.is_empty();
        let in_parts = window.at.is_some() || window.length.is_some();
        match (&window.from, recurring) {
            (Some(_), false) if in_parts => Err("`at` and `length` are for recurring windows".to_owned()),
            (Some(from), false) => {
                let from = moment(from, &zone)?;
                let to = window.to.as_deref().map(|to| moment(to, &zone)).transpose()?;
                if to.is_some_and(|to| to <= from) {
                    return Err("`to` is not after `from`".to_owned());
                }
                Ok(Self::Once { from, to })
            }
            (None, true) if window.to.is_none() => Self::recurring(window, zone),
            _ => {
                Err("give either `from` (and `to`), or `every` or `month_days` with `at` and `length`"
                    .to_owned())
            }
        }
    }

    fn recurring(window: &Maintenance, zone: TimeZone) -> Result<Self, String> {
        let (Some(at), Some(length)) = (&window.at, window.length) else {
            return Err("a recurring window needs `at` and `length`".to_owned());
        };
        if length.is_zero() || length > LONGEST {
            return Err("`length` has to be more than 0 and at most 31 days".to_owned());
        }
        if let Some(day) = window.month_days.iter().find(|day| !(1..=31).contains(*day)) {
            return Err(format!("`{day}` is no day of a month"));
        }
        let at = at.parse().map_err(|_| format!("`{at}` is no time of day like `02:30`"))?;
        let mut week = Vec::new();
        for day in &window.every {
            week.extend(weekdays(day)?);
        }
        Ok(Self::Recurring { days: Days { week, month: window.month_days.clone() }, at, length, zone })
    }

    /// The occurrence that `now` lies in; of several that overlap the youngest.
    fn span_at(&self, now: Timestamp) -> Option<(Timestamp, Option<Timestamp>)> {
        match self {
            Self::Once { from, to } => {
                let inside = *from <= now && to.is_none_or(|to| now < to);
                inside.then_some((*from, *to))
            }
            Self::Recurring { length, .. } => {
                let days = i64::try_from(length.as_secs() / 86_400).unwrap_or(0) + 2;
                let spans = (-days..=1).rev().filter_map(|day| self.occurrence(now, day));
                let mut spans = spans.filter(|(from, to)| *from <= now && now < *to);
                spans.next().map(|(from, to)| (from, Some(to)))
            }
        }
    }

    fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { from, to } => [Some(*from), *to].into_iter().flatten().filter(|at| *at > now).min(),
            Self::Recurring { length, .. } => {
                let days = i64::try_from(length.as_secs() / 86_400).unwrap_or(0) + 2;
                // Where this moment's occurrences end, or the next begins.
                let near = (-days..=1).filter_map(|day| self.occurrence(now, day));
                let near = near.flat_map(|(from, to)| [from, to]).filter(|at| *at > now).min();
                near.or_else(|| {
                    let mut later = (2..AHEAD).filter_map(|day| self.occurrence(now, day));
                    later.find(|(from, _)| *from > now).map(|(from, _)| from)
                })
            }
        }
    }

    /// What begins so many days after the day it is at `now`.
    fn occurrence(&self, now: Timestamp, days_after: i64) -> Option<(Timestamp, Timestamp)> {
        let Self::Recurring { days, at, length, zone } = self else {
            return None;
        };
        let today = Instant::from_millisecond(now.0).ok()?.to_zoned(zone.clone()).date();
        let date = today.checked_add(days_after.days()).ok()?;
        if !days.contain(date) {
            return None;
        }
        let begins = date.to_datetime(*at).to_zoned(zone.clone()).ok()?;
        let from = Timestamp(begins.timestamp().as_millisecond());
        Some((from, from.after(*length)))
    }
}

impl Days {
    fn contain(&self, date: Date) -> bool {
        self.week.contains(&date.weekday()) || self.month.contains(&date.day())
    }
}

fn weekdays(word: &str) -> Result<Vec<Weekday>, String> {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let all = [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];
    let short = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if word == "day" {
        return Ok(all.to_vec());
    }
    let lower = word.to_ascii_lowercase();
    match short.iter().position(|short| lower == *short) {
        Some(at) => Ok(vec![all[at]]),
        None => {
            Err(format!("`{word}` is no day: use `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun` or `day`"))
        }
    }
}

/// A moment with an offset, or in `zone`.
fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Instant>() {
        return Ok(Timestamp(instant.as_millisecond()));
    }
    let civil: DateTime =
        text.parse().map_err(|_| format!("`{text}` is no moment like `2026-12-24T18:00`"))?;
    let zoned = civil.to_zoned(zone.clone()).map_err(|error| error.to_string())?;
    Ok(Timestamp(zoned.timestamp().as_millisecond()))
}

fn spoken<S: Serializer>(length: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    let text = length.map(|length| humantime::format_duration(length).to_string().replace(' ', ""));
    text.serialize(to)
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text)
        .map(Some)
        .map_err(|error| D::Error::custom(format!("`{text}` is not a duration like `2h`: {error}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<Instant>().unwrap().as_millisecond())
    }

    fn read(text: &str) -> Maintenance {
        serde_json::from_str(text).unwrap()
    }

    fn windows(text: &str) -> Windows {
        Windows::new([&read(text)]).unwrap()
    }

    #[test]
    fn a_one_off_holds_from_its_beginning_to_before_its_end() {
        let windows = windows(
            r#"{"name":"disk","services":["db"],"zone":"Europe/Berlin","from":"2026-12-24T18:00","to":"2026-12-24T20:00"}"#,
        );
        let active = |text: &str| windows.active("db", &[], at(text)).is_some();
        assert!(!active("2026-12-24T16:59:59Z") && active("2026-12-24T17:00:00Z"));
        assert!(active("2026-12-24T18:59:59Z") && !active("2026-12-24T19:00:00Z"));
        assert_eq!(windows.active("web", &[], at("2026-12-24T17:30:00Z")), None);
        let next = |text: &str| windows.next_change("db", &[], at(text));
        assert_eq!(next("2026-01-01T00:00:00Z"), Some(at("2026-12-24T17:00:00Z")));
        assert_eq!(next("2026-12-24T17:00:00Z"), Some(at("2026-12-24T19:00:00Z")));
        assert_eq!(next("2026-12-24T19:00:00Z"), None);
    }

    #[test]
    fn a_pause_has_no_end_until_it_is_removed() {
        let windows = windows(r#"{"name":"pause","services":["w*"],"from":"2026-01-01T00:00:00Z"}"#);
        let active = windows.active("web", &[], at("2030-01-01T00:00:00Z")).unwrap();
        assert_eq!((active.from, active.to), (at("2026-01-01T00:00:00Z"), None));
    }

    #[test]
    fn a_recurring_window_keeps_to_local_time_through_clock_changes() {
        let windows = windows(
            r#"{"name":"backup","tags":["db"],"zone":"Europe/Berlin","every":["sun"],"at":"02:30","length":"2h"}"#,
        );
        let begins = |after: &str| windows.next_change("x", &["db"], at(after));
        // Winter, the spring change that has no 02:30 (it begins at 03:30), summer, and the autumn change that has two.
        assert_eq!(begins("2026-03-20T00:00:00Z"), Some(at("2026-03-22T01:30:00Z")));
        assert_eq!(begins("2026-03-28T00:00:00Z"), Some(at("2026-03-29T01:30:00Z")));
        assert_eq!(begins("2026-07-01T00:00:00Z"), Some(at("2026-07-05T00:30:00Z")));
        assert_eq!(begins("2026-10-24T00:00:00Z"), Some(at("2026-10-25T00:30:00Z")));
        let active = windows.active("x", &["db"], at("2026-10-25T02:29:00Z")).unwrap();
        assert_eq!(active.to, Some(at("2026-10-25T02:30:00Z")));
        assert_eq!(windows.active("x", &["web"], at("2026-10-25T02:29:00Z")), None);
    }

    #[test]
    fn the_leap_day_is_a_29th_and_a_window_may_reach_over_midnight() {
        let windows = windows(r#"{"name":"m","month_days":[29],"at":"23:00","length":"3h"}"#);
        assert_eq!(
            windows.next_change("x", &[], at("2028-02-10T00:00:00Z")),
            Some(at("2028-02-29T23:00:00Z"))
        );
        assert_eq!(
            windows.next_change("x", &[], at("2027-02-10T00:00:00Z")),
            Some(at("2027-03-29T23:00:00Z"))
        );
        assert!(windows.active("x", &[], at("2028-03-01T01:59:00Z")).is_some());
        assert!(windows.active("x", &[], at("2028-03-01T02:00:00Z")).is_none());
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| Windows::new([&read(text)]).unwrap_err().to_string();
        assert!(wrong(r#"{"name":"n"}"#).contains("`from`"));
        assert!(
            wrong(r#"{"name":"n","from":"2026-01-02T00:00","to":"2026-01-01T00:00"}"#).contains("not after")
        );
        assert!(wrong(r#"{"name":"n","from":"yesterday"}"#).contains("`yesterday`"));
        assert!(wrong(r#"{"name":"n","every":["so"],"at":"01:00","length":"1h"}"#).contains("`so`"));
        assert!(wrong(r#"{"name":"n","every":["day"],"at":"25:00","length":"1h"}"#).contains("`25:00`"));
        assert!(
            wrong(r#"{"name":"n","zone":"Mars/Base","from":"2026-01-02T00:00"}"#).contains("`Mars/Base`")
        );
        assert!(wrong(r#"{"name":"n","month_days":[32],"at":"01:00","length":"1h"}"#).contains("`32`"));
        let read = serde_json::from_str::<Maintenance>(r#"{"length":"soon"}"#).unwrap_err().to_string();
        assert!(read.contains("`soon`"), "{read}");
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        let text = r#"{"name":"b","every":["sun"],"at":"02:30","length":"1h 30m"}"#;
        let again = serde_json::to_string(&read(text)).unwrap();
        assert_eq!(read(&again), read(text));
    }

    proptest! {
        /// Whatever the window: stepping from change to change never misses one.
        #[test]
        fn between_two_changes_nothing_changes(
            day in 0_usize..7, hour in 0_u32..24, length in 1_u64..200, zone in 0_usize..4, start in 0_i64..400 * 24,
            probe in 0.0..1.0_f64,
        ) {
            let every = ["mon", "tue", "wed", "thu", "fri", "sat", "day"][day];
            let zone = ["", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"][zone];
            let window = Maintenance {
                name: "w".into(),
                every: vec![every.into()],
                at: Some(format!("{hour:02}:30")),
                length: Some(Duration::from_secs(length * 1800)),
                zone: zone.into(),
                ..Maintenance::default()
            };
            let windows = Windows::new([&window]).unwrap();
            let mut now = Timestamp(at("2026-01-01T00:00:00Z").0 + start * HOUR);
            for _ in 0..6 {
                let next = windows.next_change("x", &[], now).unwrap();
                prop_assert!(next > now);
                let between = Timestamp(now.0 + ((next.0 - now.0) as f64 * probe) as i64);
                let is_active = |at| windows.active("x", &[], at).is_some();
                prop_assert_eq!(is_active(now), is_active(between));
                now = next;
            }
        }
    }
}
