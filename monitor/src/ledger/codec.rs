//! How what is old is written down: many rows in one blob.
//!
//! Pure. A blob holds the minutes or the single check runs of one hour, or the hours of one day, as columns of
//! [`bits`](super::bits). Whole hours and days are kept exactly, sketch included. Of a minute its counts, sum, fastest
//! and slowest run are; its sketch is made up from these, exact where the minute had no more than two runs. Blobs of
//! the second format ([`old`]) are told by their first byte, and read. Bytes that make no sense are nothing at all:
//! nothing panics.

mod old;

use std::iter;

use wharf_catalog::Timestamp;

use super::bits::{Reader, Writer};
use crate::{
    rollup::{Bucket, HOUR, MINUTE, Sample},
    sketch::Sketch,
};

/// No stretch has more buckets; a greater number is damage.
const SLOTS: u64 = 64;
/// No sketch has more bins: this is beyond the greatest number.
const BINS: u64 = 2_048;
/// No hour has more check runs.
const RUNS: u64 = 1 << 24;
/// What old blobs of buckets, and of samples, never begin with.
const BUCKETS: &[u8] = &[0x80];
const SAMPLES: &[u8] = &[0x80, 0];

/// Buckets in order of time; `base` is the beginning of the stretch, `width` the width of a bucket.
pub(super) fn encode_buckets(base: i64, width: i64, buckets: &[(i64, Bucket)], full: bool) -> Vec<u8> {
    let mut bits = Writer::starting_with(BUCKETS);
    bits.number(buckets.len() as u64, 4);
    let slots = buckets.iter().map(|(at, _)| ((at - base) / width).unsigned_abs());
    let before = iter::once(0).chain(slots.clone().map(|slot| slot + 1));
    bits.column(&slots.zip(before).map(|(slot, before)| slot - before).collect::<Vec<_>>());
    let all = || buckets.iter().map(|(_, bucket)| bucket);
    bits.column(&column(all(), |one| one.count));
    bits.column(&column(all(), |one| one.count.saturating_sub(one.up)));
    bits.column(&column(all(), |one| one.up.saturating_sub(one.within)));
    bits.column(&column(all(), |one| one.count.saturating_sub(one.timed)));
    let timed = || all().filter(|one| one.timed > 0);
    bits.column(&column(timed(), |one| one.sum / one.timed));
    bits.column(&column(timed(), |one| one.sum % one.timed));
    bits.column(&column(timed(), |one| u64::from(is_alike(one))));
    let unlike = || timed().filter(|one| !is_alike(one));
    bits.column(&column(unlike(), |one| (one.sum / one.timed).saturating_sub(one.min)));
    bits.column(&column(unlike(), |one| one.max.saturating_sub(one.min)));
    if full {
        sketches(&mut bits, &timed().map(|one| &one.sketch).collect::<Vec<_>>());
    }
    bits.finish()
}

fn column<'a>(buckets: impl Iterator<Item = &'a Bucket>, value: impl Fn(&Bucket) -> u64) -> Vec<u64> {
    buckets.map(value).collect()
}

/// Did all runs take the same time? One did.
fn is_alike(bucket: &Bucket) -> bool {
    bucket.min == bucket.max && bucket.min.checked_mul(bucket.timed) == Some(bucket.sum)
}

fn sketches(bits: &mut Writer, sketches: &[&Sketch]) {
    let bins = || sketches.iter().map(|sketch| sketch.bins());
    bits.column(&bins().map(|bins| bins.len() as u64).collect::<Vec<_>>());
    bits.column(&bins().filter_map(|bins| Some(u64::from(bins.first()?.0))).collect::<Vec<_>>());
    let steps = bins().flat_map(|bins| bins.windows(2).map(|two| u64::from(two[1].0 - two[0].0)));
    bits.column(&steps.collect::<Vec<_>>());
    bits.column(&bins().flatten().map(|(_, count)| *count).collect::<Vec<_>>());
}

/// Calls `each` with what [`encode_buckets`] wrote, now or in the second format.
pub(super) fn decode_buckets(
    base: i64,
    width: i64,
    bytes: &[u8],
    full: bool,
    mut each: impl FnMut(i64, &Bucket),
) {
    let Some(bytes) = bytes.strip_prefix(BUCKETS) else {
        return old::decode_buckets(base, width, bytes, full, each);
    };
    let buckets = read_buckets(&mut Reader::new(bytes), full).unwrap_or_default();
    buckets.iter().for_each(|(slot, bucket)| each(base + slot * width, bucket));
}

fn read_buckets(bits: &mut Reader<'_>, full: bool) -> Option<Vec<(i64, Bucket)>> {
    let count = bits.number(4).filter(|count| *count <= SLOTS)? as usize;
    let gaps = bits.column(count)?;
    let (counts, failed) = (bits.column(count)?, bits.column(count)?);
    let (slow, untimed) = (bits.column(count)?, bits.column(count)?);
    let mut buckets = Vec::with_capacity(count);
    let mut slot = 0;
    for at in 0..count {
        slot += gaps[at].min(SLOTS) as i64;
        if slot >= SLOTS as i64 {
            return None;
        }
        let up = counts[at].checked_sub(failed[at])?;
        let (within, timed) = (up.checked_sub(slow[at])?, counts[at].checked_sub(untimed[at])?);
        buckets.push((slot, Bucket { count: counts[at], up, within, timed, ..Bucket::default() }));
        slot += 1;
    }
    let timed: Vec<&mut Bucket> =
        buckets.iter_mut().map(|(_, one)| one).filter(|one| one.timed > 0).collect();
    read_times(bits, timed, full)?;
    Some(buckets)
}

