//! Helpers for nginx configurations: names and addresses come from strangers, and none of them may
//! become syntax.
//!
//! Two kinds of things cannot be said in the configuration and are left out with a note: service names
//! that would mean something else there (a pattern, a regular expression, the end of a directive), and
//! addresses that are host names, since nginx refuses the whole file when one of them does not resolve.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::{Value, json};

use super::Arguments;
use crate::{
    eval::{Found, OWN_SERVICE, Session},
    query::Query,
};

/// Longest service name routed.
const MAX_NAME: usize = 128;

/// `nginxServices`: every service that can be routed, as `name`, `upstream` (a name for its upstream
/// block), `host` (what stands before `.*` in a server name, or empty if another service has it) and
/// `servers` (`address` with port, `weight`), passing ones only.
pub(crate) fn services(session: &Session<'_>, _: &Arguments<'_, '_>) -> Result<Value, String> {
    let mut hosts = BTreeSet::new();
    let mut routes = Vec::new();
    for name in session.services(None)?.keys().filter(|name| &***name != OWN_SERVICE) {
        if !is_plain(name) {
            session.note(format!(
                "service {name:?} left out: its name cannot be a path and a host name in nginx"
            ));
            continue;
        }
        let host = name.to_ascii_lowercase();
        let taken = !hosts.insert(host.clone());
        if taken {
            session.note(format!("service {name:?} has no host route: another one differs only in case"));
        }
        let mut servers = Vec::new();
        for found in session.instances(&Query::passing(name))?.iter() {
            servers.extend(server(session, found));
        }
        routes.push(json!({
            "name": name,
            "upstream": upstream(name),
            "host": if taken { "" } else { &host },
            "servers": servers,
        }));
    }
    Ok(Value::Array(routes))
}

fn server(session: &Session<'_>, found: &Found) -> Option<Value> {
    let (instance, address) = (&found.instance, found.address());
    let skip = |why: &str| {
        session.note(format!("instance {:?} of {:?} left out: {why}", instance.id, instance.name));
        None
    };
    if instance.port == 0 {
        return skip("it has no port");
    }
    let ip = match address {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        other => other.trim_matches(['[', ']']).parse(),
    };
    match ip {
        Ok(IpAddr::V4(ip)) => {
            Some(json!({ "address": format!("{ip}:{}", instance.port), "weight": weight(found) }))
        }
        Ok(IpAddr::V6(ip)) => {
            Some(json!({ "address": format!("[{ip}]:{}", instance.port), "weight": weight(found) }))
        }
        Err(_) => skip(&format!(
            "{address:?} is no IP address, and nginx would refuse the file if it did not resolve"
        )),
    }
}

/// nginx knows no weight 0.
fn weight(found: &Found) -> u16 {
    found.instance.weights.passing.max(1)
}

/// `nginxName text`: the text if it can stand unquoted as a path segment and a host name, else nothing.
pub(crate) fn name(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let name = arguments.text(0)?;
    Ok(if is_plain(&name) { Value::String(name) } else { Value::Null })
}

/// Dot-separated segments of letters, digits, `-` and `_`: nothing of it is syntax in `location`,
/// `server_name` or `map`.
fn is_plain(name: &str) -> bool {
    let segment = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    name.len() <= MAX_NAME && name.split('.').all(segment)
}

/// nginx compares names of upstreams without regard to case: capitals are marked, so that no two
/// services share one.
fn upstream(name: &str) -> String {
    let mut upstream = String::from("wharf-");
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            upstream.push('~');
        }
        upstream.push(c.to_ascii_lowercase());
    }
    upstream
}

/// `nginxQuote text text ...`: the texts as one quoted word. What has no quoted form is an error.
pub(crate) fn quote(_: &Session<'_>, arguments: &Arguments<'_, '_>) -> Result<Value, String> {
    let parts: Result<Vec<_>, _> = (0..arguments.count()).map(|index| arguments.text(index)).collect();
    quoted(&parts?.concat()).map(Value::String)
}

fn quoted(text: &str) -> Result<String, String> {
    if let Some(c) = text.chars().find(|c| c.is_control() || *c == '$') {
        return Err(format!("{text:?} holds {c:?}, which nginx cannot take literally"));
    }
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_are_syntax_are_not_plain() {
        for name in [
            "", ".", "..", "a..b", ".a", "a.", "*", "~x", "a b", "a;b", "a{", "a/b", "é", "$host", "a\nb",
            "\"", "%2e",
        ] {
            assert!(!is_plain(name), "{name:?}");
        }
        assert!(is_plain("atlas-service") && is_plain("v1.Web_2"));
        assert!(!is_plain(&"x".repeat(129)));
    }

    #[test]
    fn a_quoted_word_has_no_way_out() {
        assert_eq!(quoted(r#"a"; b\"#).unwrap(), r#""a\"; b\\""#);
        assert!(quoted("a\nb").is_err() && quoted("$host").is_err());
    }

    proptest! {
        #[test]
        fn no_two_names_share_an_upstream(a in "[aA_-]{1,3}(\\.[aA])?", b in "[aA_-]{1,3}(\\.[aA])?") {
            prop_assert!(is_plain(&a) && is_plain(&b));
            let same = upstream(&a).eq_ignore_ascii_case(&upstream(&b));
            prop_assert_eq!(same, a == b);
        }
    }
}
