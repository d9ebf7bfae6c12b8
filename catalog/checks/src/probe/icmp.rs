//! An ICMP check: does the host answer an echo request? (RFC 792, RFC 4443.)
//!
//! The kernel's ping socket needs no privilege where `net.ipv4.ping_group_range` includes our group; where it
//! does not, a raw socket is tried, which takes CAP_NET_RAW. A ping socket gives back the ICMP message alone and
//! sets the identifier itself; a raw IPv4 socket gives the IP header too, and everybody's replies.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::atomic::{AtomicU16, Ordering},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{UdpSocket, lookup_host},
    time::timeout_at,
};

use super::{Answer, Limits, text::io_reason};

/// Data of our echo requests: an echo with other data is not ours.
const DATA: &[u8] = b"wharf health check";
/// A lost request is sent again after this share of the time there is.
const TRIES: u32 = 3;

static SEQUENCE: AtomicU16 = AtomicU16::new(1);

pub(super) async fn run(host: &str, limits: Limits) -> Answer {
    let told = timeout_at(limits.deadline(), ping(host, limits)).await;
    match told.unwrap_or_else(|_| Err("no reply in time".to_owned())) {
        Ok(address) => Answer::passing(format!("ICMP echo {host} ({address}): reply"), limits.begun),
        Err(reason) => Answer::critical(format!("ICMP echo {host}: {reason}")),
    }
}

async fn ping(host: &str, limits: Limits) -> Result<IpAddr, String> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let mut found = lookup_host((bare, 0)).await.map_err(|_| "no such host".to_owned())?;
    let remote = found.next().ok_or_else(|| "no such host".to_owned())?;
    let (socket, is_raw) = socket(remote).map_err(|error| refused(&error))?;
    socket.connect(remote).await.map_err(|error| io_reason(&error))?;
    let number = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    let identifier = std::process::id() as u16;
    let request = echo(remote.is_ipv6(), identifier, number);
    let mut reply = [0; 1500];
    for attempt in 1..=TRIES {
        socket.send(&request).await.map_err(|error| io_reason(&error))?;
        let until = limits.begun + limits.timeout * attempt / TRIES;
        while let Ok(received) = timeout_at(until, socket.recv(&mut reply)).await {
            let length = received.map_err(|error| io_reason(&error))?;
            let told = message(&reply[..length], is_raw && remote.is_ipv4());
            if answers(told, remote.is_ipv6(), number, is_raw.then_some(identifier)) {
                return Ok(remote.ip());
            }
        }
    }
    Err("no reply in time".to_owned())
}

/// A socket, and whether it is a raw one. tokio's UDP socket does for any datagram socket.
fn socket(remote: SocketAddr) -> io::Result<(UdpSocket, bool)> {
    let (domain, protocol) = match remote {
        SocketAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        SocketAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let (socket, is_raw) = match Socket::new(domain, Type::DGRAM, Some(protocol)) {
        Ok(socket) => (socket, false),
        Err(denied) if matches!(denied.kind(), ErrorKind::PermissionDenied) => {
            (Socket::new(domain, Type::RAW, Some(protocol))?, true)
        }
        Err(other) => return Err(other),
    };
    socket.set_nonblocking(true)?;
    Ok((UdpSocket::from_std(socket.into())?, is_raw))
}

fn refused(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "not permitted: have `net.ipv4.ping_group_range` (sysctl) include \
            wharf's group, or give wharf the capability CAP_NET_RAW"
            .to_owned(),
        _ => io_reason(error),
    }
}

fn echo(v6: bool, identifier: u16, number: u16) -> Vec<u8> {
    let mut packet = vec![if v6 { 128 } else { 8 }, 0, 0, 0];
    packet.extend(identifier.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend(DATA);
    // Of ICMPv6 the kernel works it out: it needs the addresses.
    if !v6 {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The Internet checksum (RFC 1071).
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The ICMP message in what was received.
fn message(received: &[u8], has_ip_header: bool) -> &[u8] {
    let header = match received.first() {
        Some(first) if has_ip_header => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    received.get(header..).unwrap_or_default()
}

/// Is it the reply to our request? With `identifier` that must fit too.
fn answers(message: &[u8], v6: bool, number: u16, identifier: Option<u16>) -> bool {
    let reply = if v6 { 129 } else { 0 };
    message.len() >= 8
        && message[0] == reply
        && message[6..8] == number.to_be_bytes()
        && identifier.is_none_or(|identifier| message[4..6] == identifier.to_be_bytes())
        && &message[8..] == DATA
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use wharf_catalog::Status;

    use super::*;

    #[test]
    fn a_packet_with_its_checksum_sums_up_to_nothing() {
        assert_eq!(checksum(&echo(false, 7, 9)), 0);
    }

    #[test]
    fn only_our_own_reply_counts() {
        let mut reply = echo(false, 7, 9);
        assert!(!answers(&reply, false, 9, None), "a request is no reply");
        reply[0] = 0;
        assert!(answers(&reply, false, 9, Some(7)));
        assert!(!answers(&reply, false, 8, None) && !answers(&reply, false, 9, Some(6)));
        assert!(!answers(&reply[..8], false, 9, None) && !answers(&[], false, 9, None));
        let with_header = [&[0x45; 20][..], &reply].concat();
        assert!(answers(message(&with_header, true), false, 9, Some(7)));
        assert!(message(&[0x4f], true).is_empty());
    }

    /// Either the loopback answers, or the system forbids both sockets and we say what to do.
    #[tokio::test]
    async fn the_loopback_answers_or_the_remedy_is_told() {
        let limits = Limits { begun: Instant::now(), timeout: Duration::from_secs(20), output: 4096 };
        let answer = run("127.0.0.1", limits).await;
        let permitted = !answer.output.contains("ping_group_range");
        assert_eq!(answer.status == Status::Passing, permitted, "{}", answer.output);
    }
}
