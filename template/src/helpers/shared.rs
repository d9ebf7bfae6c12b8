//! Helpers that are consul-template's functions, given and giving JSON. The subject comes first
//! (`{{trimPrefix text "v"}}`), where a pipe would bring it last.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Number, Value as Json, json};
use wharf_catalog::KvEntry;
use wharf_gotemplate::{Engine, Entries, Functions, Key, Type, Value};

use super::{Arguments, kind};
use crate::ctmpl::{KEY_PAIRS, Library, key_pair};

/// How deep values may be nested.
const MAX_DEPTH: usize = 200;
/// How many values one may hold.
const MAX_VALUES: usize = 1_000_000;

/// How the arguments of a helper become those of the function.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Same,
    /// The first goes to the end.
    SubjectFirst,
}
use Order::{Same, SubjectFirst};

/// Helper, function, order.
pub(super) const SHARED: &[(&str, &str, Order)] = &[
    ("datacenters", "datacenters", Same),
    ("ls", "ls", Same),
    ("safeLs", "safeLs", Same),
    ("tree", "tree", Same),
    ("safeTree", "safeTree", Same),
    ("mustEnv", "mustEnv", Same),
    ("envOrDefault", "envOrDefault", Same),
    ("timestamp", "timestamp", Same),
    ("sockaddr", "sockaddr", Same),
    ("in", "in", Same),
    ("containsAll", "containsAll", SubjectFirst),
    ("containsAny", "containsAny", SubjectFirst),
    ("containsNone", "containsNone", SubjectFirst),
    ("containsNotAll", "containsNotAll", SubjectFirst),
    ("loop", "loop", Same),
    ("split", "split", SubjectFirst),
    ("splitToMap", "splitToMap", SubjectFirst),
    ("explode", "explode", Same),
    ("explodeMap", "explodeMap", Same),
    ("mergeMap", "mergeMap", Same),
    ("mergeMapWithOverride", "mergeMapWithOverride", Same),
    ("byKey", "byKey", Same),
    ("trim", "trim", SubjectFirst),
    ("trimPrefix", "trimPrefix", SubjectFirst),
    ("trimSuffix", "trimSuffix", SubjectFirst),
    ("trimSpace", "trimSpace", Same),
    ("regexMatch", "regexMatch", SubjectFirst),
    ("regexReplaceAll", "regexReplaceAll", SubjectFirst),
    ("toTitle", "toTitle", Same),
    ("indent", "indent", SubjectFirst),
    ("parseBool", "parseBool", Same),
    ("parseFloat", "parseFloat", Same),
    ("parseInt", "parseInt", Same),
    ("parseUint", "parseUint", Same),
    ("parseJSON", "parseJSON", Same),
    ("parseYAML", "parseYAML", Same),
    ("toJSONPretty", "toJSONPretty", Same),
    ("toYAML", "toYAML", Same),
    ("toTOML", "toTOML", Same),
    ("add", "add", SubjectFirst),
    ("subtract", "subtract", SubjectFirst),
    ("multiply", "multiply", SubjectFirst),
    ("divide", "divide", SubjectFirst),
    ("modulo", "modulo", SubjectFirst),
    ("minimum", "minimum", SubjectFirst),
    ("maximum", "maximum", SubjectFirst),
    ("base64Encode", "base64Encode", Same),
    ("base64Decode", "base64Decode", Same),
    ("base64URLEncode", "base64URLEncode", Same),
    ("base64URLDecode", "base64URLDecode", Same),
    ("sha256Hex", "sha256Hex", Same),
    ("md5sum", "md5sum", Same),
    ("hmacSHA256Hex", "hmacSHA256Hex", Same),
];

/// Helper and method of `scratch`.
pub(super) const SCRATCH: &[(&str, &str)] = &[
    ("scratchKey", "Key"),
    ("scratchGet", "Get"),
    ("scratchSet", "Set"),
    ("scratchSetX", "SetX"),
    ("scratchMapSet", "MapSet"),
    ("scratchMapSetX", "MapSetX"),
    ("scratchMapValues", "MapValues"),
];

/// Calls a function with what the helper was given.
pub(super) fn call(
    library: &Library<'_>,
    function: &str,
    order: Order,
    arguments: &Arguments<'_, '_>,
) -> Result<Json, String> {
    let signature = library.signature(function).ok_or("there is no such function")?;
    let mut given = all(arguments)?;
    if order == SubjectFirst && !given.is_empty() {
        given.rotate_left(1);
    }
    let args = fitted(&given, signature.params, signature.variadic)?;
    to_json(&library.call(function, args, &mut Engine::none())?)
}

/// Calls a method of `scratch`.
pub(super) fn scratch(
    library: &Library<'_>,
    method: &str,
    arguments: &Arguments<'_, '_>,
) -> Result<Json, String> {
    let Some(method) = library.scratch_method(method) else {
        return Err("there is no such function".to_owned());
    };
    let args = fitted(&all(arguments)?, method.signature.params, false)?;
    to_json(&(method.call)(library.scratch(), &args)?)
}

fn all<'h>(arguments: &Arguments<'h, '_>) -> Result<Vec<&'h Json>, String> {
    (0..arguments.count()).map(|index| arguments.value(index)).collect()
}

