//! What is asked of the past: `from`, `to`, `per`, `zone`, `format`, `what`, `tag`, `service`. Pure.

use std::time::Duration;

use jiff::{civil::DateTime, tz::TimeZone};
use wharf_catalog::Timestamp;
use wharf_monitor::{Per, Window};

/// Window lengths from which another period is the fitting one.
const DAYS_FROM: Duration = Duration::from_secs(2 * 86_400);
const MONTHS_FROM: Duration = Duration::from_secs(92 * 86_400);

/// How the answer is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Csv,
}

/// What is to be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Figures by period; as JSON with the states.
    Periods,
    /// States.
    Intervals,
    /// Single tests, of one service.
    Tests,
}

#[derive(Debug)]
pub(super) struct Question {
    pub(super) window: Window,
    pub(super) per: Per,
    pub(super) zone: TimeZone,
    pub(super) format: Format,
    pub(super) what: What,
    pub(super) tag: Option<String>,
    pub(super) service: Option<String>,
    /// Was the window asked for, or is it the last 24 hours for want of another?
    pub(super) has_window: bool,
}

impl Question {
    pub(super) fn read(query: Option<&str>, now: Timestamp) -> Result<Self, String> {
        let (mut from, mut to, mut per, mut zone) = (None, None, None, None);
        let (mut format, mut what, mut tag, mut service) = (None, None, None, None);
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned() {
            *match &*name {
                "from" => &mut from,
                "to" => &mut to,
                "per" => &mut per,
                "zone" => &mut zone,
                "format" => &mut format,
                "what" => &mut what,
                "tag" => &mut tag,
                "service" => &mut service,
                other => return Err(format!("unknown parameter `{other}`")),
            } = Some(value);
        }
        let zone = match zone.as_deref() {
            None | Some("") => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| format!("there is no time zone `{name}`"))?,
        };
        let has_window = from.is_some() || to.is_some();
        let to = to.map_or(Ok(now), |text| moment(&text, now, &zone))?;
        let from =
            from.map_or(Ok(to.before(Duration::from_secs(86_400))), |text| moment(&text, now, &zone))?;
        if from >= to {
            return Err("`from` has to be before `to`".to_owned());
        }
        let window = Window { from, to };
        let per = per.map_or_else(|| Ok(fitting(window)), |word| word.parse())?;
        let format = match format.as_deref() {
            None | Some("json") => Format::Json,
            Some("csv") => Format::Csv,
            Some(other) => return Err(format!("unknown format `{other}`: use `json` or `csv`")),
        };
        let what = match what.as_deref() {
            None | Some("periods") => What::Periods,
            Some("intervals") => What::Intervals,
            Some("tests") => What::Tests,
            Some(other) => {
                return Err(format!("unknown table `{other}`: use `periods`, `intervals` or `tests`"));
            }
        };
        Ok(Self { window, per, zone, format, what, tag, service, has_window })
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
