//! What does each setting of consul-template mean here?

use std::{fmt::Display, time::Duration};

use super::{
    Complaint,
    syntax::{Item, Node, Place, Value},
};
use crate::{
    Config, Perms, Source, TemplateConfig, Wait,
    config::{CatalogConfig, Commandline, Environment, Exec, Reload, SignalName, parse_duration},
    syntax::Syntax,
};

type Result<T> = std::result::Result<T, Complaint>;

/// What the whole file says beside what goes into the settings at once.
#[derive(Default)]
struct Rest {
    notes: Vec<String>,
    delimiters: (Option<String>, Option<String>),
}

pub(super) fn apply(config: &mut Config, items: &[Item]) -> Result<Vec<String>> {
    let mut rest = Rest::default();
    let first = config.templates.len();
    for item in items {
        setting(config, item, &mut rest)?;
    }
    for template in &mut config.templates[first..] {
        let (left, right) = rest.delimiters.clone();
        template.left_delimiter = template.left_delimiter.take().or(left);
        template.right_delimiter = template.right_delimiter.take().or(right);
    }
    Ok(rest.notes)
}

fn setting(config: &mut Config, item: &Item, rest: &mut Rest) -> Result<()> {
    let value = &item.value;
    match item.key.as_str() {
        "template" => {
            for block in blocks(item)? {
                config.templates.push(template(block)?);
            }
        }
        // Older versions named the address alone.
        "consul" if matches!(value.value, Value::Text(_)) => config.catalog.address = Some(text(value)?),
        "consul" => each(item, |item| consul(&mut config.catalog, item, rest))?,
        "token" => config.catalog.token = given(text(value)?),
        "exec" => exec(&mut config.exec, item)?,
        "wait" => config.wait = wait(item)?,
        "max_stale" => config.catalog.max_stale = duration(value)?,
        "retry" => config.catalog.max_backoff = duration(value)?.max(Duration::from_secs(1)),
        "kill_signal" => config.process.kill_signal = signal(value)?,
        "reload_signal" => config.process.reload_signal = signal(value)?,
        "pid_file" => config.process.pid_file = given(text(value)?).map(Into::into),
        "log_level" => config.process.log_level = given(text(value)?),
        "default_left_delimiter" => rest.delimiters.0 = given(text(value)?),
        "default_right_delimiter" => rest.delimiters.1 = given(text(value)?),
        "vault" | "nomad" => unless_off(item, "wharf reads no secrets or jobs: take these templates out")?,
        "syslog" => unless_off(item, "wharf logs to stderr: have the service manager collect it")?,
        "log_file" => unless_off(item, "wharf logs to stderr: have the service manager collect it")?,
        "deduplicate" => {
            unless_off(item, "one wharf asks each question once already: take this out")?;
        }
        known @ ("block_query_wait"
        | "template_error_fatal"
        | "err_on_failed_lookup"
        | "parse_only"
        | "once") => {
            return unsupported(item.place, known, "take it out of the file");
        }
        unknown => return Err((item.place, format!("no setting `{unknown}`: check the spelling"))),
    }
    Ok(())
}

