//! What an operator may choose about names. Pure.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Deserializer, de::Error};

/// Port of a recursor that is written without one.
const DNS_PORT: u16 = 53;

/// How names are answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The zone: everything below it is answered.
    pub domain: String,
    /// A second name for the zone, while clients move from one to the other. Names in answers are always of `domain`.
    pub alt_domain: Option<String>,
    /// Name of this datacenter, the only one that is known.
    pub datacenter: String,
    /// Node that is named as the zone's name server.
    pub node_name: String,
    /// How long an answer may be remembered (`10s`) where nothing more special is said; zero: not at all.
    #[serde(deserialize_with = "duration")]
    pub ttl: Duration,
    /// How long answers about nodes may be remembered; unset: `ttl`.
    #[serde(deserialize_with = "optional_duration")]
    pub node_ttl: Option<Duration>,
    /// How long answers about services may be remembered, by service name in lower case: a whole name, the start
    /// of one (`web-*`; the longest counts) or `*`; unset: `ttl`.
    #[serde(deserialize_with = "durations")]
    pub service_ttl: BTreeMap<String, Duration>,
    /// How long it may be remembered that a name does not exist; zero: not at all.
    #[serde(deserialize_with = "duration")]
    pub negative_ttl: Duration,
    /// What the zone tells its secondaries.
    pub soa: Soa,
    /// Answer only passing instances, so that a name leads to what works; otherwise warning ones too, as Consul
    /// does unless told. Critical ones, and
    /// those that are drained or in maintenance, never are.
    pub only_passing: bool,
    /// Who is asked for names outside the zone, in this order (`10.0.0.2`, `10.0.0.2:5353`, `[2001:db8::2]:53`);
    /// nobody: such questions are refused.
    #[serde(deserialize_with = "recursors")]
    pub recursors: Vec<SocketAddr>,
    /// How long each of them may take.
    #[serde(deserialize_with = "duration")]
    pub recursor_timeout: Duration,
    /// Where the load balancer is reached: what `<service>.virtual.<domain>` answers. Unset: such names do not exist.
    pub proxy_addr: Option<IpAddr>,
}

/// Timers of the zone's SOA record (RFC 1035, 3.3.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Soa {
    /// How often a secondary looks for a new serial number.
    #[serde(deserialize_with = "duration")]
    pub refresh: Duration,
    /// How soon it looks again after it could not.
    #[serde(deserialize_with = "duration")]
    pub retry: Duration,
    /// After how long without an answer it stops serving the zone.
    #[serde(deserialize_with = "duration")]
    pub expire: Duration,
}

impl Default for Soa {
    fn default() -> Self {
        let (refresh, retry, expire) = (3600, 600, 86_400);
        Self {
            refresh: Duration::from_secs(refresh),
            retry: Duration::from_secs(retry),
            expire: Duration::from_secs(expire),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domain: "consul".to_owned(),
            alt_domain: None,
            datacenter: "dc1".to_owned(),
            node_name: "wharf".to_owned(),
            ttl: Duration::ZERO,
            node_ttl: None,
            service_ttl: BTreeMap::new(),
            negative_ttl: Duration::ZERO,
            soa: Soa::default(),
            only_passing: true,
            recursors: Vec::new(),
            recursor_timeout: Duration::from_secs(2),
            proxy_addr: None,
        }
    }
}

impl Config {
    /// How long answers about nodes may be remembered.
    pub(crate) fn ttl_of_nodes(&self) -> Duration {
        self.node_ttl.unwrap_or(self.ttl)
    }

    /// How long answers about service `lower` may be remembered: its own entry, else the longest that it starts with.
    pub(crate) fn ttl_of_service(&self, lower: &str) -> Duration {
        if let Some(ttl) = self.service_ttl.get(lower) {
            return *ttl;
        }
        let starts = self.service_ttl.iter().filter_map(|(name, ttl)| Some((name.strip_suffix('*')?, ttl)));
        let longest =
            starts.filter(|(start, _)| lower.starts_with(start)).max_by_key(|(start, _)| start.len());
        longest.map_or(self.ttl, |(_, ttl)| *ttl)
    }
}

fn parse(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("duration `{text}`: {error}"))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

fn durations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Duration>, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
    let each = texts.into_iter().map(|(name, text)| {
        let ttl = parse(&text).map_err(|error| D::Error::custom(format!("`{name}`: {error}")))?;
        Ok((name.to_ascii_lowercase(), ttl))
    });
    each.collect()
}

fn recursors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let address = |text: &String| {
        let bare = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS_PORT));
        text.parse().or_else(|_| bare()).map_err(|_| {
            D::Error::custom(format!("recursor `{text}` is no address: write `10.0.0.2` or `10.0.0.2:5353`"))
        })
    };
    texts.iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use serde::de::value::{Error, MapDeserializer, SeqDeserializer};

    use super::*;

    #[test]
    fn a_services_ttl_is_its_own_or_that_of_the_longest_start_or_the_general_one() {
        let seconds = Duration::from_secs;
        let mut config = Config { ttl: seconds(1), ..Config::default() };
        assert_eq!(config.ttl_of_service("web"), seconds(1));
        for (name, ttl) in [("*", 2), ("web-*", 3), ("web-front-*", 4), ("web-front-1", 5)] {
            config.service_ttl.insert(name.to_owned(), seconds(ttl));
        }
        for (name, ttl) in [("db", 2), ("web", 2), ("web-x", 3), ("web-front-2", 4), ("web-front-1", 5)] {
            assert_eq!(config.ttl_of_service(name), seconds(ttl), "{name}");
        }
    }

    #[test]
    fn durations_are_written_with_units_and_unknown_keys_are_refused() {
        let parse = |key: &'static str, value: &'static str| {
            Config::deserialize(MapDeserializer::<_, Error>::new([(key, value)].into_iter()))
        };
        assert_eq!(parse("ttl", "30s").unwrap().ttl, Duration::from_secs(30));
        assert_eq!(parse("node_ttl", "30s").unwrap().ttl_of_nodes(), Duration::from_secs(30));
        assert!(parse("ttl", "soon").unwrap_err().to_string().contains("`soon`"));
        assert!(parse("domian", "x").unwrap_err().to_string().contains("domian"));
    }

    #[test]
    fn recursors_are_addresses_with_or_without_a_port() {
        let parse = |texts: [&'static str; 2]| recursors(SeqDeserializer::<_, Error>::new(texts.into_iter()));
        let (plain, six) = ("10.0.0.2:53".parse().unwrap(), "[2001:db8::2]:5353".parse().unwrap());
        assert_eq!(parse(["10.0.0.2", "[2001:db8::2]:5353"]).unwrap(), [plain, six]);
        assert!(parse(["10.0.0.2", "dns.example"]).unwrap_err().to_string().contains("`dns.example`"));
    }
}
