//! How an external service is written down, in TOML or JSON.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error};
use wharf_catalog::{Expect, Probe, ProbeKind};

use super::{hash, validate};

/// Shortest token: shorter ones can be guessed.
const TOKEN: usize = 16;
const ONE_KIND: &str = "give exactly one of `http`, `route`, `tcp`, `udp`, `dns`, `grpc`, `icmp`, `push`";
/// Shortest time between two runs.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Something outside containers, and how to find out whether it is healthy. Exactly one of `http`, `route`, `tcp`,
/// `udp`, `dns`, `grpc`, `icmp` and `push` says what is asked.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct External {
    /// Name of the service it is an instance of.
    pub service: String,
    /// Name of the node it is put on.
    pub group: String,
    /// Its id there; the service's name if not given.
    pub id: Option<String>,
    /// Labels to select by.
    pub tags: Vec<String>,
    /// Where it is reached, for who looks it up; the host that is asked if not given.
    pub address: Option<String>,
    /// Its port, for who looks it up and for the load balancer; 0: no traffic is sent there.
    pub port: u16,
    /// Time between two runs.
    #[serde(deserialize_with = "duration")]
    pub interval: Option<Duration>,
    /// After this long without an answer a run has failed.
    #[serde(deserialize_with = "duration")]
    pub timeout: Option<Duration>,
    /// Failed runs in a row before it is down.
    pub failures_before_critical: u32,
    /// Passing runs in a row before it is up.
    pub successes_before_passing: u32,
    /// Instances of the service that have to pass for it to be up; 1 if nobody says otherwise.
    pub min_healthy: Option<u32>,
    /// In maintenance until somebody says otherwise.
    pub paused: bool,
    /// `http://` or `https://` address.
    pub http: Option<String>,
    /// Method of the HTTP request; `GET` if not given.
    pub method: String,
    /// Further header fields of the HTTP request.
    pub headers: BTreeMap<String, String>,
    /// Body of the HTTP request.
    pub body: String,
    /// Accept any server certificate.
    pub tls_skip_verify: bool,
    /// What the HTTP answer has to be.
    pub expect: Option<Expect>,
    /// What a browser sees: a request to our load balancer.
    pub route: Option<Route>,
    /// `host:port` where a connection has to be accepted.
    pub tcp: Option<String>,
    /// `host:port` that must not refuse a datagram.
    pub udp: Option<String>,
    /// A question to a name server.
    pub dns: Option<Dns>,
    /// `host:port` or `host:port/service` that speaks the gRPC health protocol.
    pub grpc: Option<String>,
    /// Ask over TLS (gRPC).
    pub grpc_tls: bool,
    /// Host that answers an ICMP echo.
    pub icmp: Option<String>,
    /// It reports in by itself.
    pub push: Option<Push>,
}

/// A request to our load balancer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Its `Host`.
    pub host: String,
    /// Its path, `/` if not given.
    pub path: String,
}

/// A question to a name server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name asked for.
    pub name: String,
    /// Type of record.
    #[serde(default = "address_record")]
    pub record: String,
    /// The name server, `host` or `host:port`; the machine's own if not given.
    #[serde(default)]
    pub server: Option<String>,
    /// What must be among the answers.
    #[serde(default)]
    pub expect: Vec<String>,
}

fn address_record() -> String {
    "A".to_owned()
}

/// It reports in by itself, at `/api/push/<token>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The secret part of the address.
    pub token: Token,
    /// How often it is expected.
    #[serde(deserialize_with = "some_duration")]
    pub every: Duration,
    /// How much later it may come.
    #[serde(default, deserialize_with = "some_duration")]
    pub grace: Duration,
}

/// A secret: never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What is wrong with a definition, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("external service `{service}`: {reason}")]
pub struct ExternalError {
    /// The service as far as it was named.
    pub service: String,
    /// What to mend.
    pub reason: String,
}

impl External {
    /// Its id on its node.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.service)
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> ExternalError {
        ExternalError { service: self.service.clone(), reason: reason.into() }
    }

    pub(super) fn same_token(&self, group: &str, id: &str) -> ExternalError {
        self.wrong(format!("its token is that of `{id}` on `{group}` already: give it another"))
    }

    /// The probe it describes.
    pub fn probe(&self) -> Result<Probe, ExternalError> {
        if self.service.is_empty() || self.group.is_empty() || self.id().is_empty() {
            return Err(self.wrong("give it a `service` and a `group`"));
        }
        let kind = self.kind().map_err(|reason| self.wrong(reason))?;
        let kind = kind.ok_or_else(|| self.wrong(ONE_KIND))?;
        if let Some(short) = self.interval.filter(|interval| *interval < MIN_INTERVAL) {
            let short = humantime::format_duration(short);
            return Err(self.wrong(format!("its `interval` of {short} is too short: 100ms at least")));
        }
        let usual = if let ProbeKind::Push { every, .. } = kind { every } else { Duration::from_secs(30) };
        let default = Probe::new(kind);
        Ok(Probe {
            interval: self.interval.unwrap_or(usual).max(MIN_INTERVAL),
            timeout: self.timeout.unwrap_or(default.timeout),
            successes_before_passing: self.successes_before_passing,
            failures_before_critical: self.failures_before_critical,
            expect: self.expect.clone().map(Box::new),
            ..default
        })
    }

