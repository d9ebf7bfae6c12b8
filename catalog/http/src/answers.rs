//! What was asked before, and nothing it is about has changed since: the same bytes again.
//!
//! An answer is kept for a query (path and parameters, but those that only say how long to wait) as of
//! the index of its topic. Whoever asks the same as of the same index shares it, however many they are:
//! one of them works it out, the others wait for it. A younger index makes a new answer.
//!
//! Invariant: an answer is shared only where the query and the topic's index decide all of it; endpoints
//! say so by [`crate::query::Read::shared`]. Memory is bounded: answers live in two generations, the older
//! is dropped when the younger has filled its half; who is asked for is taken along.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tokio::time::Instant;
use wharf_catalog::{Catalog, Index, Topic};

pub use self::watch::Watch;
use crate::{respond, telemetry::Meter};

mod watch;

/// Most bytes of bodies that one generation holds.
const GENERATION: usize = 8 * 1024 * 1024;
/// What an answer takes beside its body.
const OVERHEAD: usize = 1024;

/// The answers kept. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Mutex<Generations>>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Arc<str>, Arc<Slot>>,
    old: HashMap<Arc<str>, Arc<Slot>>,
    /// Bytes in `young`.
    weight: usize,
}

/// The place of one answer, filled by the first who asks.
#[derive(Debug)]
struct Slot {
    topic: Topic,
    index: Index,
    answer: OnceLock<Answer>,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    meter: Option<Meter>,
}

impl Answers {
    /// The answer to `query` as of `index` of `topic`, made by `make` unless it is there. What `make`
    /// dates itself depends on more than its topic and is not kept.
    pub(crate) fn answer(
        &self,
        query: &Query,
        topic: &Topic,
        index: Index,
        make: impl FnOnce() -> Response,
    ) -> Response {
        let slot = self.slot(&query.text, topic, index);
        let mut made = None;
        let answer = slot.answer.get_or_init(|| {
            let (answer, dated) = Answer::of(make(), index, query.meter.clone());
            made = Some((answer.body.len() + OVERHEAD, dated));
            answer
        });
        let response = answer.response();
        match made {
            Some((_, true)) => self.generations().drop_slot(&query.text, &slot),
            Some((weight, false)) => self.generations().filled(weight),
            None => {}
        }
        response
    }

    /// The answer to a request that needs nobody to look at it: a plain read whose answer is kept and as
    /// young as the catalog. Asks for no permission: whoever adds that has to do it before.
    pub fn at_hand<B>(&self, catalog: &Catalog, request: &Request<B>) -> Option<Response> {
        if request.method() != Method::GET {
            return None;
        }
        let begun = Instant::now();
        let query = request.uri().path_and_query()?.as_str();
        let slot = self.generations().find(query)?;
        let answer = slot.answer.get()?;
        if catalog.index_of(&slot.topic) != slot.index {
            return None;
        }
        if let Some(meter) = &answer.meter {
            meter.count(answer.status, begun.elapsed());
        }
        Some(answer.response())
    }

    fn slot(&self, query: &Arc<str>, topic: &Topic, index: Index) -> Arc<Slot> {
        let mut generations = self.generations();
        if let Some(slot) = generations.find(query)
            && slot.index >= index
            && slot.topic == *topic
        {
            return slot;
        }
        let slot = Arc::new(Slot { topic: topic.clone(), index, answer: OnceLock::new() });
        generations.young.insert(query.clone(), slot.clone());
        slot
    }

    fn generations(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn find(&mut self, query: &str) -> Option<Arc<Slot>> {
        if let Some(slot) = self.young.get(query) {
            return Some(slot.clone());
        }
        let (query, slot) = self.old.remove_entry(query)?;
        self.young.insert(query, slot.clone());
        self.filled(slot.answer.get().map_or(0, |answer| answer.body.len() + OVERHEAD));
        Some(slot)
    }

    /// Answers that are replaced still count here: the bound is on what may be held, not on what is.
    fn filled(&mut self, weight: usize) {
        self.weight += weight;
        if self.weight > GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
    }

    fn drop_slot(&mut self, query: &str, slot: &Arc<Slot>) {
        if self.young.get(query).is_some_and(|present| Arc::ptr_eq(present, slot)) {
            self.young.remove(query);
        }
    }
}

impl Answer {
    /// Takes a response apart; also: did it say itself as of which index it is?
    fn of(response: Response, index: Index, meter: Option<Meter>) -> (Self, bool) {
        let (parts, body) = response.into_parts();
        let mut answer = Self { status: parts.status, headers: parts.headers, body: whole(body), meter };
        let dated = answer.headers.contains_key(respond::INDEX);
        if !dated {
            answer.headers.insert(respond::INDEX, index.0.into());
        }
        answer.headers.insert(header::CONTENT_LENGTH, answer.body.len().into());
        (answer, dated)
    }

    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers.clone());
        response
    }
}

/// The bytes of a body that was made of bytes: it has one frame, and that is ready.
fn whole(mut body: Body) -> Bytes {
    let frame = std::pin::pin!(body.frame());
    match frame.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

/// What is asked, as it stands in the request line.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    text: Arc<str>,
    meter: Option<Meter>,
}

impl Query {
    /// Path and parameters without those that say how long to wait. None where a parameter's name is
    /// written in a roundabout way: it may be one of those.
    pub(crate) fn new(path: &str, query: &str, meter: Option<Meter>) -> Option<Self> {
        let roundabout = |pair: &str| pair.split('=').next().is_some_and(|name| name.contains(['%', '+']));
        if query.split('&').any(roundabout) {
            return None;
        }
        let mut text = path.to_owned();
        let kept = query.split('&').filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !pair.is_empty() && name != "index" && name != "wait"
        });
        for (at, pair) in kept.enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            text.push_str(pair);
        }
        Some(Self { text: text.into(), meter })
    }
}

#[cfg(test)]
mod tests;
