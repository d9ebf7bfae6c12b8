//! Serves the API over an empty in-memory catalog, with checks running:
//! `serve [ADDRESS [NODE]]`.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Timestamp, store::Memory};
use wharf_catalog_http::{Answers, Api, Config, Hooks, agent_node, router};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address: SocketAddr =
        std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8500".to_owned()).parse()?;
    let clock = wall_clock();
    let node_name = std::env::args().nth(2).unwrap_or_else(|| "testhost".to_owned());
    let config = Arc::new(Config {
        node_name: node_name.into(),
        node_id: uuid::Uuid::new_v4().to_string(),
        ..Config::default()
    });
    let catalog = Catalog::open(Box::new(Memory), clock.clone())?;
    catalog.commit(agent_node(&config)).await?;
    let (outcomes, mut ignored) = mpsc::channel(1024);
    tokio::spawn(async move { while ignored.recv().await.is_some() {} });
    let (checks, runner) = wharf_catalog_checks::checks(
        catalog.clone(),
        clock.clone(),
        outcomes,
        config.node_name.clone(),
        wharf_catalog_checks::Config::default(),
    );
    tokio::spawn(runner.run(CancellationToken::new()));
    let api = Api { catalog, checks, clock, config, answers: Answers::default(), hooks: Hooks::default() };
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router(api)).await?;
    Ok(())
}

#[allow(clippy::disallowed_methods, reason = "an example has no clock of its own to ask")]
fn wall_clock() -> Clock {
    Clock::new(|| {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    })
}
