//! What are the words of a template? Bytes outside actions pass as they are; inside, Go's lexical rules.

use crate::ast::Pos;

/// The kinds of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Comma,
    Char,
    Identifier,
    Keyword,
    Field,
    Variable,
    Dot,
    Nil,
    Bool,
    Number,
    CharConstant,
    String,
    RawString,
    End,
}

/// A word and where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    pub(crate) pos: Pos,
    pub(crate) text: &'s [u8],
}

/// Where the source is wrong, and why.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) pos: Pos,
    pub(crate) reason: String,
}

const KEYWORDS: &[&[u8]] =
    &[b"block", b"break", b"continue", b"define", b"else", b"end", b"if", b"range", b"template", b"with"];

pub(crate) struct Lexer<'s> {
    source: &'s [u8],
    left: &'s [u8],
    right: &'s [u8],
    pos: Pos,
    /// Where the action began that we are in.
    action: Option<Pos>,
    parens: usize,
    /// Set by a trim marker: white space at the start of the next text goes.
    trim_next: bool,
}

type Lexed<'s> = Result<Token<'s>, Fault>;

impl<'s> Lexer<'s> {
    pub(crate) fn new(source: &'s [u8], left: &'s [u8], right: &'s [u8]) -> Self {
        Self { source, left, right, pos: 0, action: None, parens: 0, trim_next: false }
    }

