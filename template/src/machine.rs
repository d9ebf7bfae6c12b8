//! Which addresses has this machine? Asked when a template asks (`sockaddr`), never kept: interfaces come and go.

use std::{fs, io, net::IpAddr};

use nix::{
    ifaddrs::getifaddrs,
    net::if_::{InterfaceFlags, if_nametoindex},
    sys::socket::SockaddrStorage,
};

/// The addresses of a machine.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// In the order of their interfaces.
    pub addresses: Vec<Address>,
    /// The interface that leads everywhere else, if there is one.
    pub default_interface: Option<String>,
}

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Name of the interface.
    pub interface: String,
    /// Its number.
    pub index: u32,
    /// What it is and can do.
    pub flags: Flags,
    /// The address.
    pub ip: IpAddr,
    /// How many leading bits name the network.
    pub prefix: u8,
}

/// What an interface is and can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the system's")]
pub struct Flags {
    /// It is switched on.
    pub up: bool,
    /// It reaches all its neighbours at once.
    pub broadcast: bool,
    /// It leads to this machine itself.
    pub loopback: bool,
    /// It leads to one other machine.
    pub point_to_point: bool,
    /// It reaches groups.
    pub multicast: bool,
}

impl Machine {
    /// This machine, as it is now.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn here() -> io::Result<Self> {
        let mut addresses: Vec<_> = getifaddrs()?.filter_map(|found| address(&found)).collect();
        // Stable: the addresses of one interface stay in the system's order.
        addresses.sort_by_key(|address| address.index);
        Ok(Self { addresses, default_interface: default_interface() })
    }
}

fn address(found: &nix::ifaddrs::InterfaceAddress) -> Option<Address> {
    let ip = ip(found.address.as_ref()?)?;
    let mask = found.netmask.as_ref().and_then(self::ip);
    let prefix = match mask {
        Some(IpAddr::V4(mask)) => mask.to_bits().leading_ones(),
        Some(IpAddr::V6(mask)) => mask.to_bits().leading_ones(),
        None if ip.is_ipv4() => 32,
        None => 128,
    };
    let has = |flag| found.flags.contains(flag);
    Some(Address {
        index: if_nametoindex(found.interface_name.as_str()).unwrap_or(u32::MAX),
        interface: found.interface_name.clone(),
        flags: Flags {
            up: has(InterfaceFlags::IFF_UP),
            broadcast: has(InterfaceFlags::IFF_BROADCAST),
            loopback: has(InterfaceFlags::IFF_LOOPBACK),
            point_to_point: has(InterfaceFlags::IFF_POINTOPOINT),
            multicast: has(InterfaceFlags::IFF_MULTICAST),
        },
        ip,
        prefix: u8::try_from(prefix).unwrap_or(u8::MAX),
    })
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// By the routes of Linux; a way for IPv4 is preferred, as `ip route` lists it.
fn default_interface() -> Option<String> {
    let v4 = fs::read_to_string("/proc/net/route").ok().and_then(|table| default_v4(&table));
    v4.or_else(|| fs::read_to_string("/proc/net/ipv6_route").ok().and_then(|table| default_v6(&table)))
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask ...`: the one to anywhere with the smallest metric.
fn default_v4(table: &str) -> Option<String> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let anywhere = fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000");
        anywhere.then(|| Some((fields.get(6)?.parse::<u64>().ok()?, (*fields.first()?).to_owned())))?
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, interface)| interface)
}

/// `destination prefix source prefix next-hop metric references use flags interface`, in hexadecimal.
fn default_v6(table: &str) -> Option<String> {
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let anywhere = fields.first().is_some_and(|to| to.bytes().all(|byte| byte == b'0'))
            && fields.get(1) == Some(&"00")
            && fields.last() != Some(&"lo");
        anywhere
            .then(|| Some((u64::from_str_radix(fields.get(5)?, 16).ok()?, (*fields.last()?).to_owned())))?
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, interface)| interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_its_loopback() {
        let machine = Machine::here().unwrap();
        let own = machine.addresses.iter().find(|address| address.ip == IpAddr::from([127, 0, 0, 1]));
        let own = own.expect("no 127.0.0.1");
        assert!(own.flags.loopback && own.flags.up && own.prefix == 8, "{own:?}");
    }

    #[test]
    fn the_default_route_with_the_smallest_metric_counts() {
        let v4 = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
                  wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\n\
                  eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\n\
                  docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\n";
        assert_eq!(default_v4(v4).as_deref(), Some("eth0"));
        assert_eq!(default_v4("Iface\n"), None);
        let none = "0".repeat(32);
        let v6 = format!(
            "{none} 00 {none} 00 {none} ffffffff 00000001 00000000 00200200 lo\n\
             {none} 00 {none} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth1\n"
        );
        assert_eq!(default_v6(&v6).as_deref(), Some("eth1"));
    }
}
