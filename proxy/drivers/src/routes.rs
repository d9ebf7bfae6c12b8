//! Which services are there to be balanced, and where? Strangers' words become typed values here, or are
//! left out with a reason.
//!
//! Names, addresses and hints come from the labels of containers. Everything after this module works with
//! [`ServiceName`], [`SocketAddr`], numbers and [`ProbePath`]; none of them holds a character that means
//! something in the language of a balancer, so no label can break out of a generated file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// Longest service name routed, in bytes.
const MAX_NAME: usize = 128;
/// Longest path of a probe, in bytes.
const MAX_PATH: usize = 512;
/// Longest time a label may have answers cached.
const MAX_CACHE: Duration = Duration::from_secs(366 * 24 * 3600);

/// A name that can stand unquoted as a host name, a path segment and the name of a backend: dot-separated
/// segments of lower-case letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ServiceName(Arc<str>);

impl ServiceName {
    /// The name in lower case, if it is such a name.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        let segment = |part: &str| !part.is_empty() && part.bytes().all(plain);
        let fits = text.len() <= MAX_NAME && text.split('.').all(segment);
        fits.then(|| Self(text.to_ascii_lowercase().into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many dot-separated segments it has.
    pub fn segments(&self) -> usize {
        self.0.split('.').count()
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ServiceName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no name that can be routed"))
    }
}

/// The path of a health check that a balancer may ask too: letters, digits and `/ - _ . ~ ? = & %`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProbePath(Arc<str>);

impl ProbePath {
    /// The path, if all of it is plain. A leading `/` is added where it is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/-_.~?=&%".contains(&b);
        let fits = !text.is_empty() && text.len() <= MAX_PATH && text.bytes().all(plain);
        let slash = if text.starts_with('/') { "" } else { "/" };
        fits.then(|| Self(format!("{slash}{text}").into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProbePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no plain path"))
    }
}

/// One instance as the routes know it: nothing in here is trusted.
#[derive(Debug, Clone, Default)]
pub struct Candidate<'a> {
    /// Name of its service.
    pub service: &'a str,
    /// Node it runs on.
    pub node: &'a str,
    /// Its id.
    pub id: &'a str,
    /// IP address or host name.
    pub host: &'a str,
    /// Port.
    pub port: u16,
    /// Its share of the traffic, relative to others.
    pub weight: u16,
    /// Why it takes no traffic; `None` if it takes some.
    pub out: Option<String>,
    /// Nothing is known of it yet: it was registered, and no check has run.
    pub unknown: bool,
    /// How long answers may be cached, as its label says.
    pub cache: Option<&'a str>,
    /// Path of its HTTP check, as its label says.
    pub probe: Option<&'a str>,
}

/// All routes at one moment. Equal routes make equal files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// The services, by name.
    pub services: BTreeMap<ServiceName, Route>,
    /// What could not be taken over, and why.
    pub left_out: BTreeSet<String>,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Where it is served, by address; those out of rotation included.
    pub endpoints: BTreeMap<SocketAddr, Endpoint>,
    /// How long its answers may be cached; `None`: not at all.
    pub cache: Option<Duration>,
    /// What to ask for to see whether an instance is well.
    pub probe: Option<ProbePath>,
}

/// One address of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Node it runs on.
    pub node: Arc<str>,
    /// Instance id.
    pub id: Arc<str>,
    /// Share of the traffic; 1 at least.
    pub weight: u16,
    /// Does it take traffic?
    pub rotation: Rotation,
}

/// In or out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Takes traffic.
    In,
    /// Takes traffic although the catalog does not say so, for this reason.
    Held(String),
    /// Takes none, for this reason.
    Out(String),
    /// Takes none: registered, and not looked at yet.
    Unknown(String),
}

impl Endpoint {
    /// Does it take traffic?
    pub fn serves(&self) -> bool {
        matches!(self.rotation, Rotation::In | Rotation::Held(_))
    }
}

impl Route {
    /// The addresses that take traffic, with their weights.
    pub fn serving(&self) -> impl Iterator<Item = (SocketAddr, u16)> {
        self.endpoints.iter().filter(|(_, e)| e.serves()).map(|(address, e)| (*address, e.weight))
    }
}

