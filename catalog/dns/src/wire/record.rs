//! How one record is written. Pure. Names are not compressed within, so that it means the same wherever it stands.

use hickory_proto::rr::{Name, RData, Record};

use super::QUESTION;

const CLASS_IN: u16 = 1;

/// The name a record is about: a pointer to the question, if it is the same.
pub(super) fn owner(record: &Record, asked: &Name) -> Vec<u8> {
    if record.name == *asked {
        return QUESTION.to_vec();
    }
    let mut bytes = Vec::new();
    push_name(&mut bytes, &record.name);
    bytes
}

/// The name that additional records tell more of.
pub(super) fn target(record: &Record) -> Option<&Name> {
    match &record.data {
        RData::SRV(srv) => Some(&srv.target),
        RData::NS(server) => Some(&server.0),
        _ => None,
    }
}

/// Where that name stands, in bytes after the owner.
pub(super) fn target_offset(record: &Record) -> Option<usize> {
    match &record.data {
        RData::SRV(_) => Some(10 + 6),
        RData::NS(_) => Some(10),
        _ => None,
    }
}

/// Everything after the owner; `None`: of a type that is not told.
pub(super) fn push_record(bytes: &mut Vec<u8>, record: &Record) -> Option<()> {
    bytes.extend(u16::from(record.record_type()).to_be_bytes());
    bytes.extend(CLASS_IN.to_be_bytes());
    bytes.extend(record.ttl.to_be_bytes());
    let length_at = bytes.len();
    bytes.extend([0, 0]);
    push_data(bytes, &record.data)?;
    let length = u16::try_from(bytes.len() - length_at - 2).ok()?;
    bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    Some(())
}

fn push_data(bytes: &mut Vec<u8>, data: &RData) -> Option<()> {
    match data {
        RData::A(address) => bytes.extend(address.0.octets()),
        RData::AAAA(address) => bytes.extend(address.0.octets()),
        RData::CNAME(name) => push_name(bytes, &name.0),
        RData::NS(name) => push_name(bytes, &name.0),
        RData::PTR(name) => push_name(bytes, &name.0),
        RData::SRV(srv) => {
            for number in [srv.priority, srv.weight, srv.port] {
                bytes.extend(number.to_be_bytes());
            }
            push_name(bytes, &srv.target);
        }
        RData::TXT(text) => {
            for string in &text.txt_data {
                bytes.push(u8::try_from(string.len()).ok()?);
                bytes.extend_from_slice(string);
            }
        }
        RData::SOA(soa) => {
            push_name(bytes, &soa.mname);
            push_name(bytes, &soa.rname);
            bytes.extend(soa.serial.to_be_bytes());
            for timer in [soa.refresh, soa.retry, soa.expire] {
                bytes.extend(timer.to_be_bytes());
            }
            bytes.extend(soa.minimum.to_be_bytes());
        }
        _ => return None,
    }
    Some(())
}

fn push_name(bytes: &mut Vec<u8>, name: &Name) {
    for label in name.iter() {
        // A label of a name has at most 63 bytes.
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
}
