//! Which name has an address? Pure.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use wharf_catalog::{Index, State};

/// Who has an address of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    Node(Arc<str>),
    Service(Arc<str>),
}

/// Names by address, as of one state.
#[derive(Debug, Default)]
pub(crate) struct Reverse {
    owners: HashMap<IpAddr, Owner>,
    of: Option<Index>,
}

impl Reverse {
    /// The names of `state`; made anew only when it is another than the last time.
    pub(crate) fn refreshed(&mut self, state: &State) -> &Self {
        if self.of != Some(state.index()) {
            self.owners = owners(state);
            self.of = Some(state.index());
        }
        self
    }

    pub(crate) fn owner(&self, address: IpAddr) -> Option<&Owner> {
        self.owners.get(&address)
    }
}

/// A node's address is its own before it is that of a service; the first by name has it.
fn owners(state: &State) -> HashMap<IpAddr, Owner> {
    let mut owners = HashMap::new();
    for node in state.nodes() {
        if let Ok(address) = node.address.parse() {
            owners.entry(address).or_insert_with(|| Owner::Node(node.name.clone()));
        }
    }
    for instance in state.instances() {
        if let Ok(address) = instance.address.parse() {
            owners.entry(address).or_insert_with(|| Owner::Service(instance.name.clone()));
        }
    }
    owners
}
