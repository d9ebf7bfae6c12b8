//! What is asked of the past: `from`, `to`, `per`, `zone`, `format`, `what`, `tag`. Pure.

use std::time::Duration;

use jiff::{civil::DateTime, tz::TimeZone};
use wharf_catalog::Timestamp;
use wharf_monitor::{Per, Window};

use super::{DAYS_FROM, MONTHS_FROM};

/// How the answer is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    /// Figures by period.
    Csv,
    /// States, as CSV.
    Intervals,
}

#[derive(Debug)]
pub(super) struct Question {
    pub(super) window: Window,
    pub(super) per: Per,
    pub(super) zone: TimeZone,
    pub(super) format: Format,
    pub(super) tag: Option<String>,
}

impl Question {
    pub(super) fn read(query: Option<&str>, now: Timestamp) -> Result<Self, String> {
        let (mut from, mut to, mut per, mut zone) = (None, None, None, None);
        let (mut format, mut what, mut tag) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned() {
            *match &*name {
                "from" => &mut from,
                "to" => &mut to,
                "per" => &mut per,
                "zone" => &mut zone,
                "format" => &mut format,
                "what" => &mut what,
                "tag" => &mut tag,
                other => return Err(format!("unknown parameter `{other}`")),
            } = Some(value);
        }
        let zone = match zone.as_deref() {
            None | Some("") => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?,
        };
        let to = to.map_or(Ok(now), |text| moment(&text, now, &zone))?;
        let from =
            from.map_or(Ok(to.before(Duration::from_secs(86_400))), |text| moment(&text, now, &zone))?;
        if from >= to {
            return Err("`from` has to be before `to`".to_owned());
        }
        let window = Window { from, to };
        let per = per.map_or_else(|| Ok(fitting(window)), |word| word.parse())?;
        Ok(Self { window, per, zone, format: read_format(format.as_deref(), what.as_deref())?, tag })
    }
}

fn read_format(format: Option<&str>, what: Option<&str>) -> Result<Format, String> {
    match (format.unwrap_or("json"), what.unwrap_or("periods")) {
        ("json", "periods" | "intervals") => Ok(Format::Json),
        ("csv", "periods") => Ok(Format::Csv),
        ("csv", "intervals") => Ok(Format::Intervals),
        ("json" | "csv", other) => Err(format!("unknown table `{other}`: use `periods` or `intervals`")),
        (other, _) => Err(format!("unknown format `{other}`: use `json` or `csv`")),
    }
}

fn fitting(window: Window) -> Per {
    match window.length() {
        length if length <= DAYS_FROM => Per::Hour,
        length if length <= MONTHS_FROM => Per::Day,
        _ => Per::Month,
    }
}

/// `2026-12-24`, `2026-12-24T18:00`, RFC 3339, milliseconds since 1970, or `30d` ago.
fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(now);
    }
    if let Ok(millis) = text.parse::<i64>() {
        return Ok(Timestamp(millis));
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(instant.as_millisecond()));
    }
    if let Ok(civil) = text.parse::<DateTime>()
        && let Ok(zoned) = civil.to_zoned(zone.clone())
    {
        return Ok(Timestamp(zoned.timestamp().as_millisecond()));
    }
    match humantime::parse_duration(text) {
        Ok(ago) => Ok(now.before(ago)),
        Err(_) => Err(format!(
            "`{text}` is no moment: use `2026-12-24`, `2026-12-24T18:00:00Z` or `30d` for 30 days ago"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn window(query: &str) -> (i64, i64) {
        let window = Question::read(Some(query), NOW).unwrap().window;
        (window.from.0, window.to.0)
    }

    #[test]
    fn moments_are_dates_instants_milliseconds_and_ages() {
        assert_eq!(window(""), (NOW.0 - 86_400_000, NOW.0));
        assert_eq!(window("from=2h"), (NOW.0 - 7_200_000, NOW.0));
        assert_eq!(window("from=5&to=1970-01-02&zone=Europe/Berlin"), (5, 82_800_000));
        assert_eq!(window("from=1970-01-01T00:00:00Z&to=1970-01-01T02:00:00%2B01:00"), (0, 3_600_000));
    }

    #[test]
    fn the_period_fits_the_window_unless_it_is_given() {
        let per = |query| Question::read(Some(query), NOW).unwrap().per;
        assert_eq!((per("from=24h"), per("from=30d"), per("from=365d")), (Per::Hour, Per::Day, Per::Month));
        assert_eq!(per("from=365d&per=year"), Per::Year);
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |query| Question::read(Some(query), NOW).unwrap_err();
        assert!(wrong("form=1").contains("`form`"));
        assert!(wrong("from=soon").contains("`soon`"));
        assert!(wrong("from=1h&to=2h").contains("before"));
        assert!(wrong("per=week").contains("`week`"));
        assert!(wrong("format=xml").contains("`xml`"));
        assert!(wrong("zone=Mars").contains("`Mars`"));
    }
}
