//! Sends a signal to a process or to a container, and says who was not there.

use std::{fs, io, path::PathBuf, time::Duration};

use bollard::{Docker, errors::Error, query_parameters::KillContainerOptionsBuilder};
use rustix::process::{Pid, kill_process, test_kill_process};
use tokio::time::timeout;

use crate::config::{SignalName, Target};

/// How long the Docker engine may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nobody got the signal.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// Is the program running, does it write its pid file there?
    #[error("cannot tell from `{path}` which process to signal: {reason}; is the program running?", path = .path.display())]
    PidFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Is it running, and ours to signal?
    #[error("cannot send {signal} to process {pid}: {source}")]
    Process {
        /// The signal.
        signal: SignalName,
        /// The process.
        pid: i32,
        /// What the system said.
        source: io::Error,
    },
    /// Is it running, and the engine within reach?
    #[error("cannot send {signal} to container `{container}`: {reason}")]
    Container {
        /// The signal.
        signal: SignalName,
        /// Its name.
        container: String,
        /// What the engine said.
        reason: String,
    },
}

/// Sends the signal.
///
/// # Errors
/// When nobody can have got it.
pub async fn send(target: &Target) -> Result<(), SignalError> {
    match target {
        Target::Pid(signal, pid) => to_process(*signal, *pid),
        Target::PidFile(signal, path) => {
            let wrong = |reason: String| SignalError::PidFile { path: path.clone(), reason };
            let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
            let pid = text.trim().parse::<i32>().ok().filter(|pid| *pid > 0);
            to_process(*signal, pid.ok_or_else(|| wrong("no number stands in it".to_owned()))?)
        }
        Target::Container(signal, name) => to_container(*signal, name).await,
    }
}

fn to_process(signal: SignalName, pid: i32) -> Result<(), SignalError> {
    let failed = |source| SignalError::Process { signal, pid, source };
    let process = Pid::from_raw(pid).ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
    test_kill_process(process)
        .and_then(|()| kill_process(process, signal.signal()))
        .map_err(|error| failed(error.into()))
}

async fn to_container(signal: SignalName, name: &str) -> Result<(), SignalError> {
    let failed = |reason: String| SignalError::Container { signal, container: name.to_owned(), reason };
    let docker = Docker::connect_with_defaults().map_err(|error| failed(error.to_string()))?;
    let options = KillContainerOptionsBuilder::new().signal(&signal.to_string()).build();
    match timeout(PATIENCE, docker.kill_container(name, Some(options))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Error::DockerResponseServerError { message, .. })) => Err(failed(message)),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("the Docker engine did not answer within {PATIENCE:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[tokio::test]
    async fn the_process_of_a_pid_file_gets_the_signal() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let mut child = tokio::process::Command::new("sleep").arg("600").spawn().unwrap();
        fs::write(&file, format!("{}\n", child.id().unwrap())).unwrap();
        send(&Target::PidFile(SignalName::TERM, file.clone())).await.unwrap();
        assert_eq!(child.wait().await.unwrap().signal(), Some(15));
        let error = send(&Target::PidFile(SignalName::TERM, file)).await.unwrap_err();
        assert!(matches!(error, SignalError::Process { .. }), "{error}");
    }

    #[tokio::test]
    async fn a_pid_file_without_a_pid_signals_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        for text in ["", "-1", "0", "abc"] {
            fs::write(&file, text).unwrap();
            let error = send(&Target::PidFile(SignalName::TERM, file.clone())).await.unwrap_err();
            assert!(error.to_string().contains("is the program running"), "{error}");
        }
    }
}
