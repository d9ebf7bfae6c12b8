//! The registrator against the real Docker engine: what happens to containers is seen in the catalog.

mod harness;

use std::time::Duration;

use harness::{
    Engine, HOST, NODE, Stand,
    engine::{ENDS_WHEN_ASKED, IGNORES_TERM, LINGERS},
    health_of, unique,
};
use wharf_catalog::{Command, Health, Instance, ProbeKind};

async fn stand() -> (Engine, Stand) {
    let engine = Engine::of_this_machine();
    let stand = Stand::start(&engine.host, |_| {}).await;
    (engine, stand)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_starts_is_registered_and_one_that_stops_is_seen_draining_before_it_is_gone() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let label = format!("SERVICE_NAME={service}");
    let container = engine.run("linger", &["--label", &label, "-p", "8080"], LINGERS);
    let instance = stand.registered(&service).await;
    assert_eq!(*instance.id, *format!("{HOST}:{}:8080", container.name));
    assert_eq!(instance.address, "127.0.0.1");
    let published = container.engine().docker(&["port", &container.name, "8080/tcp"]);
    assert!(published.contains(&format!(":{}", instance.port)), "{published}");
    stand.healthy(&service, Health::Critical).await;

    let stopping = tokio::task::spawn_blocking(move || {
        container.docker(&["stop"]);
        container
    });
    stand.healthy(&service, Health::Draining).await;
    assert!(!stopping.is_finished(), "drained only after the container had ended");
    stand.gone(&service).await;
    drop(stopping.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_check_asks_inside_the_container() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let container = engine.service(&service);
    let instance = stand.registered(&service).await;
    let address = container.engine().docker(&[
        "inspect",
        "-f",
        "{{.NetworkSettings.Networks.bridge.IPAddress}}",
        &container.name,
    ]);
    let state = stand.catalog.snapshot();
    let check = state.check(NODE, &format!("service:{}", instance.id)).unwrap().clone();
    let address = format!("{address}:8080");
    assert_eq!(check.probe.clone().unwrap().kind, ProbeKind::Tcp { address });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_container_is_gone() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let container = engine.service(&service);
    stand.registered(&service).await;
    container.docker(&["kill"]);
    stand.gone(&service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_does_not_stop_is_no_drain_and_a_container_that_survives_a_stop_takes_traffic_again() {
    let engine = Engine::of_this_machine();
    let stand = Stand::start(&engine.host, |config| config.drain_grace = Duration::from_millis(200)).await;
    let service = unique("svc");
    let labels = [format!("SERVICE_NAME={service}"), "SERVICE_CHECK_INITIAL_STATUS=passing".to_owned()];
    let arguments = ["--label", &labels[0], "--label", &labels[1], "-p", "8080", "--stop-timeout", "1"];
    let container = engine.run("stubborn", &arguments, IGNORES_TERM);
    stand.healthy(&service, Health::Passing).await;
    let before = stand.catalog.snapshot();
    container.docker(&["kill", "-s", "WINCH"]);
    container.docker(&["kill", "-s", "TERM"]);
    stand.healthy(&service, Health::Draining).await;
    stand.healthy(&service, Health::Passing).await;
    let id = &before.service(&service).next().unwrap().id;
    let now = stand.catalog.snapshot();
    assert_eq!(now.instance(NODE, id).unwrap().created, before.instance(NODE, id).unwrap().created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_container_has_its_new_id_and_not_the_old_one() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let mut container = engine.service(&service);
    let old = stand.registered(&service).await.id.clone();
    let name = unique("renamed");
    engine.docker(&["rename", &container.name, &name]);
    container.name = name;
    let id = format!("{HOST}:{}:8080", container.name);
    let state = stand.until("the new id", |state| state.instance(NODE, &id).is_some()).await;
    assert!(state.instance(NODE, &old).is_none());
    assert_eq!(state.service(&service).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_container_is_out_at_once_and_back_when_it_goes_on() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let container = engine.service(&service);
    stand.healthy(&service, Health::Critical).await;
    container.docker(&["pause"]);
    stand.healthy(&service, Health::Maintenance).await;
    container.docker(&["unpause"]);
    stand.healthy(&service, Health::Critical).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_without_a_network_is_gone_until_it_has_one_again() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let container = engine.service(&service);
    stand.registered(&service).await;
    container.docker(&["network", "disconnect", "bridge"]);
    stand.gone(&service).await;
    container.docker(&["network", "connect", "bridge"]);
    stand.registered(&service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loop_leaves_nothing() {
    let (engine, stand) = stand().await;
    let (service, marker) = (unique("svc"), unique("after"));
    let label = format!("SERVICE_NAME={service}");
    let arguments = ["--label", &label, "-p", "8080", "--restart", "always"];
    let container = engine.run("crash", &arguments, "busybox sleep 0.1; exit 1");
    stand.registered(&service).await;
    let restarts = || container.docker(&["inspect", "-f", "{{.RestartCount}}"]).parse::<u32>().unwrap();
    while restarts() < 4 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    container.docker(&["rm", "-f"]);
    let _after = engine.service(&marker);
    stand.registered(&marker).await;
    stand.gone(&service).await;
    assert!(!stand.catalog.snapshot().instances().any(|i| i.id.contains(&container.name)));
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_containers_that_exit_at_once_leave_nothing() {
    let (engine, stand) = stand().await;
    let (service, marker) = (unique("svc"), unique("after"));
    let label = format!("SERVICE_NAME={service}");
    let brief = || engine.run("brief", &["--label", &label, "-p", "8080"], "exit 0");
    let containers: Vec<_> = std::thread::scope(|scope| {
        let lots: Vec<_> =
            (0..8).map(|_| scope.spawn(|| (0..5).map(|_| brief()).collect::<Vec<_>>())).collect();
        lots.into_iter().flat_map(|lot| lot.join().unwrap()).collect()
    });
    assert_eq!(containers.len(), 40);
    let names = containers.iter().map(|container| container.name.as_str());
    engine.docker(&["wait"].into_iter().chain(names).collect::<Vec<_>>());
    let _after = engine.service(&marker);
    stand.registered(&marker).await;
    stand.gone(&service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalog_lost_comes_back_what_is_stale_goes_and_what_is_not_ours_stays() {
    let engine = Engine::of_this_machine();
    let stand =
        Stand::start(&engine.host, |config| config.reconcile_interval = Duration::from_millis(100)).await;
    let service = unique("svc");
    let _container = engine.service(&service);
    let instance = stand.registered(&service).await;
    let (stale, theirs) = (format!("{HOST}:long-gone:80"), "their-own-id");
    let commands = vec![
        Command::PutInstance(Instance::new(NODE, stale.as_str(), "stale")),
        Command::PutInstance(Instance::new(NODE, theirs, "theirs")),
        Command::DeleteInstance(NODE.into(), instance.id.clone()),
    ];
    stand.catalog.commit(commands).await.unwrap();
    stand.gone("stale").await;
    stand.registered(&service).await;
    assert!(stand.catalog.snapshot().instance(NODE, theirs).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_registrator_alone_changes_nothing_for_a_running_container() {
    let engine = Engine::of_this_machine();
    let (first, second) = (unique("svc"), unique("svc"));
    let stand = Stand::start(&engine.host, |_| {}).await;
    let (_kept, ended) = (engine.service(&first), engine.service(&second));
    stand.registered(&second).await;
    let created = stand.registered(&first).await.created;
    let catalog = stand.catalog.clone();
    stand.stop().await;
    ended.docker(&["kill"]);
    assert_eq!(health_of(&catalog.snapshot(), &second).len(), 1, "nobody was there to remove it");
    let stand = Stand::with_catalog(catalog, &engine.host, |_| {});
    stand.gone(&second).await;
    assert_eq!(stand.registered(&first).await.created, created);
}

/// A network with IPv6, removed when dropped.
struct Ipv6Network {
    engine: Engine,
    name: String,
    prefix: String,
}

impl Ipv6Network {
    fn make(engine: Engine) -> Self {
        // Somewhere in fd00::/8 where nobody else is.
        let place = std::process::id();
        let (name, prefix) = (unique("v6"), format!("fd77:{:x}:{:x}", place >> 16, place & 0xffff));
        engine.docker(&["network", "create", "--ipv6", "--subnet", &format!("{prefix}::/64"), &name]);
        Self { engine, name, prefix }
    }
}

impl Drop for Ipv6Network {
    fn drop(&mut self) {
        let _ = self.engine.try_docker(&["network", "rm", &self.name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_registered_and_checked_at_the_ipv6_address_it_asks_for() {
    let network = Ipv6Network::make(Engine::of_this_machine());
    let stand = Stand::start(&network.engine.host, |config| config.internal = true).await;
    let (service, address) = (unique("svc"), format!("{}::77", network.prefix));
    let address = address.parse::<std::net::Ipv6Addr>().unwrap().to_string();
    let labels = [
        format!("SERVICE_NAME={service}"),
        format!("SERVICE_ADDRESS={address}"),
        "SERVICE_CHECK_HTTP=/health".to_owned(),
    ];
    let mut arguments = vec!["--network", &network.name, "--ip6", &address, "--expose", "8080"];
    arguments.extend(labels.iter().flat_map(|label| ["--label", label]));
    let container = network.engine.run("v6", &arguments, ENDS_WHEN_ASKED);
    let instance = stand.registered(&service).await;
    assert_eq!((instance.address.as_str(), instance.port), (address.as_str(), 8080));
    let state = stand.catalog.snapshot();
    let asked: Vec<_> =
        state.checks_of(NODE, &instance.id).iter().map(|check| format!("{:?}", check.probe)).collect();
    assert!(
        asked.iter().any(|probe| probe.contains(&format!("http://[{address}]:8080/health"))),
        "{asked:?}"
    );
    drop(container);
    stand.gone(&service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_published_at_an_ipv6_address_of_the_host_is_registered_there() {
    let (engine, stand) = stand().await;
    let service = unique("svc");
    let label = format!("SERVICE_NAME={service}");
    let container = engine.run("v6", &["--label", &label, "-p", "[::1]::8080"], ENDS_WHEN_ASKED);
    let instance = stand.registered(&service).await;
    let published = container.engine().docker(&["port", &container.name, "8080/tcp"]);
    assert_eq!((instance.address.as_str(), published), ("::1", format!("[::1]:{}", instance.port)));
}
