//! A TCP check: does somebody accept the connection?

use std::io;

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{Answer, Limits, text::dial_error};

pub(super) async fn run(address: &str, limits: Limits) -> Answer {
    match connect(address, limits.deadline()).await {
        Ok(_) => Answer::passing(format!("TCP connect {address}: Success"), limits.begun),
        Err(error) => Answer::critical(dial_error("tcp", address, &error)),
    }
}

/// Connects to `host:port` (IPv6 hosts in brackets), trying each of the host's addresses.
pub(super) async fn connect(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let stream =
        timeout_at(deadline, TcpStream::connect(address)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
