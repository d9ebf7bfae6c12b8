//! Where a template's text comes from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::ConfigError;

/// Where a template's text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, read again whenever it changes.
    File(PathBuf),
    /// One that wharf ships.
    Builtin(Builtin),
    /// The text itself, as the settings have it.
    Text(String),
}

/// A template that wharf ships.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// [`crate::NGINX`].
    Nginx,
}

impl Builtin {
    /// Its text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Nginx => crate::NGINX,
        }
    }

    /// The variables it has when the configuration gives none, for a file in `directory`.
    pub fn default_vars(self, directory: &Path) -> BTreeMap<String, Value> {
        match self {
            Self::Nginx => [
                ("listen", "127.0.0.1:8081".to_owned()),
                ("prefix", directory.to_string_lossy().into_owned()),
                ("workers", "auto".to_owned()),
                ("user", String::new()),
                ("access_log", "off".to_owned()),
            ]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value)))
            .collect(),
        }
    }
}

impl FromStr for Source {
    type Err = ConfigError;

    /// A bare word names a built-in template, everything with a `/` or a `.` a file.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "nginx" => Ok(Self::Builtin(Builtin::Nginx)),
            word if !word.contains(['/', '.']) => Err(ConfigError::UnknownBuiltin(word.to_owned())),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Builtin(Builtin::Nginx) => f.write_str("built-in nginx"),
            Self::Text(_) => f.write_str("template in the settings"),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Name(String),
            Text { text: String },
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Name(name)) => name.parse().map_err(de::Error::custom),
            Ok(Written::Text { text }) => Ok(Self::Text(text)),
            Err(_) => Err(de::Error::custom(
                "a source is the path of a template, the name of a built-in one, or `{ text = \"...\" }`",
            )),
        }
    }
}
