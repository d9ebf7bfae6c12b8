//! In which order do addresses come? Criteria separated by commas, each with `-` the other way round.

use std::cmp::Ordering;

use super::networks::{is_private, number};
use crate::machine::Address;

type Compare<'a> = Box<dyn Fn(&Address, &Address) -> Ordering + 'a>;

pub(super) fn sorted(
    criteria: &str,
    mut addresses: Vec<Address>,
    default: Option<&str>,
) -> Result<Vec<Address>, String> {
    let criteria: Result<Vec<_>, _> = criteria.split(',').map(|one| criterion(one, default)).collect();
    let criteria = criteria?;
    addresses.sort_by(|one, other| {
        let decided = criteria.iter().map(|compare| compare(one, other));
        decided.fold(Ordering::Equal, Ordering::then)
    });
    Ok(addresses)
}

fn criterion<'a>(given: &str, default: Option<&'a str>) -> Result<Compare<'a>, String> {
    let name = given.trim().to_lowercase();
    let (backwards, name) = match name.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, name.strip_prefix('+').unwrap_or(&name)),
    };
    let compare: Compare<'a> = match name {
        "address" => return Ok(of_one_kind(backwards, |address| number(address.ip))),
        "size" => return Ok(of_one_kind(backwards, |address| address.prefix.into())),
        "default" => Box::new(move |one, other| {
            let elsewhere = |address: &Address| default != Some(address.interface.as_str());
            elsewhere(one).cmp(&elsewhere(other))
        }),
        "name" => Box::new(|one, other| one.interface.cmp(&other.interface)),
        "private" => Box::new(|one, other| is_private(other.ip).cmp(&is_private(one.ip))),
        "type" => Box::new(|one, other| one.ip.is_ipv6().cmp(&other.ip.is_ipv6())),
        // An interface's addresses have none.
        "port" => Box::new(|_, _| Ordering::Equal),
        _ => {
            return Err(format!(
                "sort: no `{}`, only address, default, name, port, private, size and type",
                given.trim()
            ));
        }
    };
    Ok(if backwards { Box::new(move |one, other| compare(other, one)) } else { compare })
}

/// IPv4 and IPv6 have nothing in common that could be compared: either way, IPv4 goes first.
fn of_one_kind(backwards: bool, by: fn(&Address) -> u128) -> Compare<'static> {
    Box::new(move |one, other| {
        let value = by(one).cmp(&by(other));
        one.ip.is_ipv6().cmp(&other.ip.is_ipv6()).then(if backwards { value.reverse() } else { value })
    })
}
