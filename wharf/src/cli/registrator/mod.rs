//! `wharf registrator`: registers the containers of this machine with a wharf or a Consul somewhere else.

mod access;
mod dry_run;
mod old;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wharf_catalog_http::client::Client;
use wharf_registrator::{
    Config, ContainerHealthChecks, DefaultCheck, Deregister, Remote, TcpProbe, Ttl, registry::remote::Mode,
};

use super::output::Output;
use crate::{app::Signals, clock, config, telemetry, telemetry::LogFormat};
use old::Old;

pub(super) const HELP: &str = "\
An existing Registrator command line works as it is after `--`:
  wharf registrator -- -internal -resync 30 consul://localhost:8500
Labels, flags and their old spellings: docs/registrator.md";

/// The flags of `wharf registrator`.
#[derive(Debug, clap::Args)]
pub(crate) struct RegistratorArgs {
    /// Wharf or Consul agent to register with: http://, https:// or unix:// [default: http://127.0.0.1:8500]
    #[arg(long, env = "CONSUL_HTTP_ADDR", value_name = "URL")]
    catalog: Option<String>,
    /// With the agent, which runs the checks; or straight into the catalog, on a node without an agent
    #[arg(long, value_enum, default_value = "agent")]
    catalog_mode: CatalogMode,
    #[command(flatten)]
    credentials: access::Credentials,
    /// Docker engine or Podman, unix:///path or tcp://host:port [default: DOCKER_HOST or the local socket]
    #[arg(long, env = "WHARF_DOCKER_HOST", value_name = "URL")]
    docker_host: Option<String>,
    /// First part of instance ids; entries of that pattern are ours to remove [default: the host's name]
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Node to register on with --catalog-mode catalog [default: the host's name]
    #[arg(long, env = "WHARF_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    /// Address under which this machine's published ports are reached [default: the host's own]
    #[arg(long, env = "WHARF_ADVERTISE_ADDR", value_name = "IP")]
    advertise_addr: Option<IpAddr>,
    /// The advertised address also replaces addresses that ports are bound to
    #[arg(long)]
    advertise_bound: bool,
    /// Register exposed ports at the containers' own addresses
    #[arg(long)]
    internal: bool,
    /// Register only containers that have a SERVICE_NAME
    #[arg(long)]
    explicit: bool,
    /// Register the address in this label of the container (a /mask is cut off)
    #[arg(long, value_name = "LABEL")]
    ip_from_label: Option<String>,
    /// Tags for every service, separated by commas; {{.Config.Hostname}} and the like are filled in
    #[arg(long, value_name = "TAGS")]
    tags: Option<String>,
    /// What happens to the entries of a container whose process ended [default: always]
    #[arg(long, value_name = "always|on-success|never", value_parser = deregister)]
    deregister: Option<Deregister>,
    /// Remove entries of ours without a container at the start, whatever --deregister says
    #[arg(long)]
    cleanup: bool,
    /// Check of a container that asks for none and has no HEALTHCHECK [default: tcp]
    #[arg(long, value_name = "tcp|none", value_parser = default_check)]
    default_check: Option<DefaultCheck>,
    /// Where TCP checks connect to [default: container]
    #[arg(long, value_name = "container|registered", value_parser = tcp_probe)]
    tcp_probe: Option<TcpProbe>,
    /// When a container's HEALTHCHECK decides [default: auto, when no label asks for a check]
    #[arg(long, value_name = "auto|always|never", value_parser = container_health)]
    container_health: Option<ContainerHealthChecks>,
    /// Register checks that run commands (CHECK_CMD, CHECK_SCRIPT); the agent must take them too
    #[arg(long)]
    enable_script_checks: bool,
    /// Give every instance a check that turns critical when we have not renewed it for this long
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    ttl: Option<Duration>,
    /// Time between two renewals [default: a third of --ttl]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, requires = "ttl")]
    ttl_refresh: Option<Duration>,
    /// Time between two full comparisons of what runs with what is registered [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    reconcile_interval: Option<Duration>,
    /// Give up if the catalog does not answer at the start after this many further attempts [default: never]
    #[arg(long, value_name = "N")]
    retry_attempts: Option<u32>,
    /// Time between those attempts
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "2s")]
    retry_interval: Duration,
    /// Print what would be registered, and why, for every container; change nothing
    #[arg(long)]
    dry_run: bool,
    /// How --dry-run prints
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Settings file (TOML); its [registrator] table is used, flags beat it
    #[arg(long, env = "WHARF_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log lines for people or for machines
    #[arg(long, env = "WHARF_LOG_FORMAT", value_enum, default_value = "text")]
    log_format: LogFormat,
    /// Registrator's own flags and address
    #[arg(last = true, value_name = "REGISTRATOR'S COMMAND LINE")]
    old: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CatalogMode {
    Agent,
    Catalog,
}

