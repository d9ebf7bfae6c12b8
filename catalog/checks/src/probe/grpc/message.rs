//! The two messages of `grpc.health.v1.Health/Check` on the wire. Pure.
//!
//! `HealthCheckRequest { string service = 1 }`, `HealthCheckResponse { ServingStatus status = 1 }`, each in a
//! gRPC frame: a compression flag, the length in four bytes, the message in protobuf.

use bytes::{BufMut, Bytes, BytesMut};

/// `ServingStatus.SERVING`.
pub(super) const SERVING: u64 = 1;

/// Asks for the health of `service`; empty: of the whole server.
pub(super) fn request(service: &str) -> Bytes {
    let mut message = BytesMut::new();
    if !service.is_empty() {
        message.put_u8(0x0a);
        put_varint(&mut message, service.len() as u64);
        message.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message);
    frame.freeze()
}

/// The serving status of an answer; `None` if it is not one.
pub(super) fn response(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?);
    if head[0] != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    status(message)
}

fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        match key & 7 {
            0 => {
                let value = take_varint(&mut message)?;
                if key >> 3 == 1 {
                    status = value;
                }
            }
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn put_varint(to: &mut BytesMut, mut value: u64) {
    while value > 0x7f {
        to.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.put_u8(value as u8);
}

fn take_varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_whole_server_is_asked_for_with_an_empty_message() {
        assert_eq!(&request("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&request("ab")[..], [0, 0, 0, 0, 4, 0x0a, 2, b'a', b'b']);
        let long = request(&"x".repeat(300));
        assert_eq!(long[..8], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]);
    }

    #[test]
    fn the_status_is_found_among_fields_nobody_knows() {
        assert_eq!(response(&[0, 0, 0, 0, 2, 8, 1]), Some(SERVING));
        assert_eq!(response(&[0, 0, 0, 0, 0]), Some(0), "left out: UNKNOWN");
        assert_eq!(response(&[0, 0, 0, 0, 7, 0x12, 1, b'x', 0x18, 9, 8, 2]), Some(2));
    }

    #[test]
    fn compressed_shortened_and_overlong_answers_are_none() {
        for bad in [&[1, 0, 0, 0, 2, 8, 1][..], &[0, 0, 0, 0, 3, 8, 1], &[0, 0, 0], &[0, 0, 0, 0, 1, 8]] {
            assert_eq!(response(bad), None, "{bad:?}");
        }
        let mut endless = vec![0, 0, 0, 0, 12, 8];
        endless.extend([0xff; 11]);
        assert_eq!(response(&endless), None);
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = response(&bytes);
            let _ = status(&bytes);
        }
    }
}
