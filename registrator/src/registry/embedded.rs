//! The catalog of this process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use wharf_catalog::{Catalog, Command, CommitError, Index, Topic};

use super::{Held, Refusal, Registry, RegistryError};

/// The catalog of this process, as far as it concerns one node. Commits take effect as a whole.
#[derive(Debug)]
pub struct Embedded {
    catalog: Catalog,
    topics: [Topic; 2],
    seen: AtomicU64,
}

impl Embedded {
    /// Registers on `node` of `catalog`.
    pub fn new(catalog: Catalog, node: &Arc<str>) -> Self {
        let topics = [Topic::Node(node.clone()), Topic::NodeChecks(node.clone())];
        Self { catalog, topics, seen: AtomicU64::new(0) }
    }
}

impl Registry for Embedded {
    async fn snapshot(&self) -> Result<Held, RegistryError> {
        let state = self.catalog.snapshot();
        let seen = Index(self.seen.swap(state.index().0, Ordering::Relaxed));
        let news = self.topics.iter().any(|topic| state.index_of(topic) > seen);
        Ok(Held { state, news, absences: 0 })
    }

    async fn commit(&self, commands: Vec<Command>) -> Result<Vec<Refusal>, RegistryError> {
        let committed = self.catalog.commit(commands).await;
        let committed =
            committed.map_err(|error: CommitError| RegistryError::Unavailable(error.to_string()))?;
        // The very next commit was ours: nobody else has changed anything so far.
        let seen = Index(self.seen.load(Ordering::Relaxed));
        if committed.index == seen.next() {
            self.seen.store(committed.index.0, Ordering::Relaxed);
        }
        Ok(Vec::new())
    }

    async fn changed(&self) {
        let seen = Index(self.seen.load(Ordering::Relaxed));
        let [node, checks] = &self.topics;
        tokio::select! {
            _ = self.catalog.changed(node, seen) => {}
            _ = self.catalog.changed(checks, seen) => {}
        }
    }

    fn is_local(&self) -> bool {
        true
    }
}
