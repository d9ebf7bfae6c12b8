use super::*;
use crate::{
    config::Ttl,
    container::{HealthStatus, SwarmTask},
    registration::tests::{config, container},
};

const ID: &str = "0123456789abcdef";

fn fleet() -> Fleet {
    Fleet::new(config(), true)
}

fn event(kind: EventKind) -> ContainerEvent {
    ContainerEvent { container: ID.to_owned(), kind }
}

fn listed(print: &str) -> Vec<Listed> {
    vec![Listed { container: ID.to_owned(), print: print.to_owned() }]
}

fn found(container: Container) -> Answer {
    Answer::Found(Box::new(container))
}

/// A fleet that has listed and inspected the one container.
fn running() -> Fleet {
    let mut fleet = fleet();
    let questions = fleet.list(fleet.turn(), listed("1"));
    fleet.answer(&questions[0], found(container(&[])));
    assert!(fleet.is_complete());
    fleet
}

/// Ids that are desired, and why each is out.
fn desired(fleet: &Fleet) -> Vec<(String, Option<String>)> {
    let (desired, _) = fleet.desired();
    desired.into_iter().map(|(id, d)| (id.to_owned(), d.out.map(str::to_owned))).collect()
}

fn out(fleet: &Fleet) -> Option<String> {
    let desired = desired(fleet);
    assert_eq!(desired.len(), 1);
    desired[0].1.clone()
}

#[tokio::test]
async fn a_stop_signal_drains_at_once_and_the_end_removes() {
    let (mut fleet, now) = (running(), Instant::now());
    assert_eq!(fleet.apply(now, &event(EventKind::Signalled(Signal::TERM))), []);
    assert_eq!(out(&fleet).as_deref(), Some("draining: container got SIGTERM"));
    assert_eq!(fleet.apply(now, &event(EventKind::Ended(Some(0)))), []);
    assert_eq!(desired(&fleet), []);
    assert!(fleet.released().contains("host:app:80"));
}

#[tokio::test]
async fn a_signal_that_asks_for_something_else_changes_nothing() {
    let mut fleet = running();
    fleet.apply(Instant::now(), &event(EventKind::Signalled(Signal(1))));
    assert_eq!(out(&fleet), None);
}

#[tokio::test]
async fn a_container_that_survives_its_stop_signal_takes_traffic_again_at_the_deadline() {
    let (mut fleet, now) = (running(), Instant::now());
    fleet.apply(now, &event(EventKind::Signalled(Signal::TERM)));
    let deadline = now + Duration::from_secs(12);
    assert_eq!(fleet.next_deadline(), Some(deadline));
    fleet.advance(deadline - Duration::from_millis(1));
    assert!(out(&fleet).is_some());
    fleet.advance(deadline);
    assert_eq!((out(&fleet), fleet.next_deadline()), (None, None));
}

#[tokio::test]
async fn a_pause_counts_at_once_and_ends_with_it() {
    let (mut fleet, now) = (running(), Instant::now());
    assert!(fleet.apply(now, &event(EventKind::Paused)).len() == 1);
    assert_eq!(out(&fleet).as_deref(), Some("paused: container is paused"));
    assert!(fleet.apply(now, &event(EventKind::Unpaused)).len() == 1);
    assert_eq!(out(&fleet), None);
}

#[tokio::test]
async fn an_answer_older_than_the_last_event_does_not_count() {
    let (mut fleet, now) = (running(), Instant::now());
    let old = fleet.apply(now, &event(EventKind::Renamed)).remove(0);
    let young = fleet.apply(now, &event(EventKind::Renamed)).remove(0);
    fleet.answer(&old, found(Container { name: "old".to_owned(), ..container(&[]) }));
    assert_eq!(desired(&fleet)[0].0, "host:app:80");
    fleet.answer(&young, found(Container { name: "young".to_owned(), ..container(&[]) }));
    assert_eq!(desired(&fleet)[0].0, "host:young:80");
    assert!(fleet.released().contains("host:app:80"));
}

