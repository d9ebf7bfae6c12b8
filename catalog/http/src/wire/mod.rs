//! Consul's JSON shapes, borrowed straight from the snapshot: names, order, and what is `null`, `[]`,
//! `{}` or left out when empty. Source: Consul API pages and recorded answers of 1.8.7.

pub(crate) mod check;
pub(crate) mod check_definition;
pub(crate) mod config_entry;
pub(crate) mod definition;
pub(crate) mod kv;
pub(crate) mod node;
pub(crate) mod prepared;
pub(crate) mod proxy;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod told_definition;
pub(crate) mod txn;

use serde::{Serialize, Serializer};

/// A list written straight from an iterator.
pub(crate) struct List<F>(pub(crate) F);

impl<F, I> Serialize for List<F>
where
    F: Fn() -> I,
    I: Iterator<Item: Serialize>,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// An object written straight from an iterator.
pub(crate) struct Object<F>(pub(crate) F);

impl<F, I, K, V> Serialize for Object<F>
where
    F: Fn() -> I,
    I: Iterator<Item = (K, V)>,
    K: Serialize,
    V: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// `{}`.
#[derive(Serialize)]
pub(crate) struct Empty {}
