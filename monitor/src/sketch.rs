//! How slow are the slowest? A quantile sketch that survives being added up.
//!
//! Values fall into bins whose width grows with the value, so that every quantile is right to 2 % (the
//! idea of DDSketch, Masson et al. 2019). Two sketches add up to exactly the sketch of all their values.

/// Each bin reaches this much further than the one before.
const GROWTH: f64 = 1.02 / 0.98;

/// Counts by bin, sparse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sketch {
    /// (bin, count), ordered by bin, no count zero.
    bins: Vec<(u32, u64)>,
}

impl Sketch {
    /// Adds one value, in microseconds.
    pub(crate) fn add(&mut self, micros: u64) {
        self.add_to(bin_of(micros), 1);
    }

    /// Adds the same value many times.
    pub(crate) fn add_many(&mut self, micros: u64, count: u64) {
        if count > 0 {
            self.add_to(bin_of(micros), count);
        }
    }

    /// As [`encode`](Self::encode), in one byte where distance and count are small, which they mostly are: its
    /// halves. A byte 0 says that both follow in full.
    #[cfg(test)]
    pub(crate) fn encode_packed(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bins.len() + 4);
        let mut before = 0;
        for &(bin, count) in &self.bins {
            let step = bin - before;
            match (u8::try_from(step), u8::try_from(count)) {
                (Ok(step @ 1..16), Ok(count @ 1..16)) => bytes.push(step << 4 | count),
                _ => {
                    bytes.push(0);
                    put(&mut bytes, u64::from(step));
                    put(&mut bytes, count);
                }
            }
            before = bin;
        }
        bytes
    }

    /// How many values there are.
    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.bins.iter().map(|&(_, count)| count).sum()
    }

    /// Becomes `other`, in the room it has.
    pub(crate) fn copy(&mut self, other: &Self) {
        self.bins.clone_from(&other.bins);
    }

    /// Adds all values of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.bins.is_empty() {
            return self.copy(other);
        }
        for &(bin, count) in &other.bins {
            self.add_to(bin, count);
        }
    }

    fn add_to(&mut self, bin: u32, count: u64) {
        match self.bins.binary_search_by_key(&bin, |&(bin, _)| bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(count),
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }

    /// The smallest value, in microseconds, that at least the share `q` (0 to 1) of all values do not exceed: the
    /// nearest rank.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.bins.iter().fold(0_u64, |sum, &(_, count)| sum.saturating_add(count));
        let mut below = 0_u64;
        self.bins.iter().find_map(|&(bin, count)| {
            below = count.saturating_add(below);
            // Not `q * total`: 0.07 of 100 is more than 7 to a computer, while 7 in 100 is 0.07.
            (below as f64 / total as f64 >= q.min(1.0)).then(|| middle_of(bin))
        })
    }

    /// As bytes: for each bin its distance from the one before and its count, both as LEB128.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bins.len() * 3);
        let mut before = 0;
        for &(bin, count) in &self.bins {
            put(&mut bytes, u64::from(bin - before));
            put(&mut bytes, count);
            before = bin;
        }
        bytes
    }

    /// What it is made of: (bin, count), ordered by bin.
    pub(crate) fn bins(&self) -> &[(u32, u64)] {
        &self.bins
    }

    /// A sketch of bins, each given by its distance from the one before and its count.
    pub(crate) fn of(mut bins: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut sketch = Self { bins: Vec::with_capacity(bins.size_hint().0) };
        sketch.merge_steps(|| bins.next());
        sketch
    }

    /// Adds what blobs of the second format hold; stops where the bytes make no sense.
    pub(crate) fn merge_packed(&mut self, mut bytes: &[u8]) {
        self.merge_steps(|| {
            let (first, rest) = bytes.split_first()?;
            bytes = rest;
            match first {
                0 => Some((take(&mut bytes)?, take(&mut bytes)?)),
                both => Some((u64::from(both >> 4), u64::from(both & 15))),
            }
        });
    }

    /// Adds what [`encode`](Self::encode) wrote; stops where the bytes make no sense.
    pub(crate) fn merge_encoded(&mut self, mut bytes: &[u8]) {
        self.merge_steps(|| Some((take(&mut bytes)?, take(&mut bytes)?)));
    }

    /// Adds bins, each given by its distance from the one before and its count.
    fn merge_steps(&mut self, mut next: impl FnMut() -> Option<(u64, u64)>) {
        let (mut bin, mut at) = (0_u32, 0);
        while let Some((step, count)) = next() {
            let Some(reached) = u32::try_from(step).ok().and_then(|step| bin.checked_add(step)) else {
                return;
            };
            bin = reached;
            // Both are in order: nothing is looked for twice.
            while self.bins.get(at).is_some_and(|&(there, _)| there < bin) {
                at += 1;
            }
            match self.bins.get_mut(at) {
                Some((there, sum)) if *there == bin => *sum = sum.saturating_add(count),
                _ if count > 0 => self.bins.insert(at, (bin, count)),
                _ => {}
            }
        }
    }
}

