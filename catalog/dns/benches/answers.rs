//! One datagram after another, without a socket: an answer that is at hand, and one that has to be made.
#![allow(missing_docs, reason = "criterion's macro writes a function without any")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use wharf_catalog::{Command, Index, Instance, Node, State, Timestamp, apply::apply};
use wharf_catalog_dns::{Config, Datagrams, Queries};

fn fleet() -> State {
    let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
    for (service, instances) in [("web", 3), ("big", 50)] {
        commands.extend((0..instances).map(|n| {
            let address = format!("10.1.0.{n}");
            Command::PutInstance(Instance {
                address,
                port: 80,
                ..Instance::new("n", format!("{service}-{n}"), service)
            })
        }));
    }
    let state = State::restored(Index::FIRST, []);
    apply(&state, Index(2), Timestamp(0), &commands).map_or(state, |applied| applied.state)
}

/// A question for the addresses or (33) the places of a name.
fn question(name: &str, kind: u8) -> Vec<u8> {
    let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        packet.extend(u8::try_from(label.len()));
        packet.extend(label.as_bytes());
    }
    packet.extend([0, 0, kind, 0, 1]);
    packet
}

fn answers(criterion: &mut Criterion) {
    let state = fleet();
    for (name, kind) in [("web", 1), ("web", 33), ("big", 1), ("nothing", 1)] {
        let packet = question(&format!("{name}.service.consul"), kind);
        let mut known = Datagrams::new(Config::default(), Queries::default(), 1);
        criterion.bench_function(&format!("{name}, type {kind}, at hand"), |bencher| {
            bencher.iter(|| known.reply(&state, black_box(&packet)).map(<[u8]>::len));
        });
        criterion.bench_function(&format!("{name}, type {kind}, made anew"), |bencher| {
            bencher.iter(|| {
                let mut fresh = Datagrams::new(Config::default(), Queries::default(), 1);
                fresh.reply(&state, black_box(&packet)).map(<[u8]>::len)
            });
        });
    }
}

criterion_group!(benches, answers);
criterion_main!(benches);
