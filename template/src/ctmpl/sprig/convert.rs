//! What sprig takes for a number or a text, and what counts as empty.

use wharf_gotemplate::{Type, Value, fmt, strconv};

/// Any value as an integer; what is none is 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "as Go converts")]
pub(super) fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(_, value) => *value,
        Value::Uint(_, value) => *value as i64,
        Value::Float(value) => *value as i64,
        Value::Bool(value) => i64::from(*value),
        Value::String(text) => strconv::parse_int(&text.to_str_lossy(), 0).unwrap_or(0),
        _ => 0,
    }
}

/// Any value as a float; what is none is 0.
#[expect(clippy::cast_precision_loss, reason = "as Go converts")]
pub(super) fn float(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Uint(_, value) => *value as f64,
        Value::String(text) => strconv::parse_float(&text.to_str_lossy()).unwrap_or(0.0),
        other => integer(other) as f64,
    }
}

/// Any value as a text.
pub(super) fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.to_vec(),
        other => fmt::sprint(std::slice::from_ref(other)),
    }
}

pub(super) fn string(value: &Value) -> String {
    String::from_utf8_lossy(&text(value)).into_owned()
}

/// The zero of its type, or nothing.
pub(super) fn is_empty(value: &Value) -> bool {
    !value.is_true()
}

/// A list of anything as its items; what is no list is an error.
pub(super) fn items<'v>(function: &str, value: &'v Value) -> Result<&'v [Value], String> {
    match value {
        Value::List(list) => Ok(list.items()),
        other => Err(format!("{function}: {} is no list", other.type_name())),
    }
}

/// A list of anything as texts; something else is a list of one, nothing of none.
pub(super) fn texts(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::List(list) => {
            list.items().iter().filter(|item| !matches!(item, Value::Nil)).map(text).collect()
        }
        Value::Nil | Value::Invalid => Vec::new(),
        other => vec![text(other)],
    }
}

/// Equal in kind and value, all the way down.
pub(super) fn equal(one: &Value, other: &Value, depth: usize) -> bool {
    if depth > 100 {
        return false;
    }
    match (one, other) {
        (Value::Nil | Value::Invalid, Value::Nil | Value::Invalid) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Int(kind, one), Value::Int(other_kind, other)) => kind == other_kind && one == other,
        (Value::Uint(kind, one), Value::Uint(other_kind, other)) => kind == other_kind && one == other,
        #[expect(clippy::float_cmp, reason = "as Go compares")]
        (Value::Float(one), Value::Float(other)) => one == other,
        (Value::String(one), Value::String(other)) => one == other,
        (Value::List(one), Value::List(other)) => {
            if std::sync::Arc::ptr_eq(one, other) {
                return true;
            }
            let (one, other) = (one.items(), other.items());
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other, depth + 1))
        }
        (Value::Map(one), Value::Map(other)) => {
            if std::sync::Arc::ptr_eq(one, other) {
                return true;
            }
            let (one, other) = (one.entries().clone(), other.entries().clone());
            let same = |(key, value): (_, &Value)| {
                other.get(key).is_some_and(|other| equal(value, other, depth + 1))
            };
            one.len() == other.len() && one.iter().all(same)
        }
        (Value::Record(one), Value::Record(other)) => std::sync::Arc::ptr_eq(one, other),
        _ => false,
    }
}

pub(super) fn list(items: Vec<Value>) -> Value {
    Value::list(Type::LIST, items)
}
