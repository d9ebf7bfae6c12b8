//! May a browser do this? Only from wharf's own pages.
//!
//! Whoever reaches the API may use it. What must not be is that a page from elsewhere has somebody's browser use it:
//! browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`), programs do not.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use crate::{Api, answer::Failure};

/// Refuses what changes something and was sent by another site's page.
pub(crate) async fn own_pages_only(State(api): State<Api>, request: Request, next: Next) -> Response {
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if !reads && is_foreign(request.headers(), api.pager.url()) {
        let text = format!(
            "refused: a page of another site sent this; if it is wharf's own behind a proxy, set `public_url` to its address (now `{}`)",
            api.pager.url()
        );
        return Failure::new(StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

/// Whether a browser says that the page that sent it is none of ours.
fn is_foreign(headers: &HeaderMap, public: &str) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let Some(origin) = text(header::ORIGIN) else {
        let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
        return !matches!(site, None | Some(b"same-origin" | b"none"));
    };
    // Other pages of the same host are others' (`same-site`), so what counts is host and port together.
    let authority = |url: &str| {
        let url = Url::parse(url).ok()?;
        Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
    };
    let Some(theirs) = authority(origin) else {
        return true;
    };
    let scheme = origin.split(':').next().unwrap_or_default();
    let host = text(header::HOST).and_then(|host| authority(&format!("{scheme}://{host}")));
    Some(&theirs) != host.as_ref() && Some(&theirs) != authority(public).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(fields: &[(&'static str, &str)]) -> bool {
        let headers = fields
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        is_foreign(&headers.collect(), "https://wharf.example")
    }

    #[test]
    fn programs_and_our_own_pages_may() {
        assert!(!foreign(&[("host", "127.0.0.1:8500")]));
        assert!(!foreign(&[("host", "127.0.0.1:8500"), ("origin", "http://127.0.0.1:8500")]));
        assert!(!foreign(&[
            ("host", "wharf.lan"),
            ("origin", "http://wharf.lan"),
            ("sec-fetch-site", "same-origin")
        ]));
        // Behind a proxy that ends TLS and changes the host.
        assert!(!foreign(&[("host", "10.0.0.7:8500"), ("origin", "https://wharf.example")]));
    }

    #[test]
    fn pages_of_others_may_not_those_of_the_same_host_included() {
        for origin in ["https://evil.example", "null", "http://127.0.0.1:3000", "https://wharf.example:444"] {
            assert!(foreign(&[("host", "127.0.0.1:8500"), ("origin", origin)]), "{origin}");
        }
        assert!(foreign(&[("host", "127.0.0.1:8500"), ("sec-fetch-site", "cross-site")]));
        assert!(foreign(&[("host", "127.0.0.1:8500"), ("sec-fetch-site", "same-site")]));
    }
}
