//! Is it a template? Source text in one of two languages -> something that can be evaluated, or where it is wrong.

pub(crate) mod handlebars;

use std::path::Path;

use serde::Deserialize;
use wharf_gotemplate::MissingKey;

use crate::ctmpl;

/// Longest source, in bytes.
const MAX_SOURCE: usize = 1 << 20;

/// The language a template is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// Handlebars.
    #[default]
    Handlebars,
    /// Go's text/template with consul-template's functions.
    Go,
}

impl Syntax {
    /// The language of a file, by its name: `.ctmpl`, `.tmpl` and `.tpl` are Go's.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("ctmpl" | "tmpl" | "tpl") => Self::Go,
            _ => Self::Handlebars,
        }
    }
}

/// How a source is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompileOptions {
    /// Its language.
    pub syntax: Syntax,
    /// What opens and closes an action (Go's language only); default: `{{` and `}}`.
    pub delimiters: Option<(String, String)>,
    /// Is a field that a map lacks an error (Go's language only)? Otherwise it reads `<no value>`.
    pub error_on_missing_key: bool,
}

impl CompileOptions {
    /// The defaults of one language.
    pub fn new(syntax: Syntax) -> Self {
        Self { syntax, ..Self::default() }
    }
}

/// A template that has been read and found well-formed.
#[derive(Debug, Clone)]
pub struct Compiled(pub(crate) Program);

#[derive(Debug, Clone)]
pub(crate) enum Program {
    Handlebars(::handlebars::Template),
    Go(wharf_gotemplate::Template),
}

/// Where a source is no template, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {reason}", crate::eval::place(*.column))]
pub struct SyntaxError {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1, if it is known.
    pub column: Option<usize>,
    /// What is wrong there and what to do about it.
    pub reason: String,
}

impl SyntaxError {
    pub(crate) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self { line, column: None, reason: reason.into() }
    }
}

/// Reads `source`.
///
/// # Errors
/// When it is too long, or no template in that language.
pub fn compile(source: &[u8], options: &CompileOptions) -> Result<Compiled, SyntaxError> {
    if source.len() > MAX_SOURCE {
        let reason = format!("the template has {} bytes, more than {MAX_SOURCE}: split it", source.len());
        return Err(SyntaxError::at(1, reason));
    }
    match options.syntax {
        Syntax::Handlebars => {
            let text = std::str::from_utf8(source).map_err(|error| not_text(source, error))?;
            Ok(Compiled(Program::Handlebars(handlebars::compile(text)?)))
        }
        Syntax::Go => Ok(Compiled(Program::Go(go(source, options)?))),
    }
}

fn go(source: &[u8], options: &CompileOptions) -> Result<wharf_gotemplate::Template, SyntaxError> {
    let (left, right) = options.delimiters.clone().unwrap_or_default();
    let missing_key = if options.error_on_missing_key { MissingKey::Error } else { MissingKey::Zero };
    let options = wharf_gotemplate::Options { name: String::new(), left, right, missing_key };
    wharf_gotemplate::Template::parse(source, &options, &ctmpl::Names).map_err(|error| SyntaxError {
        line: error.line,
        column: Some(error.column),
        reason: error.reason,
    })
}

fn not_text(source: &[u8], error: std::str::Utf8Error) -> SyntaxError {
    let line = source[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
    SyntaxError::at(line, "the template is not UTF-8 from here on")
}
