//! What of a request's and a response's head is passed on? Pure: header maps in place.
//!
//! Invariant: nothing that is about one connection crosses to the other (RFC 9110, 7.6.1), and the
//! length of a message is told in one way only, ours.

use std::net::IpAddr;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
        TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

use crate::ProxyError;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const VIA_US: HeaderValue = HeaderValue::from_static("1.1 wharf");

/// Who asks: its address, also as the text it is told upstream with.
#[derive(Debug, Clone)]
pub struct Peer(HeaderValue);

impl Peer {
    /// The client at `ip`.
    pub fn new(ip: IpAddr) -> Self {
        let text = Bytes::from(ip.to_canonical().to_string());
        Self(HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("unknown")))
    }
}

/// Refuses what no proxy should pass on, and brings the target into one form: the host in `Host`, the
/// path in the URI (RFC 9112, 3.2.2).
pub fn normalise<B>(request: &mut Request<B>) -> Result<(), ProxyError> {
    if request.method() == Method::CONNECT {
        return Err(ProxyError::Connect);
    }
    if !only_chunked(request.headers()) {
        return Err(ProxyError::TransferCoding);
    }
    if let Some(authority) = request.uri().authority() {
        if authority.as_str().contains('@') {
            return Err(ProxyError::BadRequest("user information in the request target"));
        }
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| ProxyError::BadRequest("host"))?;
        let path = request.uri().path_and_query().cloned();
        request.headers_mut().insert(HOST, host);
        *request.uri_mut() = path.map_or(Uri::from_static("/"), Uri::from);
    }
    check_host(request)
}

fn check_host<B>(request: &Request<B>) -> Result<(), ProxyError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let Some(host) = hosts.next() else {
        let needed = request.version() >= Version::HTTP_11;
        return if needed { Err(ProxyError::BadRequest("no `Host` field")) } else { Ok(()) };
    };
    if hosts.next().is_some() {
        return Err(ProxyError::BadRequest("more than one `Host` field"));
    }
    if host.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+;=".contains(byte))
    {
        Ok(())
    } else {
        Err(ProxyError::BadRequest("malformed `Host` field"))
    }
}

/// Is `chunked`, or nothing, the transfer coding? We undo that one only, and pass no other on.
pub fn only_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// The protocol the client wants to switch to, if it is one that can be tunnelled: not `h2c`, which
/// would hide requests from us.
pub fn wanted_upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    let protocol = request.headers().get(UPGRADE)?;
    let asked = request.version() == Version::HTTP_11 && says(request.headers(), &CONNECTION, "upgrade");
    let hides = protocol.to_str().map_or(true, |p| p.to_ascii_lowercase().contains("h2c"));
    (asked && !hides).then(|| protocol.clone())
}

/// Makes the head of a request fit to be sent to an instance. `prefix`: what was taken off its path.
pub fn for_upstream(
    headers: &mut HeaderMap,
    peer: &Peer,
    upgrade: Option<HeaderValue>,
    prefix: Option<&str>,
    trust_forwarded: bool,
) {
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let trailers = upgrade.is_none() && says(headers, &TE, "trailers");
    strip_hop_by_hop(headers);
    headers.remove(EXPECT);
    headers.remove(PROXY_AUTHORIZATION);
    if chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    } else if trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    forwarded(headers, peer, prefix, trust_forwarded);
}

/// Makes the head of a response fit to be sent to the client.
pub fn for_client(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers);
    headers.remove(PROXY_AUTHENTICATE);
}

/// Adds our name to `Via`.
pub fn add_via(headers: &mut HeaderMap) {
    headers.append(VIA, VIA_US);
}

fn forwarded(headers: &mut HeaderMap, peer: &Peer, prefix: Option<&str>, trust: bool) {
    let chain = match headers.contains_key(&FORWARDED_FOR) {
        false => peer.0.clone(),
        true => appended(headers, peer),
    };
    headers.insert(FORWARDED_FOR, chain);
    if !trust || !headers.contains_key(&FORWARDED_PROTO) {
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !trust || !headers.contains_key(&FORWARDED_HOST) {
        match headers.get(HOST).cloned() {
            Some(host) => headers.insert(FORWARDED_HOST, host),
            None => headers.remove(&FORWARDED_HOST),
        };
    }
    match prefix.and_then(|prefix| HeaderValue::from_str(prefix).ok()) {
        Some(prefix) => headers.insert(FORWARDED_PREFIX, prefix),
        None if trust => None,
        None => headers.remove(&FORWARDED_PREFIX),
    };
}

fn appended(headers: &HeaderMap, peer: &Peer) -> HeaderValue {
    let mut chain = Vec::new();
    for known in headers.get_all(&FORWARDED_FOR) {
        chain.extend_from_slice(known.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(peer.0.as_bytes());
    HeaderValue::from_maybe_shared(Bytes::from(chain)).unwrap_or_else(|_| peer.0.clone())
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            // A client does not get to take away what the instance needs to tell requests apart.
            .filter(|name| name != HOST && name != CONTENT_LENGTH)
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in [&CONNECTION, &TE, &TRANSFER_ENCODING, &UPGRADE, &KEEP_ALIVE, &PROXY_CONNECTION] {
        headers.remove(name);
    }
}

fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    tokens(headers, name)
        .any(|token| token.split(';').next().unwrap_or(token).trim().eq_ignore_ascii_case(word))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests;
