//! Does an alert match? `field="value"` and its kin, as `amtool` writes them.
//!
//! | written            | matches when the field                               |
//! |--------------------|------------------------------------------------------|
//! | `host="db1"`       | is `db1`                                             |
//! | `host!="db1"`      | is anything else, or is not there                    |
//! | `host=~"db[12]"`   | matches the regular expression, from end to end      |
//! | `host!~"db.*"`     | does not                                             |
//! | `host=*"db-*"`     | matches the pattern: `*` any text, `?` any character |
//! | `host!*"db-*"`     | does not                                             |
//!
//! A field that is not there counts as empty. Quotes may be left out where there is nothing to quote.

use std::{fmt, str::FromStr};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Largest compiled expression: what comes from outside must not eat the memory.
const LARGEST_EXPRESSION: usize = 1 << 20;

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The very text.
    Text,
    /// A regular expression, anchored at both ends.
    Regex,
    /// `*` and `?`.
    Wildcard,
}

/// One condition on one field of an alert.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    value: String,
    comparison: Comparison,
    equal: bool,
    compiled: Option<Regex>,
}

/// Why a matcher cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// Write it as the table of [this module](self) has it.
    #[error("`{0}` is no matcher; write it as field=\"value\", !=, =~ (regular expression) or =* (wildcard)")]
    Syntax(String),
    /// Name a field.
    #[error("a matcher has an empty field name")]
    NoName,
    /// Correct the expression.
    #[error("matcher on `{name}`: `{value}` is no regular expression: {reason}")]
    Regex {
        /// The field.
        name: String,
        /// The expression.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Matcher {
    /// A condition on the field `name`: `equal` or not, compared as `comparison` says.
    pub fn new(
        name: impl Into<String>,
        value: impl Into<String>,
        comparison: Comparison,
        equal: bool,
    ) -> Result<Self, MatcherError> {
        let (name, value) = (name.into(), value.into());
        if name.is_empty() {
            return Err(MatcherError::NoName);
        }
        let compiled = match comparison {
            Comparison::Text => None,
            Comparison::Regex => Some(compile(&name, &value, &format!("^(?:{value})$"))?),
            Comparison::Wildcard => Some(compile(&name, &value, &wildcard(&value))?),
        };
        Ok(Self { name, value, comparison, equal, compiled })
    }

    /// The field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is compared with.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// How.
    pub fn comparison(&self) -> Comparison {
        self.comparison
    }

    /// Whether a match is what is wanted, rather than none.
    pub fn is_equal(&self) -> bool {
        self.equal
    }

    /// Whether the field's value, empty if it is not there, is as wanted.
    pub fn matches(&self, value: &str) -> bool {
        let same = match &self.compiled {
            Some(expression) => expression.is_match(value),
            None => self.value == value,
        };
        same == self.equal
    }

    /// Whether it could hold for an alert without any of the fields: such a condition alone matches everything.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }
}

fn compile(name: &str, value: &str, expression: &str) -> Result<Regex, MatcherError> {
    RegexBuilder::new(expression).size_limit(LARGEST_EXPRESSION).build().map_err(|error| {
        let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        MatcherError::Regex { name: name.to_owned(), value: value.to_owned(), reason }
    })
}

fn wildcard(pattern: &str) -> String {
    format!("^{}$", wildcard_as_regex(pattern))
}

/// The regular expression of a pattern, without its anchors.
pub(crate) fn wildcard_as_regex(pattern: &str) -> String {
    pattern
        .chars()
        .map(|c| match c {
            '*' => "(?s:.*)".to_owned(),
            '?' => "(?s:.)".to_owned(),
            other => regex::escape(other.encode_utf8(&mut [0; 4])),
        })
        .collect()
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.value, self.comparison, self.equal)
            == (&other.name, &other.value, other.comparison, other.equal)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match (self.comparison, self.equal) {
            (Comparison::Text, true) => "=",
            (Comparison::Text, false) => "!=",
            (Comparison::Regex, true) => "=~",
            (Comparison::Regex, false) => "!~",
            (Comparison::Wildcard, true) => "=*",
            (Comparison::Wildcard, false) => "!*",
        };
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{operator}\"{value}\"", self.name)
    }
}

