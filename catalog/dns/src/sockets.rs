//! The sockets names are answered on. Edge.

use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

/// Ports tried when any will do: the free one for TCP may be taken for UDP.
const TRIES: usize = 16;

/// Bound sockets, all on one address.
#[derive(Debug)]
pub struct Sockets {
    /// Datagrams: the kernel spreads clients over them.
    pub udp: Vec<UdpSocket>,
    /// Connections, for answers that do not fit into a datagram.
    pub tcp: TcpListener,
}

impl Sockets {
    /// Where they are bound.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// Binds TCP and `udp_sockets` (at least one) UDP sockets to `addr`. Call it within a tokio runtime.
///
/// TCP comes first: several UDP sockets on one port are only possible if they share it, and a second wharf
/// could share it unnoticed; the TCP port it cannot have.
pub fn bind(addr: SocketAddr, udp_sockets: usize) -> io::Result<Sockets> {
    let mut tried = 0;
    loop {
        tried += 1;
        match bind_once(addr, udp_sockets.max(1)) {
            Err(error) if addr.port() == 0 && error.kind() == io::ErrorKind::AddrInUse && tried < TRIES => {}
            result => return result,
        }
    }
}

fn bind_once(addr: SocketAddr, udp_sockets: usize) -> io::Result<Sockets> {
    let tcp = listen(addr)?;
    let addr = tcp.local_addr()?;
    let udp = (0..udp_sockets).map(|_| datagrams(addr, udp_sockets > 1));
    Ok(Sockets { udp: udp.collect::<io::Result<_>>()?, tcp })
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(addr))?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

fn datagrams(addr: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::from(addr))?;
    UdpSocket::from_std(socket.into())
}
