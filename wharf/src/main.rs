//! wharf: wires, balances, watches and pages for fleets of containers without Kubernetes.
//!
//! The binary only wires: [`cli`] says what is asked, [`config`] composes the settings, [`app`] opens
//! the sockets and connects the crates, [`clock`] is the one clock.

mod app;
mod cli;
mod clock;
mod config;
mod echo;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    // TLS clients (webhooks, HTTPS checks) look for the process's one provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run()
}
