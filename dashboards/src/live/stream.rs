//! One viewer's stream: hands over frames as they come, and a sign of life when none do.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, header};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;
use wharf_catalog::Clock;

use super::{
    Hub,
    event::{Frame, beat},
};

/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const HELLO: &[u8] = b"retry: 1000\n\n";

/// `GET /ui/api/live`
pub(super) async fn live(
    State((hub, shutdown)): State<(Hub, CancellationToken)>,
    headers: HeaderMap,
) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let viewer = Viewer {
        clock: hub.clock.clone(),
        frames: hub.subscribe(),
        beats: time::interval_at(time::Instant::now() + BEAT, BEAT),
        shutdown,
        last,
        seen: 0,
        greeted: false,
    };
    let body = stream::unfold(viewer, |mut viewer| async {
        let bytes = viewer.next().await?;
        Some((Ok::<_, Infallible>(bytes), viewer))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(body)).into_response()
}

struct Viewer {
    clock: Clock,
    frames: watch::Receiver<Option<Arc<Frame>>>,
    beats: time::Interval,
    shutdown: CancellationToken,
    /// Where a viewer that comes back left off.
    last: Option<String>,
    /// Number of the last frame handed over.
    seen: u64,
    greeted: bool,
}

impl Viewer {
    /// The next bytes; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(HELLO));
        }
        loop {
            if let Some(bytes) = self.frame() {
                return Some(bytes);
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                changed = self.frames.changed() => changed.ok()?,
                _ = self.beats.tick() => return Some(beat(self.clock.now())),
            }
        }
    }

    /// What brings the viewer from what it saw to what is; `None` when that is the same.
    fn frame(&mut self) -> Option<Bytes> {
        let frame = self.frames.borrow_and_update().clone()?;
        if frame.number() == self.seen {
            return None;
        }
        let bytes = match self.last.take() {
            Some(last) if last == frame.id() => beat(self.clock.now()),
            _ => frame.since(self.seen),
        };
        self.seen = frame.number();
        Some(bytes)
    }
}
