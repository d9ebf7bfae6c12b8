//! Go's `text/template`, byte for byte: the language, its values and its formatting verbs, over functions
//! of the caller's. Knows nothing of what the templates are for.
//!
//! ```
//! use wharf_gotemplate::{Limits, NoFunctions, Options, Template, Value};
//!
//! let source = b"{{ range $i, $x := . }}{{ if $i }}, {{ end }}{{ printf \"%02d\" $x }}{{ end }}";
//! let template = Template::parse(source, &Options::default(), &NoFunctions)?;
//! let numbers = Value::list(wharf_gotemplate::Type::LIST, vec![Value::int(1), Value::int(2)]);
//! let text = template.render(numbers, &NoFunctions, Limits::default())?;
//! assert_eq!(text, b"01, 02");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Template::parse`] reads (`lex`, `parse` -> `ast`), [`Template::render`] runs (`exec`, `builtins`). All of it is
//! pure, bounded ([`Limits`]) and takes any bytes: what is wrong comes back with its line and column.

mod ast;
mod builtins;
pub mod escape;
mod exec;
pub mod fmt;
mod lex;
mod parse;
pub mod strconv;
mod types;
mod value;

use std::sync::Arc;

pub use exec::Engine;
use exec::Shared;
pub use types::{Field, IntKind, Method, NamedType, Signature, StructType, Type, UintKind};
pub use value::{Entries, Key, List, Map, Record, Text, Value};

/// What templates can call besides the builtins. A function of a builtin's name takes its place.
pub trait Functions {
    /// What the function takes; `None`: there is none of this name.
    fn signature(&self, name: &str) -> Option<Signature>;

    /// Calls it. The arguments are as many as the signature says, and of its types.
    ///
    /// # Errors
    /// Why it failed, for people to read.
    fn call(&self, name: &str, args: Vec<Value>, engine: &mut Engine<'_>) -> Result<Value, String>;

    /// What is said of a function that does not exist.
    fn unknown(&self, name: &str) -> String {
        format!("function \"{name}\" not defined")
    }
}

/// No functions but the builtins.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFunctions;

impl Functions for NoFunctions {
    fn signature(&self, _: &str) -> Option<Signature> {
        None
    }

    fn call(&self, name: &str, _: Vec<Value>, _: &mut Engine<'_>) -> Result<Value, String> {
        Err(self.unknown(name))
    }
}

/// How a source is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// The template's own name, for errors; `{{template}}` can call it.
    pub name: String,
    /// What opens an action.
    pub left: String,
    /// What closes it.
    pub right: String,
    /// What a field that a map lacks reads as.
    pub missing_key: MissingKey,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: String::new(),
            left: "{{".to_owned(),
            right: "}}".to_owned(),
            missing_key: MissingKey::default(),
        }
    }
}

/// Go's option `missingkey`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MissingKey {
    /// Nothing at all (`default`).
    #[default]
    Invalid,
    /// The zero of the map's type (`zero`).
    Zero,
    /// An error (`error`).
    Error,
}

/// How much one rendering may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes run and functions called; large results count for more.
    pub steps: u64,
    /// Templates in each other.
    pub depth: usize,
    /// Bytes of text.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { steps: 20_000_000, depth: 100_000, output: 64 << 20 }
    }
}

/// A source that has been read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Template(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    missing_key: MissingKey,
    trees: parse::Trees,
    /// Where the lines begin.
    lines: Vec<usize>,
}

/// Where a source is no template, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}:{column}: {reason}")]
pub struct ParseError {
    /// The template.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: String,
}

/// Where a template failed, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}:{column}: {}", self.detail())]
pub struct RenderError {
    /// The template.
    pub name: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
    /// Which of its templates was running.
    pub executing: String,
    /// The expression it failed at.
    pub node: Option<String>,
    /// What went wrong.
    pub reason: String,
}

impl RenderError {
    fn plain(reason: String) -> Self {
        let (name, executing) = (String::new(), String::new());
        Self { name, line: 1, column: 1, executing, node: None, reason }
    }

    /// What went wrong, at which expression, in which template: all but the position.
    pub fn detail(&self) -> String {
        let within = match self.executing.as_str() {
            name if name == self.name => String::new(),
            name => format!("in template \"{name}\" "),
        };
        match &self.node {
            Some(node) => format!("{within}at <{node}>: {}", self.reason),
            None => format!("{within}{}", self.reason),
        }
    }
}

impl Template {
    /// Reads `source`. Functions are looked up by name already now.
    ///
    /// # Errors
    /// When it is no template.
    pub fn parse(source: &[u8], options: &Options, functions: &dyn Functions) -> Result<Self, ParseError> {
        let lines: Vec<_> = std::iter::once(0)
            .chain(source.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1))
            .collect();
        let delimiter = |given: &String, default| if given.is_empty() { default } else { given.clone() };
        let left = delimiter(&options.left, "{{".to_owned());
        let right = delimiter(&options.right, "}}".to_owned());
        let lexer = lex::Lexer::new(source, left.as_bytes(), right.as_bytes());
        match parse::Parser::parse(lexer, functions, &options.name) {
            Ok(trees) => Ok(Self(Arc::new(Inner {
                name: options.name.clone(),
                missing_key: options.missing_key,
                trees,
                lines,
            }))),
            Err(fault) => {
                let (line, column) = position(&lines, fault.pos);
                Err(ParseError { name: options.name.clone(), line, column, reason: fault.reason })
            }
        }
    }

    /// Its text over `data`.
    ///
    /// # Errors
    /// When an expression fails or a limit is reached.
    pub fn render(
        &self,
        data: Value,
        functions: &dyn Functions,
        limits: Limits,
    ) -> Result<Vec<u8>, RenderError> {
        let mut shared = Shared { template: self, functions, limits, steps: 0, expressions: 0 };
        shared.render(&self.0.name, data)
    }

    fn trees(&self) -> &parse::Trees {
        &self.0.trees
    }

    fn name(&self) -> &str {
        &self.0.name
    }

    fn missing_key(&self) -> MissingKey {
        self.0.missing_key
    }

    fn position(&self, pos: usize) -> (usize, usize) {
        position(&self.0.lines, pos)
    }
}

fn position(lines: &[usize], pos: usize) -> (usize, usize) {
    let line = lines.partition_point(|start| *start <= pos).max(1);
    (line, pos - lines.get(line - 1).copied().unwrap_or(0).min(pos) + 1)
}

#[cfg(test)]
mod tests;
