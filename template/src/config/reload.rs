//! How is the reader of a file told that there is a new one?

use std::{fmt, path::PathBuf, str::FromStr};

use rustix::process::Signal;
use serde::{Deserialize, Deserializer, de};

/// A program and its arguments, or a line for the shell.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "a command is one line for the shell, or a list of a program and its arguments"
)]
pub enum Commandline {
    /// Run as it is.
    Words(Vec<String>),
    /// Run by `sh -c`.
    Line(String),
}

impl Commandline {
    /// A program and its arguments.
    pub fn of<const N: usize>(words: [&str; N]) -> Self {
        Self::Words(words.map(str::to_owned).to_vec())
    }

    /// The words to run.
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Line(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        }
    }

    /// Does it name no program?
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Words(words) => words.first().is_none_or(String::is_empty),
            Self::Line(line) => line.trim().is_empty(),
        }
    }
}

/// What is done once a new file is in place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "a reload is a command, or a signal to a process or container, as in `{ signal = \"HUP\", pid_file = \"/run/nginx.pid\" }`"
)]
pub enum Reload {
    /// A command is run; it has to succeed.
    Command(Commandline),
    /// Somebody is sent a signal.
    Signal(Target),
}

impl Reload {
    /// The command, if it is one.
    pub fn command(&self) -> Option<&Commandline> {
        match self {
            Self::Command(command) => Some(command),
            Self::Signal(_) => None,
        }
    }
}

/// Who is sent a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A process.
    Pid(SignalName, i32),
    /// The process whose number stands in a file.
    PidFile(SignalName, PathBuf),
    /// The first process of a container of the local Docker engine, by name or id.
    Container(SignalName, String),
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            #[serde(default)]
            signal: SignalName,
            pid: Option<i32>,
            pid_file: Option<PathBuf>,
            container: Option<String>,
        }
        let Written { signal, pid, pid_file, container } = Written::deserialize(deserializer)?;
        match (pid, pid_file, container) {
            (Some(pid @ 1..), None, None) => Ok(Self::Pid(signal, pid)),
            (None, Some(file), None) => Ok(Self::PidFile(signal, file)),
            (None, None, Some(name)) => Ok(Self::Container(signal, name)),
            _ => Err(de::Error::custom("name one of `pid` (above 0), `pid_file` and `container`")),
        }
    }
}

/// The name of a signal, with or without `SIG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalName(Signal);

const SIGNALS: &[(&str, Signal)] = &[
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ABRT", Signal::ABORT),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("CHLD", Signal::CHILD),
    ("CONT", Signal::CONT),
    ("STOP", Signal::STOP),
    ("TSTP", Signal::TSTP),
    ("TTIN", Signal::TTIN),
    ("TTOU", Signal::TTOU),
    ("URG", Signal::URG),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
];

impl SignalName {
    /// The signal that ends a process at its leisure, as most expect it.
    pub const TERM: Self = Self(Signal::TERM);
    /// The signal of the keyboard.
    pub const INT: Self = Self(Signal::INT);

    /// The signal.
    pub fn signal(self) -> Signal {
        self.0
    }
}

impl Default for SignalName {
    /// `HUP`, which makes most daemons read their files again.
    fn default() -> Self {
        Self(Signal::HUP)
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNALS.iter().find(|(_, signal)| *signal == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => self.0.as_raw().fmt(f),
        }
    }
}

impl FromStr for SignalName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.trim().to_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        match SIGNALS.iter().find(|(known, _)| *known == name) {
            Some((_, signal)) => Ok(Self(*signal)),
            None => Err(format!("`{text}` is no signal: write `HUP`, `TERM`, `USR1` ...")),
        }
    }
}

impl<'de> Deserialize<'de> for SignalName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Line {
        reload: Reload,
    }

    fn parse(text: &str) -> Result<Reload, String> {
        toml::from_str::<Line>(&format!("reload = {text}"))
            .map(|line| line.reload)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_reload_is_a_list_a_line_or_a_signal() {
        assert_eq!(parse("[\"a\", \"b\"]").unwrap(), Reload::Command(Commandline::of(["a", "b"])));
        let line = parse("\"service nginx reload\"").unwrap();
        assert_eq!(line.command().unwrap().argv(), ["sh", "-c", "service nginx reload"]);
        let signal = parse("{ pid_file = \"/run/x.pid\" }").unwrap();
        assert_eq!(signal, Reload::Signal(Target::PidFile(SignalName::default(), "/run/x.pid".into())));
        let signal = parse("{ signal = \"sigusr2\", container = \"web\" }").unwrap();
        assert!(matches!(signal, Reload::Signal(Target::Container(s, _)) if s.to_string() == "SIGUSR2"));
    }

    #[test]
    fn what_is_no_reload_is_told_with_an_example() {
        for wrong in [
            "3",
            "{ signal = \"HUP\" }",
            "{ pid = 0 }",
            "{ pid = 1, container = \"x\" }",
            "{ signal = \"FOO\", pid = 1 }",
        ] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("pid_file = "), "{wrong}: {error}");
        }
    }
}
