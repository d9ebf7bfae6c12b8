//! Where does a reply send us? Pure. The rules are those of Go's client, which Consul's checks run on.

use bytes::Bytes;
use http::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST},
};
use url::Url;

use super::{Hop, exchange::Reply};

/// Only these two are spoken.
pub(super) fn supported(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(()),
        other => Err(format!("unsupported protocol scheme {other:?}")),
    }
}

/// The request that follows from `reply`, or `None` when it is the last one.
pub(super) fn next(hop: &Hop, reply: &Reply) -> Result<Option<Hop>, String> {
    let keeps_method = match reply.status {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Ok(None),
    };
    let Some(location) = &reply.location else {
        return Err(format!("{} response missing Location header", reply.status.as_u16()));
    };
    let url = hop
        .url
        .join(location)
        .map_err(|error| format!("failed to parse Location header {location:?}: {error}"))?;
    supported(&url)?;
    let mut next = Hop { url, ..hop.clone() };
    if !keeps_method && hop.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove(CONTENT_TYPE);
    }
    if next.url.host() != hop.url.host() {
        // What proves who we are is meant for the first host only.
        for name in [AUTHORIZATION, COOKIE, HOST] {
            next.headers.remove(name);
        }
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::probe::Tail;

    fn hop(method: Method) -> Hop {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        Hop {
            url: Url::parse("http://a.example/one/two").unwrap(),
            method,
            headers,
            body: Bytes::from_static(b"body"),
            tls_skip_verify: false,
            wants_body: false,
        }
    }

    fn reply(status: u16, location: Option<&str>) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            reason: String::new(),
            location: location.map(str::to_owned),
            body: Tail::new(0),
            beginning: Vec::new(),
            certificate_until: None,
        }
    }

    #[test]
    fn found_turns_a_post_into_a_get_and_307_does_not() {
        let found = next(&hop(Method::POST), &reply(302, Some("/x"))).unwrap().unwrap();
        assert_eq!((found.method, found.body.len()), (Method::GET, 0));
        let kept = next(&hop(Method::POST), &reply(307, Some("/x"))).unwrap().unwrap();
        assert_eq!((kept.method, &*kept.body), (Method::POST, &b"body"[..]));
    }

    #[test]
    fn relative_locations_are_resolved() {
        let next = next(&hop(Method::GET), &reply(301, Some("three?q"))).unwrap().unwrap();
        assert_eq!(next.url.as_str(), "http://a.example/one/three?q");
        assert!(next.headers.contains_key(AUTHORIZATION));
    }

    #[test]
    fn another_host_gets_no_credentials() {
        let next = next(&hop(Method::GET), &reply(302, Some("//b.example/"))).unwrap().unwrap();
        assert!(!next.headers.contains_key(AUTHORIZATION));
    }

    #[test]
    fn other_schemes_and_missing_locations_are_refused() {
        assert!(next(&hop(Method::GET), &reply(302, Some("file:///etc/passwd"))).is_err());
        assert!(next(&hop(Method::GET), &reply(302, None)).is_err());
        assert!(next(&hop(Method::GET), &reply(304, None)).unwrap().is_none());
    }
}
