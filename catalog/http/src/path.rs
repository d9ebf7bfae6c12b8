//! Is the path one? Consul (Go's server) refuses broken escapes, and namespaces in its free form.
//!
//! Is it clean? If not, where is it? Consul (Go's `ServeMux`) sends a 301 for double slashes and
//! dot segments, for every method, and looks at the decoded path to decide.

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::{query::Params, respond};

/// What Go's `URL.EscapedPath` leaves as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// Sends requests for unclean paths to the clean ones.
pub(crate) async fn clean(request: Request, next: Next) -> Response {
    if let Some(refusal) = refused(request.uri()) {
        return refusal;
    }
    match cleaned(request.uri()) {
        Some(location) => moved(request.method(), &location),
        None => next.run(request).await,
    }
}

/// Paths that name nothing, and namespaces, of which there are none but the default one.
fn refused(uri: &Uri) -> Option<Response> {
    if !escapes_are_whole(uri.path()) {
        return Some(respond::text(StatusCode::BAD_REQUEST, "400 Bad Request"));
    }
    let given = |query: &str| Params::parse(query).first("ns").is_some_and(|namespace| !namespace.is_empty());
    let names_one = uri.query().is_some_and(|query| query.contains("ns=") && given(query));
    (names_one && has_namespaces(uri.path())).then(|| {
        let text =
            "Bad request: Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature";
        respond::text(StatusCode::BAD_REQUEST, text)
    })
}

/// Is every `%` followed by two hexadecimal digits?
fn escapes_are_whole(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit()))
}

/// Is it something that belongs to a namespace where there are some?
fn has_namespaces(path: &str) -> bool {
    const SOME: [&str; 8] = [
        "/v1/kv",
        "/v1/session/",
        "/v1/health/",
        "/v1/config",
        "/v1/catalog/",
        "/v1/agent/service",
        "/v1/agent/check",
        "/v1/txn",
    ];
    const NONE: [&str; 2] = ["/v1/catalog/nodes", "/v1/catalog/datacenters"];
    SOME.iter().any(|start| path.starts_with(start)) && !NONE.contains(&path)
}

/// Where the path of `uri` should point to, if it does not already.
fn cleaned(uri: &Uri) -> Option<String> {
    let path = uri.path();
    let suspicious = path.contains('%') || path.contains("//") || path.contains("/.");
    if !suspicious {
        return None;
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let wanted = clean_segments(&decoded);
    (wanted != decoded).then(|| with_query(&percent_encode(&wanted, PATH).to_string(), uri.query()))
}

/// Go's `path.Clean`, which keeps a trailing slash here.
fn clean_segments(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|b| *b == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut cleaned = b"/".to_vec();
    cleaned.extend(kept.join(&b'/'));
    if path.ends_with(b"/") && cleaned != b"/" {
        cleaned.push(b'/');
    }
    cleaned
}

fn with_query(path: &str, query: Option<&str>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

/// The path of `uri` with a slash at its end.
pub(crate) fn with_slash(uri: &Uri) -> String {
    with_query(&format!("{}/", uri.path()), uri.query())
}

/// A 301; readers get a line of HTML, as from Go.
pub(crate) fn moved(method: &Method, location: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if matches!(*method, Method::GET | Method::HEAD) {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
        let href = location
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;");
        *response.body_mut() = Body::from(format!("<a href=\"{href}\">Moved Permanently</a>.\n\n"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved_to(path: &str) -> Option<String> {
        cleaned(&path.parse().unwrap())
    }

    #[test]
    fn paths_that_name_nothing_and_namespaces_are_refused() {
        let status = |uri: &str| refused(&uri.parse().unwrap()).map(|it| it.status());
        for uri in ["/v1/kv/a%zz", "/v1/kv/a%2", "/v1/kv/a?ns=team", "/v1/health/service/a?x&ns=default"] {
            assert_eq!(status(uri), Some(StatusCode::BAD_REQUEST), "{uri}");
        }
        for uri in ["/v1/kv/a%2Fb?dns=x", "/v1/kv/a?ns=", "/v1/catalog/nodes?ns=x", "/v1/status/leader?ns=x"]
        {
            assert_eq!(status(uri), None, "{uri}");
        }
    }

    #[test]
    fn clean_paths_stay() {
        for path in ["/v1/kv/a", "/v1/kv/", "/v1/kv/a%2Fb", "/v1/kv/.hidden", "/v1/kv/a..b", "/"] {
            assert_eq!(moved_to(path), None, "{path}");
        }
    }

    #[test]
    fn double_slashes_and_dot_segments_go() {
        for (path, to) in [
            ("//v1/kv/a", "/v1/kv/a"),
            ("/v1/kv//lead?cas=1", "/v1/kv/lead?cas=1"),
            ("/v1/kv/x/../y", "/v1/kv/y"),
            ("/v1/kv/./z", "/v1/kv/z"),
            ("/v1/kv/a%2F%2Fb", "/v1/kv/a/b"),
            ("/../../etc", "/etc"),
            ("/v1/kv/%2E%2E/", "/v1/"),
            ("/v1/kv//%0d%0aSet-Cookie", "/v1/kv/%0D%0ASet-Cookie"),
        ] {
            assert_eq!(moved_to(path).as_deref(), Some(to), "{path}");
        }
    }
}
