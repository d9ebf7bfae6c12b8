//! A UDP check: does anybody refuse a datagram?
//!
//! An empty datagram is sent. A host on whose port nobody listens says so (ICMP), which is critical; an answer
//! passes, and so does silence, because most protocols have nothing to say to an empty datagram.

use std::{io, net::Ipv4Addr, net::Ipv6Addr, net::SocketAddr, time::Duration};

use tokio::{
    net::{UdpSocket, lookup_host},
    time::{Instant, timeout_at},
};

use super::{
    Answer, Limits,
    text::{dial_error, io_reason},
};

/// A refusal takes no longer than the way there and back: nobody waits for one for the whole timeout.
const SILENCE: Duration = Duration::from_secs(1);

pub(super) async fn run(address: &str, limits: Limits) -> Answer {
    let socket = match timeout_at(limits.deadline(), connect(address)).await {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => return Answer::critical(dial_error("udp", address, &error)),
        Err(_) => return Answer::critical(dial_error("udp", address, &io::ErrorKind::TimedOut.into())),
    };
    let success = format!("UDP connect {address}: Success");
    match ask(&socket, limits.deadline()).await {
        Ok(true) => Answer::passing(success, limits.begun),
        Ok(false) => Answer { response_time: None, ..Answer::passing(success, limits.begun) },
        Err(error) => Answer::critical(format!("read udp {address}: read: {}", io_reason(&error))),
    }
}

async fn connect(address: &str) -> io::Result<UdpSocket> {
    let unknown = || io::Error::new(io::ErrorKind::InvalidInput, "no address");
    let remote = lookup_host(address).await?.next().ok_or_else(unknown)?;
    let local: SocketAddr = match remote {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    socket.connect(remote).await?;
    Ok(socket)
}

/// Did anybody answer? An error says that the datagram was refused.
async fn ask(socket: &UdpSocket, deadline: Instant) -> io::Result<bool> {
    socket.send(&[]).await?;
    let mut first = [0; 1];
    match timeout_at(deadline.min(Instant::now() + SILENCE), socket.recv(&mut first)).await {
        Ok(received) => received.map(|_| true),
        Err(_) => Ok(false),
    }
}
