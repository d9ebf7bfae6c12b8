//! Opsgenie's alert API: `POST /v2/alerts`, and `.../{alias}/close` and `/acknowledge`.
//!
//! <https://docs.opsgenie.com/docs/alert-api>

use serde_json::{Map, Value, json};

use super::{
    Answer, Inbound,
    fields::{Fields, json},
};
use crate::{Alert, Kind};

/// What is done with an alert there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpsgenieAction {
    /// It is over.
    Close,
    /// Somebody takes it.
    Acknowledge,
}

/// The alert in `body`; `fresh` is the alias of one without, and `request` names the request in the answer.
pub fn create(body: &[u8], fresh: &str, request: &str) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(400, &error, &[], request))?;
    let mut fields =
        Fields::of(&value, "").map_err(|error| refused(400, &format!("the body {error}"), &[], request))?;
    let title = fields.required("message");
    let mut alert = Alert::new(fields.text("alias").unwrap_or_else(|| fresh.to_owned()), Kind::Critical);
    alert.title = title;
    alert.message = fields.text("description").unwrap_or_default();
    alert.source = fields.text("source").unwrap_or_else(|| "opsgenie".to_owned());
    match fields.text("priority").as_deref() {
        None | Some("P1" | "P2" | "P3") => {}
        Some("P4") => alert.kind = Kind::Warning,
        Some("P5") => alert.kind = Kind::Info,
        Some(other) => fields.complain("priority", format!("`{other}` is none of P1 to P5")),
    }
    alert.fields = fields.texts("details");
    alert.fields.extend(fields.text("entity").map(|entity| ("host".to_owned(), entity)));
    let tags: Vec<&str> = fields.list("tags").iter().filter_map(Value::as_str).collect();
    if !tags.is_empty() {
        alert.fields.insert("tags".to_owned(), tags.join(","));
    }
    alert.routing_key = responder(fields.list("responders"));
    if !fields.wrong.is_empty() {
        let message = "Request body is not processable. Please check the errors.";
        return Err(refused(422, message, &fields.wrong, request));
    }
    Ok(Inbound { alerts: vec![alert], answer: accepted(request) })
}

/// A team or an escalation that is to respond is a routing key.
fn responder(responders: &[Value]) -> Option<String> {
    let name = |responder: &Value| {
        let kind = responder.get("type").and_then(Value::as_str);
        let name = responder.get("name").or_else(|| responder.get("id")).and_then(Value::as_str);
        name.filter(|_| matches!(kind, None | Some("team" | "escalation"))).map(str::to_owned)
    };
    responders.iter().find_map(name)
}

/// What is done with the alert `alias`; `body` may be empty.
pub fn action(alias: &str, action: OpsgenieAction, body: &[u8], request: &str) -> Result<Inbound, Answer> {
    let value = if body.iter().all(u8::is_ascii_whitespace) {
        Value::Object(Map::new())
    } else {
        json(body).map_err(|error| refused(400, &error, &[], request))?
    };
    let mut fields =
        Fields::of(&value, "").map_err(|error| refused(400, &format!("the body {error}"), &[], request))?;
    let kind = match action {
        OpsgenieAction::Close => Kind::Recovery,
        OpsgenieAction::Acknowledge => Kind::Acknowledgement,
    };
    let mut alert = Alert::new(alias, kind);
    alert.author = fields.text("user");
    alert.source = fields.text("source").unwrap_or_else(|| "opsgenie".to_owned());
    alert.message = fields.text("note").unwrap_or_default();
    if !fields.wrong.is_empty() {
        let message = "Request body is not processable. Please check the errors.";
        return Err(refused(422, message, &fields.wrong, request));
    }
    Ok(Inbound { alerts: vec![alert], answer: accepted(request) })
}

fn accepted(request: &str) -> Answer {
    let body = json!({ "result": "Request will be processed", "took": 0.001, "requestId": request });
    Answer { status: 202, body }
}

fn refused(status: u16, message: &str, wrong: &[(String, String)], request: &str) -> Answer {
    let mut body = json!({ "message": message, "took": 0.001, "requestId": request });
    if !wrong.is_empty() {
        body["errors"] = wrong.iter().map(|(field, what)| (field.clone(), json!(what))).collect();
    }
    Answer { status, body }
}
