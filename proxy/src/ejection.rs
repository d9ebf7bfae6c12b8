//! Who is skipped for a moment? An endpoint that could not be reached, until its time is over or the
//! catalog says something new about it.
//!
//! Who decides: this state, from the times it is given. Who acts: the choice of an endpoint, which
//! ignores it when nobody else is left.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The breaker of one endpoint. Times are counted from any one fixed moment.
#[derive(Debug, Default)]
pub struct Ejection {
    /// Milliseconds; 0: closed.
    open_until: AtomicU64,
}

impl Ejection {
    /// The endpoint failed at `now`: skip it for `length`.
    pub fn fail(&self, now: Duration, length: Duration) {
        self.open_until.store(millis(now.saturating_add(length)), Relaxed);
    }

    /// The endpoint answered, or the catalog spoke: forget its failures.
    pub fn close(&self) {
        if self.open_until.load(Relaxed) != 0 {
            self.open_until.store(0, Relaxed);
        }
    }

    /// Is it skipped? `now` is only asked for when it failed before.
    pub fn is_open(&self, now: impl FnOnce() -> Duration) -> bool {
        match self.open_until.load(Relaxed) {
            0 => false,
            until => millis(now()) < until,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_failure_counts_until_its_time_is_over() {
        let ejection = Ejection::default();
        assert!(!ejection.is_open(|| unreachable!("nothing failed yet")));
        ejection.fail(SECOND, SECOND);
        assert!(ejection.is_open(|| Duration::from_millis(1999)));
        assert!(!ejection.is_open(|| 2 * SECOND), "over exactly at its end");
    }

    #[test]
    fn the_catalog_can_close_it_early() {
        let ejection = Ejection::default();
        ejection.fail(SECOND, SECOND);
        ejection.close();
        assert!(!ejection.is_open(|| SECOND));
    }
}
