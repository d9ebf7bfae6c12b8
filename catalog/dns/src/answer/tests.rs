use std::time::Duration;

use proptest::prelude::*;
use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Instance, Node, Status, Timestamp, Weights, apply::apply,
};

use super::*;
use crate::ServiceQuery;

/// A catalog built command by command.
#[derive(Default)]
struct World {
    state: State,
    config: Config,
    queries: Queries,
}

impl World {
    fn put(&mut self, command: Command) {
        let index = self.state.index().next();
        self.state = apply(&self.state, index, Timestamp(0), &[command]).unwrap().state;
    }

    fn node(&mut self, name: &str, address: &str) {
        self.put(Command::PutNode(Node::new(name, address)));
    }

    fn instance(&mut self, node: &str, id: &str, name: &str, edit: impl FnOnce(&mut Instance)) {
        let mut instance = Instance::new(node, id, name);
        instance.port = 80;
        edit(&mut instance);
        self.put(Command::PutInstance(instance));
    }

    fn check(&mut self, node: &str, instance: Option<&str>, status: Status) {
        let id = format!("c-{}", instance.unwrap_or("node"));
        let check = Check { instance: instance.map(Into::into), status, ..Check::new(node, id, "c") };
        self.put(Command::PutCheck(check, CheckStatusOnPut::Set));
    }

    fn reply(&self, name: &str, kind: RecordType) -> Answer {
        let spellings = Spellings::of(&self.state);
        let zones = question::zones(&self.config);
        let (state, config, queries) = (&self.state, &self.config, &self.queries);
        let context = Context { state, spellings: &spellings, config, zones: &zones, queries };
        let name = question::raw_name(name.trim_end_matches('.')).unwrap();
        answer(context, &mut Reverse::default(), &name, kind)
    }

    /// The answers as text, sorted; without any: `NXDOMAIN`, `NODATA` (with the SOA), `EMPTY` (without), ...
    fn ask(&self, name: &str, kind: RecordType) -> Vec<String> {
        match self.reply(name, kind) {
            Answer::Refused => vec!["REFUSED".to_owned()],
            Answer::NoSuchAddress => vec!["NO SUCH ADDRESS".to_owned()],
            Answer::NoSuchName(sections) => {
                assert_eq!(kinds(&sections.authorities), [SOA]);
                vec!["NXDOMAIN".to_owned()]
            }
            Answer::Found(sections) if sections.answers.is_empty() && sections.authorities.is_empty() => {
                vec!["EMPTY".to_owned()]
            }
            Answer::Found(sections) if sections.answers.is_empty() => {
                assert_eq!(kinds(&sections.authorities), [SOA]);
                vec!["NODATA".to_owned()]
            }
            Answer::Found(sections) => text(&sections.answers),
        }
    }

    fn additionals(&self, name: &str, kind: RecordType) -> Vec<String> {
        match self.reply(name, kind) {
            Answer::Found(sections) => text(&sections.additionals),
            other => panic!("{other:?}"),
        }
    }
}

fn kinds(records: &[Record]) -> Vec<RecordType> {
    records.iter().map(Record::record_type).collect()
}

fn text(records: &[Record]) -> Vec<String> {
    let mut text: Vec<_> = records
        .iter()
        .map(|record| format!("{} {} {} {}", record.name, record.ttl, record.record_type(), record.data))
        .collect();
    text.sort();
    text
}

/// Two nodes; `web` passes on one, warns on the second, is critical on a third.
fn world() -> World {
    let mut world = World::default();
    world.config.only_passing = false;
    let mut first = Node::new("n1", "10.9.1.1");
    first.meta.insert("role".to_owned(), "front".to_owned());
    first.meta.insert("rfc1035-txt".to_owned(), "v=1".to_owned());
    world.put(Command::PutNode(first));
    world.node("n2", "10.9.1.2");
    world.node("n3", "10.9.1.3");
    let weights = Weights { passing: 10, warning: 2 };
    world.instance("n1", "w1", "web", |i| {
        i.tags = vec!["V1".to_owned(), "primary".to_owned()];
        i.weights = weights;
    });
    world.instance("n2", "w2", "web", |i| {
        (i.port, i.address, i.weights) = (81, "10.20.0.2".to_owned(), weights);
        i.tags = vec!["v2".to_owned()];
    });
    world.instance("n3", "w3", "web", |_| {});
    world.check("n1", Some("w1"), Status::Passing);
    world.check("n2", Some("w2"), Status::Warning);
    world.check("n3", Some("w3"), Status::Critical);
    world
}

