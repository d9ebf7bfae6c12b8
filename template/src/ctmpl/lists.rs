//! Lists and maps: looking into them, grouping and merging them.

use std::collections::BTreeMap;

use wharf_gotemplate::{Entries, IntKind, Key, Type, Value, strconv};

use super::{
    Function, Library, MAX_ITEMS, bytes,
    catalog::SERVICES,
    function, items, numbers, quoted,
    records::{KEY_PAIR, KEY_PAIRS, KeyPair, SERVICE, SNIPPET, ServiceInstance, ServiceName},
    text, variadic,
};

const TWO: &[Type] = &[Type::Any, Type::Any];
const SOME: &[Type] = &[Type::LIST, Type::Any];
const MERGE: &[Type] = &[Type::DICT, Type::DICT];

/// Deepest path that `explode` takes apart.
const MAX_DEPTH: usize = 200;

pub(super) const FUNCTIONS: &[Function] = &[
    function("in", TWO, |_, args, _| Ok(Value::Bool(is_in(&args[0], &args[1])))),
    function("contains", TWO, |_, args, _| Ok(Value::Bool(is_in(&args[1], &args[0])))),
    function("containsAll", SOME, |_, args, _| Ok(Value::Bool(found(args).all(|found| found)))),
    function("containsAny", SOME, |_, args, _| Ok(Value::Bool(found(args).any(|found| found)))),
    function("containsNone", SOME, |_, args, _| Ok(Value::Bool(!found(args).any(|found| found)))),
    function("containsNotAll", SOME, |_, args, _| Ok(Value::Bool(!found(args).all(|found| found)))),
    variadic("loop", &[Type::Any], |_, args, _| steps(args)),
    function("splitToMap", &[Type::String, Type::String, Type::String], |_, args, _| {
        let text = strconv::trim_space(bytes(args, 2));
        let mut entries = Entries::new();
        for part in text::split(text, bytes(args, 0)).into_iter().filter(|_| !text.is_empty()) {
            if let Some(at) = text::find(part, bytes(args, 1)) {
                entries.insert(part[..at].into(), part[at + bytes(args, 1).len()..].into());
            }
        }
        Ok(Value::map(Type::TEXTS, entries))
    }),
    function("explode", &[KEY_PAIRS], |_, args, _| {
        let pairs = items(args, 0).iter().filter_map(pair).map(|pair| (pair.key.as_str(), pair.value()));
        explode(pairs).map_err(|error| format!("explode: {error}"))
    }),
    function("explodeMap", &[Type::DICT], |_, args, _| {
        let Value::Map(map) = &args[0] else {
            return Ok(Value::map(Type::DICT, Entries::new()));
        };
        let entries: Vec<_> =
            map.entries().iter().map(|(key, value)| (key_text(key), value.clone())).collect();
        explode(entries.iter().map(|(key, value)| (key.as_str(), value.clone())))
            .map_err(|error| format!("explodeMap: {error}"))
    }),
    function("mergeMap", MERGE, |_, args, _| merged(&args[0], &args[1], false)),
    function("mergeMapWithOverride", MERGE, |_, args, _| merged(&args[0], &args[1], true)),
    function("byKey", &[KEY_PAIRS], |_, args, _| Ok(by_key(items(args, 0)))),
    function("byTag", &[Type::Any], |_, args, _| by_tag(&args[0])),
    function("byPort", &[Type::Any], |_, args, _| by_port(&args[0])),
    function("byMeta", &[Type::String, SERVICES], by_meta),
    variadic("executeTemplate", &[Type::String, Type::Any], |_, args, engine| {
        if args.len() > 2 {
            let given = args.len();
            return Err(format!(
                "executeTemplate: wrong number of arguments, expected 1 or 2, but got {given}"
            ));
        }
        let data = args.get(1).cloned().filter(|data| !matches!(data, Value::Nil)).unwrap_or_default();
        engine.execute(&super::string(args, 0), data).map(Value::from)
    }),
];

/// Is `wanted` in a list, or part of a text? Kinds have to agree.
fn is_in(haystack: &Value, wanted: &Value) -> bool {
    match (haystack, wanted) {
        (Value::List(list), wanted) => list.items().iter().any(|item| match (item, wanted) {
            (Value::Int(_, item), Value::Int(_, wanted)) => item == wanted,
            #[expect(clippy::float_cmp, reason = "as Go compares")]
            (Value::Float(item), Value::Float(wanted)) => item == wanted,
            (Value::String(item), Value::String(wanted)) => item == wanted,
            _ => false,
        }),
        (Value::String(text), Value::String(wanted)) => text::find(text, wanted).is_some(),
        _ => false,
    }
}

