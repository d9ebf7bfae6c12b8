//! Integers, characters and floats.

use super::Printer;
use crate::strconv;

/// Hexadecimal digits, small or capital.
#[derive(Debug, Clone, Copy)]
pub(super) enum Radix {
    Lower,
    Upper,
}

impl Radix {
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Lower => "0x",
            Self::Upper => "0X",
        }
    }

    pub(super) fn byte(self, byte: u8) -> String {
        match self {
            Self::Lower => format!("{byte:02x}"),
            Self::Upper => format!("{byte:02X}"),
        }
    }
}

impl Printer {
    /// An integer as sign and magnitude; false: no integer prints with this verb.
    pub(super) fn integer(&mut self, negative: bool, magnitude: u64, verb: char, signed: bool) -> bool {
        let digits = match verb {
            'v' if self.flags.sharp_v && !signed => {
                self.flags.sharp = true;
                self.digits(negative, &format!("{magnitude:x}"), "0x");
                return true;
            }
            'v' | 'd' => magnitude.to_string(),
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            'c' => {
                let c = character(negative, magnitude);
                let mut text = Vec::new();
                strconv::push(&mut text, c);
                self.pad(&text);
                return true;
            }
            'q' => {
                let quoted = strconv::quote_char(character(negative, magnitude), self.flags.plus);
                self.pad(&quoted);
                return true;
            }
            'U' => {
                self.unicode(if negative { magnitude.wrapping_neg() } else { magnitude });
                return true;
            }
            _ => return false,
        };
        let prefix = match (verb, self.flags.sharp) {
            ('O', _) => "0o",
            ('b', true) => "0b",
            ('o', true) if !digits.starts_with('0') => "0",
            ('x', true) => "0x",
            ('X', true) => "0X",
            _ => "",
        };
        self.digits(negative, &digits, prefix);
        true
    }

    /// Digits with sign, prefix, zeros and width.
    fn digits(&mut self, negative: bool, digits: &str, prefix: &str) {
        let signed = negative || self.flags.plus || self.flags.space;
        let mut zeros = 0;
        if let Some(precision) = self.flags.precision {
            if precision == 0 && digits == "0" {
                let zero = std::mem::take(&mut self.flags.zero);
                self.pad(b"");
                self.flags.zero = zero;
                return;
            }
            zeros = precision;
        } else if let (true, false, Some(width)) = (self.flags.zero, self.flags.minus, self.flags.width) {
            zeros = width.saturating_sub(usize::from(signed));
        }
        let sign = match (negative, self.flags.plus, self.flags.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        // A leading zero of its own makes the octal prefix superfluous.
        let prefix = if prefix == "0" && zeros > digits.len() { "" } else { prefix };
        let text = format!("{sign}{prefix}{}", zero_padded(digits, zeros));
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(text.as_bytes());
        self.flags.zero = zero;
    }

    fn unicode(&mut self, code: u64) {
        let digits = self.flags.precision.unwrap_or(4).max(4);
        let mut text = format!("U+{}", zero_padded(&format!("{code:X}"), digits)).into_bytes();
        let c = u32::try_from(code).ok().and_then(char::from_u32);
        if let Some(c) = c.filter(|c| self.flags.sharp && strconv::is_print(*c)) {
            text.extend_from_slice(b" '");
            strconv::push(&mut text, c);
            text.push(b'\'');
        }
        let zero = std::mem::take(&mut self.flags.zero);
        self.pad(&text);
        self.flags.zero = zero;
    }

    /// A float; false: no float prints with this verb.
    pub(super) fn float(&mut self, value: f64, verb: char) -> bool {
        let (format, default) = match verb {
            'v' => (b'g', None),
            'e' => (b'e', Some(6)),
            'E' => (b'E', Some(6)),
            'f' | 'F' => (b'f', Some(6)),
            'g' => (b'g', None),
            'G' => (b'G', None),
            'b' | 'x' | 'X' => {
                self.odd_float(value, verb);
                return true;
            }
            _ => return false,
        };
        let precision = self.flags.precision.or(default);
        let text = strconv::format_float(value, format, precision);
        self.signed_float(value, text, format, verb);
        true
    }

    fn signed_float(&mut self, value: f64, text: String, format: u8, verb: char) {
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (text.as_bytes()[0], digits.to_owned()),
            None => (b'+', text.clone()),
        };
        let sign = if self.flags.space && sign == b'+' && !self.flags.plus { b' ' } else { sign };
        let finite = value.is_finite();
        let zero = self.flags.zero;
        if !finite {
            self.flags.zero = false;
        }
        let digits = if self.flags.sharp && finite { self.sharp(&digits, format, verb) } else { digits };
        let shown = self.flags.plus || self.flags.space || sign == b'-' || value == f64::INFINITY;
        if !shown || value.is_nan() && !(self.flags.plus || self.flags.space) {
            self.pad(digits.as_bytes());
        } else if self.flags.zero && !self.flags.minus && self.flags.width.is_some_and(|w| w > digits.len()) {
            // The sign goes before the zeros.
            self.out.push(sign);
            let width = self.flags.width;
            self.flags.width = width.map(|width| width - 1);
            self.pad(digits.as_bytes());
            self.flags.width = width;
        } else {
            self.pad(&[&[sign], digits.as_bytes()].concat());
        }
        self.flags.zero = zero;
    }

