//! `/v1/event`: tell everybody something, once. Nothing is kept: the agent remembers the last 256 events
//! it received, in memory.

mod ring;

use std::sync::Arc;

use axum::{
    Extension, Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{get, put},
};
use http::StatusCode;
use regex::Regex;
use tokio::time::{Instant, timeout_at};
use wharf_catalog::State as Snapshot;

use self::ring::{Event, Events};
use crate::{
    Api, body,
    error::ApiError,
    query::Params,
    respond,
    routing::{Rest, exact, subtree},
};

/// Most bytes an event may take up, its name and its envelope included, as in Consul (gossip's limit).
const LIMIT: usize = 512;

pub(crate) fn routes() -> Router<Api> {
    let router = subtree(Router::new(), "/v1/event/fire", "OPTIONS,PUT", put(fire));
    exact(router, "/v1/event/list", "OPTIONS,GET", get(list)).layer(Extension(Arc::new(Events::default())))
}

async fn fire(
    State(api): State<Api>,
    Extension(events): Extension<Arc<Events>>,
    params: Params,
    rest: Rest,
    body: Body,
) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let name = rest.or_missing("Missing name")?;
    let filter = |name: &str| params.first(name).unwrap_or_default().to_owned();
    let payload = body::json(body, api.config.max_body_size).await?;
    let event = Event {
        id: uuid::Uuid::new_v4().to_string(),
        name,
        payload,
        node_filter: filter("node"),
        service_filter: filter("service"),
        tag_filter: filter("tag"),
        ltime: 0,
    };
    let filters = Filters::new(&event)?;
    if encoded_size(&event) > LIMIT {
        return Err(refused(format!(
            "user event exceeds configured limit of {LIMIT} bytes before encoding: send less payload"
        )));
    }
    let answer = respond::json(params.pretty(), &event);
    if filters.let_through(&api.catalog.snapshot(), &api.config.node_name) {
        events.push(event);
    }
    Ok(answer)
}

async fn list(Extension(events): Extension<Arc<Events>>, params: Params) -> Result<Response, ApiError> {
    // The agent's own: of no datacenter, and as consistent as it gets.
    let (known, wait) = (params.index()?, params.wait()?);
    let until = Instant::now() + wait;
    let mut news = events.subscribe();
    loop {
        let listed = events.named(params.first("name").unwrap_or_default());
        // Not the number of a commit: made from the last event's id, to be compared for equality only.
        let index = listed.last().map_or(1, |event| event.index());
        if known.0 != index || timeout_at(until, news.changed()).await.is_err() {
            let mut response = respond::json_with(StatusCode::OK, params.pretty(), &listed);
            respond::set(&mut response, respond::INDEX, index);
            return Ok(response);
        }
    }
}

/// Who receives an event.
struct Filters {
    node: Option<Regex>,
    service: Option<Regex>,
    tag: Option<Regex>,
}

impl Filters {
    fn new(event: &Event) -> Result<Self, ApiError> {
        if !event.tag_filter.is_empty() && event.service_filter.is_empty() {
            return Err(refused("Cannot provide tag filter without service filter".to_owned()));
        }
        Ok(Self {
            node: compiled("node", &event.node_filter)?,
            service: compiled("service", &event.service_filter)?,
            tag: compiled("tag", &event.tag_filter)?,
        })
    }

    /// Is this agent's node meant?
    fn let_through(&self, state: &Snapshot, node: &str) -> bool {
        let fits = |filter: &Option<Regex>, text: &str| filter.as_ref().is_none_or(|it| it.is_match(text));
        if !fits(&self.node, node) {
            return false;
        }
        self.service.is_none()
            || state.instances_on(node).any(|instance| {
                fits(&self.service, &instance.name)
                    && (self.tag.is_none() || instance.tags.iter().any(|tag| fits(&self.tag, tag)))
            })
    }
}

fn compiled(what: &str, filter: &str) -> Result<Option<Regex>, ApiError> {
    if filter.is_empty() {
        return Ok(None);
    }
    match regex::RegexBuilder::new(filter).size_limit(1 << 20).build() {
        Ok(regex) => Ok(Some(regex)),
        Err(error) => Err(refused(format!("Invalid {what} filter: error parsing regexp: {error}"))),
    }
}

/// As Consul packs it: each part with its name and length.
fn encoded_size(event: &Event) -> usize {
    let optional = |label: usize, text: &str| if text.is_empty() { 0 } else { label + text.len() };
    let envelope = "consul:event:".len() + event.name.len();
    let parts = 42 + 6 + event.name.len() + 11 + event.payload.len() + 9;
    envelope
        + parts
        + optional(12, &event.node_filter)
        + optional(15, &event.service_filter)
        + optional(11, &event.tag_filter)
}

fn refused(text: String) -> ApiError {
    ApiError::Refused(text)
}
