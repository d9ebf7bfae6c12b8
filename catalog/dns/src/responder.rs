//! What is the reply to this packet? Pure but for what it remembers: answers as bytes, until something they hang
//! on changes. One for each socket, so that nothing is shared.

use std::{collections::HashMap, sync::Arc};

use hickory_proto::rr::{Name, RecordType};
use wharf_catalog::{Index, State, Topic};

use crate::{
    Config, Queries,
    answer::{Answer, Context, Sections, answer},
    packet::{self, NAME, Parsed, Question, code},
    question,
    recurse::{Chase, outside},
    reverse::Reverse,
    spelling::Spellings,
    telemetry::Tally,
    wire::{self, Dice, Encoded, Flags, Reply},
};

/// Every client can take this much (RFC 1035, 4.2.1).
const SMALLEST: u16 = 512;
/// More is not sent in a datagram, whatever the client says.
const LARGEST: u16 = 4096;
/// Bytes of answers that are remembered; a flood of different questions must not fill the memory.
const REMEMBERED: usize = 4 << 20;
/// What an entry takes besides its answer.
const ENTRY: usize = 256;

/// How a packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Datagram,
    Stream,
}

/// What to do now.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Send the reply.
    Reply,
    /// Send nothing.
    Silence,
    /// Ask the recursors, and pass on what they say.
    Forward,
    /// Ask the recursors for these names, and complete the answer with it.
    Chase(Arc<Chase>),
}

/// What does not change while names are served.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    pub(crate) zones: Arc<[Name]>,
    pub(crate) queries: Queries,
    /// Is there somebody to ask for what is not ours?
    pub(crate) recurses: bool,
}

impl Settings {
    pub(crate) fn new(config: Config, queries: Queries, recurses: bool) -> Self {
        let zones = question::zones(&config).into();
        Self { config: Arc::new(config), zones, queries, recurses }
    }
}

/// Answers packets.
#[derive(Debug)]
pub(crate) struct Responder {
    settings: Settings,
    spellings: Spellings,
    reverse: Reverse,
    /// By name in lower case and type.
    kept: HashMap<Box<[u8]>, Kept>,
    kept_bytes: usize,
    dice: Dice,
    pub(crate) tally: Tally,
}

/// An answer that was given.
#[derive(Debug)]
struct Kept {
    encoded: Encoded,
    code: u8,
    depends: Vec<Topic>,
    /// Youngest change of what it depends on.
    version: Index,
    /// State in which it was last known to be right.
    seen: Index,
    chase: Option<Arc<Chase>>,
}

impl Kept {
    fn new(
        code: u8,
        sections: Sections,
        name: &Name,
        kind: RecordType,
        settings: &Settings,
        state: &State,
    ) -> Self {
        let encoded = Encoded::of(&sections, name);
        let version = version(&sections.depends, state);
        let targets = if settings.recurses { outside(&sections, &settings.zones, kind) } else { Vec::new() };
        let depends = sections.depends.clone();
        let chase = (!targets.is_empty()).then(|| Chase { sections, name: name.clone(), kind, targets });
        Self { encoded, code, depends, version, seen: state.index(), chase: chase.map(Arc::new) }
    }

    fn is_current(&mut self, state: &State) -> bool {
        if self.seen != state.index() {
            if self.depends.is_empty() || version(&self.depends, state) != self.version {
                return false;
            }
            self.seen = state.index();
        }
        true
    }
}

fn version(depends: &[Topic], state: &State) -> Index {
    depends.iter().map(|topic| state.index_of(topic)).max().unwrap_or_default()
}

/// A question without regard to case, as a key.
struct Key {
    bytes: [u8; NAME + 2],
    length: usize,
}

