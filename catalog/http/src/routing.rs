//! Which methods does a path take, and what follows its prefix?
//!
//! Two kinds of routes, as in Consul: exact ones, and subtrees whose handler gets the rest of the path
//! (also an empty one: it then says what is missing).

use axum::{
    Router,
    extract::{FromRequestParts, MatchedPath},
    handler::Handler,
    response::Response,
    routing::{MethodFilter, MethodRouter, any},
};
use http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use percent_encoding::percent_decode_str;

use crate::{Api, error::ApiError, path, respond};

/// A path that is one thing.
pub(crate) fn exact(
    router: Router<Api>,
    path: &str,
    allow: &'static str,
    methods: MethodRouter<Api>,
) -> Router<Api> {
    router.route(path, only(methods, allow))
}

/// A path with a name below it; without its last slash it redirects.
pub(crate) fn subtree(
    router: Router<Api>,
    path: &str,
    allow: &'static str,
    methods: MethodRouter<Api>,
) -> Router<Api> {
    let methods = only(methods, allow);
    router
        .route(&format!("{path}/{{*rest}}"), methods.clone())
        .route(&format!("{path}/"), methods)
        .route(path, any(to_slash))
}

/// A path with a name below it, where the path itself is something else.
pub(crate) fn beneath(
    router: Router<Api>,
    path: &str,
    allow: &'static str,
    methods: MethodRouter<Api>,
) -> Router<Api> {
    let methods = only(methods, allow);
    router.route(&format!("{path}/{{*rest}}"), methods.clone()).route(&format!("{path}/"), methods)
}

/// Everything under `/v1` that nobody took, and what needs cleaning up to get there.
pub(crate) fn leftovers() -> Router<Api> {
    ["/v1", "/v1/", "/v1/{*rest}", "//v1/{*rest}"]
        .into_iter()
        .fold(Router::new(), |router, path| router.route(path, any(|| async { StatusCode::NOT_FOUND })))
}

/// One answer for every method in `allow`.
pub(crate) fn allowed<H, T>(allow: &'static str, answer: H) -> MethodRouter<Api>
where
    H: Handler<T, Api>,
    T: 'static,
{
    allow
        .split(',')
        .filter_map(|method| match method {
            "GET" => Some(MethodFilter::GET),
            "PUT" => Some(MethodFilter::PUT),
            "POST" => Some(MethodFilter::POST),
            "DELETE" => Some(MethodFilter::DELETE),
            _ => None,
        })
        .fold(MethodRouter::new(), |methods, filter| methods.on(filter, answer.clone()))
}

fn only(methods: MethodRouter<Api>, allow: &'static str) -> MethodRouter<Api> {
    let refuse = move |method: Method| async move { not_allowed(&method, allow) };
    methods.head(refuse).options(move || async move { allowing(respond::nothing(), allow) }).fallback(refuse)
}

/// 405, and what would be.
pub(crate) fn not_allowed(method: &Method, allow: &'static str) -> Response {
    let text = format!("method {method} not allowed");
    allowing(respond::text(StatusCode::METHOD_NOT_ALLOWED, text), allow)
}

fn allowing(mut response: Response, allow: &'static str) -> Response {
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

async fn to_slash(method: Method, uri: Uri) -> Response {
    path::moved(&method, &path::with_slash(&uri))
}

/// What follows a subtree's path, decoded; may hold slashes, may be empty.
#[derive(Debug)]
pub(crate) struct Rest(pub(crate) String);

impl Rest {
    /// The rest, or 400 with `missing` when there is none.
    pub(crate) fn or_missing(self, missing: &str) -> Result<String, ApiError> {
        if self.0.is_empty() {
            return Err(ApiError::bad(missing));
        }
        Ok(self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Rest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let prefix = route.split("{*").next().unwrap_or_default();
        let rest = parts.uri.path().strip_prefix(prefix).unwrap_or_default();
        percent_decode_str(rest)
            .decode_utf8()
            .map(|rest| Self(rest.into_owned()))
            .map_err(|_| ApiError::bad(format!("path `{}` is not UTF-8", parts.uri.path())))
    }
}
