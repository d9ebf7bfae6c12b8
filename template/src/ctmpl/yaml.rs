//! YAML as the Go library of consul-template writes it: block style, the quotes it puts, and lines folded
//! after column 80. Its rules are those of libyaml's emitter, for the documents that values make.

use std::cmp::Ordering;

use base64::{Engine, prelude::BASE64_STANDARD};
use wharf_gotemplate::{Key, Value, strconv};

use super::yaml_text::{Resolved, resolve};

/// How deep values may be nested.
const MAX_DEPTH: usize = 100;
/// Plain and quoted texts are broken at the first space after this column.
const WIDTH: usize = 80;
/// Longest key that is written on one line with its value.
const MAX_KEY: usize = 128;

/// `value` as a YAML document.
pub(super) fn encode(value: &Value) -> Result<Vec<u8>, String> {
    let mut emitter = Emitter { out: String::new(), column: 0 };
    emitter.node(value, 0, 0, Place::Root)?;
    if !emitter.out.ends_with('\n') {
        emitter.out.push('\n');
    }
    Ok(emitter.out.into_bytes())
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    /// After `key:`.
    Value,
    /// After `- ` or `? `.
    Item,
}

struct Emitter {
    out: String,
    column: usize,
}

/// What a mapping or a sequence holds.
enum Node {
    Scalar(Scalar),
    Sequence(Vec<Value>),
    Mapping(Vec<(Scalar, Value)>),
}

#[derive(Debug, Clone)]
struct Scalar {
    text: String,
    tag: &'static str,
    style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Emitter {
    /// A node whose lines begin at `indent`.
    fn node(&mut self, value: &Value, indent: usize, depth: usize, place: Place) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("yaml: more than {MAX_DEPTH} levels"));
        }
        super::bounded(self.out.len())?;
        match node(value) {
            Node::Scalar(scalar) => {
                if place == Place::Value {
                    self.put(" ");
                }
                let indent = if place == Place::Root { 2 } else { indent + 2 };
                self.scalar(&scalar, indent, false);
                Ok(())
            }
            Node::Sequence(items) if items.is_empty() => {
                self.put(if place == Place::Value { " []" } else { "[]" });
                Ok(())
            }
            Node::Mapping(entries) if entries.is_empty() => {
                self.put(if place == Place::Value { " {}" } else { "{}" });
                Ok(())
            }
            Node::Sequence(items) => {
                // In a mapping, the dashes stand below the key.
                let indent = if place == Place::Item { indent + 2 } else { indent };
                for (index, item) in items.iter().enumerate() {
                    self.begin(indent, index == 0 && place == Place::Item);
                    self.put("- ");
                    self.node(item, indent, depth + 1, Place::Item)?;
                }
                Ok(())
            }
            Node::Mapping(entries) => {
                let indent = match place {
                    Place::Root => 0,
                    Place::Value | Place::Item => indent + 2,
                };
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.begin(indent, index == 0 && place == Place::Item);
                    self.key(key, indent);
                    self.node(value, indent, depth + 1, Place::Value)?;
                }
                Ok(())
            }
        }
    }

    /// The start of a line, unless this is it already.
    fn begin(&mut self, indent: usize, here: bool) {
        if here || self.out.is_empty() {
            return;
        }
        self.line(indent);
    }

    fn line(&mut self, indent: usize) {
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn key(&mut self, key: &Scalar, indent: usize) {
        let is_simple = key.text.len() <= MAX_KEY && !analyze(&key.text).multiline;
        if is_simple {
            self.scalar(key, indent, true);
        } else {
            self.put("? ");
            self.scalar(key, indent + 2, false);
            self.line(indent);
        }
        self.put(":");
    }

    fn scalar(&mut self, scalar: &Scalar, indent: usize, is_key: bool) {
        let style = chosen(scalar, is_key);
        if !scalar.tag.is_empty() {
            self.put(scalar.tag);
            self.put(" ");
        }
        match style {
            Style::Plain => self.plain(&scalar.text, indent, !is_key),
            Style::Single => self.single(&scalar.text, indent, !is_key),
            Style::Double => self.double(&scalar.text, indent, !is_key),
            Style::Literal => self.literal(&scalar.text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, folds: bool) {
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' && folds && !spaces && self.column > WIDTH && chars.peek() != Some(&' ') {
                self.line(indent);
            } else {
                self.put(c.encode_utf8(&mut [0; 4]));
            }
            spaces = c == ' ';
        }
    }

    fn single(&mut self, text: &str, indent: usize, folds: bool) {
        self.put("'");
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((index, c)) = chars.next() {
            let inner = index > 0 && chars.peek().is_some_and(|(_, next)| *next != ' ');
            if c == ' ' && folds && !spaces && self.column > WIDTH && inner {
                self.line(indent);
            } else if c == '\'' {
                self.put("''");
            } else {
                self.put(c.encode_utf8(&mut [0; 4]));
            }
            spaces = c == ' ';
        }
        self.put("'");
    }

    fn double(&mut self, text: &str, indent: usize, folds: bool) {
        self.put("\"");
        let mut spaces = false;
        let mut chars = text.chars().enumerate().peekable();
        while let Some((index, c)) = chars.next() {
            if c == ' ' {
                if folds && !spaces && self.column > WIDTH && index > 0 && chars.peek().is_some() {
                    self.line(indent);
                    if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put("\\");
                    }
                } else {
                    self.put(" ");
                }
                spaces = true;
                continue;
            }
            spaces = false;
            if is_printable(c) && !is_break(c) && c != '"' && c != '\\' && c != '\u{feff}' {
                self.put(c.encode_utf8(&mut [0; 4]));
            } else {
                self.put(&escaped(c));
            }
        }
        self.put("\"");
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with(' ') || text.starts_with(is_break) {
            self.put("2");
        }
        let mut back = text.chars().rev();
        match (back.next(), back.next()) {
            (Some(last), _) if !is_break(last) => self.put("-"),
            (Some(_), None) => self.put("+"),
            (Some(_), Some(before)) if is_break(before) => self.put("+"),
            _ => {}
        }
        self.out.push('\n');
        let mut at_start = true;
        for c in text.chars() {
            if !is_break(c) && at_start {
                self.line(indent);
            }
            at_start = is_break(c);
            self.out.push(c);
        }
        self.column = 0;
    }
}

