//! May this request be sent again? Pure: (method, what is left of the body, what went wrong) -> what next.
//!
//! Invariant: a request that may have been acted on is repeated only if its method is idempotent
//! (RFC 9110, 9.2.2) and its body is still whole.

use http::Method;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No connection came about: nothing was sent.
    Connect,
    /// The connection was closed before the request was written: nothing was sent.
    Unsent {
        /// Had the connection served a request before?
        reused: bool,
    },
    /// The connection was closed without a response.
    Closed {
        /// Had the connection served a request before?
        reused: bool,
    },
    /// No response in time.
    Timeout,
    /// What came back is not HTTP, or not an HTTP we can pass on.
    Malformed,
    /// The client's request body broke off.
    ClientGone,
}

impl Failure {
    /// Could the endpoint not even serve a new connection? One that idled may end for good reasons.
    pub fn speaks_against_endpoint(self) -> bool {
        matches!(self, Self::Connect | Self::Unsent { reused: false } | Self::Closed { reused: false })
    }
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Send it again, on a new connection; the same endpoint may do.
    FreshConnection,
    /// Send it to another endpoint.
    OtherEndpoint,
    /// Tell the client.
    GiveUp,
}

/// Decides what follows `failure`; `whole`: the request body can be sent from its start.
pub fn decide(method: &Method, whole: bool, failure: Failure) -> Next {
    match failure {
        Failure::Connect if whole => Next::OtherEndpoint,
        Failure::Unsent { reused: false } if whole => Next::OtherEndpoint,
        Failure::Unsent { reused: true } if whole => Next::FreshConnection,
        Failure::Closed { reused } if whole && repeatable(method) => {
            if reused {
                Next::FreshConnection
            } else {
                Next::OtherEndpoint
            }
        }
        _ => Next::GiveUp,
    }
}

/// May a request with this method be repeated though it may have been acted on? TRACE may by the
/// letter, but who traces wants to see one way, not two.
pub fn repeatable(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: [Failure; 2] = [Failure::Closed { reused: true }, Failure::Closed { reused: false }];

    #[test]
    fn what_was_never_sent_is_sent_again_whatever_the_method() {
        for method in [Method::GET, Method::POST, Method::PATCH, Method::TRACE] {
            assert_eq!(decide(&method, true, Failure::Connect), Next::OtherEndpoint);
            let unsent = |reused| decide(&method, true, Failure::Unsent { reused });
            assert_eq!((unsent(true), unsent(false)), (Next::FreshConnection, Next::OtherEndpoint));
        }
    }

    #[test]
    fn a_post_that_may_have_arrived_is_not_repeated() {
        for method in [Method::POST, Method::PATCH, Method::TRACE] {
            for failure in CLOSED {
                assert_eq!(decide(&method, true, failure), Next::GiveUp, "{method} {failure:?}");
            }
        }
    }

    #[test]
    fn an_idempotent_request_is_repeated_while_its_body_is_whole() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE] {
            assert_eq!(decide(&method, true, CLOSED[0]), Next::FreshConnection);
            assert_eq!(decide(&method, true, CLOSED[1]), Next::OtherEndpoint);
            assert_eq!(decide(&method, false, CLOSED[0]), Next::GiveUp);
        }
    }

    #[test]
    fn slowness_nonsense_and_a_lost_client_are_final() {
        for failure in [Failure::Timeout, Failure::Malformed, Failure::ClientGone] {
            assert_eq!(decide(&Method::GET, true, failure), Next::GiveUp);
        }
    }
}
