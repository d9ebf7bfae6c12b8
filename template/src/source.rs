//! Who answers a template's questions? The catalog in this process, or a mirror of one elsewhere.
//!
//! Both speak in [`State`]s: one per datacenter. A mirror may not have asked yet what a template wants to
//! know; evaluation goes on as if the answer were empty, and says so ([`crate::eval::Evaluation::pending`]).

use wharf_catalog::{InstanceHealth, State, Topic};

use crate::eval::Memo;

/// Answers questions about catalogs.
pub trait Source: Sync {
    /// Name of the datacenter that is meant when a query names none.
    fn datacenter(&self) -> &str;

    /// All datacenters, nearest first; `None`: not known yet.
    fn datacenters(&self) -> Option<Vec<String>>;

    /// Name of the node that answers for `node` without a name; `None`: not known yet, or there is none.
    fn local_node(&self) -> Option<String>;

    /// What is known about `topic` in `datacenter`.
    fn catalog(&self, datacenter: &str, topic: &Topic) -> Lookup<'_>;

    /// Why an instance that passes is not given to who asks for passing ones, if it is not.
    fn held_out(&self, _datacenter: &str, _found: &InstanceHealth<'_>) -> Option<String> {
        None
    }

    /// A number that is another one when the answer to `topic` may be; `None`: nobody knows.
    fn stamp(&self, _datacenter: &str, _topic: &Topic) -> Option<u64> {
        None
    }

    /// Where answers are kept for other templates, if anywhere.
    fn memo(&self) -> Option<&Memo> {
        None
    }
}

/// What a [`Source`] knows about one topic.
#[derive(Debug, Clone, Copy)]
pub enum Lookup<'a> {
    /// This catalog answers.
    Known(&'a State),
    /// Nobody has asked yet; the topic is in [`crate::eval::Reads`], so that somebody can.
    Pending,
    /// There is no such datacenter.
    NoDatacenter,
}

/// The catalog of this process at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The catalog.
    pub state: &'a State,
    /// The datacenter it stands for.
    pub datacenter: &'a str,
    /// The node this process runs on.
    pub local_node: Option<&'a str>,
}

impl Source for Snapshot<'_> {
    fn datacenter(&self) -> &str {
        self.datacenter
    }

    fn datacenters(&self) -> Option<Vec<String>> {
        Some(vec![self.datacenter.to_owned()])
    }

    fn local_node(&self) -> Option<String> {
        self.local_node.map(str::to_owned)
    }

    fn catalog(&self, datacenter: &str, _: &Topic) -> Lookup<'_> {
        if datacenter == self.datacenter { Lookup::Known(self.state) } else { Lookup::NoDatacenter }
    }

    fn stamp(&self, datacenter: &str, topic: &Topic) -> Option<u64> {
        (datacenter == self.datacenter).then(|| self.state.index_of(topic).0)
    }
}
