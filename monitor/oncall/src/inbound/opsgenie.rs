//! Opsgenie's alert API: `POST /v2/alerts`, and `.../{alias}/close` and `/acknowledge`.
//!
//! <https://docs.opsgenie.com/docs/alert-api>

use serde_json::{Map, Value, json};

use super::{
    Answer, Inbound,
    fields::{Fields, LONGEST, cut, json},
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
    let mut alert = Alert::new(fields.exact("alias").unwrap_or_else(|| fresh.to_owned()), Kind::Critical);
    alert.title = title;
    alert.message = fields.text("description").unwrap_or_default();
    alert.source = fields.text("source").unwrap_or_else(|| "opsgenie".to_owned());
    let priority = fields.exact("priority");
    match priority.as_deref() {
        None | Some("P1" | "P2" | "P3") => {}
        // Opsgenie makes an alert of a P5 too.
        Some("P4" | "P5") => alert.kind = Kind::Warning,
        Some(other) => fields.complain("priority", format!("`{other}` is none of P1 to P5")),
    }
    alert.fields = fields.texts("details", "details");
    alert.fields.extend(fields.text("entity").map(|entity| ("host".to_owned(), entity)));
    alert.fields.extend(priority.map(|priority| ("priority".to_owned(), priority)));
    alert.fields.extend(tags(&fields).map(|tags| ("tags".to_owned(), tags)));
    let responders = fields.value("responders").and_then(Value::as_array);
    alert.routing_key = responder(responders.map_or(&[], Vec::as_slice));
    if !fields.wrong.is_empty() {
        let message = "Request body is not processable. Please check the errors.";
        return Err(refused(422, message, &fields.wrong, request));
    }
    Ok(Inbound { alerts: vec![alert], answer: accepted(request) })
}

/// The tags as one text.
fn tags(fields: &Fields<'_>) -> Option<String> {
    let Some(Value::Array(tags)) = fields.value("tags") else { return fields.text("tags") };
    let tags: Vec<&str> = tags.iter().filter_map(Value::as_str).collect();
    Some(cut(tags.join(","), LONGEST)).filter(|tags| !tags.is_empty())
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
    let fields =
        Fields::of(&value, "").map_err(|error| refused(400, &format!("the body {error}"), &[], request))?;
    let kind = match action {
        OpsgenieAction::Close => Kind::Recovery,
        OpsgenieAction::Acknowledge => Kind::Acknowledgement,
    };
    let mut alert = Alert::new(alias, kind);
    alert.author = fields.text("user");
    alert.source = fields.text("source").unwrap_or_else(|| "opsgenie".to_owned());
    alert.message = fields.text("note").unwrap_or_default();
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
