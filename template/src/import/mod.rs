//! Settings of consul-template, as they are: HCL and JSON read into a [`Config`].
//!
//! What cannot be had is named with file, line and column; nothing is silently left out.

mod mapping;
mod syntax;

use std::path::{Path, PathBuf};

use crate::Config;

/// Why a settings file of consul-template could not be taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {reason}", .file.display())]
pub struct ImportError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there and what to do about it.
    pub reason: String,
}

/// Where and why, as long as the file is not known.
type Complaint = (syntax::Place, String);

/// Lays what `text` says over `config`: settings replace those there are, templates are added. Returns what
/// people should know of settings that were taken over but mean less here.
///
/// # Errors
/// When it is neither HCL nor JSON, or asks for something that wharf does not have.
pub fn apply(config: &mut Config, file: &Path, text: &str) -> Result<Vec<String>, ImportError> {
    let complain = |(place, reason): Complaint| ImportError {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        reason,
    };
    let items = syntax::parse(text).map_err(complain)?;
    mapping::apply(config, &items).map_err(complain)
}

#[cfg(test)]
mod tests;
