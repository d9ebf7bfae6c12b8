//! A session: somebody who may hold keys, for as long as what it depends on is well.
//!
//! Invariants: a key's `session` exists; a session's node and checks exist; when a session ends, the keys
//! it held are released or deleted in the same commit.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{Index, Timestamp};

/// Longest time a lost session bars its keys, whatever it asked for (as in Consul).
pub const MAX_LOCK_DELAY: Duration = Duration::from_secs(60);

/// A session. Source of the shape: Consul API, `/v1/session/info`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// A UUID.
    pub id: Arc<str>,
    /// For people.
    pub name: String,
    /// Node it depends on.
    pub node: Arc<str>,
    /// After it ends without releasing, nobody acquires its keys for this long.
    pub lock_delay: Duration,
    /// What becomes of the keys it held.
    pub behavior: Behavior,
    /// Without a renewal it ends after this long; `None`: it does not expire.
    pub ttl: Option<Duration>,
    /// The TTL as the client wrote it (`"15s"`, empty for none).
    pub ttl_text: String,
    /// Checks of its node on which it depends.
    pub node_checks: Vec<Arc<str>>,
    /// Checks of services on which it depends.
    pub service_checks: Vec<Arc<str>>,
    /// Commit that created it; set by the catalog.
    pub created: Index,
    /// Last commit that changed it; set by the catalog.
    pub modified: Index,
}

impl Session {
    /// A session that depends on its node only, releases its keys and delays locks for 15 s (Consul's defaults).
    pub fn new(id: impl Into<Arc<str>>, node: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            name: String::new(),
            node: node.into(),
            lock_delay: Duration::from_secs(15),
            behavior: Behavior::Release,
            ttl: None,
            ttl_text: String::new(),
            node_checks: Vec::new(),
            service_checks: Vec::new(),
            created: Index::default(),
            modified: Index::default(),
        }
    }

    /// When it ends if it is renewed at `now`. Consul grants up to twice the TTL, so that a client that
    /// renews once a TTL never loses it to a slow network; so do we.
    pub fn expires(&self, now: Timestamp) -> Option<Timestamp> {
        self.ttl.map(|ttl| now.after(ttl * 2))
    }

    /// Does it depend on this check?
    pub fn depends_on(&self, node: &str, check: &str) -> bool {
        let among = |checks: &[Arc<str>]| checks.iter().any(|id| **id == *check);
        *self.node == *node && (among(&self.node_checks) || among(&self.service_checks))
    }
}

/// What becomes of the keys of a session that ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Behavior {
    /// They stay, nobody holds them.
    Release,
    /// They are deleted.
    Delete,
}
