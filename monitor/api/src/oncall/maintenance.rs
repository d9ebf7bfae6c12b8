//! Work that is planned, once or again and again.

use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_oncall::{
    Input,
    config::{Maintenance, is_name},
    maintenance::Window,
};
use wharf_pager::{Picture, plan::Origin};

use super::{amendments::Who, silences::covered};
use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Body, By, Query},
};

pub(super) async fn list(State(api): State<Api>) -> Answer {
    let (picture, now) = (api.pager.picture(), api.now());
    let written = picture.plan.maintenance.iter().map(|(id, found)| (id, Origin::File, found));
    let made = picture.state.maintenance.iter().map(|(id, found)| (id, Origin::Api, found));
    let windows: Vec<Value> =
        written.chain(made).map(|(id, origin, found)| shown(&picture, id, origin, found, now)).collect();
    Ok(fresh(json!({ "maintenance": windows })))
}

/// As it is written, with what follows from that.
fn shown(picture: &Picture, id: &str, origin: Origin, found: &Maintenance, now: Timestamp) -> Value {
    let window = Window::new(found, &picture.plan.time_zone.0);
    let active = window.is_active(now);
    let mut shown = serde_json::to_value(found).unwrap_or_default();
    shown["id"] = json!(id);
    shown["origin"] = json!(origin);
    shown["by"] = json!(picture.state.maintained_by.get(id).filter(|_| origin == Origin::Api));
    shown["active"] = json!(active);
    shown["next_change"] = json!(window.next_change(now));
    shown["covers"] = json!(if active { covered(picture, &found.matchers) } else { Vec::new() });
    shown
}

/// Answers with the window.
pub(super) async fn make(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(Who { by }): Query<Who>,
    Body(mut asked): Body<Value>,
) -> Answer {
    let said = asked.as_object_mut().and_then(|asked| asked.remove("by"));
    let by = match said {
        Some(said) => serde_json::from_value::<By>(said).map_err(Failure::bad)?,
        None => by,
    };
    if !is_name(&id) {
        return Err(Failure::bad("the name has more than 64 letters, digits, `.`, `_` or `-`, or others"));
    }
    let window: Maintenance =
        serde_json::from_value(asked).map_err(|error| Failure::bad(format!("the body: {error}")))?;
    api.pager.say(Input::Maintain { id: id.clone(), by: by.0, window: window.clone() }).await?;
    Ok(fresh(shown(&api.pager.picture(), &id, Origin::Api, &window, api.now())))
}

pub(super) async fn take_back(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(Who { by }): Query<Who>,
) -> Answer {
    api.pager.say(Input::EndMaintenance { id: id.clone(), by: by.0 }).await?;
    Ok(fresh(json!({ "ended": id })))
}