impl Key {
    fn of(question: &Question<'_>) -> Self {
        let name = question.name();
        let mut bytes = [0; NAME + 2];
        bytes[..name.len()].copy_from_slice(name);
        // Lengths of labels are below the letters.
        bytes[..name.len()].make_ascii_lowercase();
        let length = name.len() + 2;
        bytes[name.len()..length].copy_from_slice(&question.kind.to_be_bytes());
        Self { bytes, length }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Responder {
    /// Orders are drawn from `seed`.
    pub(crate) fn new(settings: Settings, seed: u64) -> Self {
        Self {
            settings,
            spellings: Spellings::default(),
            reverse: Reverse::default(),
            kept: HashMap::new(),
            kept_bytes: 0,
            dice: Dice(seed),
            tally: Tally::new(),
        }
    }

    /// Writes the reply to `packet` into `out`, as of `state`, if the verdict says so.
    pub(crate) fn respond(
        &mut self,
        state: &State,
        packet: &[u8],
        transport: Transport,
        out: &mut Reply,
    ) -> Verdict {
        let question = match packet::parse(packet) {
            Parsed::Question(question) => question,
            Parsed::Ignored => return Verdict::Silence,
            Parsed::Refused { id, opcode, recursion_desired, code } => {
                wire::header(id, opcode, recursion_desired, code, out);
                self.tally.count(0, code, false);
                return Verdict::Reply;
            }
        };
        if is_transfer(question.kind) {
            return self.bare(&question, code::NOT_IMPLEMENTED, self.settings.recurses, out);
        }
        let key = Key::of(&question);
        let current = self.kept.get_mut(key.as_slice()).is_some_and(|kept| kept.is_current(state));
        if !current && let Err(refusal) = self.render(state, &question, &key) {
            return self.elsewhere(&question, &refusal, out);
        }
        let Some(kept) = self.kept.get(key.as_slice()) else {
            return self.bare(&question, code::SERVER_FAILURE, self.settings.recurses, out);
        };
        if let Some(chase) = &kept.chase {
            return Verdict::Chase(chase.clone());
        }
        let flags =
            Flags { code: kept.code, authoritative: true, recursion_available: self.settings.recurses };
        kept.encoded.reply(&question, flags, limit(&question, transport), &mut self.dice, out);
        self.tally.count(question.kind, kept.code, out.is_cut());
        Verdict::Reply
    }

    /// Finds the answer in `state` and keeps it.
    fn render(&mut self, state: &State, question: &Question<'_>, key: &Key) -> Result<(), Answer> {
        let kind = RecordType::from(question.kind);
        let Some(name) = name(question) else {
            return Err(Answer::Refused);
        };
        if !self.spellings.is_current(state) {
            self.spellings = Spellings::of(state);
        }
        let Settings { config, zones, queries, .. } = &self.settings;
        let context = Context { state, spellings: &self.spellings, config, zones, queries };
        let (code, sections) = match answer(context, &mut self.reverse, &name, kind) {
            Answer::Found(sections) => (code::NO_ERROR, sections),
            Answer::NoSuchName(sections) => (code::NO_SUCH_NAME, sections),
            elsewhere => return Err(elsewhere),
        };
        self.keep(key, Kept::new(code, sections, &name, kind, &self.settings, state));
        Ok(())
    }

    fn keep(&mut self, key: &Key, kept: Kept) {
        let bytes = kept.encoded.size() + ENTRY;
        if self.kept_bytes + bytes > REMEMBERED {
            self.kept.clear();
            self.kept_bytes = 0;
        }
        self.kept_bytes += bytes;
        if let Some(old) = self.kept.insert(key.as_slice().into(), kept) {
            self.kept_bytes -= old.encoded.size() + ENTRY;
        }
    }

    /// What is not known here is known elsewhere, or refused. As in Consul, the name of an unknown address fails.
    fn elsewhere(&mut self, question: &Question<'_>, refusal: &Answer, out: &mut Reply) -> Verdict {
        match refusal {
            _ if self.settings.recurses => Verdict::Forward,
            Answer::NoSuchAddress => self.bare(question, code::SERVER_FAILURE, true, out),
            _ => self.bare(question, code::REFUSED, false, out),
        }
    }

    fn bare(
        &mut self,
        question: &Question<'_>,
        code: u8,
        recursion_available: bool,
        out: &mut Reply,
    ) -> Verdict {
        wire::bare(question, Flags { code, authoritative: false, recursion_available }, out);
        self.tally.count(question.kind, code, false);
        Verdict::Reply
    }

    /// The answer of `chase`, completed.
    pub(crate) fn complete(dice: u64, chase: &Chase, packet: &[u8], transport: Transport, out: &mut Reply) {
        let Parsed::Question(question) = packet::parse(packet) else { return };
        let flags = Flags { code: code::NO_ERROR, authoritative: true, recursion_available: true };
        let encoded = Encoded::of(&chase.sections, &chase.name);
        encoded.reply(&question, flags, limit(&question, transport), &mut Dice(dice), out);
    }
}

/// The name in lower case: the reply points to the question's own spelling.
fn name(question: &Question<'_>) -> Option<Name> {
    let mut name = Name::from_labels(question.labels()).ok()?.to_lowercase();
    name.set_fqdn(true);
    Some(name)
}

/// AXFR and IXFR: the zone has no secondaries.
fn is_transfer(kind: u16) -> bool {
    matches!(kind, 251 | 252)
}

/// Most bytes the reply may have.
pub(crate) fn limit(question: &Question<'_>, transport: Transport) -> usize {
    let limit = match transport {
        Transport::Datagram => question.payload.unwrap_or(SMALLEST).clamp(SMALLEST, LARGEST),
        Transport::Stream => u16::MAX,
    };
    usize::from(limit)
}

#[cfg(test)]
mod tests;
