//! Answers datagrams. Edge: carries packets between the sockets and the responders, and decides nothing.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::Arc,
};

use tokio::{net::UdpSocket, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use wharf_catalog::Catalog;

use crate::{
    Config, Queries, Sockets,
    recurse::{Chase, Recursors},
    responder::{Responder, Settings, Transport, Verdict},
    stream,
    wire::Reply,
};

/// The longest question that can come.
const PACKET: usize = 65_535;
/// Packets that are answered before others on this thread have their turn.
const BATCH: usize = 128;

/// Why names are no longer answered.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A socket failed for good: bind anew.
    #[error("the DNS sockets on `{address}` failed: {reason}")]
    Socket {
        /// Where they were bound.
        address: String,
        /// What the system said.
        reason: String,
    },
}

/// What all sockets share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) catalog: Catalog,
    pub(crate) settings: Settings,
    pub(crate) recursors: Arc<Recursors>,
    pub(crate) stop: CancellationToken,
}

impl Shared {
    fn new(catalog: Catalog, config: Config, queries: Queries, own: Option<SocketAddr>) -> Self {
        let others =
            config.recursors.iter().copied().filter(|address| !is_own(*address, own)).collect::<Vec<_>>();
        let (recurses, patience) = (!others.is_empty(), config.recursor_timeout);
        Self {
            catalog,
            settings: Settings::new(config, queries, recurses),
            recursors: Arc::new(Recursors::new(others, patience)),
            stop: CancellationToken::new(),
        }
    }

    pub(crate) fn responder(&self) -> Responder {
        // Unpredictable enough for an order; nothing secret hangs on it.
        Responder::new(self.settings.clone(), RandomState::new().hash_one("order"))
    }

    /// The reply to `packet`, of the recursors or with their help. Empty: stopped.
    pub(crate) async fn ask_others(
        &self,
        packet: &[u8],
        chase: Option<&Chase>,
        transport: Transport,
    ) -> Vec<u8> {
        let reply = async {
            let Some(chase) = chase else {
                return self.recursors.forward(packet, transport).await;
            };
            let (chase, mut reply) = (self.recursors.complete(chase).await, Reply::default());
            Responder::complete(self.recursors.random(), &chase, packet, transport, &mut reply);
            reply.bytes
        };
        self.stop.run_until_cancelled(reply).await.unwrap_or_default()
    }
}

/// Would we ask ourselves?
fn is_own(recursor: SocketAddr, own: Option<SocketAddr>) -> bool {
    let own = own.is_some_and(|own| {
        let everywhere = own.ip().is_unspecified() && recursor.ip().is_loopback();
        own.port() == recursor.port() && (own.ip() == recursor.ip() || everywhere)
    });
    if own {
        tracing::warn!(%recursor, "the recursor is this very server and is not asked");
    }
    own
}

/// Answers on `sockets` until `shutdown`; prepared queries are those that `queries` finds.
pub async fn serve(
    catalog: Catalog,
    config: Config,
    queries: Queries,
    sockets: Sockets,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let address = sockets.address();
    let shared = Shared::new(catalog, config, queries, address.as_ref().ok().copied());
    let address = address.map_or_else(|error| error.to_string(), |address| address.to_string());
    let mut parts = JoinSet::new();
    for socket in sockets.udp {
        parts.spawn(datagrams(shared.clone(), Arc::new(socket)));
    }
    parts.spawn(stream::listen(shared.clone(), sockets.tcp));
    let ended = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(ended) = parts.join_next() => ended.unwrap_or_else(|error| Err(io::Error::other(error))),
    };
    shared.stop.cancel();
    while parts.join_next().await.is_some() {}
    ended.map_err(|error| ServeError::Socket { address, reason: error.to_string() })
}

async fn datagrams(shared: Shared, socket: Arc<UdpSocket>) -> io::Result<()> {
    let mut responder = shared.responder();
    let (mut packet, mut reply) = (vec![0; PACKET], Reply::default());
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return Ok(()),
            ready = socket.readable() => ready?,
        }
        let begun = Instant::now();
        for _ in 0..BATCH {
            let (length, client) = match socket.try_recv_from(&mut packet) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if is_clients(&error) => continue,
                Err(error) => return Err(error),
            };
            let packet = &packet[..length];
            let state = shared.catalog.snapshot();
            match responder.respond(&state, packet, Transport::Datagram, &mut reply) {
                Verdict::Reply => send(&socket, &reply.bytes, client).await,
                Verdict::Silence => {}
                Verdict::Forward => ask_others(&shared, &socket, packet, client, None),
                Verdict::Chase(chase) => ask_others(&shared, &socket, packet, client, Some(chase)),
            }
        }
        responder.tally.flush(begun.elapsed());
    }
}

/// An error that an earlier reply met on its way, not one of the socket.
fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | Interrupted | HostUnreachable | NetworkUnreachable
    )
}

async fn send(socket: &UdpSocket, reply: &[u8], client: SocketAddr) {
    let sent = match socket.try_send_to(reply, client) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.send_to(reply, client).await,
        sent => sent,
    };
    if let Err(error) = sent {
        tracing::debug!(client = %client.ip(), %error, "dns reply not sent");
    }
}

/// The others may take their time: nobody else waits for them.
fn ask_others(
    shared: &Shared,
    socket: &Arc<UdpSocket>,
    packet: &[u8],
    client: SocketAddr,
    chase: Option<Arc<Chase>>,
) {
    let (shared, socket, packet) = (shared.clone(), socket.clone(), packet.to_vec());
    tokio::spawn(async move {
        let reply = shared.ask_others(&packet, chase.as_deref(), Transport::Datagram).await;
        if !reply.is_empty() {
            send(&socket, &reply, client).await;
        }
    });
}

#[cfg(test)]
mod tests;
