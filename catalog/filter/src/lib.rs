//! Consul's filter expressions (`?filter=`): does a record match?
//!
//! All of it is pure and knows nothing of the catalog. Text becomes an [`Expression`] ([`parse`] follows
//! Consul's grammar to its error texts), the expression is checked against the [`Field`]s of a kind of
//! record and becomes a [`Filter`], and the filter asks borrowed [`Record`]s for the values it needs.
//! Source: Consul API, "Filtering"; behaviour as recorded from 1.8.7 (go-bexpr 0.1).
//!
//! Invariant: no text, however hostile, panics, overflows the stack or takes more than linear time in
//! its length to read; [`MAX_LENGTH`], [`MAX_DEPTH`] and [`MAX_PATTERNS`] bound what it can cost.

mod coerce;
mod compile;
mod error;
mod expression;
mod field;
mod literal;
mod parse;
mod pattern;
mod record;

pub use compile::Filter;
pub use error::FilterError;
pub use expression::{Expression, Match, Operator};
pub use field::{Field, Shape};
pub use record::{Keys, Record, Value};

/// Longest expression read, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// How deep parentheses and `not` may nest.
pub const MAX_DEPTH: usize = 64;
/// How many regular expressions one filter may hold.
pub const MAX_PATTERNS: usize = 32;
/// Largest compiled size of one regular expression, in bytes.
pub const MAX_PATTERN_SIZE: usize = 1024 * 1024;
