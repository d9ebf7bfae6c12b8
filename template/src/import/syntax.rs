//! Reads HCL as consul-template does (its first version), and JSON, which is written almost the same.
//!
//! Strings are taken as they stand: `${...}` has no meaning here and is kept.

/// Longest file, in bytes.
const MAX_SOURCE: usize = 4 << 20;
/// Deepest nesting of lists and objects.
const MAX_DEPTH: usize = 32;

/// Where something stands, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// One setting: `key value`, `key = value`, `key "label" {...}` or `"key": value`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) place: Place,
    pub(super) key: String,
    pub(super) labels: Vec<String>,
    pub(super) value: Node,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// As it is written.
    Number(String),
    Bool(bool),
    Null,
    List(Vec<Node>),
    Object(Vec<Item>),
}

type Result<T> = std::result::Result<T, (Place, String)>;

pub(super) fn parse(text: &str) -> Result<Vec<Item>> {
    let start = Place { line: 1, column: 1 };
    if text.len() > MAX_SOURCE {
        return Err((start, format!("the file has more than {MAX_SOURCE} bytes")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser { rest: text, place: start, depth: 0 };
    parser.skip()?;
    // JSON has braces around all of it.
    if parser.peek() == Some('{') {
        let items = match parser.node()?.value {
            Value::Object(items) => items,
            _ => Vec::new(),
        };
        parser.skip()?;
        return match parser.peek() {
            None => Ok(items),
            Some(c) => parser.fail(format!("unexpected `{c}` after the end")),
        };
    }
    parser.items(None)
}

struct Parser<'a> {
    rest: &'a str,
    place: Place,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(c)
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Result<T> {
        Err((self.place, reason.into()))
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| belongs(*c)) {
            taken.push(c);
            self.next();
        }
        taken
    }

    /// Skips blanks and comments.
    fn skip(&mut self) -> Result<()> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|c| c != '\n');
            } else if self.rest.starts_with("/*") {
                let begun = self.place;
                while !self.rest.starts_with("*/") {
                    if self.next().is_none() {
                        return Err((begun, "the comment is never closed".to_owned()));
                    }
                }
                self.next();
                self.next();
            } else {
                return Ok(());
            }
        }
    }

    /// Items up to `close`, or to the end.
    fn items(&mut self, close: Option<char>) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        loop {
            self.skip()?;
            match self.peek() {
                c if c == close => {
                    self.next();
                    return Ok(items);
                }
                None => return self.fail("a `}` is missing"),
                Some(_) => items.push(self.item()?),
            }
            self.skip()?;
            if self.peek() == Some(',') {
                self.next();
            }
        }
    }

    fn item(&mut self) -> Result<Item> {
        let place = self.place;
        let key = self.key()?;
        let mut labels = Vec::new();
        loop {
            self.skip()?;
            match self.peek() {
                Some('=' | ':') if labels.is_empty() => {
                    self.next();
                    self.skip()?;
                    return Ok(Item { place, key, labels, value: self.node()? });
                }
                Some('{') => return Ok(Item { place, key, labels, value: self.node()? }),
                Some(c) if c == '"' || is_word(c) => labels.push(self.key()?),
                _ => return self.fail(format!("`{key}` has no value: write `{key} = ...`")),
            }
        }
    }

    fn key(&mut self) -> Result<String> {
        match self.peek() {
            Some('"') => self.string(),
            Some(c) if is_word(c) => Ok(self.take_while(is_word)),
            Some(c) => self.fail(format!("unexpected `{c}`")),
            None => self.fail("the file ends too early"),
        }
    }

    fn node(&mut self) -> Result<Node> {
        let place = self.place;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.fail(format!("nested more than {MAX_DEPTH} deep"));
        }
        let value = self.value()?;
        self.depth -= 1;
        Ok(Node { place, value })
    }

    fn value(&mut self) -> Result<Value> {
        match self.peek() {
            Some('"') => self.string().map(Value::Text),
            Some('{') => {
                self.next();
                self.items(Some('}')).map(Value::Object)
            }
            Some('[') => self.list(),
            Some('<') if self.rest.starts_with("<<") => self.heredoc().map(Value::Text),
            Some(c) if is_word(c) || c == '+' => {
                let word = self.take_while(|c| is_word(c) || c == '+');
                match word.as_str() {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "null" => Ok(Value::Null),
                    number if number.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
                        Ok(Value::Number(word))
                    }
                    _ => self.fail(format!("`{word}` is no value: put text in double quotes")),
                }
            }
            Some(c) => self.fail(format!("unexpected `{c}` where a value should be")),
            None => self.fail("a value is missing at the end of the file"),
        }
    }

    fn list(&mut self) -> Result<Value> {
        self.next();
        let mut nodes = Vec::new();
        loop {
            self.skip()?;
            match self.peek() {
                Some(']') => {
                    self.next();
                    return Ok(Value::List(nodes));
                }
                None => return self.fail("a `]` is missing"),
                Some(_) => nodes.push(self.node()?),
            }
            self.skip()?;
            match self.peek() {
                Some(',') => {
                    self.next();
                }
                Some(']') => {}
                _ => return self.fail("a `,` or `]` is missing"),
            }
        }
    }

    fn string(&mut self) -> Result<String> {
        let begun = self.place;
        self.next();
        let mut text = String::new();
        let mut braces = 0_usize;
        loop {
            let open = braces > 0;
            match self.next() {
                None => return Err((begun, "the string is never closed".to_owned())),
                Some('"') if !open => return Ok(text),
                Some('\n') if !open => {
                    return Err((begun, "the string is not closed on its line".to_owned()));
                }
                Some('\\') if !open => text.push(self.escape()?),
                // Quotes inside `${...}` do not end the string.
                Some('$') if self.peek() == Some('{') => {
                    braces += 1;
                    text.push_str("${");
                    self.next();
                }
                Some(c) => {
                    if open {
                        match c {
                            '{' => braces += 1,
                            '}' => braces -= 1,
                            _ => {}
                        }
                    }
                    text.push(c);
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let place = self.place;
        Ok(match self.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('a') => '\u{7}',
            Some('v') => '\u{b}',
            Some(c @ ('"' | '\\' | '/' | '\'')) => c,
            Some('u') => self.code(4)?,
            Some('U') => self.code(8)?,
            Some('x') => self.code(2)?,
            _ => return Err((place, "unknown escape: write a backslash as `\\\\`".to_owned())),
        })
    }

    fn code(&mut self, digits: usize) -> Result<char> {
        let place = self.place;
        let mut number = self.hexadecimal(digits);
        // JSON writes what is beyond four digits as two halves.
        if let Some(high @ 0xd800..0xdc00) = number.filter(|_| digits == 4)
            && self.rest.starts_with("\\u")
        {
            self.next();
            self.next();
            number = self
                .hexadecimal(4)
                .filter(|low| (0xdc00..0xe000).contains(low))
                .map(|low| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        }
        number.and_then(char::from_u32).ok_or((place, "this escape stands for no character".to_owned()))
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u32> {
        let mut number = 0;
        for _ in 0..digits {
            number = number * 16 + self.peek()?.to_digit(16)?;
            self.next();
        }
        Some(number)
    }

    fn heredoc(&mut self) -> Result<String> {
        let begun = self.place;
        self.next();
        self.next();
        let indented = self.peek() == Some('-');
        if indented {
            self.next();
        }
        let mark = self.take_while(|c| c != '\n').trim_end().to_owned();
        if mark.is_empty() || self.next().is_none() {
            return Err((begun, "a word must follow `<<`, as in `<<EOF`".to_owned()));
        }
        let mut lines = Vec::new();
        loop {
            if self.rest.is_empty() {
                return Err((
                    begun,
                    format!("the text is never closed: `{mark}` on a line of its own is missing"),
                ));
            }
            let line = self.take_while(|c| c != '\n');
            if line.trim() == mark {
                break;
            }
            self.next();
            lines.push(line);
        }
        let blank = |line: &String| line.len() - line.trim_start_matches([' ', '\t']).len();
        let margin = match indented {
            true => lines.iter().filter(|line| !line.trim().is_empty()).map(blank).min().unwrap_or(0),
            false => 0,
        };
        Ok(lines.iter().map(|line| line[margin.min(blank(line))..].to_owned() + "\n").collect())
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_-.".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: &str) -> String {
        match parse(&format!("a = {value}")).unwrap().remove(0).value.value {
            Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn strings_are_taken_as_they_stand() {
        assert_eq!(text(r#""a\tb\"c\\\u00e4""#), "a\tb\"c\\ä");
        assert_eq!(text(r#""${env("X")}!""#), "${env(\"X\")}!");
        assert_eq!(text("<<EOF\n  {{ key \"a\" }}\nEOF\n"), "  {{ key \"a\" }}\n");
        assert_eq!(text("<<-EOF\n    a\n      b\n    EOF\n"), "a\n  b\n");
        assert_eq!(text(r#""\ud83d\ude00""#), "😀");
    }

    #[test]
    fn blocks_lists_comments_and_labels_are_read() {
        let items = parse("# c\nplugin \"x\" { a = [1, 0600, true,] } // d\nb {} /* e\n*/ c = 2").unwrap();
        assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["plugin", "b", "c"]);
        assert_eq!(items[0].labels, ["x"]);
        assert_eq!(items[2].place, Place { line: 4, column: 4 });
    }

    #[test]
    fn json_is_read_by_the_same_rules() {
        let items = parse("{\n \"a\": {\"b\": [\"c\", null]}, \"d\": 1.5e3 }\n").unwrap();
        assert_eq!((items.len(), items[1].place.line), (2, 2));
        assert!(parse("{} {}").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (source, line, column, words) in [
            ("a = ", 1, 5, "a value is missing"),
            ("\na = b", 2, 6, "double quotes"),
            ("a \"b", 1, 3, "never closed"),
            ("t {\n a = 1\n", 3, 1, "`}` is missing"),
            ("a = [1 2]", 1, 8, "`,` or `]`"),
            ("}", 1, 1, "unexpected `}`"),
            ("a = <<EOF\nx", 1, 5, "`EOF` on a line"),
        ] {
            let (place, reason) = parse(source).unwrap_err();
            assert_eq!((place.line, place.column), (line, column), "{source}: {reason}");
            assert!(reason.contains(words), "{source}: {reason}");
        }
        assert!(parse(&format!("a = {}", "[".repeat(1000))).unwrap_err().1.contains("deep"));
    }

    proptest! {
        #[test]
        fn any_text_is_settings_or_an_error(text in "[a-c={}\\[\\]\"\\\\,:#/*<\n $u0-9-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
