//! What did a client send? Pure: any bytes -> [`Parsed`], without copying and without looking at one twice.
//! RFC 1035, 4.1; RFC 6891, 6.1. What is no question, or more than one, is told so as Consul's DNS library does.

/// Bytes of a message's header.
pub(crate) const HEADER: usize = 12;
/// Longest name, in bytes (RFC 1035, 3.1).
pub(crate) const NAME: usize = 255;

const OPT: u16 = 41;

/// One question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    pub(crate) id: u16,
    /// Notify (RFC 1996) is answered like any other question, as in Consul.
    pub(crate) is_notify: bool,
    pub(crate) recursion_desired: bool,
    pub(crate) checking_disabled: bool,
    /// Name, type and class as they were sent.
    pub(crate) wire: &'a [u8],
    pub(crate) kind: u16,
    /// How long a datagram may be, as the client says (EDNS).
    pub(crate) payload: Option<u16>,
}

impl<'a> Question<'a> {
    /// The name as it was sent.
    pub(crate) fn name(&self) -> &'a [u8] {
        &self.wire[..self.wire.len() - 4]
    }

    /// The name's labels.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.name();
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first()?;
            let (label, tail) = tail.split_at_checked(usize::from(*length))?;
            rest = tail;
            Some(label).filter(|label| !label.is_empty())
        })
    }
}

/// What to do with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    Question(Question<'a>),
    /// Answered with nothing but this code.
    Refused {
        id: u16,
        opcode: u8,
        recursion_desired: bool,
        code: u8,
    },
    /// No question: an answer, or too short to be told anything.
    Ignored,
}

/// Codes of RFC 1035, 4.1.1.
pub(crate) mod code {
    pub(crate) const NO_ERROR: u8 = 0;
    pub(crate) const FORMAT_ERROR: u8 = 1;
    pub(crate) const SERVER_FAILURE: u8 = 2;
    pub(crate) const NO_SUCH_NAME: u8 = 3;
    pub(crate) const NOT_IMPLEMENTED: u8 = 4;
    pub(crate) const REFUSED: u8 = 5;
}

/// Reads a packet.
pub(crate) fn parse(packet: &[u8]) -> Parsed<'_> {
    let Some(header) = packet.first_chunk::<HEADER>() else {
        return Parsed::Ignored;
    };
    let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (id, flags) = (number(0), number(2));
    if flags & 0x8000 != 0 {
        return Parsed::Ignored;
    }
    let opcode = ((flags >> 11) & 0xf) as u8;
    let recursion_desired = flags & 0x0100 != 0;
    if !matches!(opcode, 0 | 4) {
        return Parsed::Refused { id, opcode, recursion_desired, code: code::NOT_IMPLEMENTED };
    }
    let counts = [number(4), number(6), number(8), number(10)];
    let question = question(packet, counts).map(|(wire, kind, payload)| Question {
        id,
        is_notify: opcode == 4,
        recursion_desired,
        checking_disabled: flags & 0x0010 != 0,
        wire,
        kind,
        payload,
    });
    let malformed = Parsed::Refused { id, opcode, recursion_desired, code: code::FORMAT_ERROR };
    question.map_or(malformed, Parsed::Question)
}

fn question(
    packet: &[u8],
    [questions, answers, authorities, additionals]: [u16; 4],
) -> Option<(&[u8], u16, Option<u16>)> {
    if questions != 1 || answers > 1 || authorities > 1 || additionals > 2 {
        return None;
    }
    let name_end = plain_name_end(packet)?;
    let (kind, _) = packet.get(name_end..)?.split_first_chunk::<2>()?;
    let wire = packet.get(HEADER..name_end + 4)?;
    let (mut at, mut payload) = (name_end + 4, None);
    for _ in 0..answers + authorities + additionals {
        let (end, opt) = record(packet, at)?;
        if opt.is_some() && payload.is_some() {
            return None;
        }
        (at, payload) = (end, payload.or(opt));
    }
    Some((wire, u16::from_be_bytes(*kind), payload))
}

