//! Which templates are there, and what is done with each?
//!
//! Plain values; [`Config::validate`] finds what can be known to be wrong before anything runs.

mod catalog;
mod exec;
mod guard;
mod reload;
mod source;
mod wait;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::syntax::Syntax;

pub use catalog::CatalogConfig;
pub(crate) use exec::assignment;
pub use exec::{Environment, Exec};
pub use guard::{Damping, MaxShrink, OnEmpty};
pub use reload::{Commandline, Reload, SignalName, Target};
pub use source::{Builtin, Source};
pub use wait::Wait;
pub use wharf_publish::Perms;

/// All templates of one wharf.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// One entry per file to keep up to date.
    pub templates: Vec<TemplateConfig>,
    /// Name of the datacenter the catalog stands for: what `@dc` in a query has to say. Without effect when
    /// the catalog is elsewhere.
    pub datacenter: String,
    /// How long things must be calm before a change is rendered, for templates that say nothing themselves.
    pub wait: Wait,
    /// Which instances are held out because they come and go.
    pub damping: Damping,
    /// A program that runs as long as the templates are followed, and is told of every change.
    pub exec: Option<Exec>,
    /// The catalog to follow, when it is not the one in this process.
    pub catalog: CatalogConfig,
    /// What only `wharf template` needs to know.
    pub process: Process,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            templates: Vec::new(),
            datacenter: "dc1".to_owned(),
            wait: Wait::default(),
            damping: Damping::default(),
            exec: None,
            catalog: CatalogConfig::default(),
            process: Process::default(),
        }
    }
}

/// What a process that only runs templates needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Signal that ends it; default: `INT`. `TERM` always does.
    pub kill_signal: Option<SignalName>,
    /// Signal that makes it read its settings again; default: `HUP`.
    pub reload_signal: Option<SignalName>,
    /// File to write its process id to.
    pub pid_file: Option<PathBuf>,
    /// How much is logged: `debug`, `info`, `warn` or `err`.
    pub log_level: Option<String>,
    /// Where it tells how its templates do, and its metrics; default: nowhere.
    pub status_addr: Option<SocketAddr>,
}

/// One template and the file it keeps up to date.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateConfig {
    /// What logs, metrics and pages call it; default: the destination's file name.
    #[serde(default)]
    pub name: Option<String>,
    /// Path of a template file, or the name of a built-in one (`nginx`).
    pub source: Source,
    /// The file to write.
    pub destination: PathBuf,
    /// The language of the template; default: Go's for `.ctmpl`, `.tmpl` and `.tpl`, else Handlebars.
    #[serde(default)]
    pub syntax: Option<Syntax>,
    /// What opens an action, in Go's language; default: `{{`.
    #[serde(default)]
    pub left_delimiter: Option<String>,
    /// What closes an action, in Go's language; default: `}}`.
    #[serde(default)]
    pub right_delimiter: Option<String>,
    /// Is a field that a map lacks an error, in Go's language? Otherwise it reads `<no value>`.
    #[serde(default)]
    pub error_on_missing_key: bool,
    /// Make the directories of the destination that are missing?
    #[serde(default = "yes")]
    pub create_dest_dirs: bool,
    /// Program and arguments that must succeed before a new file is published. `{{candidate}}` stands for
    /// the path of the new file, `{{destination}}` for that of the old one. No shell is involved: for one,
    /// write `["sh", "-c", "..."]`, or the line as one string.
    #[serde(default)]
    pub check: Option<Commandline>,
    /// What makes the reader of the file take it up: a command (same placeholders), or a signal.
    #[serde(default)]
    pub reload: Option<Reload>,
    /// Longest run of either command; then it and its children are killed.
    #[serde(default = "command_timeout", deserialize_with = "duration")]
    pub command_timeout: Duration,
    /// How long things must be calm before a change is rendered.
    #[serde(default)]
    pub wait: Option<Wait>,
    /// What to do when everything the template lists has gone from the catalog.
    #[serde(default)]
    pub on_empty: OnEmpty,
    /// Largest share of what the template lists that may go at once, as in `"50%"`; more is more likely a
    /// catalog that is not sound, and the last file is kept. Default: no limit.
    #[serde(default)]
    pub max_shrink: Option<MaxShrink>,
    /// File mode, as octal digits in a string; default: that of the file that is replaced, else `0644`.
    #[serde(default)]
    pub perms: Option<Perms>,
    /// Name or number of the file's owner; default: that of the file that is replaced, else ours.
    #[serde(default)]
    pub user: Option<String>,
    /// Name or number of the file's group; as `user`.
    #[serde(default)]
    pub group: Option<String>,
    /// Keep the file that was replaced last, as `DESTINATION.bak`?
    #[serde(default)]
    pub backup: bool,
    /// The only directory that the template may include files from; default: any.
    #[serde(default)]
    pub sandbox_path: Option<PathBuf>,
    /// May it run programs, with `plugin`? Whoever writes the template then may run anything.
    #[serde(default)]
    pub allow_plugins: bool,
    /// Values the template sees as `vars.NAME`.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
}

