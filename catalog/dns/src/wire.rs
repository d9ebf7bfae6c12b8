//! What goes back to the client, and how much of it? Pure. Records are encoded once, each for itself: whatever
//! order they are sent in, their bytes stay the same, and to reply means to copy them.
//!
//! A reply that would be too long is cut, and says so (TC): the client asks again over TCP and gets everything.

mod record;

use hickory_proto::rr::{Name, Record};

use crate::{
    answer::{Order, Sections},
    packet::{HEADER, Question, code},
};
use record::{owner, push_record, target_offset};

/// Bytes of an OPT record without options.
const OPT: usize = 11;
/// Where the question's name stands in every message.
const QUESTION: [u8; 2] = [0xc0, HEADER as u8];
/// Pointers reach no further (RFC 1035, 4.1.4).
const POINTER_REACH: usize = 0x4000;

/// Which bits of the header are set besides what the question says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) code: u8,
    pub(crate) authoritative: bool,
    pub(crate) recursion_available: bool,
}

/// Random numbers for an order; the same seed gives the same ones.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Below `bound` (splitmix64, and the upper half of a product instead of a division).
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * bound as u128) >> 64) as usize
    }
}

/// A record's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    start: u32,
    end: u32,
    /// Where in them the name stands that additional records are about.
    target: Option<u16>,
    owner: Owner,
}

/// Whom a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Its name is part of its bytes.
    Written,
    /// The target of this answer: a pointer to there takes the place of the name.
    TargetOf(u16),
}

/// The sections of a reply to one name, ready to be copied. No record of it depends on the question's spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    bytes: Vec<u8>,
    answers: Vec<Piece>,
    authorities: Vec<Piece>,
    additionals: Vec<Piece>,
    order: Order,
    /// Where alternatives begin among the answers.
    aliases: Vec<u16>,
}

impl Encoded {
    /// The records of `sections` in a reply to a question for `name`.
    pub(crate) fn of(sections: &Sections, name: &Name) -> Self {
        let mut encoded = Self { order: sections.order, ..Self::default() };
        let targets: Vec<&Name> = sections.answers.iter().filter_map(record::target).collect();
        let all_have_targets = targets.len() == sections.answers.len();
        encoded.answers = encoded.plain(&sections.answers, name);
        encoded.authorities = encoded.plain(&sections.authorities, name);
        for record in &sections.additionals {
            let of = targets.iter().position(|target| all_have_targets && **target == record.name);
            let piece = match of.and_then(|at| u16::try_from(at).ok()) {
                Some(at) => encoded.push(record, &[], Owner::TargetOf(at)),
                None => encoded.push(record, &owner(record, name), Owner::Written),
            };
            encoded.additionals.extend(piece);
        }
        if sections.order == Order::OneAlias {
            let begins = |(at, record): (usize, &Record)| (record.name == *name).then_some(at as u16);
            encoded.aliases = sections.answers.iter().enumerate().filter_map(begins).collect();
        }
        encoded
    }

    fn plain(&mut self, records: &[Record], name: &Name) -> Vec<Piece> {
        let told = records.iter().take(usize::from(u16::MAX));
        told.filter_map(|record| self.push(record, &owner(record, name), Owner::Written)).collect()
    }

    fn push(&mut self, record: &Record, owner_bytes: &[u8], owner: Owner) -> Option<Piece> {
        let start = self.bytes.len();
        self.bytes.extend(owner_bytes);
        if push_record(&mut self.bytes, record).is_none() {
            self.bytes.truncate(start);
            return None;
        }
        let target = target_offset(record).map(|at| (owner_bytes.len() + at) as u16);
        Some(Piece { start: start as u32, end: self.bytes.len() as u32, target, owner })
    }

    /// Bytes this takes in memory.
    pub(crate) fn size(&self) -> usize {
        let pieces = self.answers.len() + self.authorities.len() + self.additionals.len();
        self.bytes.len() + pieces * size_of::<Piece>()
    }

    /// Writes the reply to `question` into `out`, no longer than `limit` (at least 512).
    pub(crate) fn reply(
        &self,
        question: &Question<'_>,
        flags: Flags,
        limit: usize,
        dice: &mut Dice,
        out: &mut Reply,
    ) {
        let limit = limit.saturating_sub(if question.payload.is_some() { OPT } else { 0 });
        begin(question, flags, out);
        out.order.clear();
        out.order.extend(self.chosen(dice));
        let mut cut = false;
        let answers = out.order.len();
        for at in 0..answers {
            if self.order == Order::Any {
                let other = at + dice.below(answers - at);
                out.order.swap(at, other);
            }
            let piece = &self.answers[usize::from(out.order[at])];
            let begun = out.bytes.len();
            cut = !self.copy(piece, limit, &mut out.bytes);
            if cut {
                out.order.truncate(at);
                break;
            }
            out.counts[0] += 1;
            if !self.additionals.is_empty() {
                out.targets.push((out.order[at], begun + usize::from(piece.target.unwrap_or(0))));
            }
        }
        for piece in self.authorities.iter().take_while(|_| !cut) {
            if !self.copy(piece, limit, &mut out.bytes) {
                cut = true;
                break;
            }
            out.counts[1] += 1;
        }
        if !cut {
            cut = !self.copy_additionals(limit, out);
        }
        finish(question, cut, out);
    }

