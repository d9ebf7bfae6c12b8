//! What an expression says, and how it is written: printing one and reading it again gives the same.

use std::fmt;

use crate::{
    FilterError,
    literal::{is_identifier, printable},
    parse,
};

/// A boolean expression over the fields of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// One of these, at least two.
    Or(Vec<Self>),
    /// All of these, at least two.
    And(Vec<Self>),
    /// Not this; never another `Not`.
    Not(Box<Self>),
    /// A question about one field.
    Match(Match),
}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::expression(text)
    }
}

/// A question about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The field: a name, then names or map keys.
    pub selector: Vec<String>,
    /// The question.
    pub operator: Operator,
    /// What it is about; `None` for the emptiness questions.
    pub value: Option<String>,
}

/// What is asked about a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `in`, `contains`
    In,
    /// `not in`, `not contains`
    NotIn,
    /// `is empty`
    IsEmpty,
    /// `is not empty`
    IsNotEmpty,
    /// `matches`
    Matches,
    /// `not matches`
    NotMatches,
}

impl Operator {
    /// Its name in error texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::NotEqual => "Not Equal",
            Self::In => "In",
            Self::NotIn => "Not In",
            Self::IsEmpty => "Is Empty",
            Self::IsNotEmpty => "Is Not Empty",
            Self::Matches => "Matches",
            Self::NotMatches => "Not Matches",
        }
    }

    /// Does it ask for the opposite?
    pub(crate) fn is_negated(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotIn | Self::IsNotEmpty | Self::NotMatches)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Or(parts) => joined(f, parts, " or ", |part| matches!(part, Self::Or(_))),
            Self::And(parts) => joined(f, parts, " and ", |part| matches!(part, Self::Or(_) | Self::And(_))),
            Self::Not(inner) => {
                f.write_str("not ")?;
                grouped(f, inner, matches!(**inner, Self::Or(_) | Self::And(_)))
            }
            Self::Match(question) => write!(f, "{question}"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expression],
    word: &str,
    needs_group: impl Fn(&Expression) -> bool,
) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(word)?;
        }
        grouped(f, part, needs_group(part))?;
    }
    Ok(())
}

fn grouped(f: &mut fmt::Formatter<'_>, expression: &Expression, group: bool) -> fmt::Result {
    if group { write!(f, "({expression})") } else { write!(f, "{expression}") }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let selector = Selector(&self.selector);
        let value = printable(self.value.as_deref().unwrap_or_default());
        match self.operator {
            Operator::Equal => write!(f, "{selector} == {value}"),
            Operator::NotEqual => write!(f, "{selector} != {value}"),
            Operator::In => write!(f, "{value} in {selector}"),
            Operator::NotIn => write!(f, "{value} not in {selector}"),
            Operator::IsEmpty => write!(f, "{selector} is empty"),
            Operator::IsNotEmpty => write!(f, "{selector} is not empty"),
            Operator::Matches => write!(f, "{selector} matches {value}"),
            Operator::NotMatches => write!(f, "{selector} not matches {value}"),
        }
    }
}

struct Selector<'a>(&'a [String]);

impl fmt::Display for Selector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.0.iter().enumerate() {
            match at {
                0 => f.write_str(name)?,
                _ if is_identifier(name) => write!(f, ".{name}")?,
                _ => write!(f, "[{}]", printable(name))?,
            }
        }
        Ok(())
    }
}
