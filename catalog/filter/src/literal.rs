//! Names and quoted strings, read and written as Go does (`strconv.Unquote`, `strconv.Quote`).

use std::{fmt::Write, str::Chars};

/// A name that needs no quotes.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What a quoted string stands for; `text` has its quotes (`"` or a backtick) on both ends.
pub(crate) fn unquote(text: &str) -> Option<String> {
    if let Some(raw) = text.strip_prefix('`') {
        return Some(raw.strip_suffix('`')?.replace('\r', ""));
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => return None,
            '\\' => unescape(&mut chars, &mut bytes)?,
            c => push(&mut bytes, c),
        }
    }
    String::from_utf8(bytes).ok()
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn unescape(chars: &mut Chars<'_>, bytes: &mut Vec<u8>) -> Option<()> {
    let byte = match chars.next()? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        '"' => b'"',
        'x' => u8::try_from(digits(chars, 2, 16)?).ok()?,
        first @ '0'..='7' => {
            let rest = digits(chars, 2, 8)?;
            u8::try_from(first.to_digit(8)? * 64 + rest).ok()?
        }
        'u' => {
            push(bytes, char::from_u32(digits(chars, 4, 16)?)?);
            return Some(());
        }
        'U' => {
            push(bytes, char::from_u32(digits(chars, 8, 16)?)?);
            return Some(());
        }
        _ => return None,
    };
    bytes.push(byte);
    Some(())
}

fn digits(chars: &mut Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count).try_fold(0_u32, |number, _| {
        let digit = chars.next()?.to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}

/// As error texts show it: Go's `%q`.
pub(crate) fn quoted(text: &str) -> String {
    written(text, "\\\"")
}

/// As an expression can hold it: the grammar takes no `\"`.
pub(crate) fn printable(text: &str) -> String {
    written(text, "\\x22")
}

fn written(text: &str, quote: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str(quote),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_gos() {
        let cases = [
            (r#""a\tb""#, Some("a\tb")),
            (r#""\x41\102\u00e4\U0001F600""#, Some("AB\u{e4}\u{1f600}")),
            (r#""\xc3\xa4""#, Some("\u{e4}")),
            (r#""\a\b\f\n\r\v\\""#, Some("\u{7}\u{8}\u{c}\n\r\u{b}\\")),
            ("`a\\tb\r`", Some("a\\tb")),
            (r#""\q""#, None),
            (r#""\'""#, None),
            (r#""\xff""#, None),
            (r#""\400""#, None),
            (r#""\ud800""#, None),
            (r#""\x4""#, None),
            ("\"a\nb\"", None),
            (r#""open\""#, None),
        ];
        for (text, means) in cases {
            assert_eq!(unquote(text).as_deref(), means, "{text}");
        }
    }

    #[test]
    fn what_is_printed_means_itself() {
        let text = "a\"b\\c`d\n\u{1}\u{7f}\u{e4}";
        assert_eq!(unquote(&printable(text)).as_deref(), Some(text));
        assert_eq!(quoted("a\"b"), r#""a\"b""#);
    }
}
