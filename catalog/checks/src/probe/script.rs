//! A script check: a command on this machine. Exit code 0 passes, 1 warns, all else is critical.
//!
//! The command is run as it stands, without a shell (unless it is one), in a process group of its own; at the
//! timeout the whole group is killed, and so is what a command leaves behind that still holds its output.

use std::{
    io::{self, pipe},
    os::fd::OwnedFd,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe::Receiver,
    process::{Child, Command},
    time::timeout_at,
};

use super::{Answer, Limits, Tail, text::io_reason};

pub(super) async fn run(args: &[String], limits: Limits) -> Answer {
    let (mut child, output) = match start(args) {
        Ok(started) => started,
        Err(reason) => return Answer::critical(reason),
    };
    let mut group = Group::of(&child);
    let (mut tail, mut output) = (limits.tail(), Some(output));
    let ended = timeout_at(limits.deadline(), wait(&mut child, &mut output, &mut tail)).await;
    let Ok(ended) = ended else {
        group.kill();
        // Never two runs at the same time: it is gone before the next one may start.
        let _ = child.wait().await;
        return Answer::critical(timed_out(limits.timeout, &tail.told()));
    };
    if output.is_none() {
        // Nobody is left who could write: nothing was left behind, and its number may be somebody else's now.
        group.forget();
    }
    drop(group);
    match ended {
        Ok(status) => Answer::of_command(status.code().map(i64::from), tail.told(), limits.begun),
        Err(error) => Answer::critical(io_reason(&error)),
    }
}

fn timed_out(timeout: Duration, output: &str) -> String {
    let gap = if output.is_empty() { "" } else { "\n\n" };
    format!("Timed out ({timeout:?}) running check{gap}{output}")
}

fn start(args: &[String]) -> Result<(Child, Receiver), String> {
    let [program, arguments @ ..] = args else {
        return Err("need an executable to run".to_owned());
    };
    let spawn = || -> io::Result<_> {
        // One pipe for both, so that what was said first stands first.
        let (reader, writer) = pipe()?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok((child, Receiver::from_owned_fd(OwnedFd::from(reader))?))
    };
    spawn().map_err(|error| format!("exec: {program:?}: {}", io_reason(&error)))
}

/// Reads along until the command has ended. `output` is `None` after it if nobody holds its other end.
async fn wait(
    child: &mut Child,
    output: &mut Option<Receiver>,
    tail: &mut Tail,
) -> io::Result<std::process::ExitStatus> {
    loop {
        tokio::select! {
            () = read(output, tail) => {}
            status = child.wait() => {
                drain(output, tail);
                return status;
            }
        }
    }
}

/// Takes one piece of the output; waits for ever after its end.
async fn read(output: &mut Option<Receiver>, tail: &mut Tail) {
    let Some(receiver) = output else {
        return std::future::pending().await;
    };
    let mut piece = [0; 4096];
    match receiver.read(&mut piece).await {
        Ok(length @ 1..) => tail.write(&piece[..length]),
        _ => *output = None,
    }
}

/// Takes what is there already, but no more than fits in a pipe: somebody left behind may write for ever.
fn drain(output: &mut Option<Receiver>, tail: &mut Tail) {
    let mut piece = [0; 4096];
    for _ in 0..32 {
        let Some(receiver) = output else {
            return;
        };
        match receiver.try_read(&mut piece) {
            Ok(length @ 1..) => tail.write(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            _ => *output = None,
        }
    }
}

/// The processes of one run; killed when dropped, so that a run that is broken off leaves none behind.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    fn kill(&mut self) {
        if let Some(leader) = self.0.take() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