/// Where the question's name ends. Nothing stands before it that a pointer could mean.
fn plain_name_end(packet: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        let length = *packet.get(at)?;
        at += 1 + usize::from(length);
        if length > 63 || at - HEADER > NAME {
            return None;
        }
        if length == 0 {
            return Some(at);
        }
    }
}

/// Where the record at `at` ends, and the payload it names if it is an OPT record.
fn record(packet: &[u8], mut at: usize) -> Option<(usize, Option<u16>)> {
    loop {
        let length = *packet.get(at)?;
        at += match length {
            0 => 1,
            1..=63 => 1 + usize::from(length),
            0xc0..=0xff => 2,
            _ => return None,
        };
        if matches!(length, 0 | 0xc0..) {
            break;
        }
    }
    let fixed = packet.get(at..)?.first_chunk::<10>()?;
    let number = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
    let end = at + 10 + usize::from(number(8));
    let payload = (number(0) == OPT).then(|| number(2));
    (end <= packet.len()).then_some((end, payload))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(counts: [u8; 4], rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x12, 0x34, 1, 0];
        packet.extend(counts.into_iter().flat_map(|count| [0, count]));
        packet.extend(rest);
        packet
    }

    const WEB: &[u8] = b"\x03wEb\x06consul\0\0\x01\0\x01";
    const EDNS: &[u8] = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";

    #[test]
    fn a_question_is_read_as_it_was_sent() {
        let bytes = packet([1, 0, 0, 0], WEB);
        let Parsed::Question(question) = parse(&bytes) else { panic!("no question") };
        assert_eq!((question.id, question.kind, question.payload), (0x1234, 1, None));
        assert!(question.recursion_desired && !question.checking_disabled && !question.is_notify);
        assert_eq!(question.wire, WEB);
        assert_eq!(question.labels().collect::<Vec<_>>(), [b"wEb".as_slice(), b"consul"]);
    }

    #[test]
    fn the_datagram_size_is_taken_from_the_opt_record_and_there_is_but_one() {
        let bytes = packet([1, 0, 0, 1], &[WEB, EDNS].concat());
        assert!(matches!(parse(&bytes), Parsed::Question(Question { payload: Some(1232), .. })));
        let bytes = packet([1, 0, 0, 2], &[WEB, EDNS, EDNS].concat());
        assert!(matches!(parse(&bytes), Parsed::Refused { code: code::FORMAT_ERROR, .. }));
    }

    #[test]
    fn what_is_no_question_is_told_so_or_ignored() {
        let told = |bytes: &[u8]| match parse(bytes) {
            Parsed::Refused { code, .. } => Some(code),
            Parsed::Ignored => None,
            Parsed::Question(question) => panic!("{question:?}"),
        };
        assert_eq!(told(&packet([0, 0, 0, 0], b"")), Some(code::FORMAT_ERROR));
        assert_eq!(told(&packet([2, 0, 0, 0], &[WEB, WEB].concat())), Some(code::FORMAT_ERROR));
        assert_eq!(told(&packet([1, 0, 0, 0], &WEB[..9])), Some(code::FORMAT_ERROR));
        assert_eq!(told(&packet([1, 0, 0, 0], b"\xc0\x0c\0\x01\0\x01")), Some(code::FORMAT_ERROR));
        let long =
            [b"\x3fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".repeat(4), WEB.to_vec()]
                .concat();
        assert_eq!(told(&packet([1, 0, 0, 0], &long)), Some(code::FORMAT_ERROR));
        let mut answer = packet([1, 0, 0, 0], WEB);
        answer[2] = 0x81;
        assert_eq!(told(&answer), None, "answers are not answered: that would never end");
        assert_eq!(told(&answer[..11]), None);
        answer[2] = 0x11;
        assert_eq!(told(&answer), Some(code::NOT_IMPLEMENTED));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..80), tame: bool) {
            if tame && bytes.len() > HEADER {
                bytes[2..HEADER].copy_from_slice(&[1, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
            }
            if let Parsed::Question(question) = parse(&bytes) {
                prop_assert!(question.labels().map(|label| label.len() + 1).sum::<usize>() < NAME);
                prop_assert_eq!(question.labels().map(|label| label.len() + 1).sum::<usize>() + 1, question.name().len());
            }
        }
    }
}
