//! What do many check runs amount to? Samples -> minutes -> hours, without losing the weights.
//!
//! Pure. Every number a page shows is worked out from counts and sums, never from averages of averages.

use std::{ops::Range, time::Duration};

use wharf_catalog::{Outcome, Status, Timestamp};

use crate::{sketch::Sketch, view::Window};

/// Milliseconds in a minute, an hour and a day.
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// One check run, as far as figures go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When it ended.
    pub(crate) at: Timestamp,
    /// Did it pass?
    pub(crate) up: bool,
    /// How long the answer took, in microseconds, where that was measured.
    pub(crate) micros: Option<u64>,
}

impl From<&Outcome> for Sample {
    fn from(outcome: &Outcome) -> Self {
        Self {
            at: outcome.at,
            up: outcome.status == Status::Passing,
            micros: outcome.response_time.map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        }
    }
}

/// The check runs of one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Bucket {
    /// Runs.
    pub(crate) count: u64,
    /// Runs that passed.
    pub(crate) up: u64,
    /// Runs that passed and were fast enough (or have nothing to time).
    pub(crate) within: u64,
    /// Runs with a response time; the rest is about those.
    pub(crate) timed: u64,
    /// Sum, in microseconds.
    pub(crate) sum: u64,
    /// Fastest; `u64::MAX`... is never seen: only meaningful when `timed` is not 0.
    pub(crate) min: u64,
    /// Slowest.
    pub(crate) max: u64,
    /// For quantiles.
    pub(crate) sketch: Sketch,
}

impl Bucket {
    /// Adds one run; `limit` is the maximum response time.
    pub(crate) fn add(&mut self, sample: Sample, limit: Duration) {
        let fast = sample.micros.is_none_or(|micros| u128::from(micros) <= limit.as_micros());
        self.count += 1;
        self.up += u64::from(sample.up);
        self.within += u64::from(sample.up && fast);
        if let Some(micros) = sample.micros {
            self.time(1, micros, micros, micros);
            self.sketch.add(micros);
        }
    }

    /// Becomes `other`, in the room it has.
    pub(crate) fn copy(&mut self, other: &Self) {
        let mut sketch = std::mem::take(&mut self.sketch);
        sketch.copy(&other.sketch);
        let Self { count, up, within, timed, sum, min, max, .. } = *other;
        *self = Self { count, up, within, timed, sum, min, max, sketch };
    }

    /// Adds all runs of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.merge_counts(other);
        self.sketch.merge(&other.sketch);
    }

    /// Adds all runs of `other` but for its sketch, which the caller has in another form.
    pub(crate) fn merge_counts(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.up = self.up.saturating_add(other.up);
        self.within = self.within.saturating_add(other.within);
        if other.timed > 0 {
            self.time(other.timed, other.sum, other.min, other.max);
        }
    }

    fn time(&mut self, timed: u64, sum: u64, min: u64, max: u64) {
        self.min = if self.timed == 0 { min } else { self.min.min(min) };
        self.max = self.max.max(max);
        self.sum = self.sum.saturating_add(sum);
        self.timed = self.timed.saturating_add(timed);
    }

    /// Share of runs that were up and within the maximum response time.
    pub(crate) fn responsiveness(&self) -> Option<f64> {
        (self.count > 0).then(|| self.within as f64 / self.count as f64)
    }

    /// Mean response time in milliseconds.
    pub(crate) fn mean_ms(&self) -> Option<f64> {
        (self.timed > 0).then(|| self.sum as f64 / self.timed as f64 / 1000.0)
    }

    /// Response time in milliseconds that the share `q` does not exceed; never outside of what was measured.
    pub(crate) fn quantile_ms(&self, q: f64) -> Option<f64> {
        let micros = self.sketch.quantile(q)?;
        Some(micros.clamp(self.min as f64, self.max.max(self.min) as f64) / 1000.0)
    }
}

/// The beginning of the stretch of length `width` that `at` lies in.
pub(crate) fn floor(at: Timestamp, width: i64) -> i64 {
    at.0.saturating_sub(at.0.rem_euclid(width))
}

/// Which stored buckets make up a window: whole hours in the middle, minutes where it begins and ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cover {
    /// Minutes before the first whole hour.
    pub(crate) head: Range<i64>,
    /// Whole hours.
    pub(crate) hours: Range<i64>,
    /// Minutes after the last whole hour.
    pub(crate) tail: Range<i64>,
}