fn read_times(bits: &mut Reader<'_>, mut timed: Vec<&mut Bucket>, full: bool) -> Option<()> {
    let count = timed.len();
    let (means, rests, alike) = (bits.column(count)?, bits.column(count)?, bits.column(count)?);
    let unlike = alike.iter().filter(|alike| **alike == 0).count();
    let (below, spread) = (bits.column(unlike)?, bits.column(unlike)?);
    let (mut below, mut spread) = (below.into_iter(), spread.into_iter());
    for (at, bucket) in timed.iter_mut().enumerate() {
        bucket.sum = means[at].checked_mul(bucket.timed)?.checked_add(rests[at])?;
        (bucket.min, bucket.max) = match alike[at] {
            0 => {
                let min = means[at].checked_sub(below.next()?)?;
                (min, min.checked_add(spread.next()?)?)
            }
            _ => (means[at], means[at]),
        };
    }
    match full {
        true => read_sketches(bits, timed),
        false => {
            timed.into_iter().for_each(made_up);
            Some(())
        }
    }
}

fn read_sketches(bits: &mut Reader<'_>, timed: Vec<&mut Bucket>) -> Option<()> {
    let lengths = bits.column(timed.len())?;
    if lengths.iter().any(|length| *length > BINS) {
        return None;
    }
    let filled = lengths.iter().filter(|length| **length > 0).count();
    let mut firsts = bits.column(filled)?.into_iter();
    let bins = lengths.iter().sum::<u64>() as usize;
    let (steps, counts) = (bits.column(bins - filled)?, bits.column(bins)?);
    let (mut steps, mut counts) = (steps.into_iter(), counts.into_iter());
    for (bucket, length) in timed.into_iter().zip(lengths) {
        let step = |at| if at == 0 { firsts.next() } else { steps.next() };
        bucket.sketch = Sketch::of((0..length).map(step).map_while(|step| Some((step?, counts.next()?))));
    }
    Some(())
}

/// A sketch from what is known: the fastest, the slowest, and all others at their mean.
fn made_up(bucket: &mut Bucket) {
    let between = bucket.timed.saturating_sub(2);
    if bucket.timed == 1 || bucket.min == bucket.max {
        bucket.sketch.add_many(bucket.min, bucket.timed);
        return;
    }
    bucket.sketch.add_many(bucket.min, 1);
    bucket.sketch.add_many(bucket.max, 1);
    let rest = bucket.sum.saturating_sub(bucket.min).saturating_sub(bucket.max);
    if let Some(mean) = rest.checked_div(between) {
        bucket.sketch.add_many(mean, between);
    }
}

/// The single check runs of one hour, in order of time.
pub(super) fn encode_samples(base: i64, samples: &[Sample]) -> Vec<u8> {
    let mut bits = Writer::starting_with(SAMPLES);
    bits.number(samples.len() as u64, 6);
    let times = samples.iter().map(|sample| sample.at.0.max(base));
    let steps = times.clone().zip(iter::once(base).chain(times)).map(|(at, before)| (at - before).max(0));
    let steps: Vec<u64> = steps.map(i64::unsigned_abs).collect();
    // The first step is another matter than the pause between two runs.
    let (first, later) = steps.split_at(steps.len().min(1));
    bits.column(first);
    bits.column(later);
    bits.column(&samples.iter().map(|sample| u64::from(sample.up)).collect::<Vec<_>>());
    bits.column(&samples.iter().map(|sample| u64::from(sample.micros.is_some())).collect::<Vec<_>>());
    bits.column(&samples.iter().filter_map(|sample| sample.micros).collect::<Vec<_>>());
    bits.finish()
}

/// Calls `each` with what [`encode_samples`] wrote, now or in the second format.
pub(super) fn decode_samples(base: i64, bytes: &[u8], each: impl FnMut(Sample)) {
    match bytes.strip_prefix(SAMPLES) {
        Some(bytes) => {
            read_samples(base, &mut Reader::new(bytes)).unwrap_or_default().into_iter().for_each(each)
        }
        None => old::decode_samples(base, bytes, each),
    }
}

fn read_samples(base: i64, bits: &mut Reader<'_>) -> Option<Vec<Sample>> {
    let count = bits.number(6).filter(|count| *count <= RUNS)? as usize;
    let first = bits.column(count.min(1))?;
    let later = bits.column(count.saturating_sub(1))?;
    let (up, timed) = (bits.column(count)?, bits.column(count)?);
    let mut micros = bits.column(timed.iter().filter(|timed| **timed > 0).count())?.into_iter();
    let mut at = base;
    let sample = |((step, up), timed)| {
        at = at.saturating_add_unsigned(step);
        Sample { at: Timestamp(at), up: up > 0, micros: if timed > 0 { micros.next() } else { None } }
    };
    Some(first.into_iter().chain(later).zip(up).zip(timed).map(sample).collect())
}

/// Minutes of an hour.
pub(super) const MINUTES: (i64, i64) = (HOUR, MINUTE);

#[cfg(test)]
mod tests;
