//! What is wrong with a configuration: the thing, the place, the remedy; all of it at once.

use std::{fmt, ops::Range};

use serde::Serialize;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One step into a configuration: a key or a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Position(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<&String> for Step {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<usize> for Step {
    fn from(position: usize) -> Self {
        Self::Position(position)
    }
}

/// A place in a configuration, like `rotations.primary.members[1]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place(Vec<Step>);

impl Place {
    pub(crate) fn at(&self, step: impl Into<Step>) -> Self {
        let mut deeper = self.clone();
        deeper.0.push(step.into());
        deeper
    }

    /// The bytes of the deepest part of it that is there.
    fn span(&self, root: &Spanned<DeTable<'_>>) -> Option<Range<usize>> {
        let mut found = None;
        let mut inside: Option<&Spanned<DeValue<'_>>> = None;
        for step in &self.0 {
            let next = match (step, inside) {
                (Step::Key(key), None) => root.get_ref().get(key.as_str()),
                (Step::Key(key), Some(value)) => value.get_ref().get(key.as_str()),
                (Step::Position(position), Some(value)) => value.get_ref().get(*position),
                (Step::Position(_), None) => None,
            };
            let Some(next) = next else {
                break;
            };
            (found, inside) = (Some(next.span()), Some(next));
        }
        found
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Position(position) => write!(f, "[{position}]")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, if the configuration is a text.
    pub line: Option<usize>,
    /// The place, like `rotations.primary.members[1]`.
    pub place: String,
    /// What is wrong, and what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            let end = if i == 0 { "" } else { "\n" };
            write!(f, "{end}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems on the way through a configuration.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Vec<(Place, Option<Range<usize>>, String)>);

impl Complaints {
    pub(crate) fn add(&mut self, place: Place, message: impl Into<String>) {
        self.0.push((place, None, message.into()));
    }

    pub(crate) fn add_span(&mut self, place: Place, span: Option<Range<usize>>, message: impl Into<String>) {
        self.0.push((place, span, message.into()));
    }

    /// Whether something is wrong there already.
    pub(crate) fn has(&self, place: &Place) -> bool {
        self.0.iter().any(|(other, _, _)| other == place)
    }

    /// Nothing, or everything with its line, given the text and what it parsed to.
    pub(crate) fn into_result(self, text: Option<(&str, &Spanned<DeTable<'_>>)>) -> Result<(), Problems> {
        if self.0.is_empty() {
            return Ok(());
        }
        let line = |span: Range<usize>| {
            text.map(|(text, _)| 1 + text.bytes().take(span.start).filter(|&byte| byte == b'\n').count())
        };
        let problem = |(place, span, message): (Place, Option<Range<usize>>, String)| Problem {
            line: span.or_else(|| text.and_then(|(_, root)| place.span(root))).and_then(line),
            place: place.to_string(),
            message,
        };
        let mut problems: Vec<_> = self.0.into_iter().map(problem).collect();
        problems.sort_by_key(|problem| problem.line);
        Err(Problems(problems))
    }
}
