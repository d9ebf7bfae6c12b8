//! Networks with a meaning, and arithmetic with addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::machine::Address;

/// An address and how many of its leading bits count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Network(IpAddr, u8);

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Network {
    Network(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Network {
    Network(IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), prefix)
}

const LOOPBACK_6: Network = Network(IpAddr::V6(Ipv6Addr::LOCALHOST), 128);
const UNSPECIFIED_6: Network = Network(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 128);
const MAPPED: Network = Network(IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0)), 96);
const BROADCAST: Network = Network(IpAddr::V4(Ipv4Addr::BROADCAST), 32);

const PRIVATE_USE: &[Network] = &[v4(10, 0, 0, 8), v4(172, 16, 0, 12), v4(192, 168, 0, 16)];
const DOCUMENTATION: &[Network] = &[v4(192, 0, 2, 24), v4(198, 51, 100, 24), v4(203, 0, 113, 24)];
const SHARED: &[Network] = &[v4(100, 64, 0, 10)];
const LINK_LOCAL: &[Network] = &[v4(169, 254, 0, 16)];
const UNIQUE_LOCAL: &[Network] = &[v6(0xfc00, 0, 7)];
const DOCUMENTATION_6: &[Network] = &[v6(0x2001, 0xdb8, 32)];

/// The special-purpose registries of IANA, RFC 6890 sections 2.2.2 and 2.2.3.
const SPECIAL: &[Network] = &[
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(240, 0, 0, 4),
    LOOPBACK_6,
    UNSPECIFIED_6,
    v6(0x64, 0xff9b, 96),
    MAPPED,
    v6(0x100, 0, 64),
    // As in the registry. go-sockaddr has all of 2001::/16, where much of the world's addresses are.
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
];

/// What the registries say is not to be forwarded.
const STAYS_HERE: &[Network] = &[
    v4(0, 0, 0, 8),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(240, 0, 0, 4),
    BROADCAST,
    LOOPBACK_6,
    UNSPECIFIED_6,
    MAPPED,
    v6(0x2001, 0xdb8, 32),
    v6(0x2001, 0x10, 28),
    v6(0xfe80, 0, 10),
];

/// The networks that an RFC is about.
pub(super) fn rfc(number: &str) -> Result<&'static [Network], String> {
    Ok(match number.trim() {
        "1918" => PRIVATE_USE,
        "3849" => DOCUMENTATION_6,
        "3927" => LINK_LOCAL,
        "4193" => UNIQUE_LOCAL,
        "5737" => DOCUMENTATION,
        "6598" => SHARED,
        "6890" => SPECIAL,
        _ => {
            return Err(format!(
                "RFC `{number}` is not known here: 1918, 3849, 3927, 4193, 5737, 6598 and 6890 are, and \
                 `\"network\" \"10.0.0.0/8\"` takes any network"
            ));
        }
    })
}

pub(super) fn is_private(ip: IpAddr) -> bool {
    within(SPECIAL, ip)
}

pub(super) fn stays_here(ip: IpAddr) -> bool {
    within(STAYS_HERE, ip)
}

pub(super) fn within(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(ip))
}

impl Network {
    /// `10.0.0.0/8`, or a single address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no network: write it as 10.0.0.0/8");
        let (ip, prefix) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
        let prefix = if prefix.is_empty() { width(ip) } else { prefix.parse().map_err(|_| wrong())? };
        if prefix > width(ip) { Err(wrong()) } else { Ok(Self(ip, prefix)) }
    }

    pub(super) fn contains(self, ip: IpAddr) -> bool {
        self.0.is_ipv4() == ip.is_ipv4() && (number(self.0) ^ number(ip)) & mask(ip, self.1) == 0
    }
}

/// Bits of an address.
pub(super) fn width(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

pub(super) fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// The address of the kind of `like` that has this number; it wraps around at the end.
#[expect(clippy::cast_possible_truncation, reason = "that is the wrapping")]
pub(super) fn numbered(number: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from_bits(number as u32).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

/// The leading bits of an address of the kind of `like`.
pub(super) fn mask(like: IpAddr, prefix: u8) -> u128 {
    let all = u128::MAX >> (128 - u32::from(width(like)));
    let hosts = u32::from(width(like).saturating_sub(prefix));
    all & u128::MAX.checked_shl(hosts).unwrap_or(0)
}

/// The first address of its network, and the last.
pub(super) fn bounds(address: &Address) -> (u128, u128) {
    let mask = mask(address.ip, address.prefix);
    let first = number(address.ip) & mask;
    (first, first | (self::mask(address.ip, width(address.ip)) & !mask))
}

/// `address` moves by a signed number, `network` counts from the network's start or, negative, from its end and
/// stays inside; `mask` cuts down to a network.
pub(super) fn math(operation: &str, value: &str, mut address: Address) -> Result<Address, String> {
    let signed = || {
        let number = value.trim();
        number
            .starts_with(['+', '-'])
            .then(|| number.parse::<i64>().ok())
            .flatten()
            .ok_or_else(|| format!("math `{operation}`: `{value}` is no number with a sign, as in `+1`"))
    };
    let (first, last) = bounds(&address);
    match operation.to_lowercase().as_str() {
        "address" => {
            let moved = number(address.ip).wrapping_add_signed(signed()?.into());
            address.ip = numbered(moved, address.ip);
        }
        "network" => {
            let by = signed()?;
            let hosts = last - first;
            let away = u128::from(by.unsigned_abs());
            let at = if by >= 0 { first + (away & hosts) } else { last - ((away - 1) & hosts) };
            address.ip = numbered(at, address.ip);
        }
        "mask" => {
            let prefix = value.trim().parse().ok().filter(|prefix| *prefix <= width(address.ip));
            let prefix = prefix
                .ok_or_else(|| format!("math `mask`: `{value}` is no number of bits of `{}`", address.ip))?;
            address.ip = numbered(number(address.ip) & mask(address.ip, prefix), address.ip);
            address.prefix = address.prefix.min(prefix);
        }
        _ => return Err(format!("math: no `{operation}`, only `address`, `network` and `mask`")),
    }
    Ok(address)
}
