//! Reads a JSON object field by field, and complains by the field's name.
//!
//! A detail never costs the alert: what is too long is cut, what has an odd shape is written out. Only what an alert
//! cannot do without, or would be another alert by if it were cut, is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Most fields an alert may have of its own.
const MOST_FIELDS: usize = 256;
/// Longest text of a field, in bytes.
pub(super) const LONGEST: usize = 64 * 1024;
/// Longest name of a field, in bytes.
const LONGEST_NAME: usize = 256;
/// At the end of what was cut.
const CUT: &str = "… (cut)";
/// The field that says that there were more.
const MORE: &str = "more";
/// From here on a number of seconds since 1970 (in 5138) is meant as milliseconds.
const MILLISECONDS: f64 = 1e11;

/// An object, with what is wrong with it so far.
pub(super) struct Fields<'v> {
    object: &'v Map<String, Value>,
    prefix: String,
    pub(super) wrong: Vec<(String, String)>,
}

impl<'v> Fields<'v> {
    /// The object in `value`; what it is instead, if it is none.
    pub(super) fn of(value: &'v Value, prefix: &str) -> Result<Self, String> {
        match value {
            Value::Object(object) => Ok(Self { object, prefix: prefix.to_owned(), wrong: Vec::new() }),
            other => Err(format!("is {}, not an object", kind(other))),
        }
    }

    pub(super) fn name(&self, field: &str) -> String {
        format!("{}{field}", self.prefix)
    }

    pub(super) fn complain(&mut self, field: &str, what: impl Into<String>) {
        self.wrong.push((self.name(field), cut(what.into(), LONGEST_NAME * 2)));
    }

    pub(super) fn value(&self, field: &str) -> Option<&'v Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// A text, whatever it is written as, and cut if it is long; nothing if it is not there or blank.
    pub(super) fn text(&self, field: &str) -> Option<String> {
        let text = written_out(self.value(field)?);
        Some(cut(text, LONGEST)).filter(|text| !text.trim().is_empty())
    }

    /// A text that has to be one, and not too long: it would not be the same if it were cut.
    pub(super) fn exact(&mut self, field: &str) -> Option<String> {
        let text = self.scalar(field)?;
        if text.len() > LONGEST {
            self.complain(field, format!("is longer than {LONGEST} bytes"));
            return None;
        }
        Some(text).filter(|text| !text.trim().is_empty())
    }

    /// A text that has to be there; cut if it is long.
    pub(super) fn required(&mut self, field: &str) -> String {
        let complaints = self.wrong.len();
        let text = self.scalar(field).filter(|text| !text.trim().is_empty());
        self.there(field, text.map(|text| cut(text, LONGEST)), complaints)
    }

    /// As [`exact`](Self::exact), and it has to be there.
    pub(super) fn required_exact(&mut self, field: &str) -> String {
        let complaints = self.wrong.len();
        let text = self.exact(field);
        self.there(field, text, complaints)
    }

    fn there(&mut self, field: &str, text: Option<String>, complaints: usize) -> String {
        if text.is_none() && self.wrong.len() == complaints {
            self.complain(field, "is missing or blank");
        }
        text.unwrap_or_default()
    }

    fn scalar(&mut self, field: &str) -> Option<String> {
        let value = self.value(field)?;
        let text = scalar(value);
        if text.is_none() {
            self.complain(field, format!("is {}, not a string", kind(value)));
        }
        text
    }

    /// A moment of RFC 3339.
    pub(super) fn moment(&mut self, field: &str) -> Option<Timestamp> {
        let text = self.text(field)?;
        // Go's zero time stands for none.
        if text.starts_with("0001-01-01T00:00:00") {
            return None;
        }
        let moment = text.parse().ok();
        if moment.is_none() {
            self.complain(field, format!("`{text}` is no time like 2026-03-01T09:00:00Z"));
        }
        moment
    }

    /// A moment of RFC 3339, or in seconds or milliseconds since 1970; nothing if it cannot be read.
    pub(super) fn when(&self, field: &str) -> Option<Timestamp> {
        let text = self.text(field)?;
        let text = text.trim();
        let Ok(number) = text.parse::<f64>() else { return text.parse().ok() };
        let milliseconds = if number < MILLISECONDS { number * 1000.0 } else { number };
        // Zero stands for none. What is no time at all saturates, and is out of a timestamp's range.
        Timestamp::from_millisecond(milliseconds as i64).ok().filter(|at| at.as_millisecond() > 0)
    }

    /// An object of texts that are told, not compared; what is none is one text called `otherwise`.
    pub(super) fn texts(&self, field: &str, otherwise: &str) -> BTreeMap<String, String> {
        match self.value(field) {
            None => BTreeMap::new(),
            Some(Value::Object(object)) => told(object.iter().map(|(name, value)| (name.as_str(), value))),
            Some(other) => [(otherwise.to_owned(), cut(written_out(other), LONGEST))]
                .into_iter()
                .filter(|(_, text)| !text.trim().is_empty())
                .collect(),
        }
    }

    /// An object of texts that an alert is known by: nothing of it may be cut.
    pub(super) fn exact_texts(&mut self, field: &str) -> BTreeMap<String, String> {
        let object = match self.value(field) {
            None => return BTreeMap::new(),
            Some(Value::Object(object)) => object,
            Some(other) => {
                self.complain(field, format!("is {}, not an object", kind(other)));
                return BTreeMap::new();
            }
        };
        if object.len() > MOST_FIELDS {
            self.complain(field, format!("has more than {MOST_FIELDS} entries"));
            return BTreeMap::new();
        }
        let texts = object.iter().map(|(name, value)| (name.clone(), written_out(value)));
        let texts: BTreeMap<_, _> = texts.collect();
        let long = |(name, text): &(&String, &String)| name.len() > LONGEST_NAME || text.len() > LONGEST;
        if let Some((name, _)) = texts.iter().find(long) {
            let place = format!("{field}.{}", cut(name.clone(), LONGEST_NAME));
            let what = format!("is longer than {LONGEST} bytes, or its name than {LONGEST_NAME}");
            self.complain(&place, what);
        }
        texts
    }

    /// All fields but those that `known` knows.
    pub(super) fn rest(&self, known: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let rest = self.object.iter().map(|(name, value)| (name.as_str(), value));
        told(rest.filter(|(name, value)| !known(name) && !value.is_null()))
    }

    /// A list; nothing if it is not there.
    pub(super) fn list(&mut self, field: &str) -> &'v [Value] {
        match self.value(field) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.complain(field, format!("is {}, not a list", kind(other)));
                &[]
            }
        }
    }
}

/// The first of them, written out and cut; one more says how many there were besides.
fn told<'v>(values: impl Iterator<Item = (&'v str, &'v Value)>) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let mut more = 0;
    for (name, value) in values {
        if texts.len() == MOST_FIELDS {
            more += 1;
            continue;
        }
        texts.insert(cut(name.to_owned(), LONGEST_NAME), cut(written_out(value), LONGEST));
    }
    if more > 0 {
        texts.insert(
            MORE.to_owned(),
            format!("{more} more fields were left out: at most {MOST_FIELDS} are kept"),
        );
    }
    texts
}

/// At most so many bytes, and says so if there were more.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most.saturating_sub(CUT.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

fn written_out(value: &Value) -> String {
    scalar(value).unwrap_or_else(|| value.to_string())
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The JSON of a body, or what is wrong with it.
pub(super) fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is no JSON: {error}"))
}
