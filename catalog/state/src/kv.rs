//! One entry of the key-value store.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Index;

/// A key and its value. Source of the shape: Consul API, `/v1/kv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEntry {
    /// Full key, without a leading slash.
    pub key: Arc<str>,
    /// Any bytes.
    pub value: Arc<[u8]>,
    /// Opaque number of the client's.
    pub flags: u64,
    /// Who holds it.
    #[serde(default)]
    pub session: Option<Arc<str>>,
    /// How often it has been acquired.
    #[serde(default)]
    pub lock_index: u64,
    /// Commit that created it; set by the catalog.
    pub created: Index,
    /// Last commit that changed it; set by the catalog.
    pub modified: Index,
}
