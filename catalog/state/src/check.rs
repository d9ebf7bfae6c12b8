//! How healthy is it? Checks, what runs them, and what a set of them means for an instance.
//!
//! Invariant: an instance is only as healthy as its worst check, its node's checks included.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Index, Timestamp};

/// Id of the check that says a node is in maintenance.
pub const NODE_MAINTENANCE: &str = "_node_maintenance";
/// Prefix of the check id that says an instance is in maintenance; the instance's id follows.
pub const SERVICE_MAINTENANCE_PREFIX: &str = "_service_maintenance:";
/// The `notes` of a maintenance check that stands for a drain start with this word.
pub const DRAIN_NOTE: &str = "draining";
/// Id of the check that says a node is alive.
pub const NODE_ALIVE: &str = "serfHealth";

/// What a check last said. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Takes traffic.
    Passing,
    /// Takes traffic, wants attention.
    Warning,
    /// Takes no traffic.
    Critical,
}

impl Status {
    /// Consul's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, UnknownStatus> {
        match word {
            "passing" => Ok(Self::Passing),
            "warning" => Ok(Self::Warning),
            "critical" => Ok(Self::Critical),
            other => Err(UnknownStatus(other.to_owned())),
        }
    }
}

/// A status word nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("unknown check status `{0}`: use `passing`, `warning` or `critical`")]
pub struct UnknownStatus(pub String);

/// A check on a node or on one instance of it. Source of the shape: Consul API, `/v1/health/checks`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Node it belongs to.
    pub node: Arc<str>,
    /// Unique on its node.
    pub id: Arc<str>,
    /// For people.
    pub name: String,
    /// What it last said.
    pub status: Status,
    /// A status word that is none, as somebody registered it: told back to whoever asks, and critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_status: Option<String>,
    /// Since when it has said so; set by the catalog when the status changes.
    pub status_since: Timestamp,
    /// Free text from whoever registered it.
    pub notes: String,
    /// What its last run printed.
    pub output: String,
    /// Instance it belongs to, or `None` for the whole node.
    pub instance: Option<Arc<str>>,
    /// Name of that instance's service; set by the catalog, empty for node checks.
    pub service: Arc<str>,
    /// That instance's tags; set by the catalog.
    pub service_tags: Vec<String>,
    /// Consul's `Type`: `http`, `tcp`, `ttl` ... or empty.
    pub type_label: String,
    /// What runs it here, if anything does.
    pub probe: Option<Probe>,
    /// What a registrar says it asks: told back to whoever asks, and run by nobody here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<ToldDefinition>>,
    /// Commit that created it; set by the catalog.
    pub created: Index,
    /// Last commit that changed it; set by the catalog.
    pub modified: Index,
}

/// `Definition` of a check that somebody else runs: its fields by Consul's names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ToldDefinition(pub BTreeMap<String, serde_json::Value>);

impl Check {
    /// A check that nothing runs, critical until somebody says otherwise (Consul's default).
    pub fn new(node: impl Into<Arc<str>>, id: impl Into<Arc<str>>, name: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            id: id.into(),
            name: name.into(),
            status: Status::Critical,
            odd_status: None,
            status_since: Timestamp::default(),
            notes: String::new(),
            output: String::new(),
            instance: None,
            service: Arc::from(""),
            service_tags: Vec::new(),
            type_label: String::new(),
            probe: None,
            definition: None,
            created: Index::default(),
            modified: Index::default(),
        }
    }

    /// The check that takes one instance out of every route, with the reason people will read.
    pub fn maintenance(node: &Arc<str>, instance: &Arc<str>, reason: &str) -> Self {
        Self {
            instance: Some(instance.clone()),
            notes: reason.to_owned(),
            type_label: "maintenance".to_owned(),
            ..Self::new(node.clone(), service_maintenance_id(instance), "Service Maintenance Mode")
        }
    }

    /// The word for its status: Consul's three, or the odd one somebody registered.
    pub fn status_word(&self) -> &str {
        self.odd_status.as_deref().unwrap_or(self.status.as_str())
    }

    /// Does this check only say that somebody took the instance or node out on purpose?
    pub fn is_maintenance(&self) -> bool {
        &*self.id == NODE_MAINTENANCE || self.id.starts_with(SERVICE_MAINTENANCE_PREFIX)
    }
}

/// Id of the maintenance check of an instance.
pub fn service_maintenance_id(instance: &str) -> String {
    format!("{SERVICE_MAINTENANCE_PREFIX}{instance}")
}

