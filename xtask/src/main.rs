//! Developer commands: `cargo xtask setup | demo | test | conformance`.
//!
//! This file reads the command line and nothing else; each command is a module. Everything a command starts is
//! held by a guard that ends it again, whichever way the command leaves.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool talks to a person on a terminal"
)]

mod cli;
mod conformance;
mod demo;
mod docker;
mod fleet;
mod http;
mod image;
mod process;
mod project;
mod server;
mod setup;
mod test;
mod wait;

use std::process::ExitCode;

use cli::Request;
use project::Project;
use wait::Interrupt;

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args_os().skip(1)) {
        Ok(request) => request,
        Err(error) => {
            eprintln!("error: {error}\n\n{}", cli::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(request) {
        Ok(code) => code,
        Err(error) if error.is::<wait::Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(request: Request) -> anyhow::Result<ExitCode> {
    if let Request::Help = request {
        println!("{}", cli::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    let project = Project::locate()?;
    let interrupt = Interrupt::install()?;
    match request {
        Request::Help => Ok(ExitCode::SUCCESS),
        Request::Setup(purpose) => setup::run(&project, purpose),
        Request::Test { filter } => test::run(&project, filter.as_deref(), &interrupt),
        Request::Conformance(options) => conformance::run(&project, &options, &interrupt),
        Request::Demo(options) => demo::run(&project, &options, &interrupt),
    }
}
