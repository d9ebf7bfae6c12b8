//! Helpers on text and lists, and the two that look outside: `env` and `file`.

use std::path::Path;

use handlebars::JsonRender;
use serde_json::Value;

use super::{Arguments, kind};
use crate::eval::{MAX_OUTPUT, Session};

/// `env "NAME"`: an environment variable, empty when there is none.
pub(crate) fn env(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let value = (session.surroundings.env)(&arguments.text(0)?);
    Ok(Value::String(value.unwrap_or_default()))
}

/// `file "path"`: the contents of a text file. Errors tell the path, never what stands in it.
pub(crate) fn file(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let path = arguments.text(0)?;
    let bytes = (session.surroundings.file)(Path::new(&path))
        .map_err(|error| format!("cannot read `{path}`: {error}"))?;
    String::from_utf8(bytes).map(Value::String).map_err(|_| format!("`{path}` is no UTF-8 text"))
}

/// `contains list item`, `contains text part`, `contains object key`.
pub(crate) fn contains(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let found = match arguments.value(0)? {
        Value::Array(list) => list.contains(arguments.value(1)?),
        Value::String(text) => text.contains(&arguments.text(1)?),
        Value::Object(fields) => fields.contains_key(&arguments.text(1)?),
        other => {
            return Err(format!("argument 1 is {}, not a list, a text or an object", kind(other)));
        }
    };
    Ok(Value::Bool(found))
}

/// `join list separator`; the separator is `,` when left out.
pub(crate) fn join(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let Value::Array(list) = arguments.value(0)? else {
        return Err(format!("argument 1 is {}, not a list", kind(arguments.value(0)?)));
    };
    let separator = match arguments.optional(1)? {
        Some(_) => arguments.text(1)?,
        None => ",".to_owned(),
    };
    let parts: Vec<_> = list.iter().map(JsonRender::render).collect();
    let length = parts.iter().map(String::len).sum::<usize>() + separator.len().saturating_mul(parts.len());
    bounded(length)?;
    Ok(Value::String(parts.join(&separator)))
}

/// `toLower text`.
pub(crate) fn to_lower(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    Ok(Value::String(arguments.text(0)?.to_lowercase()))
}

/// `toUpper text`.
pub(crate) fn to_upper(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    Ok(Value::String(arguments.text(0)?.to_uppercase()))
}

/// `replaceAll text from to`.
pub(crate) fn replace_all(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let (text, from, to) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    bounded(text.len().saturating_add(text.matches(&from).count().saturating_mul(to.len())))?;
    Ok(Value::String(text.replace(&from, &to)))
}

/// `toJSON value`, on one line.
pub(crate) fn to_json(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    serde_json::to_string(arguments.value(0)?).map(Value::String).map_err(|error| error.to_string())
}

/// `note part part ...`: tells people something about this render; writes nothing.
pub(crate) fn note(session: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let parts: Result<Vec<_>, _> = (0..arguments.count()).map(|index| arguments.text(index)).collect();
    session.note(parts?.join(" "));
    Ok(Value::String(String::new()))
}

fn bounded(length: usize) -> Result<(), String> {
    if length > MAX_OUTPUT {
        return Err(format!("the result would have {length} bytes, more than {MAX_OUTPUT}"));
    }
    Ok(())
}
