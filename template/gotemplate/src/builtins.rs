//! The functions that belong to the language. `and`, `or` and short circuits are the evaluator's.

use std::cmp::Ordering;

use crate::{Key, Type, Value, escape, fmt};

/// What a builtin takes at least, and whether it takes any number.
pub(crate) struct Arity {
    pub(crate) least: usize,
    pub(crate) variadic: bool,
}

const BUILTINS: &[(&str, Arity)] = &[
    ("and", Arity { least: 1, variadic: true }),
    ("call", Arity { least: 1, variadic: true }),
    ("eq", Arity { least: 1, variadic: true }),
    ("ge", Arity { least: 2, variadic: false }),
    ("gt", Arity { least: 2, variadic: false }),
    ("html", Arity { least: 0, variadic: true }),
    ("index", Arity { least: 1, variadic: true }),
    ("js", Arity { least: 0, variadic: true }),
    ("le", Arity { least: 2, variadic: false }),
    ("len", Arity { least: 1, variadic: false }),
    ("lt", Arity { least: 2, variadic: false }),
    ("ne", Arity { least: 2, variadic: false }),
    ("not", Arity { least: 1, variadic: false }),
    ("or", Arity { least: 1, variadic: true }),
    ("print", Arity { least: 0, variadic: true }),
    ("printf", Arity { least: 1, variadic: true }),
    ("println", Arity { least: 0, variadic: true }),
    ("slice", Arity { least: 1, variadic: true }),
    ("urlquery", Arity { least: 0, variadic: true }),
];

pub(crate) fn exists(name: &str) -> bool {
    arity(name).is_some()
}

pub(crate) fn arity(name: &str) -> Option<&'static Arity> {
    BUILTINS.iter().find(|(known, _)| *known == name).map(|(_, arity)| arity)
}

/// The type of a builtin's parameter, where it is not just any value.
pub(crate) fn parameter(name: &str, index: usize) -> Type {
    if name == "printf" && index == 0 { Type::String } else { Type::Any }
}

/// Does it look at values as they are? Then nothing stays nothing.
pub(crate) fn takes_operands(name: &str) -> bool {
    !matches!(name, "print" | "printf" | "println" | "html" | "js" | "urlquery")
}

/// Calls the builtin `name`; the number of arguments has been checked.
pub(crate) fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    let first = args.first();
    Ok(match (name, args) {
        ("not", [value]) => Value::Bool(!value.is_true()),
        ("len", [value]) => Value::int(i64::try_from(length(value)?).unwrap_or(i64::MAX)),
        ("index", [value, indexes @ ..]) => index(value, indexes)?,
        ("slice", [value, indexes @ ..]) => slice(value, indexes)?,
        ("print", args) => fmt::sprint(args).into(),
        ("println", args) => fmt::sprintln(args).into(),
        ("printf", [Value::String(format), args @ ..]) => fmt::sprintf(format, args).into(),
        ("html", args) => escape::html(&text(args)).into(),
        ("js", args) => escape::js(&text(args)).into(),
        ("urlquery", args) => escape::urlquery(&text(args)).into(),
        ("eq", [value, others @ ..]) => Value::Bool(equals_any(value, others)?),
        ("ne", [one, other]) => Value::Bool(!equals_any(one, std::slice::from_ref(other))?),
        ("lt", [one, other]) => Value::Bool(compare(one, other)? == Some(Ordering::Less)),
        ("le", [one, other]) => {
            Value::Bool(matches!(compare(one, other)?, Some(Ordering::Less | Ordering::Equal)))
        }
        ("gt", [one, other]) => {
            Value::Bool(!matches!(compare(one, other)?, Some(Ordering::Less | Ordering::Equal)))
        }
        ("ge", [one, other]) => Value::Bool(compare(one, other)? != Some(Ordering::Less)),
        ("call", _) => {
            let kind = first.map_or_else(|| "nil".to_owned(), Value::type_name);
            return Err(format!("non-function of type {kind}"));
        }
        _ => return Err(format!("wrong arguments for {name}")),
    })
}

fn text(args: &[Value]) -> Vec<u8> {
    match args {
        [Value::String(text)] => text.to_vec(),
        args => fmt::sprint(args),
    }
}

fn length(value: &Value) -> Result<usize, String> {
    match value {
        Value::String(text) => Ok(text.len()),
        Value::List(list) => Ok(list.items().len()),
        Value::Map(map) => Ok(map.entries().len()),
        Value::Invalid | Value::Nil | Value::NilPointer(_) => Err("len of nil pointer".to_owned()),
        other => Err(format!("len of type {}", other.type_name().trim_start_matches('*'))),
    }
}

fn index(value: &Value, indexes: &[Value]) -> Result<Value, String> {
    if matches!(value, Value::Invalid | Value::Nil) {
        return Err("index of untyped nil".to_owned());
    }
    let mut value = value.clone();
    for index in indexes {
        value = match &value {
            Value::String(text) => {
                let at = position(index, text.len(), false, "string")?;
                Value::Uint(crate::UintKind::Uint8, text[at].into())
            }
            Value::List(list) => list.items()[position(index, list.items().len(), false, "slice")?].clone(),
            Value::Map(map) => entry(map, index)?,
            Value::Invalid | Value::Nil | Value::NilPointer(_) => {
                return Err("index of nil pointer".to_owned());
            }
            other => {
                return Err(format!(
                    "can't index item of type {}",
                    other.type_name().trim_start_matches('*')
                ));
            }
        };
    }
    Ok(value)
}

