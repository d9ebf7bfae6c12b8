//! Times as people write them: `"5m"`, `"09:00"`, `"2026-03-01T09:00"`, a zone's IANA name.

use std::{fmt, str::FromStr};

use jiff::{
    Timestamp,
    civil::{DateTime, Time, Weekday},
    tz::TimeZone,
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::civil;

/// A moment: with an offset (`2026-03-01T09:00+01:00`, `...Z`) it is one, without it is local to some zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The same everywhere.
    Absolute(Timestamp),
    /// When the wall clock there first shows it.
    Local(DateTime),
}

impl Moment {
    /// When that is, read in `zone` if it is local.
    pub fn at(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Absolute(at) => at,
            Self::Local(civil) => civil::moment(zone, civil),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let has_offset =
            text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|time| time.contains(['+', '-']));
        let read = if has_offset { text.parse().map(Self::Absolute) } else { text.parse().map(Self::Local) };
        read.map_err(|_| {
            format!("`{text}` is not a moment like \"2026-03-01T09:00\" or \"2026-03-01T08:00Z\"")
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(at) => at.fmt(f),
            Self::Local(civil) => civil.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text_or_datetime(from)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(pub TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        TimeZone::get(&name).map(Self).map_err(|_| {
            D::Error::custom(format!("`{name}` is no time zone; write an IANA name like \"Europe/Madrid\""))
        })
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

/// A day of the week: `mon` or `monday`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(pub Weekday);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let day = match text.to_ascii_lowercase().as_str() {
            "mon" | "monday" => Weekday::Monday,
            "tue" | "tuesday" => Weekday::Tuesday,
            "wed" | "wednesday" => Weekday::Wednesday,
            "thu" | "thursday" => Weekday::Thursday,
            "fri" | "friday" => Weekday::Friday,
            "sat" | "saturday" => Weekday::Saturday,
            "sun" | "sunday" => Weekday::Sunday,
            _ => return Err(D::Error::custom(format!("`{text}` is no day; write mon, tue ... sun"))),
        };
        Ok(Self(day))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        to.serialize_str(names[usize::try_from(self.0.to_monday_zero_offset()).unwrap_or(0) % 7])
    }
}

/// A time of day, `"09:00"`; `"24:00"` is the midnight that ends the day, and reads as `"00:00"`.
pub(crate) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
    let text = text_or_datetime(from)?;
    if text == "24:00" {
        return Ok(Time::midnight());
    }
    text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a time of day like \"09:00\"")))
}

/// Durations, `"5m"`.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text)
            .map_err(|error| D::Error::custom(format!("`{text}` is not a duration like \"5m\": {error}")))
    }

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*duration))
    }
}

/// TOML has dates and times of its own, which people rightly write without quotes.
fn text_or_datetime<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    struct Either;
    impl<'de> Visitor<'de> for Either {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a date or a time")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<String, A::Error> {
            let datetime = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))?;
            Ok(datetime.to_string())
        }
    }
    from.deserialize_any(Either)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Line {
        from: Moment,
        #[serde(deserialize_with = "time")]
        at: Time,
        day: Day,
        zone: Zone,
    }

    #[test]
    fn times_are_read_with_and_without_quotes() {
        for (from, at) in [("\"2026-03-01T09:00\"", "\"09:30\""), ("2026-03-01T09:00:00", "09:30:00")] {
            let text = format!("from = {from}\nat = {at}\nday = \"Sunday\"\nzone = \"Europe/Madrid\"");
            let line: Line = toml::from_str(&text).unwrap();
            assert_eq!(line.from, Moment::Local("2026-03-01T09:00".parse().unwrap()));
            assert_eq!(line.from.at(&line.zone.0).to_string(), "2026-03-01T08:00:00Z");
            assert_eq!((line.at, line.day.0), ("09:30".parse().unwrap(), Weekday::Sunday));
        }
        let absolute: Moment = "2026-03-01T09:00+02:00".parse().unwrap();
        assert_eq!(absolute.to_string(), "2026-03-01T07:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_told_with_an_example() {
        assert!("next week".parse::<Moment>().unwrap_err().contains("2026-03-01T09:00"));
        let error = serde_json::from_str::<Zone>("\"Europe/Atlantis\"").unwrap_err().to_string();
        assert!(error.contains("Atlantis") && error.contains("IANA"), "{error}");
    }
}
