//! What a template computes with: values that know their Go type.
//!
//! Cheap to clone: lists, maps, records and texts are shared. Only maps can change after they were made
//! (as in Go, everybody who holds one sees it); [`Value::insert`] lets none become part of itself.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    ops::Deref,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use crate::types::{IntKind, StructType, Type, UintKind};

/// A value.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing at all: prints `<no value>`, and so do its fields.
    #[default]
    Invalid,
    /// A nil `interface {}`: an entry that holds nothing.
    Nil,
    /// `bool`.
    Bool(bool),
    /// A signed integer.
    Int(IntKind, i64),
    /// An unsigned integer.
    Uint(UintKind, u64),
    /// `float64`.
    Float(f64),
    /// `string`: bytes, mostly UTF-8.
    String(Text),
    /// A slice.
    List(Arc<List>),
    /// A map.
    Map(Arc<Map>),
    /// A struct, mostly as a pointer to it.
    Record(Arc<dyn Record>),
    /// A nil pointer to a struct.
    NilPointer(&'static StructType),
}

/// A struct of the caller's. Fields are worked out when they are asked for.
pub trait Record: fmt::Debug + Send + Sync {
    /// Its type.
    fn shape(&self) -> &'static StructType;
    /// The field at this place in the type's list.
    fn field(&self, index: usize) -> Value;
    /// Is it the struct itself rather than a pointer to one?
    fn by_value(&self) -> bool {
        false
    }
    /// What it prints as, if that is not its fields.
    fn text(&self) -> Option<String> {
        None
    }
    /// Itself, for functions that know what it is.
    fn as_any(&self) -> &dyn Any;
}

/// A text as Go has it: bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

/// A slice with its type.
#[derive(Debug)]
pub struct List {
    ty: Type,
    items: Vec<Value>,
    nil: bool,
}

/// A map with its type.
#[derive(Debug)]
pub struct Map {
    ty: Type,
    entries: RwLock<Entries>,
    nil: bool,
}

/// What stands in a map, in the order Go prints and ranges over it.
pub type Entries = BTreeMap<Key, Value>;

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A nil interface.
    Nil,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(IntKind, i64),
    /// An unsigned integer.
    Uint(UintKind, u64),
    /// A `float64`, as the bits that sort like the number.
    Float(u64),
    /// A text.
    String(Text),
}

impl Text {
    /// As a Rust text; what is no UTF-8 is replaced.
    pub fn to_str_lossy(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), f)
    }
}

impl List {
    /// Its type.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// What stands in it.
    pub fn items(&self) -> &[Value] {
        &self.items
    }

    /// Is it the nil slice?
    pub fn is_nil(&self) -> bool {
        self.nil
    }
}

impl Map {
    /// Its type.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// What stands in it now.
    pub fn entries(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is it the nil map?
    pub fn is_nil(&self) -> bool {
        self.nil
    }

    /// The entry under a text.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.entries().get(&Key::from(key)).cloned()
    }

    /// Takes an entry out.
    pub fn remove(&self, key: &[u8]) -> Option<Value> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(&Key::from(key))
    }
}

impl Key {
    /// The key that stands for `number`.
    pub fn float(number: f64) -> Self {
        let bits = number.to_bits();
        Self::Float(if bits >> 63 == 0 { bits | 1 << 63 } else { !bits })
    }

    /// The key as a value.
    pub fn value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(kind, value) => Value::Int(*kind, *value),
            Self::Uint(kind, value) => Value::Uint(*kind, *value),
            Self::Float(bits) => {
                Value::Float(f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits }))
            }
            Self::String(text) => Value::String(text.clone()),
        }
    }

    /// The key a value makes; `None`: no map can have it.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Nil | Value::Invalid => Self::Nil,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(kind, value) => Self::Int(*kind, *value),
            Value::Uint(kind, value) => Self::Uint(*kind, *value),
            Value::Float(value) => Self::float(*value),
            Value::String(text) => Self::String(text.clone()),
            Value::List(_) | Value::Map(_) | Value::Record(_) | Value::NilPointer(_) => return None,
        })
    }
}

impl Value {
    /// An `int`.
    pub fn int(value: i64) -> Self {
        Self::Int(IntKind::Int, value)
    }

    /// A slice; `ty` is that of the slice.
    pub fn list(ty: Type, items: Vec<Self>) -> Self {
        Self::List(Arc::new(List { ty, items, nil: false }))
    }

    /// A slice that was never made.
    pub fn nil_list(ty: Type) -> Self {
        Self::List(Arc::new(List { ty, items: Vec::new(), nil: true }))
    }

