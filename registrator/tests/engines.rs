//! Engines of other sorts: behind a proxy that allows little, a swarm, Podman; and the networks they offer.

mod harness;

use std::time::Duration;

use harness::{
    Engine, HOST, NODE, Stand,
    engine::{ENDS_WHEN_ASKED, IMAGE, Private},
    gate::Gate,
    podman::Podman,
    unique,
};
use wharf_catalog::{Health, ProbeKind};

#[tokio::test(flavor = "multi_thread")]
async fn reads_of_containers_and_events_are_all_that_is_asked_of_the_socket() {
    let engine = Engine::of_this_machine();
    let gate = Gate::before(&engine.host);
    let stand =
        Stand::start(&gate.host(), |config| config.reconcile_interval = Duration::from_millis(100)).await;
    let service = unique("svc");
    let mut container = engine.service(&service);
    stand.registered(&service).await;
    container.docker(&["pause"]);
    container.docker(&["unpause"]);
    let name = unique("renamed");
    engine.docker(&["rename", &container.name, &name]);
    container.name = name;
    container.docker(&["kill"]);
    stand.gone(&service).await;
    let asked = gate.asked();
    assert!(asked.iter().any(|(line, _)| line.contains("/events")));
    let refused: Vec<_> = asked.iter().filter(|(_, allowed)| !allowed).collect();
    assert!(refused.is_empty(), "asked for more than it may: {refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_user_defined_network_host_goes_with_host_port_and_container_with_container_port() {
    let engine = Engine::of_this_machine();
    let network = Network::on(&engine);
    let inside = |container: &str| {
        let format = format!("{{{{(index .NetworkSettings.Networks \"{}\").IPAddress}}}}", network.name);
        engine.docker(&["inspect", "-f", &format, container])
    };
    let [published, chosen] = ["published", "chosen"].map(unique);
    let run = |service: &str, label: &str| {
        let service = format!("SERVICE_NAME={service}");
        let arguments = [
            "--network",
            &network.name,
            "--label",
            &service,
            "--label",
            label,
            "--expose",
            "9090",
            "-p",
            "8080",
        ];
        engine.run("net", &arguments, ENDS_WHEN_ASKED)
    };
    let one = run(&published, "x=y");
    let other = run(&chosen, &format!("SERVICE_8080_NETWORK={}", network.name));
    let stand = Stand::start(&engine.host, |_| {}).await;
    let instance = stand.registered(&published).await;
    let port = engine.docker(&["port", &one.name, "8080/tcp"]);
    assert_eq!(instance.address, "127.0.0.1");
    assert!(port.contains(&format!(":{}", instance.port)), "{port}");
    let state = stand.catalog.snapshot();
    let check = state.check(NODE, &format!("service:{}", instance.id)).unwrap().clone();
    assert_eq!(
        check.probe.clone().unwrap().kind,
        ProbeKind::Tcp { address: format!("{}:8080", inside(&one.name)) }
    );
    let instance = stand.registered(&chosen).await;
    assert_eq!((instance.address.clone(), instance.port), (inside(&other.name), 8080));
    engine.docker(&["network", "disconnect", &network.name, &other.name]);
    stand.gone(&chosen).await;
    engine.docker(&["network", "connect", &network.name, &other.name]);
    stand.registered(&chosen).await;
}

/// A network, removed when dropped.
struct Network<'a> {
    engine: &'a Engine,
    name: String,
}

