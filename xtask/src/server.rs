//! `wharf dev` as a child: which ports it gets, when it is ready, and its end.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::http;
use crate::process::{Background, bound_to_us, tail};
use crate::wait::{self, Interrupt};

const READY: Duration = Duration::from_secs(30);

/// Requests in flight and draining get this long at the end.
const GRACE: Duration = Duration::from_secs(15);

/// The addresses wharf listens on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Addresses {
    /// Consul-compatible API and the pages.
    pub(crate) http: SocketAddr,
    /// DNS, over UDP and TCP.
    pub(crate) dns: SocketAddr,
    /// The load balancer.
    pub(crate) proxy: SocketAddr,
}

impl Addresses {
    /// Free ports of the loopback, whichever the kernel gives.
    pub(crate) fn any_free() -> anyhow::Result<Self> {
        // All three are held at once, so that no two are the same.
        let listeners = [bind_any()?, bind_any()?, bind_any()?];
        let address = |index: usize| listeners[index].local_addr().context("no local address");
        Ok(Self { http: address(0)?, dns: address(1)?, proxy: address(2)? })
    }
}

fn bind_any() -> anyhow::Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").context("no free port on the loopback")
}

/// The address asked for, which must be free; or the first free one among `port`, `port + 10000`, `port + 20000` ...
pub(crate) fn choose(flag: &str, asked: Option<SocketAddr>, port: u16) -> anyhow::Result<SocketAddr> {
    if let Some(address) = asked {
        if !is_free(address) {
            bail!("`{address}` is taken or not ours; pass another with `{flag}`");
        }
        return Ok(address);
    }
    let candidates = (0..6).filter_map(|step| port.checked_add(step * 10_000));
    let free =
        candidates.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).find(|address| is_free(*address));
    let address =
        free.with_context(|| format!("port {port} and its neighbours are taken; pass one with `{flag}`"))?;
    if address.port() != port {
        println!("port {port} is taken: using {} (`{flag}` chooses another)", address.port());
    }
    Ok(address)
}

fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

/// A running `wharf dev`.
pub(crate) struct Server {
    process: Background,
    log: PathBuf,
    addresses: Addresses,
}

impl Server {
    /// Starts it in `folder`, where its log will be too, with `more` flags, and waits until it answers.
    pub(crate) fn start(
        folder: &Path,
        binary: &Path,
        addresses: Addresses,
        more: &[&str],
        interrupt: &Interrupt,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        let log = folder.join("wharf.log");
        let mut command = bound_to_us(binary);
        command
            .args(["dev", "--http-addr", &addresses.http.to_string()])
            .args(["--dns-addr", &addresses.dns.to_string()])
            .args(["--proxy-addr", &addresses.proxy.to_string()])
            .args(more)
            .current_dir(folder);
        let process = Background::start(command, &log, GRACE)?;
        let mut server = Self { process, log, addresses };
        match wait::until(READY, interrupt, || {
            server.is_ready().then_some(true).or(server.ended().then_some(false))
        })? {
            Some(true) => Ok(server),
            Some(false) => bail!("wharf ended at its start; {}", server.last_words()),
            None => bail!("wharf is not ready after {} s; {}", READY.as_secs(), server.last_words()),
        }
    }

    /// Ready is when there is a leader.
    fn is_ready(&self) -> bool {
        http::get(self.addresses.http, "/v1/status/leader")
            .is_some_and(|answer| answer.status == 200 && answer.body.contains(':'))
    }

    /// Whether it ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Its log file.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The end of its log, for an error message.
    pub(crate) fn last_words(&self) -> String {
        format!("the end of `{}`:\n{}", self.log.display(), tail(&self.log, 6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_free_addresses_differ() {
        let free = Addresses::any_free().unwrap();
        assert_ne!(free.http, free.dns);
        assert_ne!(free.dns, free.proxy);
    }

    #[test]
    fn a_taken_address_asked_for_is_refused_with_its_flag() {
        let taken = bind_any().unwrap();
        let address = taken.local_addr().unwrap();
        let error = choose("--http-addr", Some(address), 8500).unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--http-addr"), "{error}");
    }

    #[test]
    fn a_taken_default_moves_to_a_neighbour() {
        let holders: Vec<TcpListener> = (0..20).map(|_| bind_any().unwrap()).collect();
        let low = holders.iter().find(|holder| holder.local_addr().unwrap().port() < 50_000).unwrap();
        let port = low.local_addr().unwrap().port();
        let address = choose("--http-addr", None, port).unwrap();
        assert_ne!(address.port(), port);
        assert_eq!((address.port() - port) % 10_000, 0);
    }
}
