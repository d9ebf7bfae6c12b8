//! What people do: take an incident, end it, snooze it, give it away, remark.

use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_oncall::{Action, ApplyError, Input, state::Assignment};
use wharf_pager::Refusal;

use super::{acted_on, none, over};
use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Body, By, end, number, remark},
};

/// Most incidents acted on at once.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noted {
    by: By,
    #[serde(default, deserialize_with = "remark")]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Several {
    by: By,
    ids: Vec<u64>,
    #[serde(default, deserialize_with = "remark")]
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snooze {
    by: By,
    #[serde(rename = "for")]
    lasts: Option<String>,
    until: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reassign {
    by: By,
    user: Option<String>,
    policy: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remark {
    by: By,
    #[serde(deserialize_with = "remark")]
    text: String,
}

pub(super) async fn acknowledge(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(asked): Body<Noted>,
) -> Answer {
    act(&api, &id, asked.by, Action::Acknowledge { note: asked.note }).await
}

pub(super) async fn resolve(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(asked): Body<Noted>,
) -> Answer {
    act(&api, &id, asked.by, Action::Resolve { note: asked.note }).await
}

pub(super) async fn snooze(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(asked): Body<Snooze>,
) -> Answer {
    let until: Timestamp = end(asked.lasts.as_deref(), asked.until.as_deref(), api.now())?;
    act(&api, &id, asked.by, Action::Snooze { until }).await
}

pub(super) async fn reassign(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(asked): Body<Reassign>,
) -> Answer {
    let to = match (asked.user, asked.policy) {
        (Some(user), None) => Assignment::User(user),
        (None, Some(policy)) => Assignment::Policy(policy),
        _ => return Err(Failure::bad("give either `user` or `policy`: who gets it")),
    };
    act(&api, &id, asked.by, Action::Reassign { to }).await
}

pub(super) async fn note(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(asked): Body<Remark>,
) -> Answer {
    if asked.text.is_empty() {
        return Err(Failure::bad("`text` is empty"));
    }
    act(&api, &id, asked.by, Action::Note { text: asked.text }).await
}

/// Acts, and answers with the incident as it is then.
async fn act(api: &Api, id: &str, by: By, action: Action) -> Answer {
    let id = number("incident", id)?;
    match api.pager.say(Input::Act { incident: id, by: by.0, action }).await {
        Ok(()) => acted_on(api, id).await,
        Err(refusal) => Err(refused(api, id, refusal).await),
    }
}

/// Why it was not done: an incident that is over is no unknown one.
async fn refused(api: &Api, id: u64, refusal: Refusal) -> Failure {
    if !matches!(refusal, Refusal::Wrong(ApplyError::NoIncident(_))) {
        return refusal.into();
    }
    match api.pager.whole_incident(id).await {
        Ok(Some(row)) => Failure::conflict(over(&row)),
        Ok(None) => none(id),
        Err(error) => error.into(),
    }
}

pub(super) async fn acknowledge_all(State(api): State<Api>, Body(asked): Body<Several>) -> Answer {
    let note = asked.note;
    all(&api, asked.by, asked.ids, || Action::Acknowledge { note: note.clone() }).await
}

pub(super) async fn resolve_all(State(api): State<Api>, Body(asked): Body<Several>) -> Answer {
    let note = asked.note;
    all(&api, asked.by, asked.ids, || Action::Resolve { note: note.clone() }).await
}

/// Of what became a part of one incident that is done once.
async fn all(api: &Api, by: By, mut ids: Vec<u64>, action: impl Fn() -> Action) -> Answer {
    if ids.is_empty() || ids.len() > MOST {
        return Err(Failure::bad(format!("`ids` names {} incidents; name 1 to {MOST}", ids.len())));
    }
    let state = api.pager.picture().state;
    ids.iter_mut().for_each(|id| *id = state.whole(*id));
    ids.sort_unstable();
    ids.dedup();
    let inputs = ids.iter().map(|id| Input::Act { incident: *id, by: by.0.clone(), action: action() });
    let kept = api.pager.say_all(inputs.collect()).await;
    let (mut done, mut refusals): (Vec<u64>, Vec<Value>) = (Vec::new(), Vec::new());
    for (id, kept) in ids.into_iter().zip(kept) {
        match kept {
            Ok(()) => done.push(id),
            Err(refusal @ (Refusal::NotKept(_) | Refusal::Stopped)) => return Err(refusal.into()),
            Err(refusal) => {
                refusals.push(json!({ "id": id, "error": refused(api, id, refusal).await.text }));
            }
        }
    }
    Ok(fresh(json!({ "done": done, "refused": refusals })))
}
