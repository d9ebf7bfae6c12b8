//! The public status page of a tag: how are the services people outside ask about?
//!
//! It is for those who may know nothing else: names of services, their states and past, announcements - no
//! addresses, no outputs of checks, no reasons. Off unless the settings name the tag; one rendering is shared by
//! all who ask within [`KEPT`]. No script runs on it.

mod page;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use wharf_catalog::{State as Snapshot, Timestamp};
use wharf_monitor::{HistoryError, Interval, Per, Report, ServiceState, Window};

use crate::Sources;
use page::{Day, Episode, Service, View};

/// How long one rendering is shown.
const KEPT: Duration = Duration::from_secs(15);
/// Days shown.
const DAYS: u64 = 90;
/// Days of past incidents.
const EPISODES: Duration = Duration::from_secs(14 * 86_400);
/// A service that has gone is shown for this long.
const GONE: Duration = Duration::from_secs(86_400);
/// Kind of the catalog's documents that hold announcements, as JSON.
pub(crate) const ANNOUNCEMENTS: &str = "wharf-announcement";

/// A status page that is to be served at `/status/<tag>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusPage {
    /// Services with this tag are on it.
    pub tag: String,
    /// Its heading; the tag if not given.
    #[serde(default)]
    pub title: String,
    /// Names to show instead of those of the services.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
}

/// Something people should know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Announcement {
    /// In a few words.
    pub title: String,
    /// In more words; blank lines part paragraphs.
    pub text: String,
    /// On which status pages; none named: on all.
    pub tags: Vec<String>,
    /// Shown from here, RFC 3339; not given: at once ...
    pub from: Option<String>,
    /// ... to here; not given: until it is removed.
    pub to: Option<String>,
}

impl Announcement {
    /// The first mistake in it.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.title.trim().is_empty() {
            return Err("an announcement needs a `title`".to_owned());
        }
        for at in [&self.from, &self.to].into_iter().flatten() {
            moment(at).ok_or_else(|| format!("`{at}` is no moment like `2026-12-24T18:00:00Z`"))?;
        }
        let [from, to] = [&self.from, &self.to].map(|at| at.as_deref().and_then(moment));
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err("`to` is not after `from`: it would never be shown".to_owned());
        }
        Ok(())
    }

    fn is_shown(&self, tag: &str, now: Timestamp) -> bool {
        let at = |at: &Option<String>| at.as_deref().and_then(moment);
        let about = self.tags.is_empty() || self.tags.iter().any(|one| one == tag);
        about && at(&self.from).is_none_or(|from| from <= now) && at(&self.to).is_none_or(|to| now < to)
    }
}

fn moment(text: &str) -> Option<Timestamp> {
    let instant: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(instant.as_millisecond()))
}

