//! What is said of an address: its attributes by name.

use std::net::IpAddr;

use super::networks::{bounds, mask, number, numbered, width};
use crate::machine::Address;

/// With the network's size, unless it is a single address.
pub(super) fn string(address: &Address) -> String {
    if address.prefix == width(address.ip) {
        address.ip.to_string()
    } else {
        format!("{}/{}", address.ip, address.prefix)
    }
}

pub(super) fn attribute(name: &str, address: &Address) -> Result<String, String> {
    let ip = address.ip;
    let (first, last) = bounds(address);
    let bits = usize::from(width(ip));
    Ok(match (name.to_lowercase().as_str(), ip) {
        ("name", _) => address.interface.clone(),
        ("flags", _) => flags(address),
        ("address" | "host", _) => ip.to_string(),
        ("string", _) => string(address),
        ("type", IpAddr::V4(_)) => "IPv4".to_owned(),
        ("type", IpAddr::V6(_)) => "IPv6".to_owned(),
        ("port", _) => "0".to_owned(),
        ("network", _) => numbered(first, ip).to_string(),
        ("netmask", _) => numbered(mask(ip, address.prefix), ip).to_string(),
        ("mask_bits", _) => address.prefix.to_string(),
        ("size", _) => match (last - first).checked_add(1) {
            Some(size) => size.to_string(),
            None => "340282366920938463463374607431768211456".to_owned(),
        },
        ("broadcast", IpAddr::V4(_)) => numbered(last, ip).to_string(),
        ("first_usable", _) => numbered(first + ends(address), ip).to_string(),
        ("last_usable", _) => numbered(last - ends(address), ip).to_string(),
        ("uint32", IpAddr::V4(_)) | ("uint128", IpAddr::V6(_)) => number(ip).to_string(),
        ("binary", _) => format!("{:0bits$b}", number(ip)),
        ("hex", _) => format!("{:0width$x}", number(ip), width = bits / 4),
        ("octets", IpAddr::V4(ip)) => octets(&ip.octets()),
        ("octets", IpAddr::V6(ip)) => octets(&ip.octets()),
        _ => return Err(format!("unsupported attribute name \"{name}\"")),
    })
}

/// How many addresses at either end of its network no host can have.
fn ends(address: &Address) -> u128 {
    u128::from(address.ip.is_ipv4() && address.prefix < 31)
}

fn octets(octets: &[u8]) -> String {
    octets.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
}

fn flags(address: &Address) -> String {
    let flags = address.flags;
    let all = [
        ("up", flags.up),
        ("broadcast", flags.broadcast),
        ("loopback", flags.loopback),
        ("pointtopoint", flags.point_to_point),
        ("multicast", flags.multicast),
    ];
    let set: Vec<_> = all.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect();
    if set.is_empty() { "0".to_owned() } else { set.join("|") }
}
