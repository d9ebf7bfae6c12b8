//! A catalog with wharf's HTTP API in front, that can lose its memory or go away.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};
use wharf_catalog::{Catalog, store::Memory};
use wharf_catalog_http::client::Client;

use super::{NODE, clock};

/// Where it listens.
pub enum Place {
    Anywhere,
    At(SocketAddr),
}

/// It, being served on threads of its own, so that its connections end with it.
pub struct Served {
    pub catalog: Catalog,
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Served {
    pub async fn start(place: Place) -> Self {
        Self::serve(empty(), place).await
    }

    /// It is away, and its connections with it.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// It is back as it was.
    pub async fn again(&mut self) {
        let (catalog, address) = (self.catalog.clone(), self.address);
        *self = Self::serve(catalog, Place::At(address)).await;
    }

    /// It is back, and remembers nothing.
    pub async fn again_without_memory(&mut self) {
        let address = self.address;
        *self = Self::serve(empty(), Place::At(address)).await;
    }

    async fn serve(catalog: Catalog, place: Place) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = match place {
            Place::Anywhere => "127.0.0.1:0".parse().unwrap(),
            Place::At(address) => address,
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.spawn(bind(address)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = Arc::new(wharf_catalog_http::Config {
            node_name: NODE.into(),
            advertise_addr: address.ip(),
            enable_script_checks: true,
            ..wharf_catalog_http::Config::default()
        });
        catalog.commit(wharf_catalog_http::agent_node(&config)).await.unwrap();
        let (outcomes, _) = tokio::sync::mpsc::channel(64);
        let checks = wharf_catalog_checks::Config::default();
        let (checks, runner) =
            wharf_catalog_checks::checks(catalog.clone(), clock(), outcomes, NODE.into(), checks);
        // Nobody runs them: what they say is what the tests say.
        drop(runner);
        let api = wharf_catalog_http::Api {
            catalog: catalog.clone(),
            checks,
            clock: clock(),
            config,
            hooks: wharf_catalog_http::Hooks::default(),
            answers: wharf_catalog_http::Answers::default(),
        };
        let app = wharf_catalog_http::router(api);
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { catalog, address, runtime: Some(runtime) }
    }

    pub fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address)).unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

fn empty() -> Catalog {
    Catalog::open(Box::new(Memory), clock()).unwrap()
}

/// The port of an earlier one may still be taken for a moment.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}
