//! Any datagram: no panic, and a reply can be read, repeats the question's id and is no longer than the client
//! can take.

#![no_main]

use std::sync::LazyLock;

use hickory_proto::op::Message;
use libfuzzer_sys::fuzz_target;
use wharf_catalog::{Command, Document, Index, Instance, Node, State, Timestamp, apply::apply};
use wharf_catalog_dns::{Config, Datagrams, Queries};

/// A few names, one of them with more instances than a datagram takes.
static FLEET: LazyLock<State> = LazyLock::new(|| {
    let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
    commands.push(Command::PutInstance(Instance::new("n", "web-1", "web")));
    commands.extend((0..60).map(|n| {
        let address = format!("10.1.0.{n}");
        let tags = vec!["tag".to_owned()];
        Command::PutInstance(Instance { address, tags, port: n, ..Instance::new("n", format!("b{n}"), "big") })
    }));
    commands.push(Command::PutDocument(Document::new("query", "q", "{}"), None));
    apply(&State::restored(Index::FIRST, []), Index(2), Timestamp(0), &commands).unwrap().state
});

fuzz_target!(|packet: &[u8]| {
    let mut datagrams = Datagrams::new(Config::default(), Queries::default(), 1);
    for _ in 0..2 {
        // The second time it is at hand.
        let Some(reply) = datagrams.reply(&FLEET, packet) else { return };
        let read = Message::from_vec(reply).expect("a reply can be read");
        assert_eq!(read.id.to_be_bytes(), packet[..2]);
        assert!(reply.len() <= 4096, "{} bytes", reply.len());
    }
});
