//! Settings: flags beat `WHARF_*` variables, those beat the file, that beats the defaults.
//!
//! The only code that reads configuration files. A file is refused as a whole if any of it is wrong.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use wharf_catalog_checks::external::External;

use crate::telemetry::LogFormat;

/// The flags of `wharf dev` and `wharf server`; each is also a `WHARF_*` variable and a key of the file.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct RunArgs {
    /// Consul-compatible HTTP API, the pages under /ui/, and /metrics [default: 127.0.0.1:8500]
    #[arg(long, env = "WHARF_HTTP_ADDR", value_name = "IP:PORT")]
    http_addr: Option<SocketAddr>,
    /// DNS, UDP and TCP [default: 127.0.0.1:8600]
    #[arg(long, env = "WHARF_DNS_ADDR", value_name = "IP:PORT")]
    dns_addr: Option<SocketAddr>,
    /// A second name for the zone that DNS answers for, while clients move from one to the other
    #[arg(long, env = "WHARF_DNS_ALT_DOMAIN", value_name = "DOMAIN")]
    dns_alt_domain: Option<String>,
    /// Load balancer [default: 127.0.0.1:8080]
    #[arg(long, env = "WHARF_PROXY_ADDR", value_name = "IP:PORT")]
    proxy_addr: Option<SocketAddr>,
    /// Docker engine, unix:///path or tcp://host:port [default: DOCKER_HOST or the local socket]
    #[arg(long, env = "WHARF_DOCKER_HOST", value_name = "URL")]
    docker_host: Option<String>,
    /// Address under which this machine's published ports are reached [default: 127.0.0.1]
    #[arg(long, env = "WHARF_ADVERTISE_ADDR", value_name = "IP")]
    advertise_addr: Option<IpAddr>,
    /// Name of this node in the catalog [default: the host's name]
    #[arg(long, env = "WHARF_NODE_NAME", value_name = "NAME")]
    node_name: Option<String>,
    /// Name of this datacenter, in the API and in DNS [default: dc1]
    #[arg(long, env = "WHARF_DATACENTER", value_name = "NAME")]
    datacenter: Option<String>,
    /// Zone that DNS answers for [default: consul]
    #[arg(long, env = "WHARF_DNS_DOMAIN", value_name = "DOMAIN")]
    dns_domain: Option<String>,
    /// Take checks that run commands, here or in containers: whoever may register one may run anything
    #[arg(long, env = "WHARF_ENABLE_SCRIPT_CHECKS")]
    enable_script_checks: bool,
    /// Keep the catalog and the uptime history here; without it both live in memory
    #[arg(long, env = "WHARF_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Settings file (TOML); its keys are these flags with underscores, and one table for each part
    #[arg(long, env = "WHARF_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who is on call and who is paged (TOML), read again when it changes; instead of the table [oncall] of the settings
    #[arg(long, env = "WHARF_ONCALL_FILE", value_name = "FILE")]
    oncall_file: Option<PathBuf>,
    /// Where people reach the pages, for links in messages [default: the HTTP address]
    #[arg(long, env = "WHARF_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Log lines for people or for machines [default: text]
    #[arg(long, env = "WHARF_LOG_FORMAT", value_enum)]
    log_format: Option<LogFormat>,
}

/// What a settings file may say.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    http_addr: Option<SocketAddr>,
    dns_addr: Option<SocketAddr>,
    dns_alt_domain: Option<String>,
    proxy_addr: Option<SocketAddr>,
    docker_host: Option<String>,
    advertise_addr: Option<IpAddr>,
    node_name: Option<String>,
    datacenter: Option<String>,
    dns_domain: Option<String>,
    enable_script_checks: bool,
    data_dir: Option<PathBuf>,
    log_format: Option<LogFormat>,
    oncall_file: Option<PathBuf>,
    /// Read by the pager, which tells every mistake with its line.
    oncall: Option<toml::Table>,
    public_url: Option<String>,
    checks: wharf_catalog_checks::Config,
    external: Vec<External>,
    dns: wharf_catalog_dns::Config,
    registrator: wharf_registrator::Config,
    template: wharf_template::Config,
    proxy: wharf_proxy::Config,
    monitor: wharf_monitor::Config,
    pages: wharf_dashboards::Config,
}

