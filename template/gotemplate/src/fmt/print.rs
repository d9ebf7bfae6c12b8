//! Values of any kind, and those a verb does not fit.

use super::Printer;
use crate::{List, Map, Record, Type, UintKind, Value};

/// How deep nested values are printed.
const MAX_DEPTH: usize = 200;
/// Most bytes printed: past it, what is nested is cut off.
const MAX_BYTES: usize = 64 << 20;
/// What stands for the address of something.
const ADDRESS: u64 = 0xc0_0001_0000;

impl Printer {
    pub(super) fn arg(&mut self, value: &Value, verb: char) {
        match (value, verb) {
            (Value::Nil | Value::Invalid, 'T' | 'v') => self.pad(b"<nil>"),
            (Value::Nil | Value::Invalid, _) => self.bad_verb(value, verb),
            (_, 'T') => self.text(value.type_name().as_bytes(), 's'),
            (Value::Record(_) | Value::NilPointer(_), 'p') => self.pointer(value, verb),
            _ => self.value(value, verb, 0),
        }
    }

    pub(super) fn bad_verb(&mut self, value: &Value, verb: char) {
        self.out.extend_from_slice(b"%!");
        crate::strconv::push(&mut self.out, verb);
        self.out.push(b'(');
        match value {
            Value::Nil | Value::Invalid => self.out.extend_from_slice(b"<nil>"),
            value => {
                self.out.extend_from_slice(value.type_name().as_bytes());
                self.out.push(b'=');
                self.value(value, 'v', 0);
            }
        }
        self.out.push(b')');
    }

    fn value(&mut self, value: &Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH || self.out.len() > MAX_BYTES {
            self.out.extend_from_slice(b"...");
            return;
        }
        let printed = match value {
            Value::Nil | Value::Invalid => {
                let text: &[u8] = if self.flags.sharp_v { b"interface {}(nil)" } else { b"<nil>" };
                self.out.extend_from_slice(text);
                true
            }
            Value::Bool(value) => {
                let known = matches!(verb, 't' | 'v');
                if known {
                    self.pad(if *value { b"true" } else { b"false" });
                }
                known
            }
            Value::Int(_, number) => self.integer(*number < 0, number.unsigned_abs(), verb, true),
            Value::Uint(_, number) => self.integer(false, *number, verb, false),
            Value::Float(number) => self.float(*number, verb),
            Value::String(text) => {
                self.text(text, verb);
                true
            }
            Value::List(list) => {
                self.list(list, verb, depth);
                true
            }
            Value::Map(map) => {
                self.map(map, verb, depth);
                true
            }
            Value::Record(record) => {
                let text = record.text().filter(|_| matches!(verb, 'v' | 's' | 'q' | 'x' | 'X'));
                if let Some(text) = text.filter(|_| !self.flags.sharp_v) {
                    self.text(text.as_bytes(), verb);
                } else if record.by_value() {
                    self.record(record.as_ref(), verb, depth);
                } else if depth == 0 {
                    self.out.push(b'&');
                    self.record(record.as_ref(), verb, depth);
                } else {
                    self.pointer(value, verb);
                }
                true
            }
            Value::NilPointer(_) => {
                self.pointer(value, verb);
                true
            }
        };
        if !printed {
            self.bad_verb(value, verb);
        }
    }

    fn list(&mut self, list: &List, verb: char, depth: usize) {
        let bytes = list.ty().element() == Type::Uint(UintKind::Uint8);
        if bytes && matches!(verb, 's' | 'q' | 'x' | 'X') {
            let bytes: Vec<u8> = list.items().iter().filter_map(byte).collect();
            return self.text(&bytes, verb);
        }
        let items = list.items();
        if self.flags.sharp_v {
            self.out.extend_from_slice(list.ty().to_string().as_bytes());
            if list.is_nil() {
                return self.out.extend_from_slice(b"(nil)");
            }
            return self.sequence(b'{', b", ", b'}', items, |printer, item| {
                printer.value(item, verb, depth + 1);
            });
        }
        self.sequence(b'[', b" ", b']', items, |printer, item| printer.value(item, verb, depth + 1));
    }

