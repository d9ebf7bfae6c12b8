//! Varnish's command line over TCP (varnish-cli(7)): a greeting, a proof that we know the secret, then commands.

use std::{io, path::Path, time::Duration};

use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    balancer::{DriverError, shortened},
    blocking,
};

/// Reaching Varnish and proving that we may takes no longer than this.
const HELLO: Duration = Duration::from_secs(5);
/// Compiling a program may take long on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);
/// Status of an answer that says yes.
const OK: u16 = 200;
/// Status of a greeting that wants proof.
const PROVE: u16 = 107;
/// Longest answer taken, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;
/// Length of an answer's first line.
const HEAD: usize = 13;

/// An answer: its status, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn is_ok(&self) -> bool {
        self.status == OK
    }
}

/// A connection on which commands are taken.
#[derive(Debug)]
pub(super) struct Admin {
    stream: TcpStream,
    place: String,
}

impl Admin {
    /// Connects to `place` and proves that we know what stands in the file `secret`.
    pub(super) async fn connect(place: &str, secret: &Path) -> Result<Self, DriverError> {
        let unreachable = |source| unreachable(place, source);
        let connecting = timeout(HELLO, TcpStream::connect(place)).await;
        let stream = connecting.unwrap_or_else(|_| Err(late(HELLO))).map_err(unreachable)?;
        let mut admin = Self { stream, place: place.to_owned() };
        let greeting = admin.answer(HELLO).await?;
        if greeting.status == PROVE {
            let path = secret.to_owned();
            let shown = path.display().to_string();
            let secret = blocking(move || std::fs::read(path)).await?;
            let secret = secret.map_err(|source| DriverError::Read { path: shown, source })?;
            let proof = proof(&greeting.text, &secret);
            let answer = admin.ask(&format!("auth {proof}"), HELLO).await?;
            if !answer.is_ok() {
                // Not a word about what was sent.
                return Err(DriverError::Refused {
                    program: "Varnish",
                    command: "auth".to_owned(),
                    answer: "the secret is not the one Varnish was started with (`-S`)".to_owned(),
                });
            }
        }
        Ok(admin)
    }

    /// Says `command`; a no is an error.
    pub(super) async fn say(&mut self, command: &str) -> Result<String, DriverError> {
        let answer = self.ask(command, LIMIT).await?;
        if answer.is_ok() {
            return Ok(answer.text);
        }
        Err(DriverError::Refused {
            program: "Varnish",
            command: shortened(command),
            answer: answer.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(500).collect(),
        })
    }

    async fn ask(&mut self, command: &str, limit: Duration) -> Result<Answer, DriverError> {
        let sent = self.stream.write_all(format!("{command}\n").as_bytes()).await;
        sent.map_err(|source| unreachable(&self.place, source))?;
        self.answer(limit).await
    }

    async fn answer(&mut self, limit: Duration) -> Result<Answer, DriverError> {
        let read = timeout(limit, read_answer(&mut self.stream)).await;
        read.unwrap_or_else(|_| Err(late(limit))).map_err(|source| unreachable(&self.place, source))
    }
}

fn unreachable(place: &str, source: io::Error) -> DriverError {
    DriverError::Unreachable { program: "Varnish", place: place.to_owned(), source }
}

fn late(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {limit:?}"))
}

async fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await?;
    let (status, length) = parse_head(&head)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "what answers there is no Varnish"))?;
    let mut text = vec![0; length + 1];
    stream.read_exact(&mut text).await?;
    text.pop();
    Ok(Answer { status, text: String::from_utf8_lossy(&text).into_owned() })
}

/// `SSS LLLLLLLL\n`: status and length, padded with spaces.
fn parse_head(head: &[u8; HEAD]) -> Option<(u16, usize)> {
    let text = std::str::from_utf8(head).ok()?.strip_suffix('\n')?;
    let (status, length) = text.split_once(' ')?;
    let length = length.trim_end().parse().ok().filter(|length| *length <= LONGEST)?;
    Some((status.parse().ok()?, length))
}

/// SHA-256 of challenge, newline, secret, challenge, newline; in hexadecimal.
fn proof(greeting: &str, secret: &[u8]) -> String {
    let challenge = greeting.lines().next().unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [challenge.as_bytes(), b"\n", secret, challenge.as_bytes(), b"\n"] {
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_proof_is_that_of_the_manual() {
        // varnish-cli(7), "Authentication".
        let proof = proof("ixslvvxrgkjptxmcgnnsdxsvdmvfympg\n\nAuthentication required.\n", b"foo\n");
        assert_eq!(proof, "455ce847f0073c7ab3b1465f74507b75d3dc064c1e7de3b71e00de9092fdc89a");
    }

    #[test]
    fn a_head_is_read() {
        assert_eq!(parse_head(b"107 59      \n"), Some((107, 59)));
        assert_eq!(parse_head(b"HTTP/1.1 400 "), None);
    }

    proptest! {
        #[test]
        fn no_head_panics(head: [u8; HEAD]) {
            parse_head(&head);
        }
    }
}
