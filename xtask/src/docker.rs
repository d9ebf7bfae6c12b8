//! The Docker engine: is it there, may we start it, what did it say when it would not, and ending it again.
//!
//! An engine that answers is used as it is and left alone. One that we start ends with its guard.

mod remedy;

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::http;
use crate::process::{Background, find, is_root, output, system_path, tail};
use crate::project::Project;
use crate::wait::{self, Interrupt};
use remedy::Attempt;

const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// How long an engine may take until it answers; the first start creates its storage.
const START: Duration = Duration::from_secs(60);

/// How long it gets to end: it ends its containers and containerd first.
const GRACE: Duration = Duration::from_secs(30);

/// An engine that answers, and what we owe it.
pub(crate) enum Engine {
    /// It ran before us; it goes on after us.
    Found,
    /// We started it; dropping this ends it.
    Ours {
        /// The process itself; held for its end.
        _dockerd: Background,
    },
    /// We asked the service manager to start it; dropping this asks it to stop it.
    Service,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Self::Service = self {
            let _ = output(GRACE, "systemctl", &["stop", "docker.service", "docker.socket"]);
        }
    }
}

/// Where the engine listens, as `DOCKER_HOST` says.
#[derive(Debug, PartialEq)]
enum Place {
    Socket(PathBuf),
    Elsewhere(String),
}

impl Place {
    fn from_variable(value: Option<&str>) -> Self {
        match value.filter(|value| !value.is_empty()) {
            None => Self::Socket(DEFAULT_SOCKET.into()),
            Some(value) => match value.strip_prefix("unix://") {
                Some(path) => Self::Socket(path.into()),
                None => Self::Elsewhere(value.to_owned()),
            },
        }
    }
}

/// What came back from asking an engine whether it is there.
#[derive(Debug, PartialEq)]
enum Reach {
    Answers,
    Silent,
    Denied,
}

/// Returns an engine that answers, starting one where that is possible.
pub(crate) fn ensure(project: &Project, interrupt: &Interrupt) -> anyhow::Result<Engine> {
    let variable = std::env::var("DOCKER_HOST").ok();
    let socket = match Place::from_variable(variable.as_deref()) {
        Place::Socket(socket) => socket,
        Place::Elsewhere(host) => {
            output(Duration::from_secs(10), "docker", &["version"])
                .with_context(|| format!("no Docker engine answers at DOCKER_HOST=`{host}`"))?;
            return Ok(Engine::Found);
        }
    };
    match reach(&socket) {
        Reach::Answers => Ok(Engine::Found),
        Reach::Denied => bail!(
            "this user may not use the Docker engine at `{}`; run `sudo usermod -aG docker $USER` and log in again",
            socket.display()
        ),
        Reach::Silent if is_root() => start(project, &socket, interrupt),
        Reach::Silent => bail!(
            "no Docker engine answers at `{}` and only root may start one; run `sudo dockerd` in another terminal",
            socket.display()
        ),
    }
}

/// Whether an engine answers where `DOCKER_HOST` points, so that nothing needs to be installed.
pub(crate) fn answers() -> bool {
    match Place::from_variable(std::env::var("DOCKER_HOST").ok().as_deref()) {
        Place::Socket(socket) => reach(&socket) == Reach::Answers,
        Place::Elsewhere(_) => true,
    }
}

fn reach(socket: &Path) -> Reach {
    let stream = match UnixStream::connect(socket) {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Reach::Denied,
        Err(_) => return Reach::Silent,
    };
    let patience = Some(Duration::from_secs(5));
    let prepared = stream.set_read_timeout(patience).and(stream.set_write_timeout(patience));
    let answer = prepared.ok().and_then(|()| http::exchange(stream, "docker", "/_ping"));
    if answer.is_some_and(|answer| answer.status == 200) { Reach::Answers } else { Reach::Silent }
}

fn start(project: &Project, socket: &Path, interrupt: &Interrupt) -> anyhow::Result<Engine> {
    if socket == Path::new(DEFAULT_SOCKET) && Path::new("/run/systemd/system").is_dir() {
        println!("starting the Docker service");
        output(START, "systemctl", &["start", "docker.service"]).context("cannot start Docker")?;
        let engine = Engine::Service;
        return match wait::until(START, interrupt, || (reach(socket) == Reach::Answers).then_some(()))? {
            Some(()) => Ok(engine),
            None => bail!("the Docker service started but does not answer; see `journalctl -u docker`"),
        };
    }
    let log = project.state("dockerd.log");
    remedy::mount_cgroups()?;
    let mut attempt = Attempt::default();
    println!("starting the Docker engine (log: {})", log.display());
    loop {
        let Some(dockerd) = try_start(project, socket, &log, attempt, interrupt)? else {
            let said = tail(&log, 200);
            attempt = attempt.next(&said).with_context(|| {
                format!("dockerd does not start; the end of `{}`:\n{}", log.display(), tail(&log, 6))
            })?;
            println!("dockerd did not start; trying again {attempt}");
            continue;
        };
        return Ok(Engine::Ours { _dockerd: dockerd });
    }
}

/// Starts dockerd once; `None` when it ended by itself.
fn try_start(
    project: &Project,
    socket: &Path,
    log: &Path,
    attempt: Attempt,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Background>> {
    let program = find("dockerd").context("no `dockerd` here; `cargo xtask setup` installs it")?;
    let mut command = Command::new(program);
    command.env("PATH", attempt.path(project, &system_path())?).args(attempt.flags());
    if socket != Path::new(DEFAULT_SOCKET) {
        command.args(private_flags(socket));
    }
    let mut dockerd = Background::start(command, log, GRACE)?;
    let outcome = wait::until(START, interrupt, || {
        if reach(socket) == Reach::Answers {
            return Some(true);
        }
        dockerd.ended().map(|_| false)
    })?;
    match outcome {
        Some(true) => Ok(Some(dockerd)),
        Some(false) => Ok(None),
        None => bail!(
            "dockerd runs but does not answer after {} s; the end of `{}`:\n{}",
            START.as_secs(),
            log.display(),
            tail(log, 6)
        ),
    }
}

/// An engine on a socket of its own keeps everything of its own beside it, so that it never meets another.
fn private_flags(socket: &Path) -> Vec<String> {
    let beside = |name: &str| format!("{}.d/{name}", socket.display());
    vec![
        format!("--host=unix://{}", socket.display()),
        format!("--data-root={}", beside("data")),
        format!("--exec-root={}", beside("exec")),
        format!("--pidfile={}", beside("pid")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_says_where_the_engine_is() {
        assert_eq!(Place::from_variable(None), Place::Socket(DEFAULT_SOCKET.into()));
        assert_eq!(Place::from_variable(Some("")), Place::Socket(DEFAULT_SOCKET.into()));
        assert_eq!(Place::from_variable(Some("unix:///tmp/d.sock")), Place::Socket("/tmp/d.sock".into()));
        let remote = "tcp://127.0.0.1:2375";
        assert_eq!(Place::from_variable(Some(remote)), Place::Elsewhere(remote.into()));
    }

    #[test]
    fn a_socket_nobody_listens_on_is_silent() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        assert_eq!(reach(&socket), Reach::Silent);
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        assert_eq!(reach(&socket), Reach::Silent, "left behind by a dead engine");
    }

    #[test]
    fn a_private_engine_keeps_everything_beside_its_socket() {
        let flags = private_flags(Path::new("/tmp/a/docker.sock"));
        assert!(flags.contains(&"--data-root=/tmp/a/docker.sock.d/data".to_owned()));
    }
}