impl FromStr for Matcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        let syntax = || MatcherError::Syntax(text.to_owned());
        let split = text.find(['=', '!']).ok_or_else(syntax)?;
        let (name, rest) = text.split_at(split);
        let operators = [
            ("=~", Comparison::Regex, true),
            ("!~", Comparison::Regex, false),
            ("=*", Comparison::Wildcard, true),
            ("!*", Comparison::Wildcard, false),
            ("!=", Comparison::Text, false),
            ("=", Comparison::Text, true),
        ];
        let (value, comparison, equal) = operators
            .into_iter()
            .find_map(|(operator, comparison, equal)| {
                rest.strip_prefix(operator).map(|value| (value.trim(), comparison, equal))
            })
            .ok_or_else(syntax)?;
        let value =
            if value.starts_with('"') { unquoted(value).ok_or_else(syntax)? } else { value.to_owned() };
        Self::new(name.trim(), value, comparison, equal)
    }
}

/// What stands between the quotes; nothing if they are not where they should be.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => return None,
            '\\' => match rest.next()? {
                'n' => plain.push('\n'),
                escaped @ ('"' | '\\') => plain.push(escaped),
                // An expression's own escape, such as `\.`.
                other => plain.extend(['\\', other]),
            },
            other => plain.push(other),
        }
    }
    Some(plain)
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Whether all of `matchers` hold; none at all match nothing.
pub fn all_match<'a>(matchers: &[Matcher], field: impl Fn(&str) -> Option<&'a str>) -> bool {
    !matchers.is_empty()
        && matchers.iter().all(|matcher| matcher.matches(field(matcher.name()).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(matcher: &str, value: &str) -> bool {
        matcher.parse::<Matcher>().unwrap().matches(value)
    }

    #[test]
    fn each_operator_does_what_the_table_says() {
        assert!(matches("host=\"db1\"", "db1") && !matches("host=db1", "db11"));
        assert!(matches("host!=db1", "") && !matches("host != \"db1\"", "db1"));
        assert!(matches("host=~\"db[12]\"", "db2") && !matches("host=~\"db[12]\"", "db12"));
        assert!(matches("host!~\"a|b\"", "ab") && !matches("host!~\"a|b\"", "b"));
        assert!(matches("host=*\"db-?.*\"", "db-1.eu") && !matches("host=*\"db-?.*\"", "db-1xeu"));
        assert!(matches("host=*\"*\"", "two\nlines") && !matches("host!*\"a*\"", "abc"));
    }

    #[test]
    fn what_is_no_matcher_is_told_with_the_remedy() {
        for text in ["host", "host~db1", "host=\"db", "host=\"a\"b\"", ""] {
            let error = text.parse::<Matcher>().unwrap_err().to_string();
            assert!(error.contains("field=\"value\""), "{text}: {error}");
        }
        assert_eq!("=db1".parse::<Matcher>(), Err(MatcherError::NoName));
        let error = "host=~\"db[\"".parse::<Matcher>().unwrap_err().to_string();
        assert!(error.contains("`host`") && error.contains("`db[`"), "{error}");
        let bomb = "x=~\"(((a{99}){99}){99}){99}\"".parse::<Matcher>().unwrap_err().to_string();
        assert!(bomb.contains("no regular expression"), "{bomb}");
    }

    #[test]
    fn no_matchers_match_nothing() {
        assert!(!all_match(&[], |_| Some("x")));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[a-z_]{1,8}", value in ".{0,12}", kind in 0..3usize, equal: bool,
        ) {
            let kind = [Comparison::Text, Comparison::Wildcard, Comparison::Regex][kind];
            let value = if kind == Comparison::Regex { regex::escape(&value) } else { value };
            let matcher = Matcher::new(name, value, kind, equal).unwrap();
            prop_assert_eq!(matcher.to_string().parse::<Matcher>().unwrap(), matcher);
        }
    }
}
