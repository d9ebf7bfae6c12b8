//! What a filter looks at: borrowed values of borrowed records.

use std::collections::BTreeMap;

/// Something that has fields.
pub trait Record {
    /// Calls `test` with the value of the field at `path` and answers what it says. Where the path leads
    /// through a list, `test` is called for one item after another until it says yes; where it leads to a
    /// key that is not there, with [`Value::Absent`].
    fn test(&self, path: &[String], test: &dyn Fn(Value<'_>) -> bool) -> bool;
}

/// The value of a field.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A string.
    Text(&'a str),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A list of strings.
    Texts(&'a [String]),
    /// A map.
    Map(&'a dyn Keys),
    /// A list of records: is it empty?
    List {
        /// Nothing in it.
        is_empty: bool,
    },
    /// Below a key that the map does not have.
    Absent,
}

/// The keys of a map.
pub trait Keys {
    /// Does the map have none?
    fn is_empty(&self) -> bool;
    /// Does it have this one?
    fn has(&self, key: &str) -> bool;
}

impl<V> Keys for BTreeMap<String, V> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn has(&self, key: &str) -> bool {
        self.contains_key(key)
    }
}
