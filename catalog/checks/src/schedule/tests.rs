use std::time::Duration;

use proptest::prelude::*;
use wharf_catalog::{
    CheckStatusOnPut, Index, Instance, Node, Probe, ProbeKind,
    apply::{Applied, apply},
};

use super::*;

const START: Timestamp = Timestamp(1_700_000_000_000);

fn at(millis: u64) -> Timestamp {
    START.after(Duration::from_millis(millis))
}

/// A catalog of one node and one instance, and a scheduler that follows it.
struct World {
    state: State,
    scheduler: Scheduler,
}

impl World {
    fn new() -> Self {
        let mut world = Self { state: State::default(), scheduler: Scheduler::new("n1".into()) };
        world.apply(0, Command::PutNode(Node::new("n1", "127.0.0.1")));
        world.apply(0, Command::PutInstance(Instance::new("n1", "web-1", "web")));
        world.scheduler.sync(START, &world.state);
        world
    }

    fn apply(&mut self, millis: u64, command: Command) {
        let index = self.state.index().next();
        let Applied { state, .. } = apply(&self.state, index, at(millis), &[command]).unwrap();
        self.state = state;
    }

    fn register(&mut self, millis: u64, check: Check) {
        self.apply(millis, Command::PutCheck(check, CheckStatusOnPut::Keep));
        self.scheduler.sync(at(millis), &self.state);
    }

    /// Ends a run with `status`, and carries out what follows as the runner does.
    fn finish(&mut self, millis: u64, run: &Run, status: Status, output: &str) -> Vec<Effect> {
        let answer = Answer { status, output: output.to_owned(), response_time: None };
        let effects = self.scheduler.finished(at(millis), run, answer);
        self.commit(millis, &effects);
        effects
    }

    fn commit(&mut self, millis: u64, effects: &[Effect]) {
        for commit in commits(effects) {
            self.apply(millis, commit.command.clone());
            self.scheduler.settled(at(millis), &commit.check, commit.number, true);
            self.scheduler.sync(at(millis), &self.state);
        }
    }

    /// Runs every probe with `status` as soon as it is due, until `end`; gives the times they started.
    fn run_until(&mut self, end: u64, status: Status) -> Vec<u64> {
        let mut started = Vec::new();
        while let Some(due) = self.scheduler.next_probe().filter(|due| *due < at(end)) {
            let millis = due.0.abs_diff(START.0);
            let run = self.scheduler.start(due).unwrap();
            self.finish(millis, &run, status, "out");
            started.push(millis);
        }
        started
    }

    fn expire(&mut self, now: Timestamp) -> Vec<Effect> {
        self.scheduler.expire(now, now, &self.state)
    }

    /// A process that has just begun to follow the same catalog.
    fn restart(&mut self, millis: u64) {
        self.scheduler = Scheduler::new("n1".into());
        self.scheduler.sync(at(millis), &self.state);
    }

    /// A report and its lease, as the way in for reports commits them.
    fn report(&mut self, millis: u64, ttl: u64, status: Status, output: &str) {
        let (node, check): (Arc<str>, Arc<str>) = ("n1".into(), "c".into());
        let told = Told { status, output: output.to_owned() };
        self.scheduler.reported(at(millis), &check, told);
        let output = output.to_owned();
        self.apply(
            millis,
            Command::SetCheckStatus { node: node.clone(), check: check.clone(), status, output },
        );
        self.apply(millis, Command::RenewCheck(node, check, at(millis + ttl)));
        self.scheduler.sync(at(millis), &self.state);
    }

    fn status(&self) -> Status {
        self.state.check("n1", "c").unwrap().status
    }
}

fn commits(effects: &[Effect]) -> Vec<Commit> {
    let commits = effects.iter().filter_map(|effect| match effect {
        Effect::Commit(commit) => Some(commit.clone()),
        Effect::Record(..) => None,
    });
    commits.collect()
}

fn records(effects: &[Effect]) -> usize {
    effects.len() - commits(effects).len()
}

