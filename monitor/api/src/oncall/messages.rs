//! What was sent, and a message to see it arrive.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;
use wharf_oncall::{Input, state::Occasion};
use wharf_pager::journal::{DeliveryQuery, DeliveryState};

use crate::{
    Api,
    answer::{Answer, fresh},
    request::{Body, By, Query, limit},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    user: Option<String>,
    incident: Option<u64>,
    state: Option<DeliveryState>,
    limit: Option<usize>,
    before: Option<u64>,
}

pub(super) async fn deliveries(State(api): State<Api>, Query(question): Query<Question>) -> Answer {
    let query = DeliveryQuery {
        user: question.user.filter(|user| !user.is_empty()),
        incident: question.incident,
        state: question.state.map(|state| state.as_str().to_owned()),
        before: question.before,
        limit: limit(question.limit)?,
    };
    Ok(fresh(json!({ "deliveries": api.pager.deliveries(query).await? })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    by: By,
}

/// Answers with the messages as they begin; the delivery log says what becomes of them.
pub(super) async fn test(
    State(api): State<Api>,
    Path(user): Path<String>,
    Body(Asked { by }): Body<Asked>,
) -> Answer {
    api.pager.say(Input::Test { user: user.clone(), by: by.0 }).await?;
    let picture = api.pager.picture();
    let methods = picture.plan.users.get(&user).map_or(0, |user| user.contacts.len());
    let latest = DeliveryQuery { user: Some(user), limit: 100, ..DeliveryQuery::default() };
    let mut deliveries = api.pager.deliveries(latest).await?;
    deliveries.retain(|row| row.occasion == Occasion::Test);
    deliveries.truncate(methods);
    Ok(fresh(json!({ "deliveries": deliveries })))
}
