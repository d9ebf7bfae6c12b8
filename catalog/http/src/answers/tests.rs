//! What is shared, by whom, for how long.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const TOPIC: Topic = Topic::Nodes;

fn query(text: &str) -> Query {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    Query::new(path, query, None).unwrap()
}

fn ask(answers: &Answers, text: &str, index: u64, body: &'static str) -> String {
    let response = answers.answer(&query(text), &TOPIC, Index(index), || respond::text(StatusCode::OK, body));
    assert!(response.headers().contains_key(respond::INDEX));
    String::from_utf8(whole(response.into_body()).to_vec()).unwrap()
}

#[test]
fn an_answer_is_shared_until_its_topic_moves_on() {
    let answers = Answers::default();
    assert_eq!(ask(&answers, "/a", 5, "one"), "one");
    assert_eq!(ask(&answers, "/a", 5, "two"), "one");
    assert_eq!(ask(&answers, "/a", 6, "three"), "three");
    assert_eq!(ask(&answers, "/a", 5, "four"), "three", "who looked a moment ago gets the younger one");
}

#[test]
fn only_how_long_to_wait_is_no_part_of_the_question() {
    let answers = Answers::default();
    assert_eq!(ask(&answers, "/a?passing&tag=x", 5, "one"), "one");
    assert_eq!(ask(&answers, "/a?index=4&passing&wait=10s&tag=x", 5, "two"), "one");
    for other in ["/a", "/b?passing&tag=x", "/a?passing&tag=y", "/a?passing&tag=x&tag=y", "/a?tag=x&pretty"] {
        assert_eq!(ask(&answers, other, 5, "other"), "other", "{other}");
    }
}

#[test]
fn a_name_in_a_roundabout_way_is_not_taken_for_part_of_the_question() {
    for text in ["%69ndex=5", "passing&inde%78=5", "a+b"] {
        assert!(Query::new("/a", text, None).is_none(), "{text}");
    }
    assert!(Query::new("/a", "tag=a%2Fb+c", None).is_some());
}

#[test]
fn the_same_words_about_another_topic_are_another_question() {
    let answers = Answers::default();
    let about = |name: &str, body: &'static str| {
        let topic = Topic::Health(name.into());
        let response =
            answers.answer(&query("/web"), &topic, Index(5), || respond::text(StatusCode::OK, body));
        whole(response.into_body())
    };
    assert_eq!(about("Web", "old"), "old");
    assert_eq!(about("web", "new"), "new");
}

#[test]
fn what_dates_itself_is_not_kept() {
    let answers = Answers::default();
    for date in [7_u64, 8] {
        let response = answers.answer(&query("/k"), &TOPIC, Index(5), || {
            let mut response = respond::bare(StatusCode::NOT_FOUND);
            respond::set(&mut response, respond::INDEX, date);
            response
        });
        assert_eq!(response.headers()[respond::INDEX], date.to_string());
    }
}

#[test]
fn many_who_ask_at_once_are_answered_by_one_evaluation() {
    let (answers, evaluations) = (Answers::default(), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for index in 1..200 {
                    answers.answer(&query("/a?index=3"), &TOPIC, Index(index), || {
                        evaluations.fetch_add(1, Ordering::Relaxed);
                        respond::text(StatusCode::OK, "x")
                    });
                }
            });
        }
    });
    assert!(evaluations.load(Ordering::Relaxed) < 200, "{evaluations:?}");
}

#[test]
fn memory_is_bounded_and_what_is_asked_for_stays() {
    let answers = Answers::default();
    let big = || respond::text(StatusCode::OK, vec![b'x'; GENERATION / 16]);
    for n in 0..200 {
        answers.answer(&query(&format!("/{n}")), &TOPIC, Index(5), big);
        assert_eq!(ask(&answers, "/often", 5, if n == 0 { "first" } else { "again" }), "first");
    }
    let generations = answers.generations();
    let held = generations.young.values().chain(generations.old.values());
    let bytes: usize = held.filter_map(|slot| slot.answer.get()).map(|answer| answer.body.len()).sum();
    assert!(bytes <= 2 * GENERATION + GENERATION / 16, "{bytes}");
}
