//! What a service says about being a proxy in a service mesh. Kept and told, carried out by nobody here.
//! Source of the shape: Consul API, `/v1/agent/service/register`, `Proxy`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A mesh proxy's registration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeshProxy {
    /// Name of the service it stands for.
    pub destination_service: String,
    /// Id of the instance it stands for.
    pub destination_id: String,
    /// Where that instance listens.
    pub local_address: String,
    /// The port there; 0 for none.
    pub local_port: i64,
    /// Free settings.
    pub config: BTreeMap<String, Value>,
    /// Services it reaches out to.
    pub upstreams: Vec<MeshUpstream>,
    /// Mode of the mesh gateway; empty for none.
    pub gateway_mode: String,
    /// Paths that are reached past the proxy.
    pub expose: BTreeMap<String, Value>,
}

/// A service a mesh proxy reaches out to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeshUpstream {
    /// `service` or `prepared_query`.
    pub destination_type: String,
    /// Name of either.
    pub destination: String,
    /// Its namespace; empty for the default one.
    pub namespace: String,
    /// Datacenter; empty for the own one.
    pub datacenter: String,
    /// Address it is offered at; empty for loopback.
    pub bind_address: String,
    /// Port it is offered at.
    pub bind_port: i64,
    /// Free settings.
    pub config: BTreeMap<String, Value>,
    /// Mode of the mesh gateway; empty for none.
    pub gateway_mode: String,
}
