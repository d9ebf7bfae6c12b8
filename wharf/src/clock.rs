//! The one wall clock. Everything else is told the time.

use std::time::{SystemTime, UNIX_EPOCH};

use wharf_catalog::{Clock, Timestamp};

/// The system's clock.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads it")]
pub(crate) fn system() -> Clock {
    Clock::new(|| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    })
}
