//! The nodes page: which machines, and what runs on each.

use std::sync::Arc;

use serde::Serialize;
use wharf_catalog::{Health, Node, State};

use super::{detail::why, is_catalog_itself};

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeRow {
    /// Its name.
    pub name: Arc<str>,
    /// Where services without an address of their own are reached.
    pub address: String,
    /// What its own checks together mean.
    pub health: Health,
    /// Why it is not passing; empty when it is.
    pub why: String,
    /// Instances that take traffic.
    pub passing: usize,
    /// What runs there, by service.
    pub instances: Vec<NodeInstance>,
}

/// One instance on a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeInstance {
    /// Its id.
    pub id: Arc<str>,
    /// Its service.
    pub service: Arc<str>,
    /// Port; 0: none.
    pub port: u16,
    /// What all its checks together mean.
    pub health: Health,
}

/// All nodes, by name.
pub fn node_rows(state: &State) -> Vec<NodeRow> {
    state.nodes().map(|node| node_row(state, node)).collect()
}

fn node_row(state: &State, node: &Node) -> NodeRow {
    let checks: Vec<_> = state.checks_of(&node.name, "").iter().map(Arc::as_ref).collect();
    let health = Health::of(checks.iter().copied());
    let mut instances: Vec<_> = state
        .instances_on(&node.name)
        .filter(|one| !is_catalog_itself(one))
        .filter_map(|one| state.instance_health(&one.node, &one.id))
        .map(|one| NodeInstance {
            id: one.instance.id.clone(),
            service: one.instance.name.clone(),
            port: one.instance.port,
            health: one.health(),
        })
        .collect();
    instances.sort_by(|a, b| (&a.service, &a.id).cmp(&(&b.service, &b.id)));
    NodeRow {
        name: node.name.clone(),
        address: node.address.clone(),
        health,
        why: if health == Health::Passing { String::new() } else { why(health, &checks) },
        passing: instances.iter().filter(|one| one.health.takes_traffic()).count(),
        instances,
    }
}