#[tokio::test]
async fn an_answer_that_comes_after_the_end_does_not_bring_the_container_back() {
    let (mut fleet, now) = (fleet(), Instant::now());
    let question = fleet.apply(now, &event(EventKind::Started)).remove(0);
    fleet.apply(now, &event(EventKind::Ended(Some(0))));
    fleet.answer(&question, found(container(&[])));
    assert_eq!(desired(&fleet), []);
}

#[tokio::test]
async fn a_signal_before_the_first_inspection_is_remembered() {
    let (mut fleet, now) = (fleet(), Instant::now());
    let question = fleet.apply(now, &event(EventKind::Started)).remove(0);
    fleet.apply(now, &event(EventKind::Signalled(Signal::KILL)));
    fleet.answer(&question, found(container(&[])));
    assert_eq!(out(&fleet).as_deref(), Some("draining: container got SIGKILL"));
}

#[test]
fn a_missed_end_is_found_by_the_next_list() {
    let mut fleet = running();
    assert_eq!(fleet.list(fleet.turn(), Vec::new()), []);
    assert_eq!(desired(&fleet), []);
}

#[test]
fn a_missed_change_is_found_by_the_next_list_and_no_change_costs_no_inspection() {
    let mut fleet = running();
    assert_eq!(fleet.list(fleet.turn(), listed("1")), []);
    assert_eq!(fleet.list(fleet.turn(), listed("2")).len(), 1);
}

#[tokio::test]
async fn a_container_that_started_after_a_list_was_asked_for_is_not_removed_by_it() {
    let mut fleet = fleet();
    let asked = fleet.turn();
    let question = fleet.apply(Instant::now(), &event(EventKind::Started)).remove(0);
    fleet.answer(&question, found(container(&[])));
    fleet.list(asked, Vec::new());
    assert_eq!(desired(&fleet).len(), 1);
}

#[test]
fn the_fleet_is_complete_once_every_listed_container_is_inspected() {
    let mut fleet = fleet();
    assert!(!fleet.is_complete());
    let questions = fleet.list(fleet.turn(), listed("1"));
    assert!(!fleet.is_complete());
    fleet.answer(&questions[0], Answer::Unknown);
    assert!(!fleet.is_complete(), "an engine that does not answer must not empty the catalog");
    assert_eq!(fleet.list(fleet.turn(), listed("1")).len(), 1, "asked again");
    fleet.answer(&questions[0], Answer::Gone);
}

#[test]
fn complaints_are_made_once_for_the_same_labels() {
    let mut fleet = fleet();
    let bad = || container(&[("SERVICE_CHECK_INTERVAL", "soon")]);
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    assert_eq!(fleet.answer(question, found(bad())).len(), 1);
    let question = &fleet.list(fleet.turn(), listed("2"))[0];
    let renamed = Container { name: "other".to_owned(), ..bad() };
    assert_eq!(fleet.answer(question, found(renamed)).len(), 0);
}

#[test]
fn two_containers_that_want_one_id_clash_and_the_first_has_it() {
    let mut fleet = fleet();
    let twin = |id: &str| Container {
        id: id.to_owned(),
        name: format!("c{id}"),
        ..container(&[("SERVICE_ID", "web")])
    };
    let list = ["1", "2"].map(|id| Listed { container: id.to_owned(), print: String::new() });
    for question in fleet.list(fleet.turn(), list.into()) {
        fleet.answer(&question, found(twin(&question.container)));
    }
    let (desired, clashes) = fleet.desired();
    assert_eq!(desired.len(), 1);
    let clash = Clash { instance: "web".into(), holder: "c1".to_owned(), loser: "c2".to_owned() };
    assert_eq!(clashes, [clash]);
}

#[tokio::test]
async fn what_deregistered_itself_comes_back_with_the_next_start() {
    let mut fleet = fleet();
    let labels = [("SERVICE_CHECK_DEREGISTER_AFTER", "1m")];
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    fleet.answer(question, found(container(&labels)));
    let once = |fleet: &Fleet| fleet.desired().0["host:app:80"].once;
    assert!(!once(&fleet));
    fleet.settled(|_| true);
    assert!(!once(&fleet), "what was refused never stood");
    fleet.settled(|_| false);
    assert!(once(&fleet));
    let question = fleet.apply(Instant::now(), &event(EventKind::Started)).remove(0);
    fleet.answer(&question, found(container(&labels)));
    assert!(!once(&fleet));
}

