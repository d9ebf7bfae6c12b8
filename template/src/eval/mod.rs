//! What does a template say now? (template, catalog, surroundings) -> text, and everything it read.
//!
//! What was read is known even when evaluation fails: the next attempt is worth it when that changes.
//! Invariant: equal inputs give equal bytes.

pub(crate) mod handlebars;
mod memo;
mod session;

use std::{
    collections::{BTreeSet, HashSet},
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use wharf_catalog::{Timestamp, Topic};

use crate::{
    ctmpl,
    guard::Population,
    machine::Machine,
    source::Source,
    syntax::{Compiled, Program},
};
pub use memo::Memo;
pub(crate) use session::{Entry, Found, OWN_SERVICE, Session, same};

/// Most bytes a template may produce.
pub const MAX_OUTPUT: usize = 64 << 20;

/// What a template may look at besides the catalog.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The object it sees as `vars` (a Handlebars template only).
    pub vars: &'a Value,
    /// Reads an environment variable.
    pub env: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// Reads a file.
    pub file: &'a (dyn Fn(&Path) -> io::Result<Vec<u8>> + Sync),
    /// What `timestamp` says.
    pub now: Timestamp,
    /// The addresses of this machine, for `sockaddr`.
    pub machine: &'a (dyn Fn() -> io::Result<Machine> + Sync),
    /// Runs a program for `plugin` and returns what it printed; `None`: templates may run nothing.
    pub plugin: Option<&'a Plugin<'a>>,
}

/// Runs a program with arguments and returns what it printed, or why there is nothing.
pub type Plugin<'a> = dyn Fn(&str, &[String]) -> Result<Vec<u8>, String> + Sync + 'a;

/// Everything one evaluation looked at.
#[derive(Debug, Clone, Default)]
pub struct Reads {
    /// The answers of our own datacenter's catalog it depends on.
    pub topics: HashSet<Topic>,
    /// The answers of other datacenters it depends on.
    pub elsewhere: HashSet<(String, Topic)>,
    /// How much it found.
    pub population: Population,
    /// What it had to leave out, for people to see.
    pub notes: BTreeSet<String>,
}

impl Reads {
    fn take_in(&mut self, others: &Self) {
        let Self { topics, elsewhere, population, notes } = others;
        self.topics.extend(topics.iter().cloned());
        self.elsewhere.extend(elsewhere.iter().cloned());
        self.population.take_in(population);
        self.notes.extend(notes.iter().cloned());
    }
}

/// Why a template could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {reason}", place(*.column))]
pub struct EvalError {
    /// Line of the template, from 1.
    pub line: usize,
    /// Column in bytes, from 1, if it is known.
    pub column: Option<usize>,
    /// What went wrong there and what to do about it.
    pub reason: String,
}

/// A column as it follows a line.
pub(crate) fn place(column: Option<usize>) -> String {
    column.map(|column| format!(":{column}")).unwrap_or_default()
}

/// A file that a template asked to have written beside its own result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteFile {
    /// Where.
    pub path: PathBuf,
    /// Name or number of its owner; empty: whoever we are.
    pub user: String,
    /// Name or number of its group; empty: ours.
    pub group: String,
    /// Its mode.
    pub perms: u32,
    /// What stands in it.
    pub content: Vec<u8>,
    /// Added to the end of the file rather than put in its place.
    pub append: bool,
    /// Relative to the destination's directory, and removed again once the template does not ask for it any more.
    pub managed: bool,
}

/// The outcome of one evaluation.
#[derive(Debug)]
pub struct Evaluation {
    /// The text, or why there is none.
    pub text: Result<Vec<u8>, EvalError>,
    /// What it depends on either way.
    pub reads: Reads,
    /// Something in [`Reads`] has not been asked for yet. Neither the text nor the error is final: have it
    /// fetched, and evaluate again.
    pub pending: bool,
    /// What is known not to exist and must, each for people to read (`key app/name`). The text is not to be
    /// published until it does.
    pub missing: BTreeSet<String>,
    /// Files to write when the text is published.
    pub writes: Vec<WriteFile>,
}

/// Evaluates `compiled` over what `source` knows.
pub fn evaluate(compiled: &Compiled, source: &dyn Source, surroundings: Surroundings<'_>) -> Evaluation {
    let session = Session::new(source, surroundings);
    let text = match &compiled.0 {
        Program::Handlebars(template) => handlebars::text(&session, template),
        Program::Go(template) => ctmpl::text(&session, template),
    };
    session.finish(text)
}

#[cfg(test)]
mod tests;
