use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use proptest::prelude::*;
use wharf_catalog::{Check, CheckStatusOnPut, Command, Instance, Node, Status, Timestamp, apply::apply};

use super::*;

struct World {
    state: State,
    responder: Responder,
}

impl World {
    fn put(&mut self, command: Command) {
        let index = self.state.index().next();
        self.state = apply(&self.state, index, Timestamp(0), &[command]).unwrap().state;
    }

    fn instance(&mut self, service: &str, id: &str, address: &str) {
        let mut instance = Instance::new("n", id, service);
        instance.address = address.to_owned();
        self.put(Command::PutInstance(instance));
    }

    fn ask(&mut self, name: &str, kind: u16) -> Message {
        let mut reply = Reply::default();
        let packet = packet(name, kind, None);
        let verdict = self.responder.respond(&self.state, &packet, Transport::Datagram, &mut reply);
        assert!(matches!(verdict, Verdict::Reply));
        Message::from_vec(&reply.bytes).unwrap()
    }

    fn addresses(&mut self, name: &str) -> Vec<String> {
        let mut told: Vec<_> =
            self.ask(name, 1).answers.iter().map(|record| record.data.to_string()).collect();
        told.sort();
        told
    }
}

fn world() -> World {
    let settings = Settings::new(Config::default(), Queries::default(), false);
    let mut world = World { state: State::default(), responder: Responder::new(settings, 1) };
    world.put(Command::PutNode(Node::new("n", "10.0.0.1")));
    for n in 0..40 {
        world.instance("big", &format!("b{n}"), &format!("10.1.0.{n}"));
    }
    world.instance("web", "w1", "10.2.0.1");
    world.instance("web", "w2", "10.2.0.2");
    world
}

fn packet(name: &str, kind: u16, payload: Option<u16>) -> Vec<u8> {
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(payload.is_some())];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    if let Some(payload) = payload {
        bytes.extend([0, 0, 41]);
        bytes.extend(payload.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

#[test]
fn a_remembered_answer_is_forgotten_with_the_change_that_makes_it_wrong() {
    let mut world = world();
    assert_eq!(world.addresses("web.service.consul"), ["10.2.0.1", "10.2.0.2"]);
    world.instance("web", "w3", "10.2.0.3");
    assert_eq!(world.addresses("WEB.service.consul").len(), 3);
    let check = Check { instance: Some("w1".into()), status: Status::Critical, ..Check::new("n", "c", "c") };
    world.put(Command::PutCheck(check, CheckStatusOnPut::Set));
    assert_eq!(world.addresses("web.service.consul"), ["10.2.0.2", "10.2.0.3"]);
    world.instance("WEB", "w4", "10.2.0.4");
    assert_eq!(world.addresses("web.service.consul").len(), 3, "another spelling of the same name");
    world.put(Command::DeleteInstance("n".into(), "w2".into()));
    assert_eq!(world.addresses("web.service.consul"), ["10.2.0.3", "10.2.0.4"]);
}

#[test]
fn an_answer_about_a_node_follows_the_node_and_a_name_that_was_not_there_is_found() {
    let mut world = world();
    assert_eq!(world.addresses("n.node.consul"), ["10.0.0.1"]);
    world.put(Command::PutNode(Node::new("n", "10.0.0.9")));
    assert_eq!(world.addresses("n.node.consul"), ["10.0.0.9"]);
    assert_eq!(world.ask("new.service.consul", 1).metadata.response_code, ResponseCode::NXDomain);
    world.instance("new", "x", "");
    assert_eq!(world.addresses("new.service.consul"), ["10.0.0.9"]);
    world.put(Command::PutNode(Node::new("n", "10.0.0.8")));
    assert_eq!(world.addresses("new.service.consul"), ["10.0.0.8"], "the node's address is the instance's");
}

#[test]
fn a_change_elsewhere_costs_no_new_answer() {
    let mut world = world();
    world.ask("web.service.consul", 1);
    let check = Check { instance: Some("b1".into()), ..Check::new("n", "c", "c") };
    world.put(Command::PutCheck(check, CheckStatusOnPut::Set));
    let key = Key::of(&match packet::parse(&packet("web.service.consul", 1, None)) {
        Parsed::Question(question) => question,
        other => panic!("{other:?}"),
    })
    .as_slice()
    .to_vec();
    assert!(world.responder.kept.get_mut(key.as_slice()).unwrap().is_current(&world.state));
}

#[test]
fn a_flood_of_different_questions_fills_no_memory() {
    let mut world = world();
    for n in 0..30_000 {
        world.ask(&format!("x{n}.service.consul"), 1);
    }
    assert!(world.responder.kept_bytes <= REMEMBERED);
    assert!(world.responder.kept.len() < 20_000);
}

#[test]
fn transfers_are_not_made() {
    assert_eq!(world().ask("consul", 252).metadata.response_code, ResponseCode::NotImp);
}

#[test]
fn ttls_of_the_settings_are_in_the_reply() {
    let config = Config { ttl: Duration::from_secs(9), ..Config::default() };
    let mut world = world();
    world.responder = Responder::new(Settings::new(config, Queries::default(), false), 1);
    assert_eq!(world.ask("web.service.consul", 1).answers[0].ttl, 9);
}

proptest! {
    /// Any bytes: no panic, and what is answered can be read, and is no longer than the client can take.
    #[test]
    fn any_packet_is_answered_within_the_size_it_names(
        mut bytes in prop::collection::vec(any::<u8>(), 0..120),
        start in prop::collection::vec(prop::sample::select(vec![0u8, 1, 3, 12, 0xc0, 0xff]), 12),
    ) {
        let mut world = world();
        let keep = bytes.len().min(12);
        bytes[..keep].copy_from_slice(&start[..keep]);
        check(&mut world, &bytes)?;
    }

    /// Questions that make sense, with a few bytes broken.
    #[test]
    fn a_broken_question_is_answered_within_the_size_it_names(
        name in "(_?(web|big|n|b|x)\\.){0,4}(service|node|addr|query|virtual|dc1)?(\\.dc1)?(\\.consul)?|[0-9]\\.0\\.1\\.10\\.in-addr\\.arpa",
        kind in prop::sample::select(vec![1u16, 2, 5, 6, 12, 16, 28, 33, 252, 255, 65_280]),
        payload in prop::option::of(any::<u16>()),
        broken in prop::collection::vec((0usize..80, any::<u8>()), 0..3),
    ) {
        let mut world = world();
        let mut bytes = packet(&name, kind, payload);
        for (at, byte) in broken {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        check(&mut world, &bytes)?;
        check(&mut world, &bytes)?;
    }
}

fn check(world: &mut World, bytes: &[u8]) -> Result<(), TestCaseError> {
    for transport in [Transport::Datagram, Transport::Stream] {
        let mut reply = Reply::default();
        let verdict = world.responder.respond(&world.state, bytes, transport, &mut reply);
        if !matches!(verdict, Verdict::Reply) {
            prop_assert!(matches!(verdict, Verdict::Silence), "nobody else can be asked");
            continue;
        }
        prop_assert_eq!(&reply.bytes[..2], &bytes[..2]);
        prop_assert!(Message::from_vec(&reply.bytes).is_ok());
        if let Parsed::Question(question) = packet::parse(bytes) {
            prop_assert!(reply.bytes.len() <= limit(&question, transport));
            if transport == Transport::Datagram && question.payload.is_none() {
                prop_assert!(reply.bytes.len() <= 512);
            }
        } else {
            prop_assert_eq!(reply.bytes.len(), 12);
        }
    }
    Ok(())
}
