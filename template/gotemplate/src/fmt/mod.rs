//! How does Go print values? Its verbs, flags, widths and precisions, and the texts it writes instead of
//! failing.

mod number;
mod print;

use crate::{Value, strconv};
use number::Radix;
pub(crate) use print::write_out;

/// Largest width and precision, as in Go.
const MAX_WIDTH: i64 = 1_000_000;

/// What stands between `%` and the verb.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are Go's flags")]
struct Flags {
    width: Option<usize>,
    precision: Option<usize>,
    minus: bool,
    plus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    /// `%+v`
    plus_v: bool,
    /// `%#v`
    sharp_v: bool,
}

struct Printer {
    out: Vec<u8>,
    flags: Flags,
}

/// `fmt.Sprint`: a space between two operands that are both no texts.
pub fn sprint(args: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new();
    let mut after_text = true;
    for (index, arg) in args.iter().enumerate() {
        let text = matches!(arg, Value::String(_));
        if index > 0 && !text && !after_text {
            printer.out.push(b' ');
        }
        printer.arg(arg, 'v');
        after_text = text;
    }
    printer.out
}

/// `fmt.Sprintln`: a space between all operands, and a line end.
pub fn sprintln(args: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new();
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            printer.out.push(b' ');
        }
        printer.arg(arg, 'v');
    }
    printer.out.push(b'\n');
    printer.out
}

/// `fmt.Sprintf`.
pub fn sprintf(format: &[u8], args: &[Value]) -> Vec<u8> {
    let mut printer = Printer::new();
    let mut format = Format { text: format, at: 0, args, next: 0, reordered: false, good_index: true };
    while format.at < format.text.len() {
        let rest = &format.text[format.at..];
        let plain = rest.iter().position(|byte| *byte == b'%').unwrap_or(rest.len());
        printer.out.extend_from_slice(&rest[..plain]);
        format.at += plain;
        if format.at < format.text.len() {
            format.at += 1;
            format.verb(&mut printer);
        }
    }
    if !format.reordered && format.next < args.len() {
        format.extra(&mut printer);
    }
    printer.out
}

/// A format being worked off.
struct Format<'a> {
    text: &'a [u8],
    at: usize,
    args: &'a [Value],
    next: usize,
    reordered: bool,
    good_index: bool,
}

impl Format<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// One verb, after its `%`.
    fn verb(&mut self, printer: &mut Printer) {
        printer.flags = Flags::default();
        self.good_index = true;
        let mut after_index = false;
        if self.flags(&mut printer.flags) && self.next < self.args.len() {
            // The usual case: an ASCII letter at once, and an operand for it.
            if let Some(verb) = self.peek().filter(u8::is_ascii_lowercase) {
                self.at += 1;
                self.print(printer, char::from(verb));
                return;
            }
        }
        self.index(&mut after_index);
        self.width(printer, &mut after_index);
        self.precision(printer, &mut after_index);
        if !after_index {
            self.index(&mut after_index);
        }
        let Some((verb, length)) = strconv::decode(&self.text[self.at..]) else {
            printer.out.extend_from_slice(b"%!(NOVERB)");
            return;
        };
        self.at += length;
        let mut name = Vec::new();
        strconv::push(&mut name, verb);
        let bad = |out: &mut Vec<u8>, what: &str| {
            out.extend_from_slice(b"%!");
            out.extend_from_slice(&name);
            out.extend_from_slice(what.as_bytes());
        };
        if verb == '%' {
            printer.out.push(b'%');
        } else if !self.good_index {
            bad(&mut printer.out, "(BADINDEX)");
        } else if self.next >= self.args.len() {
            bad(&mut printer.out, "(MISSING)");
        } else {
            self.print(printer, verb);
        }
    }

    fn print(&mut self, printer: &mut Printer, verb: char) {
        if verb == 'v' {
            let flags = &mut printer.flags;
            flags.sharp_v = std::mem::take(&mut flags.sharp);
            flags.plus_v = std::mem::take(&mut flags.plus);
        }
        printer.arg(&self.args[self.next], verb);
        self.next += 1;
    }

    /// Reads the flags; is what follows no digit, point, star or bracket?
    fn flags(&mut self, flags: &mut Flags) -> bool {
        while let Some(byte) = self.peek() {
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = !flags.minus,
                b'+' => flags.plus = true,
                b'-' => (flags.minus, flags.zero) = (true, false),
                b' ' => flags.space = true,
                other => return other.is_ascii_lowercase(),
            }
            self.at += 1;
        }
        false
    }

    fn width(&mut self, printer: &mut Printer, after_index: &mut bool) {
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(width) => {
                    if width < 0 {
                        printer.flags.minus = true;
                        printer.flags.zero = false;
                    }
                    printer.flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => printer.out.extend_from_slice(b"%!(BADWIDTH)"),
            }
            *after_index = false;
        } else {
            printer.flags.width = self.number();
            if *after_index && printer.flags.width.is_some() {
                self.good_index = false;
            }
        }
    }

    fn precision(&mut self, printer: &mut Printer, after_index: &mut bool) {
        if self.peek() != Some(b'.') {
            return;
        }
        self.at += 1;
        if *after_index {
            self.good_index = false;
        }
        self.index(after_index);
        if self.peek() == Some(b'*') {
            self.at += 1;
            match self.star() {
                Some(precision) if precision < 0 => printer.flags.precision = None,
                Some(precision) => printer.flags.precision = usize::try_from(precision).ok(),
                None => printer.out.extend_from_slice(b"%!(BADPREC)"),
            }
            *after_index = false;
        } else {
            printer.flags.precision = Some(self.number().unwrap_or(0));
        }
    }

    /// A width or precision given as an operand.
    fn star(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        let number = match arg {
            Value::Int(_, number) => *number,
            Value::Uint(_, number) => i64::try_from(*number).ok()?,
            _ => return None,
        };
        (number.abs() <= MAX_WIDTH).then_some(number)
    }

    /// Digits; `None` without any, or for too many.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            let value = number.unwrap_or(0) * 10 + i64::from(digit - b'0');
            if value > MAX_WIDTH {
                return None;
            }
            number = Some(value);
            self.at += 1;
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// `[n]`: the operand to take next.
    fn index(&mut self, after_index: &mut bool) {
        *after_index = false;
        if self.peek() != Some(b'[') {
            return;
        }
        self.reordered = true;
        let rest = &self.text[self.at..];
        let Some(end) = rest.iter().position(|byte| *byte == b']') else {
            self.good_index = false;
            self.at += 1;
            return;
        };
        let digits = std::str::from_utf8(&rest[1..end]).unwrap_or_default();
        self.at += end + 1;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        match digits.parse::<usize>().ok().filter(|_| plain).and_then(|number| number.checked_sub(1)) {
            Some(index) if index < self.args.len() => {
                self.next = index;
                *after_index = true;
            }
            _ => self.good_index = false,
        }
    }

    fn extra(&self, printer: &mut Printer) {
        printer.flags = Flags::default();
        printer.out.extend_from_slice(b"%!(EXTRA ");
        for (index, arg) in self.args[self.next..].iter().enumerate() {
            if index > 0 {
                printer.out.extend_from_slice(b", ");
            }
            match arg {
                Value::Nil | Value::Invalid => printer.out.extend_from_slice(b"<nil>"),
                arg => {
                    printer.out.extend_from_slice(arg.type_name().as_bytes());
                    printer.out.push(b'=');
                    printer.arg(arg, 'v');
                }
            }
        }
        printer.out.push(b')');
    }
}

