//! The few requests developer commands make: one GET per connection, answered within a second or not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);

/// Status and body (still in its transfer coding) of an answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// What followed the head.
    pub(crate) body: String,
}

/// GETs `path` from a TCP address; `None` when nothing sensible answers in time.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<Answer> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    exchange(stream, &address.to_string(), path)
}

/// GETs `path` over any connection that has its time-outs set.
pub(crate) fn exchange(mut stream: impl Read + Write, host: &str, path: &str) -> Option<Answer> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    // An answer cut by the time-out is still looked at: the head is usually there.
    let _ = stream.take(1 << 20).read_to_end(&mut bytes);
    read_answer(&String::from_utf8_lossy(&bytes))
}

fn read_answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_told_apart() {
        let answer = read_answer("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nno one").unwrap();
        assert_eq!(answer, Answer { status: 503, body: "no one".into() });
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert_eq!(read_answer("SSH-2.0-OpenSSH_9.2\r\n\r\n"), None);
        assert_eq!(read_answer("HTTP/1.1 200 OK\r\n"), None);
    }
}
