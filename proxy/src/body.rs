//! Bodies on their way through: what the client sends, and what the instance answers.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::upstream::Lease;

/// A request body on its way to an instance.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// There is none.
    Empty,
    /// Kept whole, so that it can be sent again.
    Kept(Bytes),
    /// Passed on as it comes; the counter tells that it moves.
    Stream(Incoming, Arc<AtomicU64>),
}

impl RequestBody {
    /// Another one of the same content; `None` for what streams by once.
    pub(crate) fn again(&self) -> Option<Self> {
        match self {
            Self::Empty => Some(Self::Empty),
            Self::Kept(bytes) => Some(Self::Kept(bytes.clone())),
            Self::Stream(..) => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Kept(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Kept(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(incoming, moved) => {
                let frame = Pin::new(incoming).poll_frame(cx);
                if frame.is_ready() {
                    moved.fetch_add(1, Relaxed);
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Kept(bytes) => bytes.is_empty(),
            Self::Stream(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Kept(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(incoming, _) => incoming.size_hint(),
        }
    }
}

/// A response body on its way to the client. Dropped at its end it gives its connection back, dropped
/// before it closes it: that is how an instance learns that the client went away.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    source: Source,
    lease: Option<Lease>,
}

#[derive(Debug)]
enum Source {
    Ours(Bytes),
    Upstream { incoming: Incoming, ended: bool },
}

impl ResponseBody {
    /// Something we say ourselves.
    pub(crate) fn ours(text: impl Into<Bytes>) -> Self {
        Self { source: Source::Ours(text.into()), lease: None }
    }

    /// What an instance answers over the connection of `lease`.
    pub(crate) fn upstream(incoming: Incoming, lease: Lease) -> Self {
        Self { source: Source::Upstream { incoming, ended: false }, lease: Some(lease) }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { source, lease } = &mut *self;
        match source {
            Source::Ours(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Ours(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Upstream { incoming, ended } => {
                let frame = Pin::new(incoming).poll_frame(cx);
                *ended |= matches!(frame, Poll::Ready(None));
                if let Poll::Ready(Some(Err(error))) = &frame {
                    let endpoint = lease.as_ref().map_or("", |lease| &*lease.target.authority);
                    tracing::warn!(%endpoint, %error, "response broke off; the client's connection is closed");
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Ours(bytes) => bytes.is_empty(),
            Source::Upstream { incoming, ended } => *ended || incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Ours(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Upstream { incoming, .. } => incoming.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && self.is_end_stream()
        {
            lease.give_back();
        }
    }
}
