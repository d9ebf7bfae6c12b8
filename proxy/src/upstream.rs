//! The services as they are reached: endpoints in rotation, whose turn it is, open connections.
//!
//! A table decides who is in; this module keeps what outlives a table: the connections to an endpoint,
//! its failures, the turn. Invariant: an endpoint that left gives out no connection and takes none back.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use http::HeaderValue;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::{
    Config, Endpoint, RouteTable, Service, balance, body::RequestBody, ejection::Ejection, measure::Figures,
};

/// A connection that can be asked.
pub(crate) type Sender = SendRequest<RequestBody>;

/// All services at one moment.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) table: Arc<RouteTable>,
    upstreams: HashMap<Arc<str>, Arc<Upstream>>,
}

/// One service: its target group.
#[derive(Debug)]
pub(crate) struct Upstream {
    service: Arc<Service>,
    targets: Vec<Arc<Target>>,
    turn: Arc<AtomicUsize>,
    pub(crate) figures: Arc<Figures>,
}

/// One endpoint in rotation.
#[derive(Debug)]
pub(crate) struct Target {
    /// `host:port`.
    pub(crate) authority: Arc<str>,
    pub(crate) host_field: HeaderValue,
    pub(crate) ejection: Ejection,
    host: Arc<str>,
    port: u16,
    pool: Pool,
}

impl Live {
    /// What `table` makes of the present services, and the targets that are gone: close them once
    /// nobody finds them any more.
    pub(crate) fn next(&self, table: RouteTable) -> (Self, Vec<Arc<Target>>) {
        let mut upstreams = HashMap::with_capacity(self.upstreams.len());
        let mut gone = Vec::new();
        for service in table.services() {
            let before = self.upstreams.get(&service.name);
            let upstream = match before {
                Some(same) if Arc::ptr_eq(&same.service, service) => same.clone(),
                _ => Arc::new(Upstream::next(before.map(Arc::as_ref), service)),
            };
            upstreams.insert(service.name.clone(), upstream);
        }
        for (name, before) in &self.upstreams {
            let after = upstreams.get(name).map_or(&[][..], |upstream| &upstream.targets);
            let left = |target: &&Arc<Target>| !after.iter().any(|kept| Arc::ptr_eq(kept, target));
            gone.extend(before.targets.iter().filter(left).cloned());
        }
        (Self { table: Arc::new(table), upstreams }, gone)
    }

    /// The service of this name in lower case.
    pub(crate) fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.get(name)
    }

    /// Closes connections that were idle for too long.
    pub(crate) fn close_idle(&self, config: &Config) {
        let oldest = Instant::now().checked_sub(config.idle_timeout);
        for target in self.upstreams.values().flat_map(|upstream| &upstream.targets) {
            target.pool.close_older_than(oldest);
        }
    }
}

impl Upstream {
    fn next(before: Option<&Self>, service: &Arc<Service>) -> Self {
        let known = |endpoint: &Endpoint| {
            let before = before?;
            let mut known = before.service.in_rotation().zip(&before.targets);
            known.find(|(known, _)| known.same_place(endpoint))
        };
        let target = |endpoint: &Endpoint| match known(endpoint) {
            Some((known, target)) => {
                if known.told != endpoint.told {
                    target.ejection.close();
                }
                target.clone()
            }
            None => Arc::new(Target::new(endpoint)),
        };
        Self {
            targets: service.in_rotation().map(target).collect(),
            service: service.clone(),
            turn: before.map(|before| before.turn.clone()).unwrap_or_default(),
            figures: before
                .map_or_else(|| Arc::new(Figures::of(&service.name)), |before| before.figures.clone()),
        }
    }

