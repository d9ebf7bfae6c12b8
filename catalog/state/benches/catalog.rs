//! The catalog's own work, without disk or sockets: deciding and following a registration, reading a service,
//! taking a snapshot, finding who waits.
#![allow(missing_docs, reason = "criterion's macro writes a function without any")]

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Commit, Index, Instance, Node, State, Status, Timestamp, Topic,
    apply::apply, watch::Watchers,
};

/// 500 services of 20 instances each, with a check.
fn fleet() -> State {
    let nodes = (0..20).map(|n| Command::PutNode(Node::new(format!("n{n}"), format!("10.0.0.{n}"))));
    let instances = (0..10_000).flat_map(|n| registration(n, "v1"));
    commit(&State::restored(Index::FIRST, []), &nodes.chain(instances).collect::<Vec<_>>())
}

fn registration(n: usize, tag: &str) -> [Command; 2] {
    let (node, id): (Arc<str>, Arc<str>) = (format!("n{}", n % 20).into(), format!("s{}-{n}", n / 20).into());
    let tags = vec![tag.to_owned()];
    let instance =
        Instance { tags, port: 80, ..Instance::new(node.clone(), id.clone(), format!("s{}", n / 20)) };
    let check =
        Check { status: Status::Passing, instance: Some(id.clone()), ..Check::new(node, id, "alive") };
    [Command::PutInstance(instance), Command::PutCheck(check, CheckStatusOnPut::Keep)]
}

fn commit(state: &State, commands: &[Command]) -> State {
    apply(state, state.index().next(), Timestamp(0), commands)
        .map_or_else(|_| state.clone(), |applied| applied.state)
}

fn catalog(criterion: &mut Criterion) {
    let state = fleet();
    criterion.bench_function("decide a registration among 10,000", |bencher| {
        let commands = registration(4_321, "v2");
        bencher.iter(|| apply(black_box(&state), state.index().next(), Timestamp(1), &commands).is_ok());
    });
    criterion.bench_function("follow a registration among 10,000", |bencher| {
        let index = state.index().next();
        let decided = apply(&state, index, Timestamp(1), &registration(4_321, "v2"));
        let commit =
            Commit { index, changes: decided.map_or_else(|_| Vec::new(), |applied| applied.changes) };
        bencher.iter(|| {
            let (mut follower, mut topics) = (state.clone(), Vec::new());
            follower.advance(black_box(&commit), &mut topics);
            topics.len()
        });
    });
    criterion
        .bench_function("take a snapshot of 10,000", |bencher| bencher.iter(|| black_box(&state).clone()));
    criterion.bench_function("health of a service of 20", |bencher| {
        bencher.iter(|| state.service_health(black_box("s123")).map(|one| one.health()).max());
    });
    criterion.bench_function("all that stands, 10,000", |bencher| {
        bencher.iter(|| black_box(&state).standing().len())
    });
}

fn watches(criterion: &mut Criterion) {
    let watchers = Arc::new(Watchers::default());
    let _seats: Vec<_> =
        (0..10_000).map(|n| watchers.register(Topic::Health(format!("s{n}").into()))).collect();
    let touched =
        [Topic::Catalog, Topic::Health("s77".into()), Topic::Key("a/key/that/nobody/watches".into())];
    criterion.bench_function("find who waits among 10,000", |bencher| {
        bencher.iter(|| watchers.wake(black_box(&touched)));
    });
}

criterion_group!(benches, catalog, watches);
criterion_main!(benches);