fn check(kind: ProbeKind, edit: impl FnOnce(&mut Probe)) -> Check {
    let mut probe = Probe::new(kind);
    edit(&mut probe);
    Check { instance: Some("web-1".into()), probe: Some(probe), ..Check::new("n1", "c", "a check") }
}

fn tcp(edit: impl FnOnce(&mut Probe)) -> Check {
    let address = "127.0.0.1:80".to_owned();
    check(ProbeKind::Tcp { address }, edit)
}

fn ttl(millis: u64) -> Check {
    let ttl = Duration::from_millis(millis);
    check(ProbeKind::Ttl { ttl }, |_| {})
}

#[test]
fn a_new_check_is_run_at_once() {
    let mut world = World::new();
    world.register(100, tcp(|_| {}));
    assert_eq!(world.scheduler.next_probe(), Some(at(100)));
    let run = world.scheduler.start(at(100)).unwrap();
    assert_eq!(&*run.check.id, "c");
    assert!(world.scheduler.start(at(100_000)).is_none(), "one run at a time");
}

#[test]
fn a_check_that_never_passed_is_retried_fast_for_ten_seconds_and_then_at_its_interval() {
    let mut world = World::new();
    world.register(0, tcp(|_| {}));
    let started = world.run_until(40_000, Status::Critical);
    assert_eq!(started[..7], [0, 5, 15, 35, 75, 155, 255]);
    let (young, old): (Vec<u64>, Vec<u64>) = started.iter().partition(|&&t| t < 10_000);
    assert!((100..=106).contains(&young.len()), "{}", young.len());
    assert!((3..=5).contains(&old.len()), "{old:?}");
}

#[test]
fn fast_retries_end_with_the_first_pass() {
    let mut world = World::new();
    world.register(0, tcp(|_| {}));
    let run = world.scheduler.start(at(0)).unwrap();
    world.finish(1, &run, Status::Critical, "refused");
    let run = world.scheduler.start(at(6)).unwrap();
    world.finish(7, &run, Status::Passing, "ok");
    assert_eq!(world.status(), Status::Passing);
    assert!(world.scheduler.next_probe() >= Some(at(1_000)), "repeats follow the interval");
    let later = world.scheduler.next_probe().unwrap();
    let run = world.scheduler.start(later).unwrap();
    let after = later.since(START).as_millis() as u64;
    world.finish(after, &run, Status::Critical, "refused");
    assert!(world.scheduler.next_probe().unwrap().since(later) > Duration::from_secs(9));
}

#[test]
fn a_check_known_to_fail_for_long_is_not_hammered_after_a_restart() {
    let mut world = World::new();
    world.apply(0, Command::PutCheck(tcp(|_| {}), CheckStatusOnPut::Keep));
    let mut restarted = Scheduler::new("n1".into());
    restarted.sync(at(60_000), &world.state);
    world.scheduler = restarted;
    let started = world.run_until(70_000, Status::Critical);
    assert_eq!(started[0], 60_000, "but it is looked at right away");
    assert!(started.len() <= 2, "{started:?}");
}

#[test]
fn thresholds_hold_a_status_until_enough_runs_in_a_row_say_otherwise() {
    let mut world = World::new();
    world.register(
        0,
        tcp(|probe| {
            probe.successes_before_passing = 2;
            probe.failures_before_critical = 3;
        }),
    );
    let mut now = 0;
    let mut step = |world: &mut World, status| {
        now = world.scheduler.next_probe().unwrap().since(START).as_millis() as u64;
        let run = world.scheduler.start(at(now)).unwrap();
        world.finish(now, &run, status, "out");
        world.status()
    };
    let (passing, critical) = (Status::Passing, Status::Critical);
    assert_eq!(step(&mut world, passing), critical);
    assert_eq!(step(&mut world, passing), passing);
    assert_eq!(step(&mut world, critical), passing);
    assert_eq!(step(&mut world, critical), passing);
    assert_eq!(step(&mut world, passing), passing);
    assert_eq!(step(&mut world, critical), passing);
    assert_eq!(step(&mut world, critical), passing);
    assert_eq!(step(&mut world, critical), critical);
}

