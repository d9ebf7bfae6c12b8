//! DNS knows no case, the catalog does: which stored names are meant by a lower-case one? Pure.
//!
//! Almost all names are stored in lower case and need no entry here; so this stays small, and a name that does
//! not exist costs two look-ups, not a search.

use std::{collections::HashMap, sync::Arc};

use wharf_catalog::{Index, State, Topic};

/// Stored names that are not in lower case, by their lower-case form.
#[derive(Debug, Default)]
pub(crate) struct Spellings {
    services: HashMap<String, Vec<Arc<str>>>,
    nodes: HashMap<String, Vec<Arc<str>>>,
    of: (Index, Index),
}

impl Spellings {
    pub(crate) fn of(state: &State) -> Self {
        Self {
            services: unusual(state.service_names()),
            nodes: unusual(state.nodes().map(|node| &node.name)),
            of: versions(state),
        }
    }

    /// Are the names still those of `state`?
    pub(crate) fn is_current(&self, state: &State) -> bool {
        self.of == versions(state)
    }

    /// Every way in which service `lower` may be stored.
    pub(crate) fn services<'a>(&'a self, lower: &'a str) -> impl Iterator<Item = &'a str> {
        spellings(&self.services, lower)
    }

    /// Every way in which node `lower` may be stored.
    pub(crate) fn nodes<'a>(&'a self, lower: &'a str) -> impl Iterator<Item = &'a str> {
        spellings(&self.nodes, lower)
    }
}

fn versions(state: &State) -> (Index, Index) {
    (state.index_of(&Topic::Services), state.index_of(&Topic::Nodes))
}

fn unusual<'a>(names: impl Iterator<Item = &'a Arc<str>>) -> HashMap<String, Vec<Arc<str>>> {
    let mut map: HashMap<String, Vec<Arc<str>>> = HashMap::new();
    for name in names.filter(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())) {
        map.entry(name.to_ascii_lowercase()).or_default().push(name.clone());
    }
    map
}

fn spellings<'a>(map: &'a HashMap<String, Vec<Arc<str>>>, lower: &'a str) -> impl Iterator<Item = &'a str> {
    let others = map.get(lower).into_iter().flatten().map(AsRef::as_ref);
    std::iter::once(lower).chain(others)
}
