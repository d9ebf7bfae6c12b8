//! `/v1/config`: configuration entries. `service-defaults` and `proxy-defaults` are kept and told; the kinds
//! that only a service mesh could carry out are refused by name.

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde_json::{Map, Value};
use wharf_catalog::{ApplyError, Command, CommitError, Document, Index, Rejected, State as Snapshot, Topic};

use crate::{
    Api, blocking, body,
    error::ApiError,
    query::Params,
    respond,
    routing::{Rest, beneath, exact},
    wire::{Empty, List, config_entry as wire},
};

/// Kind of the documents that hold them; their ids are `kind/name`.
const DOCUMENTS: &str = "config";

pub(crate) fn routes() -> Router<Api> {
    let router = exact(Router::new(), "/v1/config", "OPTIONS,PUT", put(apply));
    beneath(router, "/v1/config", "OPTIONS,GET,DELETE", get(read).delete(remove))
}

async fn apply(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let cas = params.given_number("cas")?.map(Index);
    let body = body::json(body, api.config.max_body_size).await?;
    let entry = wire::read(&body)?;
    let document = Document::new(DOCUMENTS, entry.id(), entry.body.to_string());
    let done = committed(&api, Command::PutDocument(document, cas)).await?;
    Ok(respond::json(params.pretty(), &done))
}

/// Did it happen, or was the entry changed by somebody else?
async fn committed(api: &Api, command: Command) -> Result<bool, ApiError> {
    match api.catalog.commit(vec![command]).await {
        Ok(_) => Ok(true),
        Err(CommitError::Rejected(Rejected { error: ApplyError::DocumentChanged { .. }, .. })) => Ok(false),
        Err(other) => Err(other.into()),
    }
}

/// One entry, all of a kind, or all.
async fn read(State(api): State<Api>, params: Params, Rest(rest): Rest) -> Result<Response, ApiError> {
    let read = params.kv_read(&api.config)?;
    match rest.split_once('/') {
        Some((kind, name)) => {
            wire::check_kind(kind)?;
            let topic = Topic::Document(DOCUMENTS.into(), rest.as_str().into());
            let answer = |state: &Snapshot| match state.document(DOCUMENTS, &rest).and_then(|it| shown(it)) {
                Some(entry) => respond::json(read.pretty, &entry),
                None => ApiError::NotFound(format!("Config entry not found for \"{kind}\" / \"{name}\""))
                    .into_response(),
            };
            Ok(blocking::indexed(&api, &read, &topic, answer).await)
        }
        None => {
            if !rest.is_empty() {
                wire::check_kind(&rest)?;
            }
            let of_kind = |document: &Document| {
                rest.is_empty() || document.id.split_once('/').is_some_and(|(kind, _)| kind == rest)
            };
            let answer = |state: &Snapshot| {
                let documents = || state.documents(DOCUMENTS).filter(|document| of_kind(document));
                respond::json(read.pretty, &List(|| documents().filter_map(|document| shown(document))))
            };
            Ok(blocking::indexed(&api, &read, &Topic::Documents(DOCUMENTS.into()), answer).await)
        }
    }
}

/// The entry as it was read, with the commits it is from.
fn shown(document: &Document) -> Option<Map<String, Value>> {
    let mut entry: Map<String, Value> = serde_json::from_str(&document.body).ok()?;
    entry.insert("CreateIndex".to_owned(), document.created.0.into());
    entry.insert("ModifyIndex".to_owned(), document.modified.0.into());
    Some(entry)
}

/// Removing what is not there is no error. With `cas` the answer says whether it happened (from Consul 1.12).
async fn remove(State(api): State<Api>, params: Params, Rest(rest): Rest) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let Some((kind, _)) = rest.split_once('/').filter(|(_, name)| !name.is_empty()) else {
        return Err(ApiError::NotFound("Must provide both a kind and name to delete".to_owned()));
    };
    wire::check_kind(kind).map_err(|error| ApiError::bad(error.to_string()))?;
    let cas = params.number("cas")?.map(Index);
    let delete = Command::DeleteDocument { kind: DOCUMENTS.into(), id: rest.as_str().into(), cas };
    let done = committed(&api, delete).await?;
    match cas {
        Some(_) => Ok(respond::json(params.pretty(), &done)),
        None => Ok(respond::json(params.pretty(), &Empty {})),
    }
}