use RecordType::{A, AAAA, ANY, CNAME, MX, NS, SOA, SRV, TXT};

#[test]
fn warning_instances_are_answered_unless_only_passing_ones_are_wanted() {
    let mut world = world();
    world.config.only_passing = true;
    assert_eq!(world.ask("web.service.consul.", A), ["web.service.consul. 0 A 10.9.1.1"]);
    world.config.only_passing = false;
    assert_eq!(
        world.ask("web.service.consul.", A),
        ["web.service.consul. 0 A 10.20.0.2", "web.service.consul. 0 A 10.9.1.1"]
    );
}

#[test]
fn a_service_without_a_live_instance_does_not_exist() {
    let mut world = world();
    world.check("n1", Some("w1"), Status::Critical);
    world.check("n2", Some("w2"), Status::Critical);
    assert_eq!(world.ask("web.service.consul.", A), ["NXDOMAIN"]);
    assert_eq!(world.ask("web.service.consul.", SRV), ["NXDOMAIN"]);
}

#[test]
fn a_critical_node_takes_its_instances_with_it() {
    let mut world = world();
    world.check("n1", None, Status::Critical);
    assert_eq!(world.ask("v1.web.service.consul.", A), ["NXDOMAIN"]);
    assert_eq!(world.ask("web.service.consul.", A), ["web.service.consul. 0 A 10.20.0.2"]);
    assert_eq!(world.ask("n1.node.consul.", A), ["n1.node.consul. 0 A 10.9.1.1"]);
}

#[test]
fn a_drained_instance_is_never_answered() {
    let mut world = world();
    for (node, id) in [("n1", "w1"), ("n2", "w2")] {
        let drain = Check::maintenance(&node.into(), &id.into(), "draining: stop");
        world.put(Command::PutCheck(drain, CheckStatusOnPut::Set));
    }
    assert_eq!(world.ask("web.service.consul.", A), ["NXDOMAIN"]);
}

#[test]
fn srv_answers_name_the_node_or_the_instances_own_address_and_bring_the_address_along() {
    let world = world();
    let name = "_web._tcp.service.consul.";
    assert_eq!(
        world.ask(name, SRV),
        [
            format!("{name} 0 SRV 1 10 80 n1.node.dc1.consul."),
            format!("{name} 0 SRV 1 2 81 0a140002.addr.dc1.consul."),
        ]
    );
    assert_eq!(
        world.additionals(name, SRV),
        [
            "0a140002.addr.dc1.consul. 0 A 10.20.0.2",
            "n1.node.dc1.consul. 0 A 10.9.1.1",
            "n1.node.dc1.consul. 0 TXT role=front",
            "n1.node.dc1.consul. 0 TXT v=1",
        ]
    );
}

#[test]
fn tags_select_without_regard_to_case() {
    let world = world();
    for name in ["v1.web.service.consul.", "V1.WEB.service.consul.", "_web._v1.service.dc1.consul."] {
        assert_eq!(world.ask(name, A).len(), 1, "{name}");
        assert_ne!(world.ask(name, A), ["NXDOMAIN"], "{name}");
    }
    assert_eq!(world.ask("nope.web.service.consul.", A), ["NXDOMAIN"]);
}

#[test]
fn stored_upper_case_is_found_and_the_reply_keeps_the_askers_spelling() {
    let mut world = world();
    world.node("Big", "10.9.1.8");
    world.instance("Big", "Up", "DUpper", |_| {});
    assert_eq!(world.ask("dUPPER.service.consul.", A), ["dUPPER.service.consul. 0 A 10.9.1.8"]);
    assert_eq!(world.ask("big.node.consul.", A), ["big.node.consul. 0 A 10.9.1.8"]);
}

