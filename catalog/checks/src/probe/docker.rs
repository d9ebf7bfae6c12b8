//! A Docker check: a command in a container. Exit code 0 passes, 1 warns, all else is critical.
//!
//! The command is run as it stands; a check's shell is for Consul's old one-line scripts, which are not
//! taken. At the timeout the check is critical; the engine has no way to end the command, so it runs on.

use std::{error::Error as _, sync::OnceLock};

use bollard::{
    Docker,
    container::LogOutput,
    errors::Error,
    exec::{StartExecOptions, StartExecResults},
    models::ExecConfig,
};
use futures_util::StreamExt;
use tokio::time::timeout_at;

use super::{Answer, Limits, Tail};

/// Where the engine is, when nothing else is said.
const LOCAL: &str = "unix:///var/run/docker.sock";

/// The way to the engine, found when first needed. Every request is a connection of its own.
#[derive(Debug, Default)]
pub(super) struct Engine {
    host: Option<String>,
    docker: OnceLock<Docker>,
}

impl Engine {
    /// `host` as configured; `DOCKER_HOST` or the local socket otherwise.
    pub(super) fn new(host: Option<String>) -> Self {
        Self { host, docker: OnceLock::new() }
    }

    fn connect(&self) -> Result<&Docker, String> {
        if let Some(docker) = self.docker.get() {
            return Ok(docker);
        }
        let said = |host: &String| !host.is_empty();
        let host = self.host.clone().filter(said).or_else(|| std::env::var("DOCKER_HOST").ok().filter(said));
        let host = host.unwrap_or_else(|| LOCAL.to_owned());
        let docker = Docker::connect_with_host(&host)
            .map_err(|error| format!("no Docker engine at `{host}`: {}", reason(&error)))?;
        Ok(self.docker.get_or_init(|| docker))
    }
}

pub(super) async fn run(engine: &Engine, container: &str, args: &[String], limits: Limits) -> Answer {
    let mut tail = limits.tail();
    match timeout_at(limits.deadline(), execute(engine, container, args, &mut tail)).await {
        Ok(Ok(code)) => Answer::of_command(code, tail.told(), limits.begun),
        Ok(Err(reason)) => Answer::critical(reason),
        Err(_) => {
            let (timeout, output) = (limits.timeout, tail.told());
            let gap = if output.is_empty() { "" } else { "\n\n" };
            Answer::critical(format!("Timed out ({timeout:?}) running check{gap}{output}"))
        }
    }
}

/// Runs the command to its end; its exit code.
async fn execute(
    engine: &Engine,
    container: &str,
    args: &[String],
    tail: &mut Tail,
) -> Result<Option<i64>, String> {
    if !is_name(container) {
        return Err(format!("`{container}` is no id or name of a container"));
    }
    if args.is_empty() {
        return Err("need an executable to run".to_owned());
    }
    let docker = engine.connect()?;
    let wanted = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(args.to_vec()),
        ..ExecConfig::default()
    };
    let created = docker.create_exec(container, wanted).await;
    let exec = created
        .map_err(|error| format!("create exec failed for container {container}: {}", reason(&error)))?
        .id;
    let failed = |error: Error| format!("start exec failed for container {container}: {}", reason(&error));
    let started = docker.start_exec(&exec, None::<StartExecOptions>).await.map_err(failed)?;
    if let StartExecResults::Attached { mut output, .. } = started {
        while let Some(piece) = output.next().await {
            tail.write(piece.map(LogOutput::into_bytes).map_err(failed)?.as_ref());
        }
    }
    let inspected = docker.inspect_exec(&exec).await;
    let inspected = inspected
        .map_err(|error| format!("inspect exec failed for container {container}: {}", reason(&error)))?;
    Ok(inspected.exit_code)
}

/// The name becomes part of a path: nothing but what the engine allows in one.
fn is_name(container: &str) -> bool {
    let mut letters = container.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphanumeric())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || b"_.-".contains(&letter))
}

fn reason(error: &Error) -> String {
    match (error, error.source()) {
        (Error::DockerResponseServerError { message, .. }, _) => message.trim().to_owned(),
        (_, Some(source)) => format!("{error}: {source}"),
        _ => error.to_string(),
    }
}
