//! One question and its reply, over the network. Edge.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use crate::{packet::HEADER, responder::Transport};

/// The longest datagram there can be.
const DATAGRAM: usize = 65_535;

/// Asks `address`; waits until a reply comes that belongs to `packet`, whose question has `length` bytes.
pub(super) async fn exchange(
    address: SocketAddr,
    packet: &[u8],
    length: usize,
    transport: Transport,
) -> io::Result<Vec<u8>> {
    match transport {
        Transport::Datagram => datagram(address, packet, length).await,
        Transport::Stream => stream(address, packet, length).await,
    }
}

/// A port of its own for each question makes replies hard to forge.
async fn datagram(address: SocketAddr, packet: &[u8], length: usize) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    socket.send(packet).await?;
    let mut reply = vec![0; DATAGRAM];
    loop {
        let received = socket.recv(&mut reply).await?;
        if belongs(&reply[..received], packet, length) {
            reply.truncate(received);
            reply.shrink_to_fit();
            return Ok(reply);
        }
    }
}

async fn stream(address: SocketAddr, packet: &[u8], length: usize) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let size = u16::try_from(packet.len()).map_err(io::Error::other)?;
    stream.write_all(&[&size.to_be_bytes(), packet].concat()).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    if belongs(&reply, packet, length) { Ok(reply) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Is `reply` the answer to the question of `packet`?
fn belongs(reply: &[u8], packet: &[u8], length: usize) -> bool {
    let question = HEADER..HEADER + length;
    let asked_alike = match (reply.get(question.clone()), packet.get(question)) {
        (Some(told), Some(asked)) => told.eq_ignore_ascii_case(asked),
        _ => false,
    };
    asked_alike && reply[..2] == packet[..2] && reply[2] & 0x80 != 0
}
