//! Which service is a request for? Pure: (host, path and query) -> service, path to ask it for.
//!
//! A host that begins with a service's name (`web.localhost`, or just `web`) decides first, and the
//! path stays whole; the longest such name wins. Otherwise the first segment of the path names the
//! service and is taken off. Invariant: what is left of the path begins with `/`, the query is
//! untouched, and dot segments cannot lead out of what was asked for.

use std::borrow::Cow;

/// Longest host name looked at (RFC 1035, 2.3.4).
const MAX_HOST: usize = 253;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match<'a, S> {
    /// To this service, its path unchanged.
    Whole(S),
    /// To this service, with this path and query.
    Stripped {
        /// The service.
        service: S,
        /// What was taken off: `/<service>`.
        prefix: &'a str,
        /// What is left; begins with `/`.
        rest: &'a str,
    },
    /// Tell the client to ask for `/<service>/` and this query instead.
    Redirect {
        /// `/<service>`, as the client wrote it.
        prefix: &'a str,
        /// With its `?`, or empty.
        query: &'a str,
    },
    /// The path climbs out of the service with dot segments.
    Escapes,
    /// No service has this host or path.
    None,
}

/// Finds the service of a request; `service` looks a name in lower case up.
pub fn find<'a, S>(
    host: Option<&str>,
    path_and_query: &'a str,
    service: impl Fn(&str) -> Option<S>,
) -> Match<'a, S> {
    if let Some(found) = host.and_then(|host| by_host(host, &service)) {
        return Match::Whole(found);
    }
    by_path(path_and_query, service)
}

fn by_host<S>(host: &str, service: impl Fn(&str) -> Option<S>) -> Option<S> {
    let name = host_name(host)?;
    let name = in_lower_case(name);
    let mut candidate = &*name;
    loop {
        if let Some(found) = service(candidate) {
            return Some(found);
        }
        candidate = candidate.rsplit_once('.')?.0;
    }
}

/// The name in a `Host` field, without its port; `None` for addresses and for what is no name.
fn host_name(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = !name.is_empty() && name.len() <= MAX_HOST && !name.starts_with('[');
    let is_address =
        name.ends_with(|c: char| c.is_ascii_digit()) && name.parse::<std::net::Ipv4Addr>().is_ok();
    (is_name && !is_address).then_some(name)
}

fn by_path<S>(path_and_query: &str, service: impl Fn(&str) -> Option<S>) -> Match<'_, S> {
    let Some(after_slash) = path_and_query.strip_prefix('/') else {
        return Match::None;
    };
    let end = 1 + after_slash.find(['/', '?']).unwrap_or(after_slash.len());
    let (prefix, rest) = path_and_query.split_at(end);
    let Some(found) = segment_name(&prefix[1..]).and_then(|name| service(&name)) else {
        return Match::None;
    };
    if !rest.starts_with('/') {
        return Match::Redirect { prefix, query: rest };
    }
    if climbs_out(rest.split('?').next().unwrap_or(rest)) {
        return Match::Escapes;
    }
    Match::Stripped { service: found, prefix, rest }
}

fn segment_name(segment: &str) -> Option<Cow<'_, str>> {
    if segment.is_empty() {
        return None;
    }
    if !segment.contains('%') {
        return Some(in_lower_case(segment));
    }
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8().ok()?;
    Some(Cow::Owned(decoded.to_ascii_lowercase()))
}

fn in_lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

/// Do the dot segments of `path` lead above its root? Servers decode `%2e` and some take `\` for `/`,
/// so both count.
fn climbs_out(path: &str) -> bool {
    if !path.contains("..") && !path.contains('%') {
        return false;
    }
    let decoded = percent_encoding::percent_decode_str(path).collect::<Vec<u8>>();
    let mut depth = 0_usize;
    for segment in decoded.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests;
