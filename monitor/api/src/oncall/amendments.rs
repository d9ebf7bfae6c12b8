//! Stand-ins and traded shifts.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;
use wharf_oncall::{
    Input,
    config::{Moment, Override, Swap},
};

use super::duty;
use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Body, By, Query, number, remark},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StandIn {
    by: By,
    rotation: String,
    user: String,
    instead_of: Option<String>,
    from: Moment,
    until: Moment,
    #[serde(default, deserialize_with = "remark")]
    reason: String,
}

/// Answers with the override, its number included.
pub(super) async fn stand_in(State(api): State<Api>, Body(asked): Body<StandIn>) -> Answer {
    let StandIn { by: By(by), rotation, user, instead_of, from, until, reason } = asked;
    let substitute = Override { rotation, user, instead_of, from, until, reason };
    api.pager.say(Input::Override { by: by.clone(), substitute: substitute.clone() }).await?;
    let picture = api.pager.picture();
    let amendments = &picture.state.amendments;
    let mut latest = amendments.overrides.iter().rev();
    let id = latest.find(|(id, found)| **found == substitute && amendments.by.get(id) == Some(&by));
    Ok(fresh(duty::substitute(&picture.plan, amendments, id.map(|(id, _)| *id), &substitute)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trade {
    by: By,
    rotation: String,
    shift: Moment,
    with: Moment,
    #[serde(default, deserialize_with = "remark")]
    reason: String,
}

/// Answers with the swap, its number included.
pub(super) async fn swap(State(api): State<Api>, Body(asked): Body<Trade>) -> Answer {
    let Trade { by: By(by), rotation, shift, with, reason } = asked;
    let swap = Swap { rotation, shift, with, reason };
    api.pager.say(Input::Swap { by: by.clone(), swap: swap.clone() }).await?;
    let picture = api.pager.picture();
    let amendments = &picture.state.amendments;
    let mut latest = amendments.swaps.iter().rev();
    let id = latest.find(|(id, found)| **found == swap && amendments.by.get(id) == Some(&by));
    Ok(fresh(duty::trade(&picture.plan, amendments, id.map(|(id, _)| *id), &swap)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    #[serde(default)]
    pub(crate) by: By,
}

pub(super) async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(Who { by }): Query<Who>,
) -> Answer {
    let id = number("override or swap", &id)?;
    api.pager.say(Input::RemoveAmendment { id, by: by.0 }).await.map_err(Failure::from)?;
    Ok(fresh(json!({ "removed": id })))
}
