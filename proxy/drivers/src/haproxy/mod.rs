//! HAProxy: server slots, set at runtime through its command socket; reloads for new services only.
//!
//! The running process is the truth: what it has is read from it, and only what differs is said. The file follows,
//! so that whoever restarts HAProxy gets what ran. Across a reload the listening sockets and the servers' state
//! are handed from one process to the next.

pub mod plan;
pub mod render;
mod socket;
pub mod state;

use std::{path::Path, time::Duration};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use wharf_publish::{Attributes, Destination, run_command};

use self::{
    plan::{Actual, Plan, plan},
    render::{Beside, render, structure},
    socket::Socket,
};
use crate::{
    balancer::{Balancer, Done, DriverError, shortened},
    blocking,
    config::Haproxy,
    routes::Routes,
};

/// Longest run of HAProxy's checker.
const LIMIT: Duration = Duration::from_secs(30);
/// The new process has this long to answer.
const RELOAD: Duration = Duration::from_secs(15);
/// A reload that shows nothing for this long may not have been heard; twice as long the next time, for a large
/// configuration takes its time.
const HEARD: Duration = Duration::from_millis(500);
/// What HAProxy is known to have is read again after this long: somebody else may have spoken to it.
const TRUSTED: Duration = Duration::from_secs(4);

pub(crate) struct Driver {
    config: Haproxy,
    beside: Beside,
    socket: Socket,
    shutdown: CancellationToken,
    /// What it had when last looked at.
    seen: Option<(Actual, Instant)>,
    /// What stands in the files, as far as we wrote them.
    files: Option<Files>,
    /// The structure that the running process has read, if we know.
    running: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Files {
    config: String,
    map: String,
}

impl Driver {
    pub(crate) fn new(config: Haproxy, shutdown: CancellationToken) -> Self {
        let (beside, socket) = (Beside::of(&config), Socket::new(config.socket.clone()));
        Self { config, beside, socket, shutdown, seen: None, files: None, running: None }
    }

    /// What the running process has, not older than [`TRUSTED`].
    async fn actual(&mut self) -> Result<Actual, DriverError> {
        if let Some((actual, at)) = &self.seen
            && at.elapsed() < TRUSTED
        {
            return Ok(actual.clone());
        }
        let actual = self.socket.actual(&self.beside.map).await?;
        self.seen = Some((actual.clone(), Instant::now()));
        Ok(actual)
    }

    /// Says the commands, and looks whether they took.
    async fn say(&mut self, plan: &Plan, routes: &Routes) -> Result<(), DriverError> {
        if plan.commands.is_empty() {
            return Ok(());
        }
        // Until we have looked again, nothing is known.
        let seen = self.seen.take();
        let answers = self.socket.say(&plan.commands).await?;
        let (mut actual, at) = seen.unwrap_or_else(|| (Actual::default(), Instant::now()));
        for name in &plan.touched {
            actual.layout.extend(self.socket.backend(name).await?.layout);
        }
        let map = self.socket.ask(&format!("show map {}", self.beside.map)).await?;
        actual.routed = state::routed(&map);
        if let Some(command) = plan.undone(&actual, routes) {
            let answer = shortened(&answers.concat());
            return Err(DriverError::Refused { program: "HAProxy", command, answer });
        }
        self.seen = Some((actual, at));
        Ok(())
    }

    async fn files(&self, plan: &Plan, routes: &Routes) -> Result<Files, DriverError> {
        let extra = match self.config.extra.clone() {
            None => String::new(),
            Some(path) => {
                let shown = path.display().to_string();
                blocking(move || std::fs::read_to_string(path))
                    .await?
                    .map_err(|source| DriverError::Read { path: shown, source })?
            }
        };
        Ok(Files { config: render(&self.config, &plan.layout, &extra), map: render::map(routes) })
    }

    /// Writes what differs. What more than addresses changed in is checked by HAProxy before.
    async fn write(&mut self, files: Files, check: bool, way_back: bool) -> Result<Destination, DriverError> {
        let (path, beside, new) = (self.config.config.clone(), self.beside.clone(), files.clone());
        let (destination, differs) = blocking(move || {
            let destination = Destination::new(&path, &Attributes::default())?;
            let differs = destination.current()?.as_deref() != Some(new.config.as_bytes());
            let map = Destination::new(Path::new(&beside.map), &Attributes::default())?;
            if map.current()?.as_deref() != Some(new.map.as_bytes()) {
                map.stage(new.map.as_bytes())?;
                map.publish(false)?;
            }
            if !Path::new(&beside.state).exists() {
                let state = Destination::new(Path::new(&beside.state), &Attributes::default())?;
                // The format's version, and nothing yet.
                state.stage(b"1\n")?;
                state.publish(false)?;
            }
            if differs {
                destination.stage(new.config.as_bytes())?;
            }
            Ok::<_, DriverError>((destination, differs))
        })
        .await??;
        if differs {
            if check {
                self.check(&destination).await?;
            }
            let moved = destination.clone();
            blocking(move || moved.publish(way_back)).await??;
        }
        self.files = Some(files);
        Ok(destination)
    }

    async fn check(&self, destination: &Destination) -> Result<(), DriverError> {
        let candidate = destination.candidate().to_owned();
        let argv = [
            self.config.program.display().to_string(),
            "-c".to_owned(),
            "-f".to_owned(),
            candidate.display().to_string(),
        ];
        let checked = run_command(&argv, LIMIT, &self.shutdown).await;
        checked.map(|_| ()).map_err(|source| DriverError::Check { candidate, source })
    }

