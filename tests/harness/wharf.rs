//! A `wharf dev` of its own for each journey, on free ports.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use serde_json::Value;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_wharf");

/// A running `wharf dev`; killed when dropped.
pub struct Wharf {
    child: Child,
    log: Arc<Mutex<Vec<Value>>>,
    pub http: SocketAddr,
    pub dns: SocketAddr,
    pub proxy: SocketAddr,
    pub client: reqwest::Client,
}

impl Wharf {
    /// Starts one without Docker.
    pub fn without_docker() -> Self {
        Self::start(&["--docker-host", "unix:///nonexistent/docker.sock"])
    }

    /// Starts one with these flags beside free ports, and waits until it says it is ready.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_by(command(&["dev", "--log-format", "json"]), flags)
    }

    /// As [`Self::start`], a `wharf server`: the flags name its data directory.
    pub fn serve(flags: &[&str]) -> Self {
        Self::start_by(command(&["server", "--log-format", "json"]), flags)
    }

    /// As [`Self::start`], by a command that ends up as `wharf dev --log-format json` under its own pid.
    pub fn start_by(mut command: Command, flags: &[&str]) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut child = command
            .args(["--http-addr", "127.0.0.1:0", "--dns-addr", "127.0.0.1:0", "--proxy-addr", "127.0.0.1:0"])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("start wharf dev");
        let log = Arc::new(Mutex::new(Vec::new()));
        let ready = follow(child.stderr.take().expect("stderr"), log.clone());
        let ready = ready.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("wharf dev did not become ready: {:#?}", log.lock().unwrap())
        });
        let address = |field: &str| ready[field].as_str().expect(field).parse().expect(field);
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().expect("client");
        Self { http: address("http"), dns: address("dns"), proxy: address("proxy"), child, log, client }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would.
    pub fn kill_nine(mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Tells it to end, as a service manager does.
    pub fn tell_to_end(&self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
    }

    /// Waits until it has ended; was it content?
    pub fn ended_well(mut self) -> bool {
        self.child.wait().expect("wait").success()
    }

    /// URL of an API path.
    pub fn api(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// URL of a path through the load balancer.
    pub fn through(&self, path: &str) -> String {
        format!("http://{}{path}", self.proxy)
    }

    /// GETs JSON from the API.
    pub async fn json(&self, path: &str) -> Value {
        let answer = self.client.get(self.api(path)).send().await.expect("reach the API");
        let (status, text) = (answer.status(), answer.text().await.expect("body"));
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path}: {status} {text}"))
    }

    /// PUTs JSON to the API; gives status and text.
    pub async fn put(&self, path: &str, body: &Value) -> (u16, String) {
        let answer =
            self.client.put(self.api(path)).body(body.to_string()).send().await.expect("reach the API");
        (answer.status().as_u16(), answer.text().await.expect("body"))
    }

    /// Status of a GET through the load balancer, 0 if it cannot be reached.
    pub async fn status_through(&self, path: &str) -> u16 {
        self.client.get(self.through(path)).send().await.map_or(0, |answer| answer.status().as_u16())
    }

    /// How many instances of `service` pass.
    pub async fn passing(&self, service: &str) -> usize {
        self.json(&format!("/v1/health/service/{service}?passing")).await.as_array().map_or(0, Vec::len)
    }

    /// Log lines so far whose text contains `part`.
    pub fn logged(&self, part: &str) -> Vec<String> {
        let lines = self.log.lock().unwrap();
        lines.iter().map(Value::to_string).filter(|line| line.contains(part)).collect()
    }
}

impl Drop for Wharf {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of wharf {}:", self.child.id());
            for line in self.log.lock().unwrap().iter() {
                eprintln!("  {line}");
            }
        }
    }
}

/// The binary with these arguments, untouched by the settings of whoever runs the tests.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WHARF_")) {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// Runs the binary to its end: exit code, stdout, stderr.
pub fn run(args: &[&str]) -> (i32, String, String) {
    let output = command(args).output().expect("run wharf");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// Collects log lines; sends the one that says where the process listens.
fn follow(stderr: impl std::io::Read + Send + 'static, log: Arc<Mutex<Vec<Value>>>) -> mpsc::Receiver<Value> {
    let (ready, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if line["message"] == "wharf is ready" {
                let _ = ready.send(line.clone());
            }
            log.lock().unwrap().push(line);
        }
    });
    receiver
}

/// A `wharf echo` process; ended when dropped.
pub struct Echo {
    child: Child,
}

impl Echo {
    /// Starts one that registers itself with `wharf`.
    pub fn registered(wharf: &Wharf, name: &str, flags: &[&str]) -> Self {
        let api = format!("http://{}", wharf.http);
        let child =
            command(&["echo", "--name", name, "--register", &api]).args(flags).spawn().expect("start echo");
        Self { child }
    }

    /// Asks it to end, as `docker stop` would, and waits until it has.
    pub fn terminate(mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }

    /// Ends it at once, without a goodbye.
    pub fn kill_nine(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.kill_nine();
    }
}
