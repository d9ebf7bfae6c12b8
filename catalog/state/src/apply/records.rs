//! What a transaction expects of nodes, instances and checks, and reads of them.

use std::fmt;

use super::*;

/// Names one record of the catalog that has an index of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A node by its name.
    Node(Arc<str>),
    /// An instance by its node and id.
    Instance(Arc<str>, Arc<str>),
    /// A check by its node and id.
    Check(Arc<str>, Arc<str>),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(name) => write!(f, "node `{name}`"),
            Self::Instance(node, id) => write!(f, "instance `{id}` on node `{node}`"),
            Self::Check(node, id) => write!(f, "check `{id}` on node `{node}`"),
        }
    }
}

impl Draft {
    /// Is the record as the client knows it: last changed at `expected`, or absent for `None`?
    pub(super) fn expect_record(
        &self,
        record: &Record,
        expected: Option<Index>,
    ) -> Result<Reply, ApplyError> {
        let found = match record {
            Record::Node(name) => self.state.node(name).map(|node| node.modified),
            Record::Instance(node, id) => self.state.instance(node, id).map(|instance| instance.modified),
            Record::Check(node, id) => self.state.check(node, id).map(|check| check.modified),
        };
        if found == expected { Ok(Reply::Done) } else { Err(ApplyError::Stale(record.clone())) }
    }

    pub(super) fn read_record(&self, record: &Record) -> Result<Reply, ApplyError> {
        match record {
            Record::Node(name) => self
                .state
                .node(name)
                .map(|node| Reply::Node(node.clone()))
                .ok_or_else(|| ApplyError::NoNode(name.clone())),
            Record::Instance(node, id) => self
                .state
                .instance(node, id)
                .map(|instance| Reply::Instance(instance.clone()))
                .ok_or_else(|| ApplyError::NoInstance { node: node.clone(), id: id.clone() }),
            Record::Check(node, id) => self
                .state
                .check(node, id)
                .map(|check| Reply::Check(check.clone()))
                .ok_or_else(|| ApplyError::NoCheck { node: node.clone(), id: id.clone() }),
        }
    }
}
