//! One request through: find its service, then let an [`Exchange`] bring back the answer.

use std::sync::Arc;

use http::{Request, Response, Uri, header, uri::PathAndQuery};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::{
    ProxyError,
    body::ResponseBody,
    exchange::Exchange,
    headers,
    listener::Client,
    matching::{self, Match},
    proxy::Inner,
    reply,
    upstream::Upstream,
};

/// Answers one request of `client`.
pub(crate) async fn answer(
    inner: &Arc<Inner>,
    client: &Arc<Client>,
    mut request: Request<Incoming>,
) -> Response<ResponseBody> {
    let begun = Instant::now();
    let (upstream, target, prefix) = match route(inner, &mut request) {
        Ok(Routed::To(upstream, target, prefix)) => (upstream, target, prefix),
        Ok(Routed::Redirect(location)) => return unrouted(reply::redirect(&location)),
        Err(error) => {
            tracing::debug!(%error, fault = ?error.fault(), "request refused");
            return unrouted(reply::refusal(&error));
        }
    };
    *request.uri_mut() = target;
    let figures = upstream.figures.clone();
    let response = match Exchange::begin(inner, client, upstream, request, prefix).await {
        Ok(exchange) => exchange.run().await,
        Err(error) => reply::refusal(&error),
    };
    figures.answered(response.status(), begun.elapsed().as_secs_f64());
    response
}

fn unrouted(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let class = match response.status().as_u16() {
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("wharf_proxy_requests_total", "service" => "none", "code" => class).increment(1);
    response
}

enum Routed {
    To(Arc<Upstream>, Uri, Option<String>),
    Redirect(String),
}

fn route(inner: &Inner, request: &mut Request<Incoming>) -> Result<Routed, ProxyError> {
    headers::normalise(request)?;
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let whole = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let live = inner.live.load();
    match matching::find(host, whole, |name| live.upstream(name)) {
        Match::Whole(upstream) => Ok(Routed::To(upstream.clone(), request.uri().clone(), None)),
        Match::Stripped { service, prefix, rest } => {
            let rest = PathAndQuery::try_from(rest).map_err(|_| ProxyError::BadRequest("malformed path"))?;
            Ok(Routed::To(service.clone(), Uri::from(rest), Some(prefix.to_owned())))
        }
        Match::Redirect { prefix, query } => Ok(Routed::Redirect(format!("{prefix}/{query}"))),
        Match::Escapes => Err(ProxyError::BadRequest("the path leads out of its service")),
        Match::None => Err(ProxyError::NoService),
    }
}
