//! One request with all its attempts: choose an endpoint, send, and try again where that is safe.
//!
//! [`crate::retry`] decides what may be repeated; this module acts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tokio::time::Instant;

use crate::{
    Fault, ProxyError,
    body::{RequestBody, ResponseBody},
    headers,
    listener::Client,
    proxy::Inner,
    reply,
    retry::{self, Next},
    tunnel::{self, Tunnel},
    upstream::{Lease, Sender, Target, Upstream},
};

/// A request that cannot be repeated goes over an idle connection only if that was used this recently:
/// the longer it idles, the likelier the other end is about to close it.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// A request under way, through all its attempts.
pub(crate) struct Exchange<'a> {
    inner: &'a Arc<Inner>,
    client: &'a Arc<Client>,
    upstream: Arc<Upstream>,
    outbound: Outbound,
    upgrade: Option<OnUpgrade>,
    tried: Vec<Arc<Target>>,
    /// Whose idle connection turned out to be dead; from then on only new ones are used.
    stale: Option<Arc<Target>>,
    /// How long the catalog may still name another endpoint.
    wait_until: Option<Instant>,
}

/// The request as it is sent upstream, as often as it has to be.
struct Outbound {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// `None`: under way, or used up.
    body: Option<RequestBody>,
    /// Counts the pieces of a streamed body that were passed on.
    moved: Option<Arc<AtomicU64>>,
}

impl<'a> Exchange<'a> {
    /// Makes `request` fit to be sent to an instance of `upstream`.
    pub(crate) async fn begin(
        inner: &'a Arc<Inner>,
        client: &'a Arc<Client>,
        upstream: Arc<Upstream>,
        mut request: Request<Incoming>,
        prefix: Option<String>,
    ) -> Result<Self, ProxyError> {
        let config = &inner.config;
        let protocol = headers::wanted_upgrade(&request);
        let upgrade = protocol.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut head, incoming) = request.into_parts();
        headers::for_upstream(
            &mut head.headers,
            &client.peer,
            protocol,
            prefix.as_deref(),
            config.trust_forwarded,
        );
        if config.via {
            headers::add_via(&mut head.headers);
        }
        let moved = (!incoming.is_end_stream()).then(|| Arc::new(AtomicU64::new(0)));
        let body = match &moved {
            None => RequestBody::Empty,
            Some(_) if keeps(&head.method, &incoming, config.replay_limit) => {
                RequestBody::Kept(whole(incoming, config.header_read_timeout).await?)
            }
            Some(moved) => RequestBody::Stream(incoming, moved.clone()),
        };
        let outbound =
            Outbound { method: head.method, uri: head.uri, headers: head.headers, body: Some(body), moved };
        Ok(Self {
            inner,
            client,
            upstream,
            outbound,
            upgrade,
            tried: Vec::new(),
            stale: None,
            wait_until: None,
        })
    }

    /// The answer of an instance, or our own when none gave one.
    pub(crate) async fn run(mut self) -> Response<ResponseBody> {
        let mut last = None;
        while let Some(target) = self.next_target().await {
            if last.is_some() {
                self.upstream.figures.retried();
            }
            let error = match self.attempt(&target).await {
                Ok(response) => return response,
                Err(error) => error,
            };
            self.upstream.figures.failed(error.kind());
            tracing::debug!(service = %self.upstream.name(), %error, "attempt failed");
            let goes_on = self.goes_on_after(target, &error);
            last = Some(error);
            if !goes_on {
                break;
            }
        }
        let error = last.unwrap_or_else(|| ProxyError::NoInstance(self.upstream.name().clone()));
        self.tell(&error);
        reply::refusal(&error)
    }

    /// What an instance did wrong is news; that none is there the catalog tells already.
    fn tell(&self, error: &ProxyError) {
        let (service, fault, attempts) = (self.upstream.name(), error.fault(), self.tried.len());
        let retry_is_safe = error.retry_is_safe();
        if matches!(error, ProxyError::NoInstance(_)) || fault != Fault::Upstream {
            tracing::debug!(%service, %error, ?fault, retry_is_safe, attempts, "request failed");
        } else {
            tracing::warn!(%service, %error, ?fault, retry_is_safe, attempts, "request failed");
        }
    }

    /// Who is asked next; waits a moment for the catalog when all were.
    async fn next_target(&mut self) -> Option<Arc<Target>> {
        if self.tried.len() >= self.inner.config.max_attempts.max(1) {
            return None;
        }
        loop {
            let chosen = self.upstream.choose(&self.tried, self.stale.as_ref(), || self.inner.now());
            if chosen.is_some() {
                return chosen;
            }
            let wait = self.inner.config.table_wait;
            let until = *self.wait_until.get_or_insert_with(|| Instant::now() + wait);
            self.upstream = self.inner.newer(&self.upstream, until).await?;
        }
    }

    fn goes_on_after(&mut self, target: Arc<Target>, error: &ProxyError) -> bool {
        let Some(failure) = error.failure() else {
            return false;
        };
        if failure.speaks_against_endpoint() {
            target.ejection.fail(self.inner.now(), self.inner.config.ejection);
        }
        match retry::decide(&self.outbound.method, self.outbound.body.is_some(), failure) {
            Next::FreshConnection if self.stale.is_none() => self.stale = Some(target),
            Next::FreshConnection | Next::OtherEndpoint => self.tried.push(target),
            Next::GiveUp => {
                self.tried.push(target);
                return false;
            }
        }
        true
    }

    async fn attempt(&mut self, target: &Arc<Target>) -> Result<Response<ResponseBody>, ProxyError> {
        let (mut sender, reused) = self.connection(target).await?;
        let unsent = || ProxyError::Unsent { endpoint: target.authority.clone(), reused };
        let Some(request) = self.outbound.request(target) else {
            return Err(unsent());
        };
        let sent = sender.try_send_request(request);
        let moved = self.outbound.moved.clone();
        let outcome = in_time(sent, self.inner.config.response_timeout, moved.as_deref()).await;
        match outcome.ok_or_else(|| ProxyError::Timeout(target.authority.clone()))? {
            Ok(response) => self.pass_on(response, sender, target),
            Err(mut refused) => match refused.take_message() {
                Some(message) => {
                    self.outbound.body = Some(message.into_body());
                    Err(unsent())
                }
                None => Err(told_by(refused.into_error(), target, reused)),
            },
        }
    }

    async fn connection(&self, target: &Arc<Target>) -> Result<(Sender, bool), ProxyError> {
        let config = &self.inner.config;
        let age = if self.outbound.is_repeatable() { config.idle_timeout } else { TRUSTED_IDLE };
        let idle = if self.stale.is_none() { target.idle_connection(age) } else { None };
        match idle {
            Some(sender) => Ok((sender, true)),
            None => {
                let dialled = target.connect(config.connect_timeout).await;
                let endpoint = || target.authority.clone();
                dialled
                    .map(|sender| (sender, false))
                    .map_err(|source| ProxyError::Dial { endpoint: endpoint(), source })
            }
        }
    }

    fn pass_on(
        &mut self,
        mut response: Response<Incoming>,
        sender: Sender,
        target: &Arc<Target>,
    ) -> Result<Response<ResponseBody>, ProxyError> {
        let malformed = |reason: &str| ProxyError::Malformed {
            endpoint: target.authority.clone(),
            reason: reason.to_owned(),
        };
        target.ejection.close();
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let client = self.upgrade.take().ok_or_else(|| malformed("switched protocols unasked"))?;
            let upstream = hyper::upgrade::on(&mut response);
            tunnel::open(self.inner, self.client.clone(), Tunnel { client, upstream, sender });
            return Ok(switched(&response));
        }
        if !headers::only_chunked(response.headers()) {
            return Err(malformed("transfer coding other than chunked"));
        }
        let (mut head, incoming) = response.into_parts();
        head.version = Version::HTTP_11;
        headers::for_client(&mut head.headers);
        if self.inner.config.via {
            headers::add_via(&mut head.headers);
        }
        let max_idle = self.inner.config.max_idle_per_endpoint;
        let lease = Lease { sender, target: target.clone(), max_idle };
        Ok(Response::from_parts(head, ResponseBody::upstream(incoming, lease)))
    }
}

