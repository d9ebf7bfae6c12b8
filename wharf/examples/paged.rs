//! How fast is somebody paged? Measures a built wharf from outside, by what arrives at a webhook on this machine.
//!
//! `cargo build --release -p wharf && cargo run --release -p wharf --example paged [-- --killed 20] [--at-once 500]`
//!
//! - a container is killed (`kill -9` of its process) -> its page has arrived: median and worst of 20;
//! - 500 alerts in one request -> 500 pages have arrived: median and worst of 5.
//!
//! Needs a Docker engine, root (for the kill) and `busybox` (Debian: `busybox-static`).

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures real time for whoever runs it"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use axum::{Router, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::{io::AsyncBufReadExt, sync::mpsc};

const PATIENCE: Duration = Duration::from_secs(60);
const IMAGE: &str = "wharf-example-paged";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut killed, mut at_once) = (20, 500);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number =
            || arguments.next().and_then(|text| text.parse().ok()).context("a number is missing");
        match argument.as_str() {
            "--killed" => killed = number()?,
            "--at-once" => at_once = number()?,
            other => bail!("`{other}` is not known; what is: --killed NUMBER, --at-once NUMBER"),
        }
    }
    let (folder, mut phone) = (tempfile::tempdir()?, Phone::listen().await?);
    let wharf = Wharf::start(folder.path(), &phone.address).await?;
    if killed > 0 {
        let mut times = Vec::new();
        image(folder.path())?;
        for round in 0..killed {
            times.push(kill_one(&wharf, &mut phone, &format!("paged-{}-{round}", std::process::id())).await?);
        }
        report(&format!("{killed} containers killed, one by one: its page arrived after"), times);
    }
    if at_once > 0 {
        let mut times = Vec::new();
        for round in 0..5 {
            times.push(flood(&wharf, &mut phone, at_once, round).await?);
        }
        report(
            &format!("{at_once} alerts in one request, 5 times: all {at_once} pages arrived after"),
            times,
        );
    }
    Ok(())
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    println!("{what} {:.1?} (median), {:.1?} (worst)", times[times.len() / 2], times[times.len() - 1]);
}

/// Where pages arrive, with the time at which they do.
struct Phone {
    address: String,
    pages: mpsc::UnboundedReceiver<(Instant, Value)>,
}

impl Phone {
    async fn listen() -> anyhow::Result<Self> {
        let (rang, pages) = mpsc::unbounded_channel();
        let take = |State(rang): State<mpsc::UnboundedSender<(Instant, Value)>>, body: String| async move {
            let at = Instant::now();
            let _ = rang.send((at, serde_json::from_str(&body).unwrap_or_default()));
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/page", listener.local_addr()?);
        let app = Router::new().route("/page", post(take)).with_state(rang);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, pages })
    }

    /// Waits for the pages of so many incidents; gives when the last one arrived.
    async fn rings(&mut self, count: usize, about: &str) -> anyhow::Result<Instant> {
        let mut last = Instant::now();
        let mut left = count;
        while left > 0 {
            let page = tokio::time::timeout(PATIENCE, self.pages.recv()).await;
            let (at, page) =
                page.with_context(|| format!("{left} pages did not arrive"))?.context("closed")?;
            if page["event"] == "incident.triggered" && page.to_string().contains(about) {
                (last, left) = (at, left - 1);
            }
        }
        Ok(last)
    }
}

/// A wharf of our own; ended when dropped.
struct Wharf {
    child: tokio::process::Child,
    api: String,
    client: reqwest::Client,
}

