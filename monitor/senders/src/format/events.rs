//! Incidents as other tools that keep incidents want them: one event each, with a key that stays the same from the
//! trigger to the resolve.

use sha2::{Digest, Sha256};
use wharf_oncall::{event::Summary, state::Occasion};

use crate::message::{Message, is_critical};

/// PagerDuty takes no longer keys; the others take twice as much.
const LONGEST_KEY: usize = 255;

/// One incident of a message, or the one that a test pretends.
pub(super) struct Event<'m> {
    /// The same for all that is ever told of the incident.
    pub(super) key: String,
    pub(super) title: String,
    pub(super) details: String,
    /// `None`: a test.
    pub(super) incident: Option<&'m Summary>,
}

impl Event<'_> {
    pub(super) fn is_critical(&self) -> bool {
        self.incident.is_some_and(is_critical)
    }

    /// What is wrong.
    pub(super) fn entity(&self) -> &str {
        self.incident.map_or("wharf", |incident| &incident.entity)
    }
}

/// What a message tells of.
pub(super) fn of<'m>(message: &'m Message<'_>) -> Vec<Event<'m>> {
    let context = message.context;
    if context.occasion == Occasion::Test {
        return vec![Event {
            key: format!("wharf:test:{}", context.delivery),
            title: message.title.clone(),
            details: message.details().to_owned(),
            incident: None,
        }];
    }
    let alone = context.incidents.len() == 1 && context.more == 0;
    let event = |incident: &'m Summary| Event {
        key: key(incident),
        title: if alone && message.own_title { message.title.clone() } else { title(incident) },
        details: if alone { message.details().to_owned() } else { crate::text::lines(&incident.message) },
        incident: Some(incident),
    };
    context.incidents.iter().map(event).collect()
}

/// Number and severity, which the usual title has, are fields of their own there; no title is refused.
fn title(incident: &Summary) -> String {
    let titles = [&incident.title, &incident.entity].map(|text| crate::text::line(text));
    titles
        .into_iter()
        .find(|title| !title.is_empty())
        .unwrap_or_else(|| format!("incident {}", incident.incident))
}

/// Number and entity: neither ever changes, and two installations seldom agree on both.
fn key(incident: &Summary) -> String {
    let key = format!("wharf:{}:{}", incident.incident, crate::text::line(&incident.entity));
    if key.len() <= LONGEST_KEY {
        return key;
    }
    let digest = Sha256::digest(key.as_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("wharf:{}:{digest}", incident.incident)
}
