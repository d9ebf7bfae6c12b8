//! `/v1/query`: prepared queries - keep, list, change, remove, execute, explain.
//!
//! What a query means is `wharf_catalog::prepared`; here it is read from requests and told. The names of
//! other datacenters, for failover, are kept and told, and never asked: there are none.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, Method, StatusCode};
use serde::Serialize;
use wharf_catalog::{
    ApplyError, Command, CommitError, Document, Index, Rejected, State as Snapshot, Topic,
    prepared::{self, DnsOptions, KIND, NAMES, PreparedQuery, Unresolved},
};

use crate::{
    Api, blocking, body,
    error::ApiError,
    fields::{Fields, Spelling},
    health::Entry,
    query::Params,
    respond,
    routing::{Rest, beneath, exact, not_allowed},
    wire::{List, prepared as wire},
};

/// How a query is executed and explained.
const EXECUTE: &str = "OPTIONS,GET";
/// What a UUID that is none is told.
const NO_UUID: &str = "failed prepared query lookup: index error: UUID must be 36 characters";

pub(crate) fn routes() -> Router<Api> {
    let router = exact(Router::new(), "/v1/query", "OPTIONS,GET,POST", get(list).post(create));
    beneath(router, "/v1/query", "OPTIONS,GET,PUT,DELETE", get(read).put(update).delete(remove))
}

/// A query with the commits it is from.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    #[serde(flatten)]
    query: PreparedQuery,
    create_index: Index,
    modify_index: Index,
}

impl Kept {
    fn of(document: &Document) -> Option<Self> {
        let (create_index, modify_index) = (document.created, document.modified);
        Some(Self { query: PreparedQuery::of(document)?, create_index, modify_index })
    }
}

/// What Consul's answers to queries say of themselves.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    index: u64,
    last_contact: u64,
    known_leader: bool,
    consistency_level: &'static str,
}

