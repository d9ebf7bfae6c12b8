//! Dates. A moment prints as Go's `time.Time` does, and has its most used methods.

use std::any::Any;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use wharf_gotemplate::{IntKind, Method, Record, Signature, StructType, Type, Value};

use super::{
    super::{numbers::int64, quoted, string, time},
    ANY, Call, Function, TWO_TEXTS, convert, function,
};

const LAYOUT_AND_DATE: &[Type] = &[Type::String, Type::Any];

pub(super) const FUNCTIONS: &[Function] = &[
    function("sprig_now", &[], |library, _, _| Ok(moment(time::utc(library.session.surroundings.now.0)))),
    function("sprig_date", LAYOUT_AND_DATE, |library, args, _| {
        let at = read(&args[1], library.session.surroundings.now.0);
        Ok(time::format(&string(args, 0), &at).into())
    }),
    function("sprig_dateInZone", &[Type::String, Type::Any, Type::String], |library, args, _| {
        let at = read(&args[1], library.session.surroundings.now.0);
        Ok(time::format(&string(args, 0), &in_zone(at, &string(args, 2))).into())
    }),
    function("sprig_date_in_zone", &[Type::String, Type::Any, Type::String], |library, args, _| {
        let at = read(&args[1], library.session.surroundings.now.0);
        Ok(time::format(&string(args, 0), &in_zone(at, &string(args, 2))).into())
    }),
    function("sprig_htmlDate", ANY, |library, args, _| {
        Ok(time::format("2006-01-02", &read(&args[0], library.session.surroundings.now.0)).into())
    }),
    function("sprig_htmlDateInZone", &[Type::Any, Type::String], |library, args, _| {
        let at = read(&args[0], library.session.surroundings.now.0);
        Ok(time::format("2006-01-02", &in_zone(at, &string(args, 1))).into())
    }),
    function("sprig_ago", ANY, |library, args, _| {
        let now = time::utc(library.session.surroundings.now.0);
        let since = now.timestamp().as_nanosecond() - read(&args[0], 0).timestamp().as_nanosecond();
        let is_date = matches!(&args[0], Value::Record(_) | Value::Int(..));
        Ok(duration(if is_date { rounded_seconds(since) } else { 0 }).into())
    }),
    function("sprig_date_modify", LAYOUT_AND_DATE, MODIFY),
    function("sprig_dateModify", LAYOUT_AND_DATE, MODIFY),
    function("sprig_must_date_modify", LAYOUT_AND_DATE, MUST_MODIFY),
    function("sprig_mustDateModify", LAYOUT_AND_DATE, MUST_MODIFY),
    function("sprig_toDate", TWO_TEXTS, |_, args, _| {
        Ok(moment(time::parse(&string(args, 0), &string(args, 1)).unwrap_or_else(zero)))
    }),
    function("sprig_mustToDate", TWO_TEXTS, |_, args, _| {
        let (layout, text) = (string(args, 0), string(args, 1));
        time::parse(&layout, &text).map(moment).ok_or_else(|| {
            format!("parsing time {} as {}: cannot parse", quoted(text.as_bytes()), quoted(layout.as_bytes()))
        })
    }),
    function("sprig_durationRound", ANY, |library, args, _| {
        let nanoseconds = match &args[0] {
            Value::String(text) => parse_duration(&text.to_str_lossy()).unwrap_or(0),
            Value::Int(IntKind::Int64, nanoseconds) => i128::from(*nanoseconds),
            Value::Record(_) => {
                let now = time::utc(library.session.surroundings.now.0).timestamp().as_nanosecond();
                now - read(&args[0], 0).timestamp().as_nanosecond()
            }
            _ => 0,
        };
        Ok(in_largest_unit(nanoseconds).into())
    }),
    function("sprig_unixEpoch", ANY, |library, args, _| {
        Ok(read(&args[0], library.session.surroundings.now.0).timestamp().as_second().to_string().into())
    }),
    function("sprig_duration", ANY, |_, args, _| Ok(duration(convert::integer(&args[0])).into())),
];

const MODIFY: Call = |library, args, _| {
    let at = read(&args[1], library.session.surroundings.now.0);
    let moved = parse_duration(&string(args, 0)).and_then(|by| shifted(&at, by));
    Ok(moment(moved.unwrap_or(at)))
};
const MUST_MODIFY: Call = |library, args, _| {
    let at = read(&args[1], library.session.surroundings.now.0);
    let by = string(args, 0);
    let moved = parse_duration(&by).and_then(|by| shifted(&at, by));
    moved.map(moment).ok_or_else(|| format!("time: invalid duration {}", quoted(by.as_bytes())))
};

fn shifted(at: &Zoned, nanoseconds: i128) -> Option<Zoned> {
    let moved = Timestamp::from_nanosecond(at.timestamp().as_nanosecond().checked_add(nanoseconds)?).ok()?;
    Some(moved.to_zoned(at.time_zone().clone()))
}

