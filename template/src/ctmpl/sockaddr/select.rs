//! Which addresses are meant? `include` keeps those that a selector says, `exclude` the others.

use std::net::IpAddr;

use super::{
    super::regex,
    attributes,
    networks::{Network, rfc, stays_here, within},
};
use crate::machine::Address;

/// Which of both is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Matching,
    Rest,
}

pub(super) fn select(
    selector: &str,
    value: &str,
    addresses: Vec<Address>,
    part: Part,
) -> Result<Vec<Address>, String> {
    let matches = matching(selector, value)?;
    Ok(addresses.into_iter().filter(|address| matches(address) == (part == Part::Matching)).collect())
}

type Matches = Box<dyn Fn(&Address) -> bool>;

fn matching(selector: &str, value: &str) -> Result<Matches, String> {
    let alternatives = || value.split('|');
    Ok(match selector.to_lowercase().as_str() {
        "address" => {
            let pattern = regex::compile(value)?;
            Box::new(move |address| pattern.is_match(attributes::string(address).as_bytes()))
        }
        "name" => {
            let pattern = regex::compile(value)?;
            Box::new(move |address| pattern.is_match(address.interface.as_bytes()))
        }
        "port" => {
            let pattern = regex::compile(value)?;
            Box::new(move |_| pattern.is_match(b"0"))
        }
        "network" => {
            let networks = alternatives().map(Network::parse).collect::<Result<Vec<_>, _>>()?;
            Box::new(move |address| within(&networks, address.ip))
        }
        "rfc" | "rfcs" => {
            let networks = alternatives().map(rfc).collect::<Result<Vec<_>, _>>()?;
            Box::new(move |address| networks.iter().any(|known| within(known, address.ip)))
        }
        "size" => {
            let prefix: u8 = value.parse().map_err(|_| format!("size: `{value}` is no number of bits"))?;
            Box::new(move |address| address.prefix == prefix)
        }
        "type" => {
            let types = alternatives().map(kind).collect::<Result<Vec<_>, _>>()?;
            Box::new(move |address| types.iter().any(|matches| matches(address)))
        }
        "flag" | "flags" => flags(value)?,
        _ => {
            return Err(format!(
                "no selector `{selector}`: there are address, flags, name, network, port, rfc, size and type"
            ));
        }
    })
}

fn kind(name: &str) -> Result<fn(&Address) -> bool, String> {
    Ok(match name.to_lowercase().as_str() {
        "ip" => |_| true,
        "ipv4" => |address| address.ip.is_ipv4(),
        "ipv6" => |address| address.ip.is_ipv6(),
        "unix" => |_| false,
        _ => return Err(format!("type: no `{name}`, only ip, ipv4, ipv6 and unix")),
    })
}

/// What is asked of an interface has to hold as a whole; of what is asked of the address, anything is enough.
fn flags(names: &str) -> Result<Matches, String> {
    let (mut of_interface, mut of_address) = (Vec::new(), Vec::new());
    for name in names.split('|') {
        let (interface, address) = flag(name)?;
        of_interface.extend(interface);
        of_address.extend(address);
    }
    Ok(Box::new(move |address| {
        !of_interface.is_empty() && of_interface.iter().all(|holds| holds(address))
            || of_address.iter().any(|holds| holds(address.ip))
    }))
}

type OfInterface = fn(&Address) -> bool;
type OfAddress = fn(IpAddr) -> bool;

fn flag(name: &str) -> Result<(Option<OfInterface>, Option<OfAddress>), String> {
    let interface = |holds: OfInterface| Ok((Some(holds), None));
    let address = |holds: OfAddress| Ok((None, Some(holds)));
    match name.to_lowercase().as_str() {
        "up" => interface(|address| address.flags.up),
        "down" => interface(|address| !address.flags.up),
        "broadcast" => interface(|address| address.flags.broadcast),
        "point-to-point" => interface(|address| address.flags.point_to_point),
        "loopback" => Ok((Some(|address| address.flags.loopback), Some(|ip| ip.is_loopback()))),
        "multicast" => Ok((Some(|address| address.flags.multicast), Some(|ip| ip.is_multicast()))),
        "forwardable" => address(|ip| !stays_here(ip)),
        "unspecified" => address(|ip| ip.is_unspecified()),
        "global unicast" => address(|ip| {
            !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !is_link_local(ip)
        }),
        "link-local unicast" => address(is_link_local),
        "link-local multicast" => address(|ip| match ip {
            IpAddr::V4(ip) => ip.octets()[..3] == [224, 0, 0],
            IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff02,
        }),
        "interface-local multicast" => address(|ip| match ip {
            IpAddr::V4(_) => false,
            IpAddr::V6(ip) => ip.segments()[0] & 0xff0f == 0xff01,
        }),
        _ => Err(format!("unknown interface flag: \"{name}\"")),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
