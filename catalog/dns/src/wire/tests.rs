use std::{
    collections::{BTreeSet, HashSet},
    net::Ipv4Addr,
};

use hickory_proto::{
    op::Message,
    rr::{
        RData, RecordType,
        rdata::{CNAME, SRV},
    },
};

use super::*;
use crate::packet::{Parsed, parse};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// A question for `big.service.consul.`, with or without EDNS.
fn packet(kind: RecordType, payload: Option<u16>) -> Vec<u8> {
    let mut bytes = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(payload.is_some())];
    bytes.extend(b"\x03bIg\x07service\x06consul\0");
    bytes.extend(u16::from(kind).to_be_bytes());
    bytes.extend([0, 1]);
    if let Some(payload) = payload {
        bytes.extend([0, 0, 41]);
        bytes.extend(payload.to_be_bytes());
        bytes.extend([0; 6]);
    }
    bytes
}

fn addresses(count: u8) -> Sections {
    let record =
        |n| Record::from_rdata(name("big.service.consul."), 5, RData::A(Ipv4Addr::new(10, 0, 0, n).into()));
    Sections { answers: (0..count).map(record).collect(), order: Order::Any, ..Sections::default() }
}

fn servers(count: u8) -> Sections {
    let target = |n| name(&format!("node-{n}.node.dc1.consul."));
    let srv = |n| {
        let data = RData::SRV(SRV::new(1, 1, u16::from(n), target(n)));
        Record::from_rdata(name("big.service.consul."), 5, data)
    };
    let glue = |n| Record::from_rdata(target(n), 5, RData::A(Ipv4Addr::new(10, 0, 0, n).into()));
    Sections {
        answers: (0..count).map(srv).collect(),
        additionals: (0..count).map(glue).collect(),
        order: Order::Any,
        ..Sections::default()
    }
}

fn reply(sections: &Sections, packet: &[u8], limit: usize, seed: u64) -> (Message, Vec<u8>) {
    let Parsed::Question(question) = parse(packet) else { panic!("no question") };
    let encoded = Encoded::of(sections, &name("big.service.consul."));
    let flags = Flags { code: code::NO_ERROR, authoritative: true, recursion_available: false };
    let mut out = Reply::default();
    encoded.reply(&question, flags, limit, &mut Dice(seed), &mut out);
    (Message::from_vec(&out.bytes).unwrap(), out.bytes)
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

#[test]
fn another_seed_gives_another_order_of_the_same_answers() {
    let (sections, packet) = (addresses(10), packet(RecordType::A, None));
    let order = |seed| texts(&reply(&sections, &packet, 512, seed).0.answers);
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    assert_eq!(order(1).into_iter().collect::<BTreeSet<_>>(), order(2).into_iter().collect());
    let firsts: HashSet<_> = (0..200).map(|seed| order(seed)[0].clone()).collect();
    assert_eq!(firsts.len(), 10, "everybody comes first at times");
}

#[test]
fn the_reply_is_spelt_as_the_question_and_says_what_the_client_can_take() {
    let (message, bytes) = reply(&addresses(1), &packet(RecordType::A, Some(1232)), 1232, 1);
    assert_eq!(message.answers[0].name.to_ascii(), "bIg.service.consul.");
    assert_eq!(message.edns.unwrap().max_payload(), 1232);
    assert_eq!(bytes.len(), 12 + 24 + 16 + 11);
}

#[test]
fn additional_records_follow_their_target_whatever_the_order() {
    let sections = servers(20);
    for seed in 0..50 {
        let (message, _) = reply(&sections, &packet(RecordType::SRV, Some(4096)), 4096, seed);
        assert_eq!(texts(&message.additionals), texts(&sections.additionals));
        assert!(!message.metadata.truncation);
    }
}

#[test]
fn a_cut_reply_says_so_and_is_never_too_long() {
    for sections in [addresses(200), servers(60)] {
        for limit in [512, 700, 1232, 4096] {
            for payload in [None, Some(limit)] {
                let packet = packet(RecordType::SRV, payload);
                let (message, bytes) = reply(&sections, &packet, usize::from(limit), 3);
                let whole = message.answers.len() == sections.answers.len()
                    && message.additionals.len() == sections.additionals.len();
                assert!(bytes.len() <= usize::from(limit));
                assert_eq!(message.metadata.truncation, !whole);
                assert_eq!(message.edns.is_some(), payload.is_some());
                assert!(message.answers.len() > 5);
            }
        }
    }
}

#[test]
fn of_several_aliases_one_is_told_with_what_belongs_to_it() {
    let asked = name("big.service.consul.");
    let alias = |to: &str| Record::from_rdata(asked.clone(), 5, RData::CNAME(CNAME(name(to))));
    let address = |of: &str| Record::from_rdata(name(of), 5, RData::A(Ipv4Addr::new(10, 0, 0, 1).into()));
    let answers = vec![alias("a.example."), alias("n.node.consul."), address("n.node.consul.")];
    let sections = Sections { answers, order: Order::OneAlias, ..Sections::default() };
    let packet = packet(RecordType::A, None);
    let told: BTreeSet<_> =
        (0..50).map(|seed| reply(&sections, &packet, 512, seed).0.answers.len()).collect();
    assert_eq!(told, BTreeSet::from([1, 2]));
}

#[test]
fn somebody_elses_reply_is_cut_to_the_question() {
    let packet = packet(RecordType::A, Some(512));
    let (_, mut long) = reply(&addresses(100), &packet, 4096, 1);
    let Parsed::Question(question) = parse(&packet) else { panic!("no question") };
    cut_foreign(&question, 512, &mut long);
    let message = Message::from_vec(&long).unwrap();
    assert!(message.metadata.truncation && message.answers.is_empty() && message.edns.is_some());
}