/// How to find out whether something is healthy, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What to ask.
    pub kind: ProbeKind,
    /// Time between two runs (for [`ProbeKind::Ttl`]: not used).
    pub interval: Duration,
    /// After this long without an answer a run has failed.
    pub timeout: Duration,
    /// Critical for this long: the instance is deregistered.
    pub deregister_after: Option<Duration>,
    /// Passing runs in a row before the check turns passing (0 and 1: at once).
    pub successes_before_passing: u32,
    /// Failed runs in a row before the check turns critical (0 and 1: at once).
    pub failures_before_critical: u32,
    /// Failed runs in a row before the check turns warning, while it is not critical yet (0: as for critical).
    #[serde(default)]
    pub failures_before_warning: u32,
    /// Longest output kept, in bytes.
    #[serde(default = "output_max_size")]
    pub output_max_size: usize,
    /// What an HTTP answer has to be, where Consul's rule (2xx passes, 429 warns) is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Box<Expect>>,
}

/// What an HTTP answer has to be. Everything that is said has to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// Status codes that pass: `200`, `2xx`, `200-299`; all others are critical. Empty: Consul's rule. A redirect
    /// that is expected is not followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<String>,
    /// A regular expression that matches somewhere in the first MiB of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Values in a JSON body, by path (`$.checks[0].status`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, serde_json::Value>,
    /// The server's certificate holds for at least this many days more, or the check warns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_warning_days: Option<u32>,
    /// The server's certificate holds for at least this many days more, or the check is critical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_critical_days: Option<u32>,
}

/// Consul's default.
fn output_max_size() -> usize {
    4096
}

impl Probe {
    /// A probe with Consul's default interval and timeout (10 s each).
    pub fn new(kind: ProbeKind) -> Self {
        Self {
            kind,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(10),
            deregister_after: None,
            successes_before_passing: 0,
            failures_before_critical: 0,
            failures_before_warning: 0,
            output_max_size: output_max_size(),
            expect: None,
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeKind {
    /// An HTTP request: 2xx passes, 429 warns, everything else is critical.
    Http {
        /// Absolute URL, `http://` or `https://`.
        url: String,
        /// `GET` when empty.
        method: String,
        /// Further header fields, each with its values.
        headers: BTreeMap<String, Vec<String>>,
        /// Request body.
        body: String,
        /// Accept any server certificate.
        tls_skip_verify: bool,
    },
    /// A TCP connection that must be accepted.
    Tcp {
        /// `host:port`, IPv6 hosts in brackets.
        address: String,
    },
    /// Somebody reports in; silence longer than this is critical.
    Ttl {
        /// Longest accepted silence.
        ttl: Duration,
    },
    /// A UDP datagram that must not be refused.
    Udp {
        /// `host:port`, IPv6 hosts in brackets.
        address: String,
    },
    /// The gRPC health protocol must say `SERVING`.
    Grpc {
        /// `host:port`, with `/service` to ask about one service.
        target: String,
        /// Ask over TLS.
        tls: bool,
        /// Accept any server certificate.
        tls_skip_verify: bool,
    },
    /// An HTTP/2 ping must be answered.
    H2Ping {
        /// `host:port`.
        address: String,
        /// Ping over TLS.
        tls: bool,
        /// Accept any server certificate.
        tls_skip_verify: bool,
    },
    /// As healthy as another service, or as another node.
    Alias {
        /// Node whose health counts; `None`: this one.
        node: Option<Arc<str>>,
        /// Id of the instance whose health counts; `None`: the node's own checks.
        service: Option<Arc<str>>,
    },
    /// A command in a container: exit code 0 passes, 1 warns.
    Docker {
        /// Id or name of the container.
        container: String,
        /// Shell to run the command with.
        shell: String,
        /// The command.
        args: Vec<String>,
    },
    /// A question to a name server: it must have an answer, and the expected one if that is said.
    Dns {
        /// The name asked for.
        name: String,
        /// The type of record: `A`, `AAAA`, `CNAME`, `MX`, `NS`, `PTR`, `SOA`, `SRV`, `TXT` ...
        record: String,
        /// `host:port` of the name server; `None`: the machine's first.
        server: Option<String>,
        /// Texts of the records that must be among the answers; empty: any answer will do.
        expect: Vec<String>,
    },
    /// An ICMP echo that must be answered.
    Icmp {
        /// Name or address.
        host: String,
    },
    /// What a browser sees: an HTTP request to our own load balancer.
    Route {
        /// The `Host` of the request; empty: none but the load balancer's address.
        host: String,
        /// Path and query, `/` at least.
        path: String,
    },
    /// Somebody reports in with a secret address; silence longer than both durations is critical.
    Push {
        /// How often it is expected.
        every: Duration,
        /// How much later it may come.
        grace: Duration,
        /// SHA-256 of the token in the address, in hexadecimal.
        token: String,
    },
    /// A command on this machine: exit code 0 passes, 1 warns. Refused unless enabled in the settings.
    Script {
        /// The command.
        args: Vec<String>,
    },
}

impl ProbeKind {
    /// Consul's `Type` of such a check; also what metrics call it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Tcp { .. } => "tcp",
            Self::Ttl { .. } => "ttl",
            Self::Udp { .. } => "udp",
            Self::Grpc { .. } => "grpc",
            Self::H2Ping { .. } => "h2ping",
            Self::Alias { .. } => "alias",
            Self::Docker { .. } => "docker",
            Self::Script { .. } => "script",
            Self::Dns { .. } => "dns",
            Self::Icmp { .. } => "icmp",
            Self::Route { .. } => "route",
            Self::Push { .. } => "push",
        }
    }

    /// The longest accepted silence of a check that is reported for; `None` for those that are run.
    pub fn silence(&self) -> Option<Duration> {
        match self {
            Self::Ttl { ttl } => Some(*ttl),
            Self::Push { every, grace, .. } => Some(every.saturating_add(*grace)),
            _ => None,
        }
    }
}

/// What all checks of an instance together mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Every check passes (also: there is none).
    Passing,
    /// At least one warns, none is critical.
    Warning,
    /// At least one is critical.
    Critical,
    /// Taken out on purpose: maintenance.
    Maintenance,
    /// Taken out on purpose because it is about to stop.
    Draining,
}