fn template(block: &[Item]) -> Result<TemplateConfig> {
    let mut template = TemplateConfig::new(Source::Text(String::new()), "");
    template.syntax = Some(Syntax::Go);
    // consul-template renders at once unless it is told to wait.
    let mut source = None;
    for item in block {
        let value = &item.value;
        match item.key.as_str() {
            "source" => source = given(text(value)?).map(|path| Source::File(path.into())).or(source),
            "contents" => source = given(text(value)?).map(Source::Text).or(source),
            "destination" => template.destination = text(value)?.into(),
            "create_dest_dirs" => template.create_dest_dirs = boolean(value)?,
            "command" => template.reload = command(value)?.map(Reload::Command),
            "command_timeout" => template.command_timeout = duration(value)?,
            "exec" => each(item, |item| match item.key.as_str() {
                "command" => {
                    template.reload = command(&item.value)?.map(Reload::Command);
                    Ok(())
                }
                "timeout" => {
                    template.command_timeout = duration(&item.value)?;
                    Ok(())
                }
                "enabled" if boolean(&item.value)? => Ok(()),
                other => {
                    unsupported(item.place, other, "only `command` and `timeout` of a template's `exec` are")
                }
            })?,
            "error_on_missing_key" => template.error_on_missing_key = boolean(value)?,
            "error_fatal" if !boolean(value)? => {}
            "perms" => template.perms = perms(value)?,
            "user" | "uid" => template.user = given(scalar(value)?),
            "group" | "gid" => template.group = given(scalar(value)?),
            "backup" => template.backup = boolean(value)?,
            "left_delimiter" => template.left_delimiter = given(text(value)?),
            "right_delimiter" => template.right_delimiter = given(text(value)?),
            "sandbox_path" => template.sandbox_path = given(text(value)?).map(Into::into),
            "wait" => template.wait = Some(wait(item)?),
            known @ ("error_fatal"
            | "function_denylist"
            | "function_blacklist"
            | "map_to_environment_variable") => {
                return unsupported(item.place, known, "take it out of the template's block");
            }
            unknown => {
                return Err((
                    item.place,
                    format!("no setting `{unknown}` of a template: check the spelling"),
                ));
            }
        }
    }
    let place = block.first().map_or(Place { line: 1, column: 1 }, |item| item.place);
    template.source = source.ok_or((place, "the template has neither `source` nor `contents`".to_owned()))?;
    if template.destination.as_os_str().is_empty() {
        return Err((place, "the template has no `destination`".to_owned()));
    }
    if template.source_is_handlebars() {
        template.syntax = Some(Syntax::Handlebars);
    }
    Ok(template)
}

fn consul(catalog: &mut CatalogConfig, item: &Item, rest: &mut Rest) -> Result<()> {
    let value = &item.value;
    match item.key.as_str() {
        "address" => catalog.address = given(text(value)?),
        "token" => catalog.token = given(text(value)?),
        "token_file" => catalog.token_file = given(text(value)?).map(Into::into),
        "auth" => auth(catalog, item)?,
        "retry" => each(item, |item| match item.key.as_str() {
            "max_backoff" => {
                catalog.max_backoff = duration(&item.value)?;
                Ok(())
            }
            "attempts" | "enabled" | "backoff" => {
                rest.notes.push(format!(
                    "line {}: `retry.{}` says nothing here: wharf never gives up, and begins at 250 ms",
                    item.place.line, item.key
                ));
                Ok(())
            }
            unknown => Err((item.place, format!("no setting `{unknown}` of `retry`: check the spelling"))),
        })?,
        "ssl" => each(item, |item| ssl(catalog, item))?,
        "transport" => {
            rest.notes.push(format!("line {}: `transport` says nothing here", item.place.line));
        }
        known @ ("namespace" | "partition") => {
            return unsupported(item.place, known, "that is Consul Enterprise's");
        }
        unknown => {
            return Err((item.place, format!("no setting `{unknown}` of `consul`: check the spelling")));
        }
    }
    Ok(())
}

fn auth(catalog: &mut CatalogConfig, item: &Item) -> Result<()> {
    let (mut enabled, mut user, mut password) = (None, String::new(), String::new());
    each(item, |item| {
        match item.key.as_str() {
            "enabled" => enabled = Some(boolean(&item.value)?),
            "username" => user = text(&item.value)?,
            "password" => password = text(&item.value)?,
            unknown => {
                return Err((item.place, format!("no setting `{unknown}` of `auth`: check the spelling")));
            }
        }
        Ok(())
    })?;
    catalog.auth = (enabled.unwrap_or(true) && !user.is_empty()).then(|| format!("{user}:{password}"));
    Ok(())
}