/// Everything `wharf dev` and `wharf server` need to know.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the API and the pages listen.
    pub(crate) http_addr: SocketAddr,
    /// Where DNS listens.
    pub(crate) dns_addr: SocketAddr,
    /// Where the load balancer listens.
    pub(crate) proxy_addr: SocketAddr,
    /// Where this machine's published ports are reached.
    pub(crate) advertise_addr: IpAddr,
    /// Name of the local node.
    pub(crate) node_name: String,
    /// Name of the datacenter.
    pub(crate) datacenter: String,
    /// Where things are kept, if they are.
    pub(crate) data_dir: Option<PathBuf>,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// The crates' own settings.
    pub(crate) checks: wharf_catalog_checks::Config,
    /// What is checked outside containers.
    pub(crate) external: Vec<External>,
    /// See [`wharf_catalog_dns::Config`].
    pub(crate) dns: wharf_catalog_dns::Config,
    /// See [`wharf_registrator::Config`].
    pub(crate) registrator: wharf_registrator::Config,
    /// See [`wharf_template::Config`].
    pub(crate) template: wharf_template::Config,
    /// See [`wharf_proxy::Config`].
    pub(crate) proxy: wharf_proxy::Config,
    /// See [`wharf_monitor::Config`].
    pub(crate) monitor: wharf_monitor::Config,
    /// See [`wharf_dashboards::Config`].
    pub(crate) pages: wharf_dashboards::Config,
    /// Where it stands who is on call.
    pub(crate) oncall: Option<wharf_pager::Source>,
    /// Where people reach the pages, if that is another address than [`http_addr`](Self::http_addr).
    pub(crate) public_url: Option<String>,
}

impl Settings {
    /// Reads the file, if one is named, and lays flags and variables over it.
    pub(crate) fn resolve(args: RunArgs) -> anyhow::Result<Self> {
        let mut file = match &args.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let alt_domain = args.dns_alt_domain.or(file.dns_alt_domain);
        file.dns.alt_domain = alt_domain.or(file.dns.alt_domain);
        let oncall_file = args.oncall_file.or(file.oncall_file);
        let oncall = oncall(oncall_file, args.config.filter(|_| file.oncall.is_some()))?;
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let node_name = args.node_name.or(file.node_name).map_or_else(host_name, Ok)?;
        let advertise_addr =
            args.advertise_addr.or(file.advertise_addr).unwrap_or(Ipv4Addr::LOCALHOST.into());
        let mut dns = wharf_catalog_dns::Config { node_name: node_name.clone(), ..file.dns };
        if let Some(datacenter) = args.datacenter.or(file.datacenter) {
            dns.datacenter = datacenter;
        }
        if let Some(domain) = args.dns_domain.or(file.dns_domain) {
            dns.domain = domain;
        }
        let mut registrator = file.registrator;
        if let Some(host) = args.docker_host.or(file.docker_host) {
            registrator.docker_host = Some(host);
        }
        registrator.advertise_addr = advertise_addr;
        registrator.node = node_name.as_str().into();
        registrator.enable_script_checks = args.enable_script_checks || file.enable_script_checks;
        Ok(Self {
            http_addr: args.http_addr.or(file.http_addr).unwrap_or(loopback(8500)),
            dns_addr: args.dns_addr.or(file.dns_addr).unwrap_or(loopback(8600)),
            proxy_addr: args.proxy_addr.or(file.proxy_addr).unwrap_or(loopback(8080)),
            advertise_addr,
            data_dir: args.data_dir.or(file.data_dir),
            log_format: args.log_format.or(file.log_format).unwrap_or_default(),
            checks: wharf_catalog_checks::Config {
                enable_script_checks: args.enable_script_checks || file.enable_script_checks,
                docker_host: file.checks.docker_host.or_else(|| registrator.docker_host.clone()),
                ..file.checks
            },
            external: externals(file.external)?,
            datacenter: dns.datacenter.clone(),
            dns,
            registrator,
            template: file.template,
            proxy: file.proxy,
            monitor: file.monitor,
            pages: file.pages,
            oncall,
            public_url: args.public_url.or(file.public_url),
            node_name,
        })
    }

    /// The same, if there is a place where things are kept.
    pub(crate) fn kept(self) -> anyhow::Result<Self> {
        ensure!(
            self.data_dir.is_some(),
            "`wharf server` keeps the catalog and the uptime history: say where, with --data-dir DIR or with \
             `data_dir` in the settings file (`wharf dev` does without)"
        );
        Ok(self)
    }
}

/// Where it stands who is on call: in a file of its own, or in the table `[oncall]` of the settings.
fn oncall(own: Option<PathBuf>, settings: Option<PathBuf>) -> anyhow::Result<Option<wharf_pager::Source>> {
    Ok(match (own, settings) {
        (Some(own), Some(settings)) => bail!(
            "who is on call stands in two places: take the table [oncall] out of `{}` or leave `{}` away",
            settings.display(),
            own.display()
        ),
        (Some(path), None) => Some(wharf_pager::Source { path, table: None }),
        (None, Some(path)) => Some(wharf_pager::Source { path, table: Some("oncall".to_owned()) }),
        (None, None) => None,
    })
}