impl Health {
    /// The health of an instance with these checks. Its own maintenance says more than its probes.
    pub fn of<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Self {
        checks.into_iter().map(Self::of_one).max().unwrap_or(Self::Passing)
    }

    fn of_one(check: &Check) -> Self {
        match check.status {
            Status::Passing => Self::Passing,
            Status::Warning => Self::Warning,
            Status::Critical if check.is_maintenance() && check.notes.starts_with(DRAIN_NOTE) => {
                Self::Draining
            }
            Status::Critical if check.is_maintenance() => Self::Maintenance,
            Status::Critical => Self::Critical,
        }
    }

    /// Should new requests go there?
    pub fn takes_traffic(self) -> bool {
        self == Self::Passing
    }

    /// The word shown to people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
            Self::Draining => "draining",
        }
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(status: Status) -> Check {
        Check { status, ..Check::new("n", "c", "c") }
    }

    #[test]
    fn an_instance_without_checks_is_passing() {
        assert_eq!(Health::of([]), Health::Passing);
    }

    #[test]
    fn the_worst_check_decides() {
        let checks = [check(Status::Passing), check(Status::Critical), check(Status::Warning)];
        assert_eq!(Health::of(&checks), Health::Critical);
    }

    #[test]
    fn a_drain_is_told_apart_from_maintenance_and_failure() {
        let (node, id): (Arc<str>, Arc<str>) = ("n".into(), "web-1".into());
        let drain = Check::maintenance(&node, &id, "draining: SIGTERM");
        let maintenance = Check::maintenance(&node, &id, "new disk");
        assert_eq!(Health::of([&check(Status::Critical), &drain]), Health::Draining);
        assert_eq!(Health::of([&check(Status::Passing), &maintenance]), Health::Maintenance);
    }

    #[test]
    fn a_probe_of_an_earlier_wharf_is_read_and_every_new_kind_is_read_as_it_was_written() {
        let early = r#"{"kind":{"tcp":{"address":"h:1"}},"interval":{"secs":10,"nanos":0},
            "timeout":{"secs":10,"nanos":0},"deregister_after":null,"successes_before_passing":0,
            "failures_before_critical":0}"#;
        let read: Probe = serde_json::from_str(early).unwrap();
        assert_eq!(read, Probe::new(ProbeKind::Tcp { address: "h:1".into() }));
        let kinds = [
            ProbeKind::Dns { name: "n".into(), record: "A".into(), server: None, expect: vec!["a".into()] },
            ProbeKind::Icmp { host: "h".into() },
            ProbeKind::Route { host: "h".into(), path: "/".into() },
            ProbeKind::Push { every: Duration::from_secs(9), grace: Duration::ZERO, token: "t".into() },
        ];
        for kind in kinds {
            let expect = Expect { status: vec!["2xx".into()], ..Expect::default() };
            let probe = Probe { expect: Some(Box::new(expect)), ..Probe::new(kind) };
            let written = serde_json::to_string(&probe).unwrap();
            assert_eq!(serde_json::from_str::<Probe>(&written).unwrap(), probe, "{written}");
        }
    }
}
