//! Go's regular expressions: its syntax is brought into the form that our library reads, where the two differ.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use regex::bytes::{Captures, Regex, RegexBuilder};
use wharf_gotemplate::{Type, Value};

use super::{Function, bounded, bytes, function, string};

pub(super) const FUNCTIONS: &[Function] = &[
    function("regexMatch", &[Type::String, Type::String], |_, args, _| {
        Ok(Value::Bool(compile(&string(args, 0))?.is_match(bytes(args, 1))))
    }),
    function("regexReplaceAll", &[Type::String, Type::String, Type::String], |_, args, _| {
        let pattern = compile(&string(args, 0))?;
        replace_all(&pattern, bytes(args, 2), |captures, out| expand(captures, bytes(args, 1), out))
            .map(Value::from)
    }),
];

/// Most expressions kept.
const MAX_KEPT: usize = 256;

/// The expression `pattern`; the last ones asked for are kept.
pub(super) fn compile(pattern: &str) -> Result<Arc<Regex>, String> {
    static KEPT: LazyLock<Mutex<HashMap<String, Arc<Regex>>>> = LazyLock::new(Mutex::default);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = kept.get(pattern) {
        return Ok(known.clone());
    }
    let translated = translate(pattern)?;
    let regex = RegexBuilder::new(&translated).build().map_err(|error| {
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("error parsing regexp: {reason}: `{pattern}`")
    })?;
    if kept.len() >= MAX_KEPT {
        kept.clear();
    }
    let regex = Arc::new(regex);
    kept.insert(pattern.to_owned(), regex.clone());
    Ok(regex)
}

/// Every match replaced by what `with` writes.
pub(super) fn replace_all(
    regex: &Regex,
    text: &[u8],
    with: impl Fn(&Captures<'_>, &mut Vec<u8>),
) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get(0) else { continue };
        out.extend_from_slice(&text[at..found.start()]);
        with(&captures, &mut out);
        bounded(out.len())?;
        at = found.end();
    }
    out.extend_from_slice(&text[at..]);
    Ok(out)
}

/// `$1`, `${name}` and `$$`, as Go's `Expand` has them.
pub(super) fn expand(captures: &Captures<'_>, template: &[u8], out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with(b"$$") {
            out.push(b'$');
            rest = &rest[2..];
            continue;
        }
        let Some((name, length)) = reference(rest) else {
            out.push(b'$');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[length..];
        let number = name.parse::<usize>().ok().filter(|_| name == "0" || !name.starts_with('0'));
        let found = match number {
            Some(number) => captures.get(number),
            None => captures.name(&name),
        };
        out.extend(found.iter().flat_map(|found| found.as_bytes()));
    }
    out.extend_from_slice(rest);
}

/// The name behind a `$`, and how long it is with all that belongs to it.
fn reference(text: &[u8]) -> Option<(String, usize)> {
    let braced = text.get(1) == Some(&b'{');
    let start = if braced { 2 } else { 1 };
    let lossy = std::str::from_utf8(&text[start..])
        .or_else(|error| std::str::from_utf8(&text[start..start + error.valid_up_to()]))
        .unwrap_or_default();
    let name: String = lossy.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let end = start + name.len();
    if name.is_empty() || braced && text.get(end) != Some(&b'}') {
        return None;
    }
    Some((name, end + usize::from(braced)))
}

