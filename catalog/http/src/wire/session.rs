//! Sessions: as clients ask for them, and as `session/info`, `list` and `node` show them.
//!
//! Deviations: a negative lock-delay is kept as none; what came as `Checks` (Consul before 1.7) is shown
//! among the `NodeChecks`.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
use wharf_catalog::{Behavior, Index, Session, check::NODE_ALIVE};

use crate::{
    duration,
    error::ApiError,
    fields::{Fields, mismatch, undecodable},
};

/// Shortest TTL. `agent/self` tells clients of it.
const TTL_MIN: Duration = Duration::from_secs(10);
/// Longest TTL.
const TTL_MAX: Duration = Duration::from_secs(24 * 3_600);
/// A lock-delay below this many nanoseconds is one in seconds.
const SECONDS_BELOW: i64 = 1_000;

/// Reads what `session/create` gets; a session depends on the node being alive unless it says otherwise.
/// The id is the catalog's to choose: one that is given is ignored, as is everything unknown.
pub(crate) fn read(mut fields: Fields, id: String, own_node: &Arc<str>) -> Result<Session, ApiError> {
    let session = Session::new(id, own_node.clone());
    let node = match fields.take("Node") {
        None => own_node.clone(),
        Some(Value::String(node)) => node.into(),
        Some(other) => return Err(mismatch("Node", "a string", &other)),
    };
    let (name, behavior, ttl) = (fields.text("Name")?, fields.text("Behavior")?, fields.text("TTL")?);
    let lock_delay = lock_delay(fields.take("LockDelay"))?.unwrap_or(session.lock_delay);
    let node_checks = node_checks(&mut fields)?;
    let service_checks = service_checks(&mut fields)?;
    if node.is_empty() {
        return Err(ApiError::Refused("Must provide Node".to_owned()));
    }
    let behavior = match behavior.as_str() {
        "" | "release" => Behavior::Release,
        "delete" => Behavior::Delete,
        other => return Err(ApiError::Refused(format!("Invalid Behavior setting '{other}'"))),
    };
    let length = time_to_live(&ttl)?;
    Ok(Session {
        name,
        node,
        lock_delay,
        behavior,
        ttl: length,
        ttl_text: ttl,
        node_checks,
        service_checks,
        ..session
    })
}

/// As text or in nanoseconds, or (below a thousand of them) in seconds.
fn lock_delay(given: Option<Value>) -> Result<Option<Duration>, ApiError> {
    let nanoseconds = match given {
        None => return Ok(None),
        Some(Value::String(text)) => duration::parse(&text)
            .map_err(|_| undecodable(&format!("time: invalid duration {text:?} in `LockDelay`")))?,
        Some(Value::Number(number)) => whole(&number),
        Some(other) => return Err(mismatch("LockDelay", "a duration such as `15s`, or a number", &other)),
    };
    let second = if nanoseconds < SECONDS_BELOW { 1_000_000_000 } else { 1 };
    Ok(Some(duration::from_nanoseconds(nanoseconds.saturating_mul(second))))
}

/// The number without its fraction, at most what 64 bits hold.
fn whole(number: &serde_json::Number) -> i64 {
    number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64)
}

/// `Checks` is the old name. Given but empty under either name, it means: none, not even that the node is alive.
fn node_checks(fields: &mut Fields) -> Result<Vec<Arc<str>>, ApiError> {
    let (old, new) = (fields.given_texts("Checks")?, fields.given_texts("NodeChecks")?);
    let none_wanted = old.as_ref().is_some_and(Vec::is_empty);
    let new = new.unwrap_or_else(|| if none_wanted { vec![] } else { vec![NODE_ALIVE.to_owned()] });
    let mut checks: Vec<Arc<str>> = Vec::new();
    for id in old.unwrap_or_default().into_iter().chain(new) {
        if !checks.iter().any(|known| **known == *id) {
            checks.push(id.into());
        }
    }
    Ok(checks)
}

fn service_checks(fields: &mut Fields) -> Result<Vec<Arc<str>>, ApiError> {
    let checks = fields.objects("ServiceChecks")?.into_iter();
    checks.map(|mut check| check.text("ID").map(Into::into)).collect()
}

