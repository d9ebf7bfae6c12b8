//! Regular expressions as Go means them: the same syntax but for a few corners, where `\d`, `\w`, `\s` and
//! `\b` know ASCII only, `[` is a letter like others within brackets, and `\Q...\E` quotes.

use std::{iter::Peekable, str::Chars};

use regex::{Regex, RegexBuilder};

use crate::{FilterError, MAX_DEPTH, MAX_PATTERN_SIZE};

/// Compiles a pattern, within bounds.
pub(crate) fn compile(text: String) -> Result<Regex, FilterError> {
    let built = RegexBuilder::new(&translated(&text))
        .size_limit(MAX_PATTERN_SIZE)
        .dfa_size_limit(MAX_PATTERN_SIZE)
        .nest_limit(u32::try_from(MAX_DEPTH).unwrap_or(u32::MAX))
        .octal(true)
        .build();
    built.map_err(|error| {
        // The last line says what, those before it show where.
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        FilterError::Pattern { pattern: text, why }
    })
}

fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => outside(&mut chars, &mut out),
            '[' => brackets(&mut chars, &mut out),
            c => out.push(c),
        }
    }
    out
}

/// What follows a backslash outside of brackets.
fn outside(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    match chars.next() {
        Some('Q') => quotation(chars, out),
        Some('b') => out.push_str(r"(?-u:\b)"),
        Some('B') => out.push_str(r"(?-u:\B)"),
        Some(letter) => match perl(letter) {
            Some((negated, members)) => {
                out.push_str(if negated { "[^" } else { "[" });
                out.push_str(members);
                out.push(']');
            }
            None => out.extend(['\\', letter]),
        },
        None => out.push('\\'),
    }
}

fn quotation(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut quoted = String::new();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            break;
        }
        quoted.push(c);
    }
    out.push_str(&regex::escape(&quoted));
}

/// A bracket expression, after its `[`, to its end.
fn brackets(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    out.extend(chars.next_if_eq(&'^'));
    if chars.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    while let Some(c) = chars.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '[' if chars.peek() == Some(&':') => named(chars, out),
            '[' | '&' | '~' => out.extend(['\\', c]),
            '\\' => within(chars, out),
            c => out.push(c),
        }
    }
}

/// A class by its name, `[:alpha:]`, after its `[`.
fn named(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('[');
    for c in chars.by_ref() {
        out.push(c);
        if c == ']' {
            return;
        }
    }
}

/// What follows a backslash within brackets.
fn within(chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let Some(letter) = chars.next() else {
        out.push('\\');
        return;
    };
    match perl(letter) {
        Some((true, members)) => {
            out.push_str("[^");
            out.push_str(members);
            out.push(']');
        }
        Some((false, members)) => out.push_str(members),
        None => out.extend(['\\', letter]),
    }
}

/// A class by its letter: all but these, or these.
fn perl(letter: char) -> Option<(bool, &'static str)> {
    let members = match letter.to_ascii_lowercase() {
        'd' => "0-9",
        'w' => "0-9A-Za-z_",
        's' => r"\t\n\f\r ",
        _ => return None,
    };
    Some((letter.is_ascii_uppercase(), members))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn corners_of_the_syntax_are_gos() {
        // Pattern, a text it matches, one it does not.
        let cases = [
            (r"^\d+$", "42", "\u{664}\u{662}"),
            (r"^\w\W$", "a\u{e4}", "aa"),
            (r"^[\w.-]+$", "a.b-c_1", "a\u{e4}"),
            (r"^[\D]$", "\u{664}", "4"),
            (r"^\S\s$", "\u{a0} ", "  "),
            (r"\bweb\b", "a web", "webs"),
            (r"a\Bb", "ab", "a b"),
            (r"^[[]$", "[", "]"),
            (r"^[]a]+$", "]a", "b"),
            (r"^[^]]$", "a", "]"),
            (r"^[a&&b]+$", "a&b", "c"),
            (r"^[[:alpha:]_]+$", "ab_", "1"),
            (r"^\Qa.b(\E[0-9]$", "a.b(1", "axb(1"),
            (r"\Qa.b", "a.b", "axb"),
            (r"^\101\x42$", "AB", "ab"),
            (r"^\pL$", "\u{e4}", "1"),
            (r"(?i)^\x{e4}$", "\u{c4}", "a"),
            (r"^(?P<name>a|b)?$", "", "c"),
        ];
        for (pattern, matches, other) in cases {
            let compiled = compile(pattern.to_owned()).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(compiled.is_match(matches), "{pattern} on {matches}");
            assert!(!compiled.is_match(other), "{pattern} on {other}");
        }
        for bad in ["(", "[a", "*", r"\", r"[\", r"\q", "a{2,1}"] {
            assert!(compile(bad.to_owned()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in r"[\[\]\\^&~:QEdwsDWSb().*a-]{0,24}") {
            let _ = compile(pattern);
        }
    }
}
