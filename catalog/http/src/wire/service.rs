//! Instances: three shapes of the same record, one per endpoint family.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use wharf_catalog::{Index, Instance, Node, TaggedAddress, Weights};

use super::{
    Object,
    node::unless_empty,
    proxy::{ConnectView, ProxyView},
};

/// As it was registered, also when it is no port.
fn told_port(instance: &Instance) -> i64 {
    instance.odd_port.unwrap_or(instance.port.into())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WeightsView {
    passing: u16,
    warning: u16,
}

impl From<Weights> for WeightsView {
    fn from(weights: Weights) -> Self {
        Self { passing: weights.passing, warning: weights.warning }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AddressView<'a> {
    address: &'a str,
    port: u16,
}

struct Addresses<'a>(&'a BTreeMap<String, TaggedAddress>);

impl Addresses<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Addresses<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Object(|| {
            self.0.iter().map(|(label, tagged)| {
                let TaggedAddress { address, port } = tagged;
                (label, AddressView { address, port: *port })
            })
        })
        .serialize(serializer)
    }
}

/// An instance in `health/service`, `catalog/node` and `catalog/node-services`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ServiceView<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'a str,
    #[serde(rename = "ID")]
    id: &'a str,
    service: &'a str,
    tags: Option<&'a [String]>,
    address: &'a str,
    #[serde(skip_serializing_if = "Addresses::is_empty")]
    tagged_addresses: Addresses<'a>,
    meta: Option<&'a BTreeMap<String, String>>,
    port: i64,
    weights: WeightsView,
    enable_tag_override: bool,
    proxy: ProxyView<'a>,
    connect: ConnectView,
    create_index: Index,
    modify_index: Index,
}

impl<'a> From<&'a Instance> for ServiceView<'a> {
    fn from(instance: &'a Instance) -> Self {
        Self {
            kind: &instance.kind,
            id: &instance.id,
            service: &instance.name,
            tags: Some(&instance.tags),
            address: &instance.address,
            tagged_addresses: Addresses(&instance.tagged_addresses),
            meta: unless_empty(&instance.meta),
            port: told_port(instance),
            weights: instance.weights.into(),
            enable_tag_override: instance.enable_tag_override,
            proxy: ProxyView::of(instance),
            connect: ConnectView::of(instance),
            create_index: instance.created,
            modify_index: instance.modified,
        }
    }
}

impl ServiceView<'_> {
    /// As a transaction and the page's summaries tell it: with `null` for no tags.
    pub(crate) fn null_for_no_tags(self) -> Self {
        Self { tags: self.tags.filter(|tags| !tags.is_empty()), ..self }
    }
}

/// An instance of this agent's, in `agent/services` and `agent/service/:id`. `Datacenter` is from 1.9.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AgentServiceView<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'a str,
    #[serde(rename = "ID")]
    id: &'a str,
    service: &'a str,
    tags: &'a [String],
    meta: &'a BTreeMap<String, String>,
    port: i64,
    address: &'a str,
    #[serde(skip_serializing_if = "Addresses::is_empty")]
    tagged_addresses: Addresses<'a>,
    weights: WeightsView,
    enable_tag_override: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<ProxyView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<ConnectView>,
    datacenter: &'a str,
    /// Only where the answer can be waited on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_hash: Option<&'a str>,
}

impl<'a> AgentServiceView<'a> {
    pub(crate) fn new(instance: &'a Instance, datacenter: &'a str) -> Self {
        Self {
            kind: &instance.kind,
            id: &instance.id,
            service: &instance.name,
            tags: &instance.tags,
            meta: &instance.meta,
            port: told_port(instance),
            address: &instance.address,
            tagged_addresses: Addresses(&instance.tagged_addresses),
            weights: instance.weights.into(),
            enable_tag_override: instance.enable_tag_override,
            proxy: ProxyView::local(instance),
            connect: ConnectView::local(instance),
            datacenter,
            content_hash: None,
        }
    }
}

/// An instance with its node, in `catalog/service`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CatalogServiceView<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    node: &'a str,
    address: &'a str,
    datacenter: &'a str,
    tagged_addresses: Option<&'a BTreeMap<String, String>>,
    node_meta: Option<&'a BTreeMap<String, String>>,
    service_kind: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    service_address: &'a str,
    #[serde(skip_serializing_if = "Addresses::is_empty")]
    service_tagged_addresses: Addresses<'a>,
    service_weights: WeightsView,
    service_meta: &'a BTreeMap<String, String>,
    service_port: i64,
    service_enable_tag_override: bool,
    service_proxy: ProxyView<'a>,
    service_connect: ConnectView,
    create_index: Index,
    modify_index: Index,
}

impl<'a> CatalogServiceView<'a> {
    pub(crate) fn new(node: &'a Node, instance: &'a Instance, datacenter: &'a str) -> Self {
        Self {
            id: &node.id,
            node: &node.name,
            address: &node.address,
            datacenter,
            tagged_addresses: unless_empty(&node.tagged_addresses),
            node_meta: unless_empty(&node.meta),
            service_kind: &instance.kind,
            service_id: &instance.id,
            service_name: &instance.name,
            service_tags: &instance.tags,
            service_address: &instance.address,
            service_tagged_addresses: Addresses(&instance.tagged_addresses),
            service_weights: instance.weights.into(),
            service_meta: &instance.meta,
            service_port: told_port(instance),
            service_enable_tag_override: instance.enable_tag_override,
            service_proxy: ProxyView::of(instance),
            service_connect: ConnectView::of(instance),
            create_index: instance.created,
            modify_index: instance.modified,
        }
    }
}