/// For each item of the first argument: is it in the second?
fn found(args: &[Value]) -> impl Iterator<Item = bool> {
    items(args, 0).iter().map(|wanted| is_in(&args[1], wanted))
}

fn steps(args: &[Value]) -> Result<Value, String> {
    let bound = |value: &Value| match value {
        Value::Int(_, value) => Ok(*value),
        #[expect(clippy::cast_possible_wrap, reason = "as Go converts")]
        Value::Uint(_, value) => Ok(*value as i64),
        Value::String(text) if text.is_empty() => Ok(0),
        Value::String(text) => {
            let parsed = strconv::parse_int(&text.to_str_lossy(), 10);
            parsed.map_err(|error| format!("parseInt: {}", error.of("ParseInt", text)))
        }
        other => Err(format!("loop: bad argument type: {}", other.type_name())),
    };
    let (from, to) = match args {
        [to] => (0, bound(to)?),
        [from, to] => (bound(from)?, bound(to)?),
        _ => return Err(format!("loop: wrong number of arguments, expected 1 or 2, but got {}", args.len())),
    };
    if to.saturating_sub(from) > MAX_ITEMS as i64 {
        return Err(format!("loop: more than {MAX_ITEMS} rounds"));
    }
    Ok(Value::list(Type::Slice(&Type::INT64), (from..to).map(numbers::int64).collect()))
}

fn pair(value: &Value) -> Option<&KeyPair> {
    match value {
        Value::Record(record) => record.as_any().downcast_ref(),
        _ => None,
    }
}

fn key_text(key: &Key) -> String {
    match key {
        Key::String(text) => text.to_str_lossy().into_owned(),
        other => String::from_utf8_lossy(&wharf_gotemplate::fmt::sprint(&[other.value()])).into_owned(),
    }
}

/// Paths -> maps in maps.
fn explode<'k>(pairs: impl Iterator<Item = (&'k str, Value)>) -> Result<Value, String> {
    let root = Value::map(Type::DICT, Entries::new());
    for (path, value) in pairs {
        let mut map = root.clone();
        let mut rest = path;
        let mut depth = 0;
        while let Some((top, below)) = rest.split_once('/') {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(format!("more than {MAX_DEPTH} levels: {}", quoted(path.as_bytes())));
            }
            let known = match &map {
                Value::Map(map) => map.get(top.as_bytes()),
                _ => None,
            };
            map = match known {
                Some(next @ Value::Map(_)) => next,
                Some(taken) => {
                    let value = wharf_gotemplate::fmt::sprintf(b"%q", &[taken]);
                    let (rest, top) = (quoted(rest.as_bytes()), quoted(top.as_bytes()));
                    return Err(format!(
                        "not a map: {rest}: {top} already has value {}",
                        String::from_utf8_lossy(&value)
                    ));
                }
                None => {
                    let next = Value::map(Type::DICT, Entries::new());
                    map.insert(Key::from(top), next.clone())?;
                    next
                }
            };
            rest = below;
        }
        if !rest.is_empty() {
            map.insert(Key::from(rest), value)?;
        }
    }
    Ok(root)
}

/// Two maps as one. What both have: the first map's, unless it is empty or is to be overridden by what is not.
fn merged(into: &Value, from: &Value, overrides: bool) -> Result<Value, String> {
    merge(into, from, overrides, 0, &mut 0)
}

fn merge(
    into: &Value,
    from: &Value,
    overrides: bool,
    depth: usize,
    maps: &mut usize,
) -> Result<Value, String> {
    *maps += 1;
    let (Value::Map(one), Value::Map(other)) = (into, from) else {
        return Ok(into.clone());
    };
    if depth > MAX_DEPTH || *maps > MAX_ITEMS {
        return Err(format!("more than {MAX_DEPTH} levels or {MAX_ITEMS} maps"));
    }
    let mut entries = one.entries().clone();
    for (key, value) in other.entries().iter() {
        let value = match entries.get(key) {
            Some(known @ Value::Map(_)) if matches!(value, Value::Map(_)) => {
                merge(known, value, overrides, depth + 1, maps)?
            }
            Some(known) if known.is_true() && !(overrides && value.is_true()) => known.clone(),
            _ => value.clone(),
        };
        entries.insert(key.clone(), value);
    }
    Ok(Value::map(one.ty(), entries))
}

const PAIRS_BY_KEY: Type = Type::Map(&Type::String, &Type::Pointer(&KEY_PAIR));