#[test]
fn a_changed_output_alone_is_committed_once_a_minute_and_may_wait_for_company() {
    let mut world = World::new();
    world.register(0, tcp(|probe| probe.interval = Duration::from_secs(1)));
    let mut committed = Vec::new();
    for n in 0..130 {
        let due = world.scheduler.next_probe().unwrap();
        let millis = due.since(START).as_millis() as u64;
        let run = world.scheduler.start(due).unwrap();
        let effects = world.finish(millis, &run, Status::Passing, &format!("run {n}"));
        committed.extend(commits(&effects).into_iter().map(|commit| (millis, commit.urgent)));
    }
    assert_eq!(committed.len(), 3, "{committed:?}");
    assert_eq!(committed.iter().map(|c| c.1).collect::<Vec<_>>(), [true, false, false]);
    assert!(committed[1].0 - committed[0].0 >= 60_000);
}

#[test]
fn young_failures_are_recorded_once_per_interval_and_everything_later_always() {
    let mut world = World::new();
    world.register(0, tcp(|probe| probe.interval = Duration::from_secs(2)));
    let mut recorded = 0;
    while let Some(due) = world.scheduler.next_probe().filter(|due| *due < at(9_000)) {
        let run = world.scheduler.start(due).unwrap();
        let millis = due.since(START).as_millis() as u64;
        recorded += records(&world.finish(millis, &run, Status::Critical, "refused"));
    }
    assert_eq!(recorded, 5);
    for _ in 0..3 {
        let due = world.scheduler.next_probe().unwrap();
        let run = world.scheduler.start(due).unwrap();
        let millis = due.since(START).as_millis() as u64;
        assert_eq!(records(&world.finish(millis, &run, Status::Passing, "ok")), 1);
    }
}

#[test]
fn silence_longer_than_the_ttl_is_critical_and_a_report_starts_it_anew() {
    let mut world = World::new();
    world.register(0, ttl(1_000));
    assert!(world.scheduler.start(at(0)).is_none(), "nothing is probed");
    let told = Told { status: Status::Passing, output: "fine".to_owned() };
    world.apply(
        900,
        Command::SetCheckStatus {
            node: "n1".into(),
            check: "c".into(),
            status: Status::Passing,
            output: "fine".to_owned(),
        },
    );
    world.scheduler.reported(at(900), &"c".into(), told);
    world.scheduler.sync(at(900), &world.state);
    assert_eq!(world.expire(at(1_899)), []);
    let effects = world.expire(at(1_900));
    assert_eq!((commits(&effects).len(), records(&effects)), (1, 1));
    world.commit(1_900, &effects);
    let check = world.state.check("n1", "c").unwrap();
    assert_eq!(check.status, Status::Critical);
    assert_eq!(check.output, "TTL expired (last output before timeout follows): fine");
    assert_eq!(world.scheduler.next_deadline(), None, "expired is expired");
}

#[test]
fn a_report_that_crosses_an_expiry_on_its_way_to_the_catalog_wins() {
    let mut world = World::new();
    world.register(0, ttl(1_000));
    world.apply(
        0,
        Command::SetCheckStatus {
            node: "n1".into(),
            check: "c".into(),
            status: Status::Passing,
            output: String::new(),
        },
    );
    world.scheduler.sync(at(0), &world.state);
    let expiry = commits(&world.expire(at(1_000)));
    let told = Told { status: Status::Passing, output: "fine".to_owned() };
    world.scheduler.reported(at(1_001), &"c".into(), told);
    let again = world.scheduler.settled(at(1_002), &"c".into(), expiry[0].number, true);
    let Some(Effect::Commit(commit)) = again else { panic!("{again:?}") };
    world.apply(1_002, commit.command);
    assert_eq!(world.status(), Status::Passing);
    assert_eq!(world.scheduler.next_deadline(), Some(at(2_001)));
}