fn with_deregister(deregister: Deregister) -> Fleet {
    let mut fleet = Fleet::new(Config { deregister, ..config() }, true);
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    fleet.answer(question, found(container(&[])));
    fleet
}

#[tokio::test]
async fn entries_of_a_container_that_failed_stay_if_only_success_deregisters() {
    let now = Instant::now();
    for (code, stays) in [(0, false), (1, true), (137, false), (143, false)] {
        let mut fleet = with_deregister(Deregister::OnSuccess);
        fleet.apply(now, &event(EventKind::Signalled(Signal::TERM)));
        fleet.apply(now, &event(EventKind::Ended(Some(code))));
        assert_eq!(desired(&fleet).len(), usize::from(stays), "exit code {code}");
    }
    let mut fleet = with_deregister(Deregister::OnSuccess);
    fleet.apply(now, &event(EventKind::Ended(Some(1))));
    assert!(out(&fleet).is_none() && fleet.desired().0["host:app:80"].once);
    fleet.apply(now, &event(EventKind::Removed));
    assert_eq!(desired(&fleet), []);
}

#[tokio::test]
async fn a_failed_container_that_was_not_seen_running_is_spared_and_not_registered() {
    let mut fleet = Fleet::new(Config { deregister: Deregister::OnSuccess, ..config() }, true);
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    let failed = Container { state: RunState::Stopped, exit_code: 3, ..container(&[]) };
    fleet.answer(question, found(failed));
    assert!(fleet.is_complete() && desired(&fleet).is_empty());
    assert_eq!(fleet.spared(), BTreeSet::from(["app".to_owned()]));
}

#[tokio::test]
async fn entries_stay_for_ever_if_nothing_deregisters_and_are_taken_up_again_by_the_next_start() {
    let (mut fleet, now) = (with_deregister(Deregister::Never), Instant::now());
    fleet.apply(now, &event(EventKind::Ended(Some(0))));
    fleet.apply(now, &event(EventKind::Removed));
    fleet.list(fleet.turn(), Vec::new());
    assert!(fleet.desired().0["host:app:80"].once && fleet.released().is_empty());
    let question = fleet.apply(now, &event(EventKind::Started)).remove(0);
    fleet.answer(&question, found(container(&[])));
    assert!(!fleet.desired().0["host:app:80"].once);
}

#[tokio::test]
async fn what_a_healthcheck_says_counts_at_once_and_its_output_when_it_is_looked_up() {
    let mut fleet = fleet();
    let health = |status, output: Option<&str>| ContainerHealth { status, output: output.map(str::to_owned) };
    let with = |health| Container { health: Some(health), ..container(&[]) };
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    fleet.answer(question, found(with(health(HealthStatus::Starting, None))));
    let says = |fleet: &Fleet| fleet.desired().0["host:app:80"].health.cloned().unwrap();
    let question = fleet.apply(Instant::now(), &event(EventKind::Health(HealthStatus::Unhealthy))).remove(0);
    assert_eq!(says(&fleet), health(HealthStatus::Unhealthy, None));
    fleet.answer(&question, found(with(health(HealthStatus::Unhealthy, Some("refused")))));
    assert_eq!(says(&fleet), health(HealthStatus::Unhealthy, Some("refused")));
}

#[tokio::test]
async fn a_drain_lasts_as_long_as_its_label_says_but_never_less_than_the_stop_timeout() {
    let deadline = |label: &str| {
        let (mut fleet, now) = (fleet(), Instant::now());
        let question = &fleet.list(fleet.turn(), listed("1"))[0];
        fleet.answer(question, found(container(&[("SERVICE_DRAIN", label)])));
        fleet.apply(now, &event(EventKind::Signalled(Signal::TERM)));
        fleet.next_deadline().unwrap() - now
    };
    assert_eq!(deadline("60s"), Duration::from_secs(62));
    assert_eq!(deadline("5s"), Duration::from_secs(12));
}

