//! Which runs count, and what warnings mean.

use super::*;

#[test]
fn a_warning_of_what_takes_no_traffic_is_told_and_no_outage() {
    let mut world = World::new();
    world.commit(10, looked_at("a", Passing));
    world.outcome(20, "a", Warning);
    assert_eq!(world.admitted(20, "a", Warning), Some(Passing));
    world.commit(20, says("a", Warning));
    assert_eq!(world.reason, "1 of 1 instance passes; instance `a`: check `c-a` is warning: warning");
    world.commit(30, says("a", Passing));
    assert_eq!(world.reason, "1 of 1 instance passes");
    assert_eq!(world.heard, [(10, Up, false); 3], "the same state, told again");
    world.outcome(40, "a", Warning);
    world.commit(40, says("a", Warning));
    world.outcome(90, "a", Critical);
    world.commit(90, says("a", Critical));
    assert_eq!(world.last(), (90, Down, false), "not since it warned");
    assert_eq!(world.reason, "instance `a`: check `c-a` is critical: critical");
    assert_eq!(world.admitted(90, "a", Critical), Some(Critical));
}

#[test]
fn a_service_that_only_warns_from_the_first_is_up_with_its_check() {
    let mut world = World::new();
    world.unseen(10, looked_at("a", Warning));
    let heard = world.follower.observe(Timestamp(15), Arc::new(world.state.clone()));
    assert_eq!(heard.iter().map(|t| t.state).collect::<Vec<_>>(), [Up, Up], "{heard:?}");
}

#[test]
fn runs_do_not_count_while_their_check_is_excused() {
    let mut world = World::new();
    world.commit(10, [registered("a", Passing), registered("b", Passing)].concat());
    world.commit(20, told("a", "disk"));
    assert_eq!(world.admitted(21, "a", Critical), None);
    assert_eq!(world.admitted(19, "a", Critical), Some(Critical), "it is from before");
    assert_eq!(world.admitted(21, "b", Critical), Some(Critical));
    world.commit(30, lifted("a"));
    world.commit(40, told("a", "draining: container got SIGTERM"));
    assert_eq!(world.admitted(41, "a", Passing), None);
    world.commit(50, registered("c", Critical));
    assert_eq!(world.admitted(51, "c", Critical), None, "it starts");
    assert_eq!(world.admitted(51, "c", Passing), Some(Passing), "and this ends it");
}

#[test]
fn runs_of_nodes_and_of_checks_nobody_knows_yet_heed_windows_as_their_states_do() {
    let mut world = World::new();
    world.follower = Follower::new(RULES, Timestamp(0), [])
        .with_maintenance(windows(r#"{"name":"all","from":"1970-01-01T00:00:00.050Z"}"#));
    world.commit(10, registered("a", Passing));
    assert_eq!(world.admitted(40, "new", Passing), Some(Passing));
    assert_eq!(world.admitted(60, "new", Passing), None);
    let of_node = Outcome { service: "".into(), instance: None, ..run(60, "a", Passing) };
    assert!(world.follower.admit(of_node).is_some());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Which runs count is what the states say in the end, read one by one.
        #[test]
        fn runs_count_if_and_only_if_their_check_was_tested_at_that_time(
            from in 50_i64..300, length in 1_i64..200,
            steps in prop::collection::vec((1_i64..40, 0..6, any::<bool>()), 1..60),
        ) {
            let mut world = World::new();
            let window = Timestamp(from)..Timestamp(from + length);
            let text = |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).unwrap().to_string();
            let text = format!(r#"{{"name":"w","from":"{}","to":"{}"}}"#, text(window.start), text(window.end));
            world.follower = Follower::new(RULES, Timestamp(0), []).with_maintenance(windows(&text));
            let (mut now, mut states, mut runs) = (1, Vec::new(), Vec::new());
            let mut hear = |transitions: Vec<Transition>| {
                let ours = |t: &Transition| matches!(&t.subject, Subject::Check((_, id)) if &**id == "c-a");
                states.extend(transitions.into_iter().filter(ours).map(|t| (t.from.0, t.state)));
            };
            world.unseen(now, registered("a", Passing));
            hear(world.follower.observe(Timestamp(now), Arc::new(world.state.clone())));
            for (step, what, passes) in steps {
                now += step;
                let status = if passes { Passing } else { Critical };
                // As the recorder does: what is due comes first.
                if world.follower.next_deadline().is_some_and(|deadline| deadline.0 <= now) {
                    hear(world.follower.advance(Timestamp(now)));
                }
                match what {
                    0 => world.unseen(now, told("a", "disk")),
                    1 => world.unseen(now, lifted("a")),
                    2 => world.unseen(now, told("a", "draining: SIGTERM")),
                    _ => {
                        let run = run(now, "a", status);
                        world.follower.note(&run);
                        runs.push((now, world.follower.admit(run).is_some()));
                        world.unseen(now, says("a", status));
                    }
                }
                hear(world.follower.observe(Timestamp(now), Arc::new(world.state.clone())));
            }
            for (at, counted) in runs {
                let state = states.iter().rev().find(|(from, _)| *from <= at).unwrap().1;
                prop_assert_eq!(counted, state.is_tested(), "at {} in {:?}", at, states);
            }
        }
    }
}
