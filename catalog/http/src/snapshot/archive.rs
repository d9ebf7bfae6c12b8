//! The file: packed from records, unpacked into records. Pure: bytes in, bytes out.

use std::io::{self, Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_catalog::{Change, Index, Timestamp};

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
/// Version of the records in `state.bin`.
const FORMAT: u32 = 1;

/// What the file says of itself, in the names Consul's tools read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Meta {
    version: u32,
    #[serde(rename = "ID")]
    id: String,
    index: u64,
    term: u64,
    /// Bytes of the state.
    #[serde(default)]
    size: u64,
    /// Version of wharf's records; Consul's own snapshots have none.
    #[serde(default)]
    wharf_format: u32,
    /// When it was taken, in milliseconds since 1970.
    #[serde(default)]
    wharf_taken: i64,
}

impl Meta {
    pub(super) fn new(index: Index, taken: Timestamp) -> Self {
        Self {
            version: 1,
            id: format!("1-{index}-{}", taken.0),
            index: index.0,
            term: 1,
            size: 0,
            wharf_format: FORMAT,
            wharf_taken: taken.0,
        }
    }

    pub(super) fn index(&self) -> Index {
        Index(self.index)
    }

    pub(super) fn taken(&self) -> Timestamp {
        Timestamp(self.wharf_taken)
    }
}

/// A file that was read and is whole.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) meta: Meta,
    pub(super) records: Vec<Change>,
}

/// Why a file is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// Take another snapshot; this one is cut off or is none.
    #[error("it is no gzipped archive, or a damaged one: {0}")]
    Unreadable(#[from] io::Error),
    /// Take another snapshot.
    #[error("it has no `{0}`")]
    Missing(&'static str),
    /// Take another snapshot.
    #[error("the SHA-256 digest of `{0}` is not the one in `SHA256SUMS`")]
    Digest(&'static str),
    /// Restore it with the program that took it.
    #[error("its records are not of a format known here (a Consul's snapshot cannot be restored by wharf)")]
    Format,
    /// Take another snapshot.
    #[error("`{part}` is not readable: {source}")]
    Record {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Raise `snapshot_max_size`.
    #[error("it unpacks to more than {0} bytes")]
    TooLarge(usize),
}

pub(super) fn pack(meta: &Meta, records: &[Change]) -> Result<Vec<u8>, Damage> {
    let mut state = Vec::new();
    for record in records {
        serde_json::to_writer(&mut state, record).map_err(|source| Damage::Record { part: STATE, source })?;
        state.push(b'\n');
    }
    let meta = Meta { size: state.len() as u64, ..meta.clone() };
    let meta = serde_json::to_vec(&meta).map_err(|source| Damage::Record { part: META, source })?;
    let sums = format!("{}  {META}\n{}  {STATE}\n", digest(&meta), digest(&state));
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in [(META, meta.as_slice()), (STATE, state.as_slice()), (SUMS, sums.as_bytes())] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, bytes)?;
    }
    let mut gzip = archive.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

pub(super) fn unpack(packed: &[u8], limit: usize) -> Result<Archive, Damage> {
    let (mut meta, mut state, mut sums) = (None, None, None);
    // One byte more than allowed, so that too much can be told from just enough.
    let unpacked = GzDecoder::new(packed).take(limit as u64 + 1);
    let mut archive = tar::Archive::new(unpacked);
    let mut total = 0;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let name = entry.path_bytes().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        total += bytes.len();
        if total >= limit {
            return Err(Damage::TooLarge(limit));
        }
        match name.as_slice() {
            b"meta.json" => meta = Some(bytes),
            b"state.bin" => state = Some(bytes),
            b"SHA256SUMS" => sums = Some(bytes),
            _ => {}
        }
    }
    // To the very end, where gzip keeps its own check.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    let meta = meta.ok_or(Damage::Missing(META))?;
    let state = state.ok_or(Damage::Missing(STATE))?;
    let sums = sums.ok_or(Damage::Missing(SUMS))?;
    for (name, bytes) in [(META, &meta), (STATE, &state)] {
        let line = format!("{}  {name}", digest(bytes));
        if !sums.split(|byte| *byte == b'\n').any(|have| have == line.as_bytes()) {
            return Err(Damage::Digest(name));
        }
    }
    let meta: Meta = serde_json::from_slice(&meta).map_err(|source| Damage::Record { part: META, source })?;
    if meta.wharf_format != FORMAT {
        return Err(Damage::Format);
    }
    let records = state
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).map_err(|source| Damage::Record { part: STATE, source }))
        .collect::<Result<_, _>>()?;
    Ok(Archive { meta, records })
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use wharf_catalog::{Document, Node};

    use super::*;

    const LIMIT: usize = 1 << 20;

    fn records() -> Vec<Change> {
        vec![
            Change::PutNode(Node::new("n", "10.0.0.1").into()),
            Change::PutDocument(Document::new("query", "q", "{}").into()),
            Change::PutLease("s".into(), Timestamp(5)),
        ]
    }

    fn packed() -> Vec<u8> {
        pack(&Meta::new(Index(7), Timestamp(1_000)), &records()).unwrap()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let archive = unpack(&packed(), LIMIT).unwrap();
        assert_eq!(archive.records, records());
        assert_eq!((archive.meta.index, archive.meta.taken()), (7, Timestamp(1_000)));
    }

    #[test]
    fn a_cut_off_file_is_refused_wherever_it_ends() {
        let whole = packed();
        for end in 0..whole.len() {
            assert!(unpack(&whole[..end], LIMIT).is_err(), "cut at {end} of {}", whole.len());
        }
    }

    #[test]
    fn a_flipped_bit_is_refused_or_changes_nothing() {
        let whole = packed();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            if let Ok(archive) = unpack(&damaged, LIMIT) {
                assert_eq!(archive.records, records(), "bit at {at}");
            }
        }
    }

    #[test]
    fn a_changed_record_does_not_match_its_digest() {
        let mut unpacked = Vec::new();
        GzDecoder::new(packed().as_slice()).read_to_end(&mut unpacked).unwrap();
        let at = unpacked.windows(8).position(|part| part == b"10.0.0.1").unwrap();
        unpacked[at] = b'2';
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&unpacked).unwrap();
        let error = unpack(&gzip.finish().unwrap(), LIMIT).unwrap_err();
        assert!(matches!(error, Damage::Digest(STATE)), "{error}");
    }

    #[test]
    fn what_unpacks_to_more_than_allowed_is_given_up() {
        assert!(matches!(unpack(&packed(), 64), Err(Damage::TooLarge(64) | Damage::Unreadable(_))));
    }
}