#[tokio::test]
async fn a_change_of_a_swarm_service_has_its_tasks_looked_at_again() {
    let mut fleet = fleet();
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    let task = SwarmTask { service: "s1".to_owned(), ..SwarmTask::default() };
    fleet.answer(question, found(Container { swarm: Some(task), ..container(&[]) }));
    let changed =
        |service: &str| ContainerEvent { container: service.to_owned(), kind: EventKind::ServiceChanged };
    assert_eq!(fleet.apply(Instant::now(), &changed("s1")).len(), 1);
    assert_eq!(fleet.apply(Instant::now(), &changed("s2")), []);
}

#[test]
fn after_an_absence_of_the_catalog_nothing_is_taken_for_removed_on_purpose() {
    let mut fleet = fleet();
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    fleet.answer(question, found(container(&[("SERVICE_CHECK_DEREGISTER_AFTER", "1m")])));
    fleet.settled(|_| false);
    assert!(fleet.desired().0["host:app:80"].once);
    fleet.catalog_was_away();
    assert!(!fleet.desired().0["host:app:80"].once);
}

#[test]
fn a_sign_of_life_does_not_make_an_instance_one_that_deregisters_itself() {
    let ttl = Ttl { ttl: Duration::from_secs(30), refresh: Duration::from_secs(10) };
    let mut fleet = Fleet::new(Config { ttl: Some(ttl), ..config() }, true);
    let question = &fleet.list(fleet.turn(), listed("1"))[0];
    fleet.answer(question, found(container(&[])));
    fleet.settled(|_| false);
    assert!(!fleet.desired().0["host:app:80"].once);
    assert_eq!(fleet.alive().count(), 1);
}

/// An engine that may be asked and heard late, or not at all.
mod world {
    use proptest::prelude::*;
    use wharf_catalog::{State, Timestamp, apply::apply};

    use super::*;
    use crate::plan::{Owner, Sweep, plan};

    const CONTAINERS: usize = 3;

    /// What happens in the engine, and what we hear of it.
    #[derive(Debug, Clone)]
    enum Step {
        Start(usize),
        End(usize, i64),
        Pause(usize, bool),
        Rename(usize, u8),
        Signal(usize),
        Health(usize, bool),
        /// The oldest event arrives, or gets lost.
        Hear(bool),
        /// The question of that place in the queue is answered as things stand now, or not at all.
        Answer(usize, bool),
        /// A list is taken now; it arrives with the next one of these.
        List,
        /// The catalog loses an entry, or gets a stale one of ours.
        Meddle(bool),
        /// We hear that somebody meddled.
        Look,
        Settle,
    }

    fn step() -> impl Strategy<Value = Step> {
        let which = 0..CONTAINERS;
        prop_oneof![
            4 => which.clone().prop_map(Step::Start),
            3 => (which.clone(), prop::sample::select(vec![0, 1, 137])).prop_map(|(c, code)| Step::End(c, code)),
            1 => (which.clone(), any::<bool>()).prop_map(|(c, paused)| Step::Pause(c, paused)),
            1 => (which.clone(), 0..3_u8).prop_map(|(c, name)| Step::Rename(c, name)),
            1 => which.clone().prop_map(Step::Signal),
            1 => (which, any::<bool>()).prop_map(|(c, healthy)| Step::Health(c, healthy)),
            8 => prop::bool::weighted(0.8).prop_map(Step::Hear),
            6 => (0..4_usize, prop::bool::weighted(0.8)).prop_map(|(at, found)| Step::Answer(at, found)),
            2 => Just(Step::List),
            1 => any::<bool>().prop_map(Step::Meddle),
            1 => Just(Step::Look),
            5 => Just(Step::Settle),
        ]
    }

    struct World {
        now: Instant,
        containers: Vec<Container>,
        events: Vec<ContainerEvent>,
        questions: Vec<Question>,
        list: Option<(Turn, Vec<Listed>)>,
        fleet: Fleet,
        state: State,
        /// Somebody meddled, and we have not heard of it.
        meddled: bool,
        /// How often it was enough to look at what was touched.
        narrow: usize,
    }