    /// The next word; at the end of the source, [`Kind::End`] for ever.
    pub(crate) fn advance(&mut self) -> Lexed<'s> {
        if self.action.is_some() { self.inside() } else { self.outside() }
    }

    fn rest(&self) -> &'s [u8] {
        &self.source[self.pos..]
    }

    fn token(&self, kind: Kind, start: Pos) -> Lexed<'s> {
        Ok(Token { kind, pos: start, text: &self.source[start..self.pos] })
    }

    fn fault<T>(&self, pos: Pos, reason: impl Into<String>) -> Result<T, Fault> {
        Err(Fault { pos, reason: reason.into() })
    }

    fn outside(&mut self) -> Lexed<'s> {
        loop {
            if std::mem::take(&mut self.trim_next) {
                self.pos += spaces(self.rest());
            }
            let start = self.pos;
            let Some(found) = find(self.rest(), self.left) else {
                self.pos = self.source.len();
                return self.token(if start == self.pos { Kind::End } else { Kind::Text }, start);
            };
            let delimiter = start + found;
            let after = delimiter + self.left.len();
            let trims = has_left_marker(&self.source[after..]);
            let mut text = &self.source[start..delimiter];
            if trims {
                text = &text[..text.len() - trailing_spaces(text)];
            }
            if !text.is_empty() {
                // The delimiter is met again, with nothing but (trimmed) space before it.
                self.pos = delimiter;
                return Ok(Token { kind: Kind::Text, pos: start, text });
            }
            self.pos = after + if trims { 2 } else { 0 };
            if self.rest().starts_with(b"/*") {
                self.comment(delimiter)?;
                continue;
            }
            self.action = Some(delimiter);
            self.parens = 0;
            return Ok(Token {
                kind: Kind::LeftDelimiter,
                pos: delimiter,
                text: &self.source[delimiter..self.pos],
            });
        }
    }

    fn comment(&mut self, start: Pos) -> Result<(), Fault> {
        let Some(end) = find(self.rest(), b"*/") else {
            return self.fault(start, "unclosed comment");
        };
        self.pos += end + 2;
        let Some(trims) = self.at_right_delimiter() else {
            return self.fault(start, "comment ends before closing delimiter");
        };
        self.close(trims);
        Ok(())
    }

    /// Is the action over here? And does it trim?
    fn at_right_delimiter(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_marker(rest) && rest[2..].starts_with(self.right) {
            return Some(true);
        }
        rest.starts_with(self.right).then_some(false)
    }

    fn close(&mut self, trims: bool) {
        self.pos += self.right.len() + if trims { 2 } else { 0 };
        self.trim_next = trims;
        self.action = None;
    }

    fn inside(&mut self) -> Lexed<'s> {
        let start = self.pos;
        if let Some(trims) = self.at_right_delimiter() {
            if self.parens > 0 {
                return self.fault(start, "unclosed left paren");
            }
            self.close(trims);
            return self.token(Kind::RightDelimiter, start);
        }
        let Some(c) = self.peek() else {
            return self.fault(self.action.unwrap_or(start), "unclosed action");
        };
        self.pos += c.len_utf8();
        match c {
            ' ' | '\t' | '\r' | '\n' => self.space(start),
            '=' => self.token(Kind::Assign, start),
            ':' => {
                if self.peek() != Some('=') {
                    return self.fault(start, "expected :=");
                }
                self.pos += 1;
                self.token(Kind::Declare, start)
            }
            '|' => self.token(Kind::Pipe, start),
            '"' => self.quoted(start),
            '`' => self.raw(start),
            '\'' => self.char_constant(start),
            '$' => self.name(start, Kind::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.name(start, Kind::Field),
            '.' | '+' | '-' | '0'..='9' => self.number(start),
            '(' => {
                self.parens += 1;
                self.token(Kind::LeftParen, start)
            }
            ')' => {
                let Some(parens) = self.parens.checked_sub(1) else {
                    return self.fault(start, "unexpected right paren");
                };
                self.parens = parens;
                self.token(Kind::RightParen, start)
            }
            ',' => self.token(Kind::Comma, start),
            c if is_alphanumeric(c) => self.word(start),
            c if c.is_ascii() && !c.is_ascii_control() => self.token(Kind::Char, start),
            c => self.fault(start, format!("unrecognized character in action: {}", unicode(c))),
        }
    }

    /// The next character; bytes that are no UTF-8 read as U+FFFD and are refused by all who ask.
    fn peek(&self) -> Option<char> {
        crate::strconv::decode(self.rest()).map(|(c, _)| c)
    }

    fn space(&mut self, start: Pos) -> Lexed<'s> {
        self.pos = start + spaces(&self.source[start..]);
        // The last space may belong to a trim marker.
        let last = self.pos - 1;
        let here = &self.source[last..];
        if has_right_marker(here) && here[2..].starts_with(self.right) {
            self.pos = last;
            if last == start {
                return self.inside();
            }
        }
        self.token(Kind::Space, start)
    }

    fn word(&mut self, start: Pos) -> Lexed<'s> {
        self.skip_alphanumerics();
        self.check_terminator()?;
        let kind = match &self.source[start..self.pos] {
            b"true" | b"false" => Kind::Bool,
            b"nil" => Kind::Nil,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        self.token(kind, start)
    }

    /// A field or a variable, after its first character.
    fn name(&mut self, start: Pos, kind: Kind) -> Lexed<'s> {
        if self.at_terminator() {
            let bare = if kind == Kind::Field { Kind::Dot } else { Kind::Variable };
            return self.token(bare, start);
        }
        self.skip_alphanumerics();
        self.check_terminator()?;
        self.token(kind, start)
    }

    fn skip_alphanumerics(&mut self) {
        while let Some(c) = self.peek().filter(|c| is_alphanumeric(*c)) {
            self.pos += c.len_utf8();
        }
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | '.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(_) => self.rest().starts_with(self.right),
        }
    }

    fn check_terminator(&self) -> Result<(), Fault> {
        match self.peek() {
            Some(c) if !self.at_terminator() => self.fault(self.pos, format!("bad character {}", unicode(c))),
            _ => Ok(()),
        }
    }

    fn quoted(&mut self, start: Pos) -> Lexed<'s> {
        loop {
            let byte = self.rest().first().copied();
            self.pos += usize::from(byte.is_some());
            match byte {
                Some(b'\\') if self.rest().first().is_some_and(|next| *next != b'\n') => self.pos += 1,
                None | Some(b'\n' | b'\\') => return self.fault(start, "unterminated quoted string"),
                Some(b'"') => return self.token(Kind::String, start),
                Some(_) => {}
            }
        }
    }

    fn raw(&mut self, start: Pos) -> Lexed<'s> {
        let Some(end) = find(self.rest(), b"`") else {
            return self.fault(start, "unterminated raw quoted string");
        };
        self.pos += end + 1;
        self.token(Kind::RawString, start)
    }

    fn char_constant(&mut self, start: Pos) -> Lexed<'s> {
        loop {
            let byte = self.rest().first().copied();
            self.pos += usize::from(byte.is_some());
            match byte {
                Some(b'\\') if self.rest().first().is_some_and(|next| *next != b'\n') => self.pos += 1,
                None | Some(b'\n' | b'\\') => {
                    return self.fault(start, "unterminated character constant");
                }
                Some(b'\'') => return self.token(Kind::CharConstant, start),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self, start: Pos) -> Lexed<'s> {
        self.pos = start;
        let good = self.scan_number();
        let word = |end: Pos| String::from_utf8_lossy(&self.source[start..end]).into_owned();
        if !good {
            return self.fault(start, format!("bad number syntax: \"{}\"", word(self.pos)));
        }
        if word(self.pos).ends_with('i') || matches!(self.peek(), Some('+' | '-')) {
            return self.fault(start, "complex numbers are not part of this language");
        }
        self.token(Kind::Number, start)
    }

    fn accept(&mut self, set: &[u8]) -> bool {
        let found = self.rest().first().is_some_and(|byte| set.contains(byte));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, set: &[u8]) {
        while self.accept(set) {}
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        const HEX: &[u8] = b"0123456789abcdefABCDEF_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = HEX;
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        let exponent: &[u8] = if digits == DECIMAL {
            b"eE"
        } else if digits == HEX {
            b"pP"
        } else {
            b""
        };
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        match self.peek().filter(|c| is_alphanumeric(*c)) {
            Some(c) => {
                self.pos += c.len_utf8();
                false
            }
            None => true,
        }
    }
}

/// As `%#U` prints it.
fn unicode(c: char) -> String {
    format!("U+{:04X} '{c}'", u32::from(c))
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphabetic() || is_digit(c)
}

fn is_digit(c: char) -> bool {
    use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
    c.is_ascii_digit() || (!c.is_ascii() && c.general_category() == GeneralCategory::DecimalNumber)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_space(**byte)).count()
}

fn trailing_spaces(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| is_space(**byte)).count()
}

fn has_left_marker(text: &[u8]) -> bool {
    matches!(text, [b'-', space, ..] if is_space(*space))
}

fn has_right_marker(text: &[u8]) -> bool {
    matches!(text, [space, b'-', ..] if is_space(*space))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    match wanted {
        [] => Some(0),
        [first, ..] => {
            let mut from = 0;
            while let Some(at) = text[from..].iter().position(|byte| byte == first) {
                if text[from + at..].starts_with(wanted) {
                    return Some(from + at);
                }
                from += at + 1;
            }
            None
        }
    }
}
