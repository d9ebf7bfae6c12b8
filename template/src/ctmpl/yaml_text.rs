//! YAML -> values, and what a plain word means in YAML as the Go library of consul-template reads it.

use saphyr_parser::{Event, Parser, ScalarStyle};
use wharf_gotemplate::{Entries, Key, Type, Value, strconv};

/// How deep values may be nested.
const MAX_DEPTH: usize = 100;
/// Most values in one document: references multiply them.
const MAX_VALUES: usize = 1_000_000;

/// What a plain word is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text,
}

/// What an unquoted `text` means.
pub(super) fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Resolved::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Resolved::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    match text.as_bytes()[0] {
        b'.' => strconv::parse_float(text).map_or(Resolved::Text, Resolved::Float),
        b'+' | b'-' | b'0'..=b'9' => number(&text.replace('_', "")),
        _ => Resolved::Text,
    }
}

fn number(plain: &str) -> Resolved {
    if let Ok(value) = strconv::parse_int(plain, 0) {
        return Resolved::Int(value);
    }
    if let Ok(value) = strconv::parse_uint(plain, 0) {
        return Resolved::Uint(value);
    }
    if is_float(plain)
        && let Ok(value) = strconv::parse_float(plain)
    {
        return Resolved::Float(value);
    }
    Resolved::Text
}

/// Digits, perhaps a point with digits behind it, perhaps an exponent, which needs a sign.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_is_right = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole.is_empty() || digits(whole)) && digits(fraction),
        None => digits(mantissa),
    };
    mantissa_is_right && exponent.is_none_or(|exponent| exponent.strip_prefix(['+', '-']).is_some_and(digits))
}

/// The first document in `text`.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut builder = Builder { open: Vec::new(), anchors: Vec::new(), done: None };
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| format!("yaml: {error}"))?;
        builder.event(event)?;
        if let Some(value) = builder.done.take() {
            return Ok(value);
        }
    }
    Ok(Value::Nil)
}

struct Builder {
    open: Vec<Open>,
    /// What references may mean, by number.
    anchors: Vec<(usize, Value, usize)>,
    done: Option<Value>,
}

/// A list or map that has not ended yet, with the number of its anchor (0: none) and how many values it holds so
/// far, those in others included.
enum Open {
    List(usize, Vec<Value>, usize),
    Map(usize, Entries, Option<Key>, Vec<Value>, usize),
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::SequenceStart(anchor, _) => self.open(Open::List(anchor, Vec::new(), 1)),
            Event::MappingStart(anchor, _) => {
                self.open(Open::Map(anchor, Entries::new(), None, Vec::new(), 1))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix.clone());
                let value = scalar(&text, style, tag.as_deref())?;
                self.value(anchor, value, 1)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.iter().rev().find(|(number, ..)| *number == anchor).cloned();
                let (_, value, size) = known.ok_or("yaml: a reference to what it stands in")?;
                self.value(0, value, size)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("yaml: more than {MAX_DEPTH} levels"));
        }
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        match self.open.pop() {
            Some(Open::List(anchor, items, size)) => self.value(anchor, Value::list(Type::LIST, items), size),
            Some(Open::Map(anchor, mut entries, _, merged, size)) => {
                // `<<` gives what the map does not say itself.
                for value in &merged {
                    merge(&mut entries, value);
                }
                self.value(anchor, Value::map(MAP, entries), size)
            }
            None => Ok(()),
        }
    }

    fn value(&mut self, anchor: usize, value: Value, size: usize) -> Result<(), String> {
        let held = match self.open.last_mut() {
            Some(Open::List(_, _, held) | Open::Map(.., held)) => {
                *held += size;
                *held
            }
            None => size,
        };
        if held > MAX_VALUES {
            return Err(format!("yaml: more than {MAX_VALUES} values"));
        }
        if anchor > 0 {
            self.anchors.push((anchor, value.clone(), size));
        }
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open::List(_, items, _)) => items.push(value),
            Some(Open::Map(_, entries, key, merged, _)) => match key.take() {
                None => {
                    *key = Some(Key::of(&value).ok_or("yaml: a list or a map cannot be a key")?);
                }
                Some(Key::String(text)) if &*text == b"<<" => merged.push(value),
                Some(key) => {
                    entries.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

/// Maps in documents, as the library makes them.
const MAP: Type = Type::Map(&Type::Any, &Type::Any);

fn merge(entries: &mut Entries, value: &Value) {
    match value {
        Value::Map(map) => {
            for (key, value) in map.entries().iter() {
                entries.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        Value::List(list) => list.items().iter().for_each(|item| merge(entries, item)),
        _ => {}
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Result<Value, String> {
    let plain = style == ScalarStyle::Plain;
    match tag {
        Some("str") => return Ok(text.into()),
        Some("binary") => {
            use base64::{Engine, prelude::BASE64_STANDARD};
            let packed: String = text.split_whitespace().collect();
            let bytes = BASE64_STANDARD.decode(packed);
            return bytes
                .map(Value::from)
                .map_err(|error| format!("yaml: !!binary value contains invalid base64 data: {error}"));
        }
        Some("float") => {
            if let Resolved::Int(value) = resolve(text) {
                #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
                return Ok(Value::Float(value as f64));
            }
        }
        None if !plain => return Ok(text.into()),
        _ => {}
    }
    Ok(match resolve(text) {
        Resolved::Null => Value::Nil,
        Resolved::Bool(value) => value.into(),
        Resolved::Int(value) => Value::int(value),
        Resolved::Uint(value) => Value::Uint(wharf_gotemplate::UintKind::Uint64, value),
        Resolved::Float(value) => value.into(),
        Resolved::Text => text.into(),
    })
}