#[test]
fn a_name_without_the_asked_type_is_told_from_a_name_that_does_not_exist() {
    let world = world();
    for (name, kind) in
        [("web.service.consul.", AAAA), ("web.service.consul.", MX), ("web.service.consul.", CNAME)]
    {
        assert_eq!(world.ask(name, kind), ["NODATA"], "{name} {kind}");
    }
    for (name, kind) in [
        ("n2.node.consul.", AAAA),
        ("n2.node.consul.", TXT),
        ("n1.node.consul.", SRV),
        ("nosuch.node.consul.", MX),
        ("0a090101.addr.consul.", AAAA),
        ("zz.addr.consul.", A),
    ] {
        assert_eq!(world.ask(name, kind), ["EMPTY"], "{name} {kind}");
    }
    for name in
        ["nosuch.service.consul.", "web.service.dc9.consul.", "web.consul.", "service.consul.", "consul."]
    {
        for kind in [A, SRV, MX] {
            assert_eq!(world.ask(name, kind), ["NXDOMAIN"], "{name} {kind}");
        }
    }
    assert_eq!(world.ask("nosuch.node.consul.", A), ["NXDOMAIN"]);
    assert_eq!(world.ask("example.com.", A), ["REFUSED"]);
}

#[test]
fn host_names_become_a_cname_that_stands_alone() {
    let mut world = world();
    world.instance("n1", "h", "named", |i| i.address = "backend.example.com".to_owned());
    let alias = "named.service.consul. 0 CNAME backend.example.com.";
    for kind in [A, AAAA, ANY, CNAME] {
        assert_eq!(world.ask("named.service.consul.", kind), [alias]);
    }
    let target = "named.service.consul. 0 SRV 1 1 80 backend.example.com.";
    assert_eq!(world.ask("named.service.consul.", SRV), [target]);
    world.instance("n1", "h2", "named", |i| i.address = "10.0.0.5".to_owned());
    assert_eq!(world.ask("named.service.consul.", A), ["named.service.consul. 0 A 10.0.0.5"]);
    assert_eq!(world.ask("named.service.consul.", AAAA), ["NODATA"]);
}

#[test]
fn addresses_of_both_families_are_answered_by_type_and_each_once() {
    let mut world = world();
    world.instance("n1", "six", "mix", |i| i.address = "2001:db8::77".to_owned());
    world.instance("n1", "four", "mix", |_| {});
    world.instance("n1", "four-again", "mix", |i| i.port = 81);
    assert_eq!(world.ask("mix.service.consul.", A), ["mix.service.consul. 0 A 10.9.1.1"]);
    assert_eq!(world.ask("mix.service.consul.", AAAA), ["mix.service.consul. 0 AAAA 2001:db8::77"]);
    assert_eq!(world.ask("mix.service.consul.", ANY).len(), 2);
    assert_eq!(world.ask("mix.service.consul.", SRV).len(), 3);
    let six = "20010db8000000000000000000000077.addr.dc1.consul.";
    assert_eq!(world.ask(six, AAAA), [format!("{six} 0 AAAA 2001:db8::77")]);
}

#[test]
fn the_zone_tells_its_soa_and_name_server() {
    let mut world = world();
    world.config.node_name = "N2".to_owned();
    world.config.negative_ttl = Duration::from_secs(5);
    world.config.ttl = Duration::from_secs(3);
    let soa = world.ask("consul.", SOA);
    let serial = world.state.index();
    assert_eq!(soa, [format!("consul. 5 SOA ns.consul. hostmaster.consul. {serial} 3600 600 86400 5")]);
    assert_eq!(world.ask("web.service.consul.", NS), ["consul. 3 NS N2.node.dc1.consul."]);
    assert_eq!(world.additionals("consul.", NS), ["N2.node.dc1.consul. 3 A 10.9.1.2"]);
}

#[test]
fn addresses_are_told_in_any_order_and_everything_else_as_it_is() {
    let world = world();
    let order = |name, kind| match world.reply(name, kind) {
        Answer::Found(sections) => sections.order,
        other => panic!("{other:?}"),
    };
    assert_eq!(order("web.service.consul.", A), Order::Any);
    assert_eq!(order("web.service.consul.", SRV), Order::Any);
    assert_eq!(order("consul.", SOA), Order::Kept);
}

