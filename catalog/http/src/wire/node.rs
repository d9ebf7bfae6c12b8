//! Nodes: in `catalog/nodes`, `catalog/node`, `health/service`.

use std::collections::BTreeMap;

use serde::Serialize;
use wharf_catalog::{Index, Node};

/// A node as lists show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NodeView<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    node: &'a str,
    address: &'a str,
    datacenter: &'a str,
    tagged_addresses: Option<&'a BTreeMap<String, String>>,
    meta: Option<&'a BTreeMap<String, String>>,
    create_index: Index,
    modify_index: Index,
}

impl<'a> NodeView<'a> {
    pub(crate) fn new(node: &'a Node, datacenter: &'a str) -> Self {
        Self {
            id: &node.id,
            node: &node.name,
            address: &node.address,
            datacenter,
            tagged_addresses: unless_empty(&node.tagged_addresses),
            meta: unless_empty(&node.meta),
            create_index: node.created,
            modify_index: node.modified,
        }
    }
}

/// `null` for an empty map.
pub(crate) fn unless_empty<V>(map: &BTreeMap<String, V>) -> Option<&BTreeMap<String, V>> {
    (!map.is_empty()).then_some(map)
}
