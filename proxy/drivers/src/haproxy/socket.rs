//! HAProxy's command socket: one line of commands, one answer, the connection ends.

use std::{io, path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::timeout,
};

use super::{
    plan::Actual,
    state::{layout, pid, routed},
};
use crate::{balancer::DriverError, routes::ServiceName};

/// HAProxy answers from memory; longer than this and something is wrong.
const LIMIT: Duration = Duration::from_secs(5);
/// Longest line sent: it has to fit into one of HAProxy's buffers (16 kB by default).
const LONGEST_LINE: usize = 8 * 1024;

/// Where commands go.
#[derive(Debug, Clone)]
pub(super) struct Socket(PathBuf);

impl Socket {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Says `line`; gives the whole answer.
    pub(super) async fn ask(&self, line: &str) -> Result<String, DriverError> {
        let asking = async {
            let mut stream = UnixStream::connect(&self.0).await?;
            stream.write_all(format!("{line}\n").as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {LIMIT:?}"));
        timeout(LIMIT, asking).await.map_err(late).and_then(|answer| answer).map_err(|source| {
            DriverError::Unreachable { program: "HAProxy", place: self.0.display().to_string(), source }
        })
    }

    /// Says all `commands`, in order.
    pub(super) async fn say(&self, commands: &[String]) -> Result<Vec<String>, DriverError> {
        let mut answers = Vec::new();
        let mut line = String::new();
        for command in commands {
            if !line.is_empty() && line.len() + command.len() > LONGEST_LINE {
                answers.push(self.ask(&line).await?);
                line.clear();
            }
            if !line.is_empty() {
                line.push_str("; ");
            }
            line.push_str(command);
        }
        if !line.is_empty() {
            answers.push(self.ask(&line).await?);
        }
        Ok(answers)
    }

    /// Everything of ours.
    pub(super) async fn actual(&self, map: &str) -> Result<Actual, DriverError> {
        let state = self.ask("show servers state").await?;
        let map = self.ask(&format!("show map {map}")).await?;
        Ok(Actual { layout: layout(&state), routed: routed(&map) })
    }

    /// One backend of ours.
    pub(super) async fn backend(&self, name: &ServiceName) -> Result<Actual, DriverError> {
        let state = self.ask(&format!("show servers state wharf-{name}")).await?;
        Ok(Actual { layout: layout(&state), ..Actual::default() })
    }

    /// The worker that answers.
    pub(super) async fn pid(&self) -> Result<Option<u32>, DriverError> {
        Ok(pid(&self.ask("show info").await?))
    }

    /// What one process hands to the next.
    pub(super) async fn state(&self) -> Result<String, DriverError> {
        self.ask("show servers state").await
    }
}