/// Runs until SIGINT or SIGTERM.
pub(super) async fn registrator(args: RegistratorArgs) -> anyhow::Result<ExitCode> {
    let old = Old::parse(&args.old).map_err(anyhow::Error::msg)?;
    if old.version {
        super::output::print(concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::logs(args.log_format)?;
    let client = access::client(args.catalog.as_deref(), old.catalog.as_ref(), &args.credentials)?;
    let mode = match args.catalog_mode {
        CatalogMode::Agent => Mode::Agent,
        CatalogMode::Catalog => Mode::Catalog,
    };
    let config = resolve(&args, &old).await?;
    if args.dry_run {
        return dry_run::print(&config, client, mode, args.output).await;
    }
    if old.ttl {
        info!(
            "`-ttl` does nothing, as with Registrator's Consul backend; `--ttl 30s` adds a check that we renew"
        );
    }
    let attempts = args.retry_attempts.or(old.retry_attempts);
    await_catalog(&client, attempts, old.retry_interval.unwrap_or(args.retry_interval)).await?;
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let registry = Remote::new(client, mode, config.node.clone(), config.advertise_addr);
    let running = wharf_registrator::run(config, registry, clock::system(), stop.clone());
    let mut running = tokio::spawn(running);
    tokio::select! {
        () = signals.next() => stop.cancel(),
        ended = &mut running => return ended.map(|()| ExitCode::SUCCESS).context("the registrator failed"),
    }
    running.await.context("the registrator failed")?;
    Ok(ExitCode::SUCCESS)
}

async fn resolve(args: &RegistratorArgs, old: &Old) -> anyhow::Result<Config> {
    let host_name = host_name(args.hostname.as_deref())?;
    let mut config = match &args.config {
        Some(path) => config::registrator_table(path)?,
        None => Config::default(),
    };
    if config.hostname.is_empty() || args.hostname.is_some() {
        config.hostname.clone_from(&host_name);
    }
    let node = args.node_name.clone().unwrap_or_else(|| host_name.to_lowercase());
    config.node = node.into();
    config.docker_host = args.docker_host.clone().or(config.docker_host);
    config.advertise_addr = match old.ip.or(args.advertise_addr) {
        Some(address) => address,
        None => own_address(&host_name).await,
    };
    config.advertise_bound |= args.advertise_bound || old.ip.is_some();
    config.internal |= args.internal || old.internal;
    config.explicit |= args.explicit || old.explicit;
    config.cleanup |= args.cleanup || old.cleanup;
    config.enable_script_checks = args.enable_script_checks || old.is_used;
    config.checks_are_run = args.catalog_mode == CatalogMode::Agent;
    set(&mut config.ip_from_label, old.ip_from_label.as_ref().or(args.ip_from_label.as_ref()));
    set(&mut config.tags, old.tags.as_ref().or(args.tags.as_ref()));
    set(&mut config.deregister, old.deregister.as_ref().or(args.deregister.as_ref()));
    set(&mut config.default_check, args.default_check.as_ref());
    set(&mut config.tcp_probe, args.tcp_probe.as_ref());
    set(&mut config.container_health, args.container_health.as_ref());
    set(&mut config.reconcile_interval, old.resync.as_ref().or(args.reconcile_interval.as_ref()));
    config.ttl = ttl(args)?;
    wharf_registrator::tags::check(&config.tags)
        .map_err(|reason| anyhow::anyhow!("the tags `{}` are wrong: {reason}", config.tags))?;
    Ok(config)
}

fn set<T: Clone>(setting: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        setting.clone_from(given);
    }
}

fn ttl(args: &RegistratorArgs) -> anyhow::Result<Option<Ttl>> {
    let Some(ttl) = args.ttl else {
        return Ok(None);
    };
    ensure!(
        args.catalog_mode == CatalogMode::Agent,
        "--ttl needs an agent: nobody runs checks in a catalog without one"
    );
    let refresh = args.ttl_refresh.unwrap_or(ttl / 3);
    ensure!(ttl >= Duration::from_secs(1), "--ttl must be at least 1s");
    ensure!(!refresh.is_zero() && refresh < ttl, "--ttl-refresh must be shorter than --ttl");
    Ok(Some(Ttl { ttl, refresh }))
}

/// As it is written, not in lower case: ids equal those that Registrator made.
fn host_name(given: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = given {
        ensure!(
            !name.is_empty() && !name.contains(':'),
            "--hostname `{name}` must not be empty or hold a `:`"
        );
        return Ok(name.to_owned());
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("cannot find out the host's name: give --hostname")?;
    Ok(name.trim().to_owned())
}

/// The address that the host's name stands for; one that leads outside where that is loopback.
async fn own_address(host_name: &str) -> IpAddr {
    let resolved = tokio::net::lookup_host((host_name, 0)).await;
    let resolved = resolved.into_iter().flatten().map(|address| address.ip());
    let named = resolved.filter(|address| !address.is_loopback()).min_by_key(IpAddr::is_ipv6);
    let found = named.or_else(|| outside(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()));
    let found = found.or_else(|| {
        outside(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into())
    });
    found.unwrap_or_else(|| {
        warn!("no address of this machine is known beside loopback: give --advertise-addr");
        Ipv4Addr::LOCALHOST.into()
    })
}

/// Which address would be used on the way there? Nothing is sent.
fn outside(from: IpAddr, to: IpAddr) -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind(SocketAddr::new(from, 0)).ok()?;
    socket.connect(SocketAddr::new(to, 9)).ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_unspecified() && !address.is_loopback()).then_some(address)
}

