//! How results read. Pure. The words are Consul's (which are Go's), because people and their scripts know them.

use std::io;

/// Longest output kept of a check, in bytes (Consul's default).
pub(crate) const OUTPUT_LIMIT: usize = 4096;

/// Cuts `text` to `limit` bytes, at a character boundary.
pub(crate) fn shorten(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&at| text.is_char_boundary(at));
        text.truncate(end.unwrap_or(0));
    }
    text
}

/// The beginning of a report that is longer than `limit`, with a word on how much there was, as Consul has it.
pub(crate) fn reported(output: String, limit: usize) -> String {
    if output.len() <= limit {
        return output;
    }
    let whole = output.len();
    let kept = shorten(output, limit);
    format!("{kept} ... (captured {} of {whole} bytes)", kept.len())
}

/// Why a connection to `address` (`host:port`) did not come about.
pub(super) fn dial_error(network: &str, address: &str, error: &io::Error) -> String {
    let reason = error.to_string();
    if reason.starts_with("failed to lookup address") {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        return format!("dial {network}: lookup {host}: no such host");
    }
    match error.kind() {
        io::ErrorKind::TimedOut => format!("dial {network} {address}: i/o timeout"),
        io::ErrorKind::InvalidInput => format!("dial {network}: address {address}: {reason}"),
        _ => format!("dial {network} {address}: connect: {}", io_reason(error)),
    }
}

/// What the system said, without Rust's error number.
pub(super) fn io_reason(error: &io::Error) -> String {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default();
    reason.to_lowercase()
}

/// `Get` for `GET`: how Go names the method in front of an error.
pub(super) fn capitalized(method: &str) -> String {
    let lower = method.to_ascii_lowercase();
    let mut letters = lower.chars();
    match letters.next() {
        Some(first) => first.to_ascii_uppercase().to_string() + letters.as_str(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortening_never_splits_a_character() {
        assert_eq!(shorten("aé".to_owned(), 2), "a");
        assert_eq!(shorten("aé".to_owned(), 3), "aé");
        assert_eq!(shorten("é".to_owned(), 1), "");
    }

    #[test]
    fn of_a_long_report_the_beginning_is_kept_and_the_length_told() {
        assert_eq!(reported("short".to_owned(), 5), "short");
        assert_eq!(reported("äää".to_owned(), 5), "ää ... (captured 4 of 6 bytes)");
    }

    #[test]
    fn refused_connections_read_as_in_consul() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(
            dial_error("tcp", "127.0.0.1:80", &refused),
            "dial tcp 127.0.0.1:80: connect: connection refused"
        );
        assert_eq!(capitalized("GET"), "Get");
    }
}