impl Outbound {
    /// The next copy to send; the only one, if it cannot be repeated.
    fn request(&mut self, target: &Target) -> Option<Request<RequestBody>> {
        let body = self.body.take()?;
        if retry::repeatable(&self.method) {
            self.body = body.again();
        }
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if !self.headers.contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, target.host_field.clone());
        }
        Some(request)
    }

    fn is_repeatable(&self) -> bool {
        retry::repeatable(&self.method) && !matches!(self.body, Some(RequestBody::Stream(..)))
    }
}

/// All of `body`, which the client has `limit` to send.
async fn whole(body: Incoming, limit: Duration) -> Result<Bytes, ProxyError> {
    let body = tokio::time::timeout(limit, body.collect()).await.map_err(|_| ProxyError::ClientSlow)?;
    Ok(body.map_err(ProxyError::ClientBody)?.to_bytes())
}

/// Is this body kept until the request is answered, to be sent again?
fn keeps(method: &Method, body: &Incoming, limit: u64) -> bool {
    retry::repeatable(method) && body.size_hint().exact().is_some_and(|length| length <= limit)
}

/// Waits for `sent`, as long as no `limit` passes in which not even the request's body moved.
async fn in_time<F: Future>(sent: F, limit: Duration, moved: Option<&AtomicU64>) -> Option<F::Output> {
    if limit.is_zero() {
        return Some(sent.await);
    }
    tokio::pin!(sent);
    let mut before = 0;
    loop {
        match tokio::time::timeout(limit, sent.as_mut()).await {
            Ok(outcome) => return Some(outcome),
            Err(_) => {
                let now = moved.map_or(0, |moved| moved.load(Relaxed));
                if now == before {
                    return None;
                }
                before = now;
            }
        }
    }
}

fn told_by(error: hyper::Error, target: &Target, reused: bool) -> ProxyError {
    let endpoint = target.authority.clone();
    if error.is_user() {
        return ProxyError::ClientBody(error);
    }
    if error.is_parse() {
        return ProxyError::Malformed { endpoint, reason: error.to_string() };
    }
    ProxyError::Closed { endpoint, reused }
}

fn switched(response: &Response<Incoming>) -> Response<ResponseBody> {
    let mut told = Response::new(ResponseBody::ours(""));
    *told.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let protocol = response.headers().get(header::UPGRADE).cloned();
    *told.headers_mut() = response.headers().clone();
    headers::for_client(told.headers_mut());
    told.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        told.headers_mut().insert(header::UPGRADE, protocol);
    }
    told
}
