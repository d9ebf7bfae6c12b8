//! Opsgenie's alert API (<https://docs.opsgenie.com/docs/alert-api>).

use serde_json::{Value, json};
use wharf_oncall::{Secret, state::Occasion, template::shorten};

use super::{
    Request, below,
    events::{self, Event},
};
use crate::message::Message;

const SERVER: &str = "https://api.opsgenie.com";

pub(super) fn requests(
    api_key: &Secret,
    server: Option<&str>,
    message: &Message<'_>,
) -> Result<Vec<Request>, String> {
    let server = server.unwrap_or(SERVER);
    let request = |event: &Event<'_>| {
        let action = match message.context.occasion {
            Occasion::Triggered | Occasion::Test => None,
            Occasion::Acknowledged => Some("acknowledge"),
            Occasion::Resolved => Some("close"),
        };
        let request = match action {
            None => Request::json(below(server, &["v2", "alerts"])?, &creation(event, message)),
            Some(action) => {
                let mut url = below(server, &["v2", "alerts", &event.key, action])?;
                url.query_pairs_mut().append_pair("identifierType", "alias");
                Request::json(url, &json!({ "source": "wharf", "note": message.context.reason }))
            }
        };
        request?.authorized("GenieKey", api_key)
    };
    events::of(message).iter().map(request).collect()
}

fn creation(event: &Event<'_>, message: &Message<'_>) -> Value {
    let (priority, tag) = match event.incident {
        None => ("P5", "test"),
        Some(_) if event.is_critical() => ("P1", "critical"),
        Some(_) => ("P3", "warning"),
    };
    let link = message.page().map(|page| format!("\n{page}")).unwrap_or_default();
    let mut details = json!({ "reason": message.context.reason });
    if let Some(incident) = event.incident {
        for (field, value) in incident.notes.iter().chain(&incident.fields) {
            details[field] = json!(value);
        }
    }
    json!({
        "message": shorten(&event.title, 130),
        "alias": event.key,
        "description": format!("{}{link}", shorten(&event.details, 14_000)),
        "entity": shorten(event.entity(), 512),
        "source": "wharf",
        "priority": priority,
        "tags": ["wharf", tag],
        "details": details,
    })
}
