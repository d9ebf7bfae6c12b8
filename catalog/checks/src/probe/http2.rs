//! An HTTP/2 connection, and the check that does nothing but ping over it.

use bytes::Bytes;
use h2::{
    Ping,
    client::{Connection, SendRequest},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::{
    Answer, Limits, Tls, tcp,
    text::dial_error,
    tls::{self, Protocol, server_name},
};

/// A connected byte stream, encrypted or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) type Client = (SendRequest<Bytes>, Connection<Box<dyn Stream>, Bytes>);

pub(super) async fn run(address: &str, secure: Option<bool>, limits: Limits, tls: &Tls) -> Answer {
    match ping(address, secure, limits.deadline(), tls).await {
        Ok(()) => Answer::passing("HTTP2 ping was successful".to_owned(), limits.begun),
        Err(reason) => Answer::critical(reason),
    }
}

async fn ping(address: &str, secure: Option<bool>, deadline: Instant, tls: &Tls) -> Result<(), String> {
    let stream = connect(address, secure, deadline, tls)
        .await
        .map_err(|reason| format!("Failed to dial to {address}: {reason}"))?;
    let failed = |reason: &dyn std::fmt::Display| format!("HTTP2 ping failed: {reason}");
    let talk = async {
        let (_requests, mut connection) = handshake(stream).await.map_err(|error| failed(&error))?;
        let mut pings = connection.ping_pong().ok_or_else(|| failed(&"no ping possible"))?;
        tokio::select! {
            pong = pings.ping(Ping::opaque()) => pong.map(|_| ()).map_err(|error| failed(&error)),
            ended = connection => Err(match ended {
                Ok(()) => failed(&"connection closed"),
                Err(error) => failed(&error),
            }),
        }
    };
    timeout_at(deadline, talk).await.unwrap_or_else(|_| Err(failed(&"context deadline exceeded")))
}

/// Speaks HTTP/2 over `stream`, without knowing yet whether the other side does.
pub(super) async fn handshake(stream: Box<dyn Stream>) -> Result<Client, h2::Error> {
    h2::client::Builder::new().max_header_list_size(16 * 1024).enable_push(false).handshake(stream).await
}

/// Connects to `host:port`; over TLS if `secure` says whether to skip the verification of the certificate.
pub(super) async fn connect(
    address: &str,
    secure: Option<bool>,
    deadline: Instant,
    tls: &Tls,
) -> Result<Box<dyn Stream>, String> {
    let stream = tcp::connect(address, deadline).await.map_err(|error| dial_error("tcp", address, &error))?;
    let Some(skip_verify) = secure else {
        return Ok(Box::new(stream));
    };
    let connector = tls.connector(skip_verify, Protocol::Http2).await?;
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let stream = timeout_at(deadline, connector.connect(server_name(host)?, stream))
        .await
        .map_err(|_| "TLS handshake timeout".to_owned())?
        .map_err(|error| tls::told(&error))?;
    Ok(Box::new(stream))
}
