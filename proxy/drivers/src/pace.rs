//! How often may something expensive be done? Pure: a bucket of tokens.
//!
//! A reload that comes alone happens at once. In a storm (a crash loop, a flapping check) the first few
//! happen at once too; after that, one every `interval`, each with all that changed in between. Invariant: in
//! any time `t` there are at most `burst + t / interval` reloads.

use std::time::Duration;

use tokio::time::Instant;

/// The bucket.
#[derive(Debug, Clone)]
pub struct Pace {
    burst: u32,
    interval: Duration,
    /// When the bucket would have been empty: each token pushes it on by one interval.
    level: Option<Instant>,
}

impl Pace {
    /// A full bucket of `burst` tokens (0 counts as 1) that gets a new one every `interval`.
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self { burst: burst.max(1), interval, level: None }
    }

    /// When the next token is there.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let room = self.interval * (self.burst - 1);
        match self.level {
            Some(level) if level > now + room => level - room,
            _ => now,
        }
    }

    /// Is there one at `now`? At exactly [`Self::ready_at`] there is.
    pub fn allows(&self, now: Instant) -> bool {
        self.ready_at(now) <= now
    }

    /// One was used at `now`.
    pub fn spend(&mut self, now: Instant) {
        self.level = Some(self.level.map_or(now, |level| level.max(now)) + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_first_few_happen_at_once_and_then_one_an_interval() {
        let (mut pace, start) = (Pace::new(3, ms(100)), Instant::now());
        for _ in 0..3 {
            assert!(pace.allows(start));
            pace.spend(start);
        }
        assert!(!pace.allows(start + ms(99)));
        assert_eq!(pace.ready_at(start), start + ms(100));
        assert!(pace.allows(start + ms(100)), "at exactly the deadline");
    }

    #[test]
    fn calm_fills_the_bucket_again() {
        let (mut pace, start) = (Pace::new(2, ms(100)), Instant::now());
        pace.spend(start);
        pace.spend(start);
        let later = start + ms(10_000);
        pace.spend(later);
        assert!(pace.allows(later));
    }

    proptest! {
        #[test]
        fn a_storm_gets_no_more_than_its_share(gaps in prop::collection::vec(0u64..50, 1..200), burst in 1u32..5) {
            let (mut pace, start) = (Pace::new(burst, ms(100)), Instant::now());
            let (mut now, mut spent) = (start, 0u32);
            for gap in gaps {
                now += ms(gap);
                if pace.allows(now) {
                    pace.spend(now);
                    spent += 1;
                }
                let most = burst + u32::try_from((now - start).as_millis() / 100).unwrap();
                prop_assert!(spent <= most, "{} of {}", spent, most);
            }
        }
    }
}
