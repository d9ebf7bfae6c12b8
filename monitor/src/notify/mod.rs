//! What receivers are told of an incident.
//!
//! A notification is a `POST` of this JSON, `content-type: application/json`:
//!
//! ```json
//! {
//!   "event": "incident.triggered",
//!   "id": 12,
//!   "service": "identity-service",
//!   "state": "down",
//!   "reason": "instance `identity-1`: check `http` is critical: connection refused",
//!   "time": 1767225600000,
//!   "url": "http://127.0.0.1:8500/ui/services/identity-service",
//!   "incident": { "id": 7, "service": "identity-service", "state": "triggered", "started": 1767225599000,
//!                 "triggered": 1767225600000, "acknowledged": null, "resolved": null,
//!                 "reason": "...", "resolution": "" }
//! }
//! ```
//!
//! `event` is `incident.triggered` or `incident.resolved`; `state` the service's (`down`, `up`, or
//! `unmonitored` when it is gone); `time` when the outage was noticed or ended, and the times in
//! `incident`, are milliseconds since the Unix epoch; `url` is `null` unless configured.
//!
//! Header fields: `x-wharf-event`, `x-wharf-delivery` (the `id`: the same at every attempt, so that a
//! receiver can tell a repetition), and with a secret `x-wharf-signature: sha256=<hex>`, the HMAC-SHA256
//! of the body's bytes. Any 2xx answer takes it; anything else is tried again. Each receiver gets its
//! notifications one after the other, in order, at least once.

pub(crate) mod courier;

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use wharf_catalog::Timestamp;

use crate::{
    Config, DeliveryConfig, Secret,
    incident::{Incident, IncidentState},
    view::ServiceState,
};

/// One notification for one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) url: String,
    pub(crate) event: String,
    pub(crate) incident: u64,
    pub(crate) body: Arc<str>,
    pub(crate) created: Timestamp,
    pub(crate) state: DeliveryState,
    /// Attempts made.
    pub(crate) attempts: u32,
    /// When the next one is due.
    pub(crate) next: Timestamp,
    /// What came of the last one.
    pub(crate) answer: String,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryState {
    Pending,
    Delivered,
    GivenUp,
}

#[derive(Serialize)]
struct Payload<'a> {
    event: &'a str,
    id: u64,
    service: &'a str,
    state: ServiceState,
    reason: &'a str,
    time: Timestamp,
    url: Option<String>,
    incident: &'a Incident,
}

/// The notifications for `incident` as it now stands: one for every receiver.
pub(crate) fn deliveries(
    config: &Config,
    incident: &Incident,
    state: ServiceState,
    now: Timestamp,
    last_id: &mut u64,
) -> Vec<Delivery> {
    let (event, reason, time) = match incident.state {
        IncidentState::Resolved => ("incident.resolved", &incident.resolution, incident.resolved),
        IncidentState::Triggered | IncidentState::Acknowledged => {
            ("incident.triggered", &incident.reason, Some(incident.triggered))
        }
    };
    let deliver = |webhook: &crate::WebhookConfig| {
        *last_id += 1;
        let payload = Payload {
            event,
            id: *last_id,
            service: &incident.service,
            state,
            reason,
            time: time.unwrap_or(now),
            url: page_of(config, &incident.service),
            incident,
        };
        Delivery {
            id: *last_id,
            url: webhook.url.clone(),
            event: event.to_owned(),
            incident: incident.id,
            body: serde_json::to_string(&payload).unwrap_or_default().into(),
            created: now,
            state: DeliveryState::Pending,
            attempts: 0,
            next: now,
            answer: String::new(),
        }
    };
    config.webhooks.iter().map(deliver).collect()
}

fn page_of(config: &Config, service: &str) -> Option<String> {
    let page = || config.service_url.replace("{service}", &encoded(service));
    (!config.service_url.is_empty()).then(page)
}

/// Percent-encodes all but what RFC 3986 calls unreserved.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// The value of `x-wharf-signature` for a body.
pub(crate) fn signature(secret: &Secret, body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal()).ok()?;
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("sha256={hex}"))
}

impl Delivery {
    /// What an attempt at `now` came to: delivered, due again later, or given up.
    pub(crate) fn attempted(
        &mut self,
        now: Timestamp,
        result: Result<String, String>,
        config: &DeliveryConfig,
    ) {
        self.attempts += 1;
        let taken = result.is_ok();
        self.answer = result.unwrap_or_else(|error| error);
        if taken {
            self.state = DeliveryState::Delivered;
        } else if self.attempts >= config.attempts {
            self.state = DeliveryState::GivenUp;
        } else {
            let doubled = 2_u32.saturating_pow(self.attempts - 1);
            let wait = config.first_backoff.saturating_mul(doubled).min(config.max_backoff);
            self.next = now.after(wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::WebhookConfig;

    fn incident() -> Incident {
        Incident {
            id: 7,
            service: "web/1 ü".to_owned(),
            state: IncidentState::Resolved,
            started: Timestamp(10),
            triggered: Timestamp(20),
            acknowledged: None,
            resolved: Some(Timestamp(30)),
            reason: "refused".to_owned(),
            resolution: "1 of 1 instance passes".to_owned(),
        }
    }

    fn config() -> Config {
        let webhook = |url: &str| WebhookConfig { url: url.to_owned(), secret: None };
        Config {
            webhooks: vec![webhook("http://a/"), webhook("http://b/")],
            service_url: "http://w/ui/{service}".to_owned(),
            ..Config::default()
        }
    }

    #[test]
    fn every_receiver_gets_a_numbered_notification() {
        let mut last = 4;
        let made = deliveries(&config(), &incident(), ServiceState::Up, Timestamp(31), &mut last);
        assert_eq!(
            made.iter().map(|d| (d.id, &*d.url)).collect::<Vec<_>>(),
            [(5, "http://a/"), (6, "http://b/")]
        );
        let body: serde_json::Value = serde_json::from_str(&made[0].body).unwrap();
        assert_eq!(
            (&body["event"], &body["state"], &body["time"], &body["reason"]),
            (&"incident.resolved".into(), &"up".into(), &30.into(), &"1 of 1 instance passes".into())
        );
        assert_eq!(body["url"], "http://w/ui/web%2F1%20%C3%BC");
        assert_eq!(body["incident"]["reason"], "refused");
    }

    #[test]
    fn the_signature_is_the_one_of_rfc_4231() {
        let signed = signature(&Secret::new("Jefe"), "what do ya want for nothing?").unwrap();
        assert_eq!(signed, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn failures_are_tried_again_ever_later_and_not_for_ever() {
        let limits = DeliveryConfig {
            attempts: 4,
            first_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_millis(300),
            ..DeliveryConfig::default()
        };
        let mut delivery =
            deliveries(&config(), &incident(), ServiceState::Up, Timestamp(0), &mut 0).remove(0);
        let mut waits = Vec::new();
        while delivery.state == DeliveryState::Pending {
            delivery.attempted(Timestamp(1_000), Err("refused".to_owned()), &limits);
            waits.push(delivery.next.0 - 1_000);
        }
        assert_eq!(waits, [100, 200, 300, 300]);
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::GivenUp, 4));
    }
}
