//! Selectors, numbers and strings.

use super::cursor::Cursor;
use crate::literal::unquote;

const LETTER: &str = "[a-zA-Z]";
const WORD: &str = "[a-zA-Z0-9_]";

impl Cursor<'_> {
    /// Names and keys; at least one name.
    pub(super) fn selector(&mut self) -> Option<Vec<String>> {
        let mut selector = vec![self.identifier()?];
        while let Some(next) = self.attempt(Self::member).or_else(|| self.index()) {
            selector.push(next);
        }
        Some(selector)
    }

    fn member(&mut self) -> Option<String> {
        if self.literal(".") { self.identifier() } else { None }
    }

    fn identifier(&mut self) -> Option<String> {
        let start = self.at;
        if !self.class(LETTER, |c| c.is_ascii_alphabetic()) {
            return None;
        }
        while self.class(WORD, |c| c.is_ascii_alphanumeric() || c == '_') {}
        Some(self.since(start).to_owned())
    }

    fn index(&mut self) -> Option<String> {
        let start = self.at;
        if !self.literal("[") {
            return None;
        }
        self.maybe_space();
        let Some(key) = self.attempt(Self::string) else {
            self.fault("index", "Invalid index");
            self.at = start;
            return None;
        };
        self.maybe_space();
        if self.literal("]") {
            return Some(key);
        }
        self.fault("index", "Unclosed index expression");
        self.at = start;
        None
    }

    pub(super) fn value(&mut self) -> Option<String> {
        self.attempt(Self::selector)
            .map(|selector| selector.join("."))
            .or_else(|| self.attempt(Self::number))
            .or_else(|| self.attempt(Self::string))
    }

    fn number(&mut self) -> Option<String> {
        let start = self.at;
        self.literal("-");
        if !self.literal("0") {
            if !self.class("[1-9]", |c| matches!(c, '1'..='9')) {
                return None;
            }
            self.digits();
        }
        self.attempt(|cursor| (cursor.literal(".") && cursor.digits()).then_some(()));
        let number = self.since(start).to_owned();
        let end = self.at;
        let ends = self.space() || self.end() || self.literal(")");
        self.at = end;
        if !ends {
            self.fault("number", "Invalid number literal");
            return None;
        }
        Some(number)
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.class("[0-9]", |c| c.is_ascii_digit()) {}
        self.at > start
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        let quote = ["`", "\""].into_iter().find(|quote| self.literal(quote))?;
        if !self.skip_past(quote) {
            self.fault("string", "Unterminated string literal");
            return None;
        }
        let Some(text) = unquote(self.since(start)) else {
            // It goes on, to find whatever else is wrong.
            self.fault_at(start, "string", "invalid syntax");
            return Some(String::new());
        };
        Some(text)
    }
}
