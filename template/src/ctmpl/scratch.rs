//! `scratch`: what a template remembers while it runs.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use wharf_gotemplate::{Entries, Key, Method, Record, Signature, StructType, Type, Value};

use super::{Function, bytes, function, quoted};

pub(super) const FUNCTIONS: &[Function] =
    &[function("scratch", &[], |library, _, _| Ok(library.scratch.clone()))];

/// Named values.
#[derive(Debug, Default)]
pub(super) struct Scratch(Mutex<BTreeMap<Vec<u8>, Value>>);

macro_rules! method {
    ($name:literal, $params:expr, $call:expr) => {
        Method {
            name: $name,
            signature: Signature::new($params),
            call: |receiver, args| {
                let call: fn(&Scratch, &[Value]) -> Result<Value, String> = $call;
                match receiver {
                    Value::Record(record) => match record.as_any().downcast_ref::<Scratch>() {
                        Some(scratch) => call(scratch, args),
                        None => Err("no scratch".to_owned()),
                    },
                    _ => Err("no scratch".to_owned()),
                }
            },
        }
    };
}

static SCRATCH: StructType = StructType {
    name: "template.Scratch",
    fields: &[],
    methods: &[
        method!("Key", NAME, |scratch, args| Ok(Value::Bool(scratch.values().contains_key(bytes(args, 0))))),
        method!("Get", NAME, |scratch, args| {
            Ok(scratch.values().get(bytes(args, 0)).cloned().unwrap_or(Value::Nil))
        }),
        method!("Set", NAMED, |scratch, args| {
            scratch.values().insert(bytes(args, 0).to_vec(), args[1].clone());
            Ok("".into())
        }),
        method!("SetX", NAMED, |scratch, args| {
            scratch.values().entry(bytes(args, 0).to_vec()).or_insert_with(|| args[1].clone());
            Ok("".into())
        }),
        method!("MapSet", ENTRY, |scratch, args| scratch.map_set(args, true)),
        method!("MapSetX", ENTRY, |scratch, args| scratch.map_set(args, false)),
        method!("MapValues", NAME, |scratch, args| match scratch.values().get(bytes(args, 0)) {
            None => Ok(Value::nil_list(Type::LIST)),
            Some(Value::Map(map)) => {
                Ok(Value::list(Type::LIST, map.entries().values().cloned().collect()))
            }
            Some(_) => Err(no_map(args)),
        }),
    ],
};

const NAME: &[Type] = &[Type::String];
const NAMED: &[Type] = &[Type::String, Type::Any];
const ENTRY: &[Type] = &[Type::String, Type::String, Type::Any];

impl Record for Scratch {
    fn shape(&self) -> &'static StructType {
        &SCRATCH
    }

    fn field(&self, _: usize) -> Value {
        Value::Invalid
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn no_map(args: &[Value]) -> String {
    format!("{} is not a map", quoted(bytes(args, 0)))
}

impl Scratch {
    pub(super) fn value() -> Value {
        Value::record(Self::default())
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn map_set(&self, args: &[Value], overwrite: bool) -> Result<Value, String> {
        let mut values = self.values();
        let map =
            values.entry(bytes(args, 0).to_vec()).or_insert_with(|| Value::map(Type::DICT, Entries::new()));
        let Value::Map(known) = &*map else {
            return Err(no_map(args));
        };
        if overwrite || known.get(bytes(args, 1)).is_none() {
            map.insert(Key::from(bytes(args, 1)), args[2].clone())?;
        }
        Ok("".into())
    }
}