fn ssl(catalog: &mut CatalogConfig, item: &Item) -> Result<()> {
    let value = &item.value;
    let path = |node: &Node| Ok(given(text(node)?).map(Into::into));
    match item.key.as_str() {
        "enabled" => catalog.tls = boolean(value)?,
        "verify" => catalog.tls_verify = boolean(value)?,
        "ca_cert" => catalog.ca_cert = path(value)?,
        "ca_path" => catalog.ca_path = path(value)?,
        "cert" => catalog.cert = path(value)?,
        "key" => catalog.key = path(value)?,
        "server_name" => {
            return unsupported(item.place, "server_name", "have the certificate name the address");
        }
        unknown => return Err((item.place, format!("no setting `{unknown}` of `ssl`: check the spelling"))),
    }
    Ok(())
}

fn exec(exec: &mut Option<Exec>, item: &Item) -> Result<()> {
    let mut new = exec.take().unwrap_or_else(|| Exec {
        kill_signal: SignalName::INT,
        ..Exec::new(Commandline::Words(Vec::new()))
    });
    let mut enabled = true;
    each(item, |item| {
        let value = &item.value;
        match item.key.as_str() {
            "command" => new.command = command(value)?.unwrap_or(Commandline::Words(Vec::new())),
            "enabled" => enabled = boolean(value)?,
            "kill_signal" => new.kill_signal = signal(value)?.unwrap_or(SignalName::INT),
            "kill_timeout" => new.kill_timeout = duration(value)?,
            "reload_signal" => new.reload_signal = signal(value)?,
            "splay" => new.splay = duration(value)?,
            "env" => each(item, |item| environment(&mut new.env, item))?,
            "timeout" if duration(value)?.is_zero() => {}
            "timeout" => return unsupported(item.place, "timeout", "take it out of the `exec` block"),
            unknown => {
                return Err((item.place, format!("no setting `{unknown}` of `exec`: check the spelling")));
            }
        }
        Ok(())
    })?;
    *exec = (enabled && !new.command.is_empty()).then_some(new);
    Ok(())
}

fn environment(environment: &mut Environment, item: &Item) -> Result<()> {
    let value = &item.value;
    match item.key.as_str() {
        "pristine" => environment.pristine = boolean(value)?,
        "custom" => {
            environment.custom = texts(value)?
                .iter()
                .map(|text| crate::config::assignment(text))
                .collect::<std::result::Result<_, _>>()
                .map_err(|reason| (value.place, reason))?;
        }
        "allowlist" | "whitelist" => environment.allowlist = texts(value)?,
        "denylist" | "blacklist" => environment.denylist = texts(value)?,
        unknown => return Err((item.place, format!("no setting `{unknown}` of `env`: check the spelling"))),
    }
    Ok(())
}

fn wait(item: &Item) -> Result<Wait> {
    let place = item.value.place;
    let none = Wait { min: Duration::ZERO, max: Duration::ZERO };
    if let Value::Text(text) = &item.value.value {
        return text.parse().map_err(|error: crate::ConfigError| (place, error.to_string()));
    }
    let (mut enabled, mut min, mut max) = (None, None, None);
    each(item, |item| {
        match item.key.as_str() {
            "enabled" => enabled = Some(boolean(&item.value)?),
            "min" => min = Some(duration(&item.value)?),
            "max" => max = Some(duration(&item.value)?),
            unknown => {
                return Err((item.place, format!("no setting `{unknown}` of `wait`: check the spelling")));
            }
        }
        Ok(())
    })?;
    if enabled == Some(false) {
        return Ok(none);
    }
    let min = min.unwrap_or_default();
    let wait = Wait { min, max: max.unwrap_or(min * 4) };
    if wait.min > wait.max {
        return Err((place, "`min` is above `max`".to_owned()));
    }
    Ok(wait)
}

/// The objects behind a key: one, a list of them, or with labels the one they name.
fn blocks(item: &Item) -> Result<Vec<&[Item]>> {
    if let Some(label) = item.labels.first() {
        return Err((item.place, format!("`{}` takes no label: remove `{label}`", item.key)));
    }
    let object = |node: &'_ Node| matches!(node.value, Value::Object(_));
    match &item.value.value {
        Value::Object(items) => Ok(vec![items]),
        Value::List(nodes) if nodes.iter().all(object) => Ok(nodes
            .iter()
            .filter_map(|node| match &node.value {
                Value::Object(items) => Some(items.as_slice()),
                _ => None,
            })
            .collect()),
        _ => Err((item.value.place, format!("`{}` is a block: write `{} {{ ... }}`", item.key, item.key))),
    }
}

