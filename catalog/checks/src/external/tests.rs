use std::time::Duration;

use wharf_catalog::{
    Index, Timestamp,
    apply::{Applied, apply},
};

use super::*;

fn external(service: &str) -> External {
    External {
        service: service.to_owned(),
        group: "partners".to_owned(),
        http: Some("https://pay.example.org:8443/health".to_owned()),
        ..External::default()
    }
}

fn carried_out(state: &State, commands: &[Command]) -> State {
    let Applied { state, .. } = apply(state, state.index().next(), Timestamp(1_000), commands).unwrap();
    state
}

fn reconciled(state: &State, wanted: &[External]) -> State {
    carried_out(state, &reconcile(state, wanted).unwrap())
}

fn ids(state: &State) -> Vec<String> {
    state.instances().map(|one| format!("{}/{}", one.node, one.id)).collect()
}

#[test]
fn an_external_service_is_a_service_on_a_node_that_consuls_monitor_knows() {
    let state = reconciled(&State::default(), &[external("pay")]);
    let node = state.node("partners").unwrap();
    assert_eq!(node.meta[EXTERNAL_NODE], "true");
    let instance = state.instance("partners", "pay").unwrap();
    assert_eq!((&*instance.address, instance.port, &*instance.name), ("pay.example.org", 0, "pay"));
    let check = state.check("partners", "service:pay").unwrap();
    assert!(matches!(check.probe.as_ref().unwrap().kind, ProbeKind::Http { .. }));
    // A restart with the same file changes nothing.
    let again = reconciled(&state, &[external("pay")]);
    assert_eq!(again.index(), state.index());
}

#[test]
fn what_fell_out_of_the_file_goes_and_what_is_not_ours_stays() {
    let mut state = reconciled(&State::default(), &[external("one"), external("two")]);
    let api = External { group: "partners".into(), ..external("three") };
    let commands = register(&state, &api, Source::Api).unwrap();
    state = carried_out(&state, &commands);
    let foreign = Command::PutInstance(Instance::new("partners", "esm", "esm"));
    state = carried_out(&state, &[foreign]);
    state = reconciled(&state, &[external("two")]);
    assert_eq!(ids(&state), ["partners/esm", "partners/three", "partners/two"]);
    state = reconciled(&state, &[]);
    assert_eq!(ids(&state), ["partners/esm", "partners/three"]);
    assert_eq!(deregister(&state, "partners", "esm", Source::Api), []);
    state = carried_out(&state, &deregister(&state, "partners", "three", Source::Api));
    assert!(state.node("partners").is_some(), "somebody else's instance is on it");
}

#[test]
fn an_empty_group_takes_its_node_with_it() {
    let mut state = reconciled(&State::default(), &[external("one"), external("two")]);
    state = reconciled(&state, &[]);
    assert_eq!((ids(&state), state.nodes().count()), (vec![], 0));
    state = reconciled(&state, &[external("one")]);
    state = reconciled(&state, &[external("two")]);
    assert_eq!(ids(&state), ["partners/two"]);
}

