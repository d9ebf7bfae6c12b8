//! Silences as `amtool silence` makes, lists and ends them.

use axum::{
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use wharf_oncall::{
    Input, Silence,
    engine::written_silences,
    inbound::{Answer, alertmanager_silence, silence_for_alertmanager},
};
use wharf_pager::{Picture, Refusal};

use super::{Received, body, filter::Filter, fresh, refused, reply};
use crate::{Api, answer::Failure};

/// Who ends a silence; Alertmanager's API does not say.
const SOMEBODY: &str = "amtool";

fn all(picture: &Picture) -> impl Iterator<Item = (String, Silence)> {
    let made = picture.state.silences.iter().map(|(id, silence)| (id.clone(), silence.clone()));
    written_silences(&picture.plan).into_iter().chain(made)
}

pub(super) async fn list(State(api): State<Api>, RawQuery(query): RawQuery) -> Response {
    let filter = match Filter::read(query.as_deref()) {
        Ok(filter) => filter,
        Err(message) => return refused(400, &message),
    };
    let (picture, now) = (api.pager.picture(), api.now());
    let mut silences: Vec<(String, Silence)> =
        all(&picture).filter(|(_, silence)| is_wanted(&filter, silence)).collect();
    // What holds first, what is over last; within that, what ends first.
    silences.sort_by_key(|(_, silence)| {
        let over = silence.is_over(now);
        (over, silence.starts > now, silence.ends)
    });
    let shown: Vec<Value> =
        silences.iter().map(|(id, silence)| silence_for_alertmanager(id, silence, now)).collect();
    fresh(shown)
}

/// A filter asks for what the silence's own matchers say, name by name.
fn is_wanted(filter: &Filter, silence: &Silence) -> bool {
    let value = |name: &str| {
        silence.matchers.iter().find(|matcher| matcher.name() == name).map(|matcher| matcher.value())
    };
    filter.matches(value)
}

pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>) -> Response {
    let picture = api.pager.picture();
    let found = all(&picture).find(|(name, _)| *name == id);
    match found {
        Some((id, silence)) => fresh(silence_for_alertmanager(&id, &silence, api.now())),
        None => unknown(&id),
    }
}

fn unknown(id: &str) -> Response {
    reply(Answer { status: 404, body: json!(format!("silence {id} not found")) })
}

/// Makes a silence, or changes one; answers with its name.
pub(super) async fn set(State(api): State<Api>, headers: HeaderMap, received: Received) -> Response {
    // Alertmanager asks for it too; a form of another site cannot send it.
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return refused(
            415,
            &format!("unsupported media type \"{kind}\", only [application/json] are allowed"),
        );
    }
    let body = match body(received) {
        Ok(body) => body,
        Err((status, message)) => return refused(status, &message),
    };
    let (id, silence) = match alertmanager_silence(&body) {
        Ok(read) => read,
        Err(answer) => return reply(answer),
    };
    let state = api.pager.picture().state;
    let id = match id.map(|id| (state.silences.get(&id).map(|silence| silence.is_over(api.now())), id)) {
        Some((Some(false), id)) => id,
        Some((None, id)) => return unknown(&id),
        // One that is over stays so, as Alertmanager's do.
        Some((Some(true), _)) | None => super::super::fresh_name(),
    };
    match api.pager.say(Input::Silence { id: id.clone(), silence }).await {
        Ok(()) => fresh(json!({ "silenceID": id })),
        Err(refusal @ (Refusal::NotKept(_) | Refusal::Stopped)) => refused(503, &refusal.to_string()),
        Err(refusal) => reply(Answer { status: 400, body: json!(refusal.to_string()) }),
    }
}

pub(super) async fn end(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.pager.say(Input::EndSilence { id: id.clone(), by: SOMEBODY.to_owned() }).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => {
            let failure = Failure::from(refusal);
            if failure.status == StatusCode::NOT_FOUND {
                return unknown(&id);
            }
            refused(failure.status.as_u16(), &failure.text)
        }
    }
}
