//! Durations as Go writes them: `1h30m`, `9.5s`, `120000ms`, `-5s`, `0`.
//!
//! Source: Go's `time.ParseDuration`. A number without a unit is an error, except `0`.

use std::time::Duration;

/// Nanoseconds in each unit, longest name first so that `ms` is not read as `m`.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Text that is no duration, or one beyond 292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDuration;

/// Reads a duration; negative ones are valid and read as such (signed nanoseconds).
pub(crate) fn parse(text: &str) -> Result<i64, NoDuration> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(NoDuration);
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = one_term(rest)?;
        total = total.checked_add(nanoseconds).ok_or(NoDuration)?;
        rest = after;
    }
    let total = i64::try_from(total).map_err(|_| NoDuration)?;
    Ok(if negative { -total } else { total })
}

/// A number with its unit at the start of `text`: its nanoseconds and what follows.
fn one_term(text: &str) -> Result<(u128, &str), NoDuration> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(NoDuration);
    }
    let (unit, rest) =
        UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?))).ok_or(NoDuration)?;
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| NoDuration)? };
    let whole = whole.checked_mul(unit).ok_or(NoDuration)?;
    whole.checked_add(part_of(fraction, unit)).map(|total| (total, rest)).ok_or(NoDuration)
}

/// `0.fraction` of `unit`, cut to whole nanoseconds.
fn part_of(fraction: &str, unit: u128) -> u128 {
    let fraction = &fraction[..fraction.len().min(18)];
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    fraction.parse::<u128>().unwrap_or(0) * unit / scale
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// Nanoseconds as Go writes them: `1h0m0s`, `1m30s`, `1.5s`, `200ms`, `5ns`, `0s`.
pub(crate) fn text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    let decimal = |whole: u64, part: u64, digits: usize| {
        let text = format!("{whole}.{part:0digits$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let small = match total {
        0..1_000 => Some(format!("{total}ns")),
        1_000..1_000_000 => Some(format!("{}\u{b5}s", decimal(total / 1_000, total % 1_000, 3))),
        1_000_000..1_000_000_000 => Some(format!("{}ms", decimal(total / 1_000_000, total % 1_000_000, 6))),
        _ => None,
    };
    if let Some(small) = small {
        return format!("{sign}{small}");
    }
    let (seconds, part) = (total / 1_000_000_000, total % 1_000_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let seconds = decimal(seconds % 60, part, 9);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// Signed nanoseconds as a duration; negative ones are none.
pub(crate) fn from_nanoseconds(nanoseconds: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_clients_send_are_read() {
        for (text, nanoseconds) in [
            ("10s", 10_000_000_000),
            ("9.5s", 9_500_000_000),
            ("120000ms", 120_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("3us", 3_000),
            ("3\u{b5}s", 3_000),
            ("-5s", -5_000_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse(text), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (nanoseconds, written) in [
            (0, "0s"),
            (5, "5ns"),
            (1_500, "1.5\u{b5}s"),
            (200_000_000, "200ms"),
            (1_500_000_000, "1.5s"),
            (10_000_000_000, "10s"),
            (60_000_000_000, "1m0s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
            (86_400_000_000_000, "24h0m0s"),
            (-1_000_000_000, "-1s"),
        ] {
            assert_eq!(text(nanoseconds), written);
            assert_eq!(parse(written), Ok(nanoseconds), "{written}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in ["", "5", "s", ".s", "often", "5 s", "5x", "-", "1s2", "999999999999h", "\u{661}s"] {
            assert_eq!(parse(text), Err(NoDuration), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in ".{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_run_of_numbers_and_units_is_read_or_refused(text in "-?([0-9]{0,45}\\.?[0-9]{0,45}(ns|us|ms|s|m|h)?){1,4}") {
            let _ = parse(&text);
        }
    }
}
