//! What do the parameters of a request ask for? Names without a value count (`?stale`), unknown names
//! are ignored, as Consul does.

use std::{convert::Infallible, time::Duration};

use axum::extract::FromRequestParts;
use http::{Method, request::Parts};
use wharf_catalog::{Index, Node};

use crate::{Config, answers::Query, duration, error::ApiError, lookup, routing::Rest, telemetry::Meter};

/// How long a blocking read waits when it does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(300);
/// Longest wait of a blocking read.
const MAX_WAIT: Duration = Duration::from_secs(600);

/// The parameters, in the order given; and is every answer to be indented?
#[derive(Debug, Clone, Default)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    indent: bool,
    asked: Option<Query>,
}

/// Marks requests to an agent that indents every answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indent;

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let text = parts.uri.query().unwrap_or_default();
        let asked = (parts.method == Method::GET)
            .then(|| Query::new(parts.uri.path(), text, parts.extensions.get::<Meter>().cloned()))
            .flatten();
        Ok(Self { asked, indent: parts.extensions.get::<Indent>().is_some(), ..Self::parse(text) })
    }
}

impl Params {
    /// Reads a query string; what is no UTF-8 is replaced.
    pub(crate) fn parse(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { pairs, ..Self::default() }
    }

    /// Is it there, with or without a value?
    pub(crate) fn has(&self, name: &str) -> bool {
        self.first(name).is_some()
    }