impl About {
    fn new(consistency_level: &'static str) -> Self {
        Self { index: 0, last_contact: 0, known_leader: true, consistency_level }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Executed<'a, N: Serialize> {
    service: &'a str,
    nodes: N,
    #[serde(rename = "DNS")]
    dns: &'a DnsOptions,
    datacenter: &'a str,
    failovers: u32,
    #[serde(flatten)]
    about: About,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Explained {
    query: Kept,
    #[serde(flatten)]
    about: About,
}

async fn list(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.catalog_read(&api.config)?;
    let answer = |state: &Snapshot| {
        let queries = List(|| state.documents(KIND).filter_map(|document| Kept::of(document)));
        respond::json(read.pretty, &queries)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Documents(KIND.into()), answer).await)
}

async fn create(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let mut query = parse(&api, body).await?;
    if !query.id.is_empty() {
        return Err(refused("ID must be empty when creating a new prepared query"));
    }
    query.id = uuid::Uuid::new_v4().to_string();
    keep(&api, &query, None).await?;
    let id = std::collections::BTreeMap::from([("ID", &query.id)]);
    Ok(respond::json(params.pretty(), &id))
}

async fn update(
    State(api): State<Api>,
    params: Params,
    Rest(id): Rest,
    body: Body,
) -> Result<Response, ApiError> {
    if is_about_one(&id) {
        return Ok(not_allowed(&Method::PUT, EXECUTE));
    }
    params.check_datacenter(&api.config, false)?;
    let query = PreparedQuery { id: uuid(&id)?, ..parse(&api, body).await? };
    let state = api.catalog.snapshot();
    let old = state.document(KIND, &query.id).ok_or_else(|| no_such_query(&id))?;
    keep(&api, &query, Some(old)).await?;
    Ok(respond::nothing())
}

async fn remove(State(api): State<Api>, params: Params, Rest(id): Rest) -> Result<Response, ApiError> {
    if is_about_one(&id) {
        return Ok(not_allowed(&Method::DELETE, EXECUTE));
    }
    params.check_datacenter(&api.config, false)?;
    let state = api.catalog.snapshot();
    let old = state.document(KIND, &uuid(&id)?).ok_or_else(|| no_such_query(&id))?;
    let delete =
        |kind: &str, id: &str| Command::DeleteDocument { kind: kind.into(), id: id.into(), cas: None };
    let mut commands = vec![delete(KIND, &old.id)];
    commands.extend(name_of(old).map(|name| delete(NAMES, &name)));
    api.catalog.commit(commands).await?;
    Ok(respond::nothing())
}

/// Is it a path behind a query's, which is only read?
fn is_about_one(rest: &str) -> bool {
    rest.ends_with("/execute") || rest.ends_with("/explain")
}

/// One commit: the query under its id, and its name, which nobody else may have.
async fn keep(api: &Api, query: &PreparedQuery, old: Option<&Arc<Document>>) -> Result<(), ApiError> {
    query.check().map_err(|why| {
        let what = if why.is_of_template() { "failed compiling template" } else { "Invalid prepared query" };
        refused(&format!("{what}: {why}"))
    })?;
    let text = serde_json::to_string(query).map_err(|error| ApiError::Refused(error.to_string()))?;
    let session = (!query.session.is_empty()).then(|| query.session.as_str().into());
    let record =
        |kind, id: &str, body: &str| Document { session: session.clone(), ..Document::new(kind, id, body) };
    let (old_name, name) = (old.and_then(name_of), query.unique_name());
    let mut commands =
        vec![Command::PutDocument(record(KIND, &query.id, &text), old.map(|old| old.modified))];
    let renamed = old_name.as_deref() != Some(name.as_str());
    if let Some(old_name) = old_name.filter(|_| renamed) {
        commands.push(Command::DeleteDocument { kind: NAMES.into(), id: old_name.into(), cas: None });
    }
    // A template may have the empty prefix as its name; nothing else may be asked by it.
    if !name.is_empty() || query.is_template() {
        if api.catalog.snapshot().document(KIND, &name).is_some() {
            return Err(refused(&format!("name '{}' aliases an existing query ID", query.name)));
        }
        let new = renamed.then_some(Index(0));
        commands.push(Command::PutDocument(record(NAMES, &name, &query.id), new));
    }
    api.catalog.commit(commands).await.map_err(|error| in_consuls_words(error, query))?;
    Ok(())
}

fn in_consuls_words(error: CommitError, query: &PreparedQuery) -> ApiError {
    match error {
        CommitError::Rejected(Rejected { error: ApplyError::DocumentChanged { kind, .. }, .. })
            if *kind == *NAMES =>
        {
            match query.name.as_str() {
                "" => refused("a query template with an empty name already exists"),
                name => refused(&format!("name '{name}' aliases an existing query name")),
            }
        }
        other => other.into(),
    }
}

/// The name a kept query is found by, if it has one.
fn name_of(document: &Arc<Document>) -> Option<String> {
    let query = PreparedQuery::of(document)?;
    (!query.name.is_empty() || query.is_template()).then(|| query.unique_name())
}

async fn parse(api: &Api, body: Body) -> Result<PreparedQuery, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    wire::read(Fields::parse(&body, Spelling::AnyCase)?)
}

/// One by its id, or what is behind it: `:id-or-name/execute`, `:id-or-name/explain`.
async fn read(State(api): State<Api>, params: Params, Rest(rest): Rest) -> Result<Response, ApiError> {
    if let Some(name) = rest.strip_suffix("/execute") {
        return execute(&api, &params, name);
    }
    if let Some(name) = rest.strip_suffix("/explain") {
        return explain(&api, &params, name);
    }
    let read = params.catalog_read(&api.config)?;
    let Ok(id) = uuid(&rest) else { return Ok(unknown_leader(refused(NO_UUID))) };
    let topic = Topic::Document(KIND.into(), id.as_str().into());
    let answer = |state: &Snapshot| match state.document(KIND, &id).and_then(|document| Kept::of(document)) {
        Some(kept) => respond::json(read.pretty, &[kept]),
        None => ApiError::NotFound("Query not found".to_owned()).into_response(),
    };
    let mut response = blocking::indexed(&api, &read, &topic, answer).await;
    if response.status() == StatusCode::NOT_FOUND {
        // Consul forgets its headers here.
        for name in
            [respond::INDEX, respond::KNOWN_LEADER, respond::LAST_CONTACT, respond::EFFECTIVE_CONSISTENCY]
        {
            response.headers_mut().remove(name);
        }
    }
    Ok(response)
}

