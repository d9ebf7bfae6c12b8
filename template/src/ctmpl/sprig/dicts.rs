//! Dictionaries. `set`, `unset` and `merge` change the one they are given, as in Go.

use wharf_gotemplate::{Entries, Key, Type, Value};

use super::{
    super::{MAX_ITEMS, bytes, strings},
    ANY, Call, Function,
    convert::{self, is_empty, list},
    function, variadic,
};

const DICT: &[Type] = &[Type::DICT];
const DICT_AND_KEY: &[Type] = &[Type::DICT, Type::String];

/// How deep dictionaries are merged and copied.
const MAX_DEPTH: usize = 100;

const MERGE: Call = |_, args, _| merge_all(args, false);
const MERGE_OVERWRITE: Call = |_, args, _| merge_all(args, true);
const COPY: Call = |_, args, _| copy(&args[0], 0, &mut 0);

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("sprig_dict", ANY, |_, args, _| {
        let pairs = args.chunks(2).map(|pair| {
            (Key::from(convert::text(&pair[0])), pair.get(1).cloned().unwrap_or_else(|| "".into()))
        });
        Ok(Value::map(Type::DICT, pairs.collect()))
    }),
    function("sprig_get", DICT_AND_KEY, |_, args, _| {
        Ok(entry(&args[0], bytes(args, 1)).unwrap_or_else(|| "".into()))
    }),
    function("sprig_hasKey", DICT_AND_KEY, |_, args, _| {
        Ok(Value::Bool(entry(&args[0], bytes(args, 1)).is_some()))
    }),
    function("sprig_set", &[Type::DICT, Type::String, Type::Any], |_, args, _| {
        if matches!(&args[0], Value::Map(map) if map.entries().len() >= MAX_ITEMS) {
            return Err(format!("more than {MAX_ITEMS} entries"));
        }
        args[0].insert(Key::from(bytes(args, 1)), args[2].clone())?;
        Ok(args[0].clone())
    }),
    function("sprig_unset", DICT_AND_KEY, |_, args, _| {
        if let Value::Map(map) = &args[0] {
            map.remove(bytes(args, 1));
        }
        Ok(args[0].clone())
    }),
    variadic("sprig_keys", DICT, |_, args, _| {
        let keys = args.iter().flat_map(|dict| entries(dict).into_keys()).map(|key| key.value());
        Ok(Value::list(Type::STRINGS, keys.collect()))
    }),
    function("sprig_values", DICT, |_, args, _| Ok(list(entries(&args[0]).into_values().collect()))),
    variadic("sprig_pluck", &[Type::String, Type::DICT], |_, args, _| {
        Ok(list(args[1..].iter().filter_map(|dict| entry(dict, bytes(args, 0))).collect()))
    }),
    variadic("sprig_pick", DICT_AND_KEY, |_, args, _| {
        let wanted = strings(args, 1);
        Ok(filtered(&args[0], |key| wanted.iter().any(|name| Key::from(name.as_str()) == *key)))
    }),
    variadic("sprig_omit", DICT_AND_KEY, |_, args, _| {
        let unwanted = strings(args, 1);
        Ok(filtered(&args[0], |key| !unwanted.iter().any(|name| Key::from(name.as_str()) == *key)))
    }),
    variadic("sprig_merge", DICT, MERGE),
    variadic("sprig_mustMerge", DICT, MERGE),
    variadic("sprig_mergeOverwrite", DICT, MERGE_OVERWRITE),
    variadic("sprig_mustMergeOverwrite", DICT, MERGE_OVERWRITE),
    function("sprig_deepCopy", ANY, COPY),
    function("sprig_mustDeepCopy", ANY, COPY),
    variadic("sprig_dig", ANY, |_, args, _| {
        let [path @ .., default, dict] = args else {
            return Err("dig needs at least three arguments".to_owned());
        };
        let mut found = dict.clone();
        for name in path {
            match entry(&found, &convert::text(name)) {
                Some(next) => found = next,
                None => return Ok(default.clone()),
            }
        }
        Ok(found)
    }),
];

fn entries(dict: &Value) -> Entries {
    match dict {
        Value::Map(map) => map.entries().clone(),
        _ => Entries::new(),
    }
}

fn entry(dict: &Value, key: &[u8]) -> Option<Value> {
    match dict {
        Value::Map(map) => map.get(key),
        _ => None,
    }
}

fn filtered(dict: &Value, wanted: impl Fn(&Key) -> bool) -> Value {
    Value::map(Type::DICT, entries(dict).into_iter().filter(|(key, _)| wanted(key)).collect())
}

fn merge_all(args: &[Value], overwrite: bool) -> Result<Value, String> {
    let Some((into, others)) = args.split_first() else {
        return Ok(Value::map(Type::DICT, Entries::new()));
    };
    for other in others {
        merge(into, other, overwrite, 0, &mut 0)?;
    }
    Ok(into.clone())
}

/// One more value looked at: neither too deep nor too many.
fn count(function: &str, depth: usize, values: &mut usize) -> Result<(), String> {
    *values += 1;
    if depth > MAX_DEPTH || *values > MAX_ITEMS {
        return Err(format!("{function}: more than {MAX_DEPTH} levels or {MAX_ITEMS} values"));
    }
    Ok(())
}

fn merge(
    into: &Value,
    from: &Value,
    overwrite: bool,
    depth: usize,
    values: &mut usize,
) -> Result<(), String> {
    count("merge", depth, values)?;
    let known = entries(into);
    for (key, value) in entries(from) {
        match known.get(&key) {
            Some(inner @ Value::Map(_)) if matches!(value, Value::Map(_)) => {
                merge(inner, &value, overwrite, depth + 1, values)?;
            }
            Some(there) if !is_empty(there) && (!overwrite || is_empty(&value)) => {}
            _ => into.insert(key, value)?,
        }
    }
    Ok(())
}

fn copy(value: &Value, depth: usize, values: &mut usize) -> Result<Value, String> {
    count("deepCopy", depth, values)?;
    Ok(match value {
        Value::Map(map) => {
            let mut copied = Entries::new();
            for (key, value) in entries(value) {
                copied.insert(key, copy(&value, depth + 1, values)?);
            }
            Value::map(map.ty(), copied)
        }
        Value::List(items) => {
            let copied: Result<_, _> =
                items.items().iter().map(|item| copy(item, depth + 1, values)).collect();
            Value::list(items.ty(), copied?)
        }
        other => other.clone(),
    })
}
