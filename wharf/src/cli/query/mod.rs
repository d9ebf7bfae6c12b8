//! Questions to a running wharf (services, nodes and watch also to any Consul).

mod uptime;
mod watch;

use std::{collections::BTreeMap, process::ExitCode};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use wharf_catalog::Status;
use wharf_catalog_http::client::{CheckRecord, Client, HealthRecord};

use super::output::{Output, Tone, json, print, table, toned};

pub(super) use uptime::{UptimeArgs, uptime};
pub(super) use watch::{WatchArgs, watch};

/// The named service has no passing instance.
const NONE_PASSING: u8 = 3;
/// There is no such service.
const NO_SUCH_SERVICE: u8 = 4;
/// Questions asked at the same time for a list of services.
const AT_ONCE: usize = 16;

/// Whom to ask, and how to print the answer.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    /// Where wharf answers, IP:PORT or URL
    #[arg(long, env = "WHARF_HTTP_ADDR", value_name = "ADDR", default_value = "127.0.0.1:8500")]
    pub(super) http_addr: String,
    /// Table for people, JSON for programs
    #[arg(long, short, value_enum, default_value_t)]
    pub(super) output: Output,
}

impl Asked {
    pub(super) fn url(&self) -> String {
        let scheme = if self.http_addr.contains("://") { "" } else { "http://" };
        format!("{scheme}{}", self.http_addr.trim_end_matches('/'))
    }

    pub(super) fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::new(&self.url())?)
    }
}

/// Which services to list.
#[derive(Debug, clap::Args)]
pub(super) struct ServicesArgs {
    /// List the instances of this one, and say by the exit code whether any passes
    service: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// Lists services, or the instances of one.
pub(super) async fn services(args: ServicesArgs) -> anyhow::Result<ExitCode> {
    let client = args.asked.client()?;
    match &args.service {
        Some(name) => one_service(&client, name, args.asked.output).await,
        None => all_services(&client, args.asked.output).await,
    }
}

#[derive(Debug, Serialize)]
struct ServiceRow {
    service: String,
    passing: usize,
    instances: usize,
    tags: Vec<String>,
}

async fn all_services(client: &Client, output: Output) -> anyhow::Result<ExitCode> {
    let (_, services): (_, BTreeMap<String, Vec<String>>) = client.services(None).await?;
    let row = |(service, tags): (String, Vec<String>)| async move {
        let (_, instances) = client.health(&service, None).await?;
        let passing = instances.iter().filter(|instance| instance.status() == Status::Passing).count();
        Ok::<_, anyhow::Error>(ServiceRow { service, passing, instances: instances.len(), tags })
    };
    let rows: Vec<ServiceRow> = stream::iter(services).map(row).buffered(AT_ONCE).try_collect().await?;
    let cells = |row: &ServiceRow| {
        let share = format!("{}/{}", row.passing, row.instances);
        let tone = match row.passing {
            0 => Tone::Bad,
            some if some < row.instances => Tone::Warning,
            _ => Tone::Good,
        };
        ([row.service.clone(), share, row.tags.join(",")], tone)
    };
    print(&match output {
        Output::Json => json(&rows)?,
        Output::Table => {
            toned(["SERVICE", "PASSING", "TAGS"], &rows.iter().map(cells).collect::<Vec<_>>(), 1)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Serialize)]
struct InstanceRow {
    id: String,
    node: String,
    address: String,
    port: u16,
    status: Status,
    tags: Vec<String>,
    /// What the worst check says; empty while all pass.
    reason: String,
}

async fn one_service(client: &Client, name: &str, output: Output) -> anyhow::Result<ExitCode> {
    let (_, instances) = client.health(name, None).await?;
    let rows: Vec<InstanceRow> = instances.iter().map(instance_row).collect();
    let cells = |row: &InstanceRow| {
        let address = format!("{}:{}", row.address, row.port);
        let cells = [
            row.id.clone(),
            row.node.clone(),
            address,
            row.status.to_string(),
            row.tags.join(","),
            row.reason.clone(),
        ];
        let tone = match row.status {
            Status::Passing => Tone::Good,
            Status::Warning => Tone::Warning,
            Status::Critical => Tone::Bad,
        };
        (cells, tone)
    };
    let heading = ["INSTANCE", "NODE", "ADDRESS", "STATUS", "TAGS", "REASON"];
    print(&match output {
        Output::Json => json(&rows)?,
        Output::Table if rows.is_empty() => String::new(),
        Output::Table => toned(heading, &rows.iter().map(cells).collect::<Vec<_>>(), 3),
    })?;
    Ok(match rows.iter().map(|row| row.status).min() {
        None => {
            super::output::complain(&format!(
                "wharf: no service `{name}`: `wharf services` lists those there are"
            ));
            ExitCode::from(NO_SUCH_SERVICE)
        }
        Some(Status::Passing) => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(NONE_PASSING),
    })
}

fn instance_row(instance: &HealthRecord) -> InstanceRow {
    let status = instance.status();
    let worst = instance.checks.iter().find(|check| check.status == status && status != Status::Passing);
    InstanceRow {
        id: instance.service.id.clone(),
        node: instance.node.node.clone(),
        address: instance.address().to_owned(),
        port: instance.service.port,
        status,
        tags: instance.service.tags.clone(),
        reason: worst.map(reason).unwrap_or_default(),
    }
}

/// The first line of what a check says for itself.
fn reason(check: &CheckRecord) -> String {
    let text = if check.output.is_empty() { &check.notes } else { &check.output };
    let line = text.lines().next().unwrap_or_default();
    let short: String = line.chars().take(100).collect();
    format!("{}: {short}", check.name)
}

/// How to list nodes.
#[derive(Debug, clap::Args)]
pub(super) struct NodesArgs {
    #[command(flatten)]
    asked: Asked,
}

/// Lists nodes.
pub(super) async fn nodes(args: NodesArgs) -> anyhow::Result<ExitCode> {
    let (_, nodes) = args.asked.client()?.nodes(None).await?;
    print(&match args.asked.output {
        Output::Json => json(&nodes)?,
        Output::Table => {
            let rows: Vec<_> = nodes
                .iter()
                .map(|node| [node.node.clone(), node.address.clone(), node.datacenter.clone()])
                .collect();
            table(["NODE", "ADDRESS", "DATACENTER"], &rows)
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
