//! When is a change rendered? After a moment of calm, but never later than a limit.
//!
//! Invariant: a change is due at most `max` after the first one that is waiting, and not before `min`
//! after the last one unless that limit comes first. At exactly the deadline it is due.

use std::time::Duration;

use tokio::time::Instant;

use crate::Wait;

/// Collects changes until they may be rendered together.
#[derive(Debug, Clone)]
pub struct Quiescence {
    wait: Wait,
    waiting: Option<Waiting>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    first: Instant,
    last: Instant,
}

impl Quiescence {
    /// Nothing waits yet.
    pub fn new(wait: Wait) -> Self {
        Self { wait, waiting: None }
    }

    /// Other limits from now on, also for what waits.
    pub fn set_wait(&mut self, wait: Wait) {
        self.wait = wait;
    }

    /// Something changed at `now`.
    pub fn change(&mut self, now: Instant) {
        let first = self.waiting.map_or(now, |waiting| waiting.first);
        self.waiting = Some(Waiting { first, last: now });
    }

    /// When what waits is due; `None` when nothing waits.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.waiting.map(|waiting| (waiting.last + self.wait.min).min(waiting.first + self.wait.max))
    }

    /// Is it time? If so nothing waits any more.
    pub fn advance(&mut self, now: Instant) -> bool {
        let due = self.next_deadline().is_some_and(|deadline| deadline <= now);
        if due {
            self.waiting = None;
        }
        due
    }
}

/// How long to wait before trying again what has failed `failures` times in a row: 250 ms, doubling to 1 min.
pub fn retry_delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(8);
    Duration::from_millis(250 << doublings).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn start() -> (Quiescence, Instant) {
        let wait = Wait { min: ms(10), max: ms(100) };
        (Quiescence::new(wait), Instant::now())
    }

    #[test]
    fn a_single_change_waits_for_min() {
        let (mut quiet, t) = start();
        assert_eq!(quiet.next_deadline(), None);
        quiet.change(t);
        assert!(!quiet.advance(t + ms(9)));
        assert!(quiet.advance(t + ms(10)), "due at exactly the deadline");
        assert!(!quiet.advance(t + ms(11)), "rendered twice");
    }

    #[test]
    fn a_change_during_the_wait_extends_it() {
        let (mut quiet, t) = start();
        quiet.change(t);
        quiet.change(t + ms(8));
        assert!(!quiet.advance(t + ms(17)));
        assert!(quiet.advance(t + ms(18)));
    }

    #[test]
    fn endless_changes_are_rendered_at_max() {
        let (mut quiet, t) = start();
        for at in (0..100).step_by(5) {
            quiet.change(t + ms(at));
            assert!(!quiet.advance(t + ms(at)), "too early at {at} ms");
        }
        assert_eq!(quiet.next_deadline(), Some(t + ms(100)));
        assert!(quiet.advance(t + ms(100)));
    }

    #[test]
    fn the_next_change_starts_a_new_wait() {
        let (mut quiet, t) = start();
        quiet.change(t);
        assert!(quiet.advance(t + ms(10)));
        quiet.change(t + ms(95));
        assert_eq!(quiet.next_deadline(), Some(t + ms(105)));
    }

    #[test]
    fn retries_double_up_to_a_minute() {
        let delays: Vec<_> = [1, 2, 3, 8, 9, 1000].map(retry_delay).to_vec();
        assert_eq!(delays, [ms(250), ms(500), ms(1000), ms(32_000), ms(60_000), ms(60_000)]);
    }

    proptest! {
        #[test]
        fn every_change_is_rendered_within_max_and_never_without_reason(gaps in prop::collection::vec(0u64..40, 1..200)) {
            let (mut quiet, start) = start();
            let (mut now, mut oldest, mut waiting) = (start, None, 0);
            for gap in gaps {
                let next = now + ms(gap);
                if let Some(deadline) = quiet.next_deadline().filter(|deadline| *deadline <= next) {
                    prop_assert!(quiet.advance(deadline));
                    prop_assert!(waiting > 0);
                    prop_assert!(oldest.is_some_and(|oldest| deadline - oldest <= ms(100)));
                    (waiting, oldest) = (0, None);
                }
                now = next;
                quiet.change(now);
                oldest.get_or_insert(now);
                waiting += 1;
            }
            prop_assert!(quiet.advance(now + ms(10)));
        }
    }
}
