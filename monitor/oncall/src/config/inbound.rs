//! `[inbound]`: what other tools need to send alerts.

use serde::{Deserialize, Serialize};

use crate::Secret;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;
const LONGEST: usize = 128;

/// Who may send alerts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inbound {
    /// They have to know it; without it, whoever reaches the API may.
    pub key: Option<Secret>,
}

impl Inbound {
    /// It stands in paths, in header fields, and before the dot of a PagerDuty routing key.
    pub(super) fn fault(&self) -> Option<String> {
        let key = self.key.as_ref()?.reveal();
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let fits = (SHORTEST..=LONGEST).contains(&key.len()) && key.chars().all(fits);
        (!fits)
            .then(|| format!("is not {SHORTEST} to {LONGEST} letters, digits, `_` or `-`; take a random one"))
    }
}
