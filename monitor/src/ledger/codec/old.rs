//! Blobs of the second format: how they are read, and (for the tests) how they were written.
//!
//! Numbers are LEB128. Bytes that make no sense end the blob: nothing panics.

use wharf_catalog::Timestamp;

use super::made_up;
#[cfg(test)]
use crate::{ledger::codec::is_alike, sketch::put};
use crate::{
    rollup::{Bucket, Sample},
    sketch::take,
};

/// No stretch has more buckets; a greater number is damage.
const SLOTS: i64 = 64;

const NEXT: u8 = 1;
const SAME_COUNTS: u8 = 2;
const ALIKE: u8 = 4;
/// That many in a row with the three flags above, and nothing but what comes after those.
const RUN: u8 = 8;

/// Buckets in order of time; `base` is the beginning of the stretch, `width` the width of a bucket.
#[cfg(test)]
pub(super) fn encode_buckets(base: i64, width: i64, buckets: &[(i64, Bucket)], full: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut before, mut counts) = (-1, [0; 4]);
    let mut rest = buckets;
    while let Some(((at, bucket), later)) = rest.split_first() {
        let run = run(base, width, before, counts, rest);
        if run > 2 {
            bytes.push(RUN);
            put(&mut bytes, run as u64);
            rest[..run].iter().for_each(|(_, bucket)| times(&mut bytes, bucket, full));
            before += run as i64;
            rest = &rest[run..];
            continue;
        }
        let slot = (at - base) / width;
        let now = counts_of(bucket);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let follows = flag(slot == before + 1, NEXT);
        bytes.push(follows | flag(now == counts, SAME_COUNTS) | flag(is_alike(bucket), ALIKE));
        if slot != before + 1 {
            put(&mut bytes, slot.unsigned_abs());
        }
        if now != counts {
            now.iter().for_each(|count| put(&mut bytes, *count));
        }
        times(&mut bytes, bucket, full);
        (before, counts, rest) = (slot, now, later);
    }
    bytes
}

/// How many of `buckets` follow each other like the one before.
#[cfg(test)]
fn run(base: i64, width: i64, before: i64, counts: [u64; 4], buckets: &[(i64, Bucket)]) -> usize {
    let next = |(number, (at, bucket)): &(usize, &(i64, Bucket))| {
        let slot = before + 1 + *number as i64;
        *at == base + slot * width && counts_of(bucket) == counts && is_alike(bucket)
    };
    buckets.iter().enumerate().take_while(next).count()
}

#[cfg(test)]
fn counts_of(bucket: &Bucket) -> [u64; 4] {
    [bucket.count, bucket.up, bucket.within, bucket.timed]
}

#[cfg(test)]
fn times(bytes: &mut Vec<u8>, bucket: &Bucket, full: bool) {
    if bucket.timed == 0 {
        return;
    }
    put(bytes, bucket.sum);
    if !is_alike(bucket) {
        put(bytes, bucket.min);
        put(bytes, bucket.max - bucket.min);
    }
    if full {
        let sketch = bucket.sketch.encode_packed();
        put(bytes, sketch.len() as u64);
        bytes.extend(sketch);
    }
}

/// Calls `each` with what [`encode_buckets`] wrote.
pub(super) fn decode_buckets(
    base: i64,
    width: i64,
    mut bytes: &[u8],
    full: bool,
    mut each: impl FnMut(i64, &Bucket),
) {
    let (mut slot, mut counts) = (-1_i64, [0; 4]);
    while let Some((flags, rest)) = bytes.split_first() {
        bytes = rest;
        if flags & RUN != 0 {
            let Some(run) = take(&mut bytes).filter(|run| *run <= SLOTS as u64) else { return };
            for _ in 0..run {
                slot += 1;
                let Some(bucket) = decode_times(counts, true, &mut bytes, full) else { return };
                each(base + slot * width, &bucket);
            }
            continue;
        }
        slot = match flags & NEXT {
            0 => match take(&mut bytes).and_then(|slot| i64::try_from(slot).ok()) {
                Some(slot) if slot < SLOTS => slot,
                _ => return,
            },
            _ => slot + 1,
        };
        if flags & SAME_COUNTS == 0 {
            for count in &mut counts {
                let Some(value) = take(&mut bytes) else { return };
                *count = value;
            }
        }
        let Some(bucket) = decode_times(counts, flags & ALIKE != 0, &mut bytes, full) else {
            return;
        };
        each(base + slot * width, &bucket);
    }
}

fn decode_times(
    [count, up, within, timed]: [u64; 4],
    alike: bool,
    bytes: &mut &[u8],
    full: bool,
) -> Option<Bucket> {
    let mut bucket = Bucket { count, up, within, timed, ..Bucket::default() };
    if timed == 0 {
        return Some(bucket);
    }
    bucket.sum = take(bytes)?;
    (bucket.min, bucket.max) = match alike {
        true => (bucket.sum / timed, bucket.sum / timed),
        false => {
            let min = take(bytes)?;
            (min, min.saturating_add(take(bytes)?))
        }
    };
    if full {
        let length = usize::try_from(take(bytes)?).ok()?;
        let (sketch, rest) = bytes.split_at_checked(length)?;
        bucket.sketch.merge_packed(sketch);
        *bytes = rest;
    } else {
        made_up(&mut bucket);
    }
    Some(bucket)
}

/// The single check runs of one hour, in order of time.
#[cfg(test)]
pub(super) fn encode_samples(base: i64, samples: &[Sample]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut before = base;
    for sample in samples {
        put(&mut bytes, sample.at.0.saturating_sub(before).max(0).unsigned_abs());
        before = sample.at.0.max(before);
        let micros = sample.micros.map_or(0, |micros| micros.min(u64::MAX / 4) + 1);
        put(&mut bytes, micros * 2 + u64::from(sample.up));
    }
    bytes
}

/// Calls `each` with what [`encode_samples`] wrote.
pub(super) fn decode_samples(base: i64, mut bytes: &[u8], mut each: impl FnMut(Sample)) {
    let mut at = base;
    while let (Some(step), Some(value)) = (take(&mut bytes), take(&mut bytes)) {
        at = at.saturating_add_unsigned(step);
        each(Sample { at: Timestamp(at), up: value % 2 == 1, micros: (value / 2).checked_sub(1) });
    }
}
