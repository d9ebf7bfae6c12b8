use wharf_catalog::{Check, CheckStatusOnPut, Command, Instance, Node, Status, apply::apply};

use super::*;

mod deploys;
mod figures;
mod windows;

const RULES: Rules =
    Rules { min_healthy: 1, grace: Duration::from_millis(30), forget_after: Duration::from_millis(1_000) };

/// A catalog and whoever follows it.
struct World {
    state: State,
    follower: Follower,
    /// Every transition of the service `web`.
    heard: Vec<(i64, ServiceState, bool)>,
    reason: String,
}

impl World {
    fn new() -> Self {
        Self::restored([])
    }

    fn restored<const N: usize>(restored: [Restored; N]) -> Self {
        let mut world = Self::unseen_yet(restored);
        world.look(0);
        world
    }

    /// Nobody has looked since the process began.
    fn unseen_yet<const N: usize>(restored: [Restored; N]) -> Self {
        let follower = Follower::new(RULES, Timestamp(0), restored);
        let mut world = Self { state: State::default(), follower, heard: Vec::new(), reason: String::new() };
        world.unseen(0, vec![Command::PutNode(Node::new("n", "127.0.0.1"))]);
        world
    }

    /// Commits at `now` without anybody looking.
    fn unseen(&mut self, now: i64, commands: Vec<Command>) {
        let index = self.state.index().next();
        self.state = apply(&self.state, index, Timestamp(now), &commands).unwrap().state;
    }

    fn commit(&mut self, now: i64, commands: Vec<Command>) {
        self.unseen(now, commands);
        self.look(now);
    }

    fn look(&mut self, now: i64) {
        let transitions = self.follower.observe(Timestamp(now), Arc::new(self.state.clone()));
        self.hear(transitions);
    }

    fn advance(&mut self, now: i64) {
        let transitions = self.follower.advance(Timestamp(now));
        self.hear(transitions);
    }

    fn hear(&mut self, transitions: Vec<Transition>) {
        for transition in transitions {
            if transition.subject == Subject::Service("web".into()) {
                self.heard.push((transition.from.0, transition.state, transition.over));
                self.reason = transition.reason;
            }
        }
    }

    fn fails(&mut self, at: i64, id: &str) {
        self.outcome(at, id, Critical);
    }

    fn outcome(&mut self, at: i64, id: &str, status: Status) {
        self.follower.note(&run(at, id, status));
    }

    /// A run of the check of `id`, as it counts.
    fn admitted(&self, at: i64, id: &str, status: Status) -> Option<Status> {
        self.follower.admit(run(at, id, status)).map(|outcome| outcome.status)
    }

    fn last(&self) -> (i64, ServiceState, bool) {
        *self.heard.last().unwrap()
    }
}

fn run(at: i64, id: &str, status: Status) -> Outcome {
    Outcome {
        node: "n".into(),
        check: format!("c-{id}").into(),
        instance: Some(id.into()),
        service: "web".into(),
        status,
        at: Timestamp(at),
        response_time: None,
        output: "".into(),
    }
}

fn instance(id: &str) -> Command {
    Command::PutInstance(Instance { port: 80, ..Instance::new("n", id, "web") })
}

/// An instance with a check `c-<id>` in this status.
fn registered(id: &str, status: Status) -> Vec<Command> {
    let check = Check { instance: Some(id.into()), status, ..Check::new("n", format!("c-{id}"), "check") };
    vec![instance(id), Command::PutCheck(check, CheckStatusOnPut::Set)]
}

fn says(id: &str, status: Status) -> Vec<Command> {
    let output = format!("{status}\nsecond line");
    vec![Command::SetCheckStatus { node: "n".into(), check: format!("c-{id}").into(), status, output }]
}

fn told(id: &str, notes: &str) -> Vec<Command> {
    let check = Check::maintenance(&"n".into(), &id.into(), notes);
    vec![Command::PutCheck(check, CheckStatusOnPut::Set)]
}

fn lifted(id: &str) -> Vec<Command> {
    vec![Command::DeleteCheck("n".into(), wharf_catalog::check::service_maintenance_id(id).into())]
}

fn removed(id: &str) -> Vec<Command> {
    vec![Command::DeleteInstance("n".into(), id.into())]
}

use ServiceState::{Down, Paused, Starting, Unmonitored, Up};
use Status::{Critical, Passing, Warning};

#[test]
fn a_service_goes_down_and_comes_back_at_the_times_the_catalog_gives() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.unseen(20, says("a", Critical));
    world.look(25);
    assert_eq!(world.reason, "instance `a`: check `c-a` is critical: critical");
    world.unseen(40, says("a", Passing));
    world.look(47);
    assert_eq!(world.heard, [(10, Up, false), (20, Down, false), (40, Up, false)]);
}

