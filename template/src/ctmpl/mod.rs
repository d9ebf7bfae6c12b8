//! consul-template's functions, for templates in Go's language.
//!
//! [`Library`] is what one evaluation calls: it asks the session (which records every question) and keeps the
//! `scratch` of that evaluation. Functions stand in tables, one per file, by what they work on.

mod catalog;
mod encode;
mod json;
mod json_text;
mod lists;
mod numbers;
mod records;
mod refused;
mod regex;
mod scratch;
mod sockaddr;
mod sprig;
mod system;
mod text;
mod time;
mod toml;
mod yaml;
mod yaml_text;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use wharf_catalog::KvEntry;
use wharf_gotemplate::{Engine, Functions, Limits, Method, Signature, Template, Text, Type, Value};

pub(crate) use records::KEY_PAIRS;

use crate::eval::{EvalError, MAX_OUTPUT, Session};

/// Most items in a list that a function makes.
const MAX_ITEMS: usize = 1_000_000;

/// A function of the library.
struct Function {
    name: &'static str,
    signature: Signature,
    call: Call,
}

type Call = fn(&Library<'_>, &[Value], &mut Engine<'_>) -> Result<Value, String>;

const fn function(name: &'static str, params: &'static [Type], call: Call) -> Function {
    Function { name, signature: Signature::new(params), call }
}

const fn variadic(name: &'static str, params: &'static [Type], call: Call) -> Function {
    Function { name, signature: Signature::variadic(params), call }
}

static FUNCTIONS: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let tables = [
        catalog::FUNCTIONS,
        encode::FUNCTIONS,
        lists::FUNCTIONS,
        numbers::FUNCTIONS,
        regex::FUNCTIONS,
        scratch::FUNCTIONS,
        system::FUNCTIONS,
        text::FUNCTIONS,
        time::FUNCTIONS,
    ];
    tables.into_iter().flatten().chain(sprig::functions()).map(|function| (function.name, function)).collect()
});

/// The functions over one session.
pub(crate) struct Library<'a> {
    session: &'a Session<'a>,
    scratch: Value,
    /// What queries gave, by function and text: the same list for everyone who asks again.
    answers: Mutex<HashMap<String, Value>>,
}

impl<'a> Library<'a> {
    pub(crate) fn new(session: &'a Session<'a>) -> Self {
        Self { session, scratch: scratch::Scratch::value(), answers: Mutex::default() }
    }

    /// What `scratch` gives.
    pub(crate) fn scratch(&self) -> &Value {
        &self.scratch
    }

    /// What can be called on it.
    pub(crate) fn scratch_method(&self, name: &str) -> Option<&'static Method> {
        match &self.scratch {
            Value::Record(record) => record.shape().methods.iter().find(|method| method.name == name),
            _ => None,
        }
    }

    /// The value kept under `key`, or what `make` gives.
    fn once(&self, key: String, make: impl FnOnce() -> Result<Value, String>) -> Result<Value, String> {
        let lock = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return Ok(known.clone());
        }
        let value = make()?;
        lock().insert(key, value.clone());
        Ok(value)
    }
}

impl Functions for Library<'_> {
    fn signature(&self, name: &str) -> Option<Signature> {
        Names.signature(name)
    }

    fn call(&self, name: &str, args: Vec<Value>, engine: &mut Engine<'_>) -> Result<Value, String> {
        match FUNCTIONS.get(name) {
            Some(function) => (function.call)(self, &args, engine),
            None => Err(self.unknown(name)),
        }
    }
}

/// The functions by name only: enough to read a template.
pub(crate) struct Names;

impl Functions for Names {
    fn signature(&self, name: &str) -> Option<Signature> {
        FUNCTIONS.get(name).map(|function| function.signature)
    }

    fn call(&self, name: &str, _: Vec<Value>, _: &mut Engine<'_>) -> Result<Value, String> {
        Err(self.unknown(name))
    }

    fn unknown(&self, name: &str) -> String {
        refused::why(name).unwrap_or_else(|| format!("function \"{name}\" not defined"))
    }
}

/// A key with its value, as `ls` lists it, under a name of its own.
pub(crate) fn key_pair(entry: Arc<KvEntry>, key: &str) -> Value {
    Value::record(records::KeyPair { path: entry.key.clone(), entry: Some(entry), key: key.to_owned() })
}

/// The text of `template`.
pub(crate) fn text(session: &Session<'_>, template: &Template) -> Result<Vec<u8>, EvalError> {
    let limits = Limits { output: MAX_OUTPUT, ..Limits::default() };
    template.render(Value::Invalid, &Library::new(session), limits).map_err(|error| EvalError {
        line: error.line,
        column: Some(error.column),
        reason: error.detail(),
    })
}

/// Argument `index`, which the signature says is a text.
fn bytes(args: &[Value], index: usize) -> &[u8] {
    match args.get(index) {
        Some(Value::String(text)) => text,
        _ => &[],
    }
}

/// Argument `index` as a Rust text.
fn string(args: &[Value], index: usize) -> String {
    String::from_utf8_lossy(bytes(args, index)).into_owned()
}

/// All arguments from `index` on as Rust texts.
fn strings(args: &[Value], index: usize) -> Vec<String> {
    (index..args.len()).map(|index| string(args, index)).collect()
}

fn integer(args: &[Value], index: usize) -> i64 {
    match args.get(index) {
        Some(Value::Int(_, value)) => *value,
        _ => 0,
    }
}

/// The items of argument `index`, which the signature says is a list.
fn items(args: &[Value], index: usize) -> &[Value] {
    match args.get(index) {
        Some(Value::List(list)) => list.items(),
        _ => &[],
    }
}

/// In Go's quotes.
fn quoted(text: &[u8]) -> String {
    String::from_utf8_lossy(&wharf_gotemplate::strconv::quote(text)).into_owned()
}

/// A text of bounded length.
fn bounded(length: usize) -> Result<(), String> {
    if length > MAX_OUTPUT {
        return Err(format!("the result would have {length} bytes, more than {MAX_OUTPUT}"));
    }
    Ok(())
}

fn shared(text: &Arc<str>) -> Value {
    Value::String(Text::from(&**text))
}

#[cfg(test)]
mod tests;
