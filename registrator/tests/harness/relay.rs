//! A wire to the engine that can be cut.

use std::path::PathBuf;

use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    task::{JoinHandle, JoinSet},
};

/// A socket that passes everything on to the engine's, while it is up.
pub struct Relay {
    place: tempfile::TempDir,
    engine: PathBuf,
    task: Option<JoinHandle<()>>,
}

impl Relay {
    /// Down at first. `host`: the engine's address, a local socket.
    pub fn new(host: &str) -> Self {
        let engine = host.strip_prefix("unix://").expect("these tests need a local engine").into();
        Self { place: tempfile::tempdir().unwrap(), engine, task: None }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.place.path().join("s")
    }

    pub fn up(&mut self) {
        let (listener, engine) = (UnixListener::bind(self.socket()).unwrap(), self.engine.clone());
        self.task = Some(tokio::spawn(async move {
            let mut wires = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let engine = engine.clone();
                wires.spawn(async move {
                    let mut far = UnixStream::connect(engine).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
    }

    /// Cuts every connection and takes the socket away.
    pub async fn cut(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
        std::fs::remove_file(self.socket()).unwrap();
    }
}