/// With a limit on attempts, a catalog that does not answer ends us; without one it is waited for.
async fn await_catalog(client: &Client, attempts: Option<u32>, interval: Duration) -> anyhow::Result<()> {
    let Some(attempts) = attempts else {
        return Ok(());
    };
    let mut attempt = 0;
    while let Err(error) = client.services(None).await {
        if attempt >= attempts {
            bail!("the catalog does not answer after {} attempts: {error}", attempts + 1);
        }
        attempt += 1;
        warn!(%error, attempt, "the catalog does not answer yet");
        tokio::time::sleep(interval).await;
    }
    Ok(())
}

fn deregister(word: &str) -> Result<Deregister, String> {
    match word {
        "always" => Ok(Deregister::Always),
        "on-success" => Ok(Deregister::OnSuccess),
        "never" => Ok(Deregister::Never),
        _ => Err("use always, on-success or never".to_owned()),
    }
}

fn default_check(word: &str) -> Result<DefaultCheck, String> {
    match word {
        "tcp" => Ok(DefaultCheck::Tcp),
        "none" => Ok(DefaultCheck::None),
        _ => Err("use tcp or none".to_owned()),
    }
}

fn tcp_probe(word: &str) -> Result<TcpProbe, String> {
    match word {
        "container" => Ok(TcpProbe::Container),
        "registered" => Ok(TcpProbe::Registered),
        _ => Err("use container or registered".to_owned()),
    }
}

fn container_health(word: &str) -> Result<ContainerHealthChecks, String> {
    match word {
        "auto" => Ok(ContainerHealthChecks::Auto),
        "always" => Ok(ContainerHealthChecks::Always),
        "never" => Ok(ContainerHealthChecks::Never),
        _ => Err("use auto, always or never".to_owned()),
    }
}