impl Printer {
    fn new() -> Self {
        Self { out: Vec::new(), flags: Flags::default() }
    }

    /// Writes `text` to the width asked for; widths count characters.
    fn pad(&mut self, text: &[u8]) {
        let missing = self.flags.width.unwrap_or(0).saturating_sub(strconv::rune_count(text));
        if self.flags.minus {
            self.out.extend_from_slice(text);
            self.out.resize(self.out.len() + missing, b' ');
        } else {
            let filler = if self.flags.zero { b'0' } else { b' ' };
            self.out.resize(self.out.len() + missing, filler);
            self.out.extend_from_slice(text);
        }
    }

    fn truncate<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        let Some(precision) = self.flags.precision else {
            return text;
        };
        let end = strconv::runes(text).take(precision).map(|(_, length)| length).sum();
        &text[..end]
    }

    fn text(&mut self, text: &[u8], verb: char) {
        match verb {
            'v' if self.flags.sharp_v => self.quoted(text),
            'v' | 's' => {
                let text = self.truncate(text);
                self.pad(text);
            }
            'x' => self.hex(text, Radix::Lower),
            'X' => self.hex(text, Radix::Upper),
            'q' => self.quoted(text),
            _ => self.bad_verb(&Value::from(text), verb),
        }
    }

    fn quoted(&mut self, text: &[u8]) {
        let text = self.truncate(text);
        let quoted = if self.flags.sharp && strconv::can_backquote(text) {
            [b"`", text, b"`"].concat()
        } else {
            strconv::quote_with(text, b'"', self.flags.plus)
        };
        self.pad(&quoted);
    }

    /// The bytes of a text as digits.
    fn hex(&mut self, text: &[u8], radix: Radix) {
        let length = self.flags.precision.map_or(text.len(), |precision| precision.min(text.len()));
        let (spaced, prefixed) = (self.flags.space, self.flags.sharp);
        let mut digits = String::new();
        for (index, byte) in text[..length].iter().enumerate() {
            if index > 0 && spaced {
                digits.push(' ');
            }
            if prefixed && (spaced || index == 0) {
                digits.push_str(radix.prefix());
            }
            digits.push_str(&radix.byte(*byte));
        }
        self.pad(digits.as_bytes());
    }
}

#[cfg(test)]
mod tests;
