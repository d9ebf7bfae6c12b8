//! A gRPC check: what does the server's health service say? Source: grpc.io, "GRPC Health Checking Protocol".
//!
//! One unary call of `grpc.health.v1.Health/Check`; `SERVING` passes, all else is critical.

mod message;

use bytes::Bytes;
use h2::RecvStream;
use http::{
    HeaderMap, Request, Response, StatusCode,
    header::{CONTENT_TYPE, TE, USER_AGENT},
};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, timeout_at};

use super::{
    Answer, Limits, Tls, http2,
    text::{OUTPUT_LIMIT, shorten},
};

/// Most bytes of an answer.
const ANSWER_LIMIT: usize = 64 * 1024;

/// `target` is `host:port` or `host:port/service`.
pub(super) async fn run(target: &str, secure: Option<bool>, limits: Limits, tls: &Tls) -> Answer {
    let (address, service) = target.split_once('/').unwrap_or((target, ""));
    let call = Call { address, service, secure, deadline: limits.deadline() };
    match call.make(tls).await {
        Ok(message::SERVING) => Answer::passing(format!("gRPC check {target}: success"), limits.begun),
        Ok(_) => Answer::critical("gRPC application didn't report service healthy".to_owned()),
        Err(Failure { code, reason }) => {
            let told = format!("rpc error: code = {} desc = {reason}", code_name(code));
            Answer::critical(shorten(told, OUTPUT_LIMIT))
        }
    }
}

/// A call that brought no answer: a gRPC status code and what is known.
#[derive(Debug)]
struct Failure {
    code: u32,
    reason: String,
}

const UNKNOWN: u32 = 2;
const DEADLINE_EXCEEDED: u32 = 4;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

fn failure(code: u32, reason: impl std::fmt::Display) -> Failure {
    Failure { code, reason: reason.to_string() }
}

struct Call<'a> {
    address: &'a str,
    service: &'a str,
    secure: Option<bool>,
    deadline: Instant,
}

impl Call<'_> {
    /// The status the server gives of the service.
    async fn make(&self, tls: &Tls) -> Result<u64, Failure> {
        let request = self.request()?;
        let stream =
            http2::connect(self.address, self.secure, self.deadline, tls).await.map_err(|reason| {
                failure(UNAVAILABLE, format!("connection error: desc = \"transport: {reason}\""))
            })?;
        let talk = async {
            let (requests, connection) =
                http2::handshake(stream).await.map_err(|error| failure(UNAVAILABLE, error))?;
            let exchange = exchange(requests, request, message::request(self.service));
            let mut exchange = std::pin::pin!(exchange);
            tokio::select! {
                biased;
                answer = &mut exchange => answer,
                // Closed by the other side: whatever arrived before still counts.
                _ = connection => exchange.await,
            }
        };
        timeout_at(self.deadline, talk)
            .await
            .unwrap_or_else(|_| Err(failure(DEADLINE_EXCEEDED, "context deadline exceeded")))
    }

    fn request(&self) -> Result<Request<()>, Failure> {
        let scheme = if self.secure.is_some() { "https" } else { "http" };
        let left = self.deadline.saturating_duration_since(Instant::now()).as_millis().min(99_999_999);
        Request::post(format!("{scheme}://{}/grpc.health.v1.Health/Check", self.address))
            .header(CONTENT_TYPE, "application/grpc")
            .header(TE, "trailers")
            .header(USER_AGENT, "Consul Health Check (wharf)")
            .header("grpc-timeout", format!("{left}m"))
            .body(())
            .map_err(|error| failure(UNAVAILABLE, error))
    }
}

async fn exchange(
    requests: h2::client::SendRequest<Bytes>,
    request: Request<()>,
    message: Bytes,
) -> Result<u64, Failure> {
    let broken = |error: h2::Error| failure(UNAVAILABLE, error);
    let mut requests = requests.ready().await.map_err(broken)?;
    let (response, mut body) = requests.send_request(request, false).map_err(broken)?;
    body.send_data(message, true).map_err(broken)?;
    let response = response.await.map_err(broken)?;
    if response.status() != StatusCode::OK {
        let reason = format!("unexpected HTTP status code received from server: {}", response.status());
        return Err(failure(UNKNOWN, reason));
    }
    answer(response).await
}

async fn answer(response: Response<RecvStream>) -> Result<u64, Failure> {
    let (head, mut body) = response.into_parts();
    // A server that has nothing but an error to say says it in the head.
    outcome(&head.headers)?;
    let mut received = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| failure(UNAVAILABLE, error))?;
        if received.len() + data.len() > ANSWER_LIMIT {
            return Err(failure(INTERNAL, "the answer is too long"));
        }
        received.extend_from_slice(&data);
        let _ = body.flow_control().release_capacity(data.len());
    }
    let trailers = body.trailers().await.map_err(|error| failure(UNAVAILABLE, error))?;
    outcome(&trailers.unwrap_or_default())?;
    message::response(&received).ok_or_else(|| failure(INTERNAL, "the answer is no HealthCheckResponse"))
}

/// The status among these fields, where there is one.
fn outcome(fields: &HeaderMap) -> Result<(), Failure> {
    let field = |name| fields.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    match field("grpc-status").map(|code| code.parse()) {
        None | Some(Ok(0)) => Ok(()),
        Some(code) => {
            let reason = field("grpc-message").unwrap_or_default();
            Err(failure(code.unwrap_or(UNKNOWN), percent_decode_str(&reason).decode_utf8_lossy()))
        }
    }
}

/// Go's name of a status code.
fn code_name(code: u32) -> String {
    let names = [
        "OK",
        "Canceled",
        "Unknown",
        "InvalidArgument",
        "DeadlineExceeded",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "ResourceExhausted",
        "FailedPrecondition",
        "Aborted",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "Unavailable",
        "DataLoss",
        "Unauthenticated",
    ];
    let known = usize::try_from(code).ok().and_then(|code| names.get(code));
    known.map_or_else(|| format!("Code({code})"), |name| (*name).to_owned())
}
