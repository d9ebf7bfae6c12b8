//! Which record is meant by a name? Consul compares service and node names without regard to case, and
//! takes a node's id for its name.

use std::sync::Arc;

use wharf_catalog::{Node, State};

/// The service's name as stored, or as asked for when there is none.
pub(crate) fn service_name(state: &State, asked: &str) -> Arc<str> {
    if state.service(asked).next().is_some() {
        return Arc::from(asked);
    }
    state.service_names().find(|name| same(name, asked)).cloned().unwrap_or_else(|| Arc::from(asked))
}

/// The node of this name.
pub(crate) fn node<'a>(state: &'a State, asked: &str) -> Option<&'a Arc<Node>> {
    state.node(asked).or_else(|| state.nodes().find(|node| same(&node.name, asked)))
}

/// The node of this name or id.
pub(crate) fn node_or_id<'a>(state: &'a State, asked: &str) -> Option<&'a Arc<Node>> {
    node(state, asked)
        .or_else(|| state.nodes().find(|node| !node.id.is_empty() && node.id.eq_ignore_ascii_case(asked)))
}

/// The node that a registration is about: by its id, else by its name.
pub(crate) fn registered<'a>(state: &'a State, wanted: &Node) -> Option<&'a Arc<Node>> {
    let is_it = |node: &&Arc<Node>| node.id.eq_ignore_ascii_case(&wanted.id);
    let by_id = if wanted.id.is_empty() { None } else { state.nodes().find(is_it) };
    by_id.or_else(|| node(state, &wanted.name))
}

/// A node's name as stored, or as asked for when there is none.
pub(crate) fn node_name(state: &State, asked: &str) -> Arc<str> {
    node_or_id(state, asked).map_or_else(|| Arc::from(asked), |node| node.name.clone())
}

/// The same but for case?
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!(one.is_ascii() && other.is_ascii()) && one.to_lowercase() == other.to_lowercase())
}
