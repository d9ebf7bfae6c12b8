//! Which fields do records of a kind have, and what can be asked of each?

use crate::{FilterError, Operator};

/// A field by its name.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// As selectors spell it.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
}

impl Field {
    /// A field of this name and shape.
    pub const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A string: compared, searched in, matched.
    Text,
    /// A whole number: compared.
    Number,
    /// True or false: compared.
    Flag,
    /// A list of strings: searched in, empty or not.
    Texts,
    /// Values by free keys: keys are searched for; selectors go on with a key.
    Map(&'static Self),
    /// Records: empty or not; a question about a field of theirs is one about any of them.
    List(&'static [Field]),
    /// A record of its own: only selectors that go on.
    Record(&'static [Field]),
}

impl Shape {
    fn takes(self, operator: Operator) -> bool {
        use Operator::{Equal, In, IsEmpty, IsNotEmpty, Matches, NotEqual, NotIn, NotMatches};
        match self {
            Self::Text => matches!(operator, Equal | NotEqual | In | NotIn | Matches | NotMatches),
            Self::Number | Self::Flag => matches!(operator, Equal | NotEqual),
            Self::Texts | Self::Map(_) => matches!(operator, In | NotIn | IsEmpty | IsNotEmpty),
            Self::List(_) => matches!(operator, IsEmpty | IsNotEmpty),
            Self::Record(_) => false,
        }
    }

    fn below(self, name: &str) -> Option<Self> {
        match self {
            Self::Map(values) => Some(*values),
            Self::List(fields) | Self::Record(fields) => named(fields, name),
            Self::Text | Self::Number | Self::Flag | Self::Texts => None,
        }
    }
}

fn named(fields: &[Field], name: &str) -> Option<Shape> {
    fields.iter().find(|field| field.name == name).map(|field| field.shape)
}

/// The shape of what a selector selects, if it can be asked this.
pub(crate) fn selected(
    fields: &[Field],
    selector: &[String],
    operator: Operator,
) -> Result<Shape, FilterError> {
    let unknown = |upto: usize| FilterError::Selector(selector[..upto].join("."));
    let first = selector.first().ok_or_else(|| unknown(0))?;
    let mut shape = named(fields, first).ok_or_else(|| unknown(1))?;
    for (at, name) in selector.iter().enumerate().skip(1) {
        shape = shape.below(name).ok_or_else(|| unknown(at + 1))?;
    }
    if shape.takes(operator) {
        Ok(shape)
    } else {
        Err(FilterError::Operator { operator, selector: selector.join(".") })
    }
}
