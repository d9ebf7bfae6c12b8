//! The accept loop: one task per client connection, no more than allowed, each ended gently.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::{Gauge, gauge};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
};
use tokio_util::sync::CancellationToken;

use crate::{forward, headers::Peer, proxy::Inner};

/// Pause after the system could not give us a connection (no file descriptor left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A client connection, as long as it, or a tunnel through it, lives.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    open: Gauge,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.open.decrement(1.0);
    }
}

/// Accepts until `shutdown`.
pub(crate) async fn accept(inner: Arc<Inner>, listener: TcpListener, shutdown: CancellationToken) {
    let open = gauge!("wharf_proxy_connections");
    let mut failing = false;
    loop {
        let next = async {
            let slot = inner.slots.clone().acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (slot, stream, peer))
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = next => accepted,
        };
        match accepted {
            Ok((slot, stream, peer)) => {
                failing = false;
                open.increment(1.0);
                let client = Client { peer: Peer::new(peer.ip()), open: open.clone(), _slot: slot };
                inner.tasks.spawn(connection(inner.clone(), stream, Arc::new(client), shutdown.clone()));
            }
            Err(error) if of_one_connection(&error) => {}
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "cannot accept connections, trying on");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn connection(inner: Arc<Inner>, stream: TcpStream, client: Arc<Client>, shutdown: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "client gone before its first request");
        return;
    }
    let service = service_fn(|request| {
        let (inner, client) = (inner.clone(), client.clone());
        async move { Ok::<_, Infallible>(forward::answer(&inner, &client, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(inner.config.header_read_timeout)
        .max_buf_size(MAX_HEAD)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = inner.cut.cancelled() => return,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = inner.cut.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "client connection ended");
    }
}
