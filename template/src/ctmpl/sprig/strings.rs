//! Texts.

use wharf_gotemplate::{Entries, Key, Type, Value, strconv};

use super::{
    super::{bounded, bytes, integer, quoted, regex, string, text},
    ANY, Call, Function, TEXT, TWO_TEXTS,
    convert::{self, texts},
    function, variadic,
};

const THREE: &[Type] = &[Type::String, Type::String, Type::String];
const SIZED: &[Type] = &[Type::INT, Type::String];

const REGEX_FIND_ALL: Call = |_, args, _| {
    let pattern = regex::compile(&string(args, 0))?;
    let most = usize::try_from(integer(args, 2)).unwrap_or(usize::MAX);
    Ok(Value::strings(pattern.find_iter(bytes(args, 1)).take(most).map(|found| found.as_bytes())))
};
const REGEX_REPLACE: Call = |_, args, _| {
    let pattern = regex::compile(&string(args, 0))?;
    let with = bytes(args, 2);
    regex::replace_all(&pattern, bytes(args, 1), |captures, out| regex::expand(captures, with, out))
        .map(Value::from)
};
const REGEX_REPLACE_LITERAL: Call = |_, args, _| {
    let pattern = regex::compile(&string(args, 0))?;
    regex::replace_all(&pattern, bytes(args, 1), |_, out| out.extend_from_slice(bytes(args, 2)))
        .map(Value::from)
};
const REGEX_SPLIT: Call = |_, args, _| {
    let pattern = regex::compile(&string(args, 0))?;
    Ok(match usize::try_from(integer(args, 2)) {
        Ok(0) => Value::nil_list(Type::STRINGS),
        Ok(most) => Value::strings(pattern.splitn(bytes(args, 1), most)),
        Err(_) => Value::strings(pattern.split(bytes(args, 1))),
    })
};
const REGEX_MATCH: Call =
    |_, args, _| Ok(Value::Bool(regex::compile(&string(args, 0))?.is_match(bytes(args, 1))));