#[test]
fn text_questions_about_a_service_are_answered_with_addresses() {
    let world = world();
    assert_eq!(world.ask("v1.web.service.consul.", TXT), ["v1.web.service.consul. 0 A 10.9.1.1"]);
}

#[test]
fn addresses_have_the_name_of_their_node_or_else_of_a_service() {
    let mut world = world();
    world.node("six", "2001:db8::4");
    let node = "1.1.9.10.in-addr.arpa.";
    for kind in [RecordType::PTR, ANY, A] {
        assert_eq!(world.ask(node, kind), [format!("{node} 0 PTR n1.node.dc1.consul.")]);
    }
    let service = "2.0.20.10.in-addr.arpa.";
    assert_eq!(world.ask(service, RecordType::PTR), [format!("{service} 0 PTR web.service.dc1.consul.")]);
    let six = "4.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
    assert_eq!(world.ask(six, RecordType::PTR), [format!("{six} 0 PTR six.node.dc1.consul.")]);
    for unknown in ["9.9.9.9.in-addr.arpa.", "9.10.in-addr.arpa."] {
        assert_eq!(world.ask(unknown, RecordType::PTR), ["NO SUCH ADDRESS"]);
    }
}

#[test]
fn the_second_domain_answers_with_names_of_the_first() {
    let mut world = world();
    assert_eq!(world.ask("n2.node.althost.", A), ["REFUSED"]);
    world.config.alt_domain = Some("althost.".to_owned());
    assert_eq!(world.ask("n2.node.althost.", A), ["n2.node.althost. 0 A 10.9.1.2"]);
    let name = "v1.web.service.dc1.althost.";
    assert_eq!(world.ask(name, SRV), [format!("{name} 0 SRV 1 10 80 n1.node.dc1.consul.")]);
    assert!(world.ask("althost.", SOA)[0].starts_with("consul. 0 SOA ns.consul."));
}

#[test]
fn each_service_and_all_nodes_have_their_own_ttl() {
    let mut world = world();
    world.config.ttl = Duration::from_secs(1);
    world.config.node_ttl = Some(Duration::from_secs(2));
    world.config.service_ttl.insert("we*".to_owned(), Duration::from_secs(3));
    assert_eq!(world.ask("v1.web.service.consul.", A), ["v1.web.service.consul. 3 A 10.9.1.1"]);
    assert_eq!(world.additionals("v2.web.service.consul.", SRV), ["0a140002.addr.dc1.consul. 3 A 10.20.0.2"]);
    assert_eq!(world.ask("n2.node.consul.", A), ["n2.node.consul. 2 A 10.9.1.2"]);
    assert_eq!(world.ask("0a090101.addr.consul.", A), ["0a090101.addr.consul. 2 A 10.9.1.1"]);
}

#[test]
fn a_service_behind_the_proxy_is_where_the_proxy_is() {
    let mut world = world();
    assert_eq!(world.ask("web.virtual.consul.", A), ["NXDOMAIN"]);
    world.config.proxy_addr = Some([192, 0, 2, 1].into());
    assert_eq!(world.ask("web.virtual.consul.", A), ["web.virtual.consul. 0 A 192.0.2.1"]);
    assert_eq!(world.ask("web.virtual.consul.", AAAA), ["NODATA"]);
    assert_eq!(world.ask("nosuch.virtual.consul.", A), ["NXDOMAIN"]);
}

