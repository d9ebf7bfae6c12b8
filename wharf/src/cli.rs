//! What is asked on the command line.
//!
//! Exit codes, the same for every command: 0 done; 1 it failed, the reason is on stderr; 2 the command
//! line is wrong; 3 the named service has no passing instance; 4 there is no such service, incident, user or silence.

mod demo;
mod oncall;
mod output;
mod query;
mod registrator;
mod snapshot;
mod template;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{
    app,
    config::{self, Settings},
    echo, telemetry,
};

/// Wires, balances, watches and pages for fleets of containers without Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 wrong command line; \
3 the named service has no passing instance; 4 no such service, incident, user or silence.";

const RUN_HELP: &str = "\
Tables of the settings file: [checks] [[external]] [dns] [registrator] [template] [proxy] [monitor] [pages] [oncall].
WHARF_LOG says how much is logged: warn, info (as when it is not set), debug, or wharf_proxy=debug,info.
The first Ctrl-C (or SIGTERM) lets requests in flight finish, the second ends at once.";

const SERVER_DATA_DIR: &str =
    "Keep the catalog and the uptime history here; required, here or in the settings file";

const TEMPLATE_HELP: &str = "\
Flags may have one dash, as consul-template's. Files ending in .hbs are Handlebars, all others Go's text/template.
Exit status with --once: 0 everything is rendered; 14 a template failed. Without it, a failed command ends nothing.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything in one process, on loopback, in memory unless --data-dir is given
    #[command(after_help = RUN_HELP)]
    Dev(config::RunArgs),
    /// Run everything in one process and keep it: as dev, with a data directory that has to be named
    #[command(after_help = RUN_HELP, mut_arg("data_dir", |arg| arg.help(SERVER_DATA_DIR)))]
    Server(config::RunArgs),
    /// Save the whole catalog to a file, while wharf runs
    #[command(after_help = snapshot::BACKUP_HELP)]
    Backup(snapshot::BackupArgs),
    /// Put a backup in the place of everything in the catalog, while wharf runs
    #[command(after_help = snapshot::RESTORE_HELP)]
    Restore(snapshot::RestoreArgs),
    /// Register this machine's containers with a wharf or Consul somewhere else
    #[command(after_help = registrator::HELP)]
    Registrator(Box<registrator::RegistratorArgs>),
    /// List services, or the instances of one
    Services(query::ServicesArgs),
    /// List nodes
    Nodes(query::NodesArgs),
    /// Print changes of health as they happen
    Watch(query::WatchArgs),
    /// Render files from a catalog, wharf's or Consul's; takes consul-template's flags and settings
    #[command(after_help = TEMPLATE_HELP)]
    Template(Box<template::TemplateArgs>),
    /// Show availability and response times
    Uptime(query::UptimeArgs),
    /// List incidents, or show one with its timeline
    Incidents(oncall::IncidentsArgs),
    /// Take incidents: paging stops
    #[command(visible_alias = "acknowledge")]
    Ack(oncall::ActArgs),
    /// Say that incidents are over
    Resolve(oncall::ActArgs),
    /// Take incidents until later: paging starts again then
    Snooze(oncall::SnoozeArgs),
    /// Who is on call, who would be paged, whether the configuration is right
    #[command(subcommand)]
    Oncall(oncall::OncallCommand),
    /// Page nobody for what matches; without a matcher, list the silences
    Silence(oncall::SilenceArgs),
    /// Print what happened, and with -f what happens
    Events(oncall::EventsArgs),
    /// Things to show wharf with
    #[command(subcommand)]
    Demo(demo::DemoCommand),
    /// Serve a small HTTP service that says who answered (for demos and tests)
    #[command(hide = true)]
    Echo(echo::EchoArgs),
}

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    match dispatch(Cli::parse_from(template::with_two_dashes(std::env::args_os())).command) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&format!("wharf: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(args) => serve(Settings::resolve(args)?),
        Command::Server(args) => serve(Settings::resolve(args)?.kept()?),
        Command::Backup(args) => runtime()?.block_on(snapshot::backup(args)),
        Command::Restore(args) => runtime()?.block_on(snapshot::restore(args)),
        Command::Registrator(args) => runtime()?.block_on(registrator::registrator(*args)),
        Command::Echo(args) => runtime()?.block_on(echo::run(args)).map(|()| ExitCode::SUCCESS),
        Command::Template(args) => runtime()?.block_on(template::run(*args)),
        Command::Services(args) => runtime()?.block_on(query::services(args)),
        Command::Nodes(args) => runtime()?.block_on(query::nodes(args)),
        Command::Watch(args) => runtime()?.block_on(query::watch(args)),
        Command::Uptime(args) => runtime()?.block_on(query::uptime(args)),
        Command::Incidents(args) => runtime()?.block_on(oncall::incidents(args)),
        Command::Ack(args) => runtime()?.block_on(oncall::acknowledge(args)),
        Command::Resolve(args) => runtime()?.block_on(oncall::resolve(args)),
        Command::Snooze(args) => runtime()?.block_on(oncall::snooze(args)),
        Command::Oncall(command) => runtime()?.block_on(oncall::oncall(command)),
        Command::Silence(args) => runtime()?.block_on(oncall::silence(args)),
        Command::Events(args) => runtime()?.block_on(oncall::events(args)),
        Command::Demo(command) => runtime()?.block_on(demo::run(command)),
    }
}

fn serve(settings: Settings) -> anyhow::Result<ExitCode> {
    telemetry::logs(settings.log_format)?;
    runtime()?.block_on(app::serve(settings)).map(|()| ExitCode::SUCCESS)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the async runtime")
}
