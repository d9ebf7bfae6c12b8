//! One request and its reply on a connection of its own.

use std::{collections::BTreeMap, error::Error as _, pin::pin};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, LOCATION, USER_AGENT},
};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1, ext::ReasonPhrase};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout_at,
};
use url::{Position, Url};
use wharf_catalog::Timestamp;

use super::{Hop, Limits, Tail};
use crate::probe::{
    Tls, tcp,
    text::dial_error,
    tls::{self, Protocol, server_name},
};

/// Most bytes of a reply's head.
const HEAD_LIMIT: usize = 64 * 1024;
/// Most bytes read of a reply's body: it may never end.
const BODY_LIMIT: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) reason: String,
    pub(super) location: Option<String>,
    /// As much of the body as is shown: its end.
    pub(super) body: Tail,
    /// The body from its beginning, where that was asked for.
    pub(super) beginning: Vec<u8>,
    /// When the server's certificate ends to hold.
    pub(super) certificate_until: Option<Timestamp>,
}

/// Makes the request of `hop`. Up to the reply's head the deadline is an error, after it only the end of the
/// body: the status is known then.
pub(super) async fn exchange(hop: &Hop, limits: Limits, tls: &Tls) -> Result<Reply, String> {
    let request = request(hop)?;
    let address = address(&hop.url);
    let stream = tcp::connect(&address, limits.deadline())
        .await
        .map_err(|error| dial_error("tcp", &address, &error))?;
    if hop.url.scheme() == "http" {
        return converse(stream, request, hop.wants_body, limits).await;
    }
    let connector = tls.connector(hop.tls_skip_verify, Protocol::Http1).await?;
    let handshake = connector.connect(server_name(hop.url.host_str().unwrap_or_default())?, stream);
    let stream = timeout_at(limits.deadline(), handshake)
        .await
        .map_err(|_| "net/http: TLS handshake timeout".to_owned())?
        .map_err(|error| tls::told(&error))?;
    let until = stream.get_ref().1.peer_certificates().and_then(certificate_until);
    let reply = converse(stream, request, hop.wants_body, limits).await?;
    Ok(Reply { certificate_until: until, ..reply })
}

/// When the first of these, the server's own, ends to hold.
fn certificate_until(chain: &[CertificateDer<'_>]) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(chain.first()?).ok()?;
    Some(Timestamp(certificate.validity().not_after.timestamp().saturating_mul(1000)))
}

async fn converse<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    wants_body: bool,
    limits: Limits,
) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| reason(&error))?;
    let mut talk = pin!(async move {
        let response = timeout_at(limits.deadline(), sender.send_request(request))
            .await
            .map_err(|_| {
                "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned()
            })?
            .map_err(|error| reason(&error))?;
        Ok(read(response, wants_body, limits).await)
    });
    let mut connection = pin!(connection);
    tokio::select! {
        biased;
        reply = &mut talk => reply,
        // Closed by the other side: whatever arrived before is still to be read.
        _ = &mut connection => talk.await,
    }
}

async fn read(response: Response<Incoming>, wants_body: bool, limits: Limits) -> Reply {
    let (head, mut body) = response.into_parts();
    let location = head.headers.get(LOCATION);
    let mut reply = Reply {
        status: head.status,
        reason: match head.extensions.get::<ReasonPhrase>() {
            Some(phrase) => String::from_utf8_lossy(phrase.as_bytes()).into_owned(),
            None => head.status.canonical_reason().unwrap_or_default().to_owned(),
        },
        location: location.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        body: limits.tail(),
        beginning: Vec::new(),
        certificate_until: None,
    };
    if reply.status.is_redirection() && reply.location.is_some() {
        return reply;
    }
    while reply.body.written() < BODY_LIMIT {
        let Ok(Some(Ok(frame))) = timeout_at(limits.deadline(), body.frame()).await else {
            break;
        };
        if let Ok(data) = frame.into_data() {
            reply.body.write(&data);
            if wants_body {
                reply.beginning.extend_from_slice(&data);
            }
        }
    }
    reply
}

fn request(hop: &Hop) -> Result<Request<Full<Bytes>>, String> {
    let target = &hop.url[Position::BeforePath..Position::AfterQuery];
    let mut request = Request::new(Full::new(hop.body.clone()));
    *request.method_mut() = hop.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| format!("invalid URL path {target:?}"))?;
    let mut headers = hop.headers.clone();
    let mut default = |name: HeaderName, value: &str| -> Result<(), String> {
        let value = HeaderValue::from_str(value).map_err(|_| format!("invalid value for header {name}"))?;
        headers.entry(name).or_insert(value);
        Ok(())
    };
    default(HOST, &hop.url[Position::BeforeHost..Position::AfterPort])?;
    default(USER_AGENT, "Consul Health Check (wharf)")?;
    default(ACCEPT, "text/plain, text/*, */*")?;
    if let Some(credentials) = credentials(&hop.url) {
        default(AUTHORIZATION, &credentials)?;
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    *request.headers_mut() = headers;
    Ok(request)
}

/// Basic authentication from `http://user:password@host/`.
fn credentials(url: &Url) -> Option<String> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let plain = |part: &str| percent_decoded(part);
    let pair = [plain(url.username()), plain(url.password().unwrap_or_default())].join(&b':');
    Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

fn percent_decoded(part: &str) -> Vec<u8> {
    // A form pair decodes the same way once `+` is kept from meaning a space.
    let kept = format!("{}=", part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D"));
    url::form_urlencoded::parse(kept.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned().into_bytes())
        .unwrap_or_default()
}

/// `host:port` to connect to.
fn address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    format!("{host}:{port}")
}

/// The check's own header fields.
pub(super) fn header_map(fields: &BTreeMap<String, Vec<String>>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    for (name, values) in fields {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("net/http: invalid header field name {name:?}"))?;
        for value in values {
            // The value may be a secret: it is not shown.
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("net/http: invalid header field value for {name:?}"))?;
            map.append(parsed.clone(), value);
        }
    }
    Ok(map)
}

/// hyper's error with what caused it: its own words alone say too little.
fn reason(error: &hyper::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None if error.is_incomplete_message() => "EOF".to_owned(),
        None => error.to_string(),
    }
}