fn node(value: &Value) -> Node {
    let plain = |text: String| Node::Scalar(Scalar { text, tag: "", style: Style::Plain });
    match value {
        Value::Nil | Value::Invalid | Value::NilPointer(_) => plain("null".to_owned()),
        Value::Bool(value) => plain(value.to_string()),
        Value::Int(_, value) => plain(value.to_string()),
        Value::Uint(_, value) => plain(value.to_string()),
        Value::Float(value) => plain(float(*value)),
        Value::String(text) => Node::Scalar(text_scalar(text)),
        Value::List(list) => Node::Sequence(list.items().to_vec()),
        Value::Map(map) => {
            let mut entries: Vec<_> =
                map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            entries.sort_by(|one, other| by_key(&one.0, &other.0));
            Node::Mapping(entries.into_iter().map(|(key, value)| (key_scalar(&key), value)).collect())
        }
        Value::Record(record) => {
            let fields = record.shape().fields.iter().enumerate();
            Node::Mapping(
                fields
                    .map(|(index, field)| {
                        (text_scalar(field.name.to_lowercase().as_bytes()), record.field(index))
                    })
                    .collect(),
            )
        }
    }
}

fn key_scalar(key: &Key) -> Scalar {
    match node(&key.value()) {
        Node::Scalar(scalar) => scalar,
        Node::Sequence(_) | Node::Mapping(_) => Scalar { text: String::new(), tag: "", style: Style::Plain },
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        ".nan".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        strconv::format_float(value, b'g', None)
    }
}

/// A text, quoted if it would read as something else; bytes that are no UTF-8 as base64.
fn text_scalar(bytes: &[u8]) -> Scalar {
    let (text, tag, plain) = match std::str::from_utf8(bytes) {
        Ok(text) => {
            let plain = matches!(resolve(text), Resolved::Text) && !is_base_60(text);
            (text.to_owned(), "", plain)
        }
        Err(_) => (base64_lines(bytes), "!!binary", true),
    };
    let style = match (text.contains('\n'), plain) {
        (true, _) => Style::Literal,
        (_, true) => Style::Plain,
        (_, false) => Style::Double,
    };
    Scalar { text, tag, style }
}

fn base64_lines(bytes: &[u8]) -> String {
    let encoded = BASE64_STANDARD.encode(bytes);
    let lines: Vec<_> = encoded.as_bytes().chunks(70).map(String::from_utf8_lossy).collect();
    if lines.len() > 1 { lines.join("\n") + "\n" } else { encoded }
}