fn each(item: &Item, mut read: impl FnMut(&Item) -> Result<()>) -> Result<()> {
    blocks(item)?.into_iter().flatten().try_for_each(&mut read)
}

/// Fine when it is turned off, refused otherwise.
fn unless_off(item: &Item, remedy: &str) -> Result<()> {
    let off = match &item.value.value {
        Value::Object(items) => {
            items.iter().all(|item| item.key == "enabled" && matches!(&item.value.value, Value::Bool(false)))
        }
        Value::Bool(on) => !on,
        _ => false,
    };
    let disabled = matches!(&item.value.value, Value::Object(items)
        if items.iter().any(|item| item.key == "enabled" && item.value.value == Value::Bool(false)));
    if off || disabled { Ok(()) } else { unsupported(item.place, &item.key, remedy) }
}

fn unsupported<T>(place: Place, key: &str, remedy: impl Display) -> Result<T> {
    Err((place, format!("`{key}` is not supported: {remedy}")))
}

fn text(node: &Node) -> Result<String> {
    match &node.value {
        Value::Text(text) => Ok(text.clone()),
        Value::Null => Ok(String::new()),
        _ => Err((node.place, "this should be text in double quotes".to_owned())),
    }
}

fn scalar(node: &Node) -> Result<String> {
    match &node.value {
        Value::Number(number) => Ok(number.clone()),
        _ => text(node),
    }
}

fn texts(node: &Node) -> Result<Vec<String>> {
    match &node.value {
        Value::List(nodes) => nodes.iter().map(text).collect(),
        _ => Err((node.place, "this should be a list of texts".to_owned())),
    }
}

fn boolean(node: &Node) -> Result<bool> {
    match &node.value {
        Value::Bool(value) => Ok(*value),
        Value::Text(text) if text == "true" || text == "1" => Ok(true),
        Value::Text(text) if text == "false" || text == "0" => Ok(false),
        _ => Err((node.place, "this should be `true` or `false`".to_owned())),
    }
}

fn duration(node: &Node) -> Result<Duration> {
    match &node.value {
        Value::Number(number) if number == "0" => Ok(Duration::ZERO),
        Value::Text(text) if text.is_empty() => Ok(Duration::ZERO),
        Value::Text(text) => parse_duration(text).map_err(|reason| (node.place, reason)),
        _ => Err((node.place, "this should be a duration in double quotes, as in \"30s\"".to_owned())),
    }
}

fn signal(node: &Node) -> Result<Option<SignalName>> {
    match text(node)?.as_str() {
        "" | "SIGNULL" => Ok(None),
        name => name.parse().map(Some).map_err(|reason| (node.place, reason)),
    }
}

fn command(node: &Node) -> Result<Option<Commandline>> {
    let command = match &node.value {
        Value::List(nodes) if nodes.len() == 1 => Commandline::Line(text(&nodes[0])?),
        Value::List(_) => Commandline::Words(texts(node)?),
        _ => Commandline::Line(text(node)?),
    };
    Ok(Some(command).filter(|command| !command.is_empty()))
}

/// HCL has octal numbers with a leading zero; JSON has none, and people write the digits as text.
fn perms(node: &Node) -> Result<Option<Perms>> {
    let wrong = || (node.place, "this is no file mode: write octal digits, as in `0644`".to_owned());
    let mode = match &node.value {
        Value::Text(digits) => u32::from_str_radix(digits.trim_start_matches("0o"), 8).ok(),
        Value::Number(digits) => match digits.strip_prefix('0') {
            Some(octal) if !octal.is_empty() => {
                u32::from_str_radix(octal.trim_start_matches(['o', 'O']), 8).ok()
            }
            _ => digits.parse().ok(),
        },
        _ => None,
    };
    let mode = mode.filter(|mode| *mode <= 0o7777).ok_or_else(wrong)?;
    Ok((mode != 0).then_some(Perms(mode)))
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
