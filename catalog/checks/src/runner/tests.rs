//! The runner against a real catalog and real loopback servers.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
    time::{advance, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use wharf_catalog::{
    Catalog, Check, CheckStatusOnPut, Clock, Command, Index, Instance, Node, Outcome, Probe, ProbeKind,
    Status, Store, Timestamp, Topic,
    store::{Memory, Sqlite},
};

use crate::{
    Checks, Config, checks,
    external::{self, External, Push, Source, Token},
};

struct World {
    catalog: Catalog,
    checks: Checks,
    outcomes: mpsc::Receiver<Outcome>,
    running: JoinHandle<()>,
    stop: DropGuard,
}

/// A clock that goes as the runtime's does.
fn clock() -> Clock {
    clock_after(Duration::ZERO)
}

/// A clock of a later life: this much has passed.
fn clock_after(passed: Duration) -> Clock {
    let begun = tokio::time::Instant::now();
    Clock::new(move || Timestamp(1_700_000_000_000).after(passed + begun.elapsed()))
}

async fn world(config: Config) -> World {
    world_on(Box::new(Memory), clock(), config).await
}

async fn world_on(store: Box<dyn Store>, clock: Clock, config: Config) -> World {
    let catalog = Catalog::open(store, clock.clone()).unwrap();
    let node = Command::PutNode(Node::new("n1", "127.0.0.1"));
    let instance = Command::PutInstance(Instance::new("n1", "web-1", "web"));
    catalog.commit(vec![node, instance]).await.unwrap();
    let (sender, outcomes) = mpsc::channel(10_000);
    let (checks, runner) = checks(catalog.clone(), clock, sender, "n1".into(), config);
    let stop = CancellationToken::new();
    let running = tokio::spawn(runner.run(stop.clone()));
    World { catalog, checks, outcomes, running, stop: stop.drop_guard() }
}

impl World {
    async fn end(self) {
        drop(self.stop);
        in_time(self.running).await.unwrap();
    }

    async fn register(&self, id: &str, probe: Probe) {
        let check = Check { instance: Some("web-1".into()), probe: Some(probe), ..Check::new("n1", id, id) };
        let put = Command::PutCheck(check, CheckStatusOnPut::Keep);
        self.catalog.commit(vec![put]).await.unwrap();
    }

    async fn until(&self, id: &str, status: Status) -> Arc<Check> {
        self.until_it(id, |check| check.status == status).await
    }

    async fn until_output(&self, id: &str, output: &str) -> Arc<Check> {
        self.until_it(id, |check| check.output == output).await
    }

    async fn until_it(&self, id: &str, is: impl Fn(&Check) -> bool) -> Arc<Check> {
        let mut index = Index(0);
        loop {
            let state = self.catalog.changed(&Topic::Checks, index).await;
            index = state.index_of(&Topic::Checks);
            if let Some(check) = state.check("n1", id).filter(|check| is(check)) {
                return check.clone();
            }
        }
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("in time")
}

fn tcp(address: impl ToString) -> Probe {
    let address = address.to_string();
    Probe::new(ProbeKind::Tcp { address })
}

/// An address nobody listens on, for now.
async fn free_address() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn an_app_that_begins_to_listen_late_is_passing_a_blink_later() {
    let mut world = world(Config::default()).await;
    let address = free_address().await;
    world.register("c", tcp(address)).await;
    let first = in_time(world.outcomes.recv()).await.unwrap();
    assert_eq!((first.status, &*first.service), (Status::Critical, "web"));
    sleep(Duration::from_millis(300)).await;
    let listener = TcpListener::bind(address).await.unwrap();
    let listening = tokio::time::Instant::now();
    let check = in_time(world.until("c", Status::Passing)).await;
    let waited = listening.elapsed();
    assert_eq!(check.output, format!("TCP connect {address}: Success"));
    // 100 ms at most between two tries; the interval is 10 s.
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    let second = in_time(world.outcomes.recv()).await.unwrap();
    assert_eq!(second.status, Status::Passing, "the retries in between are not recorded");
    assert!(second.response_time.is_some());
    drop(listener);
}

#[tokio::test]
async fn retries_slow_down_instead_of_hammering_an_app_that_starts() {
    let world = world(Config::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let begun = tokio::time::Instant::now();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ready = counted.fetch_add(1, Ordering::SeqCst) >= 6;
            let status = if ready { "200 OK" } else { "503 Starting" };
            let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    let kind = ProbeKind::Http {
        url,
        method: String::new(),
        headers: BTreeMap::new(),
        body: String::new(),
        tls_skip_verify: false,
    };
    world.register("c", Probe::new(kind)).await;
    in_time(world.until("c", Status::Passing)).await;
    assert_eq!(tries.load(Ordering::SeqCst), 7);
    // 5 + 10 + 20 + 40 + 80 + 100 ms lie between seven tries.
    assert!(begun.elapsed() >= Duration::from_millis(255));
}

#[tokio::test]
async fn one_slow_probe_holds_up_nobody() {
    let world = world(Config::default()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let kind = ProbeKind::Http {
        url,
        method: String::new(),
        headers: BTreeMap::new(),
        body: String::new(),
        tls_skip_verify: false,
    };
    world.register("a", Probe { timeout: Duration::from_secs(600), ..Probe::new(kind) }).await;
    world.register("b", tcp(silent.local_addr().unwrap())).await;
    in_time(world.until("b", Status::Passing)).await;
}

#[tokio::test]
async fn hundreds_of_checks_pass_with_two_probes_at_a_time() {
    let world = world(Config { concurrency: 2, ..Config::default() }).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // Somebody has to take the connections: the queue of waiting ones is short.
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    for n in 0..300 {
        world.register(&format!("c{n}"), tcp(address)).await;
    }
    for n in 0..300 {
        in_time(world.until(&format!("c{n}"), Status::Passing)).await;
    }
}

#[tokio::test]
async fn a_deregistered_check_does_not_keep_others_from_being_committed() {
    let world = world(Config::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for n in 0..100 {
        world.register(&format!("c{n}"), tcp(listener.local_addr().unwrap())).await;
        if n % 2 == 0 {
            let gone = Command::DeleteCheck("n1".into(), format!("c{n}").into());
            world.catalog.commit(vec![gone]).await.unwrap();
        }
    }
    for n in (1..100).step_by(2) {
        in_time(world.until(&format!("c{n}"), Status::Passing)).await;
    }
}

/// Keeps paused time from running ahead while the catalog's own thread works.
struct HeldTime(#[expect(dead_code, reason = "its drop ends the hold")] std::sync::mpsc::Sender<()>);

impl HeldTime {
    fn new() -> Self {
        let (held, hold) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || hold.recv());
        Self(held)
    }
}

#[tokio::test(start_paused = true)]
async fn a_ttl_check_expires_and_recovers_with_the_next_report() {
    let _held = HeldTime::new();
    let mut world = world(Config::default()).await;
    for (id, seconds) in [("t", 30), ("marker", 35)] {
        let ttl = Duration::from_secs(seconds);
        world.register(id, Probe::new(ProbeKind::Ttl { ttl })).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.register("seen", tcp(listener.local_addr().unwrap())).await;
    world.until("seen", Status::Passing).await;
    let report = |id: &'static str| world.checks.report("n1", id, Status::Passing, "same".to_owned());
    report("t").await.unwrap();
    report("marker").await.unwrap();
    advance(Duration::from_secs(20)).await;
    report("t").await.unwrap();
    advance(Duration::from_secs(20)).await;
    world.until("marker", Status::Critical).await;
    let state = world.catalog.snapshot();
    assert_eq!(state.check("n1", "t").unwrap().status, Status::Passing, "the second report counts");
    advance(Duration::from_secs(11)).await;
    let expired = world.until("t", Status::Critical).await;
    assert_eq!(expired.output, "TTL expired (last output before timeout follows): same");
    report("t").await.unwrap();
    world.until("t", Status::Passing).await;
    let mut said = Vec::new();
    while let Ok(outcome) = world.outcomes.try_recv() {
        if &*outcome.check == "t" {
            said.push(outcome.status);
        }
    }
    let expected = [Status::Passing, Status::Passing, Status::Critical, Status::Passing];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn only_ttl_checks_that_exist_take_reports() {
    let world = world(Config::default()).await;
    world.register("c", tcp("127.0.0.1:1")).await;
    let report = |id: &'static str| world.checks.report("n1", id, Status::Passing, String::new());
    assert_eq!(report("c").await.unwrap_err().to_string(), "check `c` is not a TTL check");
    assert_eq!(report("x").await.unwrap_err().to_string(), "no check `x` on node `n1`");
}

#[tokio::test]
async fn a_receiver_that_is_behind_is_not_waited_for() {
    let clock = clock();
    let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
    let node = Command::PutNode(Node::new("n1", "127.0.0.1"));
    catalog.commit(vec![node]).await.unwrap();
    let (sender, _never_read) = mpsc::channel(1);
    let (checks, runner) = checks(catalog.clone(), clock, sender, "n1".into(), Config::default());
    let stop = CancellationToken::new();
    let running = tokio::spawn(runner.run(stop.clone()));
    let ttl = Duration::from_secs(60);
    let check = Check { probe: Some(Probe::new(ProbeKind::Ttl { ttl })), ..Check::new("n1", "t", "t") };
    let put = Command::PutCheck(check, CheckStatusOnPut::Keep);
    catalog.commit(vec![put]).await.unwrap();
    for n in 0..5 {
        in_time(checks.report("n1", "t", Status::Passing, n.to_string())).await.unwrap();
    }
    stop.cancel();
    in_time(running).await.unwrap();
}

#[tokio::test]
async fn an_alias_follows_a_service_that_comes_fails_and_goes() {
    let world = world(Config::default()).await;
    let kind = ProbeKind::Alias { node: None, service: Some("db-1".into()) };
    world.register("alias", Probe::new(kind)).await;
    let output = |wanted: &'static str| in_time(world.until_output("alias", wanted));
    output("Service db-1 could not be found on node n1").await;
    let instance = Command::PutInstance(Instance::new("n1", "db-1", "db"));
    world.catalog.commit(vec![instance]).await.unwrap();
    output("No checks found.").await;
    let failing = Check {
        instance: Some("db-1".into()),
        output: "no space".to_owned(),
        ..Check::new("n1", "disk", "Disk")
    };
    world.catalog.commit(vec![Command::PutCheck(failing, CheckStatusOnPut::Keep)]).await.unwrap();
    output("Aliased check \"Disk\" failing: no space").await;
    world.catalog.commit(vec![Command::DeleteInstance("n1".into(), "db-1".into())]).await.unwrap();
    output("Service db-1 could not be found on node n1").await;
}

#[tokio::test]
async fn a_report_wakes_nobody_who_waits_for_a_change_of_checks() {
    let world = world(Config::default()).await;
    let ttl = Duration::from_secs(60);
    world.register("t", Probe::new(ProbeKind::Ttl { ttl })).await;
    let report = || world.checks.report("n1", "t", Status::Passing, "same".to_owned());
    report().await.unwrap();
    let before = world.catalog.snapshot();
    report().await.unwrap();
    let after = world.catalog.snapshot();
    for topic in [Topic::Checks, Topic::Catalog, Topic::Health("web".into()), Topic::NodeChecks("n1".into())]
    {
        assert_eq!(before.index_of(&topic), after.index_of(&topic), "{topic:?}");
    }
    assert!(after.index_of(&Topic::Leases) > before.index_of(&Topic::Leases), "but it is kept");
}

#[tokio::test]
async fn reports_and_countdowns_go_on_over_a_restart_with_the_time_they_had_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("catalog.db");
    let store = || Box::new(Sqlite::open(&file).unwrap());
    {
        let world = world_on(store(), clock(), Config::default()).await;
        let ttl = ProbeKind::Ttl { ttl: Duration::from_secs(3_600) };
        world.register("t", Probe::new(ttl)).await;
        world.checks.report("n1", "t", Status::Passing, "fine".to_owned()).await.unwrap();
        let other = Command::PutInstance(Instance::new("n1", "gone-1", "gone"));
        let probe = Probe {
            deregister_after: Some(Duration::from_secs(3_600)),
            timeout: Duration::from_millis(50),
            ..tcp("127.0.0.1:1")
        };
        let check = Check {
            instance: Some("gone-1".into()),
            probe: Some(probe),
            ..Check::new("n1", "refused", "refused")
        };
        let put = Command::PutCheck(check, CheckStatusOnPut::Keep);
        world.catalog.commit(vec![other, put]).await.unwrap();
        world.end().await;
    }
    // A second before both an hour is over: from the restart on it would be an hour.
    let later = clock_after(Duration::from_secs(3_599));
    let world = world_on(store(), later, Config::default()).await;
    assert_eq!(world.catalog.snapshot().check("n1", "t").unwrap().status, Status::Passing);
    let expired = in_time(world.until("t", Status::Critical)).await;
    assert_eq!(expired.output, "TTL expired (last output before timeout follows): fine");
    let gone = async {
        let mut index = Index(0);
        loop {
            let state = world.catalog.changed(&Topic::Catalog, index).await;
            index = state.index_of(&Topic::Catalog);
            if state.instance("n1", "gone-1").is_none() {
                return;
            }
        }
    };
    in_time(gone).await;
}

/// Waits until a check on any node says this.
async fn said(catalog: &Catalog, node: &str, id: &str, status: Status) -> Arc<Check> {
    let mut index = Index(0);
    loop {
        let state = catalog.changed(&Topic::Checks, index).await;
        index = state.index_of(&Topic::Checks);
        if let Some(check) = state.check(node, id).filter(|check| check.status == status) {
            return check.clone();
        }
    }
}

#[tokio::test]
async fn an_external_nodes_checks_are_run_while_it_is_there_and_again_when_it_is_back() {
    let mut world = world(Config::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let external = External {
        service: "pay".into(),
        group: "partners".into(),
        tcp: Some(listener.local_addr().unwrap().to_string()),
        interval: Some(Duration::from_millis(100)),
        ..External::default()
    };
    for _ in 0..2 {
        let register = external::register(&world.catalog.snapshot(), &external, Source::Api).unwrap();
        world.catalog.commit(register).await.unwrap();
        in_time(said(&world.catalog, "partners", "service:pay", Status::Passing)).await;
        let outcome = in_time(world.outcomes.recv()).await.unwrap();
        assert_eq!((&*outcome.node, &*outcome.service), ("partners", "pay"));
        let deregister = external::deregister(&world.catalog.snapshot(), "partners", "pay", Source::Api);
        world.catalog.commit(deregister).await.unwrap();
        assert!(world.catalog.snapshot().node("partners").is_none());
    }
    in_time(world.end()).await;
}

#[tokio::test(start_paused = true)]
async fn a_push_that_does_not_come_is_critical_once_its_grace_is_over() {
    let _held = HeldTime::new();
    let world = world(Config::default()).await;
    world.register("marker", Probe::new(ProbeKind::Ttl { ttl: Duration::from_secs(80) })).await;
    let push = Push {
        token: Token("a-token-nobody-can-guess".into()),
        every: Duration::from_secs(60),
        grace: Duration::from_secs(30),
    };
    let external =
        External { service: "cron".into(), group: "jobs".into(), push: Some(push), ..External::default() };
    let register = external::register(&world.catalog.snapshot(), &external, Source::File).unwrap();
    world.catalog.commit(register).await.unwrap();
    world.checks.report("n1", "marker", Status::Passing, String::new()).await.unwrap();
    world.checks.report("jobs", "service:cron", Status::Passing, "done".into()).await.unwrap();
    advance(Duration::from_secs(81)).await;
    world.until("marker", Status::Critical).await;
    let state = world.catalog.snapshot();
    assert_eq!(state.check("jobs", "service:cron").unwrap().status, Status::Passing, "within its grace");
    advance(Duration::from_secs(10)).await;
    let check = said(&world.catalog, "jobs", "service:cron", Status::Critical).await;
    assert!(check.output.contains("done"), "{}", check.output);
    world.end().await;
}