fn by_key(pairs: &[Value]) -> Value {
    let mut groups: BTreeMap<&str, Entries> = BTreeMap::new();
    for pair in pairs.iter().filter_map(pair) {
        let Some((top, key)) = pair.key.split_once('/').filter(|(_, key)| !key.is_empty()) else {
            continue;
        };
        let below = KeyPair { key: key.to_owned(), ..pair.clone() };
        groups.entry(top).or_default().insert(Key::from(key), Value::record(below));
    }
    let groups = groups.into_iter().map(|(top, pairs)| (Key::from(top), Value::map(PAIRS_BY_KEY, pairs)));
    Value::map(Type::Map(&Type::String, &PAIRS_BY_KEY), groups.collect())
}

/// Groups values under every key they have.
fn grouped(ty: Type, members: impl Iterator<Item = (Key, Value)>) -> Value {
    let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for (key, member) in members {
        groups.entry(key).or_default().push(member);
    }
    Value::map(ty, groups.into_iter().map(|(key, members)| (key, Value::list(Type::LIST, members))).collect())
}

const BY_TEXT: Type = Type::Map(&Type::String, &Type::LIST);
const BY_NUMBER: Type = Type::Map(&Type::INT, &Type::LIST);

fn by_tag(value: &Value) -> Result<Value, String> {
    let members = match (value, value.ty().map(Type::element)) {
        (Value::Nil | Value::Invalid, _) => Vec::new(),
        (Value::List(list), Some(Type::Pointer(shape)))
            if std::ptr::eq(shape, &SERVICE) || std::ptr::eq(shape, &SNIPPET) =>
        {
            list.items()
                .iter()
                .flat_map(|item| tags_of(item).into_iter().map(|tag| (Key::from(tag), item.clone())))
                .collect()
        }
        _ => return Err(format!("byTag: wrong argument type {}", value.type_name())),
    };
    Ok(grouped(BY_TEXT, members.into_iter()))
}

fn tags_of(value: &Value) -> Vec<&str> {
    let Value::Record(record) = value else {
        return Vec::new();
    };
    if let Some(instance) = record.as_any().downcast_ref::<ServiceInstance>() {
        return instance.tag_values().collect();
    }
    let name = record.as_any().downcast_ref::<ServiceName>();
    name.map(|name| name.tags.iter().map(String::as_str).collect()).unwrap_or_default()
}

fn instance(value: &Value) -> Option<&ServiceInstance> {
    match value {
        Value::Record(record) => record.as_any().downcast_ref(),
        _ => None,
    }
}

fn by_port(value: &Value) -> Result<Value, String> {
    let members = match (value, value.ty().map(Type::element)) {
        (Value::Nil | Value::Invalid, _) => Vec::new(),
        (Value::List(list), Some(Type::Pointer(shape))) if std::ptr::eq(shape, &SERVICE) => {
            let port = |item: &Value| {
                let port = instance(item)?.found.instance.port;
                Some((Key::Int(IntKind::Int, port.into()), item.clone()))
            };
            list.items().iter().filter_map(port).collect()
        }
        _ => return Err(format!("byPort: wrong argument type {}", value.type_name())),
    };
    Ok(grouped(BY_NUMBER, members.into_iter()))
}

/// `byMeta "a,b|int" services`: under the values of these meta keys, joined by `_`; `|int` writes numbers with
/// five digits, so that they sort.
fn by_meta(_: &Library<'_>, args: &[Value], _: &mut wharf_gotemplate::Engine<'_>) -> Result<Value, String> {
    let wanted = super::string(args, 0);
    let mut groups: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    for item in items(args, 1) {
        let Some(instance) = instance(item) else { continue };
        let parts: Result<Vec<_>, _> =
            wanted.split(',').map(|name| meta_part(&instance.found.instance.meta, name)).collect();
        groups.entry(Key::from(parts?.join("_"))).or_default().push(item.clone());
    }
    let groups = groups.into_iter().map(|(key, members)| (key, Value::list(SERVICES, members)));
    Ok(Value::map(Type::Map(&Type::String, &SERVICES), groups.collect()))
}

fn meta_part(meta: &BTreeMap<String, String>, name: &str) -> Result<String, String> {
    let (name, is_number) = name.strip_suffix("|int").map_or((name, false), |name| (name, true));
    let value = meta.get(name).map_or("", String::as_str);
    let value = match (value, is_number) {
        ("", true) => "00000".to_owned(),
        ("", false) => format!("_no_{name}_"),
        (text, true) => {
            let number = strconv::parse_int(text, 10).map_err(|error| {
                format!("cannot parse {text} as number : {}", error.of("Atoi", text.as_bytes()))
            })?;
            format!("{number:05}")
        }
        (text, false) => text.to_owned(),
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    Ok(value.chars().map(plain).collect())
}
