//! How long is `1m30s`? Durations as Go, Consul and Registrator write them.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error};

/// Reads a Go duration: numbers with the units `ns`, `us`, `ms`, `s`, `m`, `h`, one after the other.
/// `None` for anything else, zero and negative durations included: nothing here can last no time.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut seconds = 0.0_f64;
    if rest.is_empty() || rest.len() > 64 {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let (unit, after) = unit(&rest[digits..])?;
        seconds += number * unit;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero())
}

fn unit(text: &str) -> Option<(f64, &str)> {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    UNITS.iter().find_map(|(name, seconds)| Some((*seconds, text.strip_prefix(name)?)))
}

/// For serde's `deserialize_with`: a duration from a string such as `"30s"`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text)
        .ok_or_else(|| D::Error::custom(format!("`{text}` is not a duration: write it as `30s` or `1m30s`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        let cases = [("10s", 10_000), ("1m30s", 90_000), ("250ms", 250), ("1.5h", 5_400_000)];
        for (text, millis) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in
            ["", "soon", "10", "-5s", "0s", "s", "1e400s", "1..2s", "9999999999999999999999h", "5 s", "1µ"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