    /// What is asked; `None` when nothing says so.
    pub fn kind(&self) -> Result<Option<ProbeKind>, String> {
        let mut kinds = self.kinds();
        let kind = kinds.pop();
        if !kinds.is_empty() {
            return Err(ONE_KIND.to_owned());
        }
        kind.iter().try_for_each(|kind| self.check(kind))?;
        Ok(kind)
    }

    fn kinds(&self) -> Vec<ProbeKind> {
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect();
        [
            self.http.clone().map(|url| ProbeKind::Http {
                url,
                method: self.method.clone(),
                headers,
                body: self.body.clone(),
                tls_skip_verify: self.tls_skip_verify,
            }),
            self.route.clone().map(|route| ProbeKind::Route {
                host: route.host,
                path: if route.path.is_empty() { "/".to_owned() } else { route.path },
            }),
            self.tcp.clone().map(|address| ProbeKind::Tcp { address }),
            self.udp.clone().map(|address| ProbeKind::Udp { address }),
            self.dns.clone().map(|Dns { name, record, server, expect }| ProbeKind::Dns {
                name,
                record,
                server,
                expect,
            }),
            self.grpc.clone().map(|target| ProbeKind::Grpc {
                target,
                tls: self.grpc_tls,
                tls_skip_verify: self.tls_skip_verify,
            }),
            self.icmp.clone().map(|host| ProbeKind::Icmp { host }),
            self.push.clone().map(|push| ProbeKind::Push {
                every: push.every,
                grace: push.grace,
                token: hash(&push.token.0),
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn check(&self, kind: &ProbeKind) -> Result<(), String> {
        let is_http = matches!(kind, ProbeKind::Http { .. } | ProbeKind::Route { .. });
        match (&self.expect, is_http) {
            (Some(_), false) => return Err("`expect` is about HTTP answers; DNS has its own".to_owned()),
            (Some(expect), true) => validate(expect)?,
            (None, _) => {}
        }
        match kind {
            ProbeKind::Http { url, method, headers, .. } => {
                let fits = |url: url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
                if !url::Url::parse(url).is_ok_and(fits) {
                    return Err(format!("`{url}` is no http:// or https:// address"));
                }
                method_and_headers(method, headers)
            }
            ProbeKind::Route { path, .. } if !path.starts_with('/') => {
                Err(format!("the path `{path}` has to begin with `/`"))
            }
            ProbeKind::Tcp { address } | ProbeKind::Udp { address } => host_and_port(address),
            ProbeKind::Grpc { target, .. } => host_and_port(target.split('/').next().unwrap_or_default()),
            ProbeKind::Icmp { host } if host.trim().is_empty() => Err("`icmp` needs a host".to_owned()),
            ProbeKind::Dns { name, record, server, .. } => dns(name, record, server.as_deref()),
            ProbeKind::Push { every, .. } => self.check_push(*every),
            _ => Ok(()),
        }
    }

    fn check_push(&self, every: Duration) -> Result<(), String> {
        let token = self.push.as_ref().map_or("", |push| &push.token.0);
        if token.len() < TOKEN
            || !token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(format!(
                "its token needs at least {TOKEN} letters, digits, `-` or `_`, hard to guess"
            ));
        }
        if every.is_zero() { Err("`every` must not be 0".to_owned()) } else { Ok(()) }
    }
}

fn method_and_headers(method: &str, headers: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
    if !method.is_empty() && http::Method::from_bytes(method.as_bytes()).is_err() {
        return Err(format!("`{method}` is no HTTP method"));
    }
    for (name, values) in headers {
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(format!("`{name}` is no name of a header field"));
        }
        // The value may be a secret.
        if values.iter().any(|value| http::HeaderValue::from_str(value).is_err()) {
            return Err(format!(
                "the value of header field `{name}` cannot be sent: it holds control characters"
            ));
        }
    }
    Ok(())
}

fn dns(name: &str, record: &str, server: Option<&str>) -> Result<(), String> {
    if name.is_empty() || hickory_proto::rr::Name::from_utf8(name).is_err() {
        return Err(format!("`{name}` is no name that a name server can be asked for"));
    }
    if record.to_ascii_uppercase().parse::<hickory_proto::rr::RecordType>().is_err() {
        return Err(format!("no such record type: `{record}`"));
    }
    match server {
        // A bare IPv6 address has colons, too.
        Some(server) if server.parse::<std::net::IpAddr>().is_err() && server.contains(':') => {
            host_and_port(server)
        }
        Some("") => Err("`server` is empty: leave it out to ask the machine's own".to_owned()),
        _ => Ok(()),
    }
}

fn host_and_port(address: &str) -> Result<(), String> {
    let wrong = || format!("`{address}` is no `host:port`");
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || port.parse::<u16>().is_err() { Err(wrong()) } else { Ok(()) }
}

fn some_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text)
        .map_err(|error| D::Error::custom(format!("`{text}` is not a duration like `30s`: {error}")))
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    some_duration(from).map(Some)
}