fn fitted(given: &[&Json], params: &[Type], variadic: bool) -> Result<Vec<Value>, String> {
    let fixed = params.len() - usize::from(variadic);
    if given.len() < fixed || !variadic && given.len() > fixed {
        return Err(format!("takes {fixed} arguments, not {}", given.len()));
    }
    let ty = |index: usize| params.get(index).or(params.last()).copied().unwrap_or(Type::Any);
    given.iter().enumerate().map(|(index, value)| argument(value, ty(index), index)).collect()
}

fn argument(value: &Json, ty: Type, index: usize) -> Result<Value, String> {
    let wrong = |what: &str| format!("argument {} is {}, not {what}", index + 1, kind(value));
    match (ty, value) {
        (Type::String, Json::String(text)) => Ok(text.as_str().into()),
        (Type::String, Json::Number(number)) => Ok(number.to_string().into()),
        (Type::String, Json::Bool(value)) => Ok(value.to_string().into()),
        (Type::String, _) => Err(wrong("text")),
        (Type::Bool, Json::Bool(value)) => Ok((*value).into()),
        (Type::Bool, _) => Err(wrong("a boolean")),
        (Type::Int(kind), Json::Number(number)) => {
            number.as_i64().map(|number| Value::Int(kind, number)).ok_or_else(|| wrong("a whole number"))
        }
        (Type::Int(_), _) => Err(wrong("a whole number")),
        (ty, Json::Array(items)) if ty == KEY_PAIRS => {
            let pair = |item: &Json| {
                let text = |field: &str| item[field].as_str().unwrap_or_default();
                let value: Arc<[u8]> = text("value").as_bytes().into();
                let (created, modified) = (Default::default(), Default::default());
                let path: Arc<str> = text("path").into();
                let entry =
                    KvEntry { key: path, value, flags: 0, session: None, lock_index: 0, created, modified };
                key_pair(Arc::new(entry), text("key"))
            };
            Ok(Value::list(KEY_PAIRS, items.iter().map(pair).collect()))
        }
        (Type::Slice(_), Json::Array(_)) => value_of(value, 0),
        (Type::Slice(_), _) => Err(wrong("a list")),
        (Type::Map(..), Json::Object(_)) => value_of(value, 0),
        (Type::Map(..), _) => Err(wrong("an object")),
        _ => value_of(value, 0),
    }
}

/// JSON as the value it is: whole numbers are integers.
fn value_of(json: &Json, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("more than {MAX_DEPTH} levels"));
    }
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::int(value),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| value_of(item, depth + 1)).collect();
            Value::list(Type::LIST, items?)
        }
        Json::Object(fields) => {
            let mut entries = Entries::new();
            for (key, value) in fields {
                entries.insert(Key::from(key.as_str()), value_of(value, depth + 1)?);
            }
            Value::map(Type::DICT, entries)
        }
    })
}

fn to_json(value: &Value) -> Result<Json, String> {
    json_of(value, 0, &mut 0)
}

fn json_of(value: &Value, depth: usize, values: &mut usize) -> Result<Json, String> {
    *values += 1;
    if depth > MAX_DEPTH || *values > MAX_VALUES {
        return Err(format!("more than {MAX_DEPTH} levels or {MAX_VALUES} values"));
    }
    Ok(match value {
        Value::Invalid | Value::Nil | Value::NilPointer(_) => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(_, value) => json!(value),
        Value::Uint(_, value) => json!(value),
        Value::Float(value) => whole(*value).unwrap_or_else(|| json!(value)),
        Value::String(text) => json!(text.to_str_lossy()),
        Value::List(list) => {
            let items: Result<_, _> =
                list.items().iter().map(|item| json_of(item, depth + 1, values)).collect();
            Json::Array(items?)
        }
        Value::Map(map) => {
            let mut fields = Map::new();
            for (key, value) in map.entries().iter() {
                let key =
                    String::from_utf8_lossy(&wharf_gotemplate::fmt::sprint(&[key.value()])).into_owned();
                fields.insert(key, json_of(value, depth + 1, values)?);
            }
            Json::Object(fields)
        }
        Value::Record(record) => {
            let mut fields = Map::new();
            for (index, field) in record.shape().fields.iter().enumerate() {
                fields.insert(camel(field.name), json_of(&record.field(index), depth + 1, values)?);
            }
            Json::Object(fields)
        }
    })
}

/// A whole number without a point.
fn whole(value: f64) -> Option<Json> {
    #[expect(clippy::cast_possible_truncation, reason = "looked at before")]
    (value.fract() == 0.0 && value.abs() < 9e15).then(|| Json::Number(Number::from(value as i64)))
}

/// `LockIndex` -> `lockIndex`.
fn camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

/// `byTag list`, `byPort list`, `byMeta list "key"`: what is in the list, under each of its tags, its port, or
/// its value for a meta key.
pub(super) fn grouped(by: &str, arguments: &Arguments<'_, '_>) -> Result<Json, String> {
    let Json::Array(items) = arguments.value(0)? else {
        return Err(format!("argument 1 is {}, not a list", kind(arguments.value(0)?)));
    };
    let meta = if by == "byMeta" { arguments.text(1)? } else { String::new() };
    let mut groups: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for item in items {
        let keys = match by {
            "byTag" => item["tags"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
            "byPort" => vec![item["port"].to_string()],
            _ => item["meta"][&meta].as_str().map(str::to_owned).into_iter().collect::<Vec<_>>(),
        };
        for key in keys {
            groups.entry(key).or_default().push(item.clone());
        }
    }
    Ok(Json::Object(groups.into_iter().map(|(key, group)| (key, Json::Array(group))).collect()))
}
