//! Configuration as it may be shown, and taken back from whoever changed it there.
//!
//! A secret is shown as [`SECRET`]. Sent back so, it stays what it was, but only where it goes to the same place: a token
//! must not be sent to an address that somebody put beside it.

use serde::Serialize;
use serde_json::{Map, Value};

/// What stands for a secret.
pub(super) const SECRET: &str = "[secret]";
/// Fields that say where a secret is sent.
const PLACES: [&str; 3] = ["type", "url", "server"];

/// Anything of the configuration, as JSON without secrets: they have a type of their own, which says so when it is
/// written.
pub(super) fn without_secrets(config: &impl Serialize) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

/// Puts back what was hidden: where `sent` says what `seen` shows, `secret` is meant.
pub(super) fn restore(sent: &mut Value, secret: &Value, seen: &Value) -> Result<(), String> {
    match (sent, secret, seen) {
        (Value::Object(sent), Value::Object(secret), Value::Object(seen)) => {
            let keeps = sent.iter().any(|(field, value)| is_hidden(value) && seen.get(field) == Some(value));
            if keeps && let Some(place) = moved(sent, seen) {
                return Err(format!(
                    "`{place}` is another than it was, so what is secret beside it has to be given again, not `{SECRET}`"
                ));
            }
            for (field, value) in sent.iter_mut() {
                if let (Some(secret), Some(seen)) = (secret.get(field), seen.get(field)) {
                    restore(value, secret, seen)?;
                }
            }
        }
        (sent @ Value::String(_), secret @ Value::String(_), seen) if is_hidden(sent) && sent == seen => {
            sent.clone_from(secret);
        }
        _ => {}
    }
    Ok(())
}

fn is_hidden(value: &Value) -> bool {
    value.as_str() == Some(SECRET)
}

/// The field by which an entry goes to another place than the one that was shown.
fn moved(sent: &Map<String, Value>, seen: &Map<String, Value>) -> Option<&'static str> {
    let value =
        |entry: &Map<String, Value>, place: &str| entry.get(place).filter(|value| !value.is_null()).cloned();
    PLACES.into_iter().find(|place| value(sent, place) != value(seen, place))
}

/// Where a secret is shown instead of said.
pub(super) fn placeholder(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (text == SECRET).then(String::new),
        Value::Array(list) => list.iter().enumerate().find_map(|(i, value)| within(&i.to_string(), value)),
        Value::Object(object) => object.iter().find_map(|(field, value)| within(field, value)),
        _ => None,
    }
}

fn within(field: &str, value: &Value) -> Option<String> {
    let place = placeholder(value)?;
    Some(if place.is_empty() { field.to_owned() } else { format!("{field}.{place}") })
}

#[cfg(test)]
mod tests;
