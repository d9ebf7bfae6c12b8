//! A program that is run beside the templates, and told of their changes.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, de};

use super::{Commandline, SignalName};

/// A supervised program. It is started once every template has been rendered, and started anew, after a
/// growing delay, when it ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program.
    pub command: Commandline,
    /// Signal that makes it take up changed files; default: it is ended and started anew.
    #[serde(default)]
    pub reload_signal: Option<SignalName>,
    /// Signal that ends it.
    #[serde(default = "term")]
    pub kill_signal: SignalName,
    /// How long it may take to end; then it is killed.
    #[serde(default = "kill_timeout", deserialize_with = "super::duration")]
    pub kill_timeout: Duration,
    /// Longest random delay before it is told of a change or ended, so that a fleet does not do it at once.
    #[serde(default, deserialize_with = "super::duration")]
    pub splay: Duration,
    /// Start it anew when it ends by itself? Otherwise we end with its exit status.
    #[serde(default = "super::yes")]
    pub restart: bool,
    /// The variables it sees.
    #[serde(default)]
    pub env: Environment,
}

impl Exec {
    /// A program, everything else by default.
    pub fn new(command: Commandline) -> Self {
        Self {
            command,
            reload_signal: None,
            kill_signal: term(),
            kill_timeout: kill_timeout(),
            splay: Duration::ZERO,
            restart: true,
            env: Environment::default(),
        }
    }
}

fn term() -> SignalName {
    SignalName::TERM
}

fn kill_timeout() -> Duration {
    Duration::from_secs(30)
}

/// The variables that a program sees: ours, unless this says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// None of ours.
    pub pristine: bool,
    /// Further ones, as `NAME=VALUE`; they win.
    #[serde(deserialize_with = "custom")]
    pub custom: Vec<(String, String)>,
    /// Only those of ours whose name matches one of these (`*` and `?` stand for anything).
    pub allowlist: Vec<String>,
    /// None of ours whose name matches one of these.
    pub denylist: Vec<String>,
}

impl Environment {
    /// What the program sees, given our own variables.
    pub fn of(&self, ours: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
        let any = |patterns: &[String], name: &str| patterns.iter().any(|pattern| matches(pattern, name));
        let kept = ours.into_iter().filter(|(name, _)| {
            !self.pristine
                && (self.allowlist.is_empty() || any(&self.allowlist, name))
                && !any(&self.denylist, name)
        });
        kept.chain(self.custom.iter().cloned()).collect()
    }
}

/// Splits `NAME=VALUE`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` sets no variable: write `NAME=VALUE`")),
    }
}

fn custom<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, String)>, D::Error> {
    let written = Vec::<String>::deserialize(deserializer)?;
    written.iter().map(|text| assignment(text)).collect::<Result<_, _>>().map_err(de::Error::custom)
}

/// Does `name` match `pattern`, in which `*` stands for any text and `?` for any character?
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_let_through_by_pattern_and_custom_ones_win() {
        let ours = || ["PATH=/bin", "CONSUL_TOKEN=x", "HOME=/", "LANG=C"].map(|v| assignment(v).unwrap());
        let environment = Environment {
            custom: vec![("LANG".to_owned(), "de".to_owned())],
            denylist: vec!["CONSUL_*".to_owned()],
            ..Environment::default()
        };
        let seen = environment.of(ours());
        assert_eq!((seen.len(), seen["LANG"].as_str()), (3, "de"));
        let allowed = Environment { allowlist: vec!["?ATH".to_owned()], ..Environment::default() };
        assert_eq!(allowed.of(ours()).into_keys().collect::<Vec<_>>(), ["PATH"]);
        assert!(Environment { pristine: true, ..Environment::default() }.of(ours()).is_empty());
    }

    #[test]
    fn patterns_match_as_shells_have_them() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("?", "", false),
            ("**a", "ba", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
