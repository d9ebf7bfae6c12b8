//! What can be set, and what holds when it is not.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;

use crate::duration;

/// How containers are found and registered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the Docker engine listens: `unix:///run/docker.sock`, `tcp://host:2375`. Unset: `DOCKER_HOST`
    /// from the environment, or the local socket.
    pub docker_host: Option<String>,
    /// First part of the ids `<hostname>:<container>:<port>`; entries of that pattern on `node` are ours to
    /// remove, so two registrators on one node need two hostnames. Empty: the name of the node.
    pub hostname: String,
    /// The catalog node that services are registered on; it is made when it is missing. Told by the program,
    /// which has one name for the node everywhere.
    #[serde(skip)]
    pub node: Arc<str>,
    /// Stands for the addresses `0.0.0.0` and `::` that ports are published on. Told by the program as well.
    #[serde(skip)]
    pub advertise_addr: IpAddr,
    /// Register exposed ports at the container's own address instead of published ones.
    pub internal: bool,
    /// Register only containers that have a `SERVICE_NAME`.
    pub explicit: bool,
    /// The advertised address also replaces the addresses that ports are bound to, as Registrator's `-ip` did.
    pub advertise_bound: bool,
    /// Name of a label whose value is the address to register; a `/mask` is cut off. Empty: none.
    pub ip_from_label: String,
    /// Tags for every service, separated by commas; `{{ }}` may look into the container as in
    /// `{{.Config.Hostname}}` or `{{index .Config.Labels "team"}}`.
    pub tags: String,
    /// What happens to the entries of a container whose process ended.
    pub deregister: Deregister,
    /// Entries of ours without a container are removed at the start even when `deregister` keeps them.
    pub cleanup: bool,
    /// The health check of a container that asks for none and has no `HEALTHCHECK`.
    pub default_check: DefaultCheck,
    /// When a container's `HEALTHCHECK` decides its health.
    pub container_health: ContainerHealthChecks,
    /// Are checks that run commands allowed? Told by the program.
    #[serde(skip)]
    pub enable_script_checks: bool,
    /// Does anybody run checks? Not for entries of a catalog without an agent. Told by the program.
    #[serde(skip)]
    pub checks_are_run: bool,
    /// Every instance has a further check that turns critical when nobody has renewed it for this long: for
    /// catalogs that outlive this process. Told by the program.
    #[serde(skip)]
    pub ttl: Option<Ttl>,
    /// Time between two runs of the default check.
    #[serde(deserialize_with = "duration::deserialize")]
    pub default_check_interval: Duration,
    /// Where TCP checks connect to.
    pub tcp_probe: TcpProbe,
    /// A container that still runs this long after it should have ended (its stop timeout after the stop
    /// signal) takes traffic again.
    #[serde(deserialize_with = "duration::deserialize")]
    pub drain_grace: Duration,
    /// Time between two full comparisons of what runs with what is registered.
    #[serde(deserialize_with = "duration::deserialize")]
    pub reconcile_interval: Duration,
    /// Longest wait between two attempts to reach the engine.
    #[serde(deserialize_with = "duration::deserialize")]
    pub reconnect_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            docker_host: None,
            hostname: String::new(),
            node: Arc::from("localhost"),
            advertise_addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
            internal: false,
            explicit: false,
            advertise_bound: false,
            ip_from_label: String::new(),
            tags: String::new(),
            deregister: Deregister::default(),
            cleanup: false,
            default_check: DefaultCheck::default(),
            container_health: ContainerHealthChecks::default(),
            enable_script_checks: false,
            checks_are_run: true,
            ttl: None,
            default_check_interval: Duration::from_secs(10),
            tcp_probe: TcpProbe::default(),
            drain_grace: Duration::from_secs(2),
            reconcile_interval: Duration::from_secs(30),
            reconnect_max: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// The hostname in ids.
    pub fn id_prefix(&self) -> &str {
        if self.hostname.is_empty() { &self.node } else { &self.hostname }
    }
}

/// The health check of a container that asks for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultCheck {
    /// The port must accept a connection. UDP ports get no check.
    #[default]
    Tcp,
    /// Passing from the moment the container runs.
    None,
}

/// When a container's `HEALTHCHECK` decides its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerHealthChecks {
    /// When no label asks for another check, or `SERVICE_CHECK_DOCKER` asks for this one.
    #[default]
    Auto,
    /// Always, beside what labels ask for.
    Always,
    /// Only when `SERVICE_CHECK_DOCKER` asks for it.
    Never,
}

/// What happens to the entries of a container whose process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deregister {
    /// They are removed.
    #[default]
    Always,
    /// They are removed if it ended with exit code 0 or by a signal; else they stay, for their checks to tell,
    /// until it runs again or is removed.
    OnSuccess,
    /// They stay.
    Never,
}

/// How long an instance passes without a sign of life from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// Longest silence.
    pub ttl: Duration,
    /// Time between two signs.
    pub refresh: Duration,
}

/// Where TCP checks connect to.
///
/// Docker's userland proxy accepts connections on a published port from the moment the container runs,
/// seconds before the application listens: a TCP check there can hardly fail. HTTP checks need an answer
/// and are not fooled; they always ask the registered address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpProbe {
    /// The container's own address and exposed port when the engine is local and the container has one;
    /// else the registered address.
    #[default]
    Container,
    /// The registered address. For engines whose container addresses are out of reach although their
    /// socket is local: rootless Docker, Docker Desktop, wharf in a container of its own network.
    Registered,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_table_is_the_default_and_an_unknown_key_is_refused() {
        let parse = |text| serde_json::from_str::<Config>(text);
        assert_eq!(parse("{}").unwrap(), Config::default());
        assert!(parse(r#"{"hostnam": "x"}"#).unwrap_err().to_string().contains("hostnam"));
        let error = parse(r#"{"drain_grace": "soon"}"#).unwrap_err().to_string();
        assert!(error.contains("`soon` is not a duration"), "{error}");
        assert_eq!(
            parse(r#"{"reconcile_interval": "1m"}"#).unwrap().reconcile_interval,
            Duration::from_secs(60)
        );
    }
}