/// The `[registrator]` table of a settings file.
pub(crate) fn registrator_table(path: &Path) -> anyhow::Result<wharf_registrator::Config> {
    let file = read(path)?;
    Ok(wharf_registrator::Config {
        docker_host: file.docker_host.or(file.registrator.docker_host),
        ..file.registrator
    })
}

/// Those that name no group are in one together; mistakes are told before anything starts.
fn externals(mut externals: Vec<External>) -> anyhow::Result<Vec<External>> {
    for external in &mut externals {
        if external.group.is_empty() {
            "external".clone_into(&mut external.group);
        }
        external.probe()?;
    }
    Ok(externals)
}

fn read(path: &Path) -> anyhow::Result<File> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the settings file `{shown}`"))?;
    parse(&text).map_err(|(line, reason)| anyhow!("settings file `{shown}`, line {line}: {reason}"))
}

/// One line of complaint with the line number it is about.
fn parse(text: &str) -> Result<File, (usize, String)> {
    toml::from_str(text).map_err(|error| complaint(text, &error))
}

fn complaint(text: &str, error: &toml::de::Error) -> (usize, String) {
    let at = error.span().map_or(0, |span| span.start);
    let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
    (line, error.message().replace('\n', " "))
}

/// The table of templates in a settings file, which may hold nothing else.
pub(crate) fn template_table(path: &Path, text: &str) -> anyhow::Result<wharf_template::Config> {
    let shown = path.display();
    let at = |(line, reason)| anyhow!("settings file `{shown}`, line {line}: {reason}");
    let whole: toml::Table = toml::from_str(text).map_err(|error| at(complaint(text, &error)))?;
    if whole.contains_key("templates") {
        return toml::from_str(text).map_err(|error| at(complaint(text, &error)));
    }
    parse(text).map(|file| file.template).map_err(at)
}

fn host_name() -> anyhow::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .context("cannot find out the host's name: give --node-name")?;
    // Client tools compare node names without regard to case, DNS does too: one spelling everywhere.
    Ok(name.trim().to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let (line, reason) = parse("# mine\nhtp_addr = \"127.0.0.1:1\"\n").unwrap_err();
        assert_eq!(line, 2);
        assert!(reason.contains("`htp_addr`") && reason.contains("`http_addr`"), "{reason}");
    }

    #[test]
    fn an_unknown_key_inside_a_table_is_named_too() {
        let (line, reason) = parse("http_addr = \"127.0.0.1:1\"\n\n[proxy]\nnonsense = 1\n").unwrap_err();
        assert_eq!(line, 4);
        assert!(reason.contains("`nonsense`"), "{reason}");
    }

    #[test]
    fn the_example_is_accepted_with_its_examples_too() {
        let example = include_str!("../../docs/wharf.example.toml");
        parse(example).unwrap();
        let uncommented = |line: &str| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.split(' ').nth(1) == Some("=") => rest.to_owned(),
            _ => line.to_owned(),
        };
        let everything = example.lines().map(uncommented).collect::<Vec<_>>().join("\n");
        let file = parse(&everything).unwrap();
        assert_eq!((file.monitor.webhooks.len(), file.template.templates.len()), (1, 1));
    }

    #[test]
    fn flags_beat_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wharf.toml");
        std::fs::write(&path, "http_addr = \"127.0.0.1:1\"\ndns_addr = \"127.0.0.1:2\"\n").unwrap();
        let http_addr = "127.0.0.1:9".parse().ok();
        let settings =
            Settings::resolve(RunArgs { config: Some(path), http_addr, ..RunArgs::default() }).unwrap();
        assert_eq!(settings.http_addr.port(), 9);
        assert_eq!(settings.dns_addr.port(), 2);
        assert_eq!(settings.proxy_addr.port(), 8080);
    }

    #[test]
    fn the_datacenter_is_the_same_in_the_api_and_in_dns() {
        let args = RunArgs {
            node_name: Some("n".to_owned()),
            datacenter: Some("east".to_owned()),
            dns_domain: Some("internal".to_owned()),
            ..RunArgs::default()
        };
        let settings = Settings::resolve(args).unwrap();
        assert_eq!((settings.datacenter.as_str(), settings.dns.datacenter.as_str()), ("east", "east"));
        assert_eq!(settings.dns.domain, "internal");
    }

    #[test]
    fn commands_run_as_checks_only_when_that_is_asked_for() {
        let settings = |enable_script_checks| {
            let node_name = Some("n".to_owned());
            Settings::resolve(RunArgs { enable_script_checks, node_name, ..RunArgs::default() }).unwrap()
        };
        assert!(!settings(false).checks.enable_script_checks);
        assert!(settings(true).checks.enable_script_checks);
    }
}