#[test]
fn an_expiry_the_store_refused_is_tried_again() {
    let mut world = World::new();
    let passing = Check { status: Status::Passing, ..ttl(1_000) };
    world.register(0, passing);
    let first = commits(&world.expire(at(1_000)));
    assert_eq!(world.scheduler.settled(at(1_001), &"c".into(), first[0].number, false), None);
    assert_eq!(commits(&world.expire(at(2_001))).len(), 1);
}

#[test]
fn an_instance_critical_for_too_long_is_deregistered_and_not_before() {
    let mut world = World::new();
    world.register(0, tcp(|probe| probe.deregister_after = Some(Duration::from_secs(60))));
    world.run_until(59_999, Status::Critical);
    assert_eq!(world.expire(at(59_999)), []);
    let effects = world.expire(at(60_000));
    let wanted = Command::DeleteInstance("n1".into(), "web-1".into());
    assert_eq!(commits(&effects)[0].command, wanted);
    world.apply(60_000, wanted);
    world.scheduler.sync(at(60_001), &world.state);
    assert_eq!((world.scheduler.next_probe(), world.scheduler.next_deadline()), (None, None));
}

#[test]
fn a_pass_in_between_stops_the_countdown_to_deregistration() {
    let mut world = World::new();
    world.register(0, tcp(|probe| probe.deregister_after = Some(Duration::from_secs(60))));
    world.run_until(30_000, Status::Critical);
    world.run_until(50_000, Status::Passing);
    assert_eq!(world.scheduler.next_deadline(), None);
    world.run_until(70_000, Status::Critical);
    assert!(world.scheduler.next_deadline() > Some(at(100_000)));
}

#[test]
fn the_same_registration_again_runs_nothing_and_another_probe_runs_at_once() {
    let mut world = World::new();
    world.register(0, tcp(|_| {}));
    let run = world.scheduler.start(at(0)).unwrap();
    world.finish(1, &run, Status::Passing, "ok");
    let due = world.scheduler.next_probe();
    world.register(50, tcp(|_| {}));
    assert_eq!(world.scheduler.next_probe(), due);
    world.register(60, tcp(|probe| probe.timeout = Duration::from_secs(3)));
    assert_eq!(world.scheduler.next_probe(), Some(at(60)));
}

#[test]
fn what_ran_for_an_older_definition_counts_for_nothing() {
    let mut world = World::new();
    world.register(0, tcp(|_| {}));
    let old = world.scheduler.start(at(0)).unwrap();
    world.register(10, tcp(|probe| probe.timeout = Duration::from_secs(3)));
    assert_eq!(world.finish(20, &old, Status::Passing, "ok"), []);
    assert_eq!(world.status(), Status::Critical);
}

#[test]
fn a_check_deregistered_while_it_runs_is_forgotten() {
    let mut world = World::new();
    world.register(0, tcp(|_| {}));
    let run = world.scheduler.start(at(0)).unwrap();
    world.apply(1, Command::DeleteCheck("n1".into(), "c".into()));
    world.scheduler.sync(at(1), &world.state);
    assert_eq!(world.finish(2, &run, Status::Passing, "ok"), []);
    assert_eq!(world.scheduler.next_probe(), None);
}

#[test]
fn checks_of_other_nodes_and_checks_without_a_probe_are_left_alone() {
    let mut world = World::new();
    world.apply(0, Command::PutNode(Node::new("n2", "127.0.0.2")));
    let elsewhere = Check { node: "n2".into(), instance: None, ..tcp(|_| {}) };
    world.register(0, elsewhere);
    world.register(0, Check { probe: None, ..tcp(|_| {}) });
    assert_eq!(world.scheduler.next_probe(), None);
    assert_eq!(world.state.index(), Index(5));
}

#[test]
fn a_check_warns_before_it_is_critical_where_that_was_asked_for() {
    let mut world = World::new();
    let mut definition = tcp(|probe| {
        probe.failures_before_warning = 2;
        probe.failures_before_critical = 4;
    });
    definition.status = Status::Passing;
    world.register(0, definition);
    let mut step = |status| {
        let due = world.scheduler.next_probe().unwrap();
        let run = world.scheduler.start(due).unwrap();
        world.finish(due.since(START).as_millis() as u64, &run, status, "out");
        world.status()
    };
    let (passing, warning, critical) = (Status::Passing, Status::Warning, Status::Critical);
    assert_eq!([(); 5].map(|()| step(critical)), [passing, warning, warning, critical, critical]);
    assert_eq!(step(passing), passing);
    assert_eq!(step(critical), passing, "counted from the start again");
}