const REGEX_FIND: Call = |_, args, _| {
    let found = regex::compile(&string(args, 0))?.find(bytes(args, 1)).map(|found| found.as_bytes().to_vec());
    Ok(found.unwrap_or_default().into())
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("sprig_trim", TEXT, |_, args, _| Ok(strconv::trim_space(bytes(args, 0)).into())),
    function("sprig_trimAll", TWO_TEXTS, |_, args, _| Ok(text::trim(bytes(args, 1), bytes(args, 0)).into())),
    function("sprig_trimSuffix", TWO_TEXTS, |_, args, _| {
        Ok(bytes(args, 1).strip_suffix(bytes(args, 0)).unwrap_or(bytes(args, 1)).into())
    }),
    function("sprig_trimPrefix", TWO_TEXTS, |_, args, _| {
        Ok(bytes(args, 1).strip_prefix(bytes(args, 0)).unwrap_or(bytes(args, 1)).into())
    }),
    function("sprig_upper", TEXT, |_, args, _| Ok(text::map_runes(bytes(args, 0), text::upper).into())),
    function("sprig_lower", TEXT, |_, args, _| Ok(text::map_runes(bytes(args, 0), text::lower).into())),
    function("sprig_title", TEXT, |_, args, _| Ok(text::title(bytes(args, 0)).into())),
    function("sprig_untitle", TEXT, |_, args, _| {
        let mut before = ' ';
        let untitled = text::map_runes(bytes(args, 0), |c| {
            let first = before.is_whitespace();
            before = c;
            if first { text::lower(c) } else { c }
        });
        Ok(untitled.into())
    }),
    function("sprig_swapcase", TEXT, |_, args, _| {
        let mut before = ' ';
        let swapped = text::map_runes(bytes(args, 0), |c| {
            let first = before.is_whitespace();
            before = c;
            match (c.is_uppercase(), c.is_lowercase()) {
                (true, _) => text::lower(c),
                (_, true) if first => text::upper(c),
                (_, true) => text::upper(c),
                _ => c,
            }
        });
        Ok(swapped.into())
    }),
    function("sprig_repeat", SIZED, |_, args, _| {
        let count = usize::try_from(integer(args, 0)).map_err(|_| "repeat: a negative count".to_owned())?;
        bounded(bytes(args, 1).len().saturating_mul(count))?;
        Ok(bytes(args, 1).repeat(count).into())
    }),
    function("sprig_substr", &[Type::INT, Type::INT, Type::String], |_, args, _| {
        let text = bytes(args, 2);
        let start = usize::try_from(integer(args, 0)).unwrap_or(0).min(text.len());
        let end = usize::try_from(integer(args, 1)).unwrap_or(text.len()).min(text.len());
        Ok(text[start.min(end)..end].into())
    }),
    function("sprig_trunc", SIZED, |_, args, _| {
        let text = bytes(args, 1);
        let count = usize::try_from(integer(args, 0).unsigned_abs()).unwrap_or(usize::MAX).min(text.len());
        Ok(if integer(args, 0) < 0 { &text[text.len() - count..] } else { &text[..count] }.into())
    }),
    function("sprig_abbrev", SIZED, |_, args, _| {
        let width = usize::try_from(integer(args, 0)).unwrap_or(0);
        Ok(abbreviated(bytes(args, 1), width).into())
    }),
    function("sprig_abbrevboth", &[Type::INT, Type::INT, Type::String], |_, args, _| {
        let offset = usize::try_from(integer(args, 0)).unwrap_or(0);
        let width = usize::try_from(integer(args, 1)).unwrap_or(0);
        let text = bytes(args, 2);
        if width < 4 || offset > 0 && width < 7 || text.len() <= width {
            return Ok(text.into());
        }
        let room = width - 3;
        let offset = offset.min(text.len() - room);
        if offset <= 4 {
            return Ok(abbreviated(text, width).into());
        }
        Ok([b"...", &abbreviated(&text[offset..], room)[..]].concat().into())
    }),
    function("sprig_nospace", TEXT, |_, args, _| {
        let kept = string(args, 0).chars().filter(|c| !c.is_whitespace()).collect::<String>();
        Ok(kept.into())
    }),
    function("sprig_initials", TEXT, |_, args, _| {
        let text = string(args, 0);
        Ok(text.split_whitespace().filter_map(|word| word.chars().next()).collect::<String>().into())
    }),
    variadic("sprig_quote", ANY, |_, args, _| {
        let parts =
            args.iter().filter(|arg| !matches!(arg, Value::Nil)).map(|arg| quoted(&convert::text(arg)));
        Ok(parts.collect::<Vec<_>>().join(" ").into())
    }),
    variadic("sprig_squote", ANY, |_, args, _| {
        let parts = args
            .iter()
            .filter(|arg| !matches!(arg, Value::Nil))
            .map(|arg| format!("'{}'", convert::string(arg)));
        Ok(parts.collect::<Vec<_>>().join(" ").into())
    }),
    variadic("sprig_cat", ANY, |_, args, _| {
        let parts = args.iter().filter(|arg| !matches!(arg, Value::Nil)).map(convert::string);
        Ok(parts.collect::<Vec<_>>().join(" ").into())
    }),
    function("sprig_indent", SIZED, |_, args, _| indent(args, false)),
    function("sprig_nindent", SIZED, |_, args, _| indent(args, true)),
    function("sprig_replace", THREE, |_, args, _| {
        text::replace(bytes(args, 2), bytes(args, 0), bytes(args, 1)).map(Value::from)
    }),
    function("sprig_plural", &[Type::String, Type::String, Type::INT], |_, args, _| {
        Ok(args[usize::from(integer(args, 2) != 1)].clone())
    }),
    function("sprig_snakecase", TEXT, |_, args, _| Ok(delimited(&string(args, 0), '_').into())),
    function("sprig_kebabcase", TEXT, |_, args, _| Ok(delimited(&string(args, 0), '-').into())),
    function("sprig_camelcase", TEXT, |_, args, _| Ok(camel(&string(args, 0)).into())),
    function("sprig_contains", TWO_TEXTS, |_, args, _| {
        Ok(Value::Bool(text::find(bytes(args, 1), bytes(args, 0)).is_some()))
    }),
    function("sprig_hasPrefix", TWO_TEXTS, |_, args, _| {
        Ok(Value::Bool(bytes(args, 1).starts_with(bytes(args, 0))))
    }),
    function("sprig_hasSuffix", TWO_TEXTS, |_, args, _| {
        Ok(Value::Bool(bytes(args, 1).ends_with(bytes(args, 0))))
    }),
    function("sprig_wrap", SIZED, |_, args, _| Ok(wrapped(&string(args, 1), integer(args, 0), "\n").into())),
    function("sprig_wrapWith", &[Type::INT, Type::String, Type::String], |_, args, _| {
        Ok(wrapped(&string(args, 2), integer(args, 0), &string(args, 1)).into())
    }),
    function("sprig_splitList", TWO_TEXTS, |_, args, _| {
        Ok(Value::strings(text::split(bytes(args, 1), bytes(args, 0))))
    }),
    function("sprig_split", TWO_TEXTS, |_, args, _| {
        Ok(numbered(&text::split(bytes(args, 1), bytes(args, 0))))
    }),
    function("sprig_splitn", &[Type::String, Type::INT, Type::String], |_, args, _| {
        let (text, separator) = (bytes(args, 2), bytes(args, 0));
        let most = usize::try_from(integer(args, 1)).unwrap_or(usize::MAX);
        let parts = text::split(text, separator);
        if parts.len() <= most || most == 0 {
            return Ok(numbered(&parts[..if most == 0 { 0 } else { parts.len() }]));
        }
        let rest = parts[most - 1..].join(separator);
        Ok(numbered(&[&parts[..most - 1], &[rest.as_slice()]].concat()))
    }),
    function("sprig_join", &[Type::String, Type::Any], |_, args, _| {
        let parts = texts(&args[1]);
        let parts: Vec<_> = parts.iter().map(Vec::as_slice).collect();
        text::join(&parts, bytes(args, 0)).map(Value::from)
    }),
    function("sprig_sortAlpha", ANY, |_, args, _| {
        let mut sorted = texts(&args[0]);
        sorted.sort();
        Ok(Value::strings(sorted))
    }),
    function("sprig_toString", ANY, |_, args, _| Ok(convert::text(&args[0]).into())),
    function("sprig_toStrings", ANY, |_, args, _| Ok(Value::strings(texts(&args[0])))),
    function("sprig_regexMatch", TWO_TEXTS, REGEX_MATCH),
    function("sprig_mustRegexMatch", TWO_TEXTS, REGEX_MATCH),
    function("sprig_regexFind", TWO_TEXTS, REGEX_FIND),
    function("sprig_mustRegexFind", TWO_TEXTS, REGEX_FIND),
    function("sprig_regexFindAll", &[Type::String, Type::String, Type::INT], REGEX_FIND_ALL),
    function("sprig_mustRegexFindAll", &[Type::String, Type::String, Type::INT], REGEX_FIND_ALL),
    function("sprig_regexReplaceAll", THREE, REGEX_REPLACE),
    function("sprig_mustRegexReplaceAll", THREE, REGEX_REPLACE),
    function("sprig_regexReplaceAllLiteral", THREE, REGEX_REPLACE_LITERAL),
    function("sprig_mustRegexReplaceAllLiteral", THREE, REGEX_REPLACE_LITERAL),
    function("sprig_regexSplit", &[Type::String, Type::String, Type::INT], REGEX_SPLIT),
    function("sprig_mustRegexSplit", &[Type::String, Type::String, Type::INT], REGEX_SPLIT),
    function("sprig_regexQuoteMeta", TEXT, |_, args, _| {
        let special = |c: char| r"\.+*?()|[]{}^$".contains(c);
        Ok(string(args, 0)
            .chars()
            .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
            .collect::<String>()
            .into())
    }),
];

