//! `/wharf/v1/events`: what happened, from both journals, for who follows it.
//!
//! Each journal numbers its entries as they become known. A cursor is a number of each: who goes on from one misses
//! nothing and is told nothing twice, however late something became known.

mod entry;

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use axum::{Router, extract::State, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};
use wharf_pager::journal::RecordQuery;

use crate::{
    Api,
    answer::{Answer, Failure, fresh},
    request::{Query, duration, limit},
};
use entry::{Entry, Kind};

/// Entries of a journal read at a time, where only some are asked for.
const CHUNK: usize = 1_000;
/// Chunks read for one answer; where that was not enough, the cursor says where to go on.
const MOST_CHUNKS: usize = 20;
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/wharf/v1/events", get(events))
}

/// How far somebody has read: a record of the pager, a happening of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Cursor {
    record: u64,
    happening: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.record, self.happening)
    }
}

impl FromStr for Cursor {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let parts = text.split_once('-').and_then(|(record, happening)| {
            Some(Self { record: record.parse().ok()?, happening: happening.parse().ok()? })
        });
        parts.ok_or_else(|| Failure::bad(format!("`after`: `{text}` is no cursor that was given here")))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    after: Option<String>,
    limit: Option<usize>,
    kind: Option<String>,
    text: Option<String>,
    wait: Option<String>,
}

/// Which events.
struct Wanted {
    kinds: Vec<Kind>,
    text: Option<String>,
}

impl Wanted {
    fn takes(&self, entry: &Entry) -> bool {
        let text =
            |wanted: &String| entry.text.to_lowercase().contains(wanted) || entry.subject().contains(wanted);
        (self.kinds.is_empty() || self.kinds.contains(&entry.kind)) && self.text.as_ref().is_none_or(text)
    }

    /// How many entries of a journal are read at a time.
    fn chunk(&self, limit: usize) -> usize {
        if self.kinds.is_empty() && self.text.is_none() { limit } else { CHUNK }
    }
}

async fn events(State(api): State<Api>, Query(question): Query<Question>) -> Answer {
    let kinds = question.kind.iter().flat_map(|kinds| kinds.split(',')).filter(|kind| !kind.is_empty());
    let wanted = Wanted {
        kinds: kinds.map(str::parse).collect::<Result<_, _>>().map_err(Failure::bad)?,
        text: question.text.map(|text| text.to_lowercase()).filter(|text| !text.is_empty()),
    };
    let limit = limit(question.limit)?;
    let wait = question.wait.as_deref().map(|text| duration("wait", text)).transpose()?;
    let deadline = Instant::now() + wait.unwrap_or_default().min(LONGEST_WAIT);
    let after = question.after.filter(|after| !after.is_empty());
    let after: Option<Cursor> = after.as_deref().map(str::parse).transpose()?;
    // Subscribed to before anything is read: what comes in between is seen.
    let (mut pager, mut history) = (api.pager.changes(), api.history.changes());
    pager.mark_unchanged();
    history.mark_unchanged();
    let mut page = match after {
        Some(after) => onwards(&api, &wanted, after, limit).await?,
        None => latest(&api, &wanted, limit).await?,
    };
    while page.entries.is_empty() {
        if page.is_at_the_end {
            let news = async {
                tokio::select! {
                    changed = pager.changed() => changed.is_ok(),
                    changed = history.changed() => changed.is_ok(),
                }
            };
            if !timeout_at(deadline, news).await.unwrap_or(false) {
                break;
            }
        } else if Instant::now() >= deadline {
            break;
        }
        page = onwards(&api, &wanted, page.next, limit).await?;
    }
    let events: Vec<Value> = shown(&api, page.entries).await?;
    Ok(fresh(json!({ "events": events, "next": page.next.to_string() })))
}

/// Entries with the cursors from which it goes on after them.
struct Page {
    entries: Vec<(Entry, Cursor)>,
    next: Cursor,
    /// There was no more when it was read.
    is_at_the_end: bool,
}

/// What was read of one journal, in its order.
struct Read {
    entries: Vec<Entry>,
    /// The last number that was looked at.
    to: u64,
    ended: bool,
}

#[derive(Clone, Copy)]
enum Journal {
    Records,
    Happenings,
}

