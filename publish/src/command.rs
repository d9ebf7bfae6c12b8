//! How are the user's commands run? Without a shell, with a time limit, and never to our own harm.
//!
//! A command runs in a process group of its own, so that a signal to us does not cut it short, and so
//! that whatever it started can be killed with it. A command that leaves a daemon behind holding its
//! output open is done when the command itself is.

use std::{io, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Most bytes of output kept: the last ones, where programs say what is wrong.
const KEPT: usize = 2048;
/// How long output may still arrive after the command itself has ended.
const GRACE: Duration = Duration::from_millis(200);

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Is it installed, is it executable?
    #[error("cannot start `{program}`: {source}; is it installed and on the PATH?")]
    Start {
        /// The program named.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It said no.
    #[error("`{command}` failed ({status}): {output}")]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// Make it faster or raise `command_timeout`.
    #[error("`{command}` was killed after {limit:?}; raise `command_timeout` if it needs longer: {output}")]
    TimedOut {
        /// The command line.
        command: String,
        /// The limit it ran into.
        limit: Duration,
        /// The end of what it printed.
        output: String,
    },
    /// We are shutting down.
    #[error("`{0}` was interrupted by the shutdown")]
    Interrupted(String),
}

/// `argv` with `{{candidate}}` and `{{destination}}` filled in.
pub fn fill_in(argv: &[String], candidate: &Path, destination: &Path) -> Vec<String> {
    let (candidate, destination) = (candidate.to_string_lossy(), destination.to_string_lossy());
    argv.iter()
        .map(|word| word.replace("{{candidate}}", &candidate).replace("{{destination}}", &destination))
        .collect()
}

/// Runs `argv` to its end and returns the end of what it printed.
pub async fn run_command(
    argv: &[String],
    limit: Duration,
    shutdown: &CancellationToken,
) -> Result<String, CommandError> {
    let (program, arguments) =
        argv.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| CommandError::Start { program: program.to_owned(), source })?;
    let output = [tail(child.stdout.take()), tail(child.stderr.take())];
    let command = argv.join(" ");
    let ended = tokio::select! {
        ended = timeout(limit, child.wait()) => ended,
        () = shutdown.cancelled() => {
            kill_group(&child);
            return Err(CommandError::Interrupted(command));
        }
    };
    match ended {
        Err(_) => {
            kill_group(&child);
            let output = collect(output).await;
            Err(CommandError::TimedOut { command, limit, output })
        }
        Ok(Err(source)) => Err(CommandError::Start { program: program.to_owned(), source }),
        Ok(Ok(status)) if status.success() => Ok(collect(output).await),
        Ok(Ok(status)) => {
            let output = collect(output).await;
            Err(CommandError::Failed { command, status, output })
        }
    }
}

fn kill_group(child: &Child) {
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(group) = group {
        // It may have ended by itself in this moment.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

type Tail = (JoinHandle<()>, std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

/// Reads everything, so that the writer never blocks, and keeps the end of it.
fn tail(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> Tail {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = kept.clone();
    let task = tokio::spawn(async move {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            let mut kept = into.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            kept.extend_from_slice(&buffer[..read]);
            let excess = kept.len().saturating_sub(KEPT);
            kept.drain(..excess);
        }
    });
    (task, kept)
}

async fn collect(tails: [Tail; 2]) -> String {
    let mut lines = Vec::new();
    for (mut task, kept) in tails {
        if timeout(GRACE, &mut task).await.is_err() {
            task.abort();
        }
        let kept = kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let text = String::from_utf8_lossy(&kept).into_owned();
        let clean =
            |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned();
        lines.extend(text.lines().map(clean).filter(|line| !line.is_empty()));
    }
    if lines.is_empty() {
        return "it printed nothing".to_owned();
    }
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    async fn run(argv: &[String], limit: Duration) -> Result<String, CommandError> {
        run_command(argv, limit, &CancellationToken::new()).await
    }

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn output_of_both_kinds_is_kept_and_shortened_to_its_end() {
        let printed = run(&shell("echo out; echo err >&2"), LONG).await.unwrap();
        assert_eq!(printed, "out; err");
        let printed = run(&shell("yes line | head -n 100000; echo last"), LONG).await.unwrap();
        assert!(printed.ends_with("line; last") && printed.len() < 2 * KEPT);
    }

    #[tokio::test]
    async fn failure_tells_the_command_its_status_and_its_words() {
        let error = run(&shell("echo no such thing >&2; exit 3"), LONG).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no such thing"), "{error}");
        let error = run(&["/no/such/program".to_owned()], LONG).await.unwrap_err().to_string();
        assert!(error.contains("is it installed"), "{error}");
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let error = run(&shell(&script), Duration::from_millis(500)).await.unwrap_err();
        assert!(matches!(error, CommandError::TimedOut { .. }));
        let pid: i32 = std::fs::read_to_string(file).unwrap().trim().parse().unwrap();
        let gone = async {
            let status = format!("/proc/{pid}/stat");
            // Dead and not yet reaped (state Z) is dead as well.
            while std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(LONG, gone).await.expect("the child of the command lives on");
    }

    #[tokio::test]
    async fn a_daemon_left_behind_does_not_hold_us_up() {
        let printed = timeout(LONG, run(&shell("echo started; sleep 30 & echo $!"), LONG)).await;
        let printed = printed.expect("waited for the daemon").unwrap();
        let (_, pid) = printed.rsplit_once("; ").unwrap();
        let pid = Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_shutdown_interrupts_a_command() {
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let ended = timeout(LONG, run_command(&shell("sleep 600"), 2 * LONG, &shutdown)).await;
        assert!(matches!(ended, Ok(Err(CommandError::Interrupted(_)))));
    }

    #[test]
    fn placeholders_are_filled_in_inside_words_too() {
        let argv = ["nginx", "-c{{candidate}}", "{{destination}}"].map(str::to_owned);
        let filled = fill_in(&argv, Path::new("/a/.c"), Path::new("/a/c"));
        assert_eq!(filled, ["nginx", "-c/a/.c", "/a/c"]);
    }
}
