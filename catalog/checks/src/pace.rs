//! When to come back? Pure: the delay until a check's next run.
//!
//! An app that has just been started begins to listen within milliseconds: until its check has passed for the
//! first time it is asked again at once, then ever slower. Everything after that keeps to the interval, spread
//! by a hash of the check's id so that thousands of checks do not run in lockstep.

use std::time::Duration;

/// How long after its registration a check that never passed is retried fast.
pub(crate) const YOUNG: Duration = Duration::from_secs(10);
/// Delay after the first failed run of a young check; doubles with each.
const FIRST_RETRY: Duration = Duration::from_millis(5);
/// Longest delay between two runs of a young check.
const SLOWEST_RETRY: Duration = Duration::from_millis(100);
/// Shortest delay between two runs of a young check that runs a command: those cost more than a question.
const COMMAND_RETRY: Duration = Duration::from_secs(1);
/// Shortest interval that is honoured: below it checks would do nothing but run.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// Delay between the end of failed run number `retries` (from 0) of a young check and its next run.
pub(crate) fn retry(retries: u32, interval: Duration) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << retries.min(10));
    doubled.min(SLOWEST_RETRY).min(interval.max(SHORTEST_INTERVAL))
}

/// As [`retry`], for checks that run commands.
pub(crate) fn retry_command(interval: Duration) -> Duration {
    COMMAND_RETRY.min(interval.max(SHORTEST_INTERVAL))
}

/// Time between the start of a check's repeat number `repeats` (from 0) and the next start.
///
/// The first repeat comes anywhere in the interval, so that checks registered together part; later ones stray
/// from the interval by at most a twentieth, and keep it on average.
pub(crate) fn repeat(id: &str, repeats: u64, interval: Duration) -> Duration {
    let interval = interval.max(SHORTEST_INTERVAL);
    let share = fraction(id, repeats);
    if repeats == 0 { interval.mul_f64(0.1 + 0.9 * share) } else { interval.mul_f64(0.95 + 0.1 * share) }
}

/// A number in 0..1 that depends on nothing but its arguments (FNV-1a, then splitmix64's mixer).
fn fraction(id: &str, repeats: u64) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut mixed = hash ^ repeats.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);

    #[test]
    fn retries_double_up_to_a_tenth_of_a_second_and_never_exceed_the_interval() {
        let delays: Vec<_> = (0..7).map(|n| retry(n, INTERVAL).as_millis()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 80, 100, 100]);
        assert_eq!(retry(6, Duration::from_millis(30)), Duration::from_millis(30));
        assert_eq!(retry(u32::MAX, INTERVAL), SLOWEST_RETRY);
    }

    #[test]
    fn first_repeats_of_checks_registered_together_fill_the_interval_evenly() {
        let mut tenths = [0; 10];
        for n in 0..9_000 {
            let delay = repeat(&format!("service:web-{n}"), 0, INTERVAL);
            assert!(delay >= INTERVAL / 10 && delay <= INTERVAL);
            tenths[(delay.as_secs_f64()) as usize] += 1;
        }
        assert_eq!(tenths[0], 0);
        assert!(tenths[1..].iter().all(|&n| (850..1150).contains(&n)), "{tenths:?}");
    }

    #[test]
    fn later_repeats_keep_the_interval_on_average_and_are_the_same_every_time() {
        let delays: Vec<_> = (1..2_000).map(|n| repeat("c", n, INTERVAL)).collect();
        let mean = delays.iter().sum::<Duration>() / delays.len() as u32;
        assert!(mean.abs_diff(INTERVAL) < Duration::from_millis(30), "{mean:?}");
        assert!(delays.iter().all(|d| d.abs_diff(INTERVAL) <= INTERVAL / 20));
        assert_eq!(repeat("c", 7, INTERVAL), delays[6]);
    }
}
