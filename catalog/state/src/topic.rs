//! What can be watched: the smallest things a query may depend on.

use std::sync::Arc;

/// Something a reader may wait for. A commit touches exactly the topics whose answers it changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Any node, instance or check (not keys): what routes, templates and pages follow.
    Catalog,
    /// The list of nodes.
    Nodes,
    /// One node's record and its instances.
    Node(Arc<str>),
    /// The checks of one node and of its instances.
    NodeChecks(Arc<str>),
    /// The list of service names with their tags.
    Services,
    /// The instances of one service, their nodes included, checks not.
    Service(Arc<str>),
    /// The instances of one service with everything that decides their health.
    Health(Arc<str>),
    /// The checks of one service's instances.
    ServiceChecks(Arc<str>),
    /// All checks there are.
    Checks,
    /// All sessions.
    Sessions,
    /// One session.
    Session(Arc<str>),
    /// The sessions of one node.
    NodeSessions(Arc<str>),
    /// All documents of one kind.
    Documents(Arc<str>),
    /// One document, by kind and id.
    Document(Arc<str>, Arc<str>),
    /// Any deadline.
    Leases,
    /// One key.
    Key(Arc<str>),
    /// Every key that starts with this prefix.
    KeyPrefix(Arc<str>),
}
