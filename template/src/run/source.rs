//! Has a file changed? The kernel tells when to look ([`super::watcher`]); beside that it is looked up now and then,
//! which works on every file system (network mounts, bind mounts, the symbolic links of Kubernetes).

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::Failure;
use crate::{
    Source, TemplateConfig,
    syntax::{CompileOptions, Compiled, Syntax, compile},
};

/// Largest file a template may include, and largest template.
const MAX_FILE: u64 = 4 << 20;

/// Where a template's text comes from, and how it is read.
#[derive(Debug, Clone)]
pub(super) struct TemplateSource {
    source: Source,
    options: CompileOptions,
}

impl TemplateSource {
    pub(super) fn new(config: &TemplateConfig) -> Self {
        let by_name = match &config.source {
            Source::File(path) => Syntax::of(path),
            Source::Builtin(_) | Source::Text(_) => Syntax::Handlebars,
        };
        let given =
            |delimiter: &Option<String>, usual: &str| delimiter.clone().unwrap_or_else(|| usual.to_owned());
        let delimiters = (config.left_delimiter.is_some() || config.right_delimiter.is_some())
            .then(|| (given(&config.left_delimiter, "{{"), given(&config.right_delimiter, "}}")));
        let options = CompileOptions {
            syntax: config.syntax.unwrap_or(by_name),
            delimiters,
            error_on_missing_key: config.error_on_missing_key,
        };
        Self { source: config.source.clone(), options }
    }

    /// The file behind it, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.source {
            Source::File(path) => Some(path),
            Source::Builtin(_) | Source::Text(_) => None,
        }
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, Failure> {
        match &self.source {
            Source::Builtin(builtin) => Ok(builtin.text().as_bytes().to_vec()),
            Source::Text(text) => Ok(text.as_bytes().to_vec()),
            Source::File(path) => {
                read_text(path).map_err(|error| Failure::Source { path: path.clone(), error })
            }
        }
    }

    pub(super) fn compile(&self, text: &[u8]) -> Result<Compiled, Failure> {
        compile(text, &self.options).map_err(|error| self.wrong_at(error.line, error.column, error.reason))
    }

    pub(super) fn wrong_at(&self, line: usize, column: Option<usize>, reason: String) -> Failure {
        Failure::Template { location: self.source.to_string(), line, column, reason }
    }
}

/// Reads a file of bounded size; errors never hold what stands in it.
pub(super) fn read_text(path: &Path) -> std::io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    if metadata.len() > MAX_FILE {
        return Err(std::io::Error::other(format!("it has more than {MAX_FILE} bytes")));
    }
    fs::read(path)
}

/// As [`read_text`], but only from below `sandbox`, wherever symbolic links lead.
pub(super) fn read_inside(sandbox: Option<&Path>, path: &Path) -> std::io::Result<Vec<u8>> {
    if let Some(sandbox) = sandbox
        && !fs::canonicalize(path)?.starts_with(fs::canonicalize(sandbox)?)
    {
        return Err(std::io::Error::other("it lies outside of `sandbox_path`"));
    }
    read_text(path)
}

/// What a set of files looked like when last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen(BTreeMap<PathBuf, Option<Stamp>>);

/// Changes with every write and every replacement of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Seen {
    /// How `paths` look now.
    pub(super) fn now<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        Self(paths.into_iter().map(|path| (path.to_owned(), stamp(path))).collect())
    }

    /// How the same files look now.
    pub(super) fn again(&self) -> Self {
        Self::now(self.0.keys().map(PathBuf::as_path))
    }

    /// Takes in `path` as it looks now, unless it is known.
    pub(super) fn add(&mut self, path: &Path) {
        self.0.entry(path.to_owned()).or_insert_with(|| stamp(path));
    }

    /// Does `other` hold all of these files, looking the same?
    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        self.0.iter().all(|(path, stamp)| other.0.get(path) == Some(stamp))
    }

    /// The files.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let found = fs::metadata(path).ok()?;
    Some(Stamp {
        inode: found.ino(),
        size: found.size(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}