#[test]
fn a_critical_check_does_not_turn_warning_by_failing_once_more() {
    let mut world = World::new();
    world.register(
        0,
        tcp(|probe| {
            probe.failures_before_warning = 1;
            probe.failures_before_critical = 3;
        }),
    );
    let run = world.scheduler.start(at(0)).unwrap();
    assert_eq!(commits(&world.finish(1, &run, Status::Critical, "refused")), []);
    assert_eq!(world.status(), Status::Critical);
}

#[test]
fn what_an_app_does_not_answer_in_its_first_two_seconds_is_not_committed() {
    let mut world = World::new();
    world.register(0, tcp(|_| {}));
    world.run_until(1_999, Status::Critical);
    assert_eq!(world.state.check("n1", "c").unwrap().output, "");
    world.run_until(2_200, Status::Critical);
    assert_eq!(world.state.check("n1", "c").unwrap().output, "out");
}

#[test]
fn young_checks_that_run_commands_are_retried_once_a_second() {
    let mut world = World::new();
    world.register(0, check(ProbeKind::Script { args: vec!["false".to_owned()] }, |_| {}));
    assert_eq!(world.run_until(3_500, Status::Critical), [0, 1_000, 2_000, 3_000]);
}

#[test]
fn an_expiry_tells_what_was_reported_last() {
    let mut world = World::new();
    world.register(0, ttl(1_000));
    world.report(100, 1_000, Status::Passing, "disk 80 % full");
    let expired = world.expire(at(1_100));
    world.commit(1_100, &expired);
    let words = "TTL expired (last output before timeout follows): disk 80 % full";
    assert_eq!(world.state.check("n1", "c").unwrap().output, words);
}

#[test]
fn a_report_holds_for_the_time_it_had_left_when_everything_restarts() {
    let mut world = World::new();
    world.register(0, ttl(10_000));
    world.report(5_000, 10_000, Status::Passing, "fine");
    world.restart(12_000);
    assert_eq!(world.scheduler.next_deadline(), Some(at(15_000)));
    assert_eq!(world.expire(at(14_999)), []);
    let expired = world.expire(at(15_000));
    world.commit(15_000, &expired);
    assert_eq!(world.status(), Status::Critical);
    world.restart(16_000);
    assert_eq!(world.scheduler.next_deadline(), None, "it does not expire twice");
}

#[test]
fn a_ttl_check_that_nobody_reported_for_has_its_time_from_the_registration() {
    let mut world = World::new();
    world.register(0, Check { status: Status::Passing, ..ttl(10_000) });
    world.restart(4_000);
    assert_eq!(world.scheduler.next_deadline(), Some(at(10_000)));
    world.restart(20_000);
    assert_eq!(world.scheduler.next_deadline(), Some(at(20_000)));
}

#[test]
fn a_clock_set_back_makes_no_report_hold_longer_than_its_ttl() {
    let mut world = World::new();
    world.register(0, ttl(10_000));
    world.report(3_600_000, 10_000, Status::Passing, "fine");
    world.restart(0);
    assert_eq!(world.scheduler.next_deadline(), Some(at(10_000)));
}

#[test]
fn a_lease_somebody_else_renewed_puts_the_expiry_off() {
    let mut world = World::new();
    world.register(0, Check { status: Status::Passing, ..ttl(10_000) });
    world.apply(8_000, Command::RenewCheck("n1".into(), "c".into(), at(18_000)));
    assert_eq!(world.expire(at(10_000)), []);
    assert_eq!(world.scheduler.next_deadline(), Some(at(18_000)));
    assert_eq!(commits(&world.expire(at(18_000))).len(), 1);
}

