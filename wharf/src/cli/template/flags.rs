//! The flags of `wharf template`: consul-template's, by their own names.
//!
//! They may be written with one dash or two (as Go programs have it): [`with_two_dashes`] rewrites the command
//! line before it is parsed.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use wharf_template::{
    Config, Source, TemplateConfig, Wait,
    config::{Commandline, Exec, Reload, SignalName, parse_duration},
    syntax::Syntax,
};

/// The flags.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TemplateArgs {
    #[command(subcommand)]
    pub(super) command: Option<TemplateCommand>,
    /// Settings: a file or a folder of them, may be repeated; .toml is wharf's, everything else consul-template's HCL or JSON
    #[arg(long, value_name = "PATH")]
    pub(super) config: Vec<PathBuf>,
    /// Template, file to write, and command to run after it changed; may be repeated
    #[arg(long, value_name = "IN:OUT[:COMMAND]", value_parser = template)]
    template: Vec<TemplateConfig>,
    /// Catalog to follow, wharf's or Consul's
    #[arg(long, env = "CONSUL_HTTP_ADDR", value_name = "ADDRESS", visible_alias = "consul")]
    consul_addr: Option<String>,
    /// ACL token
    #[arg(long, env = "CONSUL_HTTP_TOKEN", hide_env_values = true, value_name = "TOKEN", alias = "token")]
    consul_token: Option<String>,
    /// File that holds the ACL token
    #[arg(long, env = "CONSUL_HTTP_TOKEN_FILE", value_name = "FILE")]
    consul_token_file: Option<PathBuf>,
    /// User and password of a proxy in front of the catalog
    #[arg(
        long,
        env = "CONSUL_HTTP_AUTH",
        hide_env_values = true,
        value_name = "USER:PASSWORD",
        alias = "auth"
    )]
    consul_auth: Option<String>,
    /// Speak TLS
    #[arg(long, env = "CONSUL_HTTP_SSL", num_args = 0..=1, default_missing_value = "true", require_equals = true, alias = "ssl")]
    consul_ssl: Option<bool>,
    /// Check the server's certificate
    #[arg(long, env = "CONSUL_HTTP_SSL_VERIFY", num_args = 0..=1, default_missing_value = "true", require_equals = true, alias = "ssl-verify")]
    consul_ssl_verify: Option<bool>,
    /// PEM file of the authorities to trust
    #[arg(long, env = "CONSUL_CACERT", value_name = "FILE", alias = "ssl-ca-cert")]
    consul_ssl_ca_cert: Option<PathBuf>,
    /// Folder of such files
    #[arg(long, env = "CONSUL_CAPATH", value_name = "DIR")]
    consul_ssl_ca_path: Option<PathBuf>,
    /// PEM file of the certificate to show
    #[arg(long, env = "CONSUL_CLIENT_CERT", value_name = "FILE", alias = "ssl-cert")]
    consul_ssl_cert: Option<PathBuf>,
    /// PEM file of its key
    #[arg(long, env = "CONSUL_CLIENT_KEY", value_name = "FILE")]
    consul_ssl_key: Option<PathBuf>,
    /// Longest delay between attempts while the catalog is away
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, alias = "retry")]
    consul_retry_max_backoff: Option<Duration>,
    /// Accepted; wharf never gives up
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true)]
    consul_retry: Option<Option<String>>,
    /// Accepted; wharf never gives up
    #[arg(long, hide = true)]
    consul_retry_attempts: Option<String>,
    /// Accepted; wharf begins at 250 ms
    #[arg(long, hide = true)]
    consul_retry_backoff: Option<String>,
    /// Most queries that wait at the catalog at a time
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Accept answers that are behind by up to this; 0s: only the leader's
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_stale: Option<Duration>,
    /// Calm needed before a change is rendered, and the longest delay
    #[arg(long, value_name = "MIN[:MAX]")]
    wait: Option<Wait>,
    /// Render everything once and end
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, default_value_t = false, hide_default_value = true, action = clap::ArgAction::Set, hide_possible_values = true)]
    pub(super) once: bool,
    /// Print what would be written, and write and run nothing
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, default_value_t = false, hide_default_value = true, action = clap::ArgAction::Set, hide_possible_values = true)]
    pub(super) dry: bool,
    /// Program to run beside the templates, told of every change
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// Signal that ends it
    #[arg(long, value_name = "SIGNAL")]
    exec_kill_signal: Option<SignalName>,
    /// How long it may take to end
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    exec_kill_timeout: Option<Duration>,
    /// Signal that makes it take up changed files; without it, it is started anew
    #[arg(long, value_name = "SIGNAL")]
    exec_reload_signal: Option<SignalName>,
    /// Longest random delay before it is told of a change
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    exec_splay: Option<Duration>,
    /// Signal that ends wharf, beside TERM
    #[arg(long, value_name = "SIGNAL")]
    kill_signal: Option<SignalName>,
    /// Signal that makes wharf read its settings again
    #[arg(long, value_name = "SIGNAL")]
    reload_signal: Option<SignalName>,
    /// What opens an action, in Go's language
    #[arg(long, value_name = "TEXT", alias = "default-left-delimiter")]
    left_delimiter: Option<String>,
    /// What closes an action
    #[arg(long, value_name = "TEXT", alias = "default-right-delimiter")]
    right_delimiter: Option<String>,
    /// Let templates run programs with `plugin`: whoever writes one may then run anything
    #[arg(long)]
    allow_plugins: bool,
    /// File to write the process id to
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// debug, info, warn or err
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Tell how the templates do, and metrics, over HTTP here; `wharf template explain` asks there
    #[arg(long, value_name = "IP:PORT")]
    status_addr: Option<SocketAddr>,
}

