//! A proxy before the engine's socket that lets through reads of containers and events, and nothing else.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";

/// It, and what was asked of it.
pub struct Gate {
    place: tempfile::TempDir,
    asked: Arc<Mutex<Vec<(String, bool)>>>,
    task: JoinHandle<()>,
}

impl Gate {
    pub fn before(host: &str) -> Self {
        let engine: PathBuf = host.strip_prefix("unix://").expect("a local engine").into();
        let place = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(place.path().join("s")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass(near, engine.clone(), noted.clone()));
            }
        });
        Self { place, asked, task }
    }

    pub fn host(&self) -> String {
        format!("unix://{}/s", self.place.path().display())
    }

    /// What was asked, and whether it was let through.
    pub fn asked(&self) -> Vec<(String, bool)> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request a connection: a second one would come through unseen.
async fn pass(mut near: UnixStream, engine: PathBuf, asked: Arc<Mutex<Vec<(String, bool)>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = near.read_buf(&mut head).await.ok().filter(|read| *read > 0)?;
        assert!(read > 0 && head.len() < 65_536);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let (line, rest) = text.split_once("\r\n")?;
    let allowed = is_allowed(line);
    asked.lock().unwrap().push((line.to_owned(), allowed));
    if !allowed {
        return near.write_all(FORBIDDEN).await.ok();
    }
    let mut far = UnixStream::connect(engine).await.ok()?;
    far.write_all(format!("{line}\r\nconnection: close\r\n{rest}").as_bytes()).await.ok()?;
    copy_bidirectional(&mut near, &mut far).await.ok().map(drop)
}

fn is_allowed(line: &str) -> bool {
    let Some(path) = line.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next()) else {
        return false;
    };
    let versioned = path.strip_prefix("/v1.").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    let parts: Vec<_> = versioned.unwrap_or(path).trim_start_matches('/').split('/').collect();
    matches!(parts.as_slice(), ["events"] | ["containers", "json"] | ["containers", _, "json"])
}
