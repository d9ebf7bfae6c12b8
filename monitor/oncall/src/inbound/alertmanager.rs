//! Alertmanager's v2 API as Prometheus uses it (`POST /api/v2/alerts`), and the webhook of a real Alertmanager.
//!
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>,
//! <https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Inbound, MOST_ALERTS,
    fields::{Fields, json},
};
use crate::{Alert, Kind, civil};

/// What is not said again for so long is over: Alertmanager's `resolve_timeout`.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(300);

/// Most mistakes told of one request.
const MOST_TOLD: usize = 20;

/// The alerts a Prometheus sends, again and again while they last. As with an Alertmanager, those that can be are taken,
/// and the answer says what is wrong with the others.
pub fn alerts(body: &[u8], now: Timestamp) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(400, &error))?;
    let list = value.as_array().ok_or_else(|| refused(400, "the body is not a list of alerts"))?;
    if list.len() > MOST_ALERTS {
        return Err(refused(413, &format!("more than {MOST_ALERTS} alerts in one request")));
    }
    let (mut alerts, mut wrong) = (Vec::with_capacity(list.len()), Vec::new());
    for (i, value) in list.iter().enumerate() {
        match posted(value, &format!("{i}."), now) {
            Ok(alert) => alerts.push(alert),
            Err(what) => wrong.push(what),
        }
    }
    // Alertmanager answers those that it did not take with a string.
    let left = || Answer { status: 400, body: json!(told(&wrong)) };
    answered(alerts, if wrong.is_empty() { taken() } else { left() })
}

/// A refusal if something is wrong and nothing was taken.
fn answered(alerts: Vec<Alert>, answer: Answer) -> Result<Inbound, Answer> {
    if alerts.is_empty() && answer.status != 200 { Err(answer) } else { Ok(Inbound { alerts, answer }) }
}

/// What is wrong, as one text.
fn told(wrong: &[String]) -> String {
    let more = wrong.len().saturating_sub(MOST_TOLD);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    wrong.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ") + &more
}

fn posted(value: &Value, prefix: &str, now: Timestamp) -> Result<Alert, String> {
    let mut fields = Fields::of(value, prefix).map_err(|what| format!("{prefix} {what}"))?;
    let said = Said::read(&mut fields);
    if let (Some(from), Some(until)) = (said.starts, said.ends)
        && until < from
    {
        fields.complain("endsAt", "in body lies before startsAt");
    }
    if let Some((field, what)) = fields.wrong.first() {
        return Err(format!("{field} {what}"));
    }
    let ends = said.ends.unwrap_or_else(|| civil::after(now, RESOLVE_TIMEOUT));
    let mut alert = said.alert();
    if ends <= now {
        alert.kind = Kind::Recovery;
    } else {
        alert.expires = Some(ends);
    }
    Ok(alert)
}

/// A notification of an Alertmanager, of one group of alerts. Those that can be are taken, whatever is wrong with others.
pub fn webhook(body: &[u8]) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(400, &error))?;
    let mut message = Fields::of(&value, "").map_err(|error| refused(400, &format!("the body {error}")))?;
    let (group, receiver) = (message.exact("groupKey"), message.text("receiver"));
    let list = message.list("alerts");
    if list.is_empty() && message.wrong.is_empty() {
        message.complain("alerts", "is missing or empty");
    }
    if list.len() > MOST_ALERTS {
        message.complain("alerts", format!("has more than {MOST_ALERTS}: the first were taken"));
    }
    let mut alerts = Vec::with_capacity(list.len().min(MOST_ALERTS));
    for (i, value) in list.iter().enumerate().take(MOST_ALERTS) {
        match notified(value, &format!("alerts[{i}].")) {
            Ok(mut alert) => {
                alert.group.clone_from(&group);
                alert.fields.extend(receiver.clone().map(|receiver| ("receiver".to_owned(), receiver)));
                alerts.push(alert);
            }
            Err((field, what)) => message.wrong.push((field, what)),
        }
    }
    let wrong: Vec<String> = message.wrong.iter().map(|(field, what)| format!("`{field}` {what}")).collect();
    answered(alerts, if wrong.is_empty() { taken() } else { refused(400, &told(&wrong)) })
}

fn notified(value: &Value, prefix: &str) -> Result<Alert, (String, String)> {
    let mut fields =
        Fields::of(value, prefix).map_err(|what| (prefix.trim_end_matches('.').to_owned(), what))?;
    let status = fields.required_exact("status");
    let print = fields.exact("fingerprint");
    let mut alert = Said::read(&mut fields).alert();
    match status.as_str() {
        "resolved" => alert.kind = Kind::Recovery,
        "firing" | "" => {}
        _ => fields.complain("status", format!("`{status}` is neither firing nor resolved")),
    }
    alert.entity = print.unwrap_or(alert.entity);
    match fields.wrong.into_iter().next() {
        Some(wrong) => Err(wrong),
        None => Ok(alert),
    }
}

fn taken() -> Answer {
    Answer { status: 200, body: Value::Null }
}

/// What both say of an alert.
struct Said {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    generator: Option<String>,
}

impl Said {
    fn read(fields: &mut Fields<'_>) -> Self {
        let mut labels = fields.exact_texts("labels");
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() && fields.wrong.is_empty() {
            fields.complain("labels", "in body is required, with at least one label");
        }
        if let Some(name) = labels.keys().find(|name| name.is_empty()) {
            fields.complain("labels", format!("in body has a label with the name `{name}`"));
        }
        Self {
            labels,
            annotations: fields.texts("annotations", "annotations"),
            starts: fields.moment("startsAt"),
            ends: fields.moment("endsAt"),
            generator: fields.text("generatorURL"),
        }
    }

    fn alert(self) -> Alert {
        let severity = self.labels.get("severity").map(|word| word.to_ascii_lowercase());
        let kind = match severity.as_deref() {
            Some("warning" | "warn" | "minor") => Kind::Warning,
            Some("info" | "information" | "none") => Kind::Info,
            _ => Kind::Critical,
        };
        let mut alert = Alert::new(fingerprint(&self.labels), kind);
        let mut notes = self.annotations;
        let name = self.labels.get("alertname").cloned().unwrap_or_default();
        alert.title = notes.remove("summary").unwrap_or(name);
        alert.message = notes.remove("description").or_else(|| notes.remove("message")).unwrap_or_default();
        "prometheus".clone_into(&mut alert.source);
        alert.routing_key = self.labels.get("routing_key").cloned();
        alert.started = self.starts;
        notes.extend(self.generator.map(|url| ("generator".to_owned(), url)));
        (alert.notes, alert.fields) = (notes, self.labels);
        alert
    }
}

/// Alertmanager's name for a set of labels: FNV-1a over names and values, in order, each ended by 0xff.
pub fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    let parts = labels.iter().flat_map(|(name, value)| [name.as_bytes(), &[0xff], value.as_bytes(), &[0xff]]);
    for byte in parts.flatten() {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    format!("{sum:016x}")
}

/// As Alertmanager refuses a whole request.
fn refused(status: u16, message: &str) -> Answer {
    Answer { status, body: json!({ "code": status, "message": message }) }
}
