//! What goes wrong in a request, and the status Consul gives it. Texts are Consul's where it has one.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use wharf_catalog::CommitError;

use crate::respond;

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// Mend the request.
    #[error("{0}")]
    BadRequest(String),
    /// Mend the request, too; Consul says 500 here, and clients compare.
    #[error("{0}")]
    Refused(String),
    /// The same in an indexed read: such an answer has index headers.
    #[error("{0}")]
    Unreadable(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Send less.
    #[error("{0}")]
    TooLarge(String),
    /// Ask for this agent's datacenter. Carries whether the answer has index headers, as Consul's
    /// catalog reads do.
    #[error("No path to datacenter")]
    NoDatacenter {
        /// With index headers?
        indexed: bool,
    },
    /// Do without: this server does not have the feature.
    #[error("{0}")]
    Disabled(String),
    /// See to the disk.
    #[error("{0}")]
    Store(String),
    /// Try again elsewhere or later.
    #[error("the catalog is shutting down")]
    Closed,
}

impl ApiError {
    /// A request that has to be mended.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::BadRequest(text.into())
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Disabled(_) => StatusCode::UNAUTHORIZED,
            Self::Closed => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(_) | Self::Unreadable(_) | Self::NoDatacenter { .. } | Self::Store(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }
}

impl From<CommitError> for ApiError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Rejected(why) => Self::Refused(why.to_string()),
            CommitError::Store(why) => Self::Store(why.to_string()),
            CommitError::Closed => Self::Closed,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = respond::text(self.status(), self.to_string());
        if matches!(self, Self::NoDatacenter { indexed: true } | Self::Unreadable(_)) {
            let headers =
                [(respond::INDEX, "1"), (respond::KNOWN_LEADER, "false"), (respond::LAST_CONTACT, "0")];
            for (name, value) in headers {
                response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
        }
        if self.status() == StatusCode::PAYLOAD_TOO_LARGE {
            // Whatever of the body was not read would be taken for the next request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
