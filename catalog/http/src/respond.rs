//! How answers look: JSON (indented when asked), plain text, nothing.

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;

/// The index an answer is as of.
pub(crate) const INDEX: &str = "x-consul-index";
/// Is there a leader?
pub(crate) const KNOWN_LEADER: &str = "x-consul-knownleader";
/// Milliseconds since this server last heard of the leader.
pub(crate) const LAST_CONTACT: &str = "x-consul-lastcontact";
/// `leader`, `stale` or `consistent`.
pub(crate) const EFFECTIVE_CONSISTENCY: &str = "x-consul-effective-consistency";
/// `HIT` or `MISS`.
pub(crate) const CACHE: &str = "x-cache";
/// In a few words, why the status is what it is.
pub(crate) const REASON: &str = "x-consul-reason";
/// Hash an agent read can be waited on with.
pub(crate) const CONTENT_HASH: &str = "x-consul-contenthash";

/// `value` as JSON with status 200.
pub(crate) fn json(pretty: bool, value: &impl Serialize) -> Response {
    json_with(StatusCode::OK, pretty, value)
}

/// `value` as JSON.
pub(crate) fn json_with(status: StatusCode, pretty: bool, value: &impl Serialize) -> Response {
    match encode(pretty, value) {
        Ok(bytes) => with_type(status, "application/json", bytes),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn encode(pretty: bool, value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    if !pretty {
        return serde_json::to_vec(value);
    }
    let mut bytes = Vec::with_capacity(512);
    let mut serializer =
        serde_json::Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    value.serialize(&mut serializer)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Plain text, as all errors are.
pub(crate) fn text(status: StatusCode, text: impl Into<Vec<u8>>) -> Response {
    with_type(status, "text/plain; charset=utf-8", text.into())
}

/// A body of any type.
pub(crate) fn with_type(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = bare(status);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    *response.body_mut() = Body::from(bytes);
    response
}

/// Nothing to say: what successful agent writes answer.
pub(crate) fn nothing() -> Response {
    bare(StatusCode::OK)
}

/// No body and no type.
pub(crate) fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// Sets one of the headers named above.
pub(crate) fn set(response: &mut Response, name: &'static str, value: impl Into<HeaderValue>) {
    response.headers_mut().insert(HeaderName::from_static(name), value.into());
}