    /// `#`: always a decimal point, and `%g` keeps its zeros.
    fn sharp(&self, digits: &str, format: u8, verb: char) -> String {
        let (mantissa, exponent) = match digits.find(['e', 'E']) {
            Some(at) => digits.split_at(at),
            None => (digits, ""),
        };
        let mut text = mantissa.to_owned();
        if !text.contains('.') {
            text.push('.');
        }
        if format.eq_ignore_ascii_case(&b'g') {
            let wanted = match self.flags.precision {
                Some(precision) => precision,
                None if verb == 'v' => 0,
                None => 6,
            };
            let significant = text.trim_start_matches(['0', '.']).bytes().filter(u8::is_ascii_digit).count();
            let significant = if significant == 0 { 1 } else { significant };
            text.extend(std::iter::repeat_n('0', wanted.saturating_sub(significant)));
        }
        text + exponent
    }

    /// `%b` and `%x` of floats: mantissa and exponent of two.
    fn odd_float(&mut self, value: f64, verb: char) {
        let bits = value.to_bits();
        let exponent = i64::try_from(bits >> 52 & 0x7ff).unwrap_or(0);
        let fraction = bits & ((1 << 52) - 1);
        if !value.is_finite() {
            let text = strconv::format_float(value, b'g', None);
            self.signed_float(value, text, b'f', verb);
            return;
        }
        let (mantissa, exponent) = if exponent == 0 { (fraction, 1) } else { (fraction | 1 << 52, exponent) };
        let sign = if value.is_sign_negative() { "-" } else { "" };
        let text = if verb == 'b' {
            let exponent = exponent - 1075;
            format!("{sign}{mantissa}p{exponent:+}")
        } else {
            hex_float(sign, mantissa, exponent - 1023, self.flags.precision)
        };
        let text = if verb == 'X' { text.to_uppercase() } else { text };
        self.signed_float(value, text, b'x', verb);
    }
}

fn hex_float(sign: &str, mut mantissa: u64, mut exponent: i64, precision: Option<usize>) -> String {
    if mantissa == 0 {
        exponent = 0;
    }
    while mantissa != 0 && mantissa & 1 << 52 == 0 {
        mantissa <<= 1;
        exponent -= 1;
    }
    if let Some(precision) = precision.filter(|precision| *precision < 13) {
        let shift = 52 - 4 * precision;
        let (half, rest) = (1_u64 << (shift - 1), mantissa & ((1 << shift) - 1));
        mantissa >>= shift;
        if rest > half || rest == half && mantissa & 1 == 1 {
            mantissa += 1;
        }
        mantissa <<= shift;
        if mantissa & 1 << 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let digits = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let digits = match precision {
        Some(precision) => {
            let zeros = "0".repeat(precision.saturating_sub(digits.len()));
            format!("{}{zeros}", &digits[..precision.min(digits.len())])
        }
        None => digits.trim_end_matches('0').to_owned(),
    };
    let point = if digits.is_empty() { "" } else { "." };
    let power = if exponent < 0 { '-' } else { '+' };
    format!("{sign}0x{}{point}{digits}p{power}{:02}", mantissa >> 52, exponent.abs())
}

/// Not by Rust's formatting, which takes no width over 65,535.
fn zero_padded(digits: &str, width: usize) -> String {
    format!("{}{digits}", "0".repeat(width.saturating_sub(digits.len())))
}

fn character(negative: bool, magnitude: u64) -> char {
    if negative {
        return char::REPLACEMENT_CHARACTER;
    }
    u32::try_from(magnitude).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}