#[test]
fn an_outage_begins_with_the_first_failure_in_a_row_whatever_the_threshold() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.fails(20, "a");
    world.outcome(30, "a", Passing);
    world.fails(40, "a");
    world.fails(50, "a");
    world.commit(60, says("a", Critical));
    assert_eq!(world.last(), (40, Down, false));
}

#[test]
fn a_service_is_down_when_its_last_instance_fails_and_not_before() {
    let mut world = World::new();
    world.commit(10, [registered("a", Passing), registered("b", Passing)].concat());
    world.commit(20, says("a", Critical));
    assert_eq!(world.last(), (10, Up, false));
    world.commit(30, says("b", Warning));
    assert_eq!(world.last(), (30, Down, false), "no request reaches an instance that warns");
    world.commit(40, says("a", Passing));
    assert_eq!(world.last(), (40, Up, false));
}

#[test]
fn a_new_service_is_starting_and_then_up() {
    let mut world = World::new();
    world.commit(10, registered("a", Critical));
    world.commit(35, says("a", Passing));
    world.advance(100);
    assert_eq!(world.heard, [(10, Starting, false), (35, Up, false)]);
}

#[test]
fn a_service_that_never_passes_is_down_since_it_was_registered_once_the_grace_is_over() {
    let mut world = World::new();
    world.commit(10, registered("a", Critical));
    assert_eq!(world.follower.next_deadline(), Some(Timestamp(40)));
    world.advance(39);
    assert_eq!(world.last(), (10, Starting, false));
    world.advance(40);
    assert_eq!(world.last(), (10, Down, false));
    assert_eq!(world.follower.next_deadline(), None);
}

#[test]
fn maintenance_pauses_and_what_follows_begins_when_it_is_lifted() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, told("a", "new disk"));
    assert_eq!((world.last(), &*world.reason), ((20, Paused, false), "instance `a`: new disk"));
    world.commit(30, says("a", Critical));
    world.commit(50, lifted("a"));
    assert_eq!(world.last(), (50, Down, false), "not since 30: that was within the maintenance");
}

#[test]
fn a_stopped_container_ends_its_service_and_is_not_missed() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, told("a", "draining: container got SIGTERM"));
    assert_eq!(world.last(), (20, Unmonitored, false));
    world.commit(30, removed("a"));
    assert_eq!(world.last(), (30, Unmonitored, true));
    world.commit(50, registered("a", Passing));
    assert_eq!(world.last(), (50, Up, false));
}

#[test]
fn a_stop_that_loses_patience_and_kills_is_still_a_stop() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, told("a", "draining: container got SIGTERM"));
    world.commit(25, told("a", "draining: container got SIGKILL"));
    world.commit(30, removed("a"));
    assert!(!world.heard.iter().any(|heard| heard.1 == Down), "{:?}", world.heard);
}

#[test]
fn a_killed_container_leaves_its_service_down_until_an_instance_passes() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, told("a", "draining: container got SIGKILL"));
    world.commit(22, removed("a"));
    assert_eq!(world.last(), (20, Down, false));
    world.commit(30, registered("b", Critical));
    assert_eq!(world.last(), (20, Down, false), "a new one that does not pass yet is no cure");
    world.commit(40, says("b", Passing));
    assert_eq!(world.last(), (40, Up, false));
}

#[test]
fn a_crash_without_a_word_is_an_outage_and_is_forgotten_at_exactly_the_deadline() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, removed("a"));
    assert_eq!(world.last(), (20, Down, false));
    assert_eq!(world.reason, "instance `a` was removed while passing, without being drained");
    world.advance(1_019);
    assert_eq!(world.last(), (20, Down, false));
    world.advance(1_020);
    assert_eq!(world.last(), (1_020, Unmonitored, true));
    assert!(world.follower.services.is_empty(), "nothing is remembered of it");
}

#[test]
fn an_instance_that_is_withdrawn_over_the_api_has_ended() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, vec![Command::WithdrawInstance("n".into(), "a".into())]);
    assert_eq!(world.last(), (20, Unmonitored, true));
}

#[test]
fn a_stop_is_a_stop_also_for_who_looks_only_when_all_is_over() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.unseen(20, told("a", "draining: container got SIGTERM"));
    world.unseen(21, removed("a"));
    world.look(22);
    assert_eq!(world.last(), (22, Unmonitored, true));
}

