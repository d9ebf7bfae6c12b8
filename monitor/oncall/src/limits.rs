//! How often may one contact method be used? What is beyond that is bundled.
//!
//! The figures are GoAlert's: a contact method of a person takes one message a minute where a message is a
//! call, a text or a mail; calls at most 3 in 15 minutes and 7 in an hour, texts 5 and 11. Pushes and
//! webhooks are not limited.

use std::time::Duration;

use jiff::Timestamp;

use crate::{civil, config::Medium};

const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(900);
const HOUR: Duration = Duration::from_secs(3600);

/// The longest time a limit looks back.
pub(crate) const MEMORY: Duration = HOUR;

/// At most so many messages in such a time.
fn limits(medium: Medium) -> &'static [(usize, Duration)] {
    match medium {
        Medium::Push => &[],
        Medium::Email => &[(1, MINUTE)],
        Medium::Sms => &[(1, MINUTE), (5, QUARTER), (11, HOUR)],
        Medium::Voice => &[(1, MINUTE), (3, QUARTER), (7, HOUR)],
    }
}

/// When the next message may go, given when those before went, in order: `now` or later.
pub(crate) fn next_allowed(medium: Medium, sent: &[Timestamp], now: Timestamp) -> Timestamp {
    let free = limits(medium).iter().filter_map(|&(most, window)| {
        let nth_last = sent.len().checked_sub(most)?;
        sent.get(nth_last).map(|at| civil::after(*at, window))
    });
    free.max().map_or(now, |free| free.max(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends whenever it may, for two hours.
    fn greedy(medium: Medium) -> Vec<i64> {
        let mut sent: Vec<Timestamp> = Vec::new();
        let mut now = Timestamp::UNIX_EPOCH;
        loop {
            now = next_allowed(medium, &sent, now);
            if now.as_second() >= 7200 || sent.len() > 1000 {
                return sent.iter().map(|at| at.as_second()).collect();
            }
            sent.push(now);
        }
    }

    fn most_within(sent: &[i64], seconds: i64) -> usize {
        sent.iter()
            .map(|from| sent.iter().filter(|at| (*from..from + seconds).contains(at)).count())
            .max()
            .unwrap()
    }

    #[test]
    fn calls_and_texts_never_exceed_their_figures_in_any_window() {
        let (voice, sms, mail) = (greedy(Medium::Voice), greedy(Medium::Sms), greedy(Medium::Email));
        assert_eq!([60, 900, 3600].map(|window| most_within(&voice, window)), [1, 3, 7]);
        assert_eq!([60, 900, 3600].map(|window| most_within(&sms, window)), [1, 5, 11]);
        assert_eq!([60, 900].map(|window| most_within(&mail, window)), [1, 15]);
    }

    #[test]
    fn pushes_are_not_limited() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(next_allowed(Medium::Push, &[now; 100], now), now);
    }
}
