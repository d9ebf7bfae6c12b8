//! Which instances are news.

use super::*;

#[test]
fn a_deploy_is_marked_and_the_first_instance_is_none() {
    let mut world = World::new();
    world.commit(100, registered("a", Passing));
    assert_eq!(world.follower.take_marks(), []);
    world.commit(200, registered("b", Passing));
    let marks = world.follower.take_marks();
    assert_eq!(marks.len(), 1);
    assert_eq!((marks[0].at.0, &*marks[0].text), (200, "instance `b` came"));
    let withdraw = Command::WithdrawInstance("n".into(), "a".into());
    let put = Command::PutInstance(Instance::new("n", "a", "web"));
    world.commit(300, vec![withdraw, put]);
    assert_eq!(&*world.follower.take_marks()[0].text, "instance `a` was replaced");
    assert_eq!(world.heard.len(), 1, "its history goes on: {:?}", world.heard);
}

#[test]
fn a_service_that_was_stopped_before_its_successor_started_is_deployed_all_the_same() {
    let mut world = World::new();
    world.commit(100, registered("rd-1", Passing));
    world.commit(200, vec![Command::WithdrawInstance("n".into(), "rd-1".into())]);
    assert_eq!(world.last(), (200, Unmonitored, true));
    world.commit(300, registered("rd-2", Passing));
    let marks = world.follower.take_marks();
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert_eq!((marks[0].at.0, &*marks[0].text), (300, "instance `rd-2` came"));
}

#[test]
fn an_instance_that_crashed_and_comes_back_is_no_deploy_even_when_it_was_forgotten() {
    let mut world = World::new();
    world.commit(100, registered("a", Passing));
    world.commit(200, removed("a"));
    world.commit(300, registered("a", Passing));
    world.commit(400, removed("a"));
    world.advance(1_400);
    assert_eq!(world.last(), (1_400, Unmonitored, true));
    world.commit(1_500, registered("a", Passing));
    assert_eq!(world.follower.take_marks(), []);
    world.commit(1_600, registered("b", Passing));
    assert_eq!(world.follower.take_marks().len(), 1);
}

#[test]
fn what_was_replaced_while_wharf_was_away_is_told_by_the_checks_it_knew() {
    let known: BTreeSet<Key> = [("n".into(), "c-a".into())].into();
    for (came, told) in [("a", 0), ("b", 1)] {
        let restored = Restored { service: "web".into(), gap: Timestamp(-500), down: None };
        let mut world = World::unseen_yet([restored]);
        world.follower = world.follower.with_memory_of(known.clone());
        world.commit(10, registered(came, Passing));
        assert_eq!(world.follower.take_marks().len(), told, "{came}");
    }
    let mut world = World::unseen_yet([]);
    world.commit(10, registered("a", Passing));
    assert_eq!(world.follower.take_marks(), [], "nobody has ever seen this one");
}
