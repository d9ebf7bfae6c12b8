//! `/v1/kv`: read, list, set, lock and delete keys.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Router, body::Body, extract::State, response::Response, routing::get};
use http::{HeaderValue, StatusCode};
use wharf_catalog::{ApplyError, Command, CommitError, Index, Rejected, State as Snapshot, Topic};

use crate::{
    Api, blocking,
    body::{self, NoBody},
    error::ApiError,
    query::{Params, Read},
    respond,
    routing::{Rest, subtree},
    session_id,
    wire::{List, kv::KeyView},
};

pub(crate) fn routes() -> Router<Api> {
    let methods = get(read).put(set).delete(delete);
    subtree(Router::new(), "/v1/kv", "OPTIONS,GET,PUT,DELETE", methods)
}

async fn read(State(api): State<Api>, params: Params, Rest(key): Rest) -> Result<Response, ApiError> {
    let single = !params.has("keys") && !params.has("recurse");
    let read = params.kv_read(&api.config);
    if single && key.is_empty() && matches!(read, Ok(_) | Err(ApiError::NoDatacenter { .. })) {
        return Err(ApiError::bad("Missing key name"));
    }
    let read = read?;
    if params.has("keys") {
        return Ok(keys(&api, &params, &read, key).await);
    }
    if params.has("recurse") {
        return Ok(recurse(&api, &read, key).await);
    }
    Ok(one(&api, &params, &read.shared(&params, true), key).await)
}

async fn one(api: &Api, params: &Params, read: &Read, key: String) -> Response {
    let raw = params.has("raw");
    let state = api.catalog.snapshot();
    // A key that is not there is told as of the whole catalog's index; a client that knows of an older one hears
    // of it at once.
    if state.kv(&key).is_none() && read.index < state.index() {
        return blocking::as_of(read, missing(&state));
    }
    let answer = |state: &Snapshot| match state.kv(&key) {
        Some(entry) if raw => raw_value(&entry.value),
        Some(entry) => respond::json(read.pretty, &[KeyView::from(&**entry)]),
        None => missing(state),
    };
    blocking::indexed(api, read, &Topic::Key(key.as_str().into()), answer).await
}

/// Nothing there; as of the whole catalog's index, as Consul says it: whatever creates the key later is
/// younger.
fn missing(state: &Snapshot) -> Response {
    let mut response = respond::bare(StatusCode::NOT_FOUND);
    respond::set(&mut response, respond::INDEX, state.index().0.max(1));
    response
}

/// The bytes themselves, marked so that no browser takes them for a page of ours.
fn raw_value(value: &[u8]) -> Response {
    let mut response = respond::with_type(StatusCode::OK, "text/plain", value.to_vec());
    respond::set(&mut response, "x-content-type-options", HeaderValue::from_static("nosniff"));
    respond::set(&mut response, "content-security-policy", HeaderValue::from_static("sandbox"));
    response
}

async fn recurse(api: &Api, read: &Read, prefix: String) -> Response {
    let answer = |state: &Snapshot| {
        if state.keys_under(&prefix).next().is_none() {
            return respond::bare(StatusCode::NOT_FOUND);
        }
        let entries = List(|| state.keys_under(&prefix).map(|entry| KeyView::from(&**entry)));
        respond::json(read.pretty, &entries)
    };
    blocking::indexed(api, read, &Topic::KeyPrefix(prefix.as_str().into()), answer).await
}

async fn keys(api: &Api, params: &Params, read: &Read, prefix: String) -> Response {
    let separator = params.first("separator").unwrap_or_default();
    let answer = |state: &Snapshot| {
        let keys = folded(state, &prefix, separator);
        if keys.is_empty() && !prefix.is_empty() {
            return respond::bare(StatusCode::NOT_FOUND);
        }
        respond::json(read.pretty, &keys)
    };
    blocking::indexed(api, read, &Topic::KeyPrefix(prefix.as_str().into()), answer).await
}

/// The keys, cut after the first `separator` that follows the prefix. Cutting keeps them sorted.
fn folded<'a>(state: &'a Snapshot, prefix: &'a str, separator: &str) -> BTreeSet<&'a str> {
    state
        .keys_under(prefix)
        .map(|entry| {
            let key = &*entry.key;
            let rest = &key[prefix.len()..];
            match rest.find(separator) {
                Some(at) if !separator.is_empty() => &key[..prefix.len() + at + separator.len()],
                _ => key,
            }
        })
        .collect()
}

async fn set(State(api): State<Api>, params: Params, rest: Rest, body: Body) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    let key = rest.or_missing("Missing key name")?;
    refuse_conflicts(&params, ["cas", "acquire", "release"])?;
    let flags = params.number("flags")?.unwrap_or(0);
    let cas = params.number("cas")?.map(Index);
    let value = value(body, api.config.kv_max_value_size).await?;
    let (key, value) = (key.into(), Arc::from(value));
    let command = match (params.first("acquire"), params.first("release")) {
        (Some(session), _) => Command::AcquireKey { key, value, flags, session: holder(session)? },
        (_, Some("")) => return Err(missing_session()),
        (_, Some(session)) => {
            // Whatever is no session holds nothing: not told apart from somebody else's lock.
            let session = session_id::parse(session).unwrap_or_else(|_| session.into());
            Command::ReleaseKey { key, value, flags, session }
        }
        _ => Command::SetKey { key, value, flags, cas },
    };
    commit(&api, &params, command).await
}

fn holder(session: &str) -> Result<Arc<str>, ApiError> {
    if session.is_empty() {
        return Err(missing_session());
    }
    session_id::parse(session).map_err(ApiError::Refused)
}

fn missing_session() -> ApiError {
    ApiError::Refused("missing session".to_owned())
}

async fn value(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    body::read(body, limit).await.map_err(|why| match why {
        NoBody::TooLarge(size) => body::too_large(size, limit),
        NoBody::Broken => ApiError::bad("the body ended before the value did"),
    })
}

async fn delete(State(api): State<Api>, params: Params, Rest(key): Rest) -> Result<Response, ApiError> {
    params.check_datacenter(&api.config, false)?;
    refuse_conflicts(&params, ["recurse", "cas", "acquire"])?;
    let key: Arc<str> = key.into();
    let cas = params.number("cas")?.map(Index);
    let command = match params.has("recurse") {
        true => Command::DeleteKeysUnder(key),
        false if key.is_empty() => return Err(ApiError::bad("Missing key name")),
        false => Command::DeleteKey { key, cas },
    };
    commit(&api, &params, command).await
}

/// `true`, or `false` when somebody else was faster.
async fn commit(api: &Api, params: &Params, command: Command) -> Result<Response, ApiError> {
    let done = match api.catalog.commit(vec![command]).await {
        Ok(_) => true,
        Err(CommitError::Rejected(Rejected { error, .. })) if lost(&error) => false,
        Err(error) => return Err(error.into()),
    };
    Ok(respond::json(params.pretty(), &done))
}

/// Was somebody else faster, or does somebody else hold it?
fn lost(error: &ApplyError) -> bool {
    matches!(
        error,
        ApplyError::CasMismatch(_)
            | ApplyError::Locked(_)
            | ApplyError::Barred(_)
            | ApplyError::NotHeld { .. }
    )
}

fn refuse_conflicts(params: &Params, exclusive: [&str; 3]) -> Result<(), ApiError> {
    if exclusive.into_iter().filter(|name| params.has(name)).count() > 1 {
        return Err(ApiError::bad(format!("Conflicting flags: {}", params.encoded())));
    }
    Ok(())
}
