//! A program that is run beside the templates: started when all of them are rendered, told of every change,
//! started anew when it ends by itself, ended with us.

use std::{
    collections::HashSet,
    hash::{BuildHasher, Hasher, RandomState},
    process::ExitStatus,
    time::Duration,
};

use metrics::counter;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child, Command},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::worker::{Rendered, sleep_until_or_never};
use crate::{
    config::{Commandline, Exec},
    quiescence::retry_delay,
};

/// Who ran this long was started well.
const SETTLED: Duration = Duration::from_secs(10);

/// Runs the program until `shutdown`, or until it has ended for good; returns how it ended.
pub(super) async fn supervise(
    exec: Exec,
    templates: usize,
    mut rendered: mpsc::UnboundedReceiver<Rendered>,
    shutdown: CancellationToken,
) -> Option<ExitStatus> {
    let mut waiting: HashSet<usize> = (0..templates).collect();
    while !waiting.is_empty() {
        let (number, _) = shutdown.run_until_cancelled(rendered.recv()).await??;
        waiting.remove(&number);
    }
    // What was rendered until now it reads when it starts.
    while rendered.try_recv().is_ok() {}
    let mut supervisor = Supervisor { exec, running: None, failures: 0, start_at: Some(Instant::now()) };
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return supervisor.stop().await,
            () = sleep_until_or_never(supervisor.start_at) => supervisor.start(),
            ended = supervisor.ended() => {
                if let Some(status) = supervisor.after(ended) {
                    return Some(status);
                }
            }
            heard = rendered.recv() => match heard {
                Some((_, true)) => {
                    supervisor.splay(&shutdown).await;
                    while rendered.try_recv().is_ok() {}
                    supervisor.reload().await;
                }
                Some((_, false)) => {}
                None => return supervisor.stop().await,
            },
        }
    }
}

struct Supervisor {
    exec: Exec,
    running: Option<Running>,
    failures: u32,
    start_at: Option<Instant>,
}

struct Running {
    child: Child,
    since: Instant,
}

impl Supervisor {
    fn start(&mut self) {
        self.start_at = None;
        let argv = self.exec.command.argv();
        let Some((program, arguments)) = argv.split_first() else { return };
        let ours = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let started = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.exec.env.of(ours))
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(child) => {
                tracing::info!(%program, pid = child.id(), "program started");
                counter!("wharf_template_child_starts_total").increment(1);
                self.running = Some(Running { child, since: Instant::now() });
            }
            Err(error) => {
                tracing::error!(%program, %error, "program not started, tried again later");
                self.again();
            }
        }
    }

    fn again(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.start_at = Some(Instant::now() + retry_delay(self.failures));
    }

    async fn ended(&mut self) -> Option<ExitStatus> {
        match &mut self.running {
            Some(running) => running.child.wait().await.ok(),
            None => std::future::pending().await,
        }
    }

    /// The program ended by itself; `Some`: for good.
    fn after(&mut self, status: Option<ExitStatus>) -> Option<ExitStatus> {
        let running = self.running.take()?;
        let shown = status.map_or("unknown".to_owned(), |status| status.to_string());
        if !self.exec.restart {
            tracing::info!(status = shown, "program ended");
            return Some(status.unwrap_or_default());
        }
        if running.since.elapsed() >= SETTLED {
            self.failures = 0;
        }
        self.again();
        tracing::warn!(
            status = shown,
            failures = self.failures,
            "program ended by itself, it is started again"
        );
        None
    }

    /// Waits a random while, so that a fleet does not do it all at once.
    async fn splay(&self, shutdown: &CancellationToken) {
        if !self.exec.splay.is_zero() {
            let share = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
            shutdown.run_until_cancelled(sleep(self.exec.splay.mul_f64(share))).await;
        }
    }

    /// Has the program take up changed files.
    async fn reload(&mut self) {
        if self.running.is_none() {
            return;
        }
        match self.exec.reload_signal {
            Some(signal) => {
                tracing::info!(%signal, "program told of the change");
                self.signal(signal.signal());
            }
            None => {
                self.stop().await;
                self.start();
            }
        }
    }

    /// Ends the program: asked first, killed when that takes too long.
    async fn stop(&mut self) -> Option<ExitStatus> {
        self.signal(self.exec.kill_signal.signal());
        let limit = self.exec.kill_timeout;
        let running = self.running.as_mut()?;
        let mut ended = timeout(limit, running.child.wait()).await;
        if ended.is_err() {
            tracing::warn!(?limit, "program did not end when asked, killed");
            self.signal(Signal::KILL);
            ended = Ok(self.running.as_mut()?.child.wait().await);
        }
        self.running = None;
        ended.ok()?.ok()
    }

    /// A line for the shell may have become several processes: all of them get it.
    fn signal(&self, signal: Signal) {
        let pid = self.running.as_ref().and_then(|running| running.child.id());
        let Some(pid) = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) else { return };
        let sent = match (&self.exec.command, signal) {
            (Commandline::Line(_), _) | (_, Signal::KILL) => kill_process_group(pid, signal),
            (Commandline::Words(_), _) => kill_process(pid, signal),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "program not signalled, it has just ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor(splay: Duration) -> Supervisor {
        let exec = Exec { splay, ..Exec::new(Commandline::of(["true"])) };
        Supervisor { exec, running: None, failures: 0, start_at: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_splay_is_random_never_longer_than_asked_and_ends_with_us() {
        let (longest, shutdown) = (Duration::from_secs(60), CancellationToken::new());
        let mut delays = HashSet::new();
        for _ in 0..20 {
            let begun = Instant::now();
            supervisor(longest).splay(&shutdown).await;
            // The clock of tokio counts in whole milliseconds, rounded up.
            assert!(begun.elapsed() <= longest + Duration::from_millis(1));
            delays.insert(begun.elapsed());
        }
        assert!(delays.len() > 10, "{delays:?}");
        let begun = Instant::now();
        supervisor(Duration::ZERO).splay(&shutdown).await;
        shutdown.cancel();
        supervisor(longest).splay(&shutdown).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
