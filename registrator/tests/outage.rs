//! The engine goes away and comes back; the registrator never does.

mod harness;

use harness::{
    Engine, Stand,
    engine::{ENDS_WHEN_ASKED, Private},
    log::Log,
    relay::Relay,
    unique,
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Timestamp, store::Memory};
use wharf_registrator::{
    Config,
    registry::{Held, Refusal, Registry, RegistryError},
};

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_it_says_so_once_and_finds_it_when_it_comes() {
    let log = Log::capture();
    let engine = Engine::of_this_machine();
    let mut relay = Relay::new(&engine.host);
    let stand =
        Stand::start(&relay.host(), |config| config.reconnect_max = std::time::Duration::from_millis(50))
            .await;
    log.until("services can be registered over HTTP; retrying").await;
    let service = unique("svc");
    let _container = engine.service(&service);
    assert!(stand.runs());
    relay.up();
    stand.registered(&service).await;
    log.until("connected to the Docker engine").await;
    assert_eq!((log.count("WARN"), log.count("no Docker engine at")), (1, 1), "{}", log.text());
    assert!(log.text().contains(&relay.host()));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_engine_is_away_entries_stay_and_afterwards_what_was_missed_is_made_up_for() {
    let log = Log::capture();
    let engine = Engine::of_this_machine();
    let mut relay = Relay::new(&engine.host);
    relay.up();
    let stand = Stand::start(&relay.host(), |_| {}).await;
    let [stays, ends, comes] = ["stays", "ends", "comes"].map(unique);
    let (_stays, gone) = (engine.service(&stays), engine.service(&ends));
    let created = stand.registered(&stays).await.created;
    stand.registered(&ends).await;
    relay.cut().await;
    log.until("lost the Docker engine").await;
    gone.docker(&["kill"]);
    let _comes = engine.service(&comes);
    assert_eq!(stand.registered(&ends).await.name, ends.as_str().into());
    relay.up();
    stand.registered(&comes).await;
    stand.gone(&ends).await;
    assert_eq!(stand.registered(&stays).await.created, created);
    assert_eq!((log.count("lost the Docker engine"), log.count("the Docker engine is back")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_engine_is_followed_by_itself() {
    let mut private = Private::new();
    private.start().await;
    let stand = Stand::start(&private.engine.host, |_| {}).await;
    let [once, always, new] = ["once", "always", "new"].map(unique);
    let run = |engine: &Engine, service: &str, restart: &str| {
        let label = format!("SERVICE_NAME={service}");
        let arguments = ["-p", "8080", "--label", &label, "--restart", restart];
        engine.run("host", &arguments, ENDS_WHEN_ASKED)
    };
    let _containers = [run(&private.engine, &once, "no"), run(&private.engine, &always, "always")];
    stand.registered(&once).await;
    stand.registered(&always).await;
    private.stop();
    private.start().await;
    stand.gone(&once).await;
    stand.registered(&always).await;
    let _new = run(&private.engine, &new, "no");
    stand.registered(&new).await;
    assert!(stand.runs());
}

/// A catalog that always has news, and counts how often somebody listens.
struct Restless {
    held: wharf_registrator::Embedded,
    heard: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

impl Registry for Restless {
    async fn snapshot(&self) -> Result<Held, RegistryError> {
        self.held.snapshot().await
    }

    async fn commit(&self, commands: Vec<Command>) -> Result<Vec<Refusal>, RegistryError> {
        self.held.commit(commands).await
    }

    async fn changed(&self) {
        self.heard.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tokio::task::yield_now().await;
    }

    fn is_local(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn news_of_the_catalog_keep_nobody_busy_who_has_no_engine() {
    let clock = Clock::fixed(Timestamp(0));
    let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
    let config = Config { docker_host: Some("unix:///nonexistent.sock".to_owned()), ..Config::default() };
    let heard = std::sync::Arc::<std::sync::atomic::AtomicU64>::default();
    let held = wharf_registrator::Embedded::new(catalog, &config.node);
    let registry = Restless { held, heard: heard.clone() };
    let running = wharf_registrator::run(config, registry, clock, CancellationToken::new());
    // Long enough to try the engine a few times.
    assert!(tokio::time::timeout(std::time::Duration::from_millis(400), running).await.is_err());
    assert_eq!(heard.load(std::sync::atomic::Ordering::Relaxed), 0, "nothing is known to compare with");
}
