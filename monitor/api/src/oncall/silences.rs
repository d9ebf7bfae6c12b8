//! Nobody is paged for what matches, for a while.

use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_oncall::{Input, Matcher, Silence, engine::written_silences, matchers::all_match};
use wharf_pager::{Picture, plan::Origin};

use super::amendments::Who;
use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Body, By, Query, end, moment, remark},
};

/// Most matchers of a silence.
const MOST_MATCHERS: usize = 64;

pub(super) async fn list(State(api): State<Api>) -> Answer {
    let (picture, now) = (api.pager.picture(), api.now());
    let written = written_silences(&picture.plan);
    let written = written.iter().map(|(id, silence)| shown(&picture, id, Origin::File, silence, now));
    let made = picture.state.silences.iter();
    let made = made.map(|(id, silence)| shown(&picture, id, Origin::Api, silence, now));
    let mut silences: Vec<Value> = written.chain(made).collect();
    // What holds now comes first, what is over last; within that, what ends last comes first.
    silences.sort_by(|a, b| {
        let key = |silence: &Value| {
            let over = silence["over"].as_bool().map(|over| !over);
            (silence["active"].as_bool(), over, silence["until"].as_str().map(str::to_owned))
        };
        key(b).cmp(&key(a))
    });
    Ok(fresh(json!({ "silences": silences })))
}

fn shown(picture: &Picture, id: &str, origin: Origin, silence: &Silence, now: Timestamp) -> Value {
    let active = silence.is_active(now);
    json!({
        "id": id,
        "origin": origin,
        "by": silence.by,
        "match": silence.matchers,
        "from": (silence.starts != Timestamp::MIN).then_some(silence.starts),
        "until": silence.ends,
        "comment": silence.comment,
        "active": active,
        "over": silence.is_over(now),
        "covers": if active { covered(picture, &silence.matchers) } else { Vec::new() },
    })
}

/// Open incidents all of whose symptoms match.
pub(super) fn covered(picture: &Picture, matchers: &[Matcher]) -> Vec<u64> {
    let covers = |incident: &&wharf_oncall::state::Incident| {
        let mut active = incident.active().peekable();
        active.peek().is_some()
            && active.all(|symptom| all_match(matchers, |field| symptom.alert.field(field)))
    };
    picture.state.incidents.values().filter(covers).map(|incident| incident.id).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Make {
    by: By,
    #[serde(rename = "match")]
    matchers: Vec<Matcher>,
    from: Option<String>,
    #[serde(rename = "for")]
    lasts: Option<String>,
    until: Option<String>,
    #[serde(default, deserialize_with = "remark")]
    comment: String,
}

/// Answers with the silence.
pub(super) async fn make(State(api): State<Api>, Body(asked): Body<Make>) -> Answer {
    if asked.matchers.len() > MOST_MATCHERS {
        return Err(Failure::bad(format!("`match` has more than {MOST_MATCHERS} matchers")));
    }
    let now = api.now();
    let starts = asked.from.as_deref().map_or(Ok(now), |from| moment("from", from))?;
    let ends = end(asked.lasts.as_deref(), asked.until.as_deref(), starts)?;
    if ends <= starts {
        return Err(Failure::bad("`until` does not lie after `from`"));
    }
    let silence = Silence { matchers: asked.matchers, starts, ends, by: asked.by.0, comment: asked.comment };
    let id = uuid::Uuid::new_v4().to_string();
    api.pager.say(Input::Silence { id: id.clone(), silence: silence.clone() }).await?;
    Ok(fresh(shown(&api.pager.picture(), &id, Origin::Api, &silence, api.now())))
}

pub(super) async fn take_back(
    State(api): State<Api>,
    Path(id): Path<String>,
    Query(Who { by }): Query<Who>,
) -> Answer {
    api.pager.say(Input::EndSilence { id: id.clone(), by: by.0 }).await?;
    Ok(fresh(json!({ "ended": id })))
}
