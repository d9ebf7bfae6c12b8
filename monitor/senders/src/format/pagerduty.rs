//! PagerDuty's Events API v2 (<https://developer.pagerduty.com/docs/send-alert-event>).

use serde_json::{Value, json};
use wharf_oncall::{Secret, state::Occasion, template::shorten};

use super::{
    Request, below,
    events::{self, Event},
};
use crate::message::Message;

const SERVER: &str = "https://events.pagerduty.com";

pub(super) fn requests(
    routing_key: &Secret,
    server: Option<&str>,
    message: &Message<'_>,
) -> Result<Vec<Request>, String> {
    let url = below(server.unwrap_or(SERVER), &["v2", "enqueue"])?;
    let events = events::of(message);
    events.iter().map(|event| Request::json(url.clone(), &body(routing_key, event, message))).collect()
}

fn body(routing_key: &Secret, event: &Event<'_>, message: &Message<'_>) -> Value {
    let action = match message.context.occasion {
        Occasion::Triggered | Occasion::Test => "trigger",
        Occasion::Acknowledged => "acknowledge",
        Occasion::Resolved => "resolve",
    };
    let mut body = json!({
        "routing_key": routing_key.reveal().trim(),
        "event_action": action,
        "dedup_key": event.key,
    });
    if action == "trigger" {
        let severity = match event.incident {
            None => "info",
            Some(_) if event.is_critical() => "critical",
            Some(_) => "warning",
        };
        body["payload"] = json!({
            "summary": shorten(&event.title, 1024),
            "source": event.entity(),
            "severity": severity,
            "custom_details": details(event, message),
        });
        if let Some(incident) = event.incident {
            body["payload"]["timestamp"] = json!(incident.started);
        }
        body["client"] = json!("wharf");
        if let Some(page) = message.page() {
            body["client_url"] = json!(page);
            body["links"] = json!([{ "href": page, "text": "Incident in wharf" }]);
        }
    }
    body
}

fn details(event: &Event<'_>, message: &Message<'_>) -> Value {
    let mut details = json!({ "message": event.details, "reason": message.context.reason });
    if let Some(incident) = event.incident {
        details["incident"] = json!(incident.incident);
        details["entities"] = json!(incident.entities);
        details["fields"] = json!(incident.fields);
        details["notes"] = json!(incident.notes);
    }
    details
}
