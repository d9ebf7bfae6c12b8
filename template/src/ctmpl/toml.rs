//! TOML as the Go library of consul-template writes it: values before tables, tables indented, floats always
//! with a point.

use wharf_gotemplate::{Value, strconv};

/// How deep values may be nested.
const MAX_DEPTH: usize = 100;

/// `value`, which has to be a map, as TOML.
pub(super) fn encode(value: &Value) -> Result<Vec<u8>, String> {
    let mut encoder = Encoder { out: String::new() };
    let Some(entries) = entries(value)? else {
        return Err("toml: top-level values must be Go maps or structs".to_owned());
    };
    encoder.table(&[], entries)?;
    Ok(encoder.out.into_bytes())
}

struct Encoder {
    out: String,
}

type Table = Vec<(String, Value)>;

/// The entries of a map or struct, sorted; `None`: it is neither.
fn entries(value: &Value) -> Result<Option<Table>, String> {
    match value {
        Value::Map(map) => {
            let mut table = Table::new();
            for (key, value) in map.entries().iter() {
                match key {
                    wharf_gotemplate::Key::String(text) => {
                        table.push((text.to_str_lossy().into_owned(), value.clone()));
                    }
                    _ => return Err("toml: cannot encode a map with non-string key type".to_owned()),
                }
            }
            Ok(Some(table))
        }
        Value::Record(record) => {
            let fields = record.shape().fields.iter().enumerate();
            Ok(Some(fields.map(|(index, field)| (field.name.to_owned(), record.field(index))).collect()))
        }
        _ => Ok(None),
    }
}

fn is_table(value: &Value) -> bool {
    matches!(value, Value::Map(_) | Value::Record(_))
}

fn is_list_of_tables(value: &Value) -> bool {
    matches!(value, Value::List(list) if !list.items().is_empty() && list.items().iter().all(is_table))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Nil | Value::Invalid | Value::NilPointer(_) => true,
        Value::List(list) => list.is_nil(),
        Value::Map(map) => map.is_nil(),
        _ => false,
    }
}

impl Encoder {
    fn table(&mut self, path: &[&str], table: Table) -> Result<(), String> {
        if path.len() > MAX_DEPTH {
            return Err(format!("toml: more than {MAX_DEPTH} levels"));
        }
        super::bounded(self.out.len())?;
        let (below, direct): (Table, Table) = table
            .into_iter()
            .filter(|(_, value)| !is_nothing(value))
            .partition(|(_, value)| is_table(value) || is_list_of_tables(value));
        for (key, value) in &direct {
            self.indent(path.len());
            self.out.push_str(&bare_or_quoted(key));
            self.out.push_str(" = ");
            self.element(value, 0)?;
            self.out.push('\n');
        }
        for (key, value) in &below {
            let path = [path, &[key.as_str()]].concat();
            match value {
                Value::List(list) => {
                    for item in list.items() {
                        self.gap();
                        self.header(&path, "[[", "]]");
                        self.table(&path, entries(item)?.unwrap_or_default())?;
                    }
                }
                value => {
                    if path.len() == 1 {
                        self.gap();
                    }
                    self.header(&path, "[", "]");
                    self.table(&path, entries(value)?.unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    /// An empty line, except at the very beginning.
    fn gap(&mut self) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn header(&mut self, path: &[&str], open: &str, close: &str) {
        self.indent(path.len() - 1);
        let names: Vec<_> = path.iter().map(|name| bare_or_quoted(name)).collect();
        self.out.push_str(&format!("{open}{}{close}\n", names.join(".")));
    }

    fn element(&mut self, value: &Value, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err(format!("toml: more than {MAX_DEPTH} levels"));
        }
        super::bounded(self.out.len())?;
        match value {
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Int(_, value) => self.out.push_str(&value.to_string()),
            Value::Uint(_, value) => self.out.push_str(&value.to_string()),
            Value::Float(value) => self.out.push_str(&float(*value)),
            Value::String(text) => self.out.push_str(&quoted(&text.to_str_lossy())),
            Value::List(list) => {
                self.out.push('[');
                for (index, item) in list.items().iter().enumerate() {
                    if is_nothing(item) {
                        return Err("toml: cannot encode array with nil element".to_owned());
                    }
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.element(item, depth + 1)?;
                }
                self.out.push(']');
            }
            value => {
                self.out.push('{');
                let table = entries(value)?.unwrap_or_default();
                for (index, (key, value)) in table.iter().filter(|(_, value)| !is_nothing(value)).enumerate()
                {
                    if index > 0 {
                        self.out.push_str(", ");
                    }
                    self.out.push_str(&bare_or_quoted(key));
                    self.out.push_str(" = ");
                    self.element(value, depth + 1)?;
                }
                self.out.push('}');
            }
        }
        Ok(())
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+inf" } else { "-inf" }.to_owned();
    }
    let text = strconv::format_float(value, b'f', None);
    if text.contains('.') { text } else { text + ".0" }
}

fn bare_or_quoted(key: &str) -> String {
    let bare =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if bare { key.to_owned() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\x08' => quoted.push_str("\\b"),
            '\x0c' => quoted.push_str("\\f"),
            c if c < ' ' || c == '\x7f' => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