#[test]
fn a_kill_is_a_kill_also_for_who_looks_only_when_all_is_over() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.unseen(20, told("a", "draining: container got SIGKILL"));
    world.unseen(21, removed("a"));
    world.look(22);
    assert_eq!(world.last(), (22, Down, false));
}

#[test]
fn a_service_removed_because_it_was_critical_stays_down_since_its_first_failure() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, says("a", Critical));
    world.commit(90, removed("a"));
    assert_eq!(world.heard, [(10, Up, false), (20, Down, false)]);
}

#[test]
fn a_killed_instance_among_others_is_not_missed_once_the_service_was_up_without_it() {
    let mut world = World::new();
    world.commit(10, [registered("a", Passing), registered("b", Passing)].concat());
    world.commit(20, removed("a"));
    world.commit(30, told("b", "draining: container got SIGTERM"));
    world.commit(40, removed("b"));
    assert_eq!(world.heard, [(10, Up, false), (30, Unmonitored, false), (40, Unmonitored, true)]);
}

#[test]
fn an_instance_that_moves_to_another_service_has_not_died() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, vec![Command::PutInstance(Instance::new("n", "a", "renamed"))]);
    assert_eq!(world.last(), (20, Unmonitored, true));
}

#[test]
fn a_deploy_that_replaces_the_only_instance_is_no_outage() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, told("a", "draining: container got SIGTERM"));
    world.commit(22, registered("b", Critical));
    world.commit(25, removed("a"));
    world.commit(40, says("b", Passing));
    assert_eq!(
        world.heard,
        [(10, Up, false), (20, Unmonitored, false), (22, Starting, false), (40, Up, false)]
    );
}

#[test]
fn after_a_restart_nothing_is_claimed_of_the_time_before() {
    let restored = Restored { service: "web".into(), gap: Timestamp(-500), down: None };
    let mut world = World::restored([restored]);
    let mut old = Follower::new(RULES, Timestamp(0), []);
    world.unseen(-900, registered("a", Passing));
    let seen_first = old.observe(Timestamp(5), Arc::new(world.state.clone()));
    assert_eq!(seen_first.iter().map(|t| t.from.0).collect::<Vec<_>>(), [0, 0], "not since -900");
    world.look(5);
    assert_eq!(world.last().1, Up);
    assert!(world.last().0 >= 0);
}

#[test]
fn a_service_that_was_down_before_the_restart_and_is_absent_is_still_missed() {
    let restored = Restored { service: "web".into(), gap: Timestamp(-500), down: Some("refused".to_owned()) };
    let mut world = World::restored([restored]);
    assert_eq!((world.last(), &*world.reason), ((0, Down, false), "refused"));
    world.commit(10, registered("a", Critical));
    assert_eq!(world.heard.len(), 1, "no grace: it was down before");
    world.commit(20, says("a", Passing));
    assert_eq!(world.last(), (20, Up, false));
}

#[test]
fn who_comes_back_after_a_restart_takes_the_place_of_who_was_missed_and_reasons_do_not_nest() {
    let mut reason = "refused".to_owned();
    for _ in 0..3 {
        let down = Some(reason.clone());
        let mut world = World::unseen_yet([Restored { service: "web".into(), gap: Timestamp(-500), down }]);
        world.commit(10, registered("a", Critical));
        assert_eq!(world.reason, "instance `a`: check `c-a` is critical");
        reason.clone_from(&world.reason);
        world.commit(20, says("a", Passing));
        assert_eq!(world.reason, "1 of 1 instance passes");
    }
}

#[test]
fn an_instance_that_died_and_comes_back_is_not_counted_twice() {
    let mut world = World::new();
    world.commit(10, registered("a", Passing));
    world.commit(20, removed("a"));
    world.commit(30, registered("a", Critical));
    assert_eq!(world.heard, [(10, Up, false), (20, Down, false)], "back, but no cure: no grace either");
    world.commit(40, says("a", Passing));
    assert_eq!((world.last(), &*world.reason), ((40, Up, false), "1 of 1 instance passes"));
}

#[test]
fn a_clock_that_steps_back_does_not_turn_intervals_around() {
    let mut world = World::new();
    world.commit(1_000, registered("a", Passing));
    world.commit(1_100, says("a", Critical));
    world.commit(400, says("a", Passing));
    world.commit(500, says("a", Critical));
    world.commit(1_300, says("a", Passing));
    assert_eq!(world.last(), (1_300, Up, false));
    assert!(world.heard.is_sorted_by_key(|heard| heard.0), "{:?}", world.heard);
}