    /// Its first value.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(key, _)| key == name)?;
        Some(&pair.1)
    }

    /// All its values.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All of them, sorted by name, as a query string.
    pub(crate) fn encoded(&self) -> String {
        let mut sorted = self.pairs.clone();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        form_urlencoded::Serializer::new(String::new()).extend_pairs(sorted).finish()
    }

    /// Indent the answer?
    pub(crate) fn pretty(&self) -> bool {
        self.indent || self.has("pretty")
    }

    /// A number, or Consul's text for what is none (it answers 500 for these).
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.first(name) else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let why = match text.parse() {
            Ok(number) if digits => return Ok(Some(number)),
            _ if digits => "value out of range",
            _ => "invalid syntax",
        };
        Err(ApiError::Refused(format!("strconv.ParseUint: parsing {text:?}: {why}")))
    }

    /// The same where nothing (`?cas=`) is no number and none is meant.
    pub(crate) fn given_number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        match self.first(name) {
            Some("") => Ok(None),
            _ => self.number(name),
        }
    }

    /// Refuses every datacenter but ours.
    pub(crate) fn check_datacenter(&self, config: &Config, indexed: bool) -> Result<(), ApiError> {
        match self.first("dc") {
            Some(dc) if !dc.is_empty() && dc != config.datacenter => Err(ApiError::NoDatacenter { indexed }),
            _ => Ok(()),
        }
    }

    /// How to read a key.
    pub(crate) fn kv_read(&self, config: &Config) -> Result<Read, ApiError> {
        let read = self.read()?;
        self.check_datacenter(config, false)?;
        Ok(Read { tells_consistency: false, ..read })
    }

    /// How to read sessions. Consul tells the index headers with these errors, the consistency never.
    pub(crate) fn session_read(&self, config: &Config) -> Result<Read, ApiError> {
        let read = self.read()?;
        self.check_datacenter(config, true)?;
        Ok(Read { tells_consistency: false, ..read })
    }

    /// How to read from the catalog or of its health.
    pub(crate) fn catalog_read(&self, config: &Config) -> Result<Read, ApiError> {
        let read = self.read()?;
        self.check_datacenter(config, true)?;
        Ok(read)
    }

    /// The same for one thing, and its name. As in Consul, a name that is `missing` is told before a datacenter
    /// that is not known.
    pub(crate) fn catalog_read_of(
        &self,
        config: &Config,
        rest: Rest,
        missing: &str,
    ) -> Result<(Read, String), ApiError> {
        let read = self.read()?;
        let name = rest.or_missing(missing)?;
        self.check_datacenter(config, true)?;
        Ok((read, name))
    }

    /// How to read one session or those of one node, and what it is called.
    pub(crate) fn session_read_of(
        &self,
        config: &Config,
        rest: Rest,
        missing: &str,
    ) -> Result<(Read, String), ApiError> {
        let (read, name) = self.catalog_read_of(config, rest, missing)?;
        Ok((Read { tells_consistency: false, ..read }, name))
    }

    /// For answers that are this server's own and of no commit: refuses what makes no sense, as every read does.
    pub(crate) fn check_local(&self, config: &Config) -> Result<(), ApiError> {
        self.read()?;
        self.check_datacenter(config, false)
    }

    /// For answers that wait for nothing: refuses consistencies that exclude each other.
    pub(crate) fn check_contradictions(&self) -> Result<(), ApiError> {
        self.consistency().map(drop)
    }

    fn read(&self) -> Result<Read, ApiError> {
        Ok(Read {
            consistency: self.consistency()?,
            index: self.index()?,
            wait: self.wait()?,
            pretty: self.pretty(),
            tells_consistency: true,
            cached: false,
            query: None,
        })
    }

    fn consistency(&self) -> Result<&'static str, ApiError> {
        let consistency = match (self.has("stale"), self.has("consistent")) {
            (true, true) => {
                return Err(ApiError::bad("Cannot specify ?stale with ?consistent, conflicting semantics."));
            }
            (true, false) => "stale",
            (false, true) => "consistent",
            (false, false) => "leader",
        };
        if self.has("cached") && self.has("consistent") {
            return Err(ApiError::bad("Cannot specify ?cached with ?consistent, conflicting semantics."));
        }
        Ok(consistency)
    }

    /// From which index on, and for how long at most, to wait; none if either is no such thing.
    pub(crate) fn patience(&self) -> Option<(Index, Duration)> {
        Some((self.index().ok()?, self.wait().ok()?))
    }

    /// What the client knows already; 0 when it does not say.
    pub(crate) fn index(&self) -> Result<Index, ApiError> {
        match self.first("index").unwrap_or_default() {
            "" => Ok(Index(0)),
            text if text.bytes().all(|b| b.is_ascii_digit()) => {
                text.parse().map(Index).map_err(|_| ApiError::bad("Invalid index"))
            }
            _ => Err(ApiError::bad("Invalid index")),
        }
    }

    /// The longest wait, within bounds. Negative and zero ones are the default, as Consul has it.
    pub(crate) fn wait(&self) -> Result<Duration, ApiError> {
        let text = self.first("wait").unwrap_or_default();
        if text.is_empty() {
            return Ok(DEFAULT_WAIT);
        }
        let wait = duration::parse(text).map_err(|_| ApiError::bad("Invalid wait time"))?;
        Ok(match duration::from_nanoseconds(wait) {
            Duration::ZERO => DEFAULT_WAIT,
            wait => wait.min(MAX_WAIT),
        })
    }

    /// Are all the tags asked for among `tags`? Compared without regard to case.
    pub(crate) fn wants_tags(&self, tags: &[String]) -> bool {
        self.all("tag").all(|wanted| tags.iter().any(|tag| lookup::same(tag, wanted)))
    }

    /// Does the node have every `?node-meta=key:value` asked for? Nodes of a `?peer` (1.13) there are none.
    pub(crate) fn wants_node(&self, node: &Node) -> bool {
        if self.first("peer").is_some_and(|peer| !peer.is_empty()) {
            return false;
        }
        self.all("node-meta").all(|pair| {
            let (key, value) = pair.split_once(':').unwrap_or((pair, ""));
            node.meta.get(key).is_some_and(|have| have == value)
        })
    }
}

/// How an indexed read is to be answered.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    /// Wait until the answer is younger than this; 0 does not wait.
    pub(crate) index: Index,
    /// But no longer than this.
    pub(crate) wait: Duration,
    /// Indent the answer?
    pub(crate) pretty: bool,
    /// What was asked for; there is one server, so every read is consistent.
    pub(crate) consistency: &'static str,
    /// Name the consistency in a header?
    pub(crate) tells_consistency: bool,
    /// Was the answer allowed to come from the agent's cache? It never does: the snapshot is as fast.
    pub(crate) cached: bool,
    /// The question, where all who ask it may be given the same answer.
    pub(crate) query: Option<Query>,
}

