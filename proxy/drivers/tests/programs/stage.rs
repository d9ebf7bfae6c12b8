//! A real program that follows routes which a test sets, before servers that say who they are.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use wharf_catalog::{Clock, Timestamp};
use wharf_proxy_drivers::{Balancers, Candidate, Condition, Routes, Status, Statuses};

use crate::balancer::{Balancer, Kind};

const PATIENCE: Duration = Duration::from_secs(60);

/// The programs there are.
pub const EACH: [Kind; 3] = [Kind::Nginx, Kind::Haproxy, Kind::Varnish];

/// One program and its driver.
pub struct Stage {
    pub balancer: Balancer,
    routes: watch::Sender<Arc<Routes>>,
    statuses: Statuses,
    stop: DropGuard,
}

/// The settings of `balancer`, with `more` keys laid over them.
pub fn settings(balancer: &Balancer, more: &str) -> Balancers {
    let mut keys: toml::Table = toml::from_str(&balancer.keys()).unwrap();
    keys.extend(toml::from_str::<toml::Table>(more).unwrap());
    let mut all = Balancers::default();
    match balancer.kind {
        Kind::Nginx => all.nginx = Some(keys.try_into().unwrap()),
        Kind::Haproxy => all.haproxy = Some(keys.try_into().unwrap()),
        Kind::Varnish => all.varnish = Some(keys.try_into().unwrap()),
    }
    all
}

impl Stage {
    /// The program runs and has these routes.
    pub async fn set(kind: Kind, more: &str, routes: Routes) -> Self {
        let mut stage = Self::begin(Balancer::prepare(kind), more, routes);
        let file = stage.balancer.file();
        until("the file", async || file.exists()).await;
        stage.balancer.start();
        until("current", async || stage.status().condition == Condition::Current).await;
        stage
    }

    fn begin(balancer: Balancer, more: &str, routes: Routes) -> Self {
        let (sender, receiver) = watch::channel(Arc::new(routes));
        let (statuses, stop) = (Statuses::default(), CancellationToken::new());
        let config = settings(&balancer, more);
        let clock = Clock::fixed(Timestamp(1));
        tokio::spawn(wharf_proxy_drivers::run(config, receiver, clock, statuses.clone(), stop.clone()));
        Self { balancer, routes: sender, statuses, stop: stop.drop_guard() }
    }

    /// Ends the driver (not the program) and starts another one, as a restart of wharf does.
    pub fn begin_again(self, more: &str, routes: Routes) -> Self {
        drop(self.stop);
        Self::begin(self.balancer, more, routes)
    }

    /// As [`Self::begin_again`], and waits until the routes are followed.
    pub async fn restart_driver(self, more: &str, routes: Routes) -> Self {
        let stage = self.begin_again(more, routes);
        let followed = [Condition::Current, Condition::Held];
        until("followed", async || stage.seen().is_some_and(|status| followed.contains(&status.condition)))
            .await;
        stage
    }

    /// Ends the program and starts it, as somebody else might.
    pub async fn restart_program(&mut self) {
        self.balancer.stop();
        self.balancer.start();
    }

    /// Has the driver follow these from now on.
    pub fn follow(&self, routes: Routes) {
        self.routes.send_replace(Arc::new(routes));
    }

    pub fn seen(&self) -> Option<Status> {
        self.statuses.of(self.balancer.kind.name())
    }

    pub fn status(&self) -> Status {
        self.seen().expect("a status")
    }

    /// One request on a connection of its own; gives the whole answer.
    pub async fn get(&self, host: &str, path: &str) -> String {
        self.ask("GET", host, path, "").await
    }

    pub async fn ask(&self, method: &str, host: &str, path: &str, more: &str) -> String {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
        let asking = async {
            let mut stream = TcpStream::connect(self.balancer.listen).await.ok()?;
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            Some(String::from_utf8_lossy(&answer).into_owned())
        };
        timeout(PATIENCE, asking).await.unwrap().unwrap_or_default()
    }

    /// Asks until an answer holds `what`: what ran before a change answers for a moment longer.
    pub async fn answers(&self, host: &str, path: &str, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(host, path).await;
            if answer.contains(what) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "{:?}: {host}{path} never answered `{what}`: {answer}\n{:#?}",
                self.balancer.kind,
                self.status()
            );
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Who answers: the names of the servers behind `path`, over twenty requests.
    pub async fn who(&self, path: &str) -> Vec<String> {
        let mut names = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let answer = self.get("localhost", path).await;
            let name = answer.split("I am ").nth(1).and_then(|rest| rest.split('\n').next());
            names.insert(name.unwrap_or_else(|| answer.lines().next().unwrap_or("nothing")).to_owned());
        }
        names.into_iter().collect()
    }

    /// Waits until exactly these answer.
    pub async fn only(&self, path: &str, names: &[&str]) {
        until("the right ones answer", async || self.who(path).await == names).await;
    }
}

pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(3)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}

/// Routes to these addresses; those that do not serve are listed as out.
pub fn routes(endpoints: &[(&str, SocketAddr, bool)]) -> Routes {
    let hosts: Vec<String> = endpoints.iter().map(|(_, address, _)| address.ip().to_string()).collect();
    let ids: Vec<String> = endpoints.iter().map(|(_, address, _)| address.to_string()).collect();
    Routes::new(endpoints.iter().zip(&hosts).zip(&ids).map(|(((service, address, serves), host), id)| {
        Candidate {
            service,
            id,
            host,
            port: address.port(),
            out: (!serves).then(|| "critical: check `c` says: no".to_owned()),
            ..Candidate::default()
        }
    }))
}

/// A server that answers every request with its name and the request's head; tells the method of each.
pub async fn server(name: &'static str) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    serve(name, true).await
}

/// One that takes requests and closes the connection instead of answering.
pub async fn silent() -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    serve("nobody", false).await
}

async fn serve(name: &'static str, answers: bool) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, name, answers, asked.clone()));
        }
    });
    (address, receiver)
}

async fn answer(mut stream: TcpStream, name: &str, answers: bool, asked: mpsc::UnboundedSender<String>) {
    let (mut head, mut buffer) = (String::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        head.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if head.contains("\r\n\r\n") {
            let _ = asked.send(head.clone());
            if !answers {
                return;
            }
            let body = format!("I am {name}\n{head}");
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
            head.clear();
        }
    }
}