/// Go's zero of a time.
fn zero() -> Zoned {
    jiff::civil::date(1, 1, 1).to_zoned(TimeZone::UTC).unwrap_or_else(|_| time::utc(0))
}

/// `1h30m`, `-1.5h`, `300ms`, as Go reads durations; in nanoseconds.
fn parse_duration(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(0);
    }
    let (mut total, mut rest) = (0_i128, unsigned);
    while !rest.is_empty() || total == 0 && rest.len() == unsigned.len() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let (digits, after) = rest.split_at(number);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit: i128 = match unit {
            "ns" => 1,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let read = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i64>().ok() };
        // More digits than nanoseconds can show say nothing.
        let fraction = &fraction[..fraction.len().min(15)];
        let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        total += i128::from(read(whole)?) * unit + i128::from(read(fraction)?) * unit / scale;
        rest = after;
    }
    let total = if text.starts_with('-') { -total } else { total };
    i64::try_from(total).ok().map(i128::from)
}

fn rounded_seconds(nanoseconds: i128) -> i64 {
    let half = if nanoseconds < 0 { -500_000_000 } else { 500_000_000 };
    i64::try_from((nanoseconds + half) / 1_000_000_000).unwrap_or(0)
}

/// The largest unit that there is more than one of, without a sign: `2h`, `3d`, `1y`.
fn in_largest_unit(nanoseconds: i128) -> String {
    const SECOND: u128 = 1_000_000_000;
    const UNITS: [(u128, &str); 6] =
        [(365 * 86_400, "y"), (30 * 86_400, "m"), (86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let size = nanoseconds.unsigned_abs();
    let unit = UNITS.iter().find(|(seconds, _)| size > seconds * SECOND);
    unit.map_or_else(|| "0s".to_owned(), |(seconds, name)| format!("{}{name}", size / (seconds * SECOND)))
}

/// Unknown zones are UTC.
fn in_zone(at: Zoned, zone: &str) -> Zoned {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    at.with_time_zone(zone)
}

/// A moment, or seconds since 1970; anything else is now.
fn read(value: &Value, now: i64) -> Zoned {
    match value {
        Value::Record(record) => {
            record.as_any().downcast_ref::<Moment>().map_or_else(|| time::utc(now), |moment| moment.0.clone())
        }
        Value::Int(_, seconds) => {
            Timestamp::from_second(*seconds).unwrap_or_default().to_zoned(TimeZone::UTC)
        }
        _ => time::utc(now),
    }
}

/// Seconds as Go writes durations.
fn duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let total = seconds.unsigned_abs();
    match (total / 3600, total / 60 % 60, total % 60) {
        (0, 0, s) => format!("{sign}{s}s"),
        (0, m, s) => format!("{sign}{m}m{s}s"),
        (h, m, s) => format!("{sign}{h}h{m}m{s}s"),
    }
}

#[derive(Debug)]
struct Moment(Zoned);

fn moment(at: Zoned) -> Value {
    Value::record(Moment(at))
}

macro_rules! method {
    ($name:literal, $params:expr, $call:expr) => {
        Method {
            name: $name,
            signature: Signature::new($params),
            call: |receiver, args| {
                let call: fn(&Zoned, &[Value]) -> Value = $call;
                match receiver {
                    Value::Record(record) => match record.as_any().downcast_ref::<Moment>() {
                        Some(moment) => Ok(call(&moment.0, args)),
                        None => Err("no moment".to_owned()),
                    },
                    _ => Err("no moment".to_owned()),
                }
            },
        }
    };
}

static MOMENT: StructType = StructType {
    name: "time.Time",
    fields: &[],
    methods: &[
        method!("Format", &[Type::String], |at, args| time::format(&string(args, 0), at).into()),
        method!("Unix", &[], |at, _| int64(at.timestamp().as_second())),
        method!("Year", &[], |at, _| Value::int(at.year().into())),
        method!("Month", &[], |at, _| time::format("January", at).into()),
        method!("Day", &[], |at, _| Value::int(at.day().into())),
        method!("Hour", &[], |at, _| Value::int(at.hour().into())),
        method!("Minute", &[], |at, _| Value::int(at.minute().into())),
        method!("Second", &[], |at, _| Value::int(at.second().into())),
        method!("YearDay", &[], |at, _| Value::int(at.day_of_year().into())),
        method!("Weekday", &[], |at, _| time::format("Monday", at).into()),
        method!("UTC", &[], |at, _| moment(at.with_time_zone(TimeZone::UTC))),
        method!("String", &[], |at, _| text(at).into()),
    ],
};

fn text(at: &Zoned) -> String {
    time::format("2006-01-02 15:04:05.999999999 -0700 MST", at)
}

impl Record for Moment {
    fn shape(&self) -> &'static StructType {
        &MOMENT
    }

    fn field(&self, _: usize) -> Value {
        Value::Invalid
    }

    fn by_value(&self) -> bool {
        true
    }

    fn text(&self) -> Option<String> {
        Some(text(&self.0))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
