//! Binds what the process listens on, all of it before anything else happens.

use std::{io, net::SocketAddr};

use anyhow::anyhow;
use tokio::net::TcpListener;

use crate::config::Settings;

/// The bound listeners.
#[derive(Debug)]
pub(super) struct Sockets {
    /// API and pages.
    pub(super) http: TcpListener,
    /// Load balancer.
    pub(super) proxy: TcpListener,
    /// DNS, UDP and TCP.
    pub(super) dns: wharf_catalog_dns::Sockets,
}

impl Sockets {
    /// Binds all, or says which address could not be had and which flag changes it.
    pub(super) async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            http: tcp(settings.http_addr, "the HTTP API", "--http-addr").await?,
            proxy: tcp(settings.proxy_addr, "the load balancer", "--proxy-addr").await?,
            dns: wharf_catalog_dns::bind(settings.dns_addr, 2)
                .map_err(|error| refused(settings.dns_addr, "DNS", "--dns-addr", &error))?,
        })
    }
}

impl Sockets {
    /// Where each listens, with the ports the system chose where 0 was asked for: HTTP, DNS, proxy.
    pub(super) fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr, SocketAddr)> {
        Ok((self.http.local_addr()?, self.dns.tcp.local_addr()?, self.proxy.local_addr()?))
    }
}

async fn tcp(address: SocketAddr, purpose: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| refused(address, purpose, flag, &error))
}

fn refused(address: SocketAddr, purpose: &str, flag: &str, error: &io::Error) -> anyhow::Error {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("something else listens there; stop it or choose another address with {flag}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("ports below 1024 need privileges; choose another with {flag}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine has no such address; choose another with {flag}")
        }
        _ => format!("{error}; choose another address with {flag}"),
    };
    anyhow!("cannot listen on `{address}` for {purpose}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_told_with_the_flag_that_helps() {
        let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = holder.local_addr().unwrap();
        let error = tcp(address, "the HTTP API", "--http-addr").await.unwrap_err().to_string();
        assert!(error.contains(&address.to_string()) && error.contains("--http-addr"), "{error}");
    }
}
