//! Maintenance windows.

use super::*;

#[test]
fn a_maintenance_window_is_paused_and_a_failure_within_it_begins_when_it_ends() {
    let mut world = World::new();
    world.follower = Follower::new(RULES, Timestamp(0), []).with_maintenance(windows(
        r#"{"name":"disk","from":"1970-01-01T00:00:01Z","to":"1970-01-01T00:00:03Z"}"#,
    ));
    world.commit(100, registered("a", Passing));
    assert_eq!(world.follower.next_deadline(), Some(Timestamp(1_000)));
    world.advance(1_007);
    world.commit(1_500, says("a", Critical));
    assert_eq!(world.follower.next_deadline(), Some(Timestamp(3_000)));
    world.advance(3_010);
    let told: Vec<_> = world.heard.iter().map(|(at, state, _)| (*at, *state)).collect();
    assert_eq!(told, [(100, Up), (1_000, Paused), (3_000, Down)]);
}

#[test]
fn windows_in_the_catalog_come_and_go_with_their_documents() {
    let mut world = World::new();
    world.commit(100, registered("a", Passing));
    let body = r#"{"name":"pause","services":["web"],"from":"1970-01-01T00:00:00Z"}"#;
    let document = wharf_catalog::Document::new(crate::maintenance::DOCUMENTS, "p", body);
    world.commit(200, vec![Command::PutDocument(document, None)]);
    assert_eq!(world.reason, "maintenance: pause");
    let (kind, id) = (crate::maintenance::DOCUMENTS.into(), "p".into());
    world.commit(300, vec![Command::DeleteDocument { kind, id, cas: None }]);
    let told: Vec<_> = world.heard.iter().map(|(at, state, _)| (*at, *state)).collect();
    assert_eq!(told, [(100, Up), (200, Paused), (300, Up)]);
}

#[test]
fn a_window_counts_from_when_it_is_known_whatever_it_says_of_the_time_before() {
    let body = r#"{"name":"late","tags":["slow"],"from":"1970-01-01T00:00:00.150Z"}"#;
    let document = wharf_catalog::Document::new(crate::maintenance::DOCUMENTS, "p", body);
    let tagged = |tag: &str| {
        let instance = Instance { port: 80, tags: vec![tag.to_owned()], ..Instance::new("n", "a", "web") };
        vec![Command::PutInstance(instance)]
    };
    let mut world = World::new();
    world.commit(100, [tagged("slow"), registered("a", Passing).split_off(1)].concat());
    world.commit(200, vec![Command::PutDocument(document, None)]);
    world.commit(300, tagged("fast"));
    world.commit(400, tagged("slow"));
    let told: Vec<_> = world.heard.iter().map(|(at, state, _)| (*at, *state)).collect();
    assert_eq!(told, [(100, Up), (200, Paused), (300, Up), (400, Paused)]);
}
