//! Templates in Go's language over a small web shop: what consul-template renders, byte for byte.
//!
//! `tests/ctmpl/fixture.json` holds the requests that fill the catalog, `tests/ctmpl/cases.json` templates and
//! what the real tool (0.20.0) made of them. `WHARF_CTMPL_CASES` names another file of cases to run as well.

#![allow(clippy::unwrap_used, reason = "a broken test has to be loud")]

use std::{collections::BTreeMap, io, path::Path, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;
use wharf_catalog::{
    Check, CheckStatusOnPut, Command, Index, Instance, Node, State, Status, Timestamp, apply::apply,
};
use wharf_template::{
    eval::{Evaluation, Surroundings, evaluate},
    source::Snapshot,
    syntax::{CompileOptions, Syntax, compile},
};

#[derive(Deserialize)]
struct Fixture {
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    path: String,
    body: Option<Value>,
    body_base64: Option<String>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    template: Option<String>,
    template_base64: Option<String>,
    /// What it renders; `None`: see `outcome`.
    renders: Option<String>,
    renders_base64: Option<String>,
    #[serde(default)]
    outcome: Outcome,
    /// Words that the error holds.
    #[serde(default)]
    mentions: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    config: Config,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    #[default]
    Render,
    Error,
    /// Waits for a key.
    Blocks,
}

#[derive(Deserialize, Default)]
struct Config {
    left_delimiter: Option<String>,
    right_delimiter: Option<String>,
    #[serde(default)]
    error_on_missing_key: bool,
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    serde_json::from_value(value.clone()).unwrap_or_default()
}

fn registration(body: &Value) -> Vec<Command> {
    let node = text(body, "Node");
    let mut commands = Vec::new();
    if body["SkipNodeUpdate"] != true {
        let mut record = Node::new(node.as_str(), text(body, "Address"));
        record.id = text(body, "ID");
        record.meta = texts(&body["NodeMeta"]);
        record.tagged_addresses = texts(&body["TaggedAddresses"]);
        commands.push(Command::PutNode(record));
    }
    let service = &body["Service"];
    if service.is_object() {
        let mut instance = Instance::new(node.as_str(), text(service, "ID"), text(service, "Service"));
        instance.address = text(service, "Address");
        instance.port = service["Port"].as_u64().unwrap_or(0).try_into().unwrap();
        instance.tags = serde_json::from_value(service["Tags"].clone()).unwrap_or_default();
        instance.meta = texts(&service["Meta"]);
        instance.enable_tag_override = service["EnableTagOverride"] == true;
        commands.push(Command::PutInstance(instance));
    }
    for check in body["Checks"].as_array().into_iter().flatten() {
        let instance = check["ServiceID"].as_str().map(Arc::from);
        let status: Status = text(check, "Status").parse().unwrap();
        let (notes, output) = (text(check, "Notes"), text(check, "Output"));
        let fresh = Check::new(node.as_str(), text(check, "CheckID"), text(check, "Name"));
        commands.push(Command::PutCheck(
            Check { instance, status, notes, output, ..fresh },
            CheckStatusOnPut::Set,
        ));
    }
    commands
}

fn key(path: &str, request: &Request) -> Command {
    let (key, query) = path.split_once('?').unwrap_or((path, ""));
    let decoded = percent_encoding::percent_decode_str(key).decode_utf8().unwrap().into_owned();
    let value = match (&request.body, &request.body_base64) {
        (_, Some(base64)) => BASE64_STANDARD.decode(base64).unwrap(),
        (Some(Value::String(text)), _) => text.clone().into_bytes(),
        _ => Vec::new(),
    };
    let flags = query.strip_prefix("flags=").map_or(0, |flags| flags.parse().unwrap());
    Command::SetKey { key: decoded.as_str().into(), value: value.into(), flags, cas: None }
}

fn shop() -> State {
    let fixture: Fixture = serde_json::from_str(include_str!("ctmpl/fixture.json")).unwrap();
    let mut commands = vec![Command::PutNode(Node::new("wharf-node", "127.0.0.1"))];
    for request in &fixture.requests {
        match request.path.strip_prefix("/v1/kv/") {
            Some(path) => commands.push(key(path, request)),
            None => commands.extend(registration(request.body.as_ref().unwrap())),
        }
    }
    apply(&State::default(), Index(1), Timestamp(0), &commands).unwrap().state
}

fn run(case: &Case, state: &State) -> Result<Evaluation, String> {
    let source = match &case.template_base64 {
        Some(base64) => BASE64_STANDARD.decode(base64).unwrap(),
        None => case.template.clone().unwrap().into_bytes(),
    };
    let delimiters = case.config.left_delimiter.clone().zip(case.config.right_delimiter.clone());
    let options = CompileOptions {
        syntax: Syntax::Go,
        delimiters,
        error_on_missing_key: case.config.error_on_missing_key,
    };
    let compiled = compile(&source, &options).map_err(|error| error.to_string())?;
    let file = |path: &Path| {
        let found = path.to_str().and_then(|path| case.files.get(path));
        found.map(|text| text.clone().into_bytes()).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let surroundings = Surroundings {
        vars: &Value::Null,
        env: &|name| case.env.get(name).cloned(),
        file: &file,
        now: Timestamp(1_750_000_000_123),
        machine: &|| Ok(Default::default()),
        plugin: None,
    };
    let source = Snapshot { state, datacenter: "dc1", local_node: Some("wharf-node") };
    Ok(evaluate(&compiled, &source, surroundings))
}

/// What is wrong with how a case went.
fn complaint(case: &Case, state: &State) -> Option<String> {
    let outcome = run(case, state).and_then(|evaluation| match evaluation.text {
        Ok(text) => Ok((text, evaluation.missing)),
        Err(error) => Err(error.to_string()),
    });
    match (outcome, &case.outcome) {
        (Ok((text, missing)), Outcome::Render) if missing.is_empty() => {
            let expected = match &case.renders_base64 {
                Some(base64) => BASE64_STANDARD.decode(base64).unwrap(),
                None => case.renders.clone().unwrap().into_bytes(),
            };
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text != expected).then(|| format!("expected\n{}\ngot\n{}", shown(&expected), shown(&text)))
        }
        (Ok((_, missing)), Outcome::Blocks) => missing.is_empty().then(|| "waits for nothing".to_owned()),
        (Err(error), Outcome::Error) => {
            let unsaid = |word: &&String| !error.to_lowercase().contains(&word.to_lowercase());
            case.mentions.iter().find(unsaid).map(|word| format!("the error does not name `{word}`: {error}"))
        }
        (outcome, _) => Some(format!("unexpected: {outcome:?}")),
    }
}

fn check(cases: &str) {
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    let state = shop();
    let failed: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            complaint(case, &state).map(|complaint| format!("--- {}: {complaint}\n", case.name))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} failed\n{}", failed.len(), cases.len(), failed.concat());
}

#[test]
fn templates_render_as_consul_template_renders_them() {
    check(include_str!("ctmpl/cases.json"));
}

#[test]
fn further_cases_named_by_the_environment_pass_too() {
    if let Some(path) = std::env::var_os("WHARF_CTMPL_CASES") {
        check(&std::fs::read_to_string(path).unwrap());
    }
}
