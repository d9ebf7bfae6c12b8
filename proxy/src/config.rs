//! What can be set about the proxy.

use std::time::Duration;

use wharf_proxy_drivers::duration;

/// Limits and times of the proxy. Durations are written as `500ms`, `1s`, `1m 30s`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A client has this long to send the head of a request, and again for a body that is kept (see
    /// `replay_limit`); an idle keep-alive connection is closed after as long.
    #[serde(with = "duration")]
    pub header_read_timeout: Duration,
    /// Most client connections open at the same time; further ones wait in the listener's queue.
    pub max_connections: usize,
    /// An endpoint has this long to accept a connection, name resolution included.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// An endpoint has this long to begin its answer, counted from the last piece of the request it was
    /// sent. Zero: for ever.
    #[serde(with = "duration")]
    pub response_timeout: Duration,
    /// Most endpoints tried for one request (0 counts as 1).
    pub max_attempts: usize,
    /// A request that finds no endpoint left to try waits this long for the catalog to name another.
    #[serde(with = "duration")]
    pub table_wait: Duration,
    /// An endpoint that could not be reached is skipped this long, or until the catalog says something
    /// new about it. Zero: never.
    #[serde(with = "duration")]
    pub ejection: Duration,
    /// Longest request body, in bytes, kept so that a PUT, DELETE or GET with a body can be sent again.
    pub replay_limit: u64,
    /// Most idle connections kept to one endpoint.
    pub max_idle_per_endpoint: usize,
    /// An idle connection to an endpoint is closed after this long.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// Requests in flight have this long to finish when the proxy is told to stop.
    #[serde(with = "duration")]
    pub shutdown_timeout: Duration,
    /// Believe `X-Forwarded-Proto` and `X-Forwarded-Host` of clients: set it when every client is a
    /// proxy you run yourself.
    pub trust_forwarded: bool,
    /// Say `Via: 1.1 wharf` on requests and responses.
    pub via: bool,
    /// An nginx that follows the same routes.
    pub nginx: Option<wharf_proxy_drivers::Nginx>,
    /// A HAProxy that follows the same routes.
    pub haproxy: Option<wharf_proxy_drivers::Haproxy>,
    /// A Varnish that follows the same routes.
    pub varnish: Option<wharf_proxy_drivers::Varnish>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(75),
            max_connections: 10_000,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(60),
            max_attempts: 5,
            table_wait: Duration::from_millis(50),
            ejection: Duration::from_secs(1),
            replay_limit: 64 * 1024,
            max_idle_per_endpoint: 128,
            idle_timeout: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(30),
            trust_forwarded: false,
            via: false,
            nginx: None,
            haproxy: None,
            varnish: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_with_their_unit() {
        let config: Config =
            toml::from_str("connect_timeout = \"250ms\"\nresponse_timeout = \"0s\"").unwrap();
        assert_eq!(config.connect_timeout, Duration::from_millis(250));
        assert_eq!(config.response_timeout, Duration::ZERO);
        assert_eq!(config.max_attempts, Config::default().max_attempts);
    }

    #[test]
    fn an_unknown_key_and_a_bare_number_are_refused_by_name() {
        let unknown = toml::from_str::<Config>("conect_timeout = \"1s\"").unwrap_err();
        assert!(unknown.message().contains("conect_timeout"), "{unknown}");
        let bare = toml::from_str::<Config>("connect_timeout = \"5\"").unwrap_err();
        assert!(bare.message().contains("`5` is not a duration"), "{bare}");
    }
}