struct Desk {
    sources: Sources,
    rendered: tokio::sync::Mutex<BTreeMap<String, (Instant, Arc<str>)>>,
    /// Services seen with a tag: one that died has no tags any more.
    seen: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

/// `/status/<tag>`.
pub(crate) fn router(sources: Sources) -> Router {
    let desk = Desk { sources, rendered: Default::default(), seen: Mutex::default() };
    Router::new().route("/status/{tag}", get(status)).with_state(Arc::new(desk))
}

async fn status(State(desk): State<Arc<Desk>>, Path(tag): Path<String>) -> Response {
    let pages = &desk.sources.config.status_pages;
    let Some(page) = pages.iter().find(|page| page.tag == tag) else {
        return (StatusCode::NOT_FOUND, "there is no such status page\n").into_response();
    };
    let mut rendered = desk.rendered.lock().await;
    if let Some((made, body)) = rendered.get(&tag)
        && made.elapsed() < KEPT
    {
        return shown(body);
    }
    match desk.view(page).await {
        Ok(view) => {
            let body: Arc<str> = page::render(&view).into();
            rendered.insert(tag, (Instant::now(), body.clone()));
            shown(&body)
        }
        Err(error) => {
            tracing::warn!(%error, "status page not rendered");
            (StatusCode::SERVICE_UNAVAILABLE, "the status cannot be told right now\n").into_response()
        }
    }
}

fn shown(body: &str) -> Response {
    let mut response = body.to_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=15"));
    if let Ok(policy) = HeaderValue::from_str(&page::policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

impl Desk {
    async fn view(&self, page: &StatusPage) -> Result<View, HistoryError> {
        let now = self.sources.clock.now();
        let state = self.sources.catalog.snapshot();
        let names: Vec<String> = self.names(&page.tag, &state).into_iter().collect();
        let window = Window::last(Duration::from_secs(DAYS * 86_400), now);
        let history = &self.sources.history;
        let reports = history.availability(Some(names.clone()), window, Per::Day, TimeZone::UTC).await?;
        let current = history.current(names).await?;
        let current: BTreeMap<_, _> =
            current.into_iter().map(|(name, state, since)| (name, (state, since))).collect();
        let title = |service: &str| page.names.get(service).cloned().unwrap_or_else(|| service.to_owned());
        let mut services = Vec::new();
        for report in &reports {
            let Some((state, since)) = current.get(&report.service) else { continue };
            if *state == ServiceState::Unmonitored && now.since(*since) > GONE {
                continue;
            }
            let since = self::since(&report.intervals, *state, *since);
            services.push(service(report, title(&report.service), *state, since));
        }
        // What is wrong comes first.
        services.sort_by_key(|service| (service.state != ServiceState::Down, service.name.clone()));
        Ok(View {
            title: if page.title.is_empty() { page.tag.clone() } else { page.title.clone() },
            episodes: episodes(&reports, &title, now),
            announcements: self.announcements(&page.tag, &state, now),
            is_demo: reports.iter().any(|report| !report.imported.is_empty()),
            services,
            now,
        })
    }

    fn names(&self, tag: &str, state: &Snapshot) -> BTreeSet<String> {
        let tagged = state.instances().filter(|one| one.tags.iter().any(|one| one == tag));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let names = seen.entry(tag.to_owned()).or_default();
        names.extend(tagged.map(|one| one.name.to_string()));
        // A service that is there and has lost the tag is not asked about any more.
        names.retain(|name| {
            let mut instances = state.service(name).peekable();
            instances.peek().is_none() || instances.any(|one| one.tags.iter().any(|one| one == tag))
        });
        names.clone()
    }

    fn announcements(&self, tag: &str, state: &Snapshot, now: Timestamp) -> Vec<Announcement> {
        let kept = state.documents(ANNOUNCEMENTS).filter_map(|one| serde_json::from_str(&one.body).ok());
        let all = self.sources.config.announcements.iter().cloned().chain(kept);
        all.filter(|one: &Announcement| one.is_shown(tag, now)).collect()
    }
}

fn service(report: &Report, name: String, state: ServiceState, since: Timestamp) -> Service {
    let day = |period: &wharf_monitor::Period| Day {
        from: period.from,
        availability: period.availability,
        state: period.state,
        outages: period.outages,
    };
    Service {
        name,
        state,
        since,
        availability: report.total.availability,
        days: report.periods.iter().map(day).collect(),
    }
}

/// Since when it is as it is; if it is down: since its outage began.
fn since(intervals: &[Interval], state: ServiceState, since: Timestamp) -> Timestamp {
    let outage = outages(intervals).pop().filter(|_| state == ServiceState::Down);
    outage.map_or(since, |(from, _)| from.min(since))
}

/// Outages of the last days, newest first.
fn episodes(reports: &[Report], title: &impl Fn(&str) -> String, now: Timestamp) -> Vec<Episode> {
    const SHOWN: usize = 20;
    let mut episodes: Vec<_> = reports
        .iter()
        .flat_map(|report| {
            let late = |&(_, to): &(_, Option<Timestamp>)| to.is_none_or(|to| now.since(to) < EPISODES);
            outages(&report.intervals).into_iter().filter(late).map(|(from, to)| Episode {
                service: title(&report.service),
                from,
                to,
            })
        })
        .collect();
    episodes.sort_by_key(|episode| std::cmp::Reverse(episode.from));
    episodes.truncate(SHOWN);
    episodes
}

/// From when to when it was down: a pause, or time in which nobody looked, does not make two outages of one.
fn outages(intervals: &[Interval]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let mut outages: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
    let mut is_open = false;
    for interval in intervals {
        is_open &= !interval.ends_outage();
        if interval.state != ServiceState::Down {
            continue;
        }
        match outages.last_mut().filter(|_| is_open) {
            Some((_, to)) => *to = interval.to,
            None => outages.push((interval.from, interval.to)),
        }
        is_open = true;
    }
    outages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_down_before_and_after_a_gap_is_one_outage() {
        use ServiceState::{Down, Paused, Unmonitored, Up};
        let states = [Up, Down, Unmonitored, Down, Paused, Unmonitored, Down, Up, Down];
        let intervals: Vec<_> = (0..)
            .zip(states)
            .map(|(at, state)| Interval {
                from: Timestamp(at * 10),
                to: (at < 8).then_some(Timestamp(at * 10 + 10)),
                state,
                reason: String::new(),
                imported: false,
            })
            .collect();
        let first = (Timestamp(10), Some(Timestamp(70)));
        assert_eq!(outages(&intervals), [first, (Timestamp(80), None)]);
        let service = |state| since(&intervals[..7], state, Timestamp(60));
        assert_eq!((service(Down), service(Up)), (Timestamp(10), Timestamp(60)));
    }
}
