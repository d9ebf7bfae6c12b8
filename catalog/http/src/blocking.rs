//! Indexed reads: answer now, or when the answer is younger than the client's, or when it has waited
//! long enough. One place for all of them, so that equal queries can be answered once for all watchers.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use axum::response::Response;
use http::HeaderValue;
use tokio::time::Instant;
use wharf_catalog::{Index, State, Topic};

use crate::{Api, query::Read, respond, telemetry::Waited};

/// Answers `read` with what `answer` makes of the snapshot, as of the index of `topic` (or the index
/// the answer itself carries).
pub(crate) async fn indexed(
    api: &Api,
    read: &Read,
    topic: &Topic,
    answer: impl FnOnce(&State) -> Response,
) -> Response {
    let begun = Instant::now();
    let state = if read.index == Index(0) {
        api.catalog.snapshot()
    } else {
        api.catalog.changed_within(topic, read.index, jittered(read.wait)).await
    };
    let waited = Waited(begun.elapsed());
    let index = state.index_of(topic);
    let answer = || dressed(read, answer(&state));
    let mut response = match &read.query {
        Some(query) => api.answers.answer(query, topic, index, answer),
        None => answer(),
    };
    response.extensions_mut().insert(waited);
    if !response.headers().contains_key(respond::INDEX) {
        respond::set(&mut response, respond::INDEX, index.0);
    }
    response
}

/// Answers `read` with what was found already; the answer carries its index.
pub(crate) fn as_of(read: &Read, answer: Response) -> Response {
    dressed(read, answer)
}

/// With the headers every indexed read has.
fn dressed(read: &Read, mut response: Response) -> Response {
    respond::set(&mut response, respond::KNOWN_LEADER, HeaderValue::from_static("true"));
    respond::set(&mut response, respond::LAST_CONTACT, HeaderValue::from_static("0"));
    if read.tells_consistency {
        let consistency = HeaderValue::from_static(read.consistency);
        respond::set(&mut response, respond::EFFECTIVE_CONSISTENCY, consistency);
    }
    if read.cached {
        respond::set(&mut response, respond::CACHE, HeaderValue::from_static("MISS"));
    }
    response
}

/// The wait with up to a sixteenth more, so that clients that started together do not come back together.
pub(crate) fn jittered(wait: Duration) -> Duration {
    with_jitter(wait, RandomState::new().hash_one(0))
}

fn with_jitter(wait: Duration, random: u64) -> Duration {
    let most = u64::try_from(wait.as_nanos() / 16).unwrap_or(u64::MAX);
    wait + Duration::from_nanos(random % most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_adds_less_than_a_sixteenth() {
        let wait = Duration::from_secs(16);
        for random in [0, 1, 999_999_999, 1_000_000_000, u64::MAX] {
            let jittered = with_jitter(wait, random);
            assert!(jittered >= wait && jittered < Duration::from_secs(17), "{jittered:?}");
        }
        assert_eq!(with_jitter(Duration::ZERO, 7), Duration::ZERO);
    }
}