impl Journal {
    /// Entries in their order: the oldest after `after`, or the newest before `before`.
    async fn entries(
        self,
        api: &Api,
        after: Option<u64>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Entry>, Failure> {
        Ok(match self {
            Self::Records => {
                let query = RecordQuery { after, before, limit, ..RecordQuery::default() };
                api.pager.records(query).await?.into_iter().map(Entry::from).collect()
            }
            Self::Happenings => {
                api.history.happenings(after, before, limit).await?.into_iter().map(Entry::from).collect()
            }
        })
    }

    async fn onwards(self, api: &Api, wanted: &Wanted, after: u64, limit: usize) -> Result<Read, Failure> {
        let chunk = wanted.chunk(limit);
        let mut read = Read { entries: Vec::new(), to: after, ended: false };
        for _ in 0..MOST_CHUNKS {
            let found = self.entries(api, Some(read.to), None, chunk).await?;
            read.ended = found.len() < chunk;
            for entry in found {
                if read.entries.len() == limit {
                    read.ended = false;
                    return Ok(read);
                }
                read.to = entry.number;
                if wanted.takes(&entry) {
                    read.entries.push(entry);
                }
            }
            if read.ended {
                break;
            }
        }
        Ok(read)
    }

    /// The newest `limit`; `to` is the newest of all.
    async fn latest(self, api: &Api, wanted: &Wanted, limit: usize) -> Result<Read, Failure> {
        let chunk = wanted.chunk(limit);
        let (mut newest_first, mut before, mut to) = (Vec::new(), None, 0);
        for _ in 0..MOST_CHUNKS {
            let found = self.entries(api, None, before, chunk).await?;
            let ended = found.len() < chunk;
            to = to.max(found.last().map_or(0, |entry| entry.number));
            before = found.first().map(|entry| entry.number);
            newest_first.extend(found.into_iter().rev().filter(|entry| wanted.takes(entry)));
            if ended || newest_first.len() >= limit {
                break;
            }
        }
        newest_first.truncate(limit);
        newest_first.reverse();
        Ok(Read { entries: newest_first, to, ended: true })
    }
}

async fn onwards(api: &Api, wanted: &Wanted, after: Cursor, limit: usize) -> Result<Page, Failure> {
    let records = Journal::Records.onwards(api, wanted, after.record, limit).await?;
    let happenings = Journal::Happenings.onwards(api, wanted, after.happening, limit).await?;
    let end = Cursor { record: records.to, happening: happenings.to };
    let ended = records.ended && happenings.ended;
    let mut entries = merged(after, records.entries, happenings.entries);
    if entries.len() <= limit {
        return Ok(Page { entries, next: end, is_at_the_end: ended });
    }
    entries.truncate(limit);
    let next = entries.last().map_or(after, |(_, cursor)| *cursor);
    Ok(Page { entries, next, is_at_the_end: false })
}

async fn latest(api: &Api, wanted: &Wanted, limit: usize) -> Result<Page, Failure> {
    let records = Journal::Records.latest(api, wanted, limit).await?;
    let happenings = Journal::Happenings.latest(api, wanted, limit).await?;
    let next = Cursor { record: records.to, happening: happenings.to };
    let before = |read: &Read| read.entries.first().map_or(read.to, |first| first.number - 1);
    let from = Cursor { record: before(&records), happening: before(&happenings) };
    let mut entries = merged(from, records.entries, happenings.entries);
    entries.drain(..entries.len().saturating_sub(limit));
    Ok(Page { entries, next, is_at_the_end: true })
}

/// Both by time; each journal keeps its own order, so that every entry has a cursor.
fn merged(mut cursor: Cursor, records: Vec<Entry>, happenings: Vec<Entry>) -> Vec<(Entry, Cursor)> {
    let mut merged = Vec::with_capacity(records.len() + happenings.len());
    let (mut records, mut happenings) = (records.into_iter().peekable(), happenings.into_iter().peekable());
    loop {
        let is_record = match (records.peek(), happenings.peek()) {
            (Some(record), Some(happening)) => record.at <= happening.at,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let next = if is_record { records.next() } else { happenings.next() };
        let Some(entry) = next else {
            return merged;
        };
        *(if is_record { &mut cursor.record } else { &mut cursor.happening }) = entry.number;
        merged.push((entry, cursor));
    }
}

/// With the names of the incidents' entities.
async fn shown(api: &Api, entries: Vec<(Entry, Cursor)>) -> Result<Vec<Value>, Failure> {
    let unnamed = entries.iter().filter(|(entry, _)| entry.subject().is_empty());
    let mut ids: Vec<u64> = unnamed.filter_map(|(entry, _)| entry.incident).collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = api.pager.incidents_named(ids).await?;
    let names: BTreeMap<u64, String> = rows.into_iter().map(|row| (row.id, row.entity)).collect();
    let show = |(entry, cursor): (Entry, Cursor)| {
        let named = entry.incident.and_then(|id| names.get(&id).cloned()).unwrap_or_default();
        let subject = if entry.subject().is_empty() { named } else { entry.subject().to_owned() };
        json!({
            "cursor": cursor.to_string(),
            "at": entry.at,
            "kind": entry.kind.as_str(),
            "subject": subject,
            "incident": entry.incident,
            "severity": entry.severity.as_str(),
            "by": entry.by,
            "text": entry.text,
        })
    };
    Ok(entries.into_iter().map(show).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u64, at: i64) -> Entry {
        Entry { number, at: jiff::Timestamp::from_second(at).unwrap(), ..Entry::default() }
    }

    #[test]
    fn what_became_known_late_moves_no_cursor_back() {
        let records = vec![entry(5, 10), entry(6, 30)];
        // The second began before the first, and became known after it.
        let happenings = vec![entry(8, 20), entry(9, 15)];
        let merged = merged(Cursor { record: 4, happening: 7 }, records, happenings);
        let cursors: Vec<_> = merged.iter().map(|(_, cursor)| cursor.to_string()).collect();
        assert_eq!(cursors, ["5-7", "5-8", "5-9", "6-9"]);
    }

    #[test]
    fn a_cursor_is_read_as_it_was_given() {
        let cursor = Cursor { record: 4711, happening: 12 };
        assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        for wrong in ["4711", "-", "1-x", "a-b", "1--2"] {
            assert!(wrong.parse::<Cursor>().is_err(), "{wrong}");
        }
    }
}
