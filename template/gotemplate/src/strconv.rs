//! Numbers and quoted texts, read and written as Go's `strconv` does.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// Why a text is no number, in Go's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// It is none.
    Syntax,
    /// It does not fit.
    Range,
}

impl NumberError {
    /// The error as the Go function `of` reports it for `text`.
    pub fn of(self, function: &str, text: &[u8]) -> String {
        let why = match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        };
        format!("strconv.{function}: parsing {}: {why}", String::from_utf8_lossy(&quote(text)))
    }
}

/// The first character of `bytes`; bytes that are no UTF-8 count one by one, as U+FFFD.
pub(crate) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((char::from(first), 1));
    }
    let chunk = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(chunk) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&chunk[..error.valid_up_to()]).unwrap_or_default(),
    };
    Some(valid.chars().next().map_or((char::REPLACEMENT_CHARACTER, 1), |c| (c, c.len_utf8())))
}

/// The characters of `bytes` with their lengths; bytes that are no UTF-8 count one by one, as U+FFFD.
pub fn runes(bytes: &[u8]) -> impl Iterator<Item = (char, usize)> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (c, length) = decode(rest)?;
        rest = &rest[length..];
        Some((c, length))
    })
}

/// How many characters Go counts in `bytes`.
pub fn rune_count(bytes: &[u8]) -> usize {
    if bytes.is_ascii() { bytes.len() } else { runes(bytes).count() }
}

/// Does Go print this character as it is?
pub fn is_print(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Letter
            | GeneralCategoryGroup::Mark
            | GeneralCategoryGroup::Number
            | GeneralCategoryGroup::Punctuation
            | GeneralCategoryGroup::Symbol
    )
}

/// Without white space at both ends.
pub fn trim_space(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((c, length)) = decode(rest).filter(|(c, _)| c.is_whitespace()) {
        debug_assert_eq!(c.len_utf8(), length);
        rest = &rest[length..];
    }
    loop {
        let start = rest.iter().rposition(|byte| byte & 0xC0 != 0x80).unwrap_or(0);
        match decode(&rest[start..]) {
            Some((c, length)) if c.is_whitespace() && start + length == rest.len() => rest = &rest[..start],
            _ => return rest,
        }
    }
}

/// In double quotes.
pub fn quote(bytes: &[u8]) -> Vec<u8> {
    quote_with(bytes, b'"', false)
}

/// In these quotes; `ascii`: with everything else escaped.
pub(crate) fn quote_with(bytes: &[u8], mark: u8, ascii: bool) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(bytes.len() + 2);
    quoted.push(mark);
    let mut rest = bytes;
    while let Some((c, length)) = decode(rest) {
        if c == char::REPLACEMENT_CHARACTER && length == 1 {
            quoted.extend_from_slice(format!("\\x{:02x}", rest[0]).as_bytes());
        } else {
            escape(&mut quoted, c, mark, ascii);
        }
        rest = &rest[length..];
    }
    quoted.push(mark);
    quoted
}

/// One character in single quotes.
pub(crate) fn quote_char(c: char, ascii: bool) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    escape(&mut quoted, c, b'\'', ascii);
    quoted.push(b'\'');
    quoted
}

fn escape(quoted: &mut Vec<u8>, c: char, mark: u8, ascii: bool) {
    if c == char::from(mark) || c == '\\' {
        quoted.push(b'\\');
        push(quoted, c);
        return;
    }
    if (c.is_ascii() || !ascii) && is_print(c) {
        push(quoted, c);
        return;
    }
    let escaped = match c {
        '\x07' => "\\a".to_owned(),
        '\x08' => "\\b".to_owned(),
        '\x0c' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\x0b' => "\\v".to_owned(),
        c if c < ' ' || c == '\x7f' => format!("\\x{:02x}", u32::from(c)),
        c if u32::from(c) < 0x1_0000 => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    quoted.extend_from_slice(escaped.as_bytes());
}

pub(crate) fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Can it stand between backquotes?
pub(crate) fn can_backquote(bytes: &[u8]) -> bool {
    runes(bytes).all(|(c, length)| {
        !(c == char::REPLACEMENT_CHARACTER && length == 1)
            && c != '\u{feff}'
            && (c == '\t' || (c >= ' ' && c != '`' && c != '\x7f'))
    })
}

/// What a quoted Go text means: in double quotes with escapes, or in backquotes.
pub(crate) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    match text {
        [b'`', inner @ .., b'`'] => Some(inner.iter().copied().filter(|byte| *byte != b'\r').collect()),
        [b'"', inner @ .., b'"'] => {
            let mut bytes = Vec::with_capacity(inner.len());
            let mut rest = inner;
            while !rest.is_empty() {
                match unescape(&mut rest, b'"')? {
                    Unescaped::Char(c) => push(&mut bytes, c),
                    Unescaped::Byte(byte) => bytes.push(byte),
                }
            }
            Some(bytes)
        }
        _ => None,
    }
}

