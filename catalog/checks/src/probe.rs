//! Asks once whether something is healthy. Edge: sockets, TLS and processes; what the answer leads to is not
//! decided here.
//!
//! One file per kind. gRPC and the HTTP/2 ping stand on the same `h2` connection: the health protocol is one
//! message with one field in either direction, for which a gRPC framework would be most of this crate.

mod dns;
mod docker;
mod grpc;
pub(crate) mod http;
mod http2;
mod icmp;
mod script;
mod tail;
mod tcp;
pub(crate) mod text;
mod tls;
mod udp;

use std::{net::SocketAddr, time::Duration};

use tokio::time::Instant;
use wharf_catalog::{Clock, Probe, ProbeKind, Status};

use crate::Config;
use docker::Engine;
use tail::Tail;
use tls::Tls;

/// Most bytes of output kept of one check, whatever its definition asks for.
const MOST_OUTPUT: usize = 1024 * 1024;

/// What one run of a check brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    pub(crate) output: String,
    /// From the start of the run to the end of the answer; `None` when none came.
    pub(crate) response_time: Option<Duration>,
}

impl Answer {
    fn passing(output: String, begun: Instant) -> Self {
        Self { status: Status::Passing, output, response_time: Some(begun.elapsed()) }
    }

    fn critical(output: String) -> Self {
        Self { status: Status::Critical, output, response_time: None }
    }

    /// What a command said with its exit code, as Nagios' plugins mean it.
    fn of_command(code: Option<i64>, output: String, begun: Instant) -> Self {
        let status = match code {
            Some(0) => Status::Passing,
            Some(1) => Status::Warning,
            _ => Status::Critical,
        };
        Self { status, output, response_time: Some(begun.elapsed()) }
    }
}

/// What probes share: trust stores, the way to the Docker engine, and what is allowed.
#[derive(Debug)]
pub(crate) struct Tools {
    clock: Clock,
    proxy_addr: Option<SocketAddr>,
    tls: Tls,
    docker: Engine,
    enable_script_checks: bool,
}

impl Tools {
    pub(crate) fn new(config: &Config, clock: Clock) -> Self {
        Self {
            clock,
            proxy_addr: config.proxy_addr,
            tls: Tls::default(),
            docker: Engine::new(config.docker_host.clone()),
            enable_script_checks: config.enable_script_checks,
        }
    }
}

#[cfg(test)]
impl Default for Tools {
    fn default() -> Self {
        Self::new(&Config::default(), Clock::fixed(wharf_catalog::Timestamp(0)))
    }
}

/// When a run began, when it has to be over, and how much of what it says is kept.
#[derive(Debug, Clone, Copy)]
struct Limits {
    begun: Instant,
    timeout: Duration,
    output: usize,
}

impl Limits {
    fn of(probe: &Probe) -> Self {
        let output = if probe.output_max_size == 0 { text::OUTPUT_LIMIT } else { probe.output_max_size };
        Self { begun: Instant::now(), timeout: timeout(probe), output: output.min(MOST_OUTPUT) }
    }

    fn deadline(&self) -> Instant {
        self.begun + self.timeout
    }

    fn tail(&self) -> Tail {
        Tail::new(self.output)
    }
}

/// How long a run may take: what the definition says, or Consul's defaults.
pub(crate) fn timeout(probe: &Probe) -> Duration {
    match &probe.kind {
        _ if !probe.timeout.is_zero() => probe.timeout,
        ProbeKind::Script { .. } | ProbeKind::Docker { .. } => Duration::from_secs(30),
        _ => Duration::from_secs(10),
    }
}

/// Runs `probe` once; takes no longer than its timeout.
pub(crate) async fn run(probe: &Probe, tools: &Tools) -> Answer {
    let limits = Limits::of(probe);
    match &probe.kind {
        ProbeKind::Http { url, method, headers, body, tls_skip_verify } => {
            let (tls_skip_verify, expect) = (*tls_skip_verify, probe.expect.as_deref());
            let ask = http::Ask { url, method, headers, body, tls_skip_verify, expect };
            http::run(&ask, limits, &tools.tls, tools.clock.now()).await
        }
        ProbeKind::Route { host, path } => match tools.proxy_addr {
            Some(proxy) => http::run_route(proxy, host, path, probe.expect.as_deref(), limits, tools).await,
            None => Answer::critical("there is no load balancer in this wharf".to_owned()),
        },
        ProbeKind::Dns { name, record, server, expect } => {
            dns::run(dns::Ask { name, record, server: server.as_deref(), expect }, limits).await
        }
        ProbeKind::Icmp { host } => icmp::run(host, limits).await,
        ProbeKind::Tcp { address } => tcp::run(address, limits).await,
        ProbeKind::Udp { address } => udp::run(address, limits).await,
        ProbeKind::Grpc { target, tls, tls_skip_verify } => {
            grpc::run(target, tls.then_some(*tls_skip_verify), limits, &tools.tls).await
        }
        ProbeKind::H2Ping { address, tls, tls_skip_verify } => {
            http2::run(address, tls.then_some(*tls_skip_verify), limits, &tools.tls).await
        }
        ProbeKind::Docker { .. } | ProbeKind::Script { .. } if !tools.enable_script_checks => {
            Answer::critical(
                "checks that run commands are off: start wharf with `--enable-script-checks`".to_owned(),
            )
        }
        ProbeKind::Docker { container, shell: _, args } => {
            docker::run(&tools.docker, container, args, limits).await
        }
        ProbeKind::Script { args } => script::run(args, limits).await,
        // Nobody asks for these; the schedule never hands them out.
        ProbeKind::Ttl { .. } | ProbeKind::Alias { .. } | ProbeKind::Push { .. } => {
            Answer::critical(format!("a check of type {} is not probed", probe.kind.label()))
        }
    }
}

#[cfg(test)]
mod command_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;