/// What else can be done with templates.
#[derive(Debug, clap::Subcommand)]
pub(super) enum TemplateCommand {
    /// Say which instances are in a file and which are not, why, and what happened to it lately
    Explain(super::explain::ExplainArgs),
}

impl TemplateArgs {
    /// Lays the flags over `config`.
    pub(super) fn lay_over(&self, config: &mut Config) {
        let catalog = &mut config.catalog;
        lay(&mut catalog.address, &self.consul_addr);
        lay(&mut catalog.token, &self.consul_token);
        lay(&mut catalog.token_file, &self.consul_token_file);
        lay(&mut catalog.auth, &self.consul_auth);
        lay(&mut catalog.ca_cert, &self.consul_ssl_ca_cert);
        lay(&mut catalog.ca_path, &self.consul_ssl_ca_path);
        lay(&mut catalog.cert, &self.consul_ssl_cert);
        lay(&mut catalog.key, &self.consul_ssl_key);
        catalog.tls = self.consul_ssl.unwrap_or(catalog.tls);
        catalog.tls_verify = self.consul_ssl_verify.unwrap_or(catalog.tls_verify);
        catalog.connections = self.connections.unwrap_or(catalog.connections);
        catalog.max_stale = self.max_stale.unwrap_or(catalog.max_stale);
        let second = Duration::from_secs(1);
        catalog.max_backoff =
            self.consul_retry_max_backoff.map_or(catalog.max_backoff, |longest| longest.max(second));
        config.wait = self.wait.unwrap_or(config.wait);
        let process = &mut config.process;
        lay(&mut process.kill_signal, &self.kill_signal);
        lay(&mut process.reload_signal, &self.reload_signal);
        lay(&mut process.pid_file, &self.pid_file);
        lay(&mut process.log_level, &self.log_level);
        lay(&mut process.status_addr, &self.status_addr);
        config.templates.extend(self.template.iter().cloned());
        for template in &mut config.templates {
            template.left_delimiter = template.left_delimiter.take().or(self.left_delimiter.clone());
            template.right_delimiter = template.right_delimiter.take().or(self.right_delimiter.clone());
            template.allow_plugins |= self.allow_plugins;
        }
        self.lay_over_exec(&mut config.exec);
    }

    fn lay_over_exec(&self, exec: &mut Option<Exec>) {
        if let Some(command) = &self.exec {
            let command = Commandline::Line(command.clone());
            match exec {
                Some(exec) => exec.command = command,
                None => *exec = Some(Exec { kill_signal: SignalName::INT, ..Exec::new(command) }),
            }
        }
        if let Some(exec) = exec {
            exec.kill_signal = self.exec_kill_signal.unwrap_or(exec.kill_signal);
            exec.kill_timeout = self.exec_kill_timeout.unwrap_or(exec.kill_timeout);
            exec.splay = self.exec_splay.unwrap_or(exec.splay);
            exec.reload_signal = self.exec_reload_signal.or(exec.reload_signal);
        }
    }
}

