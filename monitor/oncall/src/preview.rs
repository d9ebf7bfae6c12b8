//! Who is paged at 03:00 on Sunday? The engine itself is asked, with an incident that is not.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Alert, Kind, Plan, State, civil,
    engine::{Effect, Engine, Input},
    event::Record,
    schedule::Amendments,
    state::To,
};

/// Deadlines looked at, at most: a policy may repeat without end.
const MOST_STEPS: usize = 1_000;

/// A message that would be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// When.
    pub at: Timestamp,
    /// To whom, by what.
    pub to: To,
    /// Why.
    pub reason: String,
}

/// The messages of the `horizon` after `at`, were an incident with this routing key to begin then and nobody to
/// acknowledge it. Silences and maintenance are left out: what they cover depends on the alert.
pub fn who(
    plan: &Arc<Plan>,
    amendments: &Amendments,
    routing_key: Option<&str>,
    at: Timestamp,
    horizon: Duration,
) -> Vec<Planned> {
    let state = State { at, amendments: amendments.clone(), ..State::default() };
    let mut engine = Engine::new(plan.clone(), state);
    let mut alert = Alert::new("wharf:preview", Kind::Critical);
    alert.routing_key = routing_key.map(str::to_owned);
    let Ok(records) = engine.apply(at, Input::Alert(Box::new(alert))) else {
        return Vec::new();
    };
    let mut planned: Vec<Planned> = records.iter().filter_map(message).collect();
    let end = civil::after(at, horizon);
    for _ in 0..MOST_STEPS {
        let Some(next) = engine.next_deadline().filter(|next| *next <= end) else {
            break;
        };
        planned.extend(engine.advance(next).iter().filter_map(message));
    }
    planned
}

fn message(record: &Record) -> Option<Planned> {
    match Effect::of(record)? {
        Effect::Send { what, .. } => Some(Planned { at: record.at, to: what.to, reason: what.reason }),
        Effect::Cancel { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
        time_zone = "Europe/Madrid"
        [users.dana]
        contacts.phone = { type = "ntfy", url = "https://n.example/d" }
        paging = [{ contact = "phone" }]
        page_again = "1h"
        [users.lee]
        contacts.phone = { type = "ntfy", url = "https://n.example/l" }
        paging = [{ contact = "phone" }]
        page_again = "1h"
        [rotations.primary]
        start = "2026-01-05T09:00"
        every = "day"
        members = ["dana", "lee"]
        [policies.default]
        steps = [{ targets = [{ rotation = "primary" }] }, { after = "10m", targets = [{ next_in_rotation = "primary" }] }]
        [routing]
        default = "default"
    "#;

    #[test]
    fn sunday_night_is_answered_with_everybody_in_order_and_when() {
        let plan = Arc::new(Plan::from_toml(PLAN, None).unwrap());
        let at = "2026-01-11T02:00Z".parse().unwrap();
        let planned = who(&plan, &Amendments::default(), None, at, Duration::from_secs(1800));
        let shown: Vec<_> = planned.iter().map(|p| format!("{} {} ({})", p.at, p.to, p.reason)).collect();
        assert_eq!(
            shown,
            [
                "2026-01-11T02:00:00Z lee by ntfy (step 1)",
                "2026-01-11T02:10:00Z dana by ntfy (step 2, no ack after 10m)"
            ]
        );
    }
}