/// The beginning, with dots where something was left out.
fn abbreviated(text: &[u8], width: usize) -> Vec<u8> {
    if width < 4 || text.len() <= width {
        return text.to_vec();
    }
    [&text[..width - 3], b"..."].concat()
}

fn indent(args: &[Value], on_a_line_of_its_own: bool) -> Result<Value, String> {
    let spaces = usize::try_from(integer(args, 0)).map_err(|_| "indent: a negative count".to_owned())?;
    let text = bytes(args, 1);
    bounded(text.len().saturating_add((text.len() + 1).saturating_mul(spaces)))?;
    let pad = " ".repeat(spaces).into_bytes();
    let lines = text.split(|byte| *byte == b'\n').collect::<Vec<_>>();
    let indented = [&pad[..], &lines.join(&[b"\n", &pad[..]].concat()[..])].concat();
    Ok(if on_a_line_of_its_own { [b"\n", &indented[..]].concat() } else { indented }.into())
}

/// `_0`, `_1` and so on.
fn numbered(parts: &[&[u8]]) -> Value {
    let entries =
        parts.iter().enumerate().map(|(index, part)| (Key::from(format!("_{index}")), Value::from(*part)));
    Value::map(Type::TEXTS, entries.collect::<Entries>())
}

/// `HTTPServer v2` -> `http_server_v2`.
fn delimited(text: &str, delimiter: char) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::new();
    for (index, c) in chars.iter().enumerate() {
        if matches!(c, ' ' | '_' | '-' | '.') || c.is_whitespace() {
            if !out.is_empty() && !out.ends_with(delimiter) {
                out.push(delimiter);
            }
            continue;
        }
        let before = index.checked_sub(1).map(|index| chars[index]);
        let after = chars.get(index + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || before.is_uppercase() && after.is_some_and(|c| c.is_lowercase())
            });
        if begins && !out.is_empty() && !out.ends_with(delimiter) {
            out.push(delimiter);
        }
        out.push(text::lower(*c));
    }
    out.trim_end_matches(delimiter).to_owned()
}

/// `http_server` -> `HttpServer`.
fn camel(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for c in text.chars() {
        if matches!(c, '_' | '-' | ' ' | '.') {
            begins = true;
        } else {
            out.push(if begins { text::upper(c) } else { c });
            begins = false;
        }
    }
    out
}

/// Words on lines of at most `width` characters; longer words stand alone.
fn wrapped(text: &str, width: i64, line_end: &str) -> String {
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let mut out = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push_str(line_end);
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
