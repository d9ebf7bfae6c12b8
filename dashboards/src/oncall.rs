//! What open pages follow of incidents and pages: enough to know when to ask the on-call API again.

use serde::Serialize;
use wharf_oncall::state::Stand;
use wharf_pager::Picture;

/// The pager in three numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct OncallCounts {
    /// Grows with everything that happens.
    pub(crate) journal: u64,
    /// Incidents nobody has taken.
    pub(crate) triggered: usize,
    /// Incidents somebody is at.
    pub(crate) acknowledged: usize,
}

impl From<&Picture> for OncallCounts {
    fn from(picture: &Picture) -> Self {
        let open = &picture.state.incidents;
        let triggered = open.values().filter(|incident| incident.stand == Stand::Triggered).count();
        Self { journal: picture.journal, triggered, acknowledged: open.len() - triggered }
    }
}
