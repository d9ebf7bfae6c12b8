//! Texts.

use wharf_gotemplate::{Type, Value, strconv};

use super::{Function, bounded, bytes, function, integer, items};

const ONE: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
const THREE: &[Type] = &[Type::String, Type::String, Type::String];

pub(super) const FUNCTIONS: &[Function] = &[
    function("join", &[Type::String, Type::STRINGS], |_, args, _| {
        let parts: Vec<_> = items(args, 1).iter().map(|item| bytes(std::slice::from_ref(item), 0)).collect();
        join(&parts, bytes(args, 0)).map(Value::from)
    }),
    function("split", TWO, |_, args, _| {
        let text = strconv::trim_space(bytes(args, 1));
        Ok(if text.is_empty() {
            Value::strings([""; 0])
        } else {
            Value::strings(split(text, bytes(args, 0)))
        })
    }),
    function("trim", TWO, |_, args, _| Ok(trim(bytes(args, 1), bytes(args, 0)).into())),
    function("trimPrefix", TWO, |_, args, _| {
        let (prefix, text) = (bytes(args, 0), bytes(args, 1));
        Ok(text.strip_prefix(prefix).unwrap_or(text).into())
    }),
    function("trimSuffix", TWO, |_, args, _| {
        let (suffix, text) = (bytes(args, 0), bytes(args, 1));
        Ok(text.strip_suffix(suffix).unwrap_or(text).into())
    }),
    function("trimSpace", ONE, |_, args, _| Ok(strconv::trim_space(bytes(args, 0)).into())),
    function("replaceAll", THREE, |_, args, _| {
        replace(bytes(args, 2), bytes(args, 0), bytes(args, 1)).map(Value::from)
    }),
    function("toLower", ONE, |_, args, _| Ok(map_runes(bytes(args, 0), lower).into())),
    function("toUpper", ONE, |_, args, _| Ok(map_runes(bytes(args, 0), upper).into())),
    function("toTitle", ONE, |_, args, _| Ok(title(bytes(args, 0)).into())),
    function("indent", &[Type::INT, Type::String], |_, args, _| {
        let Ok(spaces) = usize::try_from(integer(args, 0)) else {
            return Err("indent value must be a positive integer".to_owned());
        };
        indent(bytes(args, 1), spaces).map(Value::from)
    }),
];

pub(super) fn join(parts: &[&[u8]], separator: &[u8]) -> Result<Vec<u8>, String> {
    let length = parts.iter().map(|part| part.len() + separator.len()).sum();
    bounded(length)?;
    Ok(parts.join(separator))
}

/// `strings.Split`: an empty separator splits between characters.
pub(super) fn split<'t>(text: &'t [u8], separator: &[u8]) -> Vec<&'t [u8]> {
    if separator.is_empty() {
        let mut at = 0;
        let rune = |(_, length): (char, usize)| {
            at += length;
            &text[at - length..at]
        };
        return strconv::runes(text).map(rune).collect();
    }
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest);
    parts
}

pub(super) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    if wanted.is_empty() {
        return Some(0);
    }
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// `strings.Trim`: without the characters of `set` at both ends.
pub(super) fn trim<'t>(text: &'t [u8], set: &[u8]) -> &'t [u8] {
    trim_end(trim_start(text, set), set)
}

pub(super) fn trim_start<'t>(text: &'t [u8], set: &[u8]) -> &'t [u8] {
    let set: Vec<_> = strconv::runes(set).map(|(c, _)| c).collect();
    let length = strconv::runes(text).take_while(|(c, _)| set.contains(c)).map(|(_, length)| length).sum();
    &text[length..]
}

pub(super) fn trim_end<'t>(text: &'t [u8], set: &[u8]) -> &'t [u8] {
    let set: Vec<_> = strconv::runes(set).map(|(c, _)| c).collect();
    let (mut at, mut end) = (0, 0);
    for (c, length) in strconv::runes(text) {
        at += length;
        if !set.contains(&c) {
            end = at;
        }
    }
    &text[..end]
}

/// `strings.Replace`: an empty text is found before every character and at the end.
pub(super) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Result<Vec<u8>, String> {
    let parts = split(text, from);
    bounded(text.len().saturating_add((parts.len() + 1).saturating_mul(to.len())))?;
    if from.is_empty() {
        return Ok([to, &parts.join(to), if parts.is_empty() { b"" } else { to }].concat());
    }
    Ok(parts.join(to))
}

pub(super) fn indent(text: &[u8], spaces: usize) -> Result<Vec<u8>, String> {
    let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
    bounded(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    let mut indented = Vec::with_capacity(text.len() + lines * spaces);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line != b"\n" {
            indented.resize(indented.len() + spaces, b' ');
        }
        indented.extend_from_slice(line);
    }
    Ok(indented)
}

/// Every character on its own, as Go changes case; bytes that are no UTF-8 become U+FFFD.
pub(super) fn map_runes(text: &[u8], mut map: impl FnMut(char) -> char) -> String {
    strconv::runes(text).map(|(c, _)| map(c)).collect()
}

pub(super) fn lower(c: char) -> char {
    match c {
        'İ' => 'i',
        c => one(c.to_lowercase()).unwrap_or(c),
    }
}

pub(super) fn upper(c: char) -> char {
    one(c.to_uppercase()).unwrap_or_else(|| iota_capital(c))
}

/// Greek letters with an iota below have a capital of one character besides the two of the full mapping.
fn iota_capital(c: char) -> char {
    let code = u32::from(c);
    let capital = match code {
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => code + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        _ => code,
    };
    char::from_u32(capital).unwrap_or(c)
}

fn title_char(c: char) -> char {
    match c {
        'Ǆ'..='ǆ' => 'ǅ',
        'Ǉ'..='ǉ' => 'ǈ',
        'Ǌ'..='ǌ' => 'ǋ',
        'Ǳ'..='ǳ' => 'ǲ',
        'ა'..='ჿ' => c,
        c => upper(c),
    }
}

fn one(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let first = mapped.next();
    if mapped.next().is_some() { None } else { first }
}

/// `strings.Title`: a letter is the first of a word after anything but letters, digits and underscores.
pub(super) fn title(text: &[u8]) -> String {
    let mut before = ' ';
    map_runes(text, |c| {
        let begins = if before.is_ascii() {
            !(before.is_ascii_alphanumeric() || before == '_')
        } else {
            !before.is_alphanumeric() && before.is_whitespace()
        };
        before = c;
        if begins { title_char(c) } else { c }
    })
}