fn entry(map: &crate::Map, index: &Value) -> Result<Value, String> {
    let Type::Map(key_type, _) = map.ty().underlying() else {
        return Err("the map has no type".to_owned());
    };
    let key = match (key_type, index) {
        (Type::Any, index) => Key::of(index),
        (_, Value::Invalid | Value::Nil) => {
            return Err(format!("value is nil; should be of type {key_type}"));
        }
        (key_type, index) if index.ty().is_some_and(|ty| ty.is_assignable_to(*key_type)) => Key::of(index),
        (key_type, index) => {
            return Err(format!("value has type {}; should be {key_type}", index.type_name()));
        }
    };
    let found = key.and_then(|key| map.entries().get(&key).cloned());
    Ok(found.unwrap_or_else(|| map.ty().element().zero()))
}

/// An index into something of `length`; as the end of a slice it may be the length itself.
fn position(index: &Value, length: usize, is_end: bool, what: &str) -> Result<usize, String> {
    let number = match index {
        Value::Int(_, number) => *number,
        Value::Uint(_, number) => i64::try_from(*number).unwrap_or(i64::MAX),
        Value::Invalid | Value::Nil => return Err("cannot index slice/array with nil".to_owned()),
        other => return Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    match usize::try_from(number) {
        Ok(at) if at < length || is_end && at == length => Ok(at),
        _ => Err(format!("{what} index out of range: {number}")),
    }
}

fn slice(value: &Value, indexes: &[Value]) -> Result<Value, String> {
    let (length, is_text) = match value {
        Value::String(text) => (text.len(), true),
        Value::List(list) => (list.items().len(), false),
        Value::Invalid | Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => {
            return Err(format!("can't slice item of type {}", other.type_name().trim_start_matches('*')));
        }
    };
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    if is_text && indexes.len() == 3 {
        return Err("cannot 3-index slice a string".to_owned());
    }
    let mut bounds = vec![0, length];
    for (at, index) in indexes.iter().enumerate() {
        let bound = position(index, length, true, "slice")?;
        if at < 2 {
            bounds[at] = bound;
        } else {
            bounds.push(bound);
        }
    }
    if let Some(pair) = bounds.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(format!("invalid slice index: {} > {}", pair[0], pair[1]));
    }
    Ok(match value {
        Value::String(text) => text[bounds[0]..bounds[1]].into(),
        Value::List(list) => Value::list(list.ty(), list.items()[bounds[0]..bounds[1]].to_vec()),
        _ => Value::Invalid,
    })
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Basic {
    Bool,
    Int,
    Uint,
    Float,
    String,
}

fn basic(value: &Value) -> Option<Basic> {
    Some(match value {
        Value::Bool(_) => Basic::Bool,
        Value::Int(..) => Basic::Int,
        Value::Uint(..) => Basic::Uint,
        Value::Float(_) => Basic::Float,
        Value::String(_) => Basic::String,
        _ => return None,
    })
}

fn equals_any(value: &Value, others: &[Value]) -> Result<bool, String> {
    check_comparable(value)?;
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equals(value, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_comparable(value: &Value) -> Result<(), String> {
    match value {
        Value::List(_) | Value::Map(_) => {
            let text = String::from_utf8_lossy(&fmt::sprint(std::slice::from_ref(value))).into_owned();
            Err(format!("uncomparable type {}: {text}", value.type_name()))
        }
        _ => Ok(()),
    }
}

fn equals(one: &Value, other: &Value) -> Result<bool, String> {
    let nothing = |value: &Value| matches!(value, Value::Invalid | Value::Nil);
    if nothing(one) || nothing(other) {
        return Ok(nothing(one) && nothing(other));
    }
    match (one, other) {
        (Value::Int(_, one), Value::Uint(_, other)) => Ok(u64::try_from(*one) == Ok(*other)),
        (Value::Uint(_, one), Value::Int(_, other)) => Ok(u64::try_from(*other) == Ok(*one)),
        _ if basic(one) != basic(other) => Err("incompatible types for comparison".to_owned()),
        (Value::Bool(one), Value::Bool(other)) => Ok(one == other),
        (Value::Int(_, one), Value::Int(_, other)) => Ok(one == other),
        (Value::Uint(_, one), Value::Uint(_, other)) => Ok(one == other),
        #[expect(clippy::float_cmp, reason = "as Go compares")]
        (Value::Float(one), Value::Float(other)) => Ok(one == other),
        (Value::String(one), Value::String(other)) => Ok(one == other),
        _ => {
            check_comparable(other)?;
            Ok(match (one, other) {
                (Value::Record(one), Value::Record(other)) => std::sync::Arc::ptr_eq(one, other),
                (Value::NilPointer(one), Value::NilPointer(other)) => std::ptr::eq(*one, *other),
                _ => false,
            })
        }
    }
}

/// The order of two values; `None`: there is none (NaN).
fn compare(one: &Value, other: &Value) -> Result<Option<Ordering>, String> {
    if basic(one).is_none() || basic(other).is_none() {
        return Err("invalid type for comparison".to_owned());
    }
    Ok(match (one, other) {
        (Value::Int(_, one), Value::Uint(_, other)) => {
            Some(u64::try_from(*one).map_or(Ordering::Less, |one| one.cmp(other)))
        }
        (Value::Uint(_, one), Value::Int(_, other)) => {
            Some(u64::try_from(*other).map_or(Ordering::Greater, |other| one.cmp(&other)))
        }
        (Value::Int(_, one), Value::Int(_, other)) => Some(one.cmp(other)),
        (Value::Uint(_, one), Value::Uint(_, other)) => Some(one.cmp(other)),
        (Value::Float(one), Value::Float(other)) => one.partial_cmp(other),
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".to_owned()),
        _ => return Err("incompatible types for comparison".to_owned()),
    })
}