impl TemplateConfig {
    /// A template without commands, everything else by default.
    pub fn new(source: Source, destination: impl Into<PathBuf>) -> Self {
        Self {
            name: None,
            source,
            destination: destination.into(),
            syntax: None,
            left_delimiter: None,
            right_delimiter: None,
            error_on_missing_key: false,
            create_dest_dirs: true,
            check: None,
            reload: None,
            command_timeout: command_timeout(),
            wait: None,
            on_empty: OnEmpty::default(),
            max_shrink: None,
            perms: None,
            user: None,
            group: None,
            backup: false,
            sandbox_path: None,
            allow_plugins: false,
            vars: BTreeMap::new(),
        }
    }

    /// The built-in nginx configuration, checked by `nginx -t` and taken up by `nginx -s reload`.
    pub fn nginx(destination: impl Into<PathBuf>) -> Self {
        Self {
            check: Some(Commandline::of(["nginx", "-t", "-q", "-c", "{{candidate}}"])),
            reload: Some(Reload::Command(Commandline::of([
                "nginx",
                "-s",
                "reload",
                "-c",
                "{{destination}}",
            ]))),
            ..Self::new(Source::Builtin(Builtin::Nginx), destination)
        }
    }

    /// Does its file's name say that it is written in Handlebars?
    pub fn source_is_handlebars(&self) -> bool {
        let Source::File(path) = &self.source else { return false };
        path.extension().is_some_and(|extension| extension == "hbs" || extension == "handlebars")
    }

    /// What logs, metrics and pages call it.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let file = self.destination.file_name().unwrap_or(self.destination.as_os_str());
            file.to_string_lossy().into_owned()
        })
    }
}

fn yes() -> bool {
    true
}

fn command_timeout() -> Duration {
    Duration::from_secs(30)
}

pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// A duration in words, as in `30s`, `1m30s` or `250ms`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text.trim())
        .map_err(|error| format!("`{text}` is no duration ({error}): write `30s`"))
}

/// What is wrong with a configuration. Each names the setting to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Name one that exists, or write a path.
    #[error("no built-in template `{0}`: there is `nginx`; for a file of that name write `./{0}`")]
    UnknownBuiltin(String),
    /// Write it as consul-template does.
    #[error("`{0}` is no wait: write `min:max` with min not above max, as in `10ms:100ms`")]
    Wait(String),
    /// Give one of them a `name` of its own.
    #[error("two templates are called `{0}`: give one another `name`")]
    DuplicateName(String),
    /// Two templates would overwrite each other's file for ever.
    #[error("two templates write `{0}`: give one another `destination`")]
    DuplicateDestination(PathBuf),
    /// The template would overwrite itself.
    #[error("template `{0}` has its own source as destination")]
    OverwritesSource(String),
    /// Leave the setting out instead.
    #[error("template `{template}` has an empty `{setting}` command: leave it out or name a program")]
    EmptyCommand {
        /// Label of the template.
        template: String,
        /// `check` or `reload`.
        setting: &'static str,
    },
    /// Leave the table out instead.
    #[error("the `exec` table has an empty `command`: leave the table out or name a program")]
    EmptyExec,
    /// A path that names a directory or nothing.
    #[error("template `{0}` has a destination that names no file")]
    NoFile(String),
}