impl<'a> Network<'a> {
    fn on(engine: &'a Engine) -> Self {
        let name = unique("net");
        engine.docker(&["network", "create", &name]);
        Self { engine, name }
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        let attached = self.engine.try_docker(&["ps", "-aq", "--filter", &format!("network={}", self.name)]);
        for container in attached.unwrap_or_default().lines() {
            let _ = self.engine.try_docker(&["rm", "-f", container]);
        }
        let _ = self.engine.try_docker(&["network", "rm", &self.name]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_hosts_network_and_on_another_containers_exposed_ports_are_registered() {
    let engine = Engine::of_this_machine();
    let [host, own, sidecar] = ["host", "own", "sidecar"].map(unique);
    let label = |service: &str| format!("SERVICE_NAME={service}");
    let stand = Stand::start(&engine.host, |_| {}).await;
    let arguments = ["--network", "host", "--label", &label(&host), "--expose", "9071"];
    let _host = engine.run("host", &arguments, ENDS_WHEN_ASKED);
    let instance = stand.registered(&host).await;
    assert_eq!((instance.address.as_str(), instance.port), ("127.0.0.1", 9071));
    let owner = engine.run("own", &["--label", &label(&own), "-p", "8080"], ENDS_WHEN_ASKED);
    stand.registered(&own).await;
    let image = format!("{}:1", unique("exposes"));
    engine.docker(&["commit", "--change", "EXPOSE 9072", &owner.name, &image]);
    let mode = format!("container:{}", owner.name);
    let arguments = ["--network", &mode, "--label", &format!("SERVICE_9072_NAME={sidecar}")];
    let other = engine.run_image(&image, "side", &arguments, ENDS_WHEN_ASKED);
    let instance = stand.registered(&sidecar).await;
    let address =
        engine.docker(&["inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", &owner.name]);
    assert_eq!((instance.address.clone(), instance.port), (address, 9072));
    drop(other);
    engine.docker(&["rmi", &image]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_a_swarm_have_their_node_their_vip_and_the_ports_of_the_swarm() {
    let mut private = Private::new();
    private.start().await;
    let engine = &private.engine;
    engine.docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
    engine.docker(&["network", "create", "-d", "overlay", "front"]);
    let stand = Stand::start(&engine.host, |_| {}).await;
    let service = unique("swarm");
    let label = format!("SERVICE_NAME={service}");
    engine.docker(&[
        "service",
        "create",
        "-d",
        "--name",
        "web",
        "--label",
        &label,
        "--network",
        "front",
        "--replicas",
        "2",
        "--publish",
        "30080:8080",
        "--no-resolve-image",
        IMAGE,
        "/bin/sh",
        "-c",
        ENDS_WHEN_ASKED,
    ]);
    let two = |state: &wharf_catalog::State| state.service(&service).count() == 2;
    let state = stand.until("two tasks", two).await;
    let node = engine.docker(&["info", "-f", "{{.Name}}"]);
    let vips = engine.docker(&[
        "service",
        "inspect",
        "-f",
        "{{range .Endpoint.VirtualIPs}}{{.Addr}} {{end}}",
        "web",
    ]);
    for instance in state.service(&service) {
        assert!(instance.id.starts_with(&format!("{HOST}:web.")), "{}", instance.id);
        assert_eq!((instance.address.as_str(), instance.port), ("127.0.0.1", 30080));
        assert_eq!(instance.meta["swarm_node"], node);
        let vip = &instance.tagged_addresses["vip"];
        assert!(vips.contains(&format!("{}/", vip.address)) && vip.port == 8080, "{vips} {vip:?}");
    }
    let renamed = unique("swarm");
    engine.docker(&["service", "update", "-d", "--label-add", &format!("SERVICE_NAME={renamed}"), "web"]);
    stand.until("the new label", |state| state.service(&renamed).count() == 2).await;
    engine.docker(&["service", "rm", "web"]);
    stand.gone(&renamed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn podman_is_followed_in_its_own_dialect() {
    let podman = match Podman::start().await {
        Ok(podman) => podman,
        Err(reason) => {
            eprintln!("not run, the recorded events of src/event.rs have to do: {reason}");
            return;
        }
    };
    let stand = Stand::start(&podman.host(), |_| {}).await;
    let service = unique("pod");
    let label = format!("SERVICE_NAME={service}");
    let limits = ["--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000"];
    let run = ["run", "-d", "--name", "one", "--label", &label, "-p", "8080"];
    let image = ["wharf-registrator-test:1", "/bin/sh", "-c", ENDS_WHEN_ASKED];
    if let Err(reason) = podman.try_podman(&[&run[..], &limits[..], &image[..]].concat()) {
        eprintln!("not run, Podman runs no containers here: {reason}");
        return;
    }
    let instance = stand.registered(&service).await;
    assert_eq!(*instance.id, *format!("{HOST}:one:8080"));
    let port = podman.podman(&["port", "one", "8080/tcp"]);
    assert!(port.ends_with(&format!(":{}", instance.port)), "{port}");
    podman.podman(&["pause", "one"]);
    stand.healthy(&service, Health::Maintenance).await;
    podman.podman(&["unpause", "one"]);
    stand.healthy(&service, Health::Critical).await;
    podman.podman(&["rename", "one", "two"]);
    let id = format!("{HOST}:two:8080");
    let renamed = |state: &wharf_catalog::State| {
        state.service(&service).count() == 1 && state.instance(NODE, &id).is_some()
    };
    stand.until("the new name", renamed).await;
    podman.podman(&["stop", "-t", "1", "two"]);
    stand.gone(&service).await;
}
