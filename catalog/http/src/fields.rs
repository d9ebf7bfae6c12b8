//! Reading a JSON object as Consul does: names match without regard to case (service and check
//! definitions also in snake_case), `null` is absent, durations are text or nanoseconds, and a name
//! nobody asked for is an error.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{duration, error::ApiError};

/// How names may be spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// In any case.
    AnyCase,
    /// In any case, and with underscores between the words.
    Snake,
}

/// The fields of an object that were not asked for yet.
#[derive(Debug)]
pub(crate) struct Fields {
    left: Map<String, Value>,
    spelling: Spelling,
}

type Result<T> = std::result::Result<T, ApiError>;

impl Fields {
    /// Reads a request body. `null` is an empty object.
    pub(crate) fn parse(body: &[u8], spelling: Spelling) -> Result<Self> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(undecodable("EOF"));
        }
        match first_value(body) {
            Ok(Value::Null) => Ok(Self { left: Map::new(), spelling }),
            Ok(Value::Object(left)) => Ok(Self { left, spelling }),
            Ok(other) => Err(undecodable(&format!("the body must be an object, not {}", kind(&other)))),
            Err(error) => Err(undecodable(&error.to_string())),
        }
    }

    /// Reads a request body that is a list of objects. `null` is an empty list.
    pub(crate) fn parse_list(body: &[u8], spelling: Spelling) -> Result<Vec<Self>> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Err(undecodable("EOF"));
        }
        match first_value(body) {
            Ok(Value::Null) => Ok(Vec::new()),
            Ok(Value::Array(values)) => {
                values.into_iter().map(|value| Self::of("the list", value, spelling)).collect()
            }
            Ok(other) => Err(undecodable(&format!("the body must be a list, not {}", kind(&other)))),
            Err(error) => Err(undecodable(&error.to_string())),
        }
    }

    /// Whatever is there, as it is.
    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        self.take(name)
    }

    /// A text; empty when absent.
    pub(crate) fn text(&mut self, name: &str) -> Result<String> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(mismatch(name, "a string", &other)),
        }
    }

    /// True or false; false when absent.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool> {
        Ok(self.optional_flag(name)?.unwrap_or(false))
    }

    /// True, false, or not said.
    pub(crate) fn optional_flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(mismatch(name, "true or false", &other)),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| mismatch(name, "a whole number", &value)),
        }
    }

    /// A port, 0 when absent; what is a whole number and no port comes second.
    pub(crate) fn any_port(&mut self, name: &str) -> Result<(u16, Option<i64>)> {
        let port = self.integer(name)?.unwrap_or(0);
        Ok(u16::try_from(port).map_or((0, Some(port)), |port| (port, None)))
    }

    /// A whole number of 64 bits without a sign, exactly; 0 when absent.
    pub(crate) fn unsigned(&mut self, name: &str) -> Result<u64> {
        match self.take(name) {
            None => Ok(0),
            Some(value) => value.as_u64().ok_or_else(|| mismatch(name, "a number from 0 on", &value)),
        }
    }

    /// A port: 0 to 65535, 0 when absent.
    pub(crate) fn port(&mut self, name: &str) -> Result<u16> {
        let port = self.integer(name)?.unwrap_or(0);
        u16::try_from(port)
            .map_err(|_| ApiError::bad(format!("Invalid port `{port}`: use 0 (none) to 65535")))
    }

    /// A count that is not negative; 0 when absent.
    pub(crate) fn count(&mut self, name: &str) -> Result<u32> {
        let count = self.integer(name)?.unwrap_or(0);
        u32::try_from(count).map_err(|_| undecodable(&format!("`{name}` must not be `{count}`")))
    }

    /// A duration, as text or in nanoseconds; zero when absent or negative.
    pub(crate) fn duration(&mut self, name: &str) -> Result<Duration> {
        let nanoseconds = match self.take(name) {
            None => 0,
            Some(Value::String(text)) if text.is_empty() => 0,
            Some(Value::String(text)) => duration::parse(&text).map_err(|_| {
                undecodable(&format!(
                    "`{name}`: invalid duration `{text}`, use a number with a unit such as `10s`"
                ))
            })?,
            Some(value) => value
                .as_i64()
                .ok_or_else(|| mismatch(name, "a duration such as `10s`, or nanoseconds", &value))?,
        };
        Ok(duration::from_nanoseconds(nanoseconds))
    }

    /// A list of texts; empty when absent.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(value) => texts(name, value),
        }
    }

    /// A list of texts, if there is one.
    pub(crate) fn given_texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        self.take(name).map(|value| texts(name, value)).transpose()
    }

    /// Texts by name, names kept as they are; empty when absent.
    pub(crate) fn text_map(&mut self, name: &str) -> Result<BTreeMap<String, String>> {
        self.entries(name)?
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key, text)),
                Value::Null => Ok((key, String::new())),
                other => Err(mismatch(&format!("{name}.{key}"), "a string", &other)),
            })
            .collect()
    }

    /// Values of any shape by name, as they are.
    pub(crate) fn values(&mut self, name: &str) -> Result<Option<BTreeMap<String, Value>>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(map.into_iter().collect())),
            Some(other) => Err(mismatch(name, "an object", &other)),
        }
    }

    /// Lists of texts by name, names kept as they are; empty when absent.
    pub(crate) fn texts_map(&mut self, name: &str) -> Result<BTreeMap<String, Vec<String>>> {
        self.entries(name)?.map(|(key, value)| Ok((key.clone(), texts(&key, value)?))).collect()
    }

    /// Objects by name, names kept as they are; empty when absent.
    pub(crate) fn object_map(&mut self, name: &str) -> Result<Vec<(String, Self)>> {
        let spelling = self.spelling;
        self.entries(name)?.map(|(key, value)| Ok((key.clone(), Self::of(&key, value, spelling)?))).collect()
    }

    /// An object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Self>> {
        let spelling = self.spelling;
        self.take(name).map(|value| Self::of(name, value, spelling)).transpose()
    }

    /// A list of objects; empty when absent.
    pub(crate) fn objects(&mut self, name: &str) -> Result<Vec<Self>> {
        let spelling = self.spelling;
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                values.into_iter().map(|value| Self::of(name, value, spelling)).collect()
            }
            Some(other) => Err(mismatch(name, "a list of objects", &other)),
        }
    }

    /// Was something there that says anything (not `null`, empty, zero or false)? Takes it.
    pub(crate) fn says(&mut self, name: &str) -> bool {
        match self.take(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::Number(number)) => number.as_f64() != Some(0.0),
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(values)) => !values.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
        }
    }

    /// Are there no fields (left)?
    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// A name nobody asked for, if there is one.
    pub(crate) fn unread(&self) -> Option<&str> {
        self.left.keys().next().map(String::as_str)
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) -> Result<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(undecodable(&format!("json: unknown field \"{name}\""))),
        }
    }

    fn of(name: &str, value: Value, spelling: Spelling) -> Result<Self> {
        match value {
            Value::Object(left) => Ok(Self { left, spelling }),
            Value::Null => Ok(Self { left: Map::new(), spelling }),
            other => Err(mismatch(name, "an object", &other)),
        }
    }

    fn entries(&mut self, name: &str) -> Result<impl Iterator<Item = (String, Value)> + use<>> {
        match self.take(name) {
            None => Ok(Map::new().into_iter()),
            Some(Value::Object(map)) => Ok(map.into_iter()),
            Some(other) => Err(mismatch(name, "an object", &other)),
        }
    }

    /// Removes every spelling of `name`; the last that is not `null` counts.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let spelling = self.spelling;
        let spellings: Vec<String> =
            self.left.keys().filter(|key| matches(key, name, spelling)).cloned().collect();
        spellings.iter().filter_map(|key| self.left.remove(key)).filter(|value| !value.is_null()).last()
    }
}

