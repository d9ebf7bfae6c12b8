//! What queries answer, and what names mean.

use super::*;
use crate::{Check, CheckStatusOnPut, Command, Instance, Node, Timestamp, apply::apply};

fn commit(state: &State, commands: &[Command]) -> State {
    apply(state, state.index().next(), Timestamp(1), commands).unwrap().state
}

fn fleet() -> State {
    let mut commands = Vec::new();
    for (node, status, tags) in [
        ("n1", Status::Passing, vec!["p"]),
        ("n2", Status::Critical, vec!["s"]),
        ("n3", Status::Warning, vec!["p", "s"]),
    ] {
        let tags = tags.into_iter().map(str::to_owned).collect();
        commands.push(Command::PutNode(Node::new(node, "10.0.0.1")));
        commands.push(Command::PutInstance(Instance { tags, ..Instance::new(node, "w", "web") }));
        let check = Check { status, instance: Some("w".into()), ..Check::new(node, "c", "c") };
        commands.push(Command::PutCheck(check, CheckStatusOnPut::Set));
    }
    commit(&State::default(), &commands)
}

fn keep(state: &State, query: PreparedQuery) -> State {
    let body = serde_json::to_string(&query).unwrap();
    let commands = [
        Command::PutDocument(Document::new(KIND, query.id.as_str(), body), None),
        Command::PutDocument(Document::new(NAMES, query.unique_name(), query.id.as_str()), None),
    ];
    commit(state, &commands)
}

fn query(id: &str, name: &str, service: &str) -> PreparedQuery {
    PreparedQuery {
        id: id.to_owned(),
        name: name.to_owned(),
        service: Question { service: service.to_owned(), ..Question::default() },
        ..PreparedQuery::default()
    }
}

fn template(id: &str, prefix: &str, regexp: &str, service: &str) -> PreparedQuery {
    PreparedQuery {
        template: Template {
            kind: "name_prefix_match".to_owned(),
            regexp: regexp.to_owned(),
            remove_empty_tags: true,
        },
        ..query(id, prefix, service)
    }
}

fn nodes(question: &Question) -> Vec<String> {
    answer(&fleet(), question).iter().map(|instance| instance.node.name.to_string()).collect()
}

#[test]
fn critical_instances_never_answer_and_warning_ones_only_when_allowed() {
    let question = query("1", "q", "web").service;
    assert_eq!(nodes(&question), ["n1", "n3"]);
    assert_eq!(nodes(&Question { only_passing: true, ..question.clone() }), ["n1"]);
    let ignoring = Question { ignore_check_ids: Some(vec!["c".to_owned()]), ..question };
    assert_eq!(nodes(&ignoring), ["n1", "n2", "n3"]);
}

#[test]
fn tags_are_wanted_or_with_an_exclamation_mark_unwanted() {
    let tags = |tags: &[&str]| Question {
        tags: Some(tags.iter().map(|tag| (*tag).to_owned()).collect()),
        ..query("1", "q", "web").service
    };
    assert_eq!(nodes(&tags(&["P"])), ["n1", "n3"]);
    assert_eq!(nodes(&tags(&["p", "!s"])), ["n1"]);
}

#[test]
fn a_name_means_the_exact_query_and_else_the_template_with_the_longest_prefix() {
    let state = keep(&fleet(), query("1", "Geo-db", "exact"));
    let state = keep(&state, template("2", "geo-", "", "${name.suffix}"));
    let state = keep(&state, template("3", "geo-east-", "^geo-east-(.*?)-(.+)$", "${match(2)}-${match(1)}"));
    let service = |name: &str| resolve(&state, name).map(|query| query.service.service).ok();
    assert_eq!(service("geo-db").as_deref(), Some("exact"));
    assert_eq!(service("geo-web").as_deref(), Some("web"));
    assert_eq!(service("geo-east-a-b").as_deref(), Some("b-a"));
    assert_eq!(service("1").as_deref(), Some("exact"));
    assert_eq!(service("other"), None);
    assert_eq!(service(""), None);
    // There is no name to fill a template in with.
    assert_eq!(resolve(&state, "2").unwrap_err(), Unresolved::TemplateById);
    assert_eq!(resolve(&state, "other").unwrap_err(), Unresolved::Unknown);
}

#[test]
fn what_a_template_cannot_say_is_refused() {
    assert_eq!(
        template("1", "a", "(", "s").check().unwrap_err().to_string().split(':').next(),
        Some("Bad Regexp")
    );
    assert!(matches!(template("1", "a", "", "${bogus}").check(), Err(QueryError::Variable(_))));
    assert!(matches!(template("1", "a", "", "${name.full").check(), Err(QueryError::Variable(_))));
    assert_eq!(template("1", "", "", "$${plain}").check(), Ok(()));
    assert_eq!(query("1", "", "s").check(), Err(QueryError::Anonymous));
}

#[test]
fn empty_tags_go_when_the_template_says_so() {
    let mut with_tags = template("1", "t-", "", "web");
    with_tags.service.tags = Some(vec!["${match(9)}".to_owned(), "p".to_owned()]);
    let state = keep(&fleet(), with_tags);
    assert_eq!(resolve(&state, "t-x").unwrap().service.tags, Some(vec!["p".to_owned()]));
}

#[test]
fn instances_near_by_come_first_and_none_is_lost() {
    let state = fleet();
    let question =
        Question { ignore_check_ids: Some(vec!["c".to_owned()]), ..query("1", "q", "web").service };
    let mut firsts = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let mut instances = answer(&state, &question);
        order(&mut instances, Some("N2"), seed);
        assert_eq!(&*instances[0].node.name, "n2");
        firsts.insert(instances[1].node.name.clone());
        assert_eq!(instances.len(), 3);
    }
    assert_eq!(firsts.len(), 2);
}
