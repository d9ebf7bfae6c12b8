//! The pager over HTTP (`docs/oncall-api.md`): reads what it knows, says to it what people and other tools say.
//!
//! Nothing is decided here. What is answered with success is on disk before it is answered.
//!
//! Pure: [`request`] (bodies, times, who acts), [`answer`] (errors), [`access`] (may a browser do this?), `ack::page` (HTML),
//! `oncall::shown` (configuration without its secrets). Edges, one per family: [`incidents`], [`oncall`], [`events`],
//! [`inbound`] (other tools), [`ack`] (signed links).

mod access;
mod ack;
mod answer;
mod events;
mod inbound;
mod incidents;
mod oncall;
mod request;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use jiff::Timestamp;
use wharf_catalog::Clock;
use wharf_monitor::History;
use wharf_pager::Pager;

/// Longest body of what people and pages send, in bytes.
const BODY: usize = 1024 * 1024;

/// What is answered from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Incidents, pages, schedules.
    pub pager: Pager,
    /// What became of services.
    pub history: History,
    /// What time it is.
    pub clock: Clock,
}

/// What the endpoints have.
#[derive(Debug)]
struct Desk {
    pager: Pager,
    history: History,
    clock: Clock,
    began: Timestamp,
}

impl Desk {
    fn now(&self) -> Timestamp {
        now(&self.clock)
    }
}

fn now(clock: &Clock) -> Timestamp {
    Timestamp::from_millisecond(clock.now().0).unwrap_or_default()
}

type Api = Arc<Desk>;

/// Everything of the on-call API; to be merged with other routers. Unknown paths are left to them.
pub fn router(sources: Sources) -> Router {
    let Sources { pager, history, clock } = sources;
    let api = Arc::new(Desk { pager, history, began: now(&clock), clock });
    let ours = Router::new()
        .merge(incidents::routes())
        .merge(oncall::routes())
        .merge(events::routes())
        .layer(DefaultBodyLimit::max(BODY))
        .merge(inbound::routes(api.clone()))
        .layer(middleware::from_fn_with_state(api.clone(), access::own_pages_only));
    // A link is its own permission, and is followed from mails and chats.
    ours.merge(ack::routes()).method_not_allowed_fallback(answer::wrong_method).with_state(api)
}
