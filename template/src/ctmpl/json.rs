//! JSON as Go writes it: sorted keys, HTML characters escaped, numbers in Go's shortest form.

use wharf_gotemplate::{Key, Value, strconv};

/// How deep values may be nested.
const MAX_DEPTH: usize = 200;

/// The way a value is written.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// On many lines.
    pub(super) pretty: bool,
    /// `<`, `>` and `&` as escapes.
    pub(super) escape_html: bool,
}

/// `value` as JSON.
pub(super) fn encode(value: &Value, style: Style) -> Result<Vec<u8>, String> {
    let mut encoder = Encoder { out: Vec::new(), style };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

struct Encoder {
    out: Vec<u8>,
    style: Style,
}

impl Encoder {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("json: more than {MAX_DEPTH} levels"));
        }
        super::bounded(self.out.len())?;
        match value {
            Value::Nil | Value::Invalid | Value::NilPointer(_) => self.put("null"),
            Value::Bool(value) => self.put(if *value { "true" } else { "false" }),
            Value::Int(_, value) => self.put(&value.to_string()),
            Value::Uint(_, value) => self.put(&value.to_string()),
            Value::Float(value) => self.float(*value)?,
            Value::String(text) => self.text(text),
            Value::List(list) if list.is_nil() => self.put("null"),
            Value::Map(map) if map.is_nil() => self.put("null"),
            Value::List(list) => {
                let items = list.items();
                self.group(b"[]", depth, items.len(), |encoder, index| {
                    encoder.value(&items[index], depth + 1)
                })?;
            }
            Value::Map(map) => {
                let mut entries = Vec::new();
                for (key, value) in map.entries().iter() {
                    entries.push((key_text(key, map.ty())?, value.clone()));
                }
                entries.sort_by(|one, other| one.0.cmp(&other.0));
                self.group(b"{}", depth, entries.len(), |encoder, index| {
                    encoder.key(&entries[index].0);
                    encoder.value(&entries[index].1, depth + 1)
                })?;
            }
            Value::Record(record) => {
                let fields = record.shape().fields;
                self.group(b"{}", depth, fields.len(), |encoder, index| {
                    encoder.key(fields[index].name.as_bytes());
                    encoder.value(&record.field(index), depth + 1)
                })?;
            }
        }
        Ok(())
    }

    fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn group(
        &mut self,
        brackets: &[u8; 2],
        depth: usize,
        count: usize,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), String>,
    ) -> Result<(), String> {
        self.out.push(brackets[0]);
        for index in 0..count {
            if index > 0 {
                self.out.push(b',');
            }
            self.line(depth + 1);
            item(self, index)?;
        }
        if count > 0 {
            self.line(depth);
        }
        self.out.push(brackets[1]);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if self.style.pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }

    fn key(&mut self, key: &[u8]) {
        self.text(key);
        self.put(if self.style.pretty { ": " } else { ":" });
    }

    fn float(&mut self, value: f64) -> Result<(), String> {
        if !value.is_finite() {
            return Err(format!("json: unsupported value: {}", strconv::format_float(value, b'g', None)));
        }
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = strconv::format_float(value, b'e', None);
            // e-09 is written e-9.
            self.put(&text.replace("e-0", "e-"));
        } else {
            self.put(&strconv::format_float(value, b'f', None));
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) {
        self.out.push(b'"');
        let mut at = 0;
        for (c, length) in strconv::runes(text) {
            let bytes = &text[at..at + length];
            at += length;
            match c {
                '"' => self.put("\\\""),
                '\\' => self.put("\\\\"),
                '\n' => self.put("\\n"),
                '\r' => self.put("\\r"),
                '\t' => self.put("\\t"),
                '<' | '>' | '&' if self.style.escape_html => self.put(&format!("\\u{:04x}", u32::from(c))),
                c if c < ' ' => self.put(&format!("\\u{:04x}", u32::from(c))),
                '\u{2028}' | '\u{2029}' => self.put(&format!("\\u{:04x}", u32::from(c))),
                char::REPLACEMENT_CHARACTER if length == 1 => self.put("\\ufffd"),
                _ => self.out.extend_from_slice(bytes),
            }
        }
        self.out.push(b'"');
    }
}

fn key_text(key: &Key, ty: wharf_gotemplate::Type) -> Result<Vec<u8>, String> {
    match key {
        Key::String(text)
            if !matches!(ty.underlying(), wharf_gotemplate::Type::Map(wharf_gotemplate::Type::Any, _)) =>
        {
            Ok(text.to_vec())
        }
        Key::Int(_, value) => Ok(value.to_string().into_bytes()),
        Key::Uint(_, value) => Ok(value.to_string().into_bytes()),
        _ => Err(format!("json: unsupported type: {ty}")),
    }
}
