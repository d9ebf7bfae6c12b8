//! What is asked: bodies, queries, times, who acts. A request that is wrong is told where.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request, rejection::BytesRejection},
};
use http::{StatusCode, header, request::Parts};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, de::DeserializeOwned, de::Error as _};
use wharf_oncall::civil;

use crate::answer::Failure;

/// Longest name of who acts, in bytes.
const LONGEST_NAME: usize = 128;
/// Longest remark, in bytes.
const LONGEST_TEXT: usize = 16 * 1024;

/// A JSON body. Its content type has to say so: a form on another site cannot send that.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failure> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let text =
                format!("the content type is `{kind}`; send JSON, with `Content-Type: application/json`");
            return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
        }
        let body = whole(Bytes::from_request(request, state).await)?;
        serde_json::from_slice(&body).map(Self).map_err(|error| Failure::bad(format!("the body: {error}")))
    }
}

/// A body, or why there is none.
pub(crate) fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Failure> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        status => Failure::new(status, "the body could not be read"),
    })
}

/// The parameters of a path's query.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        axum::extract::Query::try_from_uri(&parts.uri).map(|query| Self(query.0)).map_err(|error| {
            let reason =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Failure::bad(format!("the query: {reason}"))
        })
    }
}

/// A number in a path.
pub(crate) fn number(kind: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::unknown(format!("no {kind} `{text}`")))
}

/// Who acts.
#[derive(Debug, Clone)]
pub(crate) struct By(pub(crate) String);

impl<'de> Deserialize<'de> for By {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let name = name.trim();
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(D::Error::custom("`by` names who acts, in 1 to 128 bytes"));
        }
        Ok(Self(name.to_owned()))
    }
}

impl Default for By {
    /// Who does not say who they are.
    fn default() -> Self {
        Self("api".to_owned())
    }
}

/// A remark, with what surrounds it cut off.
pub(crate) fn remark<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() > LONGEST_TEXT {
        return Err(D::Error::custom(format!("is longer than {LONGEST_TEXT} bytes")));
    }
    Ok(text.trim().to_owned())
}

/// A moment of RFC 3339.
pub(crate) fn moment(field: &str, text: &str) -> Result<Timestamp, Failure> {
    text.trim()
        .parse()
        .map_err(|_| Failure::bad(format!("`{field}`: `{text}` is no time like 2026-03-01T08:00:00Z")))
}

/// A duration, `10m` or `1h 30m`.
pub(crate) fn duration(field: &str, text: &str) -> Result<Duration, Failure> {
    humantime::parse_duration(text.trim())
        .map_err(|error| Failure::bad(format!("`{field}`: `{text}` is no duration like `1h 30m`: {error}")))
}

/// An end that is said as a length (`for`) or as a moment (`until`), counted from `from`.
pub(crate) fn end(lasts: Option<&str>, until: Option<&str>, from: Timestamp) -> Result<Timestamp, Failure> {
    match (lasts, until) {
        (Some(lasts), None) => Ok(civil::after(from, duration("for", lasts)?)),
        (None, Some(until)) => moment("until", until),
        (Some(_), Some(_)) => Err(Failure::bad("`for` and `until` are both given; give one of them")),
        (None, None) => Err(Failure::bad("neither `for` (like \"1h\") nor `until` (a time) is given")),
    }
}

/// Rows to answer with: 100, or what is asked for, up to 1,000.
pub(crate) fn limit(asked: Option<usize>) -> Result<usize, Failure> {
    match asked.unwrap_or(100) {
        rows @ 1..=1_000 => Ok(rows),
        rows => Err(Failure::bad(format!("`limit` is {rows}; ask for 1 to 1000 and page with the last one"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_said_one_way() {
        let from: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        assert_eq!(end(Some("1h 30m"), None, from).unwrap().to_string(), "2026-03-01T09:30:00Z");
        assert_eq!(
            end(None, Some("2026-03-01T11:00:00+01:00"), from).unwrap().to_string(),
            "2026-03-01T10:00:00Z"
        );
        for (lasts, until, word) in [
            (Some("1h"), Some("2026-03-01T11:00:00Z"), "both"),
            (None, None, "neither"),
            (Some("soon"), None, "1h 30m"),
            (None, Some("tomorrow"), "RFC"),
        ] {
            let text = end(lasts, until, from).unwrap_err().text;
            assert!(text.contains(word) || text.contains("no time like"), "{text}");
        }
    }

    #[test]
    fn who_acts_has_a_name() {
        let read = |text: &str| serde_json::from_str::<By>(text).map(|by| by.0);
        assert_eq!(read("\" dana \"").unwrap(), "dana");
        for wrong in ["\"  \"", "\"a\\u0000b\"", "7"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