    /// The answers to be told.
    fn chosen(&self, dice: &mut Dice) -> std::ops::Range<u16> {
        let all = self.answers.len() as u16;
        if self.order != Order::OneAlias || self.aliases.is_empty() {
            return 0..all;
        }
        let chosen = dice.below(self.aliases.len());
        self.aliases[chosen]..self.aliases.get(chosen + 1).copied().unwrap_or(all)
    }

    /// False: it does not fit.
    fn copy(&self, piece: &Piece, limit: usize, out: &mut Vec<u8>) -> bool {
        let bytes = &self.bytes[piece.start as usize..piece.end as usize];
        let fits = out.len() + bytes.len() <= limit;
        if fits {
            out.extend_from_slice(bytes);
        }
        fits
    }

    fn copy_additionals(&self, limit: usize, out: &mut Reply) -> bool {
        out.targets.sort_unstable();
        for piece in &self.additionals {
            let begun = out.bytes.len();
            if let Owner::TargetOf(answer) = piece.owner {
                let told = out.targets.binary_search_by_key(&answer, |(answer, _)| *answer);
                // All answers are told, or additional ones would not be.
                let Some((_, at)) = told.ok().and_then(|at| out.targets.get(at)) else { continue };
                if *at >= POINTER_REACH {
                    continue;
                }
                out.bytes.extend((0xc000 | *at as u16).to_be_bytes());
            }
            if !self.copy(piece, limit, &mut out.bytes) {
                out.bytes.truncate(begun);
                return false;
            }
            out.counts[2] += 1;
        }
        true
    }
}

/// A reply in the making; kept to be used again.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// The message.
    pub(crate) bytes: Vec<u8>,
    counts: [u16; 3],
    order: Vec<u16>,
    targets: Vec<(u16, usize)>,
}

impl Reply {
    /// Was it cut?
    pub(crate) fn is_cut(&self) -> bool {
        self.bytes.get(2).is_some_and(|flags| flags & 2 != 0)
    }
}

fn begin(question: &Question<'_>, flags: Flags, out: &mut Reply) {
    out.bytes.clear();
    out.targets.clear();
    out.counts = [0; 3];
    let opcode = if question.is_notify { 4 << 11 } else { 0 };
    // These two are only copied for queries, as in Consul.
    let desired = question.recursion_desired && !question.is_notify;
    let disabled = question.checking_disabled && !question.is_notify;
    let bits = [
        (0x8000, true),
        (0x0400, flags.authoritative),
        (0x0100, desired),
        (0x0080, flags.recursion_available),
        (0x0010, disabled),
    ];
    let bits: u16 = bits.into_iter().filter(|(_, set)| *set).map(|(bit, _)| bit).sum();
    out.bytes.extend(question.id.to_be_bytes());
    out.bytes.extend((bits | opcode | u16::from(flags.code)).to_be_bytes());
    out.bytes.extend([0, 1, 0, 0, 0, 0, 0, 0]);
    out.bytes.extend(question.wire);
}

/// Closes the message: what the client said it can take is repeated, as in Consul.
fn finish(question: &Question<'_>, cut: bool, out: &mut Reply) {
    if let Some(payload) = question.payload {
        out.bytes.extend([0, 0, 41]);
        out.bytes.extend(payload.max(512).to_be_bytes());
        out.bytes.extend([0; 6]);
        out.counts[2] += 1;
    }
    for (section, count) in out.counts.iter().enumerate() {
        let at = 6 + 2 * section;
        out.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }
    out.bytes[2] |= if cut { 2 } else { 0 };
}

/// A reply without records.
pub(crate) fn bare(question: &Question<'_>, flags: Flags, out: &mut Reply) {
    begin(question, flags, out);
    finish(question, false, out);
}

/// A reply to what was no question.
pub(crate) fn header(id: u16, opcode: u8, recursion_desired: bool, code: u8, out: &mut Reply) {
    out.bytes.clear();
    out.bytes.extend(id.to_be_bytes());
    out.bytes.extend([0x80 | (opcode << 3) | u8::from(recursion_desired), code]);
    out.bytes.extend([0; 8]);
}

/// Cuts somebody else's reply to its question, if it is longer than the client can take.
pub(crate) fn cut_foreign(question: &Question<'_>, limit: usize, reply: &mut Vec<u8>) {
    if reply.len() <= limit {
        return;
    }
    let code = reply.get(3).map_or(code::NO_ERROR, |bits| bits & 0xf);
    let mut out = Reply::default();
    begin(question, Flags { code, authoritative: false, recursion_available: true }, &mut out);
    finish(question, true, &mut out);
    *reply = out.bytes;
}

#[cfg(test)]
mod tests;
