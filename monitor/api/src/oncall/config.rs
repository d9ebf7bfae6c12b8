//! The configuration: shown without its secrets, changed where it does not come from a file, checked.

use axum::{
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_oncall::Plan;
use wharf_pager::{
    Picture, Refusal,
    journal::Document,
    plan::{KINDS, Layers, LeftOut, ORDERED, Origin},
};

use super::{amendments::Who, calendar, shown};
use crate::{
    Api,
    answer::{Answer, Failure, fresh, problem},
    request::{Body, Query, whole},
};

/// What is added to an entry when it is shown; what is sent back with it is let go of.
const ADDED: [&str; 2] = ["origin", "calendar"];

pub(super) async fn all(State(api): State<Api>) -> Answer {
    let picture = api.pager.picture();
    let mut config = shown::without_secrets(&*picture.plan);
    for kind in KINDS {
        if kind == "routing" {
            // Its entries are names of policies: what is to be said of them stands beside.
            config[kind]["origins"] = routes(&picture)
                .map(|name| (name.to_owned(), json!(picture.layers.origin(kind, name))))
                .collect();
            continue;
        }
        if ORDERED.contains(&kind) {
            for entry in config.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
                // A nameless one can only come from a file.
                let origin = entry["name"].as_str().and_then(|name| picture.layers.origin(kind, name));
                entry["origin"] = json!(origin.unwrap_or(Origin::File));
            }
            continue;
        }
        let entries = config.get_mut(kind).and_then(Value::as_object_mut);
        for (name, entry) in entries.into_iter().flatten() {
            entry["origin"] = json!(picture.layers.origin(kind, name));
            match kind {
                "users" => entry["calendar"] = json!(calendar::address(&api, "user", name)),
                "rotations" => entry["calendar"] = json!(calendar::address(&api, "rotation", name)),
                _ => {}
            }
        }
    }
    config["journal"] = json!(picture.journal);
    config["left_out"] = left_out(&picture.layers);
    Ok(fresh(config))
}

/// What the API made and is not in force.
fn left_out(layers: &Layers) -> Value {
    let entry = |left: &LeftOut| {
        let problems: Vec<Value> = left.problems.0.iter().map(problem).collect();
        json!({ "kind": left.kind, "name": left.name, "problems": problems, "instead": left.instead })
    };
    layers.left_out.iter().map(entry).collect()
}

/// The routing keys there are, and `default`.
fn routes(picture: &Picture) -> impl Iterator<Item = &str> {
    let routing = &picture.plan.routing;
    routing.default.iter().map(|_| "default").chain(routing.keys.keys().map(String::as_str))
}

/// Makes or changes one; answers with it as it is shown.
pub(super) async fn make(
    kind: &'static str,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(Who { by }): Query<Who>,
    Body(mut body): Body<Value>,
) -> Answer {
    let Some(entry) = body.as_object_mut() else {
        return Err(Failure::bad("the body is no JSON object"));
    };
    entry.retain(|field, _| !ADDED.contains(&field.as_str()));
    let picture = api.pager.picture();
    if let Some((secret, seen)) = known(&picture, kind, &name) {
        shown::restore(&mut body, &secret, &seen).map_err(Failure::bad)?;
    }
    if let Some(place) = shown::placeholder(&body) {
        let text =
            format!("`{place}` is `{}`, which stands for a secret that is not there; give it", shown::SECRET);
        return Err(Failure::bad(text));
    }
    let body = Some(body.to_string());
    let document = Document { kind: kind.to_owned(), name: name.clone(), at: api.now(), by: by.0, body };
    api.pager.configure(document).await?;
    Ok(fresh(one(&api.pager.picture(), kind, &name)))
}

/// What the API made of that name: as it was sent, and as it is shown.
fn known(picture: &Picture, kind: &str, name: &str) -> Option<(Value, Value)> {
    let document = picture.layers.documents.get(&(kind.to_owned(), name.to_owned()))?;
    let secret = serde_json::from_str(document.body.as_deref()?).ok()?;
    Some((secret, one(picture, kind, name)))
}

/// One as it is shown.
fn one(picture: &Picture, kind: &str, name: &str) -> Value {
    let mut config = shown::without_secrets(&*picture.plan);
    match (kind, name) {
        ("routing", "default") => json!({ "policy": config["routing"]["default"] }),
        ("routing", key) => json!({ "policy": config["routing"]["keys"][key] }),
        (kind, name) if ORDERED.contains(&kind) => {
            let entries = config[kind].as_array_mut().map(std::mem::take).unwrap_or_default();
            entries.into_iter().find(|entry| entry["name"] == name).unwrap_or_default()
        }
        _ => config[kind][name].take(),
    }
}

pub(super) async fn remove(
    kind: &'static str,
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(Who { by }): Query<Who>,
) -> Answer {
    let document =
        Document { kind: kind.to_owned(), name: name.clone(), at: api.now(), by: by.0, body: None };
    match api.pager.configure(document).await {
        Ok(()) => Ok(fresh(json!({ "removed": name }))),
        Err(Refusal::Plan(problems)) => {
            let text = format!("`{name}` is still used, so it was not removed: {problems}");
            Err(Failure::new(StatusCode::CONFLICT, text))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// The table it is in, if it is a part of a larger file.
    table: Option<String>,
}

/// What is wrong with a TOML text, and what the API made that would not go with it. Nothing is changed.
pub(super) async fn check(
    State(api): State<Api>,
    Query(Table { table }): Query<Table>,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = whole(body)?;
    let text =
        str::from_utf8(&body).map_err(|error| Failure::bad(format!("the body is no UTF-8: {error}")))?;
    Ok(fresh(match Plan::from_toml(text, table.as_deref()) {
        Ok(files) => {
            let documents = api.pager.picture().layers.documents.clone();
            let (layers, _) = Layers::new((*files).clone(), documents).fit();
            json!({ "problems": [], "left_out": left_out(&layers) })
        }
        Err(problems) => {
            json!({ "problems": problems.0.iter().map(problem).collect::<Vec<_>>(), "left_out": [] })
        }
    }))
}