impl Config {
    /// A table that only means something to a process that runs templates and nothing else, if it is used.
    pub fn only_alone(&self) -> Option<&'static str> {
        let catalog = (self.catalog != CatalogConfig::default()).then_some("catalog");
        catalog.or((self.process != Process::default()).then_some("process"))
    }

    /// Looks for settings that contradict each other.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (mut names, mut destinations) = (BTreeSet::new(), BTreeSet::new());
        if self.exec.as_ref().is_some_and(|exec| exec.command.is_empty()) {
            return Err(ConfigError::EmptyExec);
        }
        for template in &self.templates {
            template.validate()?;
            if !names.insert(template.label()) {
                return Err(ConfigError::DuplicateName(template.label()));
            }
            if !destinations.insert(&template.destination) {
                return Err(ConfigError::DuplicateDestination(template.destination.clone()));
            }
        }
        Ok(())
    }
}

impl TemplateConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        if self.destination.file_name().is_none() {
            return Err(ConfigError::NoFile(self.label()));
        }
        if self.source == Source::File(self.destination.clone()) {
            return Err(ConfigError::OverwritesSource(self.label()));
        }
        let reload = self.reload.as_ref().and_then(Reload::command);
        for (setting, command) in [("check", self.check.as_ref()), ("reload", reload)] {
            if command.is_some_and(Commandline::is_empty) {
                let template = self.label();
                return Err(ConfigError::EmptyCommand { template, setting });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        toml::from_str::<Config>(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_whole_entry_is_read() {
        let config = parse(
            r#"
            [[templates]]
            source = "nginx"
            destination = "/etc/nginx/nginx.conf"
            check = ["nginx", "-t", "-c", "{{candidate}}"]
            command_timeout = "5s"
            wait = "50ms:2s"
            on_empty = "render"
            perms = "0640"
            vars = { listen = "0.0.0.0:80", n = 3 }
            "#,
        )
        .unwrap();
        let template = &config.templates[0];
        assert_eq!(template.source, Source::Builtin(Builtin::Nginx));
        assert_eq!(template.wait.unwrap().max, Duration::from_secs(2));
        assert_eq!(template.perms, Some(Perms(0o640)));
        assert_eq!(template.label(), "nginx.conf");
        assert_eq!(template.vars["n"], 3);
        config.validate().unwrap();
    }

    #[test]
    fn wait_alone_means_four_times_that_at_most() {
        assert_eq!("2s".parse::<Wait>().unwrap().max, Duration::from_secs(8));
        assert_eq!("2s:1s".parse::<Wait>(), Err(ConfigError::Wait("2s:1s".to_owned())));
    }

    #[test]
    fn wrong_settings_are_named_with_the_remedy() {
        let entry =
            |more: &str| parse(&format!("[[templates]]\nsource = \"a.hbs\"\ndestination = \"a\"\n{more}"));
        assert!(entry("perms = \"rw\"").unwrap_err().contains("octal digits"));
        assert!(entry("colour = 1").unwrap_err().contains("unknown field `colour`"));
        assert!(entry("wait = \"soon\"").unwrap_err().contains("min:max"));
        assert!(
            parse("[[templates]]\nsource = \"nginks\"\ndestination = \"a\"")
                .unwrap_err()
                .contains("there is `nginx`")
        );
        let empty = entry("check = []").unwrap();
        assert!(matches!(empty.validate(), Err(ConfigError::EmptyCommand { setting: "check", .. })));
        let mut twice = entry("").unwrap();
        twice.templates.push(twice.templates[0].clone());
        assert_eq!(twice.validate(), Err(ConfigError::DuplicateName("a".to_owned())));
    }
}