fn bin_of(micros: u64) -> u32 {
    ((micros.max(1) as f64).ln() / GROWTH.ln()).ceil() as u32
}

fn middle_of(bin: u32) -> f64 {
    2.0 * GROWTH.powf(f64::from(bin)) / (GROWTH + 1.0)
}

pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sketch(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        values.iter().for_each(|&value| sketch.add(value));
        sketch
    }

    #[test]
    fn an_empty_sketch_has_no_quantiles() {
        assert_eq!(Sketch::default().quantile(0.95), None);
    }

    #[test]
    fn ninety_nine_of_a_hundred_are_at_most_this_slow() {
        let one_in_a_hundred = sketch(&[vec![1_000; 99], vec![9_000_000]].concat());
        let two_in_a_hundred = sketch(&[vec![1_000; 98], vec![9_000_000; 2]].concat());
        let near = |told: Option<f64>, exact: f64| (told.unwrap() - exact).abs() <= exact * 0.0201;
        assert!(near(one_in_a_hundred.quantile(0.99), 1_000.0));
        assert!(near(two_in_a_hundred.quantile(0.99), 9_000_000.0));
        assert!(near(sketch(&[1_000, 9_000_000]).quantile(0.5), 1_000.0), "one of two");
        assert!(near(sketch(&[vec![1_000; 7], vec![9_000_000; 93]].concat()).quantile(0.07), 1_000.0));
        assert!(near(sketch(&[1_000, 9_000_000]).quantile(0.0), 1_000.0));
    }

    proptest! {
        #[test]
        fn quantiles_are_right_to_two_percent(
            mut values in prop::collection::vec(1_u64..60_000_000, 1..300),
            q in 0.0..=1.0_f64,
        ) {
            let told = sketch(&values).quantile(q).unwrap();
            values.sort_unstable();
            let share = |value| values.iter().filter(|one| **one <= value).count() as f64 / values.len() as f64;
            let exact = values.iter().copied().find(|&value| share(value) >= q).unwrap() as f64;
            prop_assert!((told - exact).abs() <= exact * 0.0201, "{told} for {exact}");
        }

        #[test]
        fn parts_add_up_to_the_whole_also_through_bytes(
            first in prop::collection::vec(any::<u64>(), 0..50),
            second in prop::collection::vec(any::<u64>(), 0..50),
        ) {
            let mut sum = sketch(&first);
            sum.merge(&sketch(&second));
            let whole = sketch(&[first.clone(), second.clone()].concat());
            prop_assert_eq!(&sum, &whole);
            let mut read = sketch(&first);
            read.merge_encoded(&sketch(&second).encode());
            prop_assert_eq!(&read, &whole);
            let mut unpacked = sketch(&first);
            unpacked.merge_packed(&sketch(&second).encode_packed());
            prop_assert_eq!(unpacked, whole);
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut sketch = Sketch::default();
            sketch.merge_encoded(&bytes);
            sketch.merge_packed(&bytes);
            let _ = sketch.encode();
        }
    }
}
