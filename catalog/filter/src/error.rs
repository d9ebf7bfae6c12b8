//! Why a filter is none. Texts are Consul's where it has one; they do not name the endpoint.

use crate::{MAX_DEPTH, MAX_LENGTH, MAX_PATTERNS, Operator, literal::quoted};

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Not of the grammar: mend it where the text says (`line:column (offset): ...`).
    #[error("{0}")]
    Syntax(String),
    /// Ask for less.
    #[error("filter of {0} bytes is too long: use at most {MAX_LENGTH}")]
    TooLong(usize),
    /// Nest less.
    #[error("filter nests too deep: use at most {MAX_DEPTH} levels of parentheses and `not`")]
    TooDeep,
    /// There is no such field in these records.
    #[error("Selector {} is not valid", quoted(.0))]
    Selector(String),
    /// The field is of a type that cannot be asked this.
    #[error("Invalid match operator {} for selector {}", quoted(.operator.name()), quoted(.selector))]
    Operator {
        /// What was asked.
        operator: Operator,
        /// Of which field.
        selector: String,
    },
    /// The value is not of the field's type.
    #[error("Failed to coerce value {} for selector {}: {why}", quoted(.value), quoted(.selector))]
    Value {
        /// As written.
        value: String,
        /// The field compared with.
        selector: String,
        /// What it should be.
        why: String,
    },
    /// Mend the regular expression.
    #[error("Failed to compile regular expression {}: error parsing regexp: {why}", quoted(.pattern))]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// Ask for less.
    #[error("filter has more than {MAX_PATTERNS} regular expressions: join them with `|`")]
    TooManyPatterns,
}