/// The buckets for `window`, rounded down to a minute at its beginning and up at its end. Where it ends
/// `now` or later the current hour counts whole (its bucket holds nothing from the future); minutes older
/// than `minutes_kept` are gone, the hour they belonged to counts whole.
pub(crate) fn cover(window: Window, now: Timestamp, minutes_kept: Duration) -> Cover {
    let oldest = oldest_minutes(now, minutes_kept);
    let mut from = floor(window.from, MINUTE);
    if from < oldest {
        from = floor(window.from, HOUR);
    }
    let to = ceil(window.to.0, MINUTE).max(from);
    let first_hour = ceil(from, HOUR).min(to);
    let mut last_hour = floor(Timestamp(to), HOUR).max(first_hour);
    if window.to >= now || to < oldest {
        last_hour = to;
    }
    Cover { head: from..first_hour, hours: first_hour..last_hour, tail: last_hour..to }
}

/// The first hour whose minutes are all kept.
pub(crate) fn oldest_minutes(now: Timestamp, minutes_kept: Duration) -> i64 {
    floor(now.before(minutes_kept), HOUR).saturating_add(HOUR)
}

pub(crate) fn ceil(at: i64, width: i64) -> i64 {
    let down = floor(Timestamp(at), width);
    if down == at { at } else { down.saturating_add(width) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(1500);

    fn sample(up: bool, millis: Option<u64>) -> Sample {
        Sample { at: Timestamp(0), up, micros: millis.map(|millis| millis * 1000) }
    }

    fn bucket(samples: &[Sample]) -> Bucket {
        let mut bucket = Bucket::default();
        samples.iter().for_each(|&sample| bucket.add(sample, LIMIT));
        bucket
    }

    #[test]
    fn a_busy_minute_weighs_more_than_a_quiet_one() {
        let mut hour = bucket(&[sample(true, Some(10)); 9]);
        hour.merge(&bucket(&[sample(true, Some(110))]));
        assert_eq!(hour.mean_ms(), Some(20.0), "not (10 + 110) / 2");
        assert_eq!((hour.min, hour.max), (10_000, 110_000));
    }

    #[test]
    fn responsive_is_up_and_fast_enough_the_limit_included() {
        let bucket = bucket(&[
            sample(true, Some(1500)),
            sample(true, Some(1501)),
            sample(false, Some(5)),
            sample(true, None),
            sample(false, None),
        ]);
        assert_eq!(bucket.responsiveness(), Some(0.4));
        assert_eq!((bucket.count, bucket.up, bucket.timed), (5, 3, 3));
    }

    #[test]
    fn nothing_tested_is_not_zero() {
        let empty = Bucket::default();
        assert_eq!((empty.mean_ms(), empty.responsiveness(), empty.quantile_ms(0.5)), (None, None, None));
    }

    #[test]
    fn a_day_is_hours_with_minutes_before_them() {
        let now = Timestamp(1_000 * HOUR + 20 * MINUTE + 5);
        let cover =
            cover(Window::last(Duration::from_secs(86_400), now), now, Duration::from_secs(90 * 86_400));
        assert_eq!(cover.head, 976 * HOUR + 20 * MINUTE..977 * HOUR);
        assert_eq!(cover.hours, 977 * HOUR..1_000 * HOUR + 21 * MINUTE);
        assert!(cover.tail.is_empty());
    }

    #[test]
    fn where_minutes_are_gone_the_hour_counts_whole() {
        let now = Timestamp(1_000 * HOUR);
        let cover =
            cover(Window { from: Timestamp(10 * HOUR + MINUTE), to: now }, now, Duration::from_secs(86_400));
        assert_eq!(cover.hours, 10 * HOUR..1_000 * HOUR);
        assert!(cover.head.is_empty());
    }

    proptest! {
        #[test]
        fn a_cover_has_no_gap_and_no_overlap(from in any::<i64>(), to in any::<i64>(), now in any::<i64>()) {
            let window = Window { from: Timestamp(from), to: Timestamp(to) };
            let cover = cover(window, Timestamp(now), Duration::from_secs(7_776_000));
            prop_assert_eq!(cover.head.end, cover.hours.start);
            prop_assert_eq!(cover.hours.end, cover.tail.start);
            prop_assert!(cover.head.start <= from && cover.head.start <= cover.tail.end);
        }

        #[test]
        fn merging_is_the_same_as_adding_all(
            samples in prop::collection::vec((any::<bool>(), prop::option::of(0_u64..5_000)), 0..60),
            cut in 0_usize..60,
        ) {
            let samples: Vec<_> = samples.into_iter().map(|(up, millis)| sample(up, millis)).collect();
            let (first, second) = samples.split_at(cut.min(samples.len()));
            let mut merged = bucket(first);
            merged.merge(&bucket(second));
            prop_assert_eq!(merged, bucket(&samples));
        }
    }
}
