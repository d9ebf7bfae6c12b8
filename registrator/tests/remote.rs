//! The registrator against a catalog over HTTP: what happens to either side, the other follows.

mod harness;

use std::time::Duration;

use harness::{
    Engine, HOST, NODE, Stand,
    catalog::{Place, Served},
    engine::{ENDS_WHEN_ASKED, LINGERS},
    health_of, unique, until,
};
use tokio::time::Instant;
use wharf_catalog::{Command, Health, Instance};
use wharf_registrator::{Deregister, Ttl, registration::sign_of_life_id, registry::remote::Mode};

/// The promise is a second; a machine that does other things besides is given more. The figure is printed.
const SOON: Duration = Duration::from_secs(5);

async fn stand(mode: Mode) -> (Engine, Served, Stand) {
    let (engine, served) = (Engine::of_this_machine(), Served::start(Place::Anywhere).await);
    let stand = Stand::remote(&served, mode, &engine.host, |config| {
        if mode == Mode::Catalog {
            (config.node, config.checks_are_run) = ("bare".into(), false);
        }
    });
    (engine, served, stand)
}

#[allow(clippy::print_stdout, reason = "the figure is worth seeing")]
fn within(what: &str, begun: Instant) {
    let took = begun.elapsed();
    println!("{what}: {} ms", took.as_millis());
    assert!(took < SOON, "{what} took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_comes_drains_and_goes_by_agent_and_by_catalog() {
    for mode in [Mode::Agent, Mode::Catalog] {
        let (engine, _served, stand) = stand(mode).await;
        let service = unique("svc");
        let labels = [format!("SERVICE_NAME={service}"), "SERVICE_CHECK_INITIAL_STATUS=passing".to_owned()];
        let arguments = ["--label", &labels[0], "--label", &labels[1], "-p", "8080"];
        let container = engine.run("linger", &arguments, LINGERS);
        let instance = stand.registered(&service).await;
        assert_eq!(*instance.id, *format!("{HOST}:{}:8080", container.name));
        let stopping = tokio::task::spawn_blocking(move || {
            container.docker(&["stop"]);
            container
        });
        stand.healthy(&service, Health::Draining).await;
        stand.gone(&service).await;
        drop(stopping.await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_lost_its_memory_holds_everything_again_within_a_second() {
    for mode in [Mode::Agent, Mode::Catalog] {
        let (engine, mut served, stand) = stand(mode).await;
        let services = ["a", "b", "c"].map(unique);
        let _containers = services.each_ref().map(|service| engine.service(service));
        for service in &services {
            stand.registered(service).await;
        }
        served.stop();
        served.again_without_memory().await;
        let begun = Instant::now();
        let all =
            |state: &wharf_catalog::State| services.iter().all(|service| state.service(service).count() == 1);
        until(&served.catalog, "all are back", all).await;
        within(&format!("memory lost, {mode:?}: everything is back after"), begun);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_the_catalog_was_away_is_made_up_for_within_a_second() {
    let (engine, mut served, stand) = stand(Mode::Agent).await;
    let [stays, ends, comes] = ["stays", "ends", "comes"].map(unique);
    let (_stays, gone) = (engine.service(&stays), engine.service(&ends));
    let created = stand.registered(&stays).await.created;
    stand.registered(&ends).await;
    served.stop();
    gone.docker(&["rm", "-f"]);
    let _comes = engine.service(&comes);
    let theirs = Instance::new(NODE, "theirs", "theirs");
    served.catalog.commit(vec![Command::PutInstance(theirs)]).await.unwrap();
    served.again().await;
    let begun = Instant::now();
    let settled = |state: &wharf_catalog::State| {
        state.service(&comes).count() == 1 && state.service(&ends).count() == 0
    };
    let state = until(&served.catalog, "the catalog holds what runs", settled).await;
    within("away: what was missed is made up for after", begun);
    assert_eq!(state.service(&stays).next().unwrap().created, created, "what stood was left alone");
    assert!(state.instance(NODE, "theirs").is_some());
    assert!(stand.runs());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_our_own_kill_nine_nothing_is_stale_missing_or_there_twice() {
    let (engine, served, stand) = stand(Mode::Agent).await;
    let [stays, ends, renamed, comes] = ["stays", "ends", "renamed", "comes"].map(unique);
    let (_stays, gone) = (engine.service(&stays), engine.service(&ends));
    let mut other = engine.service(&renamed);
    for service in [&stays, &ends, &renamed] {
        stand.registered(service).await;
    }
    stand.kill().await;
    gone.docker(&["rm", "-f"]);
    let name = unique("newname");
    engine.docker(&["rename", &other.name, &name]);
    other.name = name;
    let _comes = engine.service(&comes);
    let begun = Instant::now();
    let stand = Stand::remote(&served, Mode::Agent, &engine.host, |_| {});
    let settled = |state: &wharf_catalog::State| {
        let one = |service: &str| state.service(service).count() == 1;
        let id = format!("{HOST}:{}:8080", other.name);
        one(&stays)
            && one(&renamed)
            && one(&comes)
            && state.service(&ends).count() == 0
            && state.instance(NODE, &id).is_some()
    };
    stand.until("the catalog holds what runs", settled).await;
    within("killed: everything is right again after", begun);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_take_out_of_the_catalog_comes_back_and_what_is_not_ours_stays() {
    let (engine, served, stand) = stand(Mode::Agent).await;
    let service = unique("svc");
    let _container = engine.service(&service);
    let instance = stand.registered(&service).await;
    let stale = format!("{HOST}:long-gone:80");
    let commands = vec![
        Command::PutInstance(Instance::new(NODE, stale.as_str(), "stale")),
        Command::PutInstance(Instance::new(NODE, "theirs", "theirs")),
        Command::DeleteInstance(NODE.into(), instance.id.clone()),
    ];
    served.catalog.commit(commands).await.unwrap();
    let begun = Instant::now();
    stand.gone("stale").await;
    stand.registered(&service).await;
    within("deregistered by somebody: back after", begun);
    assert!(served.catalog.snapshot().instance(NODE, "theirs").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthcheck_is_pushed_and_nothing_polls_it() {
    for mode in [Mode::Agent, Mode::Catalog] {
        let (engine, _served, stand) = stand(mode).await;
        let service = unique("svc");
        let label = format!("SERVICE_NAME={service}");
        let test = "[ -f /up ] && echo fine || { echo not yet; exit 1; }";
        let container = engine.run(
            "health",
            &[
                "--label",
                &label,
                "-p",
                "8080",
                "--health-cmd",
                test,
                "--health-interval",
                "200ms",
                "--health-retries",
                "1",
            ],
            ENDS_WHEN_ASKED,
        );
        stand.healthy(&service, Health::Critical).await;
        engine.docker(&["exec", &container.name, "busybox", "touch", "/up"]);
        stand.healthy(&service, Health::Passing).await;
        engine.docker(&["exec", &container.name, "busybox", "rm", "/up"]);
        stand.healthy(&service, Health::Critical).await;
        let printed = |state: &wharf_catalog::State| {
            let node = if mode == Mode::Agent { NODE } else { "bare" };
            state.checks_on(node).any(|check| check.output.contains("not yet"))
        };
        stand.until("the output of the last run", printed).await;
        assert_eq!(health_of(&stand.catalog.snapshot(), &service), [Health::Critical]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signs_of_life_are_given_while_we_run() {
    let (engine, served) = (Engine::of_this_machine(), Served::start(Place::Anywhere).await);
    let ttl = Ttl { ttl: Duration::from_secs(30), refresh: Duration::from_millis(50) };
    let stand = Stand::remote(&served, Mode::Agent, &engine.host, |config| config.ttl = Some(ttl));
    let service = unique("svc");
    let _container = engine.service(&service);
    let instance = stand.registered(&service).await;
    let renewed = |state: &wharf_catalog::State| {
        let check = state.check(NODE, &sign_of_life_id(&instance.id));
        check.is_some_and(|check| check.output.contains("looks after it"))
    };
    stand.until("renewed", renewed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_entry_of_a_container_that_failed_stays_until_it_is_removed_if_that_is_wanted() {
    let (engine, served) = (Engine::of_this_machine(), Served::start(Place::Anywhere).await);
    let start = || {
        Stand::remote(&served, Mode::Agent, &engine.host, |config| {
            config.deregister = Deregister::OnSuccess;
            config.reconcile_interval = Duration::from_millis(100);
        })
    };
    let stand = start();
    let [fails, ends, marker] = ["fails", "ends", "marker"].map(unique);
    let run = |service: &str, script: &str| {
        let label = format!("SERVICE_NAME={service}");
        engine.run("exit", &["--label", &label, "-p", "8080"], script)
    };
    let until_told = |code: u8| format!("trap 'exit {code}' USR1; while :; do busybox sleep 0.05; done");
    let (failing, ending) = (run(&fails, &until_told(3)), run(&ends, &until_told(0)));
    stand.registered(&fails).await;
    stand.registered(&ends).await;
    failing.docker(&["kill", "-s", "USR1"]);
    ending.docker(&["kill", "-s", "USR1"]);
    stand.gone(&ends).await;
    stand.kill().await;
    let stand = start();
    let _marker = engine.service(&marker);
    stand.registered(&marker).await;
    stand.registered(&fails).await;
    failing.docker(&["rm", "-f"]);
    stand.gone(&fails).await;
}
