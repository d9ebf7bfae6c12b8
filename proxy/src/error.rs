//! Why was a request not answered by its service, and whose fault is it?

use std::{io, sync::Arc};

use http::StatusCode;

use crate::retry::Failure;

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The one who asked.
    Client,
    /// The instance asked.
    Upstream,
    /// The proxy.
    Us,
}

/// Why a request was not answered by its service.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Ask for a service that exists.
    #[error("no service matches this host and path")]
    NoService,
    /// Correct the request.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// Use another method.
    #[error("this proxy opens no tunnels")]
    Connect,
    /// Send the body plain or chunked.
    #[error("transfer coding not supported")]
    TransferCoding,
    /// Find out why no instance passes its checks.
    #[error("no instance of `{0}` takes traffic")]
    NoInstance(Arc<str>),
    /// See whether the instance listens where it says.
    #[error("cannot connect to `{endpoint}`: {source}")]
    Dial {
        /// Host and port.
        endpoint: Arc<str>,
        /// What the system said.
        source: io::Error,
    },
    /// See why the instance closes connections.
    #[error("`{endpoint}` closed the connection without an answer (connection reused: {reused})")]
    Closed {
        /// Host and port.
        endpoint: Arc<str>,
        /// Had the connection served a request before?
        reused: bool,
    },
    /// Harmless for a reused connection; for a new one see why the instance closes it.
    #[error(
        "the connection to `{endpoint}` was closed before the request was sent (connection reused: {reused})"
    )]
    Unsent {
        /// Host and port.
        endpoint: Arc<str>,
        /// Had the connection served a request before?
        reused: bool,
    },
    /// See why the instance is slow, or allow it more time.
    #[error("`{0}` did not begin its answer in time")]
    Timeout(Arc<str>),
    /// Mend the instance.
    #[error("`{endpoint}` gave an answer that cannot be passed on: {reason}")]
    Malformed {
        /// Host and port.
        endpoint: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
    /// The client's body broke off; it is gone.
    #[error("the request body broke off: {0}")]
    ClientBody(hyper::Error),
    /// The client takes too long to send a short body; ask again.
    #[error("the request body did not arrive in time")]
    ClientSlow,
}

impl ProxyError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoService
            | Self::BadRequest(_)
            | Self::Connect
            | Self::TransferCoding
            | Self::ClientBody(_)
            | Self::ClientSlow => Fault::Client,
            Self::Unsent { reused: true, .. } => Fault::Us,
            _ => Fault::Upstream,
        }
    }

    /// How the attempt failed, if there was one.
    pub fn failure(&self) -> Option<Failure> {
        Some(match self {
            Self::Dial { .. } => Failure::Connect,
            Self::Closed { reused, .. } => Failure::Closed { reused: *reused },
            Self::Unsent { reused, .. } => Failure::Unsent { reused: *reused },
            Self::Timeout(_) => Failure::Timeout,
            Self::Malformed { .. } => Failure::Malformed,
            Self::ClientBody(_) => Failure::ClientGone,
            _ => return None,
        })
    }

    /// Is it certain that no instance has acted on the request, so that anything may be sent again?
    pub fn retry_is_safe(&self) -> bool {
        !matches!(self, Self::Closed { .. } | Self::Timeout(_) | Self::Malformed { .. } | Self::ClientBody(_))
    }

    /// What the client is told.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoService => StatusCode::NOT_FOUND,
            Self::BadRequest(_) | Self::ClientBody(_) => StatusCode::BAD_REQUEST,
            Self::ClientSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::NoInstance(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Dial { .. } | Self::Closed { .. } | Self::Unsent { .. } | Self::Malformed { .. } => {
                StatusCode::BAD_GATEWAY
            }
        }
    }

    /// Its word in metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoService => "no_service",
            Self::BadRequest(_) => "bad_request",
            Self::Connect => "connect_method",
            Self::TransferCoding => "transfer_coding",
            Self::NoInstance(_) => "no_instance",
            Self::Dial { .. } => "connect",
            Self::Closed { .. } => "closed",
            Self::Unsent { .. } => "unsent",
            Self::Timeout(_) => "timeout",
            Self::Malformed { .. } => "malformed",
            Self::ClientBody(_) => "client_body",
            Self::ClientSlow => "client_slow",
        }
    }
}
