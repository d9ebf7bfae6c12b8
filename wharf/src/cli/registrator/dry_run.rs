//! `wharf registrator --dry-run`: what would be registered, and why.

use std::process::ExitCode;

use wharf_catalog_http::client::Client;
use wharf_registrator::{
    Config, Remote,
    explain::{Explained, explain},
    registry::{Registry, remote::Mode},
};

use crate::cli::output::{self, Output};

/// Looks, compares with the catalog if that answers, and prints.
pub(super) async fn print(
    config: &Config,
    client: Client,
    mode: Mode,
    how: Output,
) -> anyhow::Result<ExitCode> {
    let registry = Remote::new(client, mode, config.node.clone(), config.advertise_addr);
    let held = registry.snapshot().await;
    if let Err(error) = &held {
        output::complain(&format!("wharf: not compared with the catalog: {error}"));
    }
    let held = held.ok().map(|held| held.state);
    let explained = explain(config, registry.is_local(), held.as_deref()).await?;
    let text = match how {
        Output::Json => output::json(&explained)?,
        Output::Table => table(&explained),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table(explained: &Explained) -> String {
    let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let rows: Vec<_> = explained
        .rows
        .iter()
        .map(|row| {
            [
                or_dash(&row.container),
                or_dash(&row.port),
                row.action.clone(),
                or_dash(&row.service),
                or_dash(&row.id),
                or_dash(&row.address),
                or_dash(&row.checks.join(", ")),
                row.because.clone(),
            ]
        })
        .collect();
    let heading = ["CONTAINER", "PORT", "ACTION", "SERVICE", "ID", "ADDRESS", "CHECKS", "WHY"];
    let mut text = output::table(heading, &rows);
    for complaint in &explained.complaints {
        text.push_str(&format!("warning: {}\n", output::printable(complaint)));
    }
    text
}
