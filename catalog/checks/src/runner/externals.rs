//! The external nodes: each is looked after like our own, for as long as it is there.
//!
//! A node is external when its meta says `external-node: true`, as Consul's External Service Monitor has it. Its
//! checks are only run where they carry a probe, which only registrations with this wharf give them.

use std::{collections::BTreeMap, sync::Arc};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wharf_catalog::{State, Topic};

use super::look_after;
use crate::{Runner, external::EXTERNAL_NODE};

/// Until `shutdown`.
pub(super) async fn run(runner: Runner, shutdown: &CancellationToken) {
    let mut watched: BTreeMap<Arc<str>, CancellationToken> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut state = runner.catalog.snapshot();
    loop {
        let wanted: Vec<_> = external_nodes(&state, &runner.node).collect();
        watched.retain(|node, stop| {
            let stays = wanted.contains(node);
            if !stays {
                stop.cancel();
                runner.reports.forget(node);
            }
            stays
        });
        for node in wanted {
            watched.entry(node).or_insert_with_key(|node| {
                let stop = shutdown.child_token();
                let runner = Runner { node: node.clone(), ..runner.clone() };
                tasks.spawn(look_after(runner, Topic::NodeChecks(node.clone()), stop.clone()));
                stop
            });
        }
        let seen = state.index_of(&Topic::Nodes);
        tokio::select! {
            () = shutdown.cancelled() => break,
            changed = runner.catalog.changed(&Topic::Nodes, seen) => state = changed,
            // What has ended is let go of.
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

fn external_nodes<'a>(state: &'a State, own: &'a Arc<str>) -> impl Iterator<Item = Arc<str>> + 'a {
    state
        .nodes()
        .filter(move |node| node.name != *own)
        .filter(|node| node.meta.get(EXTERNAL_NODE).is_some_and(|value| value == "true"))
        .map(|node| node.name.clone())
}
