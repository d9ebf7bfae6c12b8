//! VictorOps' REST endpoint: `POST /integrations/generic/20131114/alert/{api_key}/{routing_key}`.
//!
//! <https://help.victorops.com/knowledge-base/rest-endpoint-integration-guide/>

use serde_json::json;

use super::{
    Answer, Inbound,
    fields::{Fields, json},
};
use crate::{Alert, Kind};

const KNOWN: [&str; 10] = [
    "message_type",
    "entity_id",
    "entity_display_name",
    "state_message",
    "monitoring_tool",
    "state_start_time",
    "timestamp",
    "ack_author",
    "ack_message",
    "routing_key",
];
const ANNOTATION: &str = "vo_annotate.";

/// The alert in `body`. The routing key of the path beats the body's; `fresh` names an entity without a name.
pub fn alert(body: &[u8], routing_key: Option<&str>, fresh: &str) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(&error))?;
    let mut fields = Fields::of(&value, "").map_err(|error| refused(&format!("the body {error}")))?;
    let word = fields.required_exact("message_type");
    let kind = Kind::parse(&word);
    if kind.is_none() && fields.wrong.is_empty() {
        let words = "CRITICAL, WARNING, INFO, ACKNOWLEDGEMENT or RECOVERY";
        fields.complain("message_type", format!("`{word}` is none of {words}"));
    }
    let entity = fields.exact("entity_id").unwrap_or_else(|| fresh.to_owned());
    let mut alert = Alert::new(entity, kind.unwrap_or(Kind::Info));
    alert.title = fields.text("entity_display_name").unwrap_or_default();
    alert.message = fields.text("state_message").unwrap_or_default();
    alert.source = fields.text("monitoring_tool").unwrap_or_default();
    alert.started = fields.when("state_start_time").or_else(|| fields.when("timestamp"));
    alert.author = fields.text("ack_author");
    let ack = fields.text("ack_message");
    if let (Kind::Acknowledgement, Some(message)) = (alert.kind, ack) {
        alert.message = message;
    }
    let in_body = fields.exact("routing_key");
    alert.routing_key = routing_key.map(str::to_owned).or(in_body);
    for (name, value) in fields.rest(|name| KNOWN.contains(&name)) {
        match name.strip_prefix(ANNOTATION).and_then(|note| note.split_once('.')) {
            Some(("u" | "s" | "i", title)) if !title.is_empty() => {
                alert.notes.insert(title.to_owned(), value);
            }
            _ => {
                alert.fields.insert(name, value);
            }
        }
    }
    if let Some((field, what)) = fields.wrong.first() {
        return Err(refused(&format!("`{field}` {what}")));
    }
    let answer = Answer { status: 200, body: json!({ "result": "success", "entity_id": alert.entity }) };
    Ok(Inbound { alerts: vec![alert], answer })
}

fn refused(message: &str) -> Answer {
    Answer { status: 400, body: json!({ "result": "failure", "message": message }) }
}