#[test]
fn a_prepared_query_selects_by_tags_metadata_and_health_and_has_its_own_ttl() {
    let mut world = world();
    assert_eq!(world.ask("q.query.consul.", A), ["NXDOMAIN"], "there are none");
    world.queries = Queries::new(|_, name| {
        let query = ServiceQuery { service: "Web".to_owned(), ..ServiceQuery::default() };
        match name {
            "all" => Some(query),
            "passing" => {
                Some(ServiceQuery { only_passing: true, ttl: Some(Duration::from_secs(33)), ..query })
            }
            "not.v1" => Some(ServiceQuery { tags: vec!["!v1".to_owned()], ..query }),
            "front" => {
                Some(ServiceQuery { node_meta: [("role".to_owned(), "front".to_owned())].into(), ..query })
            }
            "none" => Some(ServiceQuery { service_meta: [("x".to_owned(), "y".to_owned())].into(), ..query }),
            _ => None,
        }
    });
    assert_eq!(world.ask("all.query.consul.", A).len(), 2);
    assert_eq!(world.ask("passing.query.dc1.consul.", A), ["passing.query.dc1.consul. 33 A 10.9.1.1"]);
    assert_eq!(world.ask("NOT.v1.query.consul.", A), ["NOT.v1.query.consul. 0 A 10.20.0.2"]);
    assert_eq!(world.ask("front.query.consul.", A), ["front.query.consul. 0 A 10.9.1.1"]);
    for nothing in ["none.query.consul.", "nosuch.query.consul.", "query.consul.", "_all._tcp.query.consul."]
    {
        assert_eq!(world.ask(nothing, SRV), ["NXDOMAIN"], "{nothing}");
    }
}

#[test]
fn aliases_within_the_zone_are_followed_and_circles_end() {
    let mut world = world();
    world.instance("n1", "a", "one", |i| i.address = "two.service.consul".to_owned());
    world.instance("n1", "b", "two", |i| i.address = "n2.node.consul".to_owned());
    assert_eq!(
        world.ask("one.service.consul.", A),
        [
            "n2.node.consul. 0 A 10.9.1.2",
            "one.service.consul. 0 CNAME two.service.consul.",
            "two.service.consul. 0 CNAME n2.node.consul."
        ]
    );
    assert_eq!(world.additionals("two.service.consul.", SRV), ["n2.node.consul. 0 A 10.9.1.2"]);
    world.instance("n1", "c", "circle", |i| i.address = "elcric.service.consul".to_owned());
    world.instance("n1", "d", "elcric", |i| i.address = "circle.service.consul".to_owned());
    assert!(world.ask("circle.service.consul.", A).len() < 8);
    world.instance("n1", "e", "self", |i| i.address = "self.service.consul".to_owned());
    assert_eq!(world.ask("self.service.consul.", A), ["self.service.consul. 0 A 10.9.1.1"]);
}

#[test]
fn a_node_with_a_host_name_is_the_target_itself() {
    let mut world = world();
    world.node("host", "node.example.org");
    world.instance("host", "x", "there", |_| {});
    let there = "there.service.consul.";
    assert_eq!(world.ask(there, SRV), [format!("{there} 0 SRV 1 1 80 node.example.org.")]);
    assert_eq!(world.ask(there, A), [format!("{there} 0 CNAME node.example.org.")]);
    assert_eq!(world.ask("host.node.consul.", AAAA), ["host.node.consul. 0 CNAME node.example.org."]);
    assert_eq!(world.ask("host.node.consul.", CNAME), ["EMPTY"]);
}

#[test]
fn names_dns_cannot_carry_cost_an_answer_and_nothing_else() {
    let mut world = world();
    let long = "x".repeat(80);
    world.node(&long, "10.9.1.9");
    world.instance(&long, "l", "long", |_| {});
    world.instance("n1", "h", "bad", |i| i.address = "not a..host".to_owned());
    assert_eq!(
        world.ask("long.service.consul.", SRV),
        ["long.service.consul. 0 SRV 1 1 80 0a090109.addr.dc1.consul."]
    );
    assert_eq!(world.ask("bad.service.consul.", A), ["NODATA"]);
    assert_eq!(world.ask("bad.service.consul.", SRV), ["NODATA"]);
}

proptest! {
    /// No name and no type makes it panic, and every answer is about the name that was asked for.
    #[test]
    fn any_question_has_an_answer(
        labels in prop::collection::vec("[a-z0-9_-]{1,8}|service|node|addr|dc1|web|_tcp|_web|n1", 0..7),
        kind in any::<u16>(),
    ) {
        let world = world();
        let name = [labels.join("."), "consul.".to_owned()].join(".").trim_start_matches('.').to_owned();
        let kind = RecordType::from(kind);
        if let Answer::Found(sections) = world.reply(&name, kind) {
            for record in &sections.answers {
                let asked = question::raw_name(name.trim_end_matches('.')).unwrap();
                prop_assert!(kind == NS || kind == SOA || record.name == asked);
            }
        }
    }
}