#[test]
fn another_nodes_name_and_somebody_elses_id_are_refused() {
    let put = [Command::PutNode(Node::new("partners", "127.0.0.1"))];
    let state = carried_out(&State::default(), &put);
    let error = reconcile(&state, &[external("pay")]).unwrap_err().to_string();
    assert!(error.contains("`pay`") && error.contains("`group`"), "{error}");
    let state = reconciled(&State::default(), &[external("pay")]);
    let error = register(&state, &external("pay"), Source::Api).unwrap_err().to_string();
    assert!(error.contains("`id`"), "{error}");
    let twice = reconcile(&State::default(), &[external("pay"), external("pay")]).unwrap_err().to_string();
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn paused_is_maintenance_and_somebody_elses_maintenance_is_left_alone() {
    let paused = External { paused: true, ..external("pay") };
    let mut state = reconciled(&State::default(), &[paused]);
    let maintenance = service_maintenance_id("pay");
    assert!(state.check("partners", &maintenance).is_some());
    state = reconciled(&state, &[external("pay")]);
    assert!(state.check("partners", &maintenance).is_none());
    let by_hand = Check::maintenance(&"partners".into(), &"pay".into(), "new disk");
    state = carried_out(&state, &[Command::PutCheck(by_hand, CheckStatusOnPut::Set)]);
    state = reconciled(&state, &[external("pay")]);
    assert_eq!(state.check("partners", &maintenance).unwrap().notes, "new disk");
}

#[test]
fn mistakes_are_named() {
    let wrong = |external: External| external.probe().unwrap_err().to_string();
    let two = External { tcp: Some("h:1".into()), ..external("pay") };
    assert!(wrong(two).contains("exactly one of"));
    let blank = |change: External| External { http: None, ..change };
    assert!(wrong(blank(External { tcp: Some("host".into()), ..external("pay") })).contains("`host:port`"));
    let push = Push { token: Token("short".into()), every: Duration::from_secs(60), grace: Duration::ZERO };
    let told = wrong(blank(External { push: Some(push.clone()), ..external("pay") }));
    assert!(told.contains("at least 16") && !told.contains("short"), "{told}");
    assert!(!format!("{push:?}").contains("short"));
    let expect = Expect { body: Some("(".into()), ..Expect::default() };
    assert!(wrong(External { expect: Some(expect), ..external("pay") }).contains("regular expression"));
}

#[test]
fn what_could_never_pass_is_refused_when_it_is_defined() {
    let wrong = |json: &str| {
        let text = format!(r#"{{"service":"pay","group":"partners",{json}}}"#);
        serde_json::from_str::<External>(&text).unwrap().probe().unwrap_err().to_string()
    };
    for (json, place) in [
        (r#""http":"http://h/","method":"GE T""#, "`GE T`"),
        (r#""http":"http://h/","headers":{"a b":"x"}"#, "`a b`"),
        (r#""http":"http://h/","headers":{"authorization":"secret\n"}"#, "`authorization`"),
        (r#""icmp":"""#, "`icmp`"),
        (r#""dns":{"name":"x..y"}"#, "`x..y`"),
        (r#""dns":{"name":"x","server":"host:99999"}"#, "`host:99999`"),
        (r#""tcp":"h:1","interval":"0s""#, "`interval`"),
    ] {
        let told = wrong(json);
        assert!(told.contains(place) && !told.contains("secret"), "{json}: {told}");
    }
    for json in
        [r#""dns":{"name":"x","server":"2001:db8::53"}"#, r#""dns":{"name":"_sip._tcp.x","server":"ns:53"}"#]
    {
        let text = format!(r#"{{"service":"pay","group":"partners",{json}}}"#);
        serde_json::from_str::<External>(&text).unwrap().probe().unwrap();
    }
}

#[test]
fn a_token_belongs_to_one() {
    let reports = |service: &str| {
        let token = Token("a-token-nobody-can-guess".into());
        let push = Push { token, every: Duration::from_secs(6), grace: Duration::from_secs(2) };
        External { http: None, push: Some(push), ..external(service) }
    };
    let told = reconcile(&State::default(), &[reports("one"), reports("two")]).unwrap_err().to_string();
    assert!(told.contains("`one` on `partners`") && !told.contains("guess"), "{told}");
    let state = reconciled(&State::default(), &[reports("one")]);
    let told = register(&state, &reports("two"), Source::Api).unwrap_err().to_string();
    assert!(told.contains("`one` on `partners`"), "{told}");
    // Another name in the file for the same job.
    let state = reconciled(&state, &[reports("renamed")]);
    assert_eq!(ids(&state), ["partners/renamed"]);
    assert_eq!(reconciled(&state, &[reports("renamed")]).index(), state.index(), "it may stay as it is");
}

#[test]
fn a_push_is_found_by_its_token_which_the_catalog_does_not_keep() {
    let token = "a-token-nobody-can-guess";
    let push =
        Push { token: Token(token.into()), every: Duration::from_secs(60), grace: Duration::from_secs(5) };
    let state =
        reconciled(&State::default(), &[External { http: None, push: Some(push), ..external("cron") }]);
    let check = pushed(&state, token).unwrap();
    assert_eq!(check.probe.as_ref().unwrap().kind.silence(), Some(Duration::from_secs(65)));
    assert!(!format!("{check:?}").contains(token));
    assert!(pushed(&state, "another-token-altogether").is_none());
    assert_eq!(state.index(), Index(1));
}

#[test]
fn definitions_are_read_as_people_write_them() {
    let text = r#"{"service":"dns","group":"core","interval":"5s",
        "dns":{"name":"example.org","record":"mx","server":"192.0.2.53","expect":["10 mail.example.org."]}}"#;
    let external: External = serde_json::from_str(text).unwrap();
    let probe = external.probe().unwrap();
    assert_eq!((probe.interval, probe.kind.label()), (Duration::from_secs(5), "dns"));
    let two = External { min_healthy: Some(2), ..external.clone() };
    let state = reconciled(&State::default(), &[two]);
    assert_eq!(state.instance("core", "dns").unwrap().meta["min_healthy"], "2");
    let unknown = serde_json::from_str::<External>(r#"{"service":"x","htp":"http://x"}"#).unwrap_err();
    assert!(unknown.to_string().contains("`htp`"), "{unknown}");
}
