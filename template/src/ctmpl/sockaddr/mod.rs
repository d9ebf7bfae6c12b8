//! `sockaddr`: addresses of this machine, chosen by the small template language of hashicorp's go-sockaddr:
//! `{{ sockaddr "GetInterfaceIP \"eth0\"" }}`,
//! `{{ sockaddr "GetAllInterfaces | include \"network\" \"10.0.0.0/8\" | attr \"address\"" }}`.
//!
//! Pure: over a [`Machine`] that the surroundings give.

mod attributes;
mod networks;
mod order;
mod select;

use std::any::Any;

use wharf_gotemplate::{
    Engine, Field, Functions, Limits, MissingKey, Options, Record, Signature, StructType, Template, Type,
    UintKind, Value,
};

use super::{integer, items, string};
use crate::machine::{Address, Machine};
use networks::is_private;
use select::{Part, select};

/// An address with its interface.
static IF_ADDR: StructType = StructType {
    name: "sockaddr.IfAddr",
    fields: &[Field { name: "Name", ty: Type::String }, Field { name: "Index", ty: Type::INT }],
    methods: &[],
};
const IF_ADDRS: Type = Type::Slice(&Type::Struct(&IF_ADDR));

const LIMITS: Limits = Limits { steps: 1_000_000, depth: 100, output: 1 << 20 };

/// What `words`, joined by spaces, say as an action.
pub(super) fn evaluate(words: &[String], machine: &Machine) -> Result<Value, String> {
    let source = format!("{{{{ {} }}}}", words.join(" "));
    let options = Options { missing_key: MissingKey::Error, ..Options::default() };
    let language = Language { machine };
    let template = Template::parse(source.as_bytes(), &options, &language).map_err(|error| error.reason)?;
    let text =
        template.render(list(&machine.addresses), &language, LIMITS).map_err(|error| error.detail())?;
    Ok(text.into())
}

impl Record for Address {
    fn shape(&self) -> &'static StructType {
        &IF_ADDR
    }

    fn field(&self, index: usize) -> Value {
        match index {
            0 => self.interface.as_str().into(),
            _ => Value::int(self.index.into()),
        }
    }

    fn by_value(&self) -> bool {
        true
    }

    fn text(&self) -> Option<String> {
        Some(format!("{} {}", attributes::string(self), self.interface))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn list<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Value {
    Value::list(IF_ADDRS, addresses.into_iter().map(|address| Value::record(address.clone())).collect())
}

fn address(value: &Value) -> Option<&Address> {
    match value {
        Value::Record(record) => record.as_any().downcast_ref(),
        _ => None,
    }
}

/// The list that the signature says is the argument.
fn addresses(args: &[Value], index: usize) -> Vec<Address> {
    items(args, index).iter().filter_map(address).cloned().collect()
}

struct Language<'a> {
    machine: &'a Machine,
}

const BY_ONE: &[Type] = &[Type::String, IF_ADDRS];
const BY_TWO: &[Type] = &[Type::String, Type::String, IF_ADDRS];

/// The functions there are, for those who ask for another.
const KNOWN: &str = "GetAllInterfaces, GetDefaultInterfaces, GetPrivateInterfaces, GetPublicInterfaces, \
                     GetPrivateIP, GetPrivateIPs, GetPublicIP, GetPublicIPs, GetInterfaceIP, GetInterfaceIPs, \
                     include, exclude, sort, unique, limit, offset, math, attr and join";

impl Functions for Language<'_> {
    fn signature(&self, name: &str) -> Option<Signature> {
        Some(Signature::new(match name {
            "GetAllInterfaces"
            | "GetDefaultInterfaces"
            | "GetPrivateInterfaces"
            | "GetPublicInterfaces"
            | "GetPrivateIP"
            | "GetPrivateIPs"
            | "GetPublicIP"
            | "GetPublicIPs" => &[],
            "GetInterfaceIP" | "GetInterfaceIPs" => &[Type::String],
            "include" | "exclude" | "join" | "math" => BY_TWO,
            "sort" | "unique" => BY_ONE,
            "limit" => &[Type::Uint(UintKind::Uint), IF_ADDRS],
            "offset" => &[Type::INT, IF_ADDRS],
            "attr" | "Attr" => &[Type::String, Type::Any],
            _ => return None,
        }))
    }

    fn call(&self, name: &str, args: Vec<Value>, _: &mut Engine<'_>) -> Result<Value, String> {
        let every = &self.machine.addresses;
        match name {
            "GetAllInterfaces" => Ok(list(every)),
            "GetDefaultInterfaces" => Ok(list(self.default_ones()?)),
            "GetPrivateInterfaces" => Ok(list(&self.reachable(true, true))),
            "GetPublicInterfaces" => Ok(list(&self.reachable(false, true))),
            "GetPrivateIP" => Ok(first(&self.reachable(true, true))),
            "GetPrivateIPs" => Ok(all(&self.reachable(true, false))),
            "GetPublicIP" => Ok(first(&self.reachable(false, true))),
            "GetPublicIPs" => Ok(all(&self.reachable(false, false))),
            "GetInterfaceIP" => Ok(first(&self.of_interface(&string(&args, 0))?)),
            "GetInterfaceIPs" => Ok(all(&self.of_interface(&string(&args, 0))?)),
            _ => self.work(name, &args),
        }
    }

    fn unknown(&self, name: &str) -> String {
        format!("function \"{name}\" not defined: `sockaddr` has {KNOWN}")
    }
}

