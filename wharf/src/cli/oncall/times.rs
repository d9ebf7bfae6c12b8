//! Times as people write and read them.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use jiff::{
    Timestamp, ToSpan, Zoned,
    civil::{DateTime, Time, Weekday},
    tz::TimeZone,
};

use crate::cli::output::spoken;

/// Now, where the person is.
pub(super) fn now() -> Zoned {
    let now = crate::clock::system().now();
    Timestamp::from_millisecond(now.0).unwrap_or_default().to_zoned(TimeZone::system())
}

/// A moment: `2026-03-01T03:00:00Z`, `2026-03-01 03:00`, `03:00`, `sunday 03:00`; local, and the next one.
pub(super) fn moment(text: &str, now: &Zoned) -> anyhow::Result<Timestamp> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return Ok(at.to_zoned(now.time_zone().clone())?.timestamp());
    }
    next(text, now).with_context(|| {
        format!(
            "`{text}` is no time: write 2026-03-01T03:00:00Z, \"2026-03-01 03:00\", 03:00 or \"sunday 03:00\""
        )
    })
}

fn next(text: &str, now: &Zoned) -> anyhow::Result<Timestamp> {
    let (day, time) = match text.rsplit_once(char::is_whitespace) {
        Some((day, time)) => (Some(weekday(day)?), time),
        None => (None, text),
    };
    let time: Time = time.parse().map_err(|error| anyhow!("{error}"))?;
    let mut date = now.date();
    for _ in 0..8 {
        let at = date.to_datetime(time).to_zoned(now.time_zone().clone())?;
        if at > *now && day.is_none_or(|day| date.weekday() == day) {
            return Ok(at.timestamp());
        }
        date = date.checked_add(1.day())?;
    }
    bail!("there is no such time in the next week")
}

fn weekday(word: &str) -> anyhow::Result<Weekday> {
    let word = word.trim().to_lowercase();
    let days = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let found = days.iter().find(|(name, _)| word.len() >= 3 && name.starts_with(&word));
    found.map(|(_, day)| *day).ok_or_else(|| anyhow!("`{word}` is no weekday"))
}

/// A moment as the person reads it.
pub(super) fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}

/// A moment as the person reads it, to the second.
pub(super) fn exact(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long ago, in the largest unit alone.
pub(super) fn since(at: Timestamp, now: &Zoned) -> String {
    let seconds = now.timestamp().as_second().saturating_sub(at.as_second());
    spoken(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn friday() -> Zoned {
        "2026-02-27T22:00[Europe/Madrid]".parse().unwrap()
    }

    #[test]
    fn a_time_of_day_is_the_next_one_and_a_weekday_the_next_of_its_name() {
        let at = |text: &str| moment(text, &friday()).unwrap().to_string();
        assert_eq!(at("23:00"), "2026-02-27T22:00:00Z");
        assert_eq!(at("03:00"), "2026-02-28T02:00:00Z");
        assert_eq!(at("sunday 03:00"), "2026-03-01T02:00:00Z");
        assert_eq!(at("Fri 21:00"), "2026-03-06T20:00:00Z");
        assert_eq!(at("2026-03-01 03:00"), "2026-03-01T02:00:00Z");
        assert_eq!(at("2026-03-01T03:00:00Z"), "2026-03-01T03:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_answered_with_what_is() {
        for wrong in ["", "tea time", "someday 03:00", "25:00", "2026-02-30 03:00"] {
            let error = moment(wrong, &friday()).unwrap_err().to_string();
            assert!(error.contains("sunday 03:00"), "{wrong}: {error}");
        }
    }
}
