//! What the proxy says itself, in short plain text.

use http::{HeaderValue, Response, StatusCode, header};

use crate::{ProxyError, body::ResponseBody};

/// Seconds after which a client may try a service without instances again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The answer for a request that no instance answered.
pub(crate) fn refusal(error: &ProxyError) -> Response<ResponseBody> {
    let mut response = plain(error.status(), format!("{}\n", told(error)));
    let headers = response.headers_mut();
    match error {
        ProxyError::NoInstance(_) => drop(headers.insert(header::RETRY_AFTER, RETRY_AFTER)),
        ProxyError::Connect => drop(headers.insert(
            header::ALLOW,
            HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE"),
        )),
        ProxyError::BadRequest(_) | ProxyError::TransferCoding | ProxyError::ClientSlow => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// What clients may know: never an address, never what the system said.
fn told(error: &ProxyError) -> String {
    match error {
        ProxyError::NoService
        | ProxyError::BadRequest(_)
        | ProxyError::Connect
        | ProxyError::TransferCoding
        | ProxyError::ClientSlow
        | ProxyError::NoInstance(_) => error.to_string(),
        ProxyError::Timeout(_) => "the service did not answer in time".to_owned(),
        ProxyError::ClientBody(_) => "the request body broke off".to_owned(),
        ProxyError::Dial { .. } | ProxyError::Closed { .. } | ProxyError::Unsent { .. } => {
            "the service could not be reached".to_owned()
        }
        ProxyError::Malformed { .. } => "the service gave an answer that cannot be passed on".to_owned(),
    }
}

/// Sends the client to `location`, with the same method.
pub(crate) fn redirect(location: &str) -> Response<ResponseBody> {
    let Ok(location) = HeaderValue::from_str(location) else {
        return refusal(&ProxyError::BadRequest("malformed path"));
    };
    let mut response = plain(StatusCode::PERMANENT_REDIRECT, String::new());
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn plain(status: StatusCode, text: String) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::ours(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