impl Language<'_> {
    /// What works on a list.
    fn work(&self, name: &str, args: &[Value]) -> Result<Value, String> {
        let (one, two) = (string(args, 0), string(args, 1));
        match name {
            "include" => Ok(list(&select(&one, &two, addresses(args, 2), Part::Matching)?)),
            "exclude" => Ok(list(&select(&one, &two, addresses(args, 2), Part::Rest)?)),
            "sort" => Ok(list(&self.sorted(&one, addresses(args, 1))?)),
            "unique" => Ok(list(&unique(&one, addresses(args, 1))?)),
            "limit" => {
                let most = match args.first() {
                    Some(Value::Uint(_, most)) => usize::try_from(*most).unwrap_or(usize::MAX),
                    _ => 0,
                };
                Ok(list(addresses(args, 1).iter().take(most)))
            }
            "offset" => Ok(list(offset(integer(args, 0), &addresses(args, 1))?)),
            "math" => {
                let moved: Result<Vec<_>, _> = addresses(args, 2)
                    .into_iter()
                    .map(|address| networks::math(&one, &two, address))
                    .collect();
                Ok(list(&moved?))
            }
            "join" => {
                let texts: Result<Vec<_>, _> =
                    addresses(args, 2).iter().map(|address| attributes::attribute(&one, address)).collect();
                Ok(texts?.join(&two).into())
            }
            "attr" | "Attr" => match args.get(1) {
                Some(Value::List(found)) => match found.items().first().and_then(address) {
                    Some(address) => attributes::attribute(&one, address).map(Value::from),
                    None => Ok("".into()),
                },
                Some(other) => match address(other) {
                    Some(address) => attributes::attribute(&one, address).map(Value::from),
                    None => Err(format!("attr `{one}`: {} is no address", other.type_name())),
                },
                None => Ok("".into()),
            },
            _ => Err(self.unknown(name)),
        }
    }

    fn sorted(&self, criteria: &str, addresses: Vec<Address>) -> Result<Vec<Address>, String> {
        order::sorted(criteria, addresses, self.machine.default_interface.as_deref())
    }

    fn default_ones(&self) -> Result<Vec<&Address>, String> {
        let name = self.machine.default_interface.as_deref().ok_or("this machine has no default route")?;
        Ok(self.machine.addresses.iter().filter(|address| address.interface == name).collect())
    }

    /// Addresses that others can reach, of interfaces that are up; private are those of RFC 6890.
    fn reachable(&self, private: bool, default_first: bool) -> Vec<Address> {
        let wanted = |address: &&Address| {
            address.flags.up && !networks::stays_here(address.ip) && is_private(address.ip) == private
        };
        let found = self.machine.addresses.iter().filter(wanted).cloned().collect();
        let criteria = if default_first { "default,type,size" } else { "type,size" };
        self.sorted(criteria, found).unwrap_or_default()
    }

    fn of_interface(&self, name: &str) -> Result<Vec<Address>, String> {
        let named = select("name", name, self.machine.addresses.clone(), Part::Matching)?;
        self.sorted("type,size", select("flags", "forwardable", named, Part::Matching)?)
    }
}

fn first(addresses: &[Address]) -> Value {
    addresses.first().map(|address| address.ip.to_string()).unwrap_or_default().into()
}

fn all(addresses: &[Address]) -> Value {
    addresses.iter().map(|address| address.ip.to_string()).collect::<Vec<_>>().join(" ").into()
}

/// Neighbours that are the same are one.
fn unique(by: &str, mut addresses: Vec<Address>) -> Result<Vec<Address>, String> {
    match by.to_lowercase().as_str() {
        "address" => addresses.dedup_by(|one, other| (one.ip, one.prefix) == (other.ip, other.prefix)),
        "name" => addresses.dedup_by(|one, other| one.interface == other.interface),
        _ => return Err(format!("unique: no `{by}`, only `address` and `name`")),
    }
    Ok(addresses)
}

/// From this one on; from the end if it is negative.
fn offset(by: i64, addresses: &[Address]) -> Result<&[Address], String> {
    let skip = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
    if skip > addresses.len() {
        return Err(format!("offset: {by} is past the {} there are", addresses.len()));
    }
    Ok(if by < 0 { &addresses[addresses.len() - skip..] } else { &addresses[skip..] })
}

#[cfg(test)]
mod tests;
