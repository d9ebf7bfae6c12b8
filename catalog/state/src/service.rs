//! A service instance: one process, on one node, reachable at one address.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Index, MeshProxy, Timestamp};

/// One instance of a service. Source of the shape: Consul API, `/v1/agent/service/register`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Node it runs on.
    pub node: Arc<str>,
    /// Unique on its node.
    pub id: Arc<str>,
    /// Name of the service it is an instance of.
    pub name: Arc<str>,
    /// Labels to select by, in the order given.
    pub tags: Vec<String>,
    /// Own address; empty means the node's.
    pub address: String,
    /// Own port; 0 means it has none.
    pub port: u16,
    /// What was registered as its port and is none (-1, 70000): told back to whoever asks, used by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd_port: Option<i64>,
    /// Further addresses by label.
    pub tagged_addresses: BTreeMap<String, TaggedAddress>,
    /// Free key-value pairs.
    pub meta: BTreeMap<String, String>,
    /// Share of traffic it should get.
    pub weights: Weights,
    /// May others change its tags through the catalog?
    pub enable_tag_override: bool,
    /// Consul's `Kind`; empty for ordinary services.
    pub kind: String,
    /// What it says about being a proxy in a service mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Box<MeshProxy>>,
    /// Does it say that it speaks the mesh's protocol by itself?
    #[serde(default)]
    pub mesh_native: bool,
    /// Commit that created it; set by the catalog.
    pub created: Index,
    /// Last commit that changed it; set by the catalog.
    pub modified: Index,
}

impl Instance {
    /// An instance with the node's address, no port and no tags.
    pub fn new(node: impl Into<Arc<str>>, id: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            node: node.into(),
            id: id.into(),
            name: name.into(),
            tags: Vec::new(),
            address: String::new(),
            port: 0,
            odd_port: None,
            tagged_addresses: BTreeMap::new(),
            meta: BTreeMap::new(),
            weights: Weights::default(),
            enable_tag_override: false,
            kind: String::new(),
            proxy: None,
            mesh_native: false,
            created: Index::default(),
            modified: Index::default(),
        }
    }
}

/// How an instance left the catalog, remembered for a while so that whoever looks late can still tell an
/// end on purpose from a death.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// When.
    pub at: Timestamp,
    /// Somebody asked for it, over the API.
    pub withdrawn: bool,
    /// What the maintenance check said that was in force then: why it was drained.
    pub note: Option<String>,
}

/// Label of the address that an instance has inside its machine, beside the one that others use.
pub const CONTAINER_ADDRESS: &str = "container";

/// A labelled address of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaggedAddress {
    /// Host name or IP address.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// Relative traffic shares, as DNS SRV weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Weight while passing.
    pub passing: u16,
    /// Weight while warning.
    pub warning: u16,
}

impl Default for Weights {
    fn default() -> Self {
        Self { passing: 1, warning: 1 }
    }
}
