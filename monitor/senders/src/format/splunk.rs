//! Splunk On-Call, once VictorOps: its REST endpoint
//! (<https://help.splunk.com/en/splunk-observability-cloud/splunk-on-call>, "REST endpoint integration guide").

use serde_json::{Map, Value, json};
use url::Url;
use wharf_oncall::{Secret, state::Occasion};

use super::{
    Request, address,
    events::{self, Event},
};
use crate::message::Message;

pub(super) fn requests(
    url: &Secret,
    routing_key: &str,
    message: &Message<'_>,
) -> Result<Vec<Request>, String> {
    let url = with_routing_key(url, routing_key)?;
    events::of(message).iter().map(|event| Request::json(url.clone(), &body(event, message))).collect()
}

/// Their page shows the address with `$routing_key` at its end, and so people copy it.
fn with_routing_key(url: &Secret, routing_key: &str) -> Result<Url, String> {
    let shown = url.reveal().trim();
    let bare = shown.strip_suffix("$routing_key").unwrap_or(shown);
    let mut url = address(bare)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(routing_key);
    }
    Ok(url)
}

fn body(event: &Event<'_>, message: &Message<'_>) -> Value {
    let context = message.context;
    let kind = match context.occasion {
        Occasion::Triggered if event.is_critical() => "CRITICAL",
        Occasion::Triggered => "WARNING",
        Occasion::Acknowledged => "ACKNOWLEDGEMENT",
        Occasion::Resolved => "RECOVERY",
        // Goes to the timeline and pages nobody there.
        Occasion::Test => "INFO",
    };
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| {
        body.entry(key).or_insert(value);
    };
    set("message_type", json!(kind));
    set("entity_id", json!(event.key));
    set("entity_display_name", json!(event.title));
    set("state_message", json!(event.details));
    set("monitoring_tool", json!("wharf"));
    set("timestamp", json!(context.at.as_second()));
    if context.occasion == Occasion::Acknowledged {
        set("ack_message", json!(context.reason));
    }
    if let Some(page) = message.page() {
        set("vo_annotate.u.Incident in wharf", json!(page));
    }
    if let Some(incident) = event.incident {
        set("state_start_time", json!(incident.started.as_second()));
        for (title, note) in &incident.notes {
            let kind = if note.starts_with("http://") || note.starts_with("https://") { "u" } else { "s" };
            set(&format!("vo_annotate.{kind}.{title}"), json!(note));
        }
        // Alerts name their fields themselves: none takes the place of what has a meaning here.
        for (field, value) in incident.fields.iter().filter(|(field, _)| !has_meaning(field)) {
            set(field, json!(value));
        }
    }
    Value::Object(body)
}

fn has_meaning(field: &str) -> bool {
    field.starts_with("vo_annotate")
        || field.starts_with("ack_")
        || matches!(field, "routing_key" | "state_start_time" | "timestamp" | "message_type" | "entity_id")
}
