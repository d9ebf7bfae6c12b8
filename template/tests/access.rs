//! Templates over a catalog behind TLS that wants to see a certificate, and behind a Unix socket: real listeners.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking, as its body does")]

use std::{fs, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use axum::{Router, serve::Listener};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Clock, Command, Instance, Node, Timestamp, store::Memory};
use wharf_catalog_http::{
    Answers, Api, Config as Agent, Hooks, agent_node,
    client::{Access, Client},
    router,
};
use wharf_template::{Config, Mirror, MirrorConfig, Source, Statuses, TemplateConfig, run};

const PATIENCE: Duration = Duration::from_secs(60);

async fn catalog() -> (Catalog, Router) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock = Clock::fixed(Timestamp(1));
    let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
    let config = Arc::new(Agent { node_name: "agent".into(), ..Agent::default() });
    catalog.commit(agent_node(&config)).await.unwrap();
    put(&catalog, "a").await;
    let (outcomes, _) = tokio::sync::mpsc::channel(8);
    let (name, rules) = (config.node_name.clone(), wharf_catalog_checks::Config::default());
    let (checks, _) = wharf_catalog_checks::checks(catalog.clone(), clock.clone(), outcomes, name, rules);
    let (answers, hooks) = (Answers::default(), Hooks::default());
    (catalog.clone(), router(Api { catalog, checks, clock, config, answers, hooks }))
}

async fn put(catalog: &Catalog, id: &str) {
    let commands = vec![
        Command::PutNode(Node::new("n", "10.0.0.1")),
        Command::PutInstance(Instance::new("n", id, "web")),
    ];
    catalog.commit(commands).await.unwrap();
}

/// Authorities, and what they signed.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Signer {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key.
    fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let cert =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (cert, key)
    }

    /// As one PEM text.
    fn identity(&self, name: &str) -> Vec<u8> {
        let (cert, key) = self.sign(name);
        format!("{}\n{}", cert.pem(), key.serialize_pem()).into_bytes()
    }

    /// A server that wants a certificate of the same authority.
    fn server(&self) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        let (cert, key) = self.sign("localhost");
        let authority = rustls::pki_types::CertificateDer::from(pem_bytes(&self.pem));
        roots.add(authority).unwrap();
        let clients = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_client_cert_verifier(clients);
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![cert.der().clone()], key).unwrap()))
    }
}

fn pem_bytes(pem: &str) -> Vec<u8> {
    use base64::Engine;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::prelude::BASE64_STANDARD.decode(body).unwrap()
}

struct Encrypted(TcpListener, TlsAcceptor);

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // A client that does not speak TLS, or shows nothing, is not let in.
            if let Ok((stream, from)) = self.0.accept().await
                && let Ok(stream) = self.1.accept(stream).await
            {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A file kept up to date from there.
fn follow(access: &Access, file: &Path, stop: &CancellationToken) -> Mirror {
    let client = Client::open(access).unwrap();
    let config = MirrorConfig { max_backoff: Duration::from_millis(200), ..MirrorConfig::default() };
    let mirror = Mirror::new(client, config);
    let text = "{{#each (service \"web\")}}{{id}} {{/each}}".to_owned();
    let templates = vec![TemplateConfig::new(Source::Text(text), file.to_owned())];
    let config = Config { templates, ..Config::default() };
    let clock = Clock::fixed(Timestamp(1));
    tokio::spawn(run(config, mirror.clone(), clock, Statuses::default(), stop.clone()));
    mirror
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn shows(file: &Path, text: &str) {
    until(text, || fs::read_to_string(file).is_ok_and(|now| now == text)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_behind_tls_is_followed_by_who_shows_a_certificate() {
    let (catalog, api) = catalog().await;
    let (ours, others) = (Signer::new("ours"), Signer::new("others"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = ours.server();
    tokio::spawn(async move { axum::serve(Encrypted(listener, acceptor), api).await });
    let folder = tempfile::tempdir().unwrap();
    let stop = CancellationToken::new();
    // Several authorities in one bundle, as `ca_path` makes it.
    let bundle = format!("{}\n{}", others.pem, ours.pem).into_bytes();
    let access = |authorities: Vec<u8>, identity| Access {
        url: url.clone(),
        authorities: Some(authorities),
        identity,
        ..Access::default()
    };
    let file = folder.path().join("good");
    let _mirror = follow(&access(bundle.clone(), Some(ours.identity("client"))), &file, &stop);
    shows(&file, "a ").await;
    put(&catalog, "b").await;
    shows(&file, "a b ").await;
    for (name, refused) in [
        ("nothing to show", access(bundle.clone(), None)),
        ("a certificate of somebody else's", access(bundle, Some(others.identity("client")))),
        (
            "an authority that did not sign the server's",
            access(others.pem.into_bytes(), Some(ours.identity("client"))),
        ),
    ] {
        let file = folder.path().join(name);
        let mirror = follow(&refused, &file, &stop);
        until(name, || mirror.outage().is_some()).await;
        assert!(!file.exists(), "{name}");
    }
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_behind_a_unix_socket_is_followed() {
    let (catalog, api) = catalog().await;
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("consul.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move { axum::serve(listener, api).await });
    let (file, stop) = (folder.path().join("out"), CancellationToken::new());
    let access = Access { url: format!("unix://{}", socket.display()), ..Access::default() };
    let _mirror = follow(&access, &file, &stop);
    shows(&file, "a ").await;
    put(&catalog, "b").await;
    shows(&file, "a b ").await;
    stop.cancel();
}
