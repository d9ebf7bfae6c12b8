//! What changed from one board to the next? Pure: boards in, event-stream bytes out.
//!
//! Wire format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

use std::{collections::BTreeMap, net::SocketAddr, sync::OnceLock};

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use wharf_catalog::{Index, Timestamp};
use wharf_monitor::Window;

use crate::{oncall::OncallCounts, view::ServiceRow};

/// Everything the pages follow live.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Board {
    /// When it was worked out.
    pub(super) now: Timestamp,
    /// What its figures are about.
    pub(super) window: Window,
    /// Last commit that changed a node, instance or check.
    pub(super) catalog: Index,
    /// Incidents and pages; `None`: nobody is on call here.
    pub(super) oncall: Option<OncallCounts>,
    /// Of the embedded files: a page of another version should be loaded again.
    pub(super) version: String,
    /// Where services are reached.
    pub(super) proxy: Option<Proxy>,
    /// By name.
    pub(super) services: Vec<ServiceRow>,
}

/// Where the load balancer answers.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Proxy {
    /// `None`: the host the page was opened on.
    host: Option<String>,
    port: u16,
}

impl From<SocketAddr> for Proxy {
    fn from(addr: SocketAddr) -> Self {
        let ip = addr.ip();
        let literal = if addr.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        Self { host: Some(literal).filter(|_| !ip.is_unspecified()), port: addr.port() }
    }
}

/// A board with its place in the sequence, and the bytes that bring a viewer there.
#[derive(Debug)]
pub(super) struct Frame {
    number: u64,
    epoch: Timestamp,
    board: Board,
    update: Bytes,
    snapshot: OnceLock<Bytes>,
}

impl Frame {
    /// The frame of `board`; `None` when viewers of `before` would see no difference.
    pub(super) fn after(before: Option<&Self>, board: Board, epoch: Timestamp, number: u64) -> Option<Self> {
        let update = match before {
            Some(before) => update(&before.board, &board, &id(epoch, number))?,
            None => Bytes::new(),
        };
        Some(Self { number, epoch, board, update, snapshot: OnceLock::new() })
    }

    /// What a viewer that last saw frame `seen` (0: none) has to be told.
    pub(super) fn since(&self, seen: u64) -> Bytes {
        if seen != 0 && seen + 1 == self.number && !self.update.is_empty() {
            return self.update.clone();
        }
        self.snapshot.get_or_init(|| event("snapshot", Some(&self.id()), &self.board)).clone()
    }

    /// Its place in the sequence, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Its event id.
    pub(super) fn id(&self) -> String {
        id(self.epoch, self.number)
    }
}

/// A sign of life that carries the server's time: a comment for what stands between, an event for the page.
pub(super) fn beat(now: Timestamp) -> Bytes {
    let event = event("beat", None, &json!({ "now": now }));
    [b": beat\n", event.as_ref()].concat().into()
}

fn id(epoch: Timestamp, number: u64) -> String {
    format!("{}-{number}", epoch.0)
}

#[derive(Serialize)]
struct Update<'a> {
    now: Timestamp,
    window: Window,
    catalog: Index,
    oncall: Option<OncallCounts>,
    changed: Vec<&'a ServiceRow>,
    gone: Vec<&'a str>,
}

fn update(before: &Board, after: &Board, id: &str) -> Option<Bytes> {
    let mut old: BTreeMap<&str, &ServiceRow> =
        before.services.iter().map(|row| (row.name.as_str(), row)).collect();
    let changed: Vec<_> = after
        .services
        .iter()
        .filter(|row| old.remove(row.name.as_str()).is_none_or(|before| before != *row))
        .collect();
    let gone: Vec<_> = old.into_keys().collect();
    let same = before.catalog == after.catalog && before.oncall == after.oncall;
    if changed.is_empty() && gone.is_empty() && same {
        return None;
    }
    let Board { now, window, catalog, oncall, .. } = *after;
    Some(event("update", Some(id), &Update { now, window, catalog, oncall, changed, gone }))
}

/// JSON text never holds a line break, so one `data` line is enough whatever is in it.
fn event(name: &str, id: Option<&str>, data: &impl Serialize) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".to_owned());
    format!("{id}event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests;
