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

/// Most links, and most images, of one event.
const MOST_LINKS: usize = 100;

/// The event in `body`; `fresh` is the deduplication key of a trigger without one.
pub fn enqueue(body: &[u8], fresh: &str) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(vec![error]))?;
    let mut event = Fields::of(&value, "").map_err(|error| refused(vec![format!("the body {error}")]))?;
    let routing_key = event.required_exact("routing_key");
    let action = event.required_exact("event_action");
    let key = event.exact("dedup_key");
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
    attachments(&event, &mut alert);
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
    let severity = payload.required_exact("severity");
    match severity.as_str() {
        "critical" | "error" => alert.kind = Kind::Critical,
        // PagerDuty opens an incident for those too.
        "warning" | "info" => alert.kind = Kind::Warning,
        "" => {}
        _ => payload.complain("severity", "must be one of critical, error, warning or info"),
    }
    alert.started = payload.when("timestamp");
    alert.fields = payload.texts("custom_details", "details");
    alert.fields.extend([("host".to_owned(), host), ("severity".to_owned(), severity)]);
    for field in ["component", "group", "class"] {
        if let Some(text) = payload.text(field) {
            alert.fields.insert(field.to_owned(), text);
        }
    }
}

/// Links and images are notes; what cannot be one is let go of.
fn attachments(event: &Fields<'_>, alert: &mut Alert) {
    for (list, address, title) in [("links", "href", "text"), ("images", "src", "alt")] {
        let entries = event.value(list).and_then(Value::as_array).into_iter().flatten();
        for entry in entries.take(MOST_LINKS) {
            let Ok(entry) = Fields::of(entry, "") else { continue };
            let Some(address) = entry.text(address) else { continue };
            let title = entry.text(title).unwrap_or_else(|| address.clone());
            alert.notes.insert(title, address);
        }
    }
}

fn refused(errors: Vec<String>) -> Answer {
    let body = json!({ "status": "invalid event", "message": "Event object is invalid", "errors": errors });
    Answer { status: 400, body }
}
