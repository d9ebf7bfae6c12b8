//! What can be set about each balancer. Only the paths have to be; a `[proxy.nginx]` table without any is
//! what Debian's package has.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::duration;

/// The external balancers that follow the routes; those without a table are left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balancers {
    /// nginx.
    pub nginx: Option<Nginx>,
    /// HAProxy.
    pub haproxy: Option<Haproxy>,
    /// Varnish.
    pub varnish: Option<Varnish>,
}

/// `[proxy.nginx]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nginx {
    /// The file wharf writes; nginx includes it inside `http { }`.
    pub config: PathBuf,
    /// nginx's main file, which includes that one.
    pub main: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// Where nginx serves the routes.
    pub listen: Vec<SocketAddr>,
    /// An instance has this long to accept a connection.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// An instance has this long to begin its answer; then another is asked if the request allows it.
    #[serde(with = "duration")]
    pub response_timeout: Duration,
    /// So many reloads may follow each other at once ...
    pub reload_burst: u32,
    /// ... then one in this time, with all that changed in between.
    #[serde(with = "duration")]
    pub reload_interval: Duration,
    /// After a start of wharf, what served before serves this long without the catalog's word.
    #[serde(with = "duration")]
    pub startup_hold: Duration,
}

/// `[proxy.haproxy]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Haproxy {
    /// The file wharf writes: HAProxy's whole configuration.
    pub config: PathBuf,
    /// Its socket for commands; wharf's configuration has it made there.
    pub socket: PathBuf,
    /// Where the master process keeps its process id.
    pub pid_file: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// Where HAProxy serves the routes.
    pub listen: Vec<SocketAddr>,
    /// The user and group that its workers run as; empty: those that started it.
    pub user: String,
    /// A file with sections of your own, put at the end of the configuration.
    pub extra: Option<PathBuf>,
    /// Fewest server slots a service has; they double when they run out, which takes a reload.
    pub slots: u16,
    /// An instance has this long to accept a connection.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// An instance has this long to begin its answer; then another is asked if the request allows it.
    #[serde(with = "duration")]
    pub response_timeout: Duration,
    /// So many reloads may follow each other at once ...
    pub reload_burst: u32,
    /// ... then one in this time, with all that changed in between.
    #[serde(with = "duration")]
    pub reload_interval: Duration,
    /// After a start of wharf, what served before serves this long without the catalog's word.
    #[serde(with = "duration")]
    pub startup_hold: Duration,
}

/// `[proxy.varnish]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Varnish {
    /// The file wharf writes, for Varnish to start with (`varnishd -f`).
    pub config: PathBuf,
    /// Where Varnish takes commands (`varnishd -T`).
    pub admin: String,
    /// The file with the shared secret (`varnishd -S`).
    pub secret: PathBuf,
    /// The program, to check a file while no Varnish runs.
    pub program: PathBuf,
    /// How long a cached answer is served after its time, while a new one is fetched or none can be had.
    #[serde(with = "duration")]
    pub grace: Duration,
    /// Varnish asks an instance that has an HTTP check this often by itself; zero: never.
    #[serde(with = "duration")]
    pub probe_interval: Duration,
    /// An instance has this long to accept a connection.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// An instance has this long to begin its answer; then another is asked if the request allows it.
    #[serde(with = "duration")]
    pub response_timeout: Duration,
    /// So many programs may be loaded one after the other at once ...
    pub reload_burst: u32,
    /// ... then one in this time, with all that changed in between.
    #[serde(with = "duration")]
    pub reload_interval: Duration,
    /// After a start of wharf, what served before serves this long without the catalog's word.
    #[serde(with = "duration")]
    pub startup_hold: Duration,
}

const CONNECT: Duration = Duration::from_secs(1);
const RESPONSE: Duration = Duration::from_secs(60);
const BURST: u32 = 8;
const INTERVAL: Duration = Duration::from_secs(2);
const HOLD: Duration = Duration::from_secs(10);

fn everywhere() -> Vec<SocketAddr> {
    vec![SocketAddr::from(([0, 0, 0, 0], 80))]
}

impl Default for Nginx {
    fn default() -> Self {
        Self {
            config: "/etc/nginx/conf.d/wharf.conf".into(),
            main: "/etc/nginx/nginx.conf".into(),
            program: "nginx".into(),
            listen: everywhere(),
            connect_timeout: CONNECT,
            response_timeout: RESPONSE,
            reload_burst: BURST,
            reload_interval: INTERVAL,
            startup_hold: HOLD,
        }
    }
}

impl Default for Haproxy {
    fn default() -> Self {
        Self {
            config: "/etc/haproxy/haproxy.cfg".into(),
            socket: "/run/haproxy/admin.sock".into(),
            pid_file: "/run/haproxy.pid".into(),
            program: "haproxy".into(),
            listen: everywhere(),
            user: "haproxy".to_owned(),
            extra: None,
            slots: 8,
            connect_timeout: CONNECT,
            response_timeout: RESPONSE,
            reload_burst: BURST,
            reload_interval: INTERVAL,
            startup_hold: HOLD,
        }
    }
}

impl Default for Varnish {
    fn default() -> Self {
        Self {
            config: "/etc/varnish/default.vcl".into(),
            admin: "127.0.0.1:6082".to_owned(),
            secret: "/etc/varnish/secret".into(),
            program: "varnishd".into(),
            grace: Duration::from_secs(60),
            probe_interval: Duration::from_secs(5),
            connect_timeout: CONNECT,
            response_timeout: RESPONSE,
            reload_burst: BURST,
            reload_interval: INTERVAL,
            startup_hold: HOLD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_have_to_be_told_and_an_unknown_key_is_named() {
        let nginx: Nginx = toml::from_str("config = \"/tmp/a.conf\"").unwrap();
        assert_eq!(nginx, Nginx { config: "/tmp/a.conf".into(), ..Nginx::default() });
        let error = toml::from_str::<Haproxy>("sokcet = \"/tmp/s\"").unwrap_err();
        assert!(error.message().contains("sokcet"), "{error}");
        let error = toml::from_str::<Varnish>("grace = \"soon\"").unwrap_err();
        assert!(error.message().contains("`soon` is not a duration"), "{error}");
    }
}
