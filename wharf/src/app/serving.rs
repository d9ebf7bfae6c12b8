//! Serves HTTP: one task a connection, no limit on how many there are but the system's.
//!
//! What the catalog has at hand is answered before any route is looked for; that is what most requests
//! of a fleet ask for.

use std::{convert::Infallible, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use futures_util::future::{BoxFuture, Either, Ready, ready};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::{debug, warn};
use wharf_catalog::Catalog;
use wharf_catalog_http::{Answers, Watch};

use super::GRACE;

/// After a failed accept (no file descriptors left, say) the next try waits this long.
const AGAIN: Duration = Duration::from_millis(50);

/// The answers the catalog has at hand.
#[derive(Debug, Clone)]
pub(super) struct AtHand {
    pub(super) answers: Answers,
    pub(super) catalog: Catalog,
}

/// Serves `site` until `stop`; then lets the requests in flight finish.
pub(super) async fn serve(listener: TcpListener, site: Router, at_hand: AtHand, stop: CancellationToken) {
    let connections = GracefulShutdown::new();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, _)) => open(stream, site.clone(), at_hand.clone(), &connections),
            Err(error) => {
                warn!(%error, "connection not accepted");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, connections.shutdown()).await.is_err() {
        debug!("requests that wait for a change were cut off");
    }
}

fn open(stream: TcpStream, site: Router, at_hand: AtHand, connections: &GracefulShutdown) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request| answer(request, site.clone(), at_hand.clone()));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(None);
    let connection = connections.watch(server.serve_connection(TokioIo::new(stream), answer));
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            debug!(%error, "connection broke off");
        }
    });
}

type Answer = Result<Response, Infallible>;

/// Every connection has room for this future as long as it lives, so it is small: what takes more is boxed
/// when it is needed. With ten thousand watchers that is most of their memory.
fn answer(
    request: Request<Incoming>,
    site: Router,
    at_hand: AtHand,
) -> Either<Ready<Answer>, BoxFuture<'static, Answer>> {
    if let Some(response) = at_hand.answers.at_hand(&at_hand.catalog, &request) {
        return Either::Left(ready(Ok(response)));
    }
    // Who waits for a change waits for long: the request, and the buffer it was read into, are let go of.
    Either::Right(match at_hand.answers.watch(&request) {
        Some(watch) => Box::pin(waiting(watch, site, at_hand)),
        None => Box::pin(site.oneshot(request.map(Body::new))),
    })
}

async fn waiting(watch: Watch, site: Router, AtHand { answers, catalog }: AtHand) -> Answer {
    match watch.answered(&answers, &catalog).await {
        Ok(response) => Ok(response),
        Err(request) => Box::pin(site.oneshot(request)).await,
    }
}
