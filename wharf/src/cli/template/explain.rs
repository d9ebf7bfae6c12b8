//! `wharf template explain`: asks a running wharf why a file says what it says.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use wharf_template::explain::{Explanation, Upstream};

use crate::cli::output;

/// How to ask.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// File that a template writes, or the template's name; all of them without it
    destination: Option<PathBuf>,
    /// Where the running wharf tells it: its HTTP address, or the --status-addr of `wharf template`
    #[arg(long, env = "WHARF_STATUS_ADDR", value_name = "IP:PORT", default_value = "127.0.0.1:8500")]
    addr: SocketAddr,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    output: output::Output,
}

/// Prints what there is to say. Exit status 4: no template writes that file.
pub(super) async fn run(args: ExplainArgs) -> anyhow::Result<ExitCode> {
    let url = format!("http://{}/wharf/v1/templates", args.addr);
    let answer = reqwest::get(&url).await.with_context(|| {
        format!("no running wharf tells at `{}`: name its address with --addr", args.addr)
    })?;
    if !answer.status().is_success() {
        bail!("`{url}` answered {}: is that a wharf that runs templates?", answer.status());
    }
    let mut all: Vec<Explanation> = answer.json().await.context("the answer makes no sense")?;
    if let Some(wanted) = &args.destination {
        let absolute = std::path::absolute(wanted).unwrap_or_else(|_| wanted.clone());
        all.retain(|one| {
            let destination = std::path::absolute(&one.status.destination);
            destination.is_ok_and(|path| path == absolute)
                || wanted.as_os_str() == one.status.template.as_str()
        });
        if all.is_empty() {
            output::complain(&format!("wharf: no template writes `{}`", wanted.display()));
            return Ok(ExitCode::from(4));
        }
    }
    let text = match args.output {
        output::Output::Json => output::json(&all)?,
        output::Output::Table => all.iter().map(explanation).collect::<Vec<_>>().join("\n"),
    };
    output::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn explanation(one: &Explanation) -> String {
    let status = &one.status;
    let mut text = format!(
        "{} (template {})\n{}: {}\n",
        output::printable(&status.destination.to_string_lossy()),
        output::printable(&status.template),
        format!("{:?}", status.condition).to_lowercase(),
        output::printable(&status.reason),
    );
    if let Some(outage) = &one.outage {
        text.push_str(&format!("catalog: {}\n", output::printable(outage)));
    }
    text.push_str(&format!("depends on {} answers\n", status.dependencies));
    for upstream in &one.upstreams {
        text.push_str(&format!("\n{}\n", output::printable(&upstream.query)));
        text.push_str(&instances(upstream));
    }
    let events: Vec<_> = status
        .events
        .iter()
        .map(|event| {
            let took = event.milliseconds.map(|ms| format!("{ms} ms")).unwrap_or_default();
            [time(event.at.0), took, event.what.clone()]
        })
        .collect();
    if !events.is_empty() {
        text.push_str(&format!("\n{}", output::table(["WHEN", "TOOK", "WHAT"], &events)));
    }
    for note in &status.notes {
        text.push_str(&format!("note: {}\n", output::printable(note)));
    }
    text
}

fn instances(upstream: &Upstream) -> String {
    if upstream.instances.is_empty() {
        return "  no instances\n".to_owned();
    }
    let rows: Vec<_> = upstream
        .instances
        .iter()
        .map(|it| {
            let place = if it.included { "in" } else { "out" };
            [place.to_owned(), it.id.clone(), it.node.clone(), it.address.clone(), it.reason.clone()]
        })
        .collect();
    output::table(["", "ID", "NODE", "ADDRESS", "WHY"], &rows)
}

fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |at| format!("{at:.3}"))
}
