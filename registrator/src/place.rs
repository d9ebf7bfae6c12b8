//! Where is something reached? A host and a port, IPv6 addresses in brackets when they are written.

use std::{fmt, net::IpAddr};

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host name or address; IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Place {
    /// An address and a port.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self { host: address.to_string(), port }
    }
}

/// Reads a host name or an address, IPv6 with or without brackets; `None` for what is neither.
pub fn read_host(text: &str) -> Option<String> {
    let bare = text.trim();
    let inside = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(bare);
    if let Ok(address) = inside.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let plain = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        !label.is_empty() && label.len() <= 63 && label.bytes().all(inner) && !label.starts_with('-')
    };
    let name = bare.strip_suffix('.').unwrap_or(bare);
    (bare.len() <= 253 && name.split('.').all(plain)).then(|| bare.to_owned())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_and_addresses_and_nothing_else() {
        for (text, host) in
            [("10.0.0.1", "10.0.0.1"), ("[::1]", "::1"), ("::1", "::1"), ("web-1.internal", "web-1.internal")]
        {
            assert_eq!(read_host(text).as_deref(), Some(host));
        }
        for text in ["", "a b", "http://a", "a:80", "-a", "a..b", "a/24", "\n", "[a]"] {
            assert_eq!(read_host(text), None, "{text}");
        }
    }

    #[test]
    fn ipv6_stands_in_brackets() {
        let place = Place { host: "::1".to_owned(), port: 80 };
        assert_eq!(place.to_string(), "[::1]:80");
    }
}
