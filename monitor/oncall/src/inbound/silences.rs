//! Alertmanager's silences, both ways: `amtool silence add`, and what it lists.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer,
    fields::{Fields, json},
};
use crate::{
    Matcher, Silence,
    matchers::{Comparison, wildcard_as_regex},
};

/// Most matchers of one silence.
const MOST_MATCHERS: usize = 64;

/// Who made a silence that does not say: Alertmanager asks for no name.
const SOMEBODY: &str = "somebody";

/// The silence in `body`, and the name of the one it replaces.
pub fn from_alertmanager(body: &[u8]) -> Result<(Option<String>, Silence), Answer> {
    let value = json(body).map_err(|error| refused(&error))?;
    let mut fields = Fields::of(&value, "").map_err(|error| refused(&format!("the body {error}")))?;
    let id = fields.exact("id");
    let by = fields.text("createdBy").unwrap_or_else(|| SOMEBODY.to_owned());
    let comment = fields.text("comment").unwrap_or_default();
    let (starts, ends) = (fields.moment("startsAt"), fields.moment("endsAt"));
    for (field, moment) in [("startsAt", starts), ("endsAt", ends)] {
        if moment.is_none() && !fields.wrong.iter().any(|(wrong, _)| wrong == field) {
            fields.complain(field, "is missing or blank");
        }
    }
    let mut matchers = Vec::new();
    let list = fields.list("matchers");
    if list.is_empty() || list.len() > MOST_MATCHERS {
        fields.complain("matchers", format!("needs 1 to {MOST_MATCHERS} matchers"));
    }
    for (i, value) in list.iter().enumerate().take(MOST_MATCHERS) {
        match matcher(value) {
            Ok(matcher) => matchers.push(matcher),
            Err(what) => fields.complain(&format!("matchers[{i}]"), what),
        }
    }
    if !matchers.is_empty() && matchers.iter().all(Matcher::matches_empty) {
        fields.complain("matchers", "match everything: at least one must not match the empty string");
    }
    match (fields.wrong.first(), starts, ends) {
        (None, Some(starts), Some(ends)) if starts < ends => {
            Ok((id, Silence { matchers, starts, ends, by, comment }))
        }
        (None, _, _) => Err(refused("start time must be before end time")),
        (Some((field, what)), _, _) => Err(refused(&format!("`{field}` {what}"))),
    }
}

fn matcher(value: &Value) -> Result<Matcher, String> {
    let mut fields = Fields::of(value, "")?;
    let name = fields.required_exact("name");
    let text = fields.exact("value").unwrap_or_default();
    let mut flag = |field: &str, default: bool| match fields.value(field) {
        None => default,
        Some(Value::Bool(flag)) => *flag,
        Some(_) => {
            fields.complain(field, "is not a boolean");
            default
        }
    };
    let (regex, equal) = (flag("isRegex", false), flag("isEqual", true));
    if let Some((field, what)) = fields.wrong.first() {
        return Err(format!("`{field}` {what}"));
    }
    let comparison = if regex { Comparison::Regex } else { Comparison::Text };
    Matcher::new(name, text, comparison, equal).map_err(|error| error.to_string())
}

/// A silence as Alertmanager shows it.
pub fn to_alertmanager(id: &str, silence: &Silence, now: Timestamp) -> Value {
    let state = if silence.is_active(now) {
        "active"
    } else if now < silence.starts {
        "pending"
    } else {
        "expired"
    };
    let matcher = |matcher: &Matcher| {
        let (value, regex) = match matcher.comparison() {
            Comparison::Text => (matcher.value().to_owned(), false),
            Comparison::Regex => (matcher.value().to_owned(), true),
            Comparison::Wildcard => (wildcard_as_regex(matcher.value()), true),
        };
        json!({ "name": matcher.name(), "value": value, "isRegex": regex, "isEqual": matcher.is_equal() })
    };
    json!({
        "id": id,
        "status": { "state": state },
        "matchers": silence.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "startsAt": silence.starts.to_string(),
        "endsAt": silence.ends.to_string(),
        "updatedAt": silence.starts.to_string(),
        "createdBy": silence.by,
        "comment": silence.comment,
    })
}

/// Alertmanager answers a silence it refuses with a string.
fn refused(message: &str) -> Answer {
    Answer { status: 400, body: json!(format!("Failed to create silence: {message}")) }
}
