//! Numbers in as few bits as they need: columns of numbers that are much alike.
//!
//! Pure. A column is written as its least number, and of each number how much more it is, in exponential Golomb code
//! (ITU-T H.264, 9.1) of the order that makes the column shortest. A column of one and the same number takes no bits
//! for each. Most significant bit first. Reading beyond the end is `None`, whatever the bytes.

/// Bits that are being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Bits that make no byte yet, at its upper end.
    rest: u8,
    filled: u32,
}

impl Writer {
    pub(super) fn starting_with(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), ..Self::default() }
    }

    /// The lowest `width` bits of `value`.
    pub(super) fn bits(&mut self, value: u64, width: u32) {
        let mut left = width;
        while left > 0 {
            let room = (8 - self.filled).min(left);
            left -= room;
            let part = (value >> left) as u8 & (0xff_u16 >> (8 - room)) as u8;
            self.rest |= part << (8 - self.filled - room);
            self.filled += room;
            if self.filled == 8 {
                self.bytes.push(self.rest);
                (self.rest, self.filled) = (0, 0);
            }
        }
    }

    /// One number, in exponential Golomb code of this order.
    pub(super) fn number(&mut self, value: u64, order: u32) {
        let high = u128::from(value >> order) + 1;
        let more = high.ilog2();
        self.bits(0, more);
        self.bits(1, 1);
        self.bits(high as u64, more);
        self.bits(value, order);
    }

    /// Numbers much alike; how many there are, the reader has to know.
    pub(super) fn column(&mut self, values: &[u64]) {
        let (Some(&least), Some(&most)) = (values.iter().min(), values.iter().max()) else { return };
        let width = 64 - least.leading_zeros();
        self.bits(u64::from(width), 7);
        self.bits(least, width);
        self.bits(u64::from(least != most), 1);
        if least == most {
            return;
        }
        let order = order(values, least);
        self.bits(u64::from(order), 6);
        values.iter().for_each(|value| self.number(value - least, order));
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.filled > 0 {
            self.bytes.push(self.rest);
        }
        self.bytes
    }
}

/// The order in which a column is shortest.
fn order(values: &[u64], least: u64) -> u32 {
    let length = |order: u32| -> u64 {
        let more = |value: &u64| (u128::from((value - least) >> order) + 1).ilog2();
        values.iter().map(|value| u64::from(2 * more(value) + order)).sum()
    };
    // It falls up to the best one, and grows from there on but for small waves.
    let spread = values.iter().map(|value| value - least).fold(0_u64, u64::saturating_add);
    let usual = (spread / values.len() as u64).max(1).ilog2();
    (usual.saturating_sub(3)..=usual + 1).min_by_key(|order| length(*order)).unwrap_or(0).min(63)
}

/// Bits that are being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn bits(&mut self, width: u32) -> Option<u64> {
        if width > 56 {
            let high = self.bits(width - 32)?;
            return Some(high << 32 | self.bits(32)?);
        }
        if width == 0 {
            return Some(0);
        }
        let value = self.ahead() >> (64 - width);
        self.skip(width)?;
        Some(value)
    }

    pub(super) fn number(&mut self, order: u32) -> Option<u64> {
        let mut more = 0;
        loop {
            // The last bits may not be there.
            let zeros = self.ahead().leading_zeros().min(56);
            more += zeros;
            self.skip(zeros)?;
            if zeros < 56 {
                break;
            }
        }
        self.skip(1)?;
        let high = match more {
            0..=63 => (1_u64 << more | self.bits(more)?) - 1,
            64 if self.bits(64)? == 0 => u64::MAX,
            _ => return None,
        };
        let low = self.bits(order)?;
        (high.leading_zeros() >= order).then_some(if order == 0 { high } else { high << order | low })
    }

    pub(super) fn column(&mut self, count: usize) -> Option<Vec<u64>> {
        if count == 0 {
            return Some(Vec::new());
        }
        let width = u32::try_from(self.bits(7)?).ok().filter(|width| *width <= 64)?;
        let least = self.bits(width)?;
        if self.bits(1)? == 0 {
            return Some(vec![least; count]);
        }
        let order = self.bits(6)? as u32;
        (0..count).map(|_| least.checked_add(self.number(order)?)).collect()
    }

    /// At least the next 57 bits, zeros where there are none.
    fn ahead(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let word = match rest.first_chunk() {
            Some(word) => u64::from_be_bytes(*word),
            None => {
                let mut word = [0; 8];
                word[..rest.len()].copy_from_slice(rest);
                u64::from_be_bytes(word)
            }
        };
        word << (self.at % 8)
    }

    fn skip(&mut self, bits: u32) -> Option<()> {
        self.at += bits as usize;
        (self.at <= self.bytes.len() * 8).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let number = (any::<u64>(), 0_u32..64).prop_map(|(value, shift)| value >> shift);
        prop::collection::vec(prop_oneof![number, Just(u64::MAX), Just(0)], 0..80)
    }

    #[test]
    fn numbers_much_alike_take_the_bits_of_their_difference() {
        let mut writer = Writer::default();
        writer.column(&(0..1_000).map(|at| 1_000_000 + at % 8).collect::<Vec<_>>());
        assert!(writer.finish().len() < 1_000 * 5 / 8);
        let mut writer = Writer::default();
        writer.column(&[7; 1_000]);
        assert_eq!(writer.finish().len(), 2);
    }

    proptest! {
        #[test]
        fn columns_are_read_as_they_were(first in numbers(), second in numbers(), order in 0_u32..64) {
            let mut writer = Writer::default();
            writer.column(&first);
            first.iter().for_each(|value| writer.number(*value, order));
            writer.column(&second);
            let bytes = writer.finish();
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.column(first.len()), Some(first.clone()));
            for value in first {
                prop_assert_eq!(reader.number(order), Some(value));
            }
            prop_assert_eq!(reader.column(second.len()), Some(second));
            prop_assert!(reader.bits(8).is_none());
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), order in 0_u32..64) {
            let mut reader = Reader::new(&bytes);
            while reader.column(5).is_some() && reader.number(order).is_some() {}
        }
    }
}
