//! Who is this agent, and how much does it take in one request?

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// Port a Consul server would listen on for its own kind; named in `status/leader` and by the `consul`
/// service. Nothing listens there.
pub(crate) const SERVER_PORT: u16 = 8300;

/// Settings of the API.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The datacenter this agent is in; `?dc=` accepts no other.
    pub datacenter: String,
    /// The node that `/v1/agent` speaks for.
    pub node_name: Arc<str>,
    /// That node's UUID. Has to stay the same over restarts; empty means it has none.
    pub node_id: String,
    /// Address other machines reach this node at.
    pub advertise_addr: IpAddr,
    /// Version told to clients, in Consul's numbering: they switch features on by it.
    pub version: String,
    /// Indent every answer, not only those asked for with `?pretty`? Consul does while it keeps nothing on disk.
    pub indent: bool,
    /// Longest value of a key, in bytes.
    pub kv_max_value_size: usize,
    /// Longest body of a transaction, in bytes.
    pub txn_max_body_size: usize,
    /// Longest JSON body of any other write, in bytes.
    pub max_body_size: usize,
    /// Largest snapshot that is restored, in bytes, packed and unpacked.
    pub snapshot_max_size: usize,
    /// Take checks that run commands, on this machine or in containers. Whoever may register a check may then
    /// run anything.
    pub enable_script_checks: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            datacenter: "dc1".to_owned(),
            node_name: Arc::from("wharf"),
            node_id: String::new(),
            advertise_addr: IpAddr::V4(Ipv4Addr::LOCALHOST),
            version: "1.8.7".to_owned(),
            indent: false,
            kv_max_value_size: 512 * 1024,
            txn_max_body_size: 512 * 1024,
            max_body_size: 1024 * 1024,
            snapshot_max_size: 1 << 30,
            enable_script_checks: false,
        }
    }
}

impl Config {
    /// `host:port` of the one server there is, for `status/leader`.
    pub(crate) fn server_address(&self) -> String {
        std::net::SocketAddr::new(self.advertise_addr, SERVER_PORT).to_string()
    }
}