    /// The master process, if it lives.
    async fn master(&self) -> Option<Pid> {
        let path = self.config.pid_file.clone();
        let text = blocking(move || std::fs::read_to_string(path)).await.ok()?.ok()?;
        let pid = text.split_whitespace().next()?.parse().ok().and_then(Pid::from_raw)?;
        test_kill_process(pid).is_ok().then_some(pid)
    }

    async fn reload(&mut self, files: Files) -> Result<(), DriverError> {
        let structure = structure(&files.config);
        self.files = None;
        let destination = self.write(files, true, true).await?;
        let Some(master) = self.master().await else {
            let reason = format!("no process as in `{}`", self.config.pid_file.display());
            return Err(DriverError::NotRunning { program: "HAProxy", reason });
        };
        let before = self.socket.pid().await.ok().flatten();
        if before.is_some() {
            self.hand_over().await?;
        }
        (self.seen, self.running) = (None, None);
        // HAProxy checks the file itself; a no leaves the old process in charge.
        if self.replace_worker(master, before).await {
            self.running = Some(structure);
            return Ok(destination.confirm()?);
        }
        let rolled_back = destination.roll_back()?;
        self.files = None;
        let reason = format!("no new process answered within {RELOAD:?}; HAProxy's log says why");
        Err(DriverError::Reload { reason, rolled_back })
    }

    /// Writes the servers' state for the next process.
    async fn hand_over(&self) -> Result<(), DriverError> {
        let (text, path) = (self.socket.state().await?, self.beside.state.clone());
        blocking(move || {
            let state = Destination::new(Path::new(&path), &Attributes::default())?;
            state.stage(text.as_bytes())?;
            Ok(state.publish(false)?)
        })
        .await?
    }

    /// Has the master put a new worker in the place of `before`. It does not hear the signal while it starts
    /// itself anew, at its own start and after every reload: it is told again until somebody else answers.
    async fn replace_worker(&self, master: Pid, before: Option<u32>) -> bool {
        let (deadline, mut patience) = (Instant::now() + RELOAD, HEARD);
        while Instant::now() < deadline && !self.shutdown.is_cancelled() {
            if kill_process(master, Signal::USR2).is_err() {
                return false;
            }
            if self.answers_anew(before, deadline.min(Instant::now() + patience)).await {
                return true;
            }
            patience *= 2;
        }
        false
    }

    async fn answers_anew(&self, before: Option<u32>, deadline: Instant) -> bool {
        while Instant::now() < deadline && !self.shutdown.is_cancelled() {
            let now = self.socket.pid().await.ok().flatten();
            if now.is_some() && now != before {
                return true;
            }
            sleep(Duration::from_millis(3)).await;
        }
        false
    }

    /// Was a file put in place that no process is known to have read?
    async fn owes_reload(&self) -> Result<bool, DriverError> {
        let path = self.config.config.clone();
        blocking(move || Ok(Destination::new(&path, &Attributes::default())?.owes_reload())).await?
    }

    /// Does the running process have the structure of the file? What it read before we came is what stands there.
    async fn same_structure(&mut self, wanted: &str) -> bool {
        if self.running.is_none() {
            let path = self.config.config.clone();
            let there = blocking(move || std::fs::read_to_string(path)).await;
            self.running = there.ok().and_then(Result::ok).map(|text| structure(&text));
        }
        self.running.as_deref() == Some(wanted)
    }
}

/// The plan with what the settings say.
fn plan_for(actual: &Actual, routes: &Routes, config: &Haproxy, beside: &Beside) -> Plan {
    plan(actual, routes, config.slots, &beside.map)
}

impl Balancer for Driver {
    const NAME: &'static str = "haproxy";

    fn file(&self) -> &Path {
        &self.config.config
    }

    async fn apply(&mut self, routes: &Routes, may_reload: bool) -> Result<Done, DriverError> {
        let actual = match self.actual().await {
            Ok(actual) => Some(actual),
            // A process of somebody else's configuration may live without our socket: a reload brings ours.
            Err(_) if self.master().await.is_some() => None,
            Err(error) => {
                let plan = plan_for(&Actual::default(), routes, &self.config, &self.beside);
                let files = self.files(&plan, routes).await?;
                if self.files.as_ref() != Some(&files) {
                    self.write(files, true, false).await?;
                }
                return Err(error);
            }
        };
        let plan = plan_for(&actual.unwrap_or_default(), routes, &self.config, &self.beside);
        self.say(&plan, routes).await?;
        let commands = u64::try_from(plan.commands.len()).unwrap_or(u64::MAX);
        let files = self.files(&plan, routes).await?;
        let owes = self.owes_reload().await?;
        if !plan.reload && !owes && self.same_structure(&structure(&files.config)).await {
            if self.files.as_ref() != Some(&files) {
                self.write(files, false, false).await?;
            }
            return Ok(Done { commands, ..Done::default() });
        }
        if !may_reload {
            return Ok(Done { commands, waits: true, ..Done::default() });
        }
        self.reload(files).await?;
        // What the new process took from its files and from its predecessor is compared with what it should be.
        let actual = self.actual().await?;
        let plan = plan_for(&actual, routes, &self.config, &self.beside);
        self.say(&plan, routes).await?;
        Ok(Done { commands, reloaded: true, ..Done::default() })
    }
}
