//! `/v1/session`: create, renew and destroy sessions, and read them.
//!
//! What a session's end does to the keys it holds is the catalog's business, and when its TTL ends it is
//! [`wharf_catalog::expiry`]'s.

use axum::{
    Router,
    body::Body,
    extract::State,
    response::Response,
    routing::{get, put},
};
use serde::Serialize;
use wharf_catalog::{ApplyError, Command, CommitError, Rejected, Session, State as Snapshot, Topic};

use crate::{
    Api, blocking, body,
    error::ApiError,
    fields::{Fields, Spelling},
    lookup,
    query::Params,
    respond,
    routing::{Rest, exact, subtree},
    session_id,
    wire::{
        List,
        session::{self, SessionView},
    },
};

const GET: &str = "OPTIONS,GET";
const PUT: &str = "OPTIONS,PUT";

pub(crate) fn routes() -> Router<Api> {
    let router = exact(Router::new(), "/v1/session/create", PUT, put(create));
    let router = exact(router, "/v1/session/list", GET, get(list));
    let router = subtree(router, "/v1/session/destroy", PUT, put(destroy));
    let router = subtree(router, "/v1/session/renew", PUT, put(renew));
    let router = subtree(router, "/v1/session/info", GET, get(info));
    subtree(router, "/v1/session/node", GET, get(on_node))
}

#[derive(Serialize)]
struct Created<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
}

async fn create(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    let body = body::json(body, api.config.max_body_size).await?;
    let body = if body.is_empty() { b"{}" } else { body.as_slice() };
    let fields = Fields::parse(body, Spelling::AnyCase)?;
    let id = uuid::Uuid::new_v4().to_string();
    let session = session::read(fields, id.clone(), &api.config.node_name)?;
    params.check_datacenter(&api.config, false)?;
    let known = lookup::node(&api.catalog.snapshot(), &session.node).map(|node| node.name.clone());
    let session = Session { node: known.unwrap_or_else(|| session.node.clone()), ..session };
    api.catalog.commit(vec![Command::PutSession(session)]).await.map_err(not_created)?;
    Ok(respond::json(params.pretty(), &Created { id: &id }))
}

fn not_created(error: CommitError) -> ApiError {
    let CommitError::Rejected(Rejected { error: why, .. }) = &error else { return error.into() };
    ApiError::Refused(match why {
        ApplyError::NoNode(_) => "Missing node registration".to_owned(),
        ApplyError::NoCheck { id, .. } => format!("Missing check '{id}' registration"),
        ApplyError::CriticalCheck(id) => format!("Check '{id}' is in critical state"),
        other => other.to_string(),
    })
}

async fn destroy(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let asked = rest.or_missing("Missing session")?;
    params.check_datacenter(&api.config, false)?;
    let id = session_id::parse(&asked).map_err(ApiError::Refused)?;
    api.catalog.commit(vec![Command::EndSession(id)]).await?;
    Ok(respond::json(params.pretty(), &true))
}

/// What a write tells of the same fault.
fn without_headers(error: ApiError) -> ApiError {
    match error {
        ApiError::NoDatacenter { .. } => ApiError::NoDatacenter { indexed: false },
        other => other,
    }
}

/// 404 tells the client that its session has ended.
async fn renew(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (_, asked) = params.session_read_of(&api.config, rest, "Missing session").map_err(without_headers)?;
    let id = session_id::parse(&asked).map_err(ApiError::Refused)?;
    let gone = || ApiError::NotFound(format!("Session id '{asked}' not found"));
    match api.catalog.commit(vec![Command::RenewSession(id.clone())]).await {
        Err(CommitError::Rejected(_)) => return Err(gone()),
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    let state = api.catalog.snapshot();
    let session = state.session(&id).ok_or_else(gone)?;
    Ok(respond::json(params.pretty(), &[SessionView::from(session)]))
}

async fn info(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, asked) = params.session_read_of(&api.config, rest, "Missing session")?;
    let id = session_id::parse(&asked).map_err(ApiError::Unreadable)?;
    let answer = |state: &Snapshot| {
        let found = List(|| state.session(&id).into_iter().map(SessionView::from));
        respond::json(read.pretty, &found)
    };
    Ok(blocking::indexed(&api, &read, &Topic::Session(id.clone()), answer).await)
}

async fn list(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let read = params.session_read(&api.config)?;
    let answer =
        |state: &Snapshot| respond::json(read.pretty, &List(|| state.sessions().map(SessionView::from)));
    Ok(blocking::indexed(&api, &read, &Topic::Sessions, answer).await)
}

async fn on_node(State(api): State<Api>, params: Params, rest: Rest) -> Result<Response, ApiError> {
    let (read, asked) = params.session_read_of(&api.config, rest, "Missing node name")?;
    let node = lookup::node(&api.catalog.snapshot(), &asked)
        .map_or_else(|| asked.as_str().into(), |node| node.name.clone());
    let answer = |state: &Snapshot| {
        let sessions =
            List(|| state.sessions().filter(|session| session.node == node).map(SessionView::from));
        respond::json(read.pretty, &sessions)
    };
    Ok(blocking::indexed(&api, &read, &Topic::NodeSessions(node.clone()), answer).await)
}
