//! Consul's grammar, as a parser of ordered alternatives that remembers how far it got: error texts name
//! what was expected there, as Consul's do.
//!
//! `or` binds weaker than `and`, `and` weaker than `not`. A value may be written like a selector, as a
//! number, or quoted (`"` with Go's escapes, or raw in backticks). Each part is read at most three times,
//! so reading takes linear time.

mod cursor;
mod value;

use crate::{Expression, FilterError, MAX_LENGTH, Match, Operator};
use cursor::Cursor;

/// Reads an expression.
pub(crate) fn expression(text: &str) -> Result<Expression, FilterError> {
    if text.len() > MAX_LENGTH {
        return Err(FilterError::TooLong(text.len()));
    }
    let mut cursor = Cursor::new(text);
    cursor.maybe_space();
    let read = cursor.or().filter(|_| {
        cursor.maybe_space();
        cursor.end()
    });
    cursor.finish(read)
}

impl Cursor<'_> {
    fn or(&mut self) -> Option<Expression> {
        self.chain("or", Self::and, Expression::Or)
    }

    fn and(&mut self) -> Option<Expression> {
        self.chain("and", Self::not, Expression::And)
    }

    /// One part, or several with `word` between them.
    fn chain(
        &mut self,
        word: &'static str,
        part: fn(&mut Self) -> Option<Expression>,
        join: fn(Vec<Expression>) -> Expression,
    ) -> Option<Expression> {
        let first = part(self)?;
        let mut parts = vec![first];
        while let Some(next) = self.attempt(|cursor| cursor.spaced(word).then(|| part(cursor))?) {
            parts.push(next);
        }
        if parts.len() == 1 { parts.pop() } else { Some(join(parts)) }
    }

    fn not(&mut self) -> Option<Expression> {
        let negated = self.attempt(|cursor| {
            if !(cursor.literal("not") && cursor.space()) {
                return None;
            }
            cursor.deeper(Self::not)
        });
        match negated {
            Some(Expression::Not(inner)) => Some(*inner),
            Some(inner) => Some(Expression::Not(Box::new(inner))),
            None => self.group(),
        }
    }

    fn group(&mut self) -> Option<Expression> {
        let start = self.at;
        let inner = self.attempt(|cursor| {
            if !cursor.literal("(") {
                return None;
            }
            cursor.maybe_space();
            let inner = cursor.deeper(Self::or)?;
            cursor.maybe_space();
            Some((inner, cursor.at))
        });
        let Some((inner, end)) = inner else {
            return self.question();
        };
        if self.literal(")") {
            return Some(inner);
        }
        self.at = end;
        self.fault("grouping", "Unmatched parentheses");
        self.at = start;
        None
    }

    fn question(&mut self) -> Option<Expression> {
        let asked = self
            .attempt(Self::selector_operator_value)
            .or_else(|| self.attempt(Self::selector_operator))
            .or_else(|| self.attempt(Self::value_operator_selector))?;
        Some(Expression::Match(asked))
    }

    fn selector_operator_value(&mut self) -> Option<Match> {
        let selector = self.selector()?;
        let operator = self
            .comparison("==", Operator::Equal)
            .or_else(|| self.comparison("!=", Operator::NotEqual))
            .or_else(|| self.words(&["contains"], true, Operator::In))
            .or_else(|| self.words(&["not", "contains"], true, Operator::NotIn))
            .or_else(|| self.words(&["matches"], true, Operator::Matches))
            .or_else(|| self.words(&["not", "matches"], true, Operator::NotMatches))?;
        let value = self.value()?;
        Some(Match { selector, operator, value: Some(value) })
    }

    fn selector_operator(&mut self) -> Option<Match> {
        let selector = self.selector()?;
        let operator = self
            .words(&["is", "empty"], false, Operator::IsEmpty)
            .or_else(|| self.words(&["is", "not", "empty"], false, Operator::IsNotEmpty))?;
        Some(Match { selector, operator, value: None })
    }

    fn value_operator_selector(&mut self) -> Option<Match> {
        let value = self.value()?;
        let operator = self
            .words(&["in"], true, Operator::In)
            .or_else(|| self.words(&["not", "in"], true, Operator::NotIn))?;
        let Some(selector) = self.selector() else {
            self.fault("match", "Invalid selector");
            return None;
        };
        Some(Match { selector, operator, value: Some(value) })
    }

    fn comparison(&mut self, sign: &'static str, operator: Operator) -> Option<Operator> {
        self.attempt(|cursor| {
            cursor.maybe_space();
            cursor.literal(sign).then_some(operator)
        })?;
        self.maybe_space();
        Some(operator)
    }

    /// Words with space before each, and after the last when something `follows`.
    fn words(&mut self, words: &[&'static str], follows: bool, operator: Operator) -> Option<Operator> {
        self.attempt(|cursor| {
            let all = words.iter().all(|word| cursor.space() && cursor.literal(word));
            (all && (!follows || cursor.space())).then_some(operator)
        })
    }

    fn spaced(&mut self, word: &'static str) -> bool {
        self.space() && self.literal(word) && self.space()
    }
}

#[cfg(test)]
mod tests;
