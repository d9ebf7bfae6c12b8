//! `/wharf/v1/incidents`: what is wrong, what was, and what people do about it.

mod actions;
mod export;
mod story;

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_oncall::state::Stand;
use wharf_pager::{
    Picture,
    journal::{IncidentQuery, IncidentRow, StateQuery},
};

use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Query, limit, number},
};

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/wharf/v1/incidents", get(list))
        .route("/wharf/v1/incidents/acknowledge", post(actions::acknowledge_all))
        .route("/wharf/v1/incidents/resolve", post(actions::resolve_all))
        .route("/wharf/v1/incidents/{id}", get(one))
        .route("/wharf/v1/incidents/{id}/acknowledge", post(actions::acknowledge))
        .route("/wharf/v1/incidents/{id}/resolve", post(actions::resolve))
        .route("/wharf/v1/incidents/{id}/snooze", post(actions::snooze))
        .route("/wharf/v1/incidents/{id}/reassign", post(actions::reassign))
        .route("/wharf/v1/incidents/{id}/note", post(actions::note))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default)]
    state: StateQuery,
    entity: Option<String>,
    text: Option<String>,
    limit: Option<usize>,
    before: Option<u64>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Json,
    Csv,
}

async fn list(State(api): State<Api>, Query(question): Query<Question>) -> Answer {
    let query = IncidentQuery {
        state: question.state,
        entity: question.entity.filter(|entity| !entity.is_empty()),
        text: question.text.filter(|text| !text.is_empty()),
        before: question.before,
        limit: limit(question.limit)?,
    };
    // Known before the rows are read: whoever asks again for what came later misses nothing.
    let picture = api.pager.picture();
    let incidents = api.pager.incidents(query).await?;
    if let Format::Csv = question.format {
        return Ok(export::csv(&incidents));
    }
    Ok(fresh(json!({
        "now": api.now(),
        "journal": picture.journal,
        "counts": counts(&picture),
        "incidents": incidents,
    })))
}

fn counts(picture: &Picture) -> Value {
    let open = picture.state.incidents.values();
    let triggered = open.filter(|incident| incident.stand == Stand::Triggered).count();
    json!({ "triggered": triggered, "acknowledged": picture.state.incidents.len() - triggered })
}

/// An incident with its story.
async fn one(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    let id = number("incident", &id)?;
    let row = api.pager.incident(id).await?.ok_or_else(|| none(id))?;
    Ok(fresh(story::of(&api, row).await?))
}

/// What was acted on, with its story: what became a part of another incident was that.
async fn acted_on(api: &Api, id: u64) -> Result<Response, Failure> {
    let row = api.pager.whole_incident(id).await?.ok_or_else(|| none(id))?;
    Ok(fresh(story::of(api, row).await?))
}

fn none(id: u64) -> Failure {
    Failure::unknown(format!("no incident #{id}"))
}

/// What to say of one that cannot be acted on any more.
fn over(row: &IncidentRow) -> String {
    let id = row.id;
    match &row.resolved {
        Some(resolved) => match &resolved.by {
            Some(by) => format!("incident #{id} is already resolved by {by}"),
            None => format!("incident #{id} is already resolved: {}", resolved.reason),
        },
        None => format!("incident #{id} is not open any more"),
    }
}
