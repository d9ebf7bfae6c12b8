//! `/v1/openapi.json`: every path there is, what it takes and what it does. A test walks the router and this
//! table and fails when one has what the other lacks.

mod table;

use axum::{Router, extract::State, response::Response, routing::get};
use serde_json::{Map, Value, json};

use self::table::{FAMILIES, Row};
use crate::{Api, query::Params, respond, routing::exact};

pub(crate) fn routes() -> Router<Api> {
    exact(Router::new(), "/v1/openapi.json", "OPTIONS,GET", get(document))
}

async fn document(State(api): State<Api>, params: Params) -> Response {
    respond::json(params.pretty(), &describe(&api.config.version))
}

fn describe(version: &str) -> Value {
    let mut paths = Map::new();
    for (family, rows) in FAMILIES {
        for row in *rows {
            paths.insert(row.path.to_owned(), describe_path(family, row));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "wharf",
            "summary": "Consul's HTTP API",
            "description": format!("Follows Consul {version}. Errors are plain text. Times are as Go writes them (`10s`)."),
            "version": env!("CARGO_PKG_VERSION"),
        },
        "paths": paths,
        "components": { "parameters": shared_parameters() },
    })
}

fn describe_path(family: &str, row: &Row) -> Value {
    let mut path = Map::new();
    for (method, summary) in row.methods {
        path.insert(method.to_lowercase(), describe_operation(family, row, method, summary));
    }
    Value::Object(path)
}

fn describe_operation(family: &str, row: &Row, method: &str, summary: &str) -> Value {
    let reads = *method == *"GET";
    let mut parameters: Vec<Value> = row
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(row.parameters.iter().map(
        |name| json!({ "name": name, "in": "query", "required": false, "schema": { "type": "string" } }),
    ));
    if row.blocking && reads {
        let named = |name: &&str| json!({ "$ref": format!("#/components/parameters/{name}") });
        parameters.extend(BLOCKING.iter().map(named));
    }
    parameters.push(json!({ "$ref": "#/components/parameters/pretty" }));
    let mut operation = json!({
        "tags": [family],
        "summary": summary,
        "operationId": operation_id(row.path, method),
        "parameters": parameters,
        "responses": {
            "200": { "description": "done" },
            "default": { "description": "why it was not done", "content": { "text/plain": { "schema": { "type": "string" } } } },
        },
    });
    if !reads && *method != *"DELETE" {
        operation["requestBody"] = json!({ "required": false, "content": { "*/*": { "schema": {} } } });
    }
    operation
}

fn operation_id(path: &str, method: &str) -> String {
    let words = path.trim_start_matches("/v1/").split(|it: char| !it.is_ascii_alphanumeric());
    let named: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    format!("{}-{}", method.to_lowercase(), named.join("-"))
}

/// What every read takes that can wait for a change.
const BLOCKING: [&str; 5] = ["dc", "index", "wait", "stale", "consistent"];

fn shared_parameters() -> Value {
    let of = |name: &str, description: &str| {
        json!({ "name": name, "in": "query", "required": false, "description": description,
            "schema": { "type": "string" } })
    };
    json!({
        "dc": of("dc", "Datacenter; only this server's own is known"),
        "index": of("index", "Wait until the answer is younger than this (X-Consul-Index of the last answer)"),
        "wait": of("wait", "Wait no longer than this, as `30s`; at most 10m"),
        "stale": of("stale", "Any server may answer; there is one"),
        "consistent": of("consistent", "Only an answer confirmed by the leader will do; every answer is"),
        "pretty": of("pretty", "Indent the answer"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_path_is_described_twice_and_every_operation_has_a_name_of_its_own() {
        let (mut paths, mut names) = (BTreeSet::new(), BTreeSet::new());
        for (_, rows) in FAMILIES {
            for row in *rows {
                assert!(paths.insert(row.path), "{}", row.path);
                for (method, summary) in row.methods {
                    assert!(names.insert(operation_id(row.path, method)), "{method} {}", row.path);
                    assert!(!summary.is_empty(), "{}", row.path);
                }
            }
        }
    }
}