/// The first value of a body; what follows it is not looked at, as in Consul.
fn first_value(body: &[u8]) -> serde_json::Result<Value> {
    Value::deserialize(&mut serde_json::Deserializer::from_slice(body))
}

fn matches(key: &str, name: &str, spelling: Spelling) -> bool {
    key.eq_ignore_ascii_case(name)
        || (spelling == Spelling::Snake && key.replace('_', "").eq_ignore_ascii_case(name))
}

fn texts(name: &str, value: Value) -> Result<Vec<String>> {
    let Value::Array(values) = value else {
        return Err(mismatch(name, "a list of strings", &value));
    };
    values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Ok(text),
            other => Err(mismatch(name, "a list of strings", &other)),
        })
        .collect()
}

/// `name` is not what was wanted.
pub(crate) fn mismatch(name: &str, wanted: &str, got: &Value) -> ApiError {
    undecodable(&format!("`{name}` must be {wanted}, not {}", kind(got)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "such a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Consul's words for a body that says something impossible.
pub(crate) fn undecodable(why: &str) -> ApiError {
    ApiError::bad(format!("Request decode failed: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        Fields::parse(json.as_bytes(), Spelling::Snake).unwrap()
    }

    #[test]
    fn names_match_in_any_case_and_in_snake_case() {
        let mut it = fields(r#"{"name":"a","TAGS":["t"],"enable_tag_override":true}"#);
        assert_eq!(it.text("Name").unwrap(), "a");
        assert_eq!(it.texts("Tags").unwrap(), ["t"]);
        assert!(it.flag("EnableTagOverride").unwrap());
        it.finish().unwrap();
    }

    #[test]
    fn snake_case_is_for_definitions_only() {
        let mut it = Fields::parse(br#"{"service_id":"a"}"#, Spelling::AnyCase).unwrap();
        assert_eq!(it.text("ServiceID").unwrap(), "");
        assert!(it.finish().is_err());
    }

    #[test]
    fn what_follows_the_first_value_is_not_looked_at() {
        assert_eq!(fields(r#"{"a":"b"} and more"#).text("a").unwrap(), "b");
        assert!(Fields::parse(br#"{"a":"#, Spelling::AnyCase).is_err());
    }

    #[test]
    fn an_unknown_name_is_told() {
        let error = fields(r#"{"Bogus":1}"#).finish().unwrap_err();
        assert_eq!(error.to_string(), r#"Request decode failed: json: unknown field "Bogus""#);
    }

    #[test]
    fn keys_of_maps_keep_their_spelling() {
        let mut it = fields(r#"{"meta":{"Some_Key":"v"}}"#);
        assert_eq!(it.text_map("Meta").unwrap()["Some_Key"], "v");
    }

    #[test]
    fn durations_are_text_or_nanoseconds() {
        let mut it = fields(r#"{"a":"10s","b":30000000000,"c":"often","d":-1,"e":1.5}"#);
        assert_eq!(it.duration("a").unwrap(), Duration::from_secs(10));
        assert_eq!(it.duration("b").unwrap(), Duration::from_secs(30));
        assert!(it.duration("c").is_err());
        assert_eq!(it.duration("d").unwrap(), Duration::ZERO);
        assert!(it.duration("e").is_err());
        assert_eq!(it.duration("absent").unwrap(), Duration::ZERO);
    }

    #[test]
    fn a_wrong_type_names_the_field() {
        let error = fields(r#"{"Tags":"x"}"#).texts("Tags").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Request decode failed: `Tags` must be a list of strings, not a string"
        );
    }

    #[test]
    fn ports_are_ports() {
        for bad in ["70000", "-1", "80.5", "\"80\"", "1e99"] {
            assert!(fields(&format!(r#"{{"Port":{bad}}}"#)).port("Port").is_err(), "{bad}");
        }
        assert_eq!(fields("null").port("Port").unwrap(), 0);
    }
}
