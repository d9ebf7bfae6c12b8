//! Numbers and booleans as Go reads them (`strconv.ParseInt` with base 0, `strconv.ParseBool`), with its
//! error texts.

use crate::literal::quoted;

/// A boolean.
pub(crate) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", quoted(text))),
    }
}

/// A whole number: decimal, or with `0x`, `0o` (or `0`), `0b`; underscores between digits.
pub(crate) fn number(text: &str) -> Result<i64, String> {
    let fault = |why| format!("strconv.ParseInt: parsing {}: {why}", quoted(text));
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = digits(rest).ok_or_else(|| fault("invalid syntax"))?;
    let magnitude = u128::from_str_radix(&digits, radix).unwrap_or(u128::MAX);
    let signed = i128::try_from(magnitude).ok().map(|number| if negative { -number } else { number });
    signed.and_then(|number| i64::try_from(number).ok()).ok_or_else(|| fault("value out of range"))
}

/// The base and the digits, which are all of that base.
fn digits(text: &str) -> Option<(u32, String)> {
    let lower = text.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &*lower),
    };
    // A base before it counts as a digit: `0_7` and `0x_f` are numbers, `7_` and `_7` are none.
    let lone = digits.ends_with('_') || digits.contains("__") || (radix == 10 && digits.starts_with('_'));
    let digits = digits.replace('_', "");
    let all = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    (all && !lone).then_some((radix, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_gos() {
        let cases = [
            ("80", Some(80)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0x1F", Some(31)),
            ("010", Some(8)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("1_000", Some(1000)),
            ("0", Some(0)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("99999999999999999999999999999999999999999999", None),
            ("", None),
            ("-", None),
            ("1.5", None),
            ("09", None),
            ("_1", None),
            ("1__0", None),
            ("0x", None),
            ("\u{e4}", None),
        ];
        for (text, means) in cases {
            assert_eq!(number(text).ok(), means, "{text}");
        }
        assert_eq!(number("x").unwrap_err(), r#"strconv.ParseInt: parsing "x": invalid syntax"#);
        assert!(number("9223372036854775808").unwrap_err().ends_with("value out of range"));
    }

    #[test]
    fn booleans_are_gos() {
        assert_eq!(flag("T"), Ok(true));
        assert_eq!(flag("0"), Ok(false));
        assert_eq!(flag("yes").unwrap_err(), r#"strconv.ParseBool: parsing "yes": invalid syntax"#);
    }
}