fn lay<T: Clone>(setting: &mut Option<T>, flag: &Option<T>) {
    if flag.is_some() {
        setting.clone_from(flag);
    }
}

/// `in:out`, `in:out:command` or `in:out:command:wait`.
fn template(text: &str) -> Result<TemplateConfig, String> {
    let mut parts = text.splitn(3, ':');
    let (source, destination) = match (parts.next(), parts.next()) {
        (Some(source), Some(destination)) if !source.is_empty() && !destination.is_empty() => {
            (source, destination)
        }
        _ => return Err(format!("`{text}` is no template: write `IN:OUT` or `IN:OUT:COMMAND`")),
    };
    let mut template = TemplateConfig::new(Source::File(source.into()), destination);
    template.syntax = (!template.source_is_handlebars()).then_some(Syntax::Go);
    let mut command = parts.next().unwrap_or_default();
    // A command may have colons of its own; only last parts that are a wait are taken for one.
    let ends: Vec<_> = command.rmatch_indices(':').map(|(at, _)| at).take(2).collect();
    let wait = ends.iter().rev().find_map(|at| Some((command[at + 1..].parse::<Wait>().ok()?, *at)));
    if let Some((wait, at)) = wait {
        (template.wait, command) = (Some(wait), &command[..at]);
    }
    if !command.trim().is_empty() {
        template.reload = Some(Reload::Command(Commandline::Line(command.to_owned())));
    }
    Ok(template)
}

/// `-once` as `--once`, for the arguments of `wharf template` only.
pub(crate) fn with_two_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    if arguments.get(1).is_none_or(|command| command != "template") {
        return arguments;
    }
    for argument in arguments.iter_mut().skip(2) {
        let Some(text) = argument.to_str() else { continue };
        let name = text.strip_prefix('-').unwrap_or_default();
        if name.len() > 1 && name.starts_with(|c: char| c.is_ascii_lowercase()) {
            *argument = format!("-{text}").into();
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: TemplateArgs,
    }

    fn config(line: &str) -> Config {
        let arguments = ["wharf", "template"].into_iter().chain(line.split(' ')).map(OsString::from);
        let mut arguments = with_two_dashes(arguments);
        arguments.remove(1);
        let mut config = Config::default();
        Line::try_parse_from(arguments).unwrap().args.lay_over(&mut config);
        config
    }

    #[test]
    fn flags_may_have_one_dash_or_two() {
        for line in
            ["-consul-addr 1.2.3.4:1 -wait=5s -once", "--consul-addr=1.2.3.4:1 --wait 5s:20s --once=true"]
        {
            let config = config(line);
            assert_eq!(config.catalog.url(), "http://1.2.3.4:1");
            assert_eq!(config.wait.max, Duration::from_secs(20));
        }
    }

    #[test]
    fn a_template_is_in_out_command_and_wait() {
        let plain = template("a.ctmpl:/etc/a").unwrap();
        assert_eq!((plain.syntax, plain.reload), (Some(Syntax::Go), None));
        let full = template("a.hbs:b:curl http://x:1/reload:2s:5s").unwrap();
        assert_eq!(full.syntax, None);
        let Some(Reload::Command(command)) = &full.reload else { panic!("{full:?}") };
        assert_eq!(command.argv()[2], "curl http://x:1/reload");
        assert_eq!(full.wait.unwrap().max, Duration::from_secs(5));
        assert!(template("a").is_err() && template(":b").is_err());
    }

    #[test]
    fn exec_flags_make_a_supervised_program() {
        let exec = config("-exec app -exec-kill-timeout 2s -exec-reload-signal SIGHUP").exec.unwrap();
        assert_eq!(exec.kill_timeout, Duration::from_secs(2));
        assert_eq!(exec.reload_signal.unwrap().to_string(), "SIGHUP");
    }

    #[test]
    fn other_commands_keep_their_arguments() {
        let line = ["wharf", "dev", "-x"].map(OsString::from);
        assert_eq!(with_two_dashes(line.clone()), line);
    }
}
