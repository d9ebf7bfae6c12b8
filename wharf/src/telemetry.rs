//! Logs to stderr, metrics for `/metrics`.

use std::{io::IsTerminal, time::Duration};

use anyhow::{Context, anyhow};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing::Level;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterExt, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends log lines of level info and above (`WHARF_LOG` says otherwise) to stderr.
pub(crate) fn logs(format: LogFormat) -> anyhow::Result<()> {
    logs_from(format, "info")
}

/// As [`logs`], from a level on that is named as consul-template names it.
pub(crate) fn logs_at(level: Option<&str>) -> anyhow::Result<()> {
    let least = match level.map(str::to_lowercase).as_deref() {
        None | Some("info" | "notice") => "info",
        Some("trace") => "trace",
        Some("debug") => "debug",
        Some("warn" | "warning") => "warn",
        Some("err" | "error") => "error",
        Some("off" | "none") => "off",
        Some(other) => return Err(anyhow!("no log level `{other}`: use `debug`, `info`, `warn` or `err`")),
    };
    logs_from(LogFormat::Text, least)
}

fn logs_from(format: LogFormat, least: &str) -> anyhow::Result<()> {
    let wanted = std::env::var("WHARF_LOG").unwrap_or_default();
    let filter = match wanted.trim() {
        "" => EnvFilter::new(least),
        // Its cause says the same once more.
        wanted => EnvFilter::try_new(wanted).map_err(|error| anyhow!("WHARF_LOG is `{wanted}`: {error}"))?,
    };
    let filter = filter.and(filter_fn(|line| may_be_told(line.target(), *line.level())));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    Ok(())
}

/// The Docker client prints whole answers at debug: the environments of all containers with them, secrets
/// and all. Those are never told, whatever `WHARF_LOG` asks for.
fn may_be_told(target: &str, level: Level) -> bool {
    level <= Level::INFO || !target.starts_with("bollard")
}

/// Installs the recorder behind every `metrics` call of the process.
pub(crate) fn metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets(&[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        .context("metrics buckets")?
        .install_recorder()
        .context("cannot install the metrics recorder")
}

/// Keeps the recorder's memory bounded until `shutdown`.
pub(crate) async fn upkeep(metrics: PrometheusHandle, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(5));
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        metrics.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_docker_client_reads_is_told_at_no_level() {
        assert!(!may_be_told("bollard::docker", Level::DEBUG) && !may_be_told("bollard", Level::TRACE));
        assert!(may_be_told("bollard", Level::WARN) && may_be_told("wharf_registrator::sync", Level::TRACE));
    }
}
