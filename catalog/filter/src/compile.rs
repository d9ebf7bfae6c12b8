//! From an expression to a filter: selectors and types checked, values read, patterns compiled, once; so
//! that asking a record costs no more than looking.

use regex::Regex;

use crate::{
    Expression, Field, FilterError, MAX_PATTERNS, Match, Operator, Record, Shape, Value, coerce, field,
    pattern,
};

/// An expression made ready for one kind of records.
#[derive(Debug, Clone)]
pub struct Filter(Node);

#[derive(Debug, Clone)]
enum Node {
    Any(Vec<Self>),
    All(Vec<Self>),
    Not(Box<Self>),
    Ask { path: Vec<String>, question: Question, negated: bool },
}

#[derive(Debug, Clone)]
enum Question {
    IsText(String),
    IsNumber(i64),
    IsFlag(bool),
    Has(String),
    IsEmpty,
    Matches(Regex),
}

impl Filter {
    /// Reads `text` and checks it against `fields`.
    pub fn new(text: &str, fields: &[Field]) -> Result<Self, FilterError> {
        Self::compile(Expression::parse(text)?, fields)
    }

    /// Checks `expression` against `fields`.
    pub fn compile(expression: Expression, fields: &[Field]) -> Result<Self, FilterError> {
        let mut patterns = 0;
        node(expression, fields, &mut patterns).map(Self)
    }

    /// Does `record` match?
    pub fn wants(&self, record: &dyn Record) -> bool {
        self.0.holds(record)
    }
}

fn node(expression: Expression, fields: &[Field], patterns: &mut usize) -> Result<Node, FilterError> {
    let mut all = |parts: Vec<Expression>| -> Result<Vec<_>, _> {
        parts.into_iter().map(|part| node(part, fields, patterns)).collect()
    };
    Ok(match expression {
        Expression::Or(parts) => Node::Any(all(parts)?),
        Expression::And(parts) => Node::All(all(parts)?),
        Expression::Not(inner) => Node::Not(Box::new(node(*inner, fields, patterns)?)),
        Expression::Match(asked) => ask(asked, fields, patterns)?,
    })
}

fn ask(asked: Match, fields: &[Field], patterns: &mut usize) -> Result<Node, FilterError> {
    let Match { selector, operator, value } = asked;
    let shape = field::selected(fields, &selector, operator)?;
    let question = question(shape, &selector, operator, value.unwrap_or_default(), patterns)?;
    Ok(Node::Ask { path: selector, question, negated: operator.is_negated() })
}

fn question(
    shape: Shape,
    selector: &[String],
    operator: Operator,
    value: String,
    patterns: &mut usize,
) -> Result<Question, FilterError> {
    let wrong = |why| FilterError::Value { value: value.clone(), selector: selector.join("."), why };
    match operator {
        Operator::IsEmpty | Operator::IsNotEmpty => Ok(Question::IsEmpty),
        Operator::In | Operator::NotIn => Ok(Question::Has(value)),
        Operator::Matches | Operator::NotMatches => {
            *patterns += 1;
            if *patterns > MAX_PATTERNS {
                return Err(FilterError::TooManyPatterns);
            }
            pattern::compile(value).map(Question::Matches)
        }
        Operator::Equal | Operator::NotEqual => match shape {
            Shape::Number => coerce::number(&value).map(Question::IsNumber).map_err(wrong),
            Shape::Flag => coerce::flag(&value).map(Question::IsFlag).map_err(wrong),
            _ => Ok(Question::IsText(value)),
        },
    }
}

impl Node {
    fn holds(&self, record: &dyn Record) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(record)),
            Self::All(parts) => parts.iter().all(|part| part.holds(record)),
            Self::Not(inner) => !inner.holds(record),
            Self::Ask { path, question, negated } => {
                record.test(path, &|value| question.holds(value) != *negated)
            }
        }
    }
}

impl Question {
    /// What is not there is equal to nothing, holds nothing, and is empty.
    fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::IsText(wanted), Value::Text(text)) => text == wanted,
            (Self::IsNumber(wanted), Value::Number(number)) => number == *wanted,
            (Self::IsFlag(wanted), Value::Flag(flag)) => flag == *wanted,
            (Self::Has(wanted), Value::Text(text)) => text.contains(wanted),
            (Self::Has(wanted), Value::Texts(texts)) => texts.contains(wanted),
            (Self::Has(wanted), Value::Map(keys)) => keys.has(wanted),
            (Self::IsEmpty, Value::Texts(texts)) => texts.is_empty(),
            (Self::IsEmpty, Value::Map(keys)) => keys.is_empty(),
            (Self::IsEmpty, Value::List { is_empty }) => is_empty,
            (Self::IsEmpty, Value::Absent) => true,
            (Self::Matches(pattern), Value::Text(text)) => pattern.is_match(text),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
