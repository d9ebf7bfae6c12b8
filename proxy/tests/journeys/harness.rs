//! A proxy with its catalog, backends to put behind it, and clients that see every byte.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Timestamp, store};
use wharf_proxy::{Config, Proxy};

/// Longest any condition may take to come true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never came true: {what}"));
}

/// A catalog in memory and a proxy that follows it.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) proxy: Proxy,
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) running: JoinHandle<()>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let catalog = Catalog::open(Box::new(store::Memory), Clock::fixed(Timestamp(0))).unwrap();
        let proxy = Proxy::new(config, catalog.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn({
            let (proxy, shutdown) = (proxy.clone(), shutdown.clone());
            async move { proxy.run(vec![listener], shutdown).await }
        });
        let world = Self { catalog, proxy, address, shutdown, running };
        world.commit(vec![Command::PutNode(Node::new("n1", "127.0.0.1"))]).await;
        world
    }

    /// A world with one service `web` on these backends.
    pub(crate) async fn serving(backends: &[&Backend]) -> Self {
        let world = Self::start().await;
        for backend in backends {
            world.register("web", &backend.name, backend.address).await;
        }
        world
    }

    /// Commits, and waits until the routes know it.
    pub(crate) async fn commit(&self, commands: Vec<Command>) {
        let index = self.catalog.commit(commands).await.unwrap().index;
        until("the proxy follows", || self.proxy.table().index() >= index).await;
    }

    pub(crate) async fn register(&self, service: &str, id: &str, address: SocketAddr) {
        let instance = Instance {
            address: address.ip().to_string(),
            port: address.port(),
            ..Instance::new("n1", id, service)
        };
        self.commit(vec![Command::PutInstance(instance)]).await;
    }

    pub(crate) async fn drain(&self, id: &str) {
        let check = Check::maintenance(&"n1".into(), &id.into(), "draining: SIGTERM");
        self.commit(vec![Command::PutCheck(check, CheckStatusOnPut::Set)]).await;
    }

    pub(crate) async fn remove(&self, id: &str) {
        self.commit(vec![Command::DeleteInstance("n1".into(), id.into())]).await;
    }

    /// One request on a connection of its own, as written; the whole answer as it came.
    pub(crate) async fn ask(&self, request: &str) -> String {
        ask(self.address, request).await
    }

    /// GET of `path` with `Host: localhost`: status and body.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "").await
    }

    /// A request with a body (if not empty) on a connection of its own: status and body.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{length}\r\n");
        split(&self.ask(&format!("{head}{body}")).await)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

pub(crate) async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer in time");
    read.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&answer)));
    String::from_utf8(answer).unwrap()
}

/// Status and body of an answer with a plain body.
pub(crate) fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// Reads until `end` has come.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(end) {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).await.unwrap();
            assert!(length > 0, "ended before {end:?}: {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..length]);
        }
    };
    timeout(PATIENCE, reading).await.expect("in time");
    String::from_utf8_lossy(&seen).into_owned()
}

/// A hyper server that answers with its name, or as the path says:
/// `/head` its request's head, `/slow` after [`Backend::release`], `/echo` the request's body.
pub(crate) struct Backend {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) served: Arc<AtomicUsize>,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) slow: Arc<Slow>,
    dead: CancellationToken,
}

/// What the slow path waits for, and who waits.
pub(crate) struct Slow {
    pub(crate) waiting: AtomicUsize,
    pub(crate) given_up: AtomicUsize,
    release: Semaphore,
    changed: Notify,
}

impl Backend {
    pub(crate) async fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            name: name.to_owned(),
            address: listener.local_addr().unwrap(),
            served: Arc::default(),
            connections: Arc::default(),
            slow: Arc::new(Slow {
                waiting: AtomicUsize::new(0),
                given_up: AtomicUsize::new(0),
                release: Semaphore::new(0),
                changed: Notify::new(),
            }),
            dead: CancellationToken::new(),
        };
        tokio::spawn(backend.serve(listener));
        backend
    }

    /// As `docker kill`: the listener and every connection are gone at once.
    pub(crate) fn kill(&self) {
        self.dead.cancel();
    }

    pub(crate) fn served(&self) -> usize {
        self.served.load(SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(crate) fn release(&self) {
        self.slow.release.add_permits(1);
    }

    pub(crate) async fn somebody_waits(&self) {
        until("a request waits", || self.slow.waiting.load(SeqCst) > 0).await;
    }

    fn serve(&self, listener: TcpListener) -> impl Future<Output = ()> + use<> {
        let (name, served, slow) = (self.name.clone(), self.served.clone(), self.slow.clone());
        let (dead, connections) = (self.dead.clone(), self.connections.clone());
        async move {
            let mut tasks = JoinSet::new();
            loop {
                let stream = tokio::select! {
                    accepted = listener.accept() => accepted.unwrap().0,
                    () = dead.cancelled() => return,
                };
                let (name, served, slow) = (name.clone(), served.clone(), slow.clone());
                let service = service_fn(move |request| {
                    served.fetch_add(1, SeqCst);
                    respond(name.clone(), slow.clone(), request)
                });
                let open = Counted::new(&connections);
                tasks.spawn(async move {
                    let _open = open;
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

async fn respond(
    name: String,
    slow: Arc<Slow>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let text = match &*path {
        "/head" => format!("{} {:?}\n{:#?}", request.method(), request.uri(), request.headers()),
        "/slow" => {
            let waiter = Waiter { slow: slow.clone(), done: false };
            slow.waiting.fetch_add(1, SeqCst);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            slow.release.acquire().await.unwrap().forget();
            waiter.done();
            format!("{name} slept on {}", String::from_utf8_lossy(&body))
        }
        "/echo" => {
            String::from_utf8(request.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
        }
        "/missing" => {
            let mut response = Response::new(Full::from("not here"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Ok(response);
        }
        _ if request.method() == Method::OPTIONS => format!("{name} {}", request.uri()),
        _ => name,
    };
    Ok(Response::new(Full::from(text)))
}

/// Tells whether a slow request was waited out or cancelled.
struct Waiter {
    slow: Arc<Slow>,
    done: bool,
}

impl Waiter {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.slow.waiting.fetch_sub(1, SeqCst);
        if !self.done {
            self.slow.given_up.fetch_add(1, SeqCst);
        }
        self.slow.changed.notify_waiters();
    }
}

/// A server that does with each connection what `serve` says; counts them.
pub(crate) async fn raw_backend<F>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, accepted)
}

/// An address nobody listens at.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
