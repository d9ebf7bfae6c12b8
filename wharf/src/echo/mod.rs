//! A tiny HTTP service that says who answered: the fleet of the demo and of the tests.

mod register;

use std::{io::Write, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, extract::State, http::StatusCode, routing::any};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// What to serve.
#[derive(Debug, clap::Args)]
pub(crate) struct EchoArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Name to answer with.
    #[arg(long, default_value = "echo")]
    name: String,
    /// Register with this wharf (or Consul) over HTTP, and deregister at the end.
    #[arg(long, value_name = "URL")]
    register: Option<String>,
    /// Wait this long before listening.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    start_delay: Duration,
    /// Wait this long before each answer.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    delay: Duration,
    /// Answer 503 once this much time has passed.
    #[arg(long, value_parser = humantime::parse_duration)]
    fail_after: Option<Duration>,
}

#[derive(Debug)]
struct Echo {
    name: String,
    host: String,
    delay: Duration,
    fails_at: Option<tokio::time::Instant>,
}

/// Serves until SIGTERM or SIGINT, then finishes what is in flight.
pub(crate) async fn run(args: EchoArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (mut signals, told) = (crate::app::Signals::listen()?, stop.clone());
    tokio::spawn(async move {
        signals.next().await;
        told.cancel();
    });
    if stop.run_until_cancelled(tokio::time::sleep(args.start_delay)).await.is_none() {
        return Ok(());
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on `{}`: choose another --listen", args.listen))?;
    let address = listener.local_addr()?;
    let registration = match &args.register {
        Some(api) => Some(register::register(api, &args.name, address).await?),
        None => None,
    };
    let echo = Echo {
        name: args.name,
        host: std::fs::read_to_string("/etc/hostname").map(|host| host.trim().to_owned()).unwrap_or_default(),
        delay: args.delay,
        fails_at: args.fail_after.map(|after| tokio::time::Instant::now() + after),
    };
    let app = Router::new().fallback(any(answer)).with_state(Arc::new(echo));
    let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Some(registration) = registration {
        registration.withdraw().await;
    }
    served.context("serving failed")
}

async fn answer(State(echo): State<Arc<Echo>>, request: axum::extract::Request) -> (StatusCode, String) {
    // Whoever waits for a request to be under way looks here (`docker logs`).
    let _ = writeln!(std::io::stdout(), "{} {}", request.method(), request.uri());
    tokio::time::sleep(echo.delay).await;
    let failing = echo.fails_at.is_some_and(|at| tokio::time::Instant::now() >= at);
    let status = if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let (name, host, pid) = (&echo.name, &echo.host, std::process::id());
    (status, format!("{name} on {host} (pid {pid}) answers {} {}\n", request.method(), request.uri()))
}