impl Routes {
    /// Takes over what can be taken over.
    pub fn new<'a>(candidates: impl IntoIterator<Item = Candidate<'a>>) -> Self {
        let mut routes = Self::default();
        for candidate in candidates {
            if let Err(why) = routes.take(&candidate) {
                routes.left_out.insert(why);
            }
        }
        routes
    }

    fn take(&mut self, candidate: &Candidate<'_>) -> Result<(), String> {
        let Candidate { service, id, host, port, .. } = candidate;
        let name = ServiceName::parse(service).ok_or_else(|| {
            format!("service {service:?}: its name cannot be a host name and a path; use letters, digits, `-`, `_`, `.`")
        })?;
        let route = self.services.entry(name).or_default();
        let address = address(host, *port).ok_or_else(|| {
            format!("instance {id:?} of {service:?}: {host:?}, port {port}, is no IP address with a port")
        })?;
        let (cache, probe) = hints(candidate, &mut self.left_out);
        // Instances that disagree about their service: the shorter time wins, being the safer one.
        route.cache = match (route.cache, cache) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        route.probe = route.probe.take().or(probe);
        let endpoint = Endpoint {
            node: candidate.node.into(),
            id: (*id).into(),
            weight: candidate.weight.max(1),
            rotation: match &candidate.out {
                None => Rotation::In,
                Some(why) if candidate.unknown => Rotation::Unknown(why.clone()),
                Some(why) => Rotation::Out(why.clone()),
            },
        };
        // Two instances at one address: the one that serves counts.
        let seat = route.endpoints.entry(address).or_insert_with(|| endpoint.clone());
        if endpoint.serves() && !seat.serves() {
            *seat = endpoint;
        }
        Ok(())
    }
}

fn address(host: &str, port: u16) -> Option<SocketAddr> {
    let ip: IpAddr = match host {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        other => other.trim_matches(['[', ']']).parse().ok()?,
    };
    (port != 0 && !ip.is_unspecified()).then(|| SocketAddr::new(ip, port))
}

fn hints(
    candidate: &Candidate<'_>,
    left_out: &mut BTreeSet<String>,
) -> (Option<Duration>, Option<ProbePath>) {
    let service = candidate.service;
    let cache = candidate.cache.and_then(|text| {
        let parsed = humantime::parse_duration(text.trim()).ok().filter(|time| *time <= MAX_CACHE);
        if parsed.is_none() {
            left_out.insert(format!(
                "service {service:?}: its label `cache` says {text:?}, which is no time such as `60s`; not cached"
            ));
        }
        // The balancers count in whole seconds.
        parsed.map(|time| Duration::from_secs(time.as_secs())).filter(|time| !time.is_zero())
    });
    let probe = candidate.probe.and_then(|text| {
        let path = ProbePath::parse(text);
        if path.is_none() {
            left_out.insert(format!("service {service:?}: {text:?} is no plain path, not probed"));
        }
        path
    });
    (cache, probe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hostile::TEXTS;

    fn at(service: &str) -> Candidate<'_> {
        Candidate { service, id: "i", host: "10.0.0.1", port: 80, ..Candidate::default() }
    }

    #[test]
    fn hostile_words_are_left_out_and_told() {
        for text in TEXTS {
            let by_name = Routes::new([at(text)]);
            assert!(by_name.services.is_empty() && by_name.left_out.len() == 1, "{text:?}");
            let hints = Candidate { cache: Some(text), probe: Some(text), ..at("web") };
            let routes = Routes::new([hints, Candidate { host: text, ..at("web") }]);
            let route = &routes.services[&ServiceName::parse("web").unwrap()];
            assert_eq!((route.cache, route.endpoints.len()), (None, 1), "{text:?}");
            assert!(routes.left_out.len() >= 2, "{text:?}: {:?}", routes.left_out);
            let harmless = |path: &ProbePath| {
                path.as_str().bytes().all(|b| b"/.-_".contains(&b) || b.is_ascii_alphanumeric())
            };
            assert!(route.probe.as_ref().is_none_or(harmless), "{text:?}: {:?}", route.probe);
        }
    }

    #[test]
    fn an_instance_with_a_host_name_does_not_keep_the_others_out() {
        let stranger = Candidate { host: "db.internal", ..at("web") };
        let routes = Routes::new([stranger, Candidate { host: "[::1]", ..at("Web") }, at("web")]);
        let route = &routes.services[&ServiceName::parse("web").unwrap()];
        assert_eq!(route.endpoints.len(), 2);
        assert!(routes.left_out.iter().next().unwrap().contains("db.internal"));
    }

    #[test]
    fn of_two_cache_times_the_shorter_counts() {
        let routes =
            Routes::new(["2m", "60s", "90s"].map(|cache| Candidate { cache: Some(cache), ..at("web") }));
        assert_eq!(routes.services.values().next().unwrap().cache, Some(Duration::from_secs(60)));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_over_is_plain(service in ".{0,40}", probe in ".{0,40}", host in "[0-9a-f:.\\[\\]]{0,20}", port: u16) {
            let candidate = Candidate { probe: Some(&probe), host: &host, port, ..at(&service) };
            for (name, route) in &Routes::new([candidate]).services {
                prop_assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)));
                if let Some(path) = &route.probe {
                    prop_assert!(path.as_str().bytes().all(|b| b.is_ascii_graphic() && !b"\"'\\{};#".contains(&b)), "{:?}", path);
                }
            }
        }
    }
}