    /// A `[]string`.
    pub fn strings<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::list(Type::STRINGS, items.into_iter().map(Into::into).collect())
    }

    /// A map; `ty` is that of the map.
    pub fn map(ty: Type, entries: Entries) -> Self {
        Self::Map(Arc::new(Map { ty, entries: RwLock::new(entries), nil: false }))
    }

    /// A map that was never made.
    pub fn nil_map(ty: Type) -> Self {
        Self::Map(Arc::new(Map { ty, entries: RwLock::default(), nil: true }))
    }

    /// A record, as a pointer to it.
    pub fn record(record: impl Record + 'static) -> Self {
        Self::Record(Arc::new(record))
    }

    /// Its type; `None` for nothing.
    pub fn ty(&self) -> Option<Type> {
        Some(match self {
            Self::Invalid | Self::Nil => return None,
            Self::Bool(_) => Type::Bool,
            Self::Int(kind, _) => Type::Int(*kind),
            Self::Uint(kind, _) => Type::Uint(*kind),
            Self::Float(_) => Type::Float64,
            Self::String(_) => Type::String,
            Self::List(list) => list.ty,
            Self::Map(map) => map.ty,
            Self::Record(record) if record.by_value() => Type::Struct(record.shape()),
            Self::Record(record) => Type::Pointer(record.shape()),
            Self::NilPointer(to) => Type::Pointer(to),
        })
    }

    /// The name of its type, as `%T` prints it.
    pub fn type_name(&self) -> String {
        self.ty().map_or_else(|| "<nil>".to_owned(), |ty| ty.to_string())
    }

    /// Does a condition take it for true?
    pub fn is_true(&self) -> bool {
        match self {
            Self::Invalid | Self::Nil | Self::NilPointer(_) => false,
            Self::Bool(value) => *value,
            Self::Int(_, value) => *value != 0,
            Self::Uint(_, value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::String(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Map(map) => !map.entries().is_empty(),
            Self::Record(_) => true,
        }
    }

    /// Puts an entry into a map. Everybody who holds the map sees it.
    ///
    /// # Errors
    /// When it is no map that was made, or would become part of itself.
    pub fn insert(&self, key: Key, value: Self) -> Result<(), String> {
        let Self::Map(map) = self else {
            return Err(format!("a {} is no map", self.type_name()));
        };
        if map.nil {
            return Err("assignment to entry in nil map".to_owned());
        }
        if value.reaches(map) {
            return Err("the map would become part of itself".to_owned());
        }
        map.entries.write().unwrap_or_else(PoisonError::into_inner).insert(key, value);
        Ok(())
    }

    /// Is `map` this value or somewhere in it?
    fn reaches(&self, map: &Arc<Map>) -> bool {
        let mut open = vec![self.clone()];
        let mut seen = std::collections::HashSet::new();
        while let Some(value) = open.pop() {
            match value {
                Self::Map(found) => {
                    if Arc::ptr_eq(&found, map) {
                        return true;
                    }
                    if seen.insert(Arc::as_ptr(&found).cast::<u8>()) {
                        open.extend(found.entries().values().filter(|value| value.is_container()).cloned());
                    }
                }
                Self::List(found) if seen.insert(Arc::as_ptr(&found).cast::<u8>()) => {
                    open.extend(found.items.iter().filter(|value| value.is_container()).cloned());
                }
                _ => {}
            }
        }
        false
    }

    fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        dismantle(std::mem::take(&mut self.items));
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        let entries = self.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
        if entries.values().any(Value::is_container) {
            dismantle(std::mem::take(entries).into_values().collect());
        }
    }
}

/// Lets go of values one after the other: nested ones, however deep, take no stack.
fn dismantle(mut open: Vec<Value>) {
    if !open.iter().any(Value::is_container) {
        return;
    }
    while let Some(value) = open.pop() {
        match value {
            Value::List(list) => {
                if let Some(mut list) = Arc::into_inner(list) {
                    open.append(&mut list.items);
                }
            }
            Value::Map(map) => {
                if let Some(mut map) = Arc::into_inner(map) {
                    let entries = map.entries.get_mut().unwrap_or_else(PoisonError::into_inner);
                    open.extend(std::mem::take(entries).into_values());
                }
            }
            _ => {}
        }
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<Arc<[u8]>> for Text {
    fn from(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl<T: Into<Text>> From<T> for Value {
    fn from(text: T) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<T: Into<Text>> From<T> for Key {
    fn from(text: T) -> Self {
        Self::String(text.into())
    }
}