fn execute(api: &Api, params: &Params, name: &str) -> Result<Response, ApiError> {
    let read = params.catalog_read(&api.config)?;
    let limit = limit(params)?;
    let state = api.catalog.snapshot();
    let mut query = prepared::resolve(&state, name).map_err(unresolved)?;
    query.service.connect |= params.first("connect").is_some_and(|it| crate::query::truth(it) != Some(false));
    let mut instances = prepared::answer(&state, &query.service);
    let near = params.first("near").filter(|near| !near.is_empty()).unwrap_or(&query.service.near);
    let near = match near {
        "" => None,
        "_agent" => Some(&*api.config.node_name),
        other => Some(other),
    };
    prepared::order(&mut instances, near, RandomState::new().hash_one(0));
    instances.truncate(limit);
    let executed = Executed {
        service: &query.service.service,
        nodes: List(|| instances.iter().map(|instance| Entry::of(instance, &api.config.datacenter))),
        dns: &query.dns,
        datacenter: &api.config.datacenter,
        failovers: 0,
        about: About::new(read.consistency),
    };
    let mut response = with_headers(respond::json(read.pretty, &executed), &state, read.consistency);
    if params.has("cached") {
        respond::set(&mut response, respond::CACHE, HeaderValue::from_static("MISS"));
    }
    Ok(response)
}

/// How many instances at most. As in Consul, what is not positive sets no limit.
fn limit(params: &Params) -> Result<usize, ApiError> {
    let text = params.first("limit").unwrap_or_default();
    if text.is_empty() {
        return Ok(usize::MAX);
    }
    let limit: i64 = text
        .parse()
        .map_err(|_| refused(&format!("Bad limit: strconv.Atoi: parsing {text:?}: invalid syntax")))?;
    Ok(usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX))
}

fn explain(api: &Api, params: &Params, name: &str) -> Result<Response, ApiError> {
    let read = params.catalog_read(&api.config)?;
    limit(params)?;
    let state = api.catalog.snapshot();
    let query = prepared::resolve(&state, name).map_err(unresolved)?;
    let document = state.document(KIND, &query.id).ok_or_else(not_found)?;
    let (create_index, modify_index) = (document.created, document.modified);
    let explained =
        Explained { query: Kept { query, create_index, modify_index }, about: About::new(read.consistency) };
    Ok(with_headers(respond::json(read.pretty, &explained), &state, read.consistency))
}

fn with_headers(mut response: Response, state: &Snapshot, consistency: &'static str) -> Response {
    respond::set(&mut response, respond::INDEX, state.index_of(&Topic::Documents(KIND.into())).0);
    respond::set(&mut response, respond::KNOWN_LEADER, HeaderValue::from_static("true"));
    respond::set(&mut response, respond::LAST_CONTACT, HeaderValue::from_static("0"));
    respond::set(&mut response, respond::EFFECTIVE_CONSISTENCY, HeaderValue::from_static(consistency));
    response
}

/// An error as Consul answers it from a read that failed: with the headers of one.
fn unknown_leader(error: ApiError) -> Response {
    let mut response = error.into_response();
    respond::set(&mut response, respond::INDEX, 1_u64);
    respond::set(&mut response, respond::KNOWN_LEADER, HeaderValue::from_static("false"));
    respond::set(&mut response, respond::LAST_CONTACT, HeaderValue::from_static("0"));
    response
}

fn uuid(text: &str) -> Result<String, ApiError> {
    let hyphenated = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    if hyphenated { Ok(text.to_lowercase()) } else { Err(refused(NO_UUID)) }
}

fn no_such_query(id: &str) -> ApiError {
    refused(&format!("Cannot modify non-existent prepared query: '{id}'"))
}

fn unresolved(why: Unresolved) -> ApiError {
    match why {
        Unresolved::Unknown => not_found(),
        Unresolved::TemplateById => refused(&why.to_string()),
    }
}

fn not_found() -> ApiError {
    ApiError::NotFound("Query not found".to_owned())
}

fn refused(text: &str) -> ApiError {
    ApiError::Refused(text.to_owned())
}
