use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let one = (0..HOUR, any::<bool>(), prop::option::of(0_u64..5_000_000));
    prop::collection::vec(one, 0..80).prop_map(|mut runs| {
        runs.sort_unstable();
        runs.into_iter().map(|(at, up, micros)| Sample { at: Timestamp(7 * HOUR + at), up, micros }).collect()
    })
}

fn minutes(samples: &[Sample]) -> Vec<(i64, Bucket)> {
    let mut minutes = std::collections::BTreeMap::<i64, Bucket>::new();
    for sample in samples {
        let at = sample.at.0 - sample.at.0 % MINUTE;
        minutes.entry(at).or_default().add(*sample, Duration::from_millis(1500));
    }
    minutes.into_iter().collect()
}

fn decoded(bytes: &[u8], full: bool) -> Vec<(i64, Bucket)> {
    let mut told = Vec::new();
    decode_buckets(7 * HOUR, MINUTE, bytes, full, |at, bucket| told.push((at, bucket.clone())));
    told
}

proptest! {
    #[test]
    fn what_is_written_in_full_is_read_as_it_was(samples in samples()) {
        let minutes = minutes(&samples);
        prop_assert_eq!(decoded(&encode_buckets(7 * HOUR, MINUTE, &minutes, true), true), minutes);
    }

    #[test]
    fn without_sketches_all_but_those_is_as_it_was(samples in samples()) {
        let minutes = minutes(&samples);
        let told = decoded(&encode_buckets(7 * HOUR, MINUTE, &minutes, false), false);
        prop_assert_eq!(told.len(), minutes.len());
        for ((at, told), (was_at, was)) in told.iter().zip(&minutes) {
            prop_assert_eq!(at, was_at);
            prop_assert_eq!(
                (told.count, told.up, told.within, told.timed, told.sum, told.min, told.max),
                (was.count, was.up, was.within, was.timed, was.sum, was.min, was.max)
            );
            if was.timed <= 2 {
                prop_assert_eq!(&told.sketch, &was.sketch);
            }
            prop_assert_eq!(told.sketch.count(), was.timed);
        }
    }

    #[test]
    fn single_runs_are_read_as_they_were(samples in samples()) {
        let mut told = Vec::new();
        decode_samples(7 * HOUR, &encode_samples(7 * HOUR, &samples), |sample| told.push(sample));
        prop_assert_eq!(told, samples);
    }

    #[test]
    fn blobs_of_the_second_format_are_read(samples in samples()) {
        let minutes = minutes(&samples);
        prop_assert_eq!(decoded(&old::encode_buckets(7 * HOUR, MINUTE, &minutes, true), true), minutes);
        let mut told = Vec::new();
        decode_samples(7 * HOUR, &old::encode_samples(7 * HOUR, &samples), |sample| told.push(sample));
        prop_assert_eq!(told, samples);
    }

    #[test]
    fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), full in any::<bool>()) {
        for start in [&[][..], BUCKETS, SAMPLES] {
            let bytes = [start, &bytes].concat();
            decoded(&bytes, full);
            decode_samples(0, &bytes, drop);
        }
    }

    #[test]
    fn a_blob_with_one_bit_wrong_never_panics(samples in samples(), bit in any::<prop::sample::Index>()) {
        for (samples, mut bytes) in [
            (false, encode_buckets(7 * HOUR, MINUTE, &minutes(&samples), true)),
            (true, encode_samples(7 * HOUR, &samples)),
        ] {
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            match samples {
                true => decode_samples(7 * HOUR, &bytes, drop),
                false => drop(decoded(&bytes, true)),
            }
        }
    }
}
