//! Reads a JSON object field by field, and complains by the field's name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Most fields an alert may have of its own.
const MOST_FIELDS: usize = 256;
/// Longest text of a field, in bytes.
const LONGEST: usize = 64 * 1024;
/// Longest name of a field, in bytes.
const LONGEST_NAME: usize = 256;

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
        self.wrong.push((self.name(field), what.into()));
    }

    pub(super) fn value(&self, field: &str) -> Option<&'v Value> {
        self.object.get(field).filter(|value| !value.is_null())
    }

    /// A text, or a number or a boolean written out; nothing if it is not there or empty.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        let value = self.value(field)?;
        match scalar(value) {
            Some(text) if text.len() > LONGEST => {
                self.complain(field, format!("is longer than {LONGEST} bytes"));
                None
            }
            Some(text) => Some(text).filter(|text| !text.trim().is_empty()),
            None => {
                self.complain(field, format!("is {}, not a string", kind(value)));
                None
            }
        }
    }

    /// A text that has to be there.
    pub(super) fn required(&mut self, field: &str) -> String {
        let complaints = self.wrong.len();
        let text = self.text(field);
        if text.is_none() && self.wrong.len() == complaints {
            self.complain(field, "is missing or blank");
        }
        text.unwrap_or_default()
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

    /// A moment in seconds since 1970.
    pub(super) fn epoch(&mut self, field: &str) -> Option<Timestamp> {
        let text = self.text(field)?;
        let whole = text.split('.').next().unwrap_or_default();
        let moment = whole.parse().ok().and_then(|seconds: i64| Timestamp::from_second(seconds).ok());
        if moment.is_none() {
            self.complain(field, format!("`{text}` is no time in seconds since 1970"));
        }
        moment
    }

    /// An object of texts; what is nested is written out as JSON.
    pub(super) fn texts(&mut self, field: &str) -> BTreeMap<String, String> {
        match self.value(field) {
            None => BTreeMap::new(),
            Some(Value::Object(object)) => {
                let texts = object.iter().map(|(name, value)| (name.as_str(), value));
                self.written_out(field, texts)
            }
            Some(other) => {
                self.complain(field, format!("is {}, not an object", kind(other)));
                BTreeMap::new()
            }
        }
    }

    /// All fields but those that `known` knows.
    pub(super) fn rest(&mut self, known: impl Fn(&str) -> bool) -> BTreeMap<String, String> {
        let rest = self.object.iter().map(|(name, value)| (name.as_str(), value));
        self.written_out("", rest.filter(|(name, value)| !known(name) && !value.is_null()))
    }

    fn written_out(
        &mut self,
        field: &str,
        values: impl Iterator<Item = (&'v str, &'v Value)>,
    ) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, value) in values {
            let text = scalar(value).unwrap_or_else(|| value.to_string());
            let place = if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
            if name.len() > LONGEST_NAME || text.len() > LONGEST {
                let place: String = place.chars().take(LONGEST_NAME).collect();
                self.complain(
                    &place,
                    format!("is longer than {LONGEST} bytes, or its name than {LONGEST_NAME}"),
                );
            } else if texts.len() == MOST_FIELDS {
                self.complain(&place, format!("is one of more than {MOST_FIELDS} fields"));
                break;
            } else {
                texts.insert(name.to_owned(), text);
            }
        }
        texts
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