#[test]
fn checks_have_their_own_transitions_and_maintenance_checks_none() {
    let mut world = World::new();
    let node_check = Check { status: Passing, ..Check::new("n", "disk", "disk") };
    world.unseen(10, vec![Command::PutCheck(node_check, CheckStatusOnPut::Set)]);
    world.unseen(10, registered("a", Passing));
    world.unseen(12, told("a", "new disk"));
    let heard = world.follower.observe(Timestamp(15), Arc::new(world.state.clone()));
    let checks: Vec<_> = heard
        .iter()
        .filter_map(|t| match &t.subject {
            Subject::Check((_, id)) => Some((&**id, t.from.0, t.state)),
            Subject::Service(_) => None,
        })
        .collect();
    assert_eq!(checks, [("c-a", 12, Paused), ("disk", 10, Up)]);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn commands() -> impl Strategy<Value = Vec<Command>> {
        let id = prop::sample::select(vec!["a", "b"]);
        let status = prop::sample::select(vec![Passing, Warning, Critical]);
        let note = prop::sample::select(vec!["disk", "draining: SIGTERM", "draining: SIGKILL"]);
        (id, status, note, 0..6).prop_map(|(id, status, note, what)| match what {
            0 | 1 => registered(id, status),
            2 => told(id, note),
            3 => lifted(id),
            4 => removed(id),
            _ => says(id, status),
        })
    }

    proptest! {
        /// Whatever happens: transitions of a subject never go back in time, never repeat a state that is
        /// tested, and a service with a passing instance is up.
        #[test]
        fn transitions_are_in_order_and_agree_with_the_catalog(
            steps in prop::collection::vec((commands(), -40_i64..60, any::<bool>()), 1..40),
        ) {
            let mut world = World::new();
            let mut now = 0;
            for (commands, step, look) in steps {
                now += step;
                let index = world.state.index().next();
                if let Ok(applied) = apply(&world.state, index, Timestamp(now), &commands) {
                    world.state = applied.state;
                }
                if look {
                    world.look(now);
                    world.advance(now);
                    let passes = world.state.service_health("web").any(|h| h.health().takes_traffic());
                    let up = world.heard.last().is_some_and(|heard| heard.1 == Up);
                    prop_assert_eq!(passes, up);
                }
            }
            for pair in world.heard.windows(2) {
                // What comes after the end of a service is the ledger's to keep in order.
                prop_assert!(pair[0].0 <= pair[1].0 || pair[0].2, "{:?}", pair);
                prop_assert!(pair[0].1 != pair[1].1 || pair[1].1 == Unmonitored, "{:?}", pair);
            }
        }
    }
}

fn windows(text: &str) -> Windows {
    Windows::new([&serde_json::from_str(text).unwrap()]).unwrap()
}

/// As [`registered`], but without a port.
fn looked_at(id: &str, status: Status) -> Vec<Command> {
    let mut commands = registered(id, status);
    commands[0] = Command::PutInstance(Instance::new("n", id, "web"));
    commands
}

#[test]
fn a_service_says_how_many_of_its_instances_have_to_pass_and_the_largest_number_holds() {
    let asks = |id: &str, number: &str| {
        let meta = [("min_healthy".to_owned(), number.to_owned())].into();
        let instance = Instance { port: 80, meta, ..Instance::new("n", id, "web") };
        [vec![Command::PutInstance(instance)], registered(id, Passing).split_off(1)].concat()
    };
    let mut world = World::new();
    world.commit(10, [asks("a", "2"), asks("b", "nonsense"), registered("c", Passing)].concat());
    world.commit(20, says("a", Critical));
    assert_eq!(world.last(), (10, Up, false), "two still pass");
    world.commit(30, says("b", Critical));
    assert_eq!(world.last(), (30, Down, false));
    world.commit(40, asks("c", "1"));
    assert_eq!(world.last(), (30, Down, false), "the largest number holds");
    world.commit(50, asks("a", ""));
    assert_eq!(world.last(), (50, Up, false));
}

#[test]
fn what_the_settings_ask_of_all_is_not_asked_of_what_is_outside() {
    let rules = Rules { min_healthy: 2, ..RULES };
    let single = |commands: Vec<Command>| {
        let mut world = World::new();
        world.follower = Follower::new(rules, Timestamp(0), []);
        world.commit(10, commands);
        world.last().1
    };
    assert_eq!(single(looked_at("a", Passing)), Up);
    assert_eq!(single(registered("a", Passing)), Down);
    let outside =
        Node { meta: [("external-node".to_owned(), "true".to_owned())].into(), ..Node::new("n", "::1") };
    assert_eq!(single([vec![Command::PutNode(outside)], registered("a", Passing)].concat()), Up);
}
