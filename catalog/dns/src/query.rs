//! The seam for prepared queries: what `<name>.query.<domain>` stands for. Pure.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use wharf_catalog::{InstanceHealth, State};

/// What a prepared query selects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceQuery {
    /// The service, without regard to case.
    pub service: String,
    /// Tags an instance must carry; with `!` in front: must not. Without regard to case.
    pub tags: Vec<String>,
    /// Leave out warning instances.
    pub only_passing: bool,
    /// What the node's metadata must contain.
    pub node_meta: BTreeMap<String, String>,
    /// What the instance's metadata must contain.
    pub service_meta: BTreeMap<String, String>,
    /// How long answers may be remembered; `None`: as those of the service.
    pub ttl: Option<Duration>,
}

type Resolve = dyn Fn(&State, &str) -> Option<ServiceQuery> + Send + Sync;

/// Finds the prepared query that is meant by a name or an id in lower case, templates included.
#[derive(Clone, Default)]
pub struct Queries(Option<Arc<Resolve>>);

impl Queries {
    /// Queries as `resolve` finds them in a state; it must not depend on anything else.
    pub fn new(resolve: impl Fn(&State, &str) -> Option<ServiceQuery> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(resolve)))
    }

    pub(crate) fn resolve(&self, state: &State, name: &str) -> Option<ServiceQuery> {
        self.0.as_ref()?(state, name)
    }
}

impl fmt::Debug for Queries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queries").field(&self.0.is_some()).finish()
    }
}

impl ServiceQuery {
    /// Does the query want this instance, whatever its health?
    pub(crate) fn selects(&self, instance: &InstanceHealth<'_>) -> bool {
        let carries = |tag: &str| instance.instance.tags.iter().any(|has| has.eq_ignore_ascii_case(tag));
        let tagged = self.tags.iter().all(|tag| match tag.strip_prefix('!') {
            Some(unwanted) => !carries(unwanted),
            None => carries(tag),
        });
        tagged
            && holds(&instance.node.meta, &self.node_meta)
            && holds(&instance.instance.meta, &self.service_meta)
    }
}

fn holds(meta: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| meta.get(key) == Some(value))
}