/// The code of a character constant.
pub(crate) fn unquote_char(text: &[u8]) -> Option<u32> {
    let [b'\'', inner @ .., b'\''] = text else {
        return None;
    };
    let mut rest = inner;
    let code = match unescape(&mut rest, b'\'')? {
        Unescaped::Char(c) => u32::from(c),
        Unescaped::Byte(byte) => byte.into(),
    };
    rest.is_empty().then_some(code)
}

enum Unescaped {
    Char(char),
    Byte(u8),
}

fn unescape(rest: &mut &[u8], mark: u8) -> Option<Unescaped> {
    let (first, after) = rest.split_first()?;
    if *first == mark {
        return None;
    }
    if *first != b'\\' {
        let (c, length) = decode(rest)?;
        let byte = rest[0];
        *rest = &rest[length..];
        let broken = c == char::REPLACEMENT_CHARACTER && length == 1;
        return Some(if broken { Unescaped::Byte(byte) } else { Unescaped::Char(c) });
    }
    let (kind, after) = after.split_first()?;
    *rest = after;
    let c = match kind {
        b'a' => '\x07',
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\x0b',
        b'\\' => '\\',
        b'\'' | b'"' if *kind == mark => char::from(*kind),
        b'x' => return digits(rest, 2, 16).and_then(|code| u8::try_from(code).ok()).map(Unescaped::Byte),
        b'u' => char::from_u32(digits(rest, 4, 16)?)?,
        b'U' => char::from_u32(digits(rest, 8, 16)?)?,
        b'0'..=b'7' => {
            let first = u32::from(kind - b'0');
            let code = first * 64 + digits(rest, 2, 8)?;
            return u8::try_from(code).ok().map(Unescaped::Byte);
        }
        _ => return None,
    };
    Some(Unescaped::Char(c))
}

fn digits(rest: &mut &[u8], count: usize, base: u32) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(count)?;
    let mut code = 0_u32;
    for digit in digits {
        code = code.checked_mul(base)?.checked_add(char::from(*digit).to_digit(base)?)?;
    }
    *rest = after;
    Some(code)
}

/// `strconv.ParseUint(text, base, 64)`; base 0 follows the prefix of the text.
///
/// # Errors
/// When it is no such number.
pub fn parse_uint(text: &str, base: u32) -> Result<u64, NumberError> {
    let (digits, base, underscores) = if base == 0 {
        let lower = text.to_ascii_lowercase();
        let found = [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find(|(p, _)| lower.starts_with(p));
        match found {
            Some((_, base)) => (&text[2..], base, true),
            None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8, true),
            None => (text, 10, true),
        }
    } else {
        (text, base, false)
    };
    if underscores && !underscores_are_right(text) {
        return Err(NumberError::Syntax);
    }
    let mut value = Ok(0_u64);
    let mut any = false;
    for c in digits.chars() {
        if c == '_' && underscores {
            continue;
        }
        let digit = c.to_digit(base).ok_or(NumberError::Syntax)?;
        any = true;
        value = value.and_then(|value: u64| {
            value
                .checked_mul(base.into())
                .and_then(|value| value.checked_add(digit.into()))
                .ok_or(NumberError::Range)
        });
    }
    if any { value } else { Err(NumberError::Syntax) }
}

/// `strconv.ParseInt(text, base, 64)`.
///
/// # Errors
/// When it is no such number.
pub fn parse_int(text: &str, base: u32) -> Result<i64, NumberError> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value = parse_uint(digits, base)?;
    if negative {
        0_i64.checked_sub_unsigned(value).ok_or(NumberError::Range)
    } else {
        i64::try_from(value).map_err(|_| NumberError::Range)
    }
}

