//! Is a service in a maintenance window? The windows of the settings, and those kept in the catalog.
//!
//! A window counts for a service from when both are known, never from before: what was counted stays counted. Only a
//! beginning that was foreseen may be looked at a moment late.

use wharf_catalog::{Index, State, Timestamp, Topic};

use super::service::Service;
use crate::{
    maintenance::{DOCUMENTS, Maintenance as Window, Windows},
    verdict::Verdict,
    view::ServiceState,
};

/// All windows there are.
#[derive(Debug, Default)]
pub(super) struct Maintenance {
    of_settings: Windows,
    all: Windows,
    seen: Index,
}

impl Maintenance {
    pub(super) fn new(of_settings: Windows) -> Self {
        Self { all: of_settings.clone(), of_settings, seen: Index::default() }
    }

    /// Takes over what the catalog says; answers whether that may have changed.
    pub(super) fn follow(&mut self, state: &State) -> bool {
        let index = state.index_of(&Topic::Documents(DOCUMENTS.into()));
        if index <= self.seen {
            return false;
        }
        self.seen = index;
        self.all = self.of_settings.clone();
        for document in state.documents(DOCUMENTS) {
            let pushed = serde_json::from_str::<Window>(&document.body)
                .map_err(|error| error.to_string())
                .and_then(|window| self.all.push(&window).map_err(|error| error.to_string()));
            if let Err(error) = pushed {
                // Whoever put it there went around the API, which checks it.
                tracing::warn!(id = %document.id, %error, "maintenance window not observed");
            }
        }
        true
    }

    /// Is the service in a window then?
    pub(super) fn covers(&self, name: &str, state: &State, at: Timestamp) -> bool {
        !self.all.is_empty() && self.all.active(name, &tags(name, state), at).is_some()
    }

    /// If the service is in a window: what counts instead of its verdict. Also sets when to look again, and from
    /// when on its failures count.
    pub(super) fn excuse(
        &self,
        service: &mut Service,
        name: &str,
        state: &State,
        now: Timestamp,
    ) -> Option<Verdict> {
        let foreseen = service.window_begins.take();
        if self.all.is_empty() && service.window_ends.is_none() {
            return None;
        }
        let tags = tags(name, state);
        let next = self.all.next_change(name, &tags, now);
        service.window_begins = next;
        service.deadline = service.deadline.into_iter().chain(next).min();
        match self.all.active(name, &tags, now) {
            Some(active) => {
                service.window_ends = Some(active.to.unwrap_or(Timestamp(i64::MAX)));
                service.floor = now;
                let reason = format!("maintenance: {}", active.name);
                let since = if foreseen.is_some_and(|at| at <= active.from) { active.from } else { now };
                Some(Verdict { state: ServiceState::Paused, since, reason })
            }
            None => {
                if let Some(end) = service.window_ends.take() {
                    service.floor = end.min(now);
                }
                None
            }
        }
    }
}

fn tags<'a>(name: &str, state: &'a State) -> Vec<&'a str> {
    state.service(name).flat_map(|one| &one.tags).map(String::as_str).collect()
}