    impl World {
        fn new() -> Self {
            let make = |number: usize| Container {
                id: format!("id{number}"),
                name: format!("c{number}"),
                state: RunState::Stopped,
                health: Some(ContainerHealth { status: HealthStatus::Starting, output: None }),
                ..container(&[])
            };
            Self {
                now: Instant::now(),
                containers: (0..CONTAINERS).map(make).collect(),
                events: Vec::new(),
                questions: Vec::new(),
                list: None,
                fleet: Fleet::new(config(), true),
                state: State::default(),
                meddled: false,
                narrow: 0,
            }
        }

        fn happens(&mut self, number: usize, kind: EventKind) {
            let container = self.containers[number].id.clone();
            self.events.push(ContainerEvent { container, kind });
        }

        fn runs(&self, number: usize) -> bool {
            self.containers[number].state != RunState::Stopped
        }

        fn take(&mut self, step: &Step) {
            match *step {
                Step::Start(n) if !self.runs(n) => {
                    self.containers[n].state = RunState::Running;
                    self.happens(n, EventKind::Started);
                }
                Step::End(n, code) if self.runs(n) => {
                    self.containers[n].state = RunState::Stopped;
                    self.happens(n, EventKind::Ended(Some(code)));
                }
                Step::Pause(n, paused) if self.runs(n) => {
                    self.containers[n].state = if paused { RunState::Paused } else { RunState::Running };
                    self.happens(n, if paused { EventKind::Paused } else { EventKind::Unpaused });
                }
                Step::Rename(n, name) => {
                    // Two may come to ask for one id.
                    self.containers[n].name =
                        if name == 2 { "shared".to_owned() } else { format!("c{n}-{name}") };
                    self.happens(n, EventKind::Renamed);
                }
                Step::Signal(n) if self.runs(n) => self.happens(n, EventKind::Signalled(Signal::TERM)),
                Step::Health(n, healthy) if self.runs(n) => {
                    let status = if healthy { HealthStatus::Healthy } else { HealthStatus::Unhealthy };
                    self.containers[n].health = Some(ContainerHealth { status, output: None });
                    self.happens(n, EventKind::Health(status));
                }
                Step::Hear(arrives) if !self.events.is_empty() => {
                    let event = self.events.remove(0);
                    if arrives {
                        let questions = self.fleet.apply(self.now, &event);
                        self.questions.extend(questions);
                    }
                }
                Step::Answer(at, found) if at < self.questions.len() => self.answer(at, found),
                Step::List => self.list(),
                Step::Meddle(loses) => self.meddle(loses),
                Step::Look => {
                    self.fleet.touch_everything();
                    self.settle();
                }
                Step::Settle => self.settle(),
                _ => {}
            }
        }

        fn answer(&mut self, at: usize, found: bool) {
            let question = self.questions.remove(at);
            let container = self.containers.iter().find(|c| c.id == question.container).unwrap();
            let answer = if found { super::found(container.clone()) } else { Answer::Unknown };
            self.fleet.answer(&question, answer);
        }

        fn list(&mut self) {
            if let Some((asked, list)) = self.list.take() {
                let questions = self.fleet.list(asked, list);
                self.questions.extend(questions);
            }
            let running = self.containers.iter().filter(|c| c.state != RunState::Stopped);
            let listed = running
                .map(|c| Listed { container: c.id.clone(), print: format!("{} {:?}", c.name, c.state) });
            self.list = Some((self.fleet.turn(), listed.collect()));
        }

        fn meddle(&mut self, loses: bool) {
            let first = self.state.instances().next().map(|i| (i.node.clone(), i.id.clone()));
            let command = match first.filter(|_| loses) {
                Some((node, id)) => wharf_catalog::Command::DeleteInstance(node, id),
                None if self.state.node("node").is_none() => return,
                None => wharf_catalog::Command::PutInstance(wharf_catalog::Instance::new(
                    "node",
                    "host:ghost:80",
                    "ghost",
                )),
            };
            self.carry_out(&[command]);
            self.meddled = true;
        }

        fn carry_out(&mut self, commands: &[wharf_catalog::Command]) {
            self.state = apply(&self.state, self.state.index().next(), Timestamp(1), commands).unwrap().state;
        }

