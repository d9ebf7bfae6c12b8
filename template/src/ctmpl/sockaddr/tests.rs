use super::*;
use crate::machine::Flags;

fn machine() -> Machine {
    let up = Flags { up: true, broadcast: true, multicast: true, ..Flags::default() };
    let loopback = Flags { up: true, loopback: true, ..Flags::default() };
    let address = |interface: &str, index, flags, ip: &str, prefix| Address {
        interface: interface.to_owned(),
        index,
        flags,
        ip: ip.parse().unwrap(),
        prefix,
    };
    Machine {
        addresses: vec![
            address("lo", 1, loopback, "127.0.0.1", 8),
            address("lo", 1, loopback, "::1", 128),
            address("docker0", 2, up, "172.17.0.1", 16),
            address("eth0", 3, up, "10.1.2.3", 24),
            address("eth0", 3, up, "fd00::2", 64),
            address("eth0", 3, up, "fe80::1", 64),
            address("eth1", 4, up, "8.8.8.8", 29),
            address("tun0", 5, Flags { up: false, ..up }, "192.168.7.7", 32),
        ],
        default_interface: Some("eth0".to_owned()),
    }
}

fn said(source: &str) -> Result<String, String> {
    evaluate(&[source.to_owned()], &machine())
        .map(|value| String::from_utf8(wharf_gotemplate::fmt::sprint(&[value])).unwrap())
}

#[test]
fn the_usual_questions_have_their_answers() {
    for (source, expected) in [
        ("GetPrivateIP", "10.1.2.3"),
        ("GetPrivateIPs", "172.17.0.1 10.1.2.3 fd00::2"),
        ("GetPublicIP", "8.8.8.8"),
        ("GetPublicIPs", "8.8.8.8"),
        (r#"GetInterfaceIP "eth0""#, "10.1.2.3"),
        (r#"GetInterfaceIPs "eth""#, "10.1.2.3 8.8.8.8 fd00::2"),
        (r#"GetInterfaceIP "nothing""#, ""),
        (r#"GetPrivateInterfaces | attr "name""#, "eth0"),
        (r#"GetDefaultInterfaces | join "address" ",""#, "10.1.2.3,fd00::2,fe80::1"),
        (r#"GetPublicInterfaces | join "string" " ""#, "8.8.8.8/29"),
        (
            r#"GetAllInterfaces | include "network" "10.0.0.0/8|8.0.0.0/8" | join "address" " ""#,
            "10.1.2.3 8.8.8.8",
        ),
        (
            r#"GetAllInterfaces | include "name" "^(docker|tun)" | exclude "flags" "up" | attr "address""#,
            "192.168.7.7",
        ),
        (
            r#"GetAllInterfaces | include "type" "IPv6" | exclude "rfc" "4193" | join "address" " ""#,
            "::1 fe80::1",
        ),
        (
            r#"GetAllInterfaces | include "flags" "forwardable" | sort "-address" | limit 1 | attr "address""#,
            "192.168.7.7",
        ),
        (
            r#"GetAllInterfaces | sort "name,-type" | unique "name" | join "name" " ""#,
            "docker0 eth0 eth1 lo tun0",
        ),
        (r#"GetAllInterfaces | offset -2 | join "address" " ""#, "8.8.8.8 192.168.7.7"),
        (r#". | include "size" "29" | attr "hex""#, "08080808"),
        (
            r#"range GetPrivateInterfaces }}{{ .Name }}={{ attr "address" . }} {{ end"#,
            "eth0=10.1.2.3 eth0=fd00::2 docker0=172.17.0.1 ",
        ),
    ] {
        assert_eq!(said(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn attributes_and_arithmetic() {
    for (attribute, v4, v6) in [
        ("network", "10.1.2.0", "fd00::"),
        ("netmask", "255.255.255.0", "ffff:ffff:ffff:ffff::"),
        ("mask_bits", "24", "64"),
        ("size", "256", "18446744073709551616"),
        ("first_usable", "10.1.2.1", "fd00::"),
        ("last_usable", "10.1.2.254", "fd00::ffff:ffff:ffff:ffff"),
        ("type", "IPv4", "IPv6"),
        ("octets", "10 1 2 3", "253 0 0 0 0 0 0 0 0 0 0 0 0 0 0 2"),
        ("flags", "up|broadcast|multicast", "up|broadcast|multicast"),
    ] {
        let source = format!("GetPrivateInterfaces | include \"name\" \"eth0\" | join \"{attribute}\" \",\"");
        assert_eq!(said(&source), Ok(format!("{v4},{v6}")), "{attribute}");
    }
    for (operation, expected) in [
        (r#""address" "+256""#, "10.1.3.3"),
        (r#""address" "-4""#, "10.1.1.255"),
        (r#""network" "+2""#, "10.1.2.2"),
        (r#""network" "-1""#, "10.1.2.255"),
        (r#""mask" "16""#, "10.1.0.0"),
    ] {
        let source = format!("GetPrivateInterfaces | limit 1 | math {operation} | attr \"address\"");
        assert_eq!(said(&source).as_deref(), Ok(expected), "{operation}");
    }
}

#[test]
fn what_there_is_not_is_named() {
    for (source, named) in [
        ("GetMagicIP", "GetInterfaceIP"),
        (r#"GetAllInterfaces | include "colour" "red""#, "address, flags, name"),
        (r#"GetAllInterfaces | include "rfc" "99""#, "6890"),
        (r#"GetAllInterfaces | include "network" "10/8""#, "10.0.0.0/8"),
        (r#"GetAllInterfaces | sort "beauty""#, "address, default"),
        (r#"GetAllInterfaces | attr "beauty""#, "beauty"),
        (r#"GetAllInterfaces | math "address" "1" | attr "address""#, "sign"),
        (r#"GetAllInterfaces | offset 99"#, "past"),
        ("{{", "unexpected"),
    ] {
        let reason = said(source).unwrap_err();
        assert!(reason.contains(named), "{source}: {reason}");
    }
}
