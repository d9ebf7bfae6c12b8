//! What other tools send, read into alerts; and the answers they expect.
//!
//! Pure: the bytes of a request in, alerts and the answer out. What a request lacks and only the edge can make
//! (random names, the time) is an argument. A request that is wrong is refused as the service it is meant for would,
//! with the field's name; nothing of it takes effect. A request with many alerts is many: those that are right are taken.

mod alertmanager;
mod fields;
mod opsgenie;
mod pagerduty;
mod push;
mod silences;
mod victorops;

use serde_json::Value;

pub use self::{
    alertmanager::{alerts as alertmanager_alerts, fingerprint, webhook as alertmanager_webhook},
    opsgenie::{OpsgenieAction, action as opsgenie_action, create as opsgenie_create},
    pagerduty::enqueue as pagerduty,
    push::push,
    silences::{from_alertmanager as alertmanager_silence, to_alertmanager as silence_for_alertmanager},
    victorops::alert as victorops,
};
use crate::Alert;

/// Most alerts in one request.
const MOST_ALERTS: usize = 10_000;

/// An answer over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, JSON; null stands for none.
    pub body: Value,
}

/// What a request amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Inbound {
    /// The alerts, in order.
    pub alerts: Vec<Alert>,
    /// What the sender is told once they are kept.
    pub answer: Answer,
}

#[cfg(test)]
mod tests;