impl Wharf {
    /// Starts the binary beside this one, with its data in a folder: what is measured is kept on disk.
    async fn start(folder: &Path, phone: &str) -> anyhow::Result<Self> {
        let here = std::env::current_exe()?;
        let binary =
            here.parent().and_then(Path::parent).map(|folder| folder.join("wharf")).unwrap_or_default();
        ensure!(binary.is_file(), "there is no `{}`; build it first", binary.display());
        let plan = folder.join("oncall.toml");
        std::fs::write(
            &plan,
            format!(
                "[users.dana]\ncontacts.phone = {{ type = \"webhook\", url = \"{phone}\" }}\npaging = [{{ contact = \"phone\" }}]\n\
                 [policies.default]\nsteps = [{{ targets = [{{ user = \"dana\" }}] }}]\n[routing]\ndefault = \"default\"\n"
            ),
        )?;
        let mut child = tokio::process::Command::new(binary)
            .args([
                "server",
                "--log-format",
                "json",
                "--http-addr",
                "127.0.0.1:0",
                "--dns-addr",
                "127.0.0.1:0",
            ])
            .args(["--proxy-addr", "127.0.0.1:0", "--data-dir", &folder.join("data").display().to_string()])
            .args(["--oncall-file", &plan.display().to_string()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = tokio::io::BufReader::new(child.stderr.take().context("stderr")?).lines();
        let mut api = None;
        while let Some(line) = lines.next_line().await? {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "wharf is ready" {
                api = line["http"].as_str().map(|http| format!("http://{http}"));
                break;
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self { child, api: api.context("wharf did not become ready")?, client: reqwest::Client::new() })
    }

    async fn is_up(&self, service: &str) -> bool {
        let url = format!("{}/ui/api/services/{service}", self.api);
        let Ok(answer) = self.client.get(url).send().await else {
            return false;
        };
        answer.json::<Value>().await.is_ok_and(|page| page["row"]["state"] == "up")
    }
}

/// A container; removed when dropped.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "-f", &self.0]);
    }
}

fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().context("docker")?;
    ensure!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn image(folder: &Path) -> anyhow::Result<()> {
    let root = folder.join("root");
    std::fs::create_dir_all(&root)?;
    let busybox: Vec<PathBuf> = ["/bin/busybox", "/usr/bin/busybox"].iter().map(PathBuf::from).collect();
    let busybox =
        busybox.iter().find(|path| path.is_file()).context("there is no busybox on this machine")?;
    std::fs::copy(busybox, root.join("busybox"))?;
    let archive = folder.join("image.tar").display().to_string();
    let packed = Command::new("tar").arg("-C").arg(&root).args(["-cf", &archive, "."]).status()?;
    ensure!(packed.success(), "tar failed");
    docker(&["import", &archive, IMAGE]).map(drop)
}

/// From the death of a container's process to its page.
async fn kill_one(wharf: &Wharf, phone: &mut Phone, service: &str) -> anyhow::Result<Duration> {
    let label = format!("SERVICE_NAME={service}");
    let run = ["run", "-d", "--name", service, "--label", &label, "-p", "127.0.0.1::80", IMAGE];
    docker(&[&run[..], &["/busybox", "httpd", "-f", "-p", "80"]].concat())?;
    let container = Container(service.to_owned());
    let deadline = Instant::now() + PATIENCE;
    while !wharf.is_up(service).await {
        ensure!(Instant::now() < deadline, "{service} does not come up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let process = docker(&["inspect", "--format", "{{.State.Pid}}", &container.0])?;
    let killed = Instant::now();
    ensure!(Command::new("kill").args(["-9", &process]).status()?.success(), "cannot kill {process}");
    Ok(phone.rings(1, service).await? - killed)
}

/// From a request with many alerts to the last page; when that is measured, they are over.
async fn flood(wharf: &Wharf, phone: &mut Phone, count: usize, round: usize) -> anyhow::Result<Duration> {
    let about = format!("flood-{round}");
    let body = |over: bool| {
        let alert = |number: usize| {
            let labels = json!({ "alertname": about, "host": format!("h{number}") });
            match over {
                false => json!({ "labels": labels }),
                true => {
                    json!({ "labels": labels, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z" })
                }
            }
        };
        serde_json::to_vec(&(0..count).map(alert).collect::<Vec<_>>())
    };
    let post = |body| wharf.client.post(format!("{}/api/v2/alerts", wharf.api)).body(body).send();
    let request = post(body(false)?);
    let begun = Instant::now();
    let (answer, last) = tokio::join!(async { (request.await, begun.elapsed()) }, phone.rings(count, &about));
    ensure!(answer.0?.status().is_success(), "the alerts were refused");
    println!("  kept and answered after {:.1?}", answer.1);
    ensure!(post(body(true)?).await?.status().is_success(), "their end was refused");
    Ok(last? - begun)
}

impl Drop for Wharf {
    fn drop(&mut self) {
        let _ = self.child.start_kill();
    }
}
