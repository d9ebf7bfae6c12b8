//! Alertmanager's API v2 (`POST /api/v2/alerts`).
//!
//! An alert is its labels: only what never changes about an incident is one, so that the resolve finds its trigger.
//! Everything else is an annotation. An Alertmanager forgets an alert that is not sent again, unless told when it
//! ends: an incident ends in a month, or when it is told resolved. It knows no acknowledgement; that is told by an
//! annotation.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wharf_oncall::{Secret, state::Occasion};

use super::{
    Request, below,
    events::{self, Event},
};
use crate::message::Message;

const OPEN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A test is over by itself.
const TEST: SignedDuration = SignedDuration::from_mins(5);

pub(super) fn request(url: &Secret, message: &Message<'_>) -> Result<Request, String> {
    let url = below(url.reveal().trim(), &["api", "v2", "alerts"])?;
    let alerts: Vec<Value> = events::of(message).iter().map(|event| alert(event, message)).collect();
    Request::json(url, &alerts)
}

fn alert(event: &Event<'_>, message: &Message<'_>) -> Value {
    let context = message.context;
    let started = event.incident.map_or(context.at, |incident| incident.started).min(context.at);
    let ends = match context.occasion {
        Occasion::Resolved => context.at,
        Occasion::Test => later(context.at, TEST),
        Occasion::Triggered | Occasion::Acknowledged => later(context.at, OPEN),
    };
    let mut annotations = annotations(event, message);
    annotations.retain(|_, value| !value.is_empty());
    let mut alert = json!({
        "labels": labels(event),
        "annotations": annotations,
        "startsAt": started,
        "endsAt": ends,
    });
    if let Some(page) = message.page() {
        alert["generatorURL"] = json!(page);
    }
    alert
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn labels(event: &Event<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    // An entity like `service:web` is a label of its own.
    if let Some((name, value)) = event.entity().split_once(':')
        && is_label(name)
        && !value.is_empty()
    {
        labels.insert(name.to_owned(), value.to_owned());
    }
    let alertname = if event.incident.is_some() { "WharfIncident" } else { "WharfTest" };
    labels.insert("alertname".to_owned(), alertname.to_owned());
    labels.insert("entity".to_owned(), event.entity().to_owned());
    labels.insert("incident".to_owned(), event.key.clone());
    labels
}

fn annotations(event: &Event<'_>, message: &Message<'_>) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    if let Some(incident) = event.incident {
        for (name, value) in incident.fields.iter().chain(&incident.notes).filter(|(name, _)| is_label(name))
        {
            annotations.insert(name.clone(), value.clone());
        }
        annotations.insert("severity".to_owned(), incident.severity.to_lowercase());
    }
    annotations.insert("summary".to_owned(), event.title.clone());
    annotations.insert("description".to_owned(), event.details.clone());
    annotations.insert("reason".to_owned(), message.context.reason.to_owned());
    annotations.insert("state".to_owned(), message.context.occasion.to_string());
    annotations
}

/// Whether it can be a label's or an annotation's name.
fn is_label(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(fits) && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}