        fn settle(&mut self) {
            if !self.fleet.is_listed() {
                return;
            }
            let (desired, _) = self.fleet.desired();
            let (owner, released) = (Owner::new(&config()), self.fleet.released());
            let sweep = if self.fleet.is_complete() { Sweep::All } else { Sweep::Only(released) };
            let full = plan(&owner, &desired, &self.state, sweep).commands;
            let commands = match self.fleet.desired_of_touched() {
                Some(touched) if self.state.node("node").is_some() => {
                    self.narrow += 1;
                    let narrow = plan(&owner, &touched, &self.state, Sweep::Only(released)).commands;
                    let about = |command: &&wharf_catalog::Command| {
                        let instance = instance_of(command);
                        touched.contains_key(instance) || released.contains(instance)
                    };
                    let restricted: Vec<_> = full.iter().filter(about).cloned().collect();
                    assert_eq!(narrow, restricted, "of what was touched the narrow plan knows all");
                    if !self.meddled {
                        assert_eq!(narrow, full, "and there is nothing else");
                    }
                    narrow
                }
                _ => {
                    self.meddled &= !self.fleet.is_complete();
                    full
                }
            };
            assert_eq!(self.fleet.instances(), desired.len());
            self.carry_out(&commands);
            self.fleet.settled(|_| false);
        }

        /// The engine answers again, nothing happens any more, and every drain is over.
        fn come_to_rest(&mut self) {
            self.events.clear();
            self.questions.clear();
            self.fleet.interrupted();
            self.list = None;
            self.list();
            self.list();
            while !self.questions.is_empty() {
                self.answer(0, true);
            }
            self.now += Duration::from_secs(3600);
            self.fleet.advance(self.now);
            self.settle();
        }

        /// What should stand: id, whether it takes no traffic on purpose, what its check says.
        fn expected(&self) -> Vec<(String, bool, wharf_catalog::Status)> {
            let running = self.containers.iter().filter(|c| c.state != RunState::Stopped);
            let entry = |c: &Container| {
                let healthy = c.health.as_ref().is_some_and(|health| health.status == HealthStatus::Healthy);
                let status =
                    if healthy { wharf_catalog::Status::Passing } else { wharf_catalog::Status::Critical };
                (format!("host:{}:80", c.name), c.state == RunState::Paused, status)
            };
            let mut expected: Vec<_> = running.map(entry).collect();
            expected.sort_by(|one, other| one.0.cmp(&other.0));
            expected.dedup_by(|later, first| later.0 == first.0);
            expected
        }

        fn held(&self) -> Vec<(String, bool, wharf_catalog::Status)> {
            let entry = |instance: &Arc<wharf_catalog::Instance>| {
                let id = instance.id.to_string();
                let maintenance = wharf_catalog::check::service_maintenance_id(&id);
                let check = self.state.check("node", &format!("service:{id}")).unwrap();
                (id, self.state.check("node", &maintenance).is_some(), check.status)
            };
            self.state.instances().map(entry).collect()
        }
    }

    /// The instance that a command of a plan is about.
    fn instance_of(command: &wharf_catalog::Command) -> &str {
        use wharf_catalog::Command::{DeleteCheck, DeleteInstance, PutCheck, PutInstance, SetCheckStatus};
        match command {
            PutInstance(instance) => &instance.id,
            DeleteInstance(_, instance) => instance,
            PutCheck(check, _) => check.instance.as_deref().unwrap_or_default(),
            DeleteCheck(_, check) | SetCheckStatus { check, .. } => {
                let service = check.strip_prefix("service:");
                service
                    .or(check.strip_prefix(wharf_catalog::check::SERVICE_MAINTENANCE_PREFIX))
                    .unwrap_or(check)
            }
            other => panic!("{other:?} is about no instance"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
        #[test]
        fn any_interleaving_of_events_answers_and_lists_converges(steps in prop::collection::vec(step(), 0..60)) {
            let mut world = World::new();
            for step in &steps {
                world.take(step);
                let ids: BTreeSet<_> = world.state.instances().map(|i| i.id.clone()).collect();
                prop_assert_eq!(ids.len(), world.state.instances().count());
            }
            world.come_to_rest();
            prop_assert_eq!(world.held(), world.expected());
        }
    }
}
