//! Where the parser stands, the farthest it got, what it expected there, and what it found wrong.

use std::collections::BTreeSet;

use crate::{Expression, FilterError, MAX_DEPTH, literal::quoted};

const SPACE: &str = "[ \\t\\r\\n]";

/// What would have been right.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Literal(&'static str),
    Class(&'static str),
    End,
}

/// A place in a text, and the memory of all attempts to get on.
pub(super) struct Cursor<'a> {
    text: &'a str,
    pub(super) at: usize,
    farthest: usize,
    wanted: Vec<Wanted>,
    faults: Vec<String>,
    depth: usize,
    too_deep: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, farthest: 0, wanted: Vec::new(), faults: Vec::new(), depth: 0, too_deep: false }
    }

    /// Takes `literal`, if it is next.
    pub(super) fn literal(&mut self, literal: &'static str) -> bool {
        let is_next = self.rest().starts_with(literal);
        if is_next {
            self.at += literal.len();
        } else {
            self.missed(Wanted::Literal(literal));
        }
        is_next
    }

    /// Takes one character of a class, if it is next.
    pub(super) fn class(&mut self, name: &'static str, belongs: impl Fn(char) -> bool) -> bool {
        match self.rest().chars().next() {
            Some(c) if belongs(c) => {
                self.at += c.len_utf8();
                true
            }
            _ => {
                self.missed(Wanted::Class(name));
                false
            }
        }
    }

    /// Takes space, if there is any.
    pub(super) fn space(&mut self) -> bool {
        let start = self.at;
        while self.class(SPACE, |c| matches!(c, ' ' | '\t' | '\r' | '\n')) {}
        self.at > start
    }

    pub(super) fn maybe_space(&mut self) {
        self.space();
    }

    /// Is this the end?
    pub(super) fn end(&mut self) -> bool {
        let end = self.at == self.text.len();
        if !end {
            self.missed(Wanted::End);
        }
        end
    }

    /// Goes behind the next `mark`, or to the end.
    pub(super) fn skip_past(&mut self, mark: &str) -> bool {
        let found = self.rest().find(mark);
        self.at = found.map_or(self.text.len(), |offset| self.at + offset + mark.len());
        found.is_some()
    }

    /// What was taken since `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Carries out `part`; when there is none, nothing was taken.
    pub(super) fn attempt<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let start = self.at;
        let read = part(self);
        if read.is_none() {
            self.at = start;
        }
        read
    }

    /// Carries out `part` one level further in.
    pub(super) fn deeper<T>(&mut self, part: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == MAX_DEPTH {
            self.too_deep = true;
            return None;
        }
        self.depth += 1;
        let read = part(self);
        self.depth -= 1;
        read
    }

    /// Notes what is wrong here, in the words of `rule`.
    pub(super) fn fault(&mut self, rule: &str, what: &str) {
        self.fault_at(self.at, rule, what);
    }

    pub(super) fn fault_at(&mut self, at: usize, rule: &str, what: &str) {
        let fault = format!("{}: rule {}: {what}", self.place(at), quoted(rule));
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// What was read, unless something was wrong with it.
    pub(super) fn finish(self, read: Option<Expression>) -> Result<Expression, FilterError> {
        if self.too_deep {
            return Err(FilterError::TooDeep);
        }
        if !self.faults.is_empty() {
            return Err(FilterError::Syntax(self.faults.join("\n")));
        }
        read.ok_or_else(|| FilterError::Syntax(self.expectation()))
    }

    fn expectation(&self) -> String {
        let place = self.place(self.farthest);
        let named = self.wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Literal(literal) => Some(quoted(literal)),
            Wanted::Class(class) => Some((*class).to_owned()),
            Wanted::End => None,
        });
        let mut expected: Vec<String> = named.collect::<BTreeSet<_>>().into_iter().collect();
        if self.wanted.iter().any(|wanted| matches!(wanted, Wanted::End)) {
            expected.push("EOF".to_owned());
        }
        let expected = match expected.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        };
        format!("{place}: no match found, expected: {expected}")
    }

    fn missed(&mut self, wanted: Wanted) {
        if self.at > self.farthest {
            self.farthest = self.at;
            self.wanted.clear();
        }
        if self.at == self.farthest {
            self.wanted.push(wanted);
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// `line:column (offset)`, counted as Consul's parser does: a line break is the column 0 of the line
    /// it begins.
    fn place(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let (mut line, mut column) = (1, 0);
        for c in before.chars().chain(self.text.get(at..).and_then(|rest| rest.chars().next()).or(Some(' ')))
        {
            column += 1;
            if c == '\n' {
                line += 1;
                column = 0;
            }
        }
        format!("{line}:{column} ({at})")
    }
}
