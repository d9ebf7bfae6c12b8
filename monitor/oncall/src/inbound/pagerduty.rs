//! PagerDuty's Events API v2: `POST /v2/enqueue`.
//!
//! <https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>. Our routing keys stand where
//! PagerDuty's integration keys do.

use serde_json::{Value, json};

use super::{
    Answer, Inbound,
    fields::{Fields, json},
};
use crate::{Alert, Kind};

/// The event in `body`; `fresh` is the deduplication key of a trigger without one.
pub fn enqueue(body: &[u8], fresh: &str) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(vec![error]))?;
    let mut event = Fields::of(&value, "").map_err(|error| refused(vec![format!("the body {error}")]))?;
    let routing_key = event.required("routing_key");
    let action = event.required("event_action");
    let key = event.text("dedup_key");
    let kind = match action.as_str() {
        "trigger" => None,
        "acknowledge" => Some(Kind::Acknowledgement),
        "resolve" => Some(Kind::Recovery),
        "" => Some(Kind::Info),
        _ => {
            event.complain("event_action", "must be one of trigger, acknowledge or resolve");
            Some(Kind::Info)
        }
    };
    if kind.is_some_and(|kind| kind != Kind::Info) && key.is_none() {
        event.complain("dedup_key", "is missing or blank");
    }
    let mut alert = Alert::new(key.unwrap_or_else(|| fresh.to_owned()), kind.unwrap_or(Kind::Critical));
    alert.routing_key = Some(routing_key);
    alert.source = event.text("client").unwrap_or_else(|| "pagerduty".to_owned());
    if let Some(url) = event.text("client_url") {
        alert.notes.insert("client".to_owned(), url);
    }
    attachments(&mut event, &mut alert);
    if kind.is_none() {
        match event.value("payload") {
            Some(payload) => match Fields::of(payload, "payload.") {
                Ok(mut payload) => {
                    self::payload(&mut payload, &mut alert);
                    event.wrong.append(&mut payload.wrong);
                }
                Err(what) => event.complain("payload", what),
            },
            None => event.complain("payload", "is missing or blank"),
        }
    }
    if !event.wrong.is_empty() {
        return Err(refused(
            event.wrong.into_iter().map(|(field, what)| format!("'{field}' {what}")).collect(),
        ));
    }
    let body = json!({ "status": "success", "message": "Event processed", "dedup_key": alert.entity });
    Ok(Inbound { alerts: vec![alert], answer: Answer { status: 202, body } })
}

fn payload(payload: &mut Fields<'_>, alert: &mut Alert) {
    alert.title = payload.required("summary");
    let host = payload.required("source");
    match payload.required("severity").as_str() {
        "critical" | "error" => alert.kind = Kind::Critical,
        "warning" => alert.kind = Kind::Warning,
        "info" => alert.kind = Kind::Info,
        "" => {}
        _ => payload.complain("severity", "must be one of critical, error, warning or info"),
    }
    alert.started = payload.moment("timestamp");
    alert.fields = match payload.value("custom_details") {
        // Some tools send a text.
        Some(Value::String(text)) => [("details".to_owned(), text.clone())].into(),
        _ => payload.texts("custom_details"),
    };
    alert.fields.insert("host".to_owned(), host);
    for field in ["component", "group", "class"] {
        if let Some(text) = payload.text(field) {
            alert.fields.insert(field.to_owned(), text);
        }
    }
}

/// Links and images are notes.
fn attachments(event: &mut Fields<'_>, alert: &mut Alert) {
    for (list, address, title) in [("links", "href", "text"), ("images", "src", "alt")] {
        for (i, entry) in event.list(list).iter().enumerate().take(100) {
            match Fields::of(entry, &format!("{list}[{i}].")) {
                Ok(mut entry) => {
                    let address = entry.required(address);
                    let title = entry.text(title).unwrap_or_else(|| address.clone());
                    alert.notes.insert(title, address);
                    event.wrong.append(&mut entry.wrong);
                }
                Err(what) => event.complain(list, format!("{i} {what}")),
            }
        }
    }
}

fn refused(errors: Vec<String>) -> Answer {
    let body = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
    Answer { status: 400, body }
}
