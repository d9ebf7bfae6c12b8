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

/// The alerts a Prometheus sends, again and again while they last.
pub fn alerts(body: &[u8], now: Timestamp) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(400, &error))?;
    let list = value.as_array().ok_or_else(|| refused(400, "the body is not a list of alerts"))?;
    if list.len() > MOST_ALERTS {
        return Err(refused(413, &format!("more than {MOST_ALERTS} alerts in one request")));
    }
    let mut alerts = Vec::with_capacity(list.len());
    for (i, value) in list.iter().enumerate() {
        let mut fields = Fields::of(value, &format!("{i}."))
            .map_err(|error| refused(422, &format!("{i} in body {error}")))?;
        let said = Said::read(&mut fields);
        if let (Some(from), Some(until)) = (said.starts, said.ends)
            && until < from
        {
            fields.complain("endsAt", "in body lies before startsAt");
        }
        if let Some((field, what)) = fields.wrong.first() {
            return Err(refused(422, &format!("{field} {what}")));
        }
        let ends = said.ends.unwrap_or_else(|| civil::after(now, RESOLVE_TIMEOUT));
        let mut alert = said.alert();
        if ends <= now {
            alert.kind = Kind::Recovery;
        } else {
            alert.expires = Some(ends);
        }
        alerts.push(alert);
    }
    Ok(Inbound { alerts, answer: Answer { status: 200, body: Value::Null } })
}

/// A notification of an Alertmanager, of one group of alerts.
pub fn webhook(body: &[u8]) -> Result<Inbound, Answer> {
    let value = json(body).map_err(|error| refused(400, &error))?;
    let mut message = Fields::of(&value, "").map_err(|error| refused(400, &format!("the body {error}")))?;
    let group = message.text("groupKey");
    let receiver = message.text("receiver");
    let list = message.list("alerts");
    if list.is_empty() && message.wrong.is_empty() {
        message.complain("alerts", "is missing or empty");
    }
    let mut alerts = Vec::with_capacity(list.len().min(MOST_ALERTS));
    for (i, value) in list.iter().enumerate().take(MOST_ALERTS) {
        let mut fields = match Fields::of(value, &format!("alerts[{i}].")) {
            Ok(fields) => fields,
            Err(what) => {
                message.complain("alerts", format!("[{i}] {what}"));
                continue;
            }
        };
        let status = fields.required("status");
        let print = fields.text("fingerprint");
        let mut alert = Said::read(&mut fields).alert();
        match status.as_str() {
            "resolved" => alert.kind = Kind::Recovery,
            "firing" | "" => {}
            _ => fields.complain("status", format!("`{status}` is neither firing nor resolved")),
        }
        alert.entity = print.unwrap_or(alert.entity);
        alert.group.clone_from(&group);
        alert.fields.extend(receiver.clone().map(|receiver| ("receiver".to_owned(), receiver)));
        alerts.push(alert);
        message.wrong.append(&mut fields.wrong);
    }
    if let Some((field, what)) = message.wrong.first() {
        return Err(refused(400, &format!("`{field}` {what}")));
    }
    Ok(Inbound { alerts, answer: Answer { status: 200, body: Value::Null } })
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
        let mut labels = fields.texts("labels");
        labels.retain(|_, value| !value.is_empty());
        if labels.is_empty() && fields.wrong.is_empty() {
            fields.complain("labels", "in body is required, with at least one label");
        }
        if let Some(name) = labels.keys().find(|name| name.is_empty()) {
            fields.complain("labels", format!("in body has a label with the name `{name}`"));
        }
        Self {
            labels,
            annotations: fields.texts("annotations"),
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

/// As Alertmanager answers what its own checks (422) or its parser refuse.
fn refused(status: u16, message: &str) -> Answer {
    let code = if status == 422 { 602 } else { status };
    Answer { status, body: json!({ "code": code, "message": message }) }
}
