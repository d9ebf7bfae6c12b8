//! A machine (or virtual one) that services run on.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Index;

/// A node of the catalog. Source of the shape: Consul API, `/v1/catalog/node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Unique name; compared without regard to case by readers, stored as given.
    pub name: Arc<str>,
    /// A UUID, or empty when whoever registered the node gave none.
    pub id: String,
    /// Where services without an address of their own are reached.
    pub address: String,
    /// Further addresses by label (`lan`, `wan` ...).
    pub tagged_addresses: BTreeMap<String, String>,
    /// Free key-value pairs.
    pub meta: BTreeMap<String, String>,
    /// Commit that created it; set by the catalog.
    pub created: Index,
    /// Last commit that changed it; set by the catalog.
    pub modified: Index,
}

impl Node {
    /// A node with a name and an address and nothing else.
    pub fn new(name: impl Into<Arc<str>>, address: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            id: String::new(),
            address: address.into(),
            tagged_addresses: BTreeMap::new(),
            meta: BTreeMap::new(),
            created: Index::default(),
            modified: Index::default(),
        }
    }
}
