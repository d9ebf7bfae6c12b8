//! Other programs: finding them, running them within a time limit, and children that end when we do.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::wait::{self, Interrupt};

/// Whether we may do what only root may.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// PATH with the folders of system programs, which a plain user's PATH (and `su`'s) lacks on Debian.
pub(crate) fn system_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/local/sbin:/usr/sbin:/sbin")
}

/// Looks a program up, system programs included.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    system_path().split(':').map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

/// Runs a program to its end, `limit` at most, and returns what it wrote to stdout; its stderr goes into the error.
pub(crate) fn output(limit: Duration, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = limited(limit, program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{program}`"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{program} {}` failed: {}", arguments.join(" "), reason(output.status, said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command that ends itself after `limit` (coreutils' `timeout`, in the foreground so that Ctrl-C still reaches it).
pub(crate) fn limited(limit: Duration, program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.arg("--foreground").arg(limit.as_secs().to_string()).arg(program);
    command
}

fn reason(status: ExitStatus, said: &str) -> String {
    match (status.code(), said) {
        (Some(124), _) => "it took too long".to_owned(),
        (_, "") => status.to_string(),
        (_, said) => said.to_owned(),
    }
}

/// The last `count` lines of a log, for an error message.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let text =
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A program in the background: its words go to a log, Ctrl-C on our terminal does not reach it, and dropping it
/// ends it, politely first.
pub(crate) struct Background {
    child: Child,
    grace: Duration,
}

impl Background {
    /// Starts `command` with stdout and stderr in `log`. `grace` is how long it gets between SIGTERM and SIGKILL.
    pub(crate) fn start(mut command: Command, log: &Path, grace: Duration) -> anyhow::Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write `{}`", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{}`", command.get_program().to_string_lossy()))?;
        Ok(Self { child, grace })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end, without waiting.
    pub(crate) fn ask_to_end(&mut self) {
        if self.ended().is_none()
            && let Some(pid) = Pid::from_raw(self.child.id().cast_signed())
        {
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.ask_to_end();
        // A second Ctrl-C must not cut the clean-up short, hence an interrupt that never happens.
        let ended = wait::until(self.grace, &Interrupt::default(), || self.child.try_wait().ok().flatten());
        if !matches!(ended, Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A command for a child that must not outlive us even if we are killed: util-linux' `setpriv` asks the kernel to
/// pass the signal on. Where it is missing the child is started as it is.
pub(crate) fn bound_to_us(program: &Path) -> Command {
    match find("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "TERM", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_carries_the_programs_own_words() {
        let error =
            output(Duration::from_secs(20), "sh", &["-c", "echo broken pump >&2; exit 3"]).unwrap_err();
        assert!(error.to_string().ends_with("failed: broken pump"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_said_so() {
        let error = output(Duration::from_secs(1), "sleep", &["600"]).unwrap_err();
        assert!(error.to_string().ends_with("it took too long"), "{error}");
    }

    #[test]
    fn system_programs_are_found_and_others_are_not() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-program-anywhere"), None);
    }

    #[test]
    fn a_background_program_logs_and_ends_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = bound_to_us(Path::new("sh"));
        command.args(["-c", "echo one; echo two; exec sleep 600"]);
        let mut running = Background::start(command, &log, Duration::from_secs(5)).unwrap();
        let spoke = wait::until(Duration::from_secs(20), &Interrupt::default(), || {
            (tail(&log, 1) == "two").then_some(())
        });
        assert_eq!(spoke.unwrap(), Some(()));
        assert!(running.ended().is_none());
        let id = Pid::from_raw(running.id().cast_signed()).unwrap();
        drop(running);
        assert!(rustix::process::test_kill_process(id).is_err(), "it is gone");
    }
}
