//! A document: a small record the catalog keeps and indexes without reading it - prepared queries,
//! configuration entries, settings. Whoever puts it knows what its body means.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Index;

/// A kept record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What sort of document it is: `query`, `config` ...
    pub kind: Arc<str>,
    /// Unique in its kind.
    pub id: Arc<str>,
    /// What it says, in whatever form its kind has.
    pub body: Arc<str>,
    /// It goes when this session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Arc<str>>,
    /// Commit that created it; set by the catalog.
    pub created: Index,
    /// Last commit that changed it; set by the catalog.
    pub modified: Index,
}

impl Document {
    /// A document that belongs to no session.
    pub fn new(kind: impl Into<Arc<str>>, id: impl Into<Arc<str>>, body: impl Into<Arc<str>>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
            body: body.into(),
            session: None,
            created: Index::default(),
            modified: Index::default(),
        }
    }
}
