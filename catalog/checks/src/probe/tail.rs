//! The end of an output that may be long. Pure. What a program says last says why it failed.

/// Keeps the last bytes of what is written to it, and counts all of them.
#[derive(Debug)]
pub(super) struct Tail {
    kept: Vec<u8>,
    limit: usize,
    written: usize,
}

impl Tail {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), limit, written: 0 }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.written += bytes.len();
        self.kept.extend_from_slice(&bytes[bytes.len().saturating_sub(self.limit)..]);
        if self.kept.len() > 2 * self.limit {
            self.kept.drain(..self.kept.len() - self.limit);
        }
    }

    /// How much was written.
    pub(super) fn written(&self) -> usize {
        self.written
    }

    /// What is kept, from a character's beginning on.
    pub(super) fn text(&self) -> String {
        let mut kept = &self.kept[self.kept.len().saturating_sub(self.limit)..];
        if self.written > self.limit {
            let begun = kept.iter().take(3).take_while(|byte| (**byte & 0xc0) == 0x80).count();
            kept = &kept[begun..];
        }
        String::from_utf8_lossy(kept).into_owned()
    }

    /// As [`Self::text`]; where something is missing, with a word on how much, as Consul has it.
    pub(super) fn told(&self) -> String {
        let text = self.text();
        if self.written <= self.limit {
            return text;
        }
        format!("Captured {} of {} bytes\n...\n{text}", self.limit, self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(limit: usize, pieces: &[&str]) -> Tail {
        let mut tail = Tail::new(limit);
        pieces.iter().for_each(|piece| tail.write(piece.as_bytes()));
        tail
    }

    #[test]
    fn the_last_bytes_are_kept_however_they_arrive() {
        assert_eq!(tail(4, &["ab", "cd"]).told(), "abcd");
        assert_eq!(tail(4, &["abcdef"]).text(), "cdef");
        assert_eq!(tail(4, &["a", "bcd", "ef", "ghijklmnop", "q"]).text(), "nopq");
        assert_eq!(tail(4, &["abcdef"]).told(), "Captured 4 of 6 bytes\n...\ncdef");
    }

    #[test]
    fn a_character_cut_in_two_is_left_out_and_garbage_does_no_harm() {
        assert_eq!(tail(3, &["éé"]).text(), "é");
        let mut garbage = Tail::new(3);
        garbage.write(&[0x80; 9]);
        assert_eq!(garbage.text(), "");
        garbage.write(b"xyz\xff");
        assert_eq!(garbage.text(), "yz\u{fffd}");
    }
}