/// `\d`, `\w`, `\s` and `\b` mean ASCII; `{` that repeats nothing is itself; `[` in a class is itself.
fn translate(pattern: &str) -> Result<String, String> {
    let wrong = |what: &str, part: &str| Err(format!("error parsing regexp: {what}: `{part}`"));
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut at = 0;
    let mut class = false;
    while at < chars.len() {
        let c = chars[at];
        let next = chars.get(at + 1).copied();
        match c {
            '\\' => {
                let Some(next) = next else {
                    return wrong("trailing backslash at end of expression", "");
                };
                if next == 'Q' && !class {
                    at = literal(&chars, at + 2, &mut out);
                    continue;
                }
                match escape(next, class) {
                    Some(text) => out.push_str(&text),
                    None => return wrong("invalid escape sequence", &format!("\\{next}")),
                }
                at += 2;
                if matches!(next, 'p' | 'P' | 'x') && chars.get(at) == Some(&'{') {
                    let end =
                        chars[at..].iter().position(|c| *c == '}').map_or(chars.len(), |end| at + end + 1);
                    out.extend(&chars[at..end]);
                    at = end;
                }
                continue;
            }
            '[' if class => match posix(&chars[at..]) {
                Some(length) => {
                    out.extend(&chars[at..at + length]);
                    at += length;
                    continue;
                }
                None => out.push_str("\\["),
            },
            '[' => {
                class = true;
                out.push('[');
                if next == Some('^') {
                    out.push('^');
                    at += 1;
                }
                if chars.get(at + 1) == Some(&']') {
                    out.push_str("\\]");
                    at += 1;
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' if class => out.extend(['\\', c]),
            '-' if class && next == Some('-') => out.push_str("\\-"),
            '{' if !class && !repeats(&chars[at..]) => out.push_str("\\{"),
            '}' if !class && !closes(&chars[..at]) => out.push_str("\\}"),
            '(' if !class && next == Some('?') => {
                let rest: String = chars[at..].iter().take(4).collect();
                if !(rest.starts_with("(?P<") || group_flags(&chars[at + 2..]) || named(&rest)) {
                    let part: String = chars[at..].iter().take(3).collect();
                    return wrong("invalid or unsupported Perl syntax", &part);
                }
                out.push('(');
            }
            c => out.push(c),
        }
        at += 1;
    }
    if class {
        let open = pattern.rfind('[').unwrap_or(0);
        return wrong("missing closing ]", &pattern[open..]);
    }
    Ok(out)
}

fn named(rest: &str) -> bool {
    rest.starts_with("(?<") && !rest.starts_with("(?<=") && !rest.starts_with("(?<!")
}

/// Only the flags that Go knows.
fn group_flags(rest: &[char]) -> bool {
    let end = rest.iter().position(|c| matches!(c, ':' | ')'));
    end.is_some_and(|end| rest[..end].iter().all(|c| "imsU-".contains(*c)))
}

/// `\Q...\E`: everything in between is itself.
fn literal(chars: &[char], from: usize, out: &mut String) -> usize {
    let mut at = from;
    while at < chars.len() {
        if chars[at] == '\\' && chars.get(at + 1) == Some(&'E') {
            return at + 2;
        }
        out.push_str(&regex::escape(&chars[at].to_string()));
        at += 1;
    }
    at
}

fn escape(c: char, class: bool) -> Option<String> {
    let set = |positive: &str| match (class, c.is_ascii_uppercase()) {
        (true, false) => positive.to_owned(),
        (_, true) => format!("[^{positive}]"),
        (false, false) => format!("[{positive}]"),
    };
    Some(match c {
        'd' | 'D' => set("0-9"),
        'w' | 'W' => set("0-9A-Za-z_"),
        's' | 'S' => set("\\t\\n\\f\\r "),
        'b' | 'B' if !class => format!("(?-u:\\{c})"),
        'A' | 'z' if !class => format!("\\{c}"),
        'a' | 'f' | 't' | 'n' | 'r' | 'v' | 'x' | 'p' | 'P' => format!("\\{c}"),
        '0'..='7' => return octal(c),
        '<' | '>' => c.to_string(),
        c if c.is_ascii_punctuation() => format!("\\{c}"),
        _ => return None,
    })
}

/// Only `\0` is a number; others would be references back.
fn octal(c: char) -> Option<String> {
    (c == '0').then(|| "\\x00".to_owned())
}

/// The length of `[:alpha:]` and its kin.
fn posix(chars: &[char]) -> Option<usize> {
    let text: String = chars.iter().take(12).collect();
    let end = text.find(":]")?;
    let name = text.get(2..end)?.trim_start_matches('^');
    let known = text.starts_with("[:") && name.bytes().all(|byte| byte.is_ascii_lowercase());
    known.then_some(end + 2)
}

/// `{n}`, `{n,}` or `{n,m}`.
fn repeats(chars: &[char]) -> bool {
    let Some(end) = chars.iter().position(|c| *c == '}') else {
        return false;
    };
    let inner: String = chars[1..end].iter().collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match inner.split_once(',') {
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
        None => digits(&inner),
    }
}

/// Does a `}` here end a repetition?
fn closes(before: &[char]) -> bool {
    let Some(open) = before.iter().rposition(|c| *c == '{') else {
        return false;
    };
    let mut whole = before[open..].to_vec();
    whole.push('}');
    repeats(&whole)
}
