//! What answers hold, as far as the command line shows it. Unknown fields are ignored.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};
use wharf_catalog::{Index, Instance, Status, TaggedAddress, Weights};

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeRecord {
    /// UUID, or empty.
    #[serde(rename = "ID", default)]
    pub id: String,
    /// Name.
    pub node: String,
    /// Address.
    pub address: String,
    /// Datacenter.
    #[serde(default)]
    pub datacenter: String,
    /// Metadata.
    #[serde(default, deserialize_with = "null_as_default")]
    pub meta: BTreeMap<String, String>,
    /// Last commit that changed it.
    #[serde(default)]
    pub modify_index: Index,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ServiceRecord {
    /// Unique on its node.
    #[serde(rename = "ID")]
    pub id: String,
    /// Name of the service.
    pub service: String,
    /// Tags.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
    /// Own address; empty means the node's.
    #[serde(default)]
    pub address: String,
    /// Port, 0 for none.
    #[serde(default)]
    pub port: u16,
    /// Metadata.
    #[serde(default, deserialize_with = "null_as_default")]
    pub meta: BTreeMap<String, String>,
    /// Further addresses by label.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing)]
    tagged_addresses: BTreeMap<String, TaggedRecord>,
    /// Shares of traffic.
    #[serde(default, skip_serializing)]
    weights: Option<WeightsRecord>,
    /// May others change its tags?
    #[serde(default, skip_serializing)]
    enable_tag_override: bool,
    /// Last commit that changed it.
    #[serde(default)]
    pub modify_index: Index,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaggedRecord {
    address: String,
    #[serde(default)]
    port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WeightsRecord {
    passing: u16,
    warning: u16,
}

impl ServiceRecord {
    /// As an instance on `node`.
    pub fn instance(self, node: &Arc<str>) -> Instance {
        let tagged = |(label, TaggedRecord { address, port })| (label, TaggedAddress { address, port });
        let weights = self.weights.map(|WeightsRecord { passing, warning }| Weights { passing, warning });
        Instance {
            tags: self.tags,
            address: self.address,
            port: self.port,
            meta: self.meta,
            tagged_addresses: self.tagged_addresses.into_iter().map(tagged).collect(),
            weights: weights.unwrap_or_default(),
            enable_tag_override: self.enable_tag_override,
            ..Instance::new(node.clone(), self.id, self.service)
        }
    }
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CheckRecord {
    /// Its node.
    pub node: String,
    /// Unique on the node.
    #[serde(rename = "CheckID")]
    pub check_id: String,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// What it last said.
    pub status: Status,
    /// From whoever registered it.
    #[serde(default)]
    pub notes: String,
    /// What its last run printed.
    #[serde(default)]
    pub output: String,
    /// Instance it is for; empty for node checks.
    #[serde(rename = "ServiceID", default)]
    pub service_id: String,
    /// That instance's service.
    #[serde(default)]
    pub service_name: String,
    /// `http`, `tcp`, `ttl` ... or empty.
    #[serde(rename = "Type", default)]
    pub kind: String,
    /// Last commit that changed it.
    #[serde(default)]
    pub modify_index: Index,
}

/// An instance with its node and all checks that decide its health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct HealthRecord {
    /// Its node.
    pub node: NodeRecord,
    /// The instance.
    pub service: ServiceRecord,
    /// The node's checks and its own.
    #[serde(default, deserialize_with = "null_as_default")]
    pub checks: Vec<CheckRecord>,
}

impl HealthRecord {
    /// Where to reach the instance.
    pub fn address(&self) -> &str {
        if self.service.address.is_empty() { &self.node.address } else { &self.service.address }
    }

    /// The worst of its checks.
    pub fn status(&self) -> Status {
        let worst = self.checks.iter().map(|check| check.status).max();
        worst.unwrap_or(Status::Passing)
    }
}

/// The agent that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentSelf {
    /// Who it is.
    pub config: AgentConfig,
    /// How others see it.
    pub member: AgentMember,
}

/// Who an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentConfig {
    /// Datacenter.
    pub datacenter: String,
    /// Its node.
    pub node_name: String,
    /// That node's UUID, or empty.
    #[serde(rename = "NodeID", default)]
    pub node_id: String,
    /// Version of the API.
    #[serde(default)]
    pub version: String,
}

/// How others see an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentMember {
    /// Its node.
    pub name: String,
    /// Address.
    pub addr: String,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
