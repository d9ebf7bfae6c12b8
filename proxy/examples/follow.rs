//! How long from a commit in the catalog until an external balancer answers from the new set? Real programs,
//! all in one run: `cargo run --release -p wharf-proxy --example follow [rounds]`.
//!
//! "moves": a service's only instance gets another address; time to the first answer from there and to the last
//! one from the old place. "leaves": one of two instances is drained; time to its last answer.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is there to be read")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has to say where")]

#[path = "../../tests/harness/balancer.rs"]
#[allow(dead_code, unreachable_pub, missing_docs, reason = "the tests use more of it")]
mod balancer;

use std::{net::SocketAddr, time::Duration};

use balancer::{Balancer, Kind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use wharf_catalog::{Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, Timestamp, store};
use wharf_proxy::{Config, Proxy, balancers};
use wharf_proxy_drivers::{Condition, Statuses};

/// No answer from the old place for this long: it was the last one.
const CALM: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(10);
    println!(
        "{:8} {:>16} {:>16} {:>16}  ({rounds} rounds, medians in ms)",
        "", "moves: first new", "last old", "leaves: last old"
    );
    let mut first = None;
    for kind in [Kind::Haproxy, Kind::Nginx, Kind::Varnish] {
        let stage = Stage::set(kind).await;
        let (mut news, mut olds, mut leaves) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (new, old) = stage.moves().await;
            news.push(new);
            olds.push(old);
            leaves.push(stage.leaves().await);
        }
        let figures = [median(news), median(olds), median(leaves)];
        let base = *first.get_or_insert(figures);
        print!("{:8}", kind.name());
        for (figure, base) in figures.iter().zip(base) {
            print!(" {figure:8.1} ({:4.1}x)", figure / base.max(0.01));
        }
        println!();
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

struct Stage {
    balancer: Balancer,
    catalog: Catalog,
    stop: CancellationToken,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stage {
    async fn set(kind: Kind) -> Self {
        let mut balancer = Balancer::prepare(kind);
        let keys = format!("[{}]\n{}reload_burst = 1000\n", kind.name(), balancer.keys());
        let config: Config = toml::from_str(&keys).unwrap();
        let clock = Clock::fixed(Timestamp(1));
        let catalog = Catalog::open(Box::new(store::Memory), clock.clone()).unwrap();
        let (proxy, statuses, stop) =
            (Proxy::new(config, catalog.clone()), Statuses::default(), CancellationToken::new());
        // The embedded balancer listens nowhere; its table is what the others follow.
        let (running, run_stop) = (proxy.clone(), stop.clone());
        tokio::spawn(async move { running.run(Vec::new(), run_stop).await });
        let (told, follow_stop) = (statuses.clone(), stop.clone());
        tokio::spawn(async move { balancers::follow(&proxy, clock, told, follow_stop).await });
        while !balancer.file().exists() {
            sleep(Duration::from_millis(5)).await;
        }
        balancer.start();
        while statuses.of(kind.name()).is_none_or(|status| status.condition != Condition::Current) {
            sleep(Duration::from_millis(5)).await;
        }
        let stage = Self { balancer, catalog, stop };
        stage.catalog.commit(vec![Command::PutNode(Node::new("n", "127.0.0.1"))]).await.unwrap();
        stage
    }

    async fn put(&self, id: &str, address: SocketAddr) {
        let mut instance = Instance::new("n", id, "web");
        (instance.address, instance.port) = (address.ip().to_string(), address.port());
        self.catalog.commit(vec![Command::PutInstance(instance)]).await.unwrap();
    }

    async fn moves(&self) -> (Duration, Duration) {
        let ((from, old), (to, new)) = (server().await, server().await);
        self.put("moving", from).await;
        self.answered(&old).await;
        let begun = Instant::now();
        self.put("moving", to).await;
        self.answered(&new).await;
        let first = begun.elapsed();
        (first, self.last(&old, begun).await.unwrap_or(first).max(Duration::ZERO))
    }

    async fn leaves(&self) -> Duration {
        let ((stays, name), (goes, other)) = (server().await, server().await);
        self.put("moving", stays).await;
        self.put("leaving", goes).await;
        self.answered(&name).await;
        self.answered(&other).await;
        let drain = Check::maintenance(&"n".into(), &"leaving".into(), "draining: measured");
        let begun = Instant::now();
        self.catalog.commit(vec![Command::PutCheck(drain, CheckStatusOnPut::Set)]).await.unwrap();
        let last = self.last(&other, begun).await.unwrap_or_default();
        let gone = Command::DeleteInstance("n".into(), "leaving".into());
        self.catalog.commit(vec![gone]).await.unwrap();
        last
    }

    /// Waits until `name` answers.
    async fn answered(&self, name: &str) {
        while self.ask().await != name {}
    }

    /// When `name` answered for the last time, counted from `begun`.
    async fn last(&self, name: &str, begun: Instant) -> Option<Duration> {
        let (mut last, mut seen) = (None, Instant::now());
        while seen.elapsed() < CALM {
            if self.ask().await == name {
                seen = Instant::now();
                last = Some(begun.elapsed());
            }
        }
        last
    }

    async fn ask(&self) -> String {
        let mut answer = Vec::new();
        if let Ok(mut stream) = TcpStream::connect(self.balancer.listen).await {
            let asked = b"GET /web/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            let _ = stream.write_all(asked).await;
            let _ = stream.read_to_end(&mut answer).await;
        }
        let answer = String::from_utf8_lossy(&answer);
        answer.rsplit("I am ").next().unwrap_or_default().trim().to_owned()
    }
}

/// A server that answers with its own port.
async fn server() -> (SocketAddr, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let name = address.port().to_string();
    let body = format!("I am {name}\n");
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(1..) = stream.read(&mut buffer).await {
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    (address, name)
}