fn time_to_live(text: &str) -> Result<Option<Duration>, ApiError> {
    if text.is_empty() {
        return Ok(None);
    }
    let nanoseconds = duration::parse(text).map_err(|_| {
        ApiError::Refused(format!("Session TTL '{text}' invalid: time: invalid duration {text:?}"))
    })?;
    let ttl = duration::from_nanoseconds(nanoseconds);
    match nanoseconds {
        0 => Ok(None),
        _ if (TTL_MIN..=TTL_MAX).contains(&ttl) => Ok(Some(ttl)),
        _ => Err(ApiError::Refused(format!(
            "Invalid Session TTL '{nanoseconds}', must be between [10s=24h0m0s]"
        ))),
    }
}

/// A session.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SessionView<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    node: &'a str,
    /// In nanoseconds.
    lock_delay: u64,
    behavior: Behavior,
    #[serde(rename = "TTL")]
    ttl: &'a str,
    node_checks: &'a [Arc<str>],
    service_checks: Option<Vec<ServiceCheckView<'a>>>,
    create_index: Index,
    modify_index: Index,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceCheckView<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    namespace: &'static str,
}

impl<'a> From<&'a Arc<Session>> for SessionView<'a> {
    fn from(session: &'a Arc<Session>) -> Self {
        let of_services = session.service_checks.iter().map(|id| ServiceCheckView { id, namespace: "" });
        Self {
            id: &session.id,
            name: &session.name,
            node: &session.node,
            lock_delay: u64::try_from(session.lock_delay.as_nanos()).unwrap_or(u64::MAX),
            behavior: session.behavior,
            ttl: &session.ttl_text,
            node_checks: &session.node_checks,
            service_checks: (!session.service_checks.is_empty()).then(|| of_services.collect()),
            create_index: session.created,
            modify_index: session.modified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Spelling;

    fn read(body: &str) -> Result<Session, ApiError> {
        let fields = Fields::parse(body.as_bytes(), Spelling::AnyCase)?;
        super::read(fields, "id".to_owned(), &Arc::from("n1"))
    }

    #[test]
    fn lock_delays_are_text_nanoseconds_or_a_few_seconds() {
        for (given, delay) in [
            ("\"0s\"", Duration::ZERO),
            ("\"1ms\"", Duration::from_millis(1)),
            ("5", Duration::from_secs(5)),
            ("5.9", Duration::from_secs(5)),
            ("999", Duration::from_secs(999)),
            ("15000000000", Duration::from_secs(15)),
            ("\"-1s\"", Duration::ZERO),
            ("null", Duration::from_secs(15)),
        ] {
            let session = read(&format!(r#"{{"LockDelay":{given}}}"#)).unwrap();
            assert_eq!(session.lock_delay, delay, "{given}");
        }
        for bad in ["\"abc\"", "\"\"", "[]", "true"] {
            assert!(read(&format!(r#"{{"LockDelay":{bad}}}"#)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_to_live_is_between_ten_seconds_and_a_day() {
        assert_eq!(read(r#"{"TTL":"10s"}"#).unwrap().ttl, Some(TTL_MIN));
        assert_eq!(read(r#"{"TTL":"24h"}"#).unwrap().ttl, Some(TTL_MAX));
        assert_eq!(read(r#"{"TTL":"0s"}"#).unwrap().ttl, None);
        for bad in ["9.999s", "-10s", "24h1ns"] {
            let told = read(&format!(r#"{{"TTL":"{bad}"}}"#)).unwrap_err().to_string();
            assert!(told.starts_with("Invalid Session TTL '") && told.ends_with("[10s=24h0m0s]"), "{told}");
        }
        let told = read(r#"{"TTL":"soon"}"#).unwrap_err().to_string();
        assert_eq!(told, "Session TTL 'soon' invalid: time: invalid duration \"soon\"");
    }

    #[test]
    fn an_empty_list_of_checks_is_not_the_default_list() {
        let checks = |body: &str| read(body).unwrap().node_checks;
        let strs = |ids: &[&str]| ids.iter().map(|id| Arc::from(*id)).collect::<Vec<Arc<str>>>();
        assert_eq!(checks("{}"), strs(&["serfHealth"]));
        assert_eq!(checks(r#"{"NodeChecks":[]}"#), strs(&[]));
        assert_eq!(checks(r#"{"Checks":[]}"#), strs(&[]));
        assert_eq!(checks(r#"{"Checks":["a"]}"#), strs(&["a", "serfHealth"]));
        assert_eq!(checks(r#"{"Checks":["serfHealth"],"NodeChecks":["b"]}"#), strs(&["serfHealth", "b"]));
        assert_eq!(
            read(r#"{"ServiceChecks":[{"ID":"s","Namespace":"x"}]}"#).unwrap().service_checks,
            strs(&["s"])
        );
    }
}
