//! `/v1/snapshot`: the whole catalog in one file, and back.
//!
//! The file is a gzipped tar archive as Consul's are - `meta.json`, `state.bin`, `SHA256SUMS` - so that its tools
//! can tell a whole one from a damaged one; `state.bin` is wharf's own: one record a line, as JSON. A restore is
//! one commit or nothing: the archive is read, checked against its digests and decoded before anything changes.

mod archive;

use std::sync::Arc;

use axum::{Router, body::Body, extract::State, response::Response, routing::get};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use wharf_catalog::{Change, Command, CommitError, Index, Timestamp};

pub use self::archive::Damage;
use self::archive::{Archive, Meta};
use crate::{
    Api, agent_node,
    body::{self, NoBody},
    error::ApiError,
    query::Params,
    respond,
    routing::exact,
};

/// What is in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Contents {
    /// The last commit in it.
    pub index: Index,
    /// When it was taken.
    pub taken: Timestamp,
    /// How many nodes,
    pub nodes: usize,
    /// instances of services,
    pub instances: usize,
    /// checks,
    pub checks: usize,
    /// keys,
    pub keys: usize,
    /// sessions,
    pub sessions: usize,
    /// and documents (prepared queries, config entries).
    pub documents: usize,
}

/// Reads a snapshot that unpacks to no more than `limit` bytes as a restore would, and changes nothing: is it
/// whole, is it one of wharf's, what is in it?
pub fn examine(packed: &[u8], limit: usize) -> Result<Contents, Damage> {
    let Archive { meta, records } = archive::unpack(packed, limit)?;
    let mut contents = Contents { index: meta.index(), taken: meta.taken(), ..Contents::default() };
    for record in &records {
        match record {
            Change::PutNode(_) => contents.nodes += 1,
            Change::PutInstance(_) => contents.instances += 1,
            Change::PutCheck(_) => contents.checks += 1,
            Change::PutKey(_) => contents.keys += 1,
            Change::PutSession(_) => contents.sessions += 1,
            Change::PutDocument(_) => contents.documents += 1,
            _ => {}
        }
    }
    Ok(contents)
}

pub(crate) fn routes() -> Router<Api> {
    exact(Router::new(), "/v1/snapshot", "OPTIONS,GET,PUT", get(save).put(restore))
}

async fn save(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let (state, taken) = (api.catalog.snapshot(), api.clock.now());
    let index = state.index();
    let packed = blocking(move || archive::pack(&Meta::new(index, taken), &state.standing())).await?;
    let mut response = respond::with_type(StatusCode::OK, "application/x-gzip", packed);
    respond::set(&mut response, respond::INDEX, index.0);
    respond::set(&mut response, respond::KNOWN_LEADER, HeaderValue::from_static("true"));
    respond::set(&mut response, respond::LAST_CONTACT, HeaderValue::from_static("0"));
    Ok(response)
}

/// This agent's own node stands afterwards, whoever's snapshot it was.
async fn restore(State(api): State<Api>, params: Params, body: Body) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let limit = api.config.snapshot_max_size;
    let packed = body::read(body, limit).await.map_err(|why| match why {
        NoBody::TooLarge(size) => body::too_large(size, limit),
        NoBody::Broken => damaged("the connection broke before all of it had come"),
    })?;
    let Archive { meta, records } = blocking(move || archive::unpack(&packed, limit)).await?;
    let records = later(records, meta.taken(), api.clock.now());
    let mut commands = vec![Command::Restore(Arc::new(records))];
    commands.extend(agent_node(&api.config));
    match api.catalog.commit(commands).await {
        Ok(_) => Ok(respond::nothing()),
        Err(CommitError::Rejected(why)) => Err(damaged(&why.to_string())),
        Err(other) => Err(other.into()),
    }
}

/// Sessions and TTL checks go on with the time they had left when the snapshot was taken.
fn later(records: Vec<Change>, taken: Timestamp, now: Timestamp) -> Vec<Change> {
    records
        .into_iter()
        .map(|record| match record {
            Change::PutLease(id, deadline) => Change::PutLease(id, now.after(deadline.since(taken))),
            other => other,
        })
        .collect()
}

/// Off the threads that answer requests: packing takes a while.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Damage> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|why| damaged(&why.to_string())),
        Err(_) => Err(ApiError::Closed),
    }
}

fn damaged(why: &str) -> ApiError {
    ApiError::Refused(format!("failed to restore snapshot: {why}; nothing was changed"))
}
