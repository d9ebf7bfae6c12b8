//! Request bodies, up to a limit.
//!
//! What is too long is still read for a while and thrown away: a client that is cut off while it sends
//! sees a broken connection instead of the answer that says why.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;

use crate::error::ApiError;

/// How many times the limit is read before the connection is given up.
const PATIENCE: usize = 16;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoBody {
    /// It is too long; how long, as far as it was read.
    TooLarge(usize),
    /// The client went away.
    Broken,
}

/// The whole body, if it has at most `limit` bytes.
pub(crate) async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, NoBody> {
    let (mut bytes, mut total) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| NoBody::Broken)?;
        let data: &Bytes = match frame.data_ref() {
            Some(data) => data,
            None => continue,
        };
        total = total.saturating_add(data.len());
        if total <= limit {
            bytes.extend_from_slice(data);
        } else if total > limit.saturating_mul(PATIENCE) {
            break;
        }
    }
    if total > limit {
        return Err(NoBody::TooLarge(total));
    }
    Ok(bytes)
}

/// The whole body of a write other than a key's, in Consul's words if there is none.
pub(crate) async fn json(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    read(body, limit).await.map_err(|why| match why {
        NoBody::TooLarge(size) => too_large(size, limit),
        NoBody::Broken => ApiError::bad("Request decode failed: unexpected EOF"),
    })
}

/// Consul's text, which clients look for (`too large`).
pub(crate) fn too_large(size: usize, limit: usize) -> ApiError {
    ApiError::TooLarge(format!("Request body({size} bytes) too large, max size: {limit} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_is_taken() {
        assert_eq!(read(Body::from("1234"), 4).await, Ok(b"1234".to_vec()));
    }

    #[tokio::test]
    async fn a_longer_body_is_refused_with_its_length() {
        assert_eq!(read(Body::from("12345"), 4).await, Err(NoBody::TooLarge(5)));
    }
}