impl Read {
    /// For endpoints whose `?cached` form tells about the cache.
    pub(crate) fn cacheable(self, params: &Params) -> Self {
        Self { cached: params.has("cached"), ..self }
    }

    /// For endpoints whose answer follows from path, parameters and the index of its topic alone: it is
    /// worked out once for all who ask. Not `exactly` the name asked for: the answer also depends on which
    /// names there are.
    pub(crate) fn shared(self, params: &Params, exactly: bool) -> Self {
        Self { query: params.asked.clone().filter(|_| exactly), ..self }
    }
}

/// Go's `strconv.ParseBool`.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Read, ApiError> {
        Params::parse(query).catalog_read(&Config::default())
    }

    #[test]
    fn a_bare_parameter_counts() {
        assert_eq!(read("stale").unwrap().consistency, "stale");
        assert!(read("pretty").unwrap().pretty);
    }

    #[test]
    fn stale_and_consistent_exclude_each_other() {
        assert!(matches!(read("stale&consistent=1"), Err(ApiError::BadRequest(_))));
    }

    #[test]
    fn what_may_be_old_cannot_have_to_be_new() {
        assert!(matches!(read("cached&consistent"), Err(ApiError::BadRequest(_))));
        assert!(read("cached&stale").is_ok());
    }

    #[test]
    fn a_missing_name_is_told_before_an_unknown_datacenter_and_after_a_bad_index() {
        let of = |query: &str, name: &str| {
            Params::parse(query).catalog_read_of(&Config::default(), Rest(name.to_owned()), "Missing it")
        };
        assert_eq!(of("dc=nope", "").unwrap_err(), ApiError::bad("Missing it"));
        assert_eq!(of("index=x", "").unwrap_err(), ApiError::bad("Invalid index"));
        assert_eq!(of("dc=nope", "a").unwrap_err(), ApiError::NoDatacenter { indexed: true });
        assert_eq!(of("", "a").unwrap().1, "a");
    }

    #[test]
    fn there_are_no_peers() {
        let node = Node::new("n", "10.0.0.1");
        assert!(Params::parse("peer=").wants_node(&node));
        assert!(!Params::parse("peer=cluster-02").wants_node(&node));
    }

    #[test]
    fn an_index_is_a_number_without_a_sign() {
        assert_eq!(read("index=7").unwrap().index, Index(7));
        for bad in ["index=abc", "index=-1", "index=%2B1", "index=18446744073709551616"] {
            assert_eq!(read(bad).unwrap_err(), ApiError::bad("Invalid index"), "{bad}");
        }
    }

    #[test]
    fn waits_are_bounded() {
        assert_eq!(read("wait=9.5s").unwrap().wait, Duration::from_millis(9500));
        assert_eq!(read("wait=24h").unwrap().wait, MAX_WAIT);
        assert_eq!(read("wait=-5s").unwrap().wait, DEFAULT_WAIT);
        assert_eq!(read("").unwrap().wait, DEFAULT_WAIT);
        assert_eq!(read("wait=5").unwrap_err(), ApiError::bad("Invalid wait time"));
    }

    #[test]
    fn only_our_datacenter_is_known() {
        assert!(read("dc=dc1").is_ok());
        assert_eq!(read("dc=nope").unwrap_err(), ApiError::NoDatacenter { indexed: true });
    }

    #[test]
    fn numbers_keep_all_64_bits() {
        let params = Params::parse("flags=18446744073709551615&cas=-1&acquire=+1");
        assert_eq!(params.number("flags").unwrap(), Some(u64::MAX));
        assert!(params.number("cas").is_err());
        assert_eq!(params.number("none").unwrap(), None);
    }

    #[test]
    fn node_meta_must_match_in_all_pairs() {
        let mut node = Node::new("n", "10.0.0.1");
        node.meta.insert("env".into(), "prod".into());
        assert!(Params::parse("node-meta=env:prod").wants_node(&node));
        assert!(!Params::parse("node-meta=env:prod&node-meta=rack:1").wants_node(&node));
        assert!(!Params::parse("node-meta=bad").wants_node(&node));
    }
}
