//! Who knows what is not ours? Edge: asks the recursors one after the other, each as long as it may take.
//!
//! A loop (they ask us what we ask them) ends: a question that is being asked too often at the same time fails, and
//! there is a bound to all of them together.

mod exchange;

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hickory_proto::{
    op::Message,
    rr::{Name, RData, Record, RecordType},
};
use tokio::time::timeout;

use crate::{
    answer::{Order, Sections},
    packet::{self, HEADER, Parsed, code},
    responder::{Transport, limit},
    wire::{self, Flags, Reply},
};
use exchange::exchange;

/// Questions that are being asked at the same time.
const PENDING: usize = 1024;
/// The same one of them.
const SAME: usize = 64;
/// Names that one answer is completed with, and records for all of them.
const CHASED: usize = 8;
const CHASED_RECORDS: usize = 32;

/// An answer that leads to names outside of the zone.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chase {
    pub(crate) sections: Sections,
    pub(crate) name: Name,
    pub(crate) kind: RecordType,
    pub(crate) targets: Vec<Name>,
}

/// The names outside of `zones` that the client will ask for next.
pub(crate) fn outside(sections: &Sections, zones: &[Name], kind: RecordType) -> Vec<Name> {
    let mut names = Vec::new();
    for record in &sections.answers {
        let name = match &record.data {
            RData::CNAME(alias) if kind != RecordType::CNAME => &alias.0,
            RData::SRV(srv) => &srv.target,
            _ => continue,
        };
        if !zones.iter().any(|zone| zone.zone_of(name)) && !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.truncate(CHASED);
    names
}

/// Asks others.
#[derive(Debug)]
pub(crate) struct Recursors {
    addresses: Vec<SocketAddr>,
    patience: Duration,
    /// How often each question is being asked.
    pending: Mutex<HashMap<Vec<u8>, usize>>,
    random: RandomState,
    asked: AtomicU64,
}

impl Recursors {
    pub(crate) fn new(addresses: Vec<SocketAddr>, patience: Duration) -> Self {
        let (pending, random, asked) = Default::default();
        Self { addresses, patience, pending, random, asked }
    }

    /// A number nobody else can guess.
    pub(crate) fn random(&self) -> u64 {
        self.random.hash_one(self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// The reply to `packet`, a question: of the first recursor who knows, or a failure.
    pub(crate) async fn forward(&self, packet: &[u8], transport: Transport) -> Vec<u8> {
        let Parsed::Question(question) = packet::parse(packet) else { return Vec::new() };
        if let Some(mut reply) = self.ask(packet, transport).await {
            wire::cut_foreign(&question, limit(&question, transport), &mut reply);
            return reply;
        }
        let mut failure = Reply::default();
        let flags = Flags { code: code::SERVER_FAILURE, authoritative: false, recursion_available: true };
        wire::bare(&question, flags, &mut failure);
        failure.bytes
    }

    /// What the first recursor says that has an answer, be it that there is no such name.
    async fn ask(&self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let Parsed::Question(question) = packet::parse(packet) else { return None };
        let _pending = self.enter(question.wire)?;
        let mut asked = packet.to_vec();
        for address in &self.addresses {
            asked[..2].copy_from_slice(&(self.random() as u16).to_be_bytes());
            let reply = exchange(*address, &asked, question.wire.len(), transport);
            let mut reply = match timeout(self.patience, reply).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(error)) => {
                    tracing::debug!(recursor = %address, %error, "recursor failed");
                    continue;
                }
                Err(_) => continue,
            };
            if matches!(reply[3] & 0xf, code::NO_ERROR | code::NO_SUCH_NAME) {
                reply[..2].copy_from_slice(&question.id.to_be_bytes());
                return Some(reply);
            }
        }
        None
    }

    fn enter(&self, question: &[u8]) -> Option<Pending<'_>> {
        let key = question.to_ascii_lowercase();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let same = pending.get(&key).copied().unwrap_or_default();
        if same >= SAME || pending.values().sum::<usize>() >= PENDING {
            metrics::counter!("wharf_dns_recursions_refused_total").increment(1);
            return None;
        }
        pending.insert(key.clone(), same + 1);
        Some(Pending { recursors: self, key })
    }

    /// `chase` with what the recursors know of its targets.
    pub(crate) async fn complete(&self, chase: &Chase) -> Chase {
        let mut chase = chase.clone();
        if chase.sections.order == Order::OneAlias {
            self.choose_alias(&mut chase);
        }
        let kind = match chase.kind {
            RecordType::AAAA => RecordType::AAAA,
            _ => RecordType::A,
        };
        let mut room = CHASED_RECORDS;
        for target in std::mem::take(&mut chase.targets) {
            let records = self.addresses_of(&target, kind).await;
            let records = records.into_iter().take(room).collect::<Vec<_>>();
            room -= records.len();
            match chase.kind {
                RecordType::SRV => chase.sections.additionals.extend(records),
                _ => chase.sections.answers.extend(records),
            }
        }
        chase
    }

    /// One of several aliases, and only its target.
    fn choose_alias(&self, chase: &mut Chase) {
        let Chase { sections, name, targets, .. } = chase;
        let begins: Vec<usize> =
            (0..sections.answers.len()).filter(|at| sections.answers[*at].name == *name).collect();
        if begins.len() > 1 {
            let chosen = (self.random() % begins.len() as u64) as usize;
            let end = begins.get(chosen + 1).copied().unwrap_or(sections.answers.len());
            sections.answers.truncate(end);
            sections.answers.drain(..begins[chosen]);
            let is_told = |target: &Name| {
                let told =
                    |record: &Record| matches!(&record.data, RData::CNAME(alias) if alias.0 == *target);
                sections.answers.iter().any(told)
            };
            targets.retain(is_told);
        }
        sections.order = Order::Kept;
    }

    async fn addresses_of(&self, name: &Name, kind: RecordType) -> Vec<Record> {
        let packet = plain_question(name, kind);
        let Some(reply) = self.ask(&packet, Transport::Datagram).await else { return Vec::new() };
        let cut = reply[2] & 2 != 0;
        let whole = if cut { self.ask(&packet, Transport::Stream).await } else { None };
        let Ok(message) = Message::from_vec(&whole.unwrap_or(reply)) else { return Vec::new() };
        let useful = |record: &Record| matches!(record.data, RData::A(_) | RData::AAAA(_) | RData::CNAME(_));
        message.answers.into_iter().filter(useful).collect()
    }
}

fn plain_question(name: &Name, kind: RecordType) -> Vec<u8> {
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    debug_assert_eq!(packet.len(), HEADER);
    for label in name.iter() {
        packet.push(label.len() as u8);
        packet.extend(label);
    }
    packet.push(0);
    packet.extend(u16::from(kind).to_be_bytes());
    packet.extend([0, 1]);
    packet
}

/// A question that is being asked, until this is dropped.
struct Pending<'a> {
    recursors: &'a Recursors,
    key: Vec<u8>,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        let mut pending = self.recursors.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.get_mut(&self.key) {
            Some(same) if *same > 1 => *same -= 1,
            _ => {
                pending.remove(&self.key);
            }
        }
    }
}