/// They only stand between digits, or behind the prefix.
fn underscores_are_right(text: &str) -> bool {
    if !text.contains('_') {
        return true;
    }
    let lower = text.to_ascii_lowercase();
    let lower = lower.trim_start_matches(['+', '-']);
    let prefixed = ["0x", "0o", "0b"].iter().any(|prefix| lower.starts_with(prefix));
    // The prefix counts as a digit.
    let mut before = prefixed.then_some('0');
    let number = if prefixed { &lower[2..] } else { lower };
    for c in number.chars() {
        let is_digit = c.is_ascii_hexdigit();
        if (c == '_' && before != Some('0')) || (!is_digit && c != '_' && before == Some('_')) {
            return false;
        }
        before = Some(if is_digit { '0' } else { c });
    }
    before != Some('_')
}

/// `strconv.ParseFloat(text, 64)`.
///
/// # Errors
/// When it is no such number.
pub fn parse_float(text: &str) -> Result<f64, NumberError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let negative = text.starts_with('-');
    let sign = |value: f64| if negative { -value } else { value };
    match lower.as_str() {
        "inf" | "infinity" => return Ok(sign(f64::INFINITY)),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    if !underscores_are_right(text) {
        return Err(NumberError::Syntax);
    }
    let plain = lower.replace('_', "");
    if let Some(hex) = plain.strip_prefix("0x") {
        return hex_float(hex).map(sign);
    }
    if !plain.bytes().all(|byte| byte.is_ascii_digit() || b".e+-".contains(&byte)) {
        return Err(NumberError::Syntax);
    }
    let value: f64 = plain.parse().map_err(|_| NumberError::Syntax)?;
    if value.is_infinite() { Err(NumberError::Range) } else { Ok(sign(value)) }
}

/// Mantissas of up to 64 bits; a longer one is refused.
fn hex_float(text: &str) -> Result<f64, NumberError> {
    let (mantissa, exponent) = text.split_once('p').ok_or(NumberError::Syntax)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let bits = u64::from_str_radix(&digits, 16).map_err(|_| NumberError::Syntax)?;
    let exponent: i32 = exponent.parse().map_err(|_| NumberError::Syntax)?;
    let places = i32::try_from(fraction.len()).map_err(|_| NumberError::Syntax)?;
    #[expect(clippy::cast_precision_loss, reason = "rounds to even, as Go does")]
    let value = bits as f64 * 2_f64.powi(exponent.saturating_sub(4 * places));
    if value.is_infinite() { Err(NumberError::Range) } else { Ok(value) }
}

/// The integer a float is, if it is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "checked by going back")]
pub(crate) fn float_to_int(value: f64) -> Option<i64> {
    let int = value as i64;
    (int as f64 == value && value.abs() < 9.3e18).then_some(int)
}

/// `strconv.FormatFloat`: `verb` is one of `e E f F g G`, a missing precision means the shortest text that
/// reads back as the same number.
pub fn format_float(value: f64, verb: u8, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = match verb.to_ascii_lowercase() {
        b'e' => exponential(value, precision),
        b'f' => match precision {
            Some(precision) => fixed(value, precision),
            None => format!("{value}"),
        },
        _ => general(value, precision),
    };
    if verb.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

/// More places than any float has: what comes after them are zeros. Rust's own formatting takes no precision over
/// 65,535.
const PLACES: usize = 1_100;

fn fixed(value: f64, precision: usize) -> String {
    let zeros = "0".repeat(precision.saturating_sub(PLACES));
    format!("{value:.*}{zeros}", precision.min(PLACES))
}

fn exponential(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.*e}", precision.min(PLACES)),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let zeros = "0".repeat(precision.unwrap_or(0).saturating_sub(PLACES));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{zeros}e{sign}{digits:0>2}")
}

fn general(value: f64, precision: Option<usize>) -> String {
    let precision = precision.map(|precision| precision.max(1));
    // The digits as `%e` would write them decide.
    let text = match precision {
        Some(precision) => format!("{value:.*e}", (precision - 1).min(PLACES)),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>();
    let significant = match precision {
        // Go drops the zeros that rounding leaves behind.
        Some(_) => digits.len() - digits.iter().rev().take_while(|digit| **digit == b'0').count(),
        None => digits.len(),
    }
    .max(1);
    let before_point = exponent + 1;
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let mut threshold = precision.map_or(6, count);
    if threshold > count(significant) && count(significant) >= before_point {
        threshold = count(significant);
    }
    if precision.is_none() {
        threshold = 6;
    }
    // %e for what is too small or too large.
    if exponent < -4 || exponent >= threshold.max(1) && value != 0.0 {
        return exponential(value, Some(significant - 1));
    }
    let places = usize::try_from(count(significant) - before_point).unwrap_or(0);
    fixed(value, places)
}

#[cfg(test)]
mod tests;
