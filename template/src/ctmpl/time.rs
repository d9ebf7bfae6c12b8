//! Times in Go's layouts, which are written as the moment `Mon Jan 2 15:04:05 MST 2006`.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use wharf_gotemplate::Type;

use super::{Function, bytes, catalog::arity, string, variadic};

pub(super) const FUNCTIONS: &[Function] = &[variadic("timestamp", &[Type::String], |library, args, _| {
    if args.len() > 1 {
        return Err(arity("timestamp", args.len()));
    }
    let now = utc(library.session.surroundings.now.0);
    Ok(match bytes(args, 0) {
        b"unix" => now.timestamp().as_second().to_string().into(),
        b"" if args.is_empty() => format("2006-01-02T15:04:05Z07:00", &now).into(),
        _ => format(&string(args, 0), &now).into(),
    })
})];

/// A moment in UTC, from milliseconds since 1970.
pub(super) fn utc(milliseconds: i64) -> Zoned {
    Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_zoned(TimeZone::UTC)
}

/// `time.Format`.
pub(super) fn format(layout: &str, time: &Zoned) -> String {
    let mut out = String::new();
    let mut rest = layout;
    while !rest.is_empty() {
        match element(rest, time) {
            Some((text, length)) => {
                out.push_str(&text);
                rest = &rest[length..];
            }
            None => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    out
}

/// `time.Parse`, for the elements that dates are written with; without an offset it is UTC.
pub(super) fn parse(layout: &str, text: &str) -> Option<Zoned> {
    let format = directives(layout);
    // A `Z` stands for no offset.
    let (format, text) = match text.strip_suffix(['Z', 'z']) {
        Some(before) if layout.contains("Z07") => (format, format!("{before}+00:00")),
        _ => (format, text.to_owned()),
    };
    let read = jiff::fmt::strtime::parse(&format, &text).ok()?;
    read.to_zoned().ok().or_else(|| {
        let civil = read
            .to_datetime()
            .ok()
            .or_else(|| Some(read.to_date().ok()?.to_datetime(read.to_time().unwrap_or_default())))?;
        civil.to_zoned(TimeZone::UTC).ok()
    })
}

/// A layout in the language of `strptime`.
fn directives(layout: &str) -> String {
    // Longer elements go before those they begin with.
    const ELEMENTS: [(&str, &str); 28] = [
        ("January", "%B"),
        ("Jan", "%b"),
        ("Monday", "%A"),
        ("Mon", "%a"),
        ("MST", "%Z"),
        ("2006", "%Y"),
        ("002", "%j"),
        ("01", "%m"),
        ("02", "%d"),
        ("03", "%I"),
        ("04", "%M"),
        ("05", "%S"),
        ("06", "%y"),
        ("15", "%H"),
        ("PM", "%p"),
        ("pm", "%p"),
        ("-07:00", "%:z"),
        ("-0700", "%z"),
        ("Z07:00", "%:z"),
        ("Z0700", "%z"),
        ("_2", "%e"),
        (".000", "%.f"),
        (".999", "%.f"),
        ("1", "%m"),
        ("2", "%d"),
        ("3", "%I"),
        ("4", "%M"),
        ("5", "%S"),
    ];
    let (mut format, mut rest) = (String::new(), layout);
    while let Some(first) = rest.chars().next() {
        if let Some((element, directive)) = ELEMENTS.iter().find(|(element, _)| rest.starts_with(element)) {
            format.push_str(directive);
            rest = &rest[element.len()..];
            if directive.starts_with("%.") {
                rest = rest.trim_start_matches(['0', '9']);
            }
        } else {
            format.push_str(if first == '%' { "%" } else { "" });
            format.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    format
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The element that `rest` begins with, written for `time`, and its length in the layout.
fn element(rest: &str, time: &Zoned) -> Option<(String, usize)> {
    let month = MONTHS[usize::try_from(time.month() - 1).unwrap_or(0) % 12];
    let weekday = DAYS[usize::try_from(time.weekday().to_monday_zero_offset()).unwrap_or(0) % 7];
    let hour = time.hour();
    let hour12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let lower_follows = |length: usize| rest[length..].starts_with(|c: char| c.is_ascii_lowercase());
    // Longer elements go before those they begin with.
    let fixed: [(&str, String); 22] = [
        ("January", month.to_owned()),
        ("Monday", weekday.to_owned()),
        ("MST", zone_name(time)),
        ("2006", format!("{:04}", time.year())),
        ("__2", format!("{:>3}", time.day_of_year())),
        ("002", format!("{:03}", time.day_of_year())),
        ("01", format!("{:02}", time.month())),
        ("02", format!("{:02}", time.day())),
        ("03", format!("{hour12:02}")),
        ("04", format!("{:02}", time.minute())),
        ("05", format!("{:02}", time.second())),
        ("06", format!("{:02}", time.year().rem_euclid(100))),
        ("15", format!("{hour:02}")),
        ("PM", if hour < 12 { "AM" } else { "PM" }.to_owned()),
        ("pm", if hour < 12 { "am" } else { "pm" }.to_owned()),
        ("-07:00:00", offset(time, true, true)),
        ("-070000", offset(time, false, true)),
        ("-07:00", offset(time, true, false)),
        ("-0700", offset(time, false, false)),
        ("-07", offset(time, false, false)[..3].to_owned()),
        ("_2006", format!("_{:04}", time.year())),
        ("_2", format!("{:>2}", time.day())),
    ];
    if let Some((name, text)) = fixed.iter().find(|(name, _)| rest.starts_with(name)) {
        return Some((text.clone(), name.len()));
    }
    let zulu = [
        ("Z07:00:00", true, true),
        ("Z070000", false, true),
        ("Z07:00", true, false),
        ("Z0700", false, false),
    ];
    if let Some((name, colon, seconds)) = zulu.iter().find(|(name, ..)| rest.starts_with(name)) {
        let text = if time.offset().seconds() == 0 { "Z".to_owned() } else { offset(time, *colon, *seconds) };
        return Some((text, name.len()));
    }
    if rest.starts_with("Z07") {
        let text = if time.offset().seconds() == 0 {
            "Z".to_owned()
        } else {
            offset(time, false, false)[..3].to_owned()
        };
        return Some((text, 3));
    }
    if rest.starts_with("Jan") && !lower_follows(3) {
        return Some((month[..3].to_owned(), 3));
    }
    if rest.starts_with("Mon") && !lower_follows(3) {
        return Some((weekday[..3].to_owned(), 3));
    }
    if let Some(found) = fraction(rest, time) {
        return Some(found);
    }
    match rest.as_bytes()[0] {
        b'1' => Some((time.month().to_string(), 1)),
        b'2' => Some((time.day().to_string(), 1)),
        b'3' => Some((hour12.to_string(), 1)),
        b'4' => Some((time.minute().to_string(), 1)),
        b'5' => Some((time.second().to_string(), 1)),
        _ => None,
    }
}

/// `.000` keeps zeros, `.999` drops them; a comma does as well. No digit may follow.
fn fraction(rest: &str, time: &Zoned) -> Option<(String, usize)> {
    let mark = rest.chars().next().filter(|c| matches!(c, '.' | ','))?;
    let digit = rest[1..].chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = rest[1..].chars().take_while(|c| *c == digit).count();
    if rest[1 + count..].starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let zeros = "0".repeat(count.saturating_sub(nanoseconds.len()));
    let digits = format!("{nanoseconds}{zeros}")[..count].to_owned();
    let text = match digit {
        '0' => format!("{mark}{digits}"),
        _ => match digits.trim_end_matches('0') {
            "" => String::new(),
            digits => format!("{mark}{digits}"),
        },
    };
    Some((text, count + 1))
}

fn offset(time: &Zoned, colon: bool, seconds: bool) -> String {
    let total = time.offset().seconds();
    let sign = if total < 0 { '-' } else { '+' };
    let total = total.abs();
    let parts = [total / 3600, total / 60 % 60, total % 60];
    let count = if seconds { 3 } else { 2 };
    let texts: Vec<_> = parts[..count].iter().map(|part| format!("{part:02}")).collect();
    format!("{sign}{}", texts.join(if colon { ":" } else { "" }))
}

fn zone_name(time: &Zoned) -> String {
    time.time_zone().to_offset_info(time.timestamp()).abbreviation().to_owned()
}