/// `1:30` was a number once, to base 60.
fn is_base_60(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((first, rest)) = digits.split_once(':') else {
        return false;
    };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if !first.starts_with(|c: char| c.is_ascii_digit()) || !is_number(first) {
        return false;
    }
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |(whole, fraction)| (whole, fraction));
    let group = |part: &str| match part.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => (b'0'..=b'5').contains(tens) && digit.is_ascii_digit(),
        _ => false,
    };
    whole.split(':').all(group) && is_number(fraction)
}

/// What libyaml finds out about a text before it chooses a style.
struct Analysis {
    multiline: bool,
    plain: bool,
    single: bool,
    literal: bool,
}

fn analyze(text: &str) -> Analysis {
    if text.is_empty() {
        return Analysis { multiline: false, plain: true, single: true, literal: false };
    }
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut breaks, mut special, mut break_space, mut space_break) = (false, false, false, false);
    let mut before: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let ends = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
        let after_space = before.is_none_or(|before| before == ' ' || before == '\t' || is_break(before));
        indicators |= match (before, c) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`',
            ) => true,
            (None, '?' | ':' | '-') | (Some(_), ':') => ends,
            (Some(_), '#') => after_space,
            _ => false,
        };
        special |= !is_printable(c);
        breaks |= is_break(c);
        break_space |= c == ' ' && before.is_some_and(is_break);
        space_break |= is_break(c) && before == Some(' ');
        before = Some(c);
    }
    let edge = |c: char| c == ' ' || is_break(c);
    let edges = text.starts_with(edge) || text.ends_with(edge);
    Analysis {
        multiline: breaks,
        plain: !(edges || break_space || space_break || special || breaks || indicators),
        single: !(break_space || space_break || special),
        literal: !(text.ends_with(' ') || space_break || special),
    }
}

fn chosen(scalar: &Scalar, is_key: bool) -> Style {
    let analysis = analyze(&scalar.text);
    let mut style = scalar.style;
    if is_key && analysis.multiline {
        style = Style::Double;
    }
    if style == Style::Plain && (!analysis.plain || scalar.text.is_empty() && is_key) {
        style = Style::Single;
    }
    if style == Style::Single && !analysis.single {
        style = Style::Double;
    }
    if style == Style::Literal && (!analysis.literal || is_key) {
        style = Style::Double;
    }
    style
}

/// Characters that stand for themselves; the library knows none beyond the first plane.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn escaped(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c => {
            let code = u32::from(c);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

/// The order of keys: numbers by size, texts with the numbers in them by size, letters last.
fn by_key(one: &Key, other: &Key) -> Ordering {
    let number = |key: &Key| match key.value() {
        #[expect(clippy::cast_precision_loss, reason = "only for an order")]
        Value::Int(_, value) => Some(value as f64),
        #[expect(clippy::cast_precision_loss, reason = "only for an order")]
        Value::Uint(_, value) => Some(value as f64),
        Value::Float(value) => Some(value),
        Value::Bool(value) => Some(f64::from(u8::from(value))),
        _ => None,
    };
    match (number(one), number(other), one, other) {
        (Some(one), Some(other), ..) => one.partial_cmp(&other).unwrap_or(Ordering::Equal),
        (_, _, Key::String(one), Key::String(other)) => natural(&one.to_str_lossy(), &other.to_str_lossy()),
        _ => one.cmp(other),
    }
}

fn natural(one: &str, other: &str) -> Ordering {
    let (one, other): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let Some(at) = one.iter().zip(&other).position(|(a, b)| a != b) else {
        return one.len().cmp(&other.len());
    };
    let (a, b) = (one[at], other[at]);
    match (a.is_alphabetic(), b.is_alphabetic()) {
        (true, true) => return a.cmp(&b),
        (false, true) => return Ordering::Less,
        (true, false) => return Ordering::Greater,
        (false, false) => {}
    }
    let leading = if a == '0' || b == '0' {
        let digits = one[..at].iter().rev().take_while(|c| c.is_ascii_digit());
        u64::from(digits.into_iter().any(|c| *c != '0'))
    } else {
        0
    };
    let run = |text: &[char]| {
        let digits: Vec<_> = text[at..].iter().take_while(|c| c.is_ascii_digit()).collect();
        let value = digits.iter().fold(leading, |value, digit| {
            value.wrapping_mul(10).wrapping_add(digit.to_digit(10).unwrap_or(0).into())
        });
        (value, digits.len())
    };
    run(&one).cmp(&run(&other)).then(a.cmp(&b))
}
