//! `wharf template`: renders files from a catalog elsewhere, wharf's or Consul's.

mod explain;
mod flags;
mod settings;
mod status;

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use wharf_template::{
    Config, Rendered, Statuses,
    config::{Process, SignalName},
    dry_run_once, render_once,
};

use super::output;
use crate::{clock, telemetry};

pub(crate) use flags::{TemplateArgs, with_two_dashes};

/// consul-template's exit status for templates that cannot be rendered.
const FAILED: u8 = 14;

/// Runs until it is told to stop; with `--once` until every template is rendered.
pub(super) async fn run(args: TemplateArgs) -> anyhow::Result<ExitCode> {
    if let Some(flags::TemplateCommand::Explain(args)) = args.command {
        return explain::run(args).await;
    }
    let config = settings::resolve(&args)?;
    telemetry::logs_at(config.process.log_level.as_deref())?;
    let mut signals = Signals::listen(&config.process)?;
    let _pid_file = config.process.pid_file.clone().map(PidFile::write).transpose()?;
    if args.once || args.dry {
        return once(&args, &config, &mut signals).await;
    }
    follow(args, config, &mut signals).await
}

async fn once(args: &TemplateArgs, config: &Config, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    let mirror = settings::mirror(&config.catalog)?;
    let stop = CancellationToken::new();
    let clock = clock::system();
    let failed = async {
        if args.dry {
            let rendered = dry_run_once(config, mirror, &clock, &stop).await?;
            return Ok(rendered.iter().filter(|rendered| !print(rendered)).count());
        }
        let outcomes = render_once(config, mirror, &clock, &stop).await?;
        let failures = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err());
        Ok::<_, anyhow::Error>(failures.map(|failure| output::complain(&format!("wharf: {failure}"))).count())
    };
    tokio::select! {
        failed = failed => Ok(ExitCode::from(if failed? == 0 { 0 } else { FAILED })),
        () = signals.stop() => Ok(ExitCode::FAILURE),
    }
}

/// Prints what would be written, as consul-template does; `false`: there is nothing to write.
fn print(rendered: &Rendered) -> bool {
    match &rendered.text {
        Ok(text) => {
            let heading = format!("> {}\n", rendered.destination.display());
            output::print(&heading).and_then(|()| output::print_bytes(text)).is_ok()
        }
        Err(failure) => {
            output::complain(&format!("wharf: {failure}"));
            false
        }
    }
}

async fn follow(args: TemplateArgs, mut config: Config, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    let metrics = telemetry::metrics()?;
    let status_addr = config.process.status_addr;
    let listener = match status_addr {
        Some(address) => Some(status::bind(address).await?),
        None => None,
    };
    let page = status::Page::default();
    let stop_page = CancellationToken::new();
    if let Some(listener) = listener {
        tokio::spawn(status::serve(listener, page.clone(), metrics.clone(), stop_page.clone()));
    }
    tokio::spawn(telemetry::upkeep(metrics, stop_page.clone()));
    loop {
        let stop = CancellationToken::new();
        let (mirror, statuses) = (settings::mirror(&config.catalog)?, Statuses::default());
        page.show(mirror.clone(), statuses.clone());
        info!(catalog = %config.catalog.url(), templates = config.templates.len(), "following");
        let running = wharf_template::run(config.clone(), mirror, clock::system(), statuses, stop.clone());
        let mut running = std::pin::pin!(running);
        let again = tokio::select! {
            ended = &mut running => {
                let status = ended?;
                return Ok(status.map_or(ExitCode::SUCCESS, exit_code));
            }
            told = told(&args, &config, signals) => told,
        };
        stop.cancel();
        let _ = running.await;
        match again {
            Some(new) => config = new,
            None => {
                stop_page.cancel();
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

/// Waits until we are to end (`None`), or are told to read our settings again and they are good and different.
async fn told(args: &TemplateArgs, old: &Config, signals: &mut Signals) -> Option<Config> {
    loop {
        tokio::select! {
            _ = signals.kill.recv() => return None,
            _ = signals.terminate.recv() => return None,
            _ = signals.reload.recv() => {}
        }
        match settings::resolve(args) {
            Ok(new) if new == *old => info!("settings read again, nothing has changed"),
            Ok(new) => {
                info!("settings read again");
                return Some(new);
            }
            Err(error) => error!(error = format!("{error:#}"), "settings not taken over, the old ones stay"),
        }
    }
}

fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// The signals that end us or make us read our settings again.
struct Signals {
    kill: Signal,
    terminate: Signal,
    reload: Signal,
}

impl Signals {
    fn listen(process: &Process) -> anyhow::Result<Self> {
        let listen = |name: SignalName| {
            let kind = SignalKind::from_raw(name.signal().as_raw());
            signal(kind).with_context(|| format!("cannot listen for {name}"))
        };
        Ok(Self {
            kill: listen(process.kill_signal.unwrap_or(SignalName::INT))?,
            terminate: listen(SignalName::TERM)?,
            reload: listen(process.reload_signal.unwrap_or_default())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.kill.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A file with our process id, removed when we end.
struct PidFile(std::path::PathBuf);

impl PidFile {
    fn write(path: std::path::PathBuf) -> anyhow::Result<Self> {
        std::fs::write(&path, format!("{}\n", std::process::id()))
            .with_context(|| format!("cannot write the pid file `{}`", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            warn!(%error, file = %self.0.display(), "pid file not removed");
        }
    }
}