#[test]
fn the_countdown_to_deregistration_goes_on_over_a_restart_once_the_check_was_asked_again() {
    let mut world = World::new();
    world.register(
        0,
        tcp(|probe| {
            probe.deregister_after = Some(Duration::from_secs(60));
            probe.timeout = Duration::from_secs(3);
        }),
    );
    world.run_until(20_000, Status::Critical);
    world.restart(30_000);
    assert_eq!(world.scheduler.next_deadline(), Some(at(60_000)));
    world.restart(90_000);
    assert_eq!(world.scheduler.next_deadline(), Some(at(93_000)), "down for long: one more chance");
    world.run_until(90_001, Status::Passing);
    assert_eq!(world.scheduler.next_deadline(), None);
}

fn alias_of(service: &str) -> Check {
    let kind = ProbeKind::Alias { node: None, service: Some(service.into()) };
    Check { id: "alias".into(), ..check(kind, |_| {}) }
}

#[test]
fn an_alias_follows_without_being_probed() {
    let mut world = World::new();
    world.apply(0, Command::PutInstance(Instance::new("n1", "db-1", "db")));
    world.apply(0, Command::PutCheck(alias_of("db-1"), CheckStatusOnPut::Keep));
    let told = world.scheduler.sync(at(0), &world.state);
    assert_eq!((commits(&told).len(), records(&told)), (1, 1));
    world.commit(0, &told);
    assert_eq!(world.scheduler.next_probe(), None);
    assert!(world.scheduler.follows_others());
    assert_eq!(world.state.check("n1", "alias").unwrap().output, "No checks found.");
    assert_eq!(world.scheduler.sync(at(1), &world.state), [], "nothing new, nothing said");

    let failing = Check { instance: Some("db-1".into()), output: "down".to_owned(), ..ttl(1_000) };
    world.apply(2, Command::PutCheck(failing, CheckStatusOnPut::Keep));
    let told = world.scheduler.sync(at(2), &world.state);
    assert_eq!(world.scheduler.sync(at(3), &world.state), [], "it is on its way");
    world.commit(4, &told);
    let alias = world.state.check("n1", "alias").unwrap();
    assert_eq!((alias.status, &*alias.output), (Status::Critical, "Aliased check \"a check\" failing: down"));

    world.apply(5, Command::DeleteCheck("n1".into(), "alias".into()));
    world.scheduler.sync(at(5), &world.state);
    assert!(!world.scheduler.follows_others());
}

#[test]
fn what_an_alias_could_not_commit_is_tried_again_a_second_later_and_not_sooner() {
    let mut world = World::new();
    world.apply(0, Command::PutCheck(alias_of("db-1"), CheckStatusOnPut::Keep));
    let told = commits(&world.scheduler.sync(at(0), &world.state));
    world.scheduler.settled(at(1), &"alias".into(), told[0].number, false);
    assert_eq!(world.scheduler.sync(at(2), &world.state), [], "a full disk is not asked over and over");
    assert_eq!(world.scheduler.next_deadline(), Some(at(1_001)));
    let again = world.expire(at(1_001));
    assert_eq!(commits(&again).len(), 1);
    world.commit(1_002, &again);
    assert_eq!(
        world.state.check("n1", "alias").unwrap().output,
        "Service db-1 could not be found on node n1"
    );
    assert_eq!(world.scheduler.next_deadline(), None);
}

proptest! {
    /// Whatever the answers are: while no commit is refused, the catalog says what the last run said, and a
    /// check is never without a next run.
    #[test]
    fn the_catalog_follows_the_last_run(runs in prop::collection::vec(0_u8..3, 1..60)) {
        let mut world = World::new();
        world.register(0, tcp(|_| {}));
        for run in runs {
            let status = [Status::Passing, Status::Warning, Status::Critical][usize::from(run)];
            let due = world.scheduler.next_probe().expect("always due again");
            let started = world.scheduler.start(due).unwrap();
            world.finish(due.since(START).as_millis() as u64, &started, status, "out");
            prop_assert_eq!(world.status(), status);
        }
    }
}
