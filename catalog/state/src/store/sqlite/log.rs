//! Is the write-ahead log whole?
//!
//! SQLite ends its reading of a log at the first frame that does not check out, and takes what follows for
//! the remains of an earlier use. For a log cut off by a crash that is right; for one damaged in the middle it
//! drops what was acknowledged, without a word. The two can be told apart: a crash leaves behind at most one
//! transaction of the present use, the one that was not yet answered.
//! Source: "WAL-mode File Format", <https://www.sqlite.org/walformat.html>.

use std::io::{self, Read};

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The lowest bit says in which order the bytes of a word are summed.
const MAGIC: u32 = 0x377f_0682;

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Damage {
    /// Where it begins.
    #[error("the header of its log (`-wal`) is damaged")]
    Header,
    /// In the middle.
    #[error("its log (`-wal`) is damaged at byte {0}, and there are commits behind that")]
    Frame(u64),
    /// The disk refuses.
    #[error("its log (`-wal`) cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Reads a log to its end.
pub(super) fn look_for_damage(mut log: impl Read) -> Result<(), Damage> {
    let mut header = [0; HEADER];
    let read = fill(&mut log, &mut header)?;
    let mut beyond = [0; 1];
    if read < HEADER || log.read(&mut beyond)? == 0 {
        return Ok(()); // No frame, nothing lost.
    }
    let mut frames = Frames::new(&header).ok_or(Damage::Header)?;
    let mut log = (&beyond[..]).chain(log);
    let mut frame = vec![0; FRAME_HEADER + frames.page_size];
    let (mut at, mut broken, mut ended) = (HEADER as u64, None, false);
    while fill(&mut log, &mut frame)? == frame.len() {
        if broken.is_none() && !frames.follows(&frame) {
            broken = Some(at);
        }
        if let Some(broken) = broken.filter(|_| frames.of_this_use(&frame)) {
            if ended {
                return Err(Damage::Frame(broken));
            }
            ended = is_commit(&frame);
        }
        at += frame.len() as u64;
    }
    Ok(())
}

struct Frames {
    page_size: usize,
    salts: [u8; 8],
    big_endian: bool,
    sum: (u32, u32),
}

impl Frames {
    fn new(header: &[u8; HEADER]) -> Option<Self> {
        let magic = word(header, 0);
        let page_size = usize::try_from(word(header, 8)).ok()?;
        let mut frames = Self {
            page_size,
            salts: header[16..24].try_into().ok()?,
            big_endian: magic == MAGIC | 1,
            sum: (0, 0),
        };
        frames.add(&header[..24]);
        let whole = magic & !1 == MAGIC && frames.sum == (word(header, 24), word(header, 28));
        (whole && page_size.is_power_of_two() && page_size <= 65_536).then_some(frames)
    }

    /// Does it check out, after all before it?
    fn follows(&mut self, frame: &[u8]) -> bool {
        self.add(&frame[..8]);
        self.add(&frame[FRAME_HEADER..]);
        self.of_this_use(frame) && self.sum == (word(frame, 16), word(frame, 20))
    }

    fn of_this_use(&self, frame: &[u8]) -> bool {
        frame[8..16] == self.salts
    }

    fn add(&mut self, bytes: &[u8]) {
        let (mut one, mut two) = self.sum;
        for pair in bytes.chunks_exact(8) {
            let (mut first, mut second) = (word(pair, 0), word(pair, 4));
            if !self.big_endian {
                (first, second) = (first.swap_bytes(), second.swap_bytes());
            }
            one = one.wrapping_add(first).wrapping_add(two);
            two = two.wrapping_add(second).wrapping_add(one);
        }
        self.sum = (one, two);
    }
}

/// The last frame of a transaction says how large the database is.
fn is_commit(frame: &[u8]) -> bool {
    word(frame, 4) != 0
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// As much as there is.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match log.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