    /// The name of the service, in lower case.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.service.name
    }

    /// Who gets the next request: not one of `tried`; not `avoided` and nobody who failed just now,
    /// unless there is no one else.
    pub(crate) fn choose(
        &self,
        tried: &[Arc<Target>],
        avoided: Option<&Arc<Target>>,
        now: impl Fn() -> Duration,
    ) -> Option<Arc<Target>> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let is = |place: usize, other: &Arc<Target>| Arc::ptr_eq(&self.targets[place], other);
        let out = |place: usize| tried.iter().any(|tried| is(place, tried));
        let open = |place: usize| self.targets[place].ejection.is_open(&now);
        let count = self.targets.len();
        balance::pick(count, turn, |place| out(place) || open(place) || avoided.is_some_and(|a| is(place, a)))
            .or_else(|| balance::pick(count, turn, |place| out(place) || open(place)))
            .or_else(|| balance::pick(count, turn, out))
            .map(|place| self.targets[place].clone())
    }
}

impl Target {
    fn new(endpoint: &Endpoint) -> Self {
        let bare = endpoint.host.trim_start_matches('[').trim_end_matches(']');
        let authority: Arc<str> = match bare.parse::<IpAddr>() {
            Ok(ip) => SocketAddr::new(ip, endpoint.port).to_string().into(),
            Err(_) => format!("{bare}:{}", endpoint.port).into(),
        };
        Self {
            host_field: HeaderValue::from_str(&authority).unwrap_or(HeaderValue::from_static("localhost")),
            authority,
            ejection: Ejection::default(),
            host: Arc::from(bare),
            port: endpoint.port,
            pool: Pool::default(),
        }
    }

    /// An idle connection that was used within `age`.
    pub(crate) fn idle_connection(&self, age: Duration) -> Option<Sender> {
        self.pool.take(age)
    }

    /// A new connection.
    pub(crate) async fn connect(&self, within: Duration) -> io::Result<Sender> {
        let dial = async {
            match self.host.parse::<IpAddr>() {
                Ok(ip) => TcpStream::connect(SocketAddr::new(ip, self.port)).await,
                Err(_) => TcpStream::connect((&*self.host, self.port)).await,
            }
        };
        let stream = timeout(within, dial).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        Ok(sender)
    }

    /// It left the table: its idle connections are closed now, those in use when they are done.
    pub(crate) fn leave(&self) {
        self.pool.close();
    }
}

/// A connection in use.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) sender: Sender,
    pub(crate) target: Arc<Target>,
    pub(crate) max_idle: usize,
}

impl Lease {
    /// The response was read to its end; somebody else may use the connection.
    pub(crate) fn give_back(self) {
        if !self.sender.is_closed() {
            self.target.pool.put(self.sender, self.max_idle);
        }
    }
}

#[derive(Debug, Default)]
struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// The one used last is last.
    connections: Vec<(Sender, Instant)>,
    closed: bool,
}

impl Pool {
    /// Connections whose last exchange is still being wound up are passed over; they are ready soon.
    fn take(&self, age: Duration) -> Option<Sender> {
        let mut idle = self.lock();
        if idle.connections.is_empty() {
            return None;
        }
        let oldest = Instant::now().checked_sub(age);
        let mut place = idle.connections.len();
        while place > 0 {
            place -= 1;
            let (sender, since) = &idle.connections[place];
            if oldest.is_some_and(|oldest| *since < oldest) {
                return None;
            }
            if sender.is_closed() {
                idle.connections.remove(place);
            } else if sender.is_ready() {
                return Some(idle.connections.remove(place).0);
            }
        }
        None
    }

    fn put(&self, sender: Sender, most: usize) {
        let mut idle = self.lock();
        if !idle.closed && idle.connections.len() < most {
            idle.connections.push((sender, Instant::now()));
        }
    }

    fn close(&self) {
        let mut idle = self.lock();
        idle.closed = true;
        idle.connections.clear();
    }

    fn close_older_than(&self, oldest: Option<Instant>) {
        let Some(oldest) = oldest else {
            return;
        };
        let kept = |(sender, since): &(Sender, Instant)| *since >= oldest && !sender.is_closed();
        self.lock().connections.retain(kept);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
