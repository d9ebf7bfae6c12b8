//! `[inbound] key`: does a request know it? Without one, whoever reaches the API may send.

use http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::Api;

/// What is said to who does not know it.
pub(super) const WRONG: &str = "this needs the key that is set as `key` in [inbound] of the on-call configuration, and had none or another";

/// Whether it is the key; any is where none is asked for.
pub(super) fn opens(api: &Api, given: &str) -> bool {
    wanted(api).is_none_or(|wanted| same(&wanted, given))
}

/// Whether `Authorization` says the key after `scheme`.
pub(super) fn in_header(api: &Api, headers: &HeaderMap, scheme: &str) -> bool {
    let Some(wanted) = wanted(api) else {
        return true;
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|given| given.split_once(' '));
    given.is_some_and(|(word, given)| word.eq_ignore_ascii_case(scheme) && same(&wanted, given.trim()))
}

/// The routing key without the key before its first dot.
pub(super) fn before_dot(api: &Api, routing_key: Option<String>) -> Result<Option<String>, &'static str> {
    let Some(wanted) = wanted(api) else {
        return Ok(routing_key);
    };
    let routing_key = routing_key.unwrap_or_default();
    let (given, rest) = routing_key.split_once('.').unwrap_or((&routing_key, ""));
    if same(&wanted, given) { Ok(Some(rest.to_owned()).filter(|rest| !rest.is_empty())) } else { Err(WRONG) }
}

fn wanted(api: &Api) -> Option<String> {
    api.pager.picture().plan.inbound.key.as_ref().map(|key| key.reveal().to_owned())
}

/// How long it takes says nothing of how much is right: what is compared are digests.
fn same(wanted: &str, given: &str) -> bool {
    Sha256::digest(wanted) == Sha256::digest(given)
}