    fn map(&mut self, map: &Map, verb: char, depth: usize) {
        let (open, between, close) = if self.flags.sharp_v {
            self.out.extend_from_slice(map.ty().to_string().as_bytes());
            if map.is_nil() {
                return self.out.extend_from_slice(b"(nil)");
            }
            (b'{', &b", "[..], b'}')
        } else {
            self.out.extend_from_slice(b"map");
            (b'[', &b" "[..], b']')
        };
        let entries: Vec<_> = map.entries().iter().map(|(key, value)| (key.value(), value.clone())).collect();
        self.sequence(open, between, close, &entries, |printer, (key, value)| {
            printer.value(key, verb, depth + 1);
            printer.out.push(b':');
            printer.value(value, verb, depth + 1);
        });
    }

    /// A struct, without the `&` of the pointer to it.
    pub(super) fn record(&mut self, record: &dyn Record, verb: char, depth: usize) {
        let shape = record.shape();
        let named = self.flags.plus_v || self.flags.sharp_v;
        let between: &[u8] = if self.flags.sharp_v {
            self.out.extend_from_slice(shape.name.as_bytes());
            b", "
        } else {
            b" "
        };
        let fields: Vec<_> = shape.fields.iter().enumerate().collect();
        self.sequence(b'{', between, b'}', &fields, |printer, (index, field)| {
            if named {
                printer.out.extend_from_slice(field.name.as_bytes());
                printer.out.push(b':');
            }
            printer.value(&record.field(*index), verb, depth + 1);
        });
    }

    fn sequence<T>(
        &mut self,
        open: u8,
        between: &[u8],
        close: u8,
        items: &[T],
        mut print: impl FnMut(&mut Self, &T),
    ) {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.extend_from_slice(between);
            }
            print(self, item);
        }
        self.out.push(close);
    }

    /// Addresses differ from run to run in Go; here each is the same, so that equal input gives equal text.
    fn pointer(&mut self, value: &Value, verb: char) {
        let nil = matches!(value, Value::NilPointer(_));
        let address = if nil { 0 } else { ADDRESS };
        match verb {
            'v' if self.flags.sharp_v => {
                let target = if nil { "nil".to_owned() } else { format!("{address:#x}") };
                self.out.extend_from_slice(format!("({})({target})", value.type_name()).as_bytes());
            }
            'v' if nil => self.pad(b"<nil>"),
            'v' | 'p' => {
                let sharp = self.flags.sharp;
                self.flags.sharp = !sharp;
                self.integer(false, address, 'x', false);
                self.flags.sharp = sharp;
            }
            'b' | 'o' | 'd' | 'x' | 'X' => {
                self.integer(false, address, verb, false);
            }
            _ => self.bad_pointer(value, verb, address),
        }
    }

    fn bad_pointer(&mut self, value: &Value, verb: char, address: u64) {
        let target = if address == 0 { "<nil>".to_owned() } else { format!("{address:#x}") };
        self.out.extend_from_slice(format!("%!{verb}({}={target})", value.type_name()).as_bytes());
    }
}

fn byte(value: &Value) -> Option<u8> {
    match value {
        Value::Uint(_, byte) => u8::try_from(*byte).ok(),
        _ => None,
    }
}

/// A value as the template engine writes it: a record without the `&`, nothing as `<no value>`.
pub(crate) fn write_out(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.to_vec(),
        Value::Invalid | Value::Nil => b"<no value>".to_vec(),
        Value::Record(record) if record.text().is_none() => {
            let mut printer = Printer::new();
            printer.record(record.as_ref(), 'v', 0);
            printer.out
        }
        value => {
            let mut printer = Printer::new();
            printer.value(value, 'v', 0);
            printer.out
        }
    }
}
