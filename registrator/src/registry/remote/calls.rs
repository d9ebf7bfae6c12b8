//! Which requests carry out which commands? Pure.

use std::sync::Arc;

use serde_json::{Value, json};
use wharf_catalog::{Check, Command, Instance, State, check::SERVICE_MAINTENANCE_PREFIX};
use wharf_catalog_http::client::definition;

use super::Mode;

/// One PUT.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    /// Parts of the path.
    pub(super) path: Vec<String>,
    /// Parameters.
    pub(super) query: Vec<(&'static str, String)>,
    /// Body.
    pub(super) body: Option<Value>,
}

/// The requests for commands about one instance of `node` (or about none).
pub(super) fn calls(mode: Mode, node: &Arc<str>, commands: &[Command], mirror: &State) -> Vec<Call> {
    let instance = commands.iter().find_map(|command| match command {
        Command::PutInstance(instance) => Some(instance),
        _ => None,
    });
    let rest = commands.iter().filter(|command| match command {
        Command::PutInstance(_) => false,
        Command::PutCheck(check, _) => instance.is_none() || check.is_maintenance(),
        _ => true,
    });
    let its_checks: Vec<_> = commands.iter().filter_map(ordinary_check).collect();
    let scribe = Scribe { mode, node, mirror };
    let first = instance.map(|instance| scribe.register(instance, &its_checks));
    first.into_iter().chain(rest.flat_map(|command| scribe.command(command))).collect()
}

fn ordinary_check(command: &Command) -> Option<&Check> {
    match command {
        Command::PutCheck(check, _) if !check.is_maintenance() => Some(check),
        _ => None,
    }
}

struct Scribe<'a> {
    mode: Mode,
    node: &'a Arc<str>,
    mirror: &'a State,
}

impl Scribe<'_> {
    fn register(&self, instance: &Instance, checks: &[&Check]) -> Call {
        match self.mode {
            Mode::Agent => {
                call(&["agent", "service", "register"], Some(definition::agent_service(instance, checks)))
            }
            Mode::Catalog => self.in_catalog(json!({
                "Service": definition::catalog_service(instance),
                "Checks": checks.iter().map(|check| definition::catalog_check(check)).collect::<Vec<_>>(),
            })),
        }
    }

    fn command(&self, command: &Command) -> Vec<Call> {
        match command {
            Command::DeleteInstance(_, instance) => vec![self.deregister(instance)],
            Command::PutCheck(check, _) => self.put_check(check),
            Command::DeleteCheck(_, check) => vec![self.delete_check(check)],
            Command::SetCheckStatus { check, status, output, .. } => {
                self.report(check, &json!({ "Status": status.as_str(), "Output": output }))
            }
            // The agent looks after its node.
            Command::PutNode(node) if self.mode == Mode::Catalog => {
                let body = json!({ "Node": &*node.name, "Address": node.address });
                vec![call(&["catalog", "register"], Some(body))]
            }
            _ => Vec::new(),
        }
    }

    fn deregister(&self, instance: &str) -> Call {
        match self.mode {
            Mode::Agent => call(&["agent", "service", "deregister", instance], None),
            Mode::Catalog => self.out_of_catalog("ServiceID", instance),
        }
    }

    fn put_check(&self, check: &Check) -> Vec<Call> {
        let instance = check.instance.as_deref().unwrap_or_default();
        match self.mode {
            Mode::Catalog => vec![self.in_catalog(json!({ "Checks": [definition::catalog_check(check)] }))],
            Mode::Agent if check.is_maintenance() => {
                // An agent keeps the old reason unless the maintenance ends first.
                let stands = self.mirror.check(self.node, &check.id).is_some();
                let end = stands.then(|| maintenance(instance, None));
                end.into_iter().chain([maintenance(instance, Some(&check.notes))]).collect()
            }
            Mode::Agent => {
                vec![call(&["agent", "check", "register"], Some(definition::agent_check(check)))]
            }
        }
    }

    fn delete_check(&self, check: &str) -> Call {
        match (self.mode, check.strip_prefix(SERVICE_MAINTENANCE_PREFIX)) {
            (Mode::Catalog, _) => self.out_of_catalog("CheckID", check),
            (Mode::Agent, Some(instance)) => maintenance(instance, None),
            (Mode::Agent, None) => call(&["agent", "check", "deregister", check], None),
        }
    }

    fn report(&self, check: &str, said: &Value) -> Vec<Call> {
        if self.mode == Mode::Agent {
            return vec![call(&["agent", "check", "update", check], Some(said.clone()))];
        }
        let Some(held) = self.mirror.check(self.node, check) else {
            return Vec::new();
        };
        let mut record = definition::catalog_check(held);
        (record["Status"], record["Output"]) = (said["Status"].clone(), said["Output"].clone());
        vec![self.in_catalog(json!({ "Checks": [record] }))]
    }

    fn in_catalog(&self, mut body: Value) -> Call {
        body["Node"] = json!(&**self.node);
        body["SkipNodeUpdate"] = json!(true);
        call(&["catalog", "register"], Some(body))
    }

    fn out_of_catalog(&self, what: &str, id: &str) -> Call {
        call(&["catalog", "deregister"], Some(json!({ "Node": &**self.node, what: id })))
    }
}

fn maintenance(instance: &str, reason: Option<&str>) -> Call {
    let query = match reason {
        Some(reason) => vec![("enable", "true".to_owned()), ("reason", reason.to_owned())],
        None => vec![("enable", "false".to_owned())],
    };
    Call { query, ..call(&["agent", "service", "maintenance", instance], None) }
}

fn call(path: &[&str], body: Option<Value>) -> Call {
    let path = ["v1"].iter().chain(path).map(|part| (*part).to_owned()).collect();
    Call { path, query: Vec::new(), body }
}

#[cfg(test)]
mod tests {
    use wharf_catalog::{CheckStatusOnPut, Node, Status, Timestamp, apply::apply};

    use super::*;

    fn put(check: Check) -> Command {
        Command::PutCheck(check, CheckStatusOnPut::Keep)
    }

    fn check(id: &str) -> Check {
        Check { instance: Some("web-1".into()), ..Check::new("node", id, id) }
    }

    fn told(mode: Mode, commands: &[Command], mirror: &State) -> Vec<String> {
        let calls = calls(mode, &"node".into(), commands, mirror);
        calls.iter().map(|call| format!("{} {:?}", call.path.join("/"), call.query)).collect()
    }

    #[test]
    fn an_instance_and_its_checks_are_one_request() {
        let instance = Command::PutInstance(Instance::new("node", "web-1", "web"));
        let out = put(Check::maintenance(&"node".into(), &"web-1".into(), "draining: x"));
        let commands = [instance, put(check("service:web-1")), put(check("service:web-1:2")), out];
        assert_eq!(
            told(Mode::Agent, &commands, &State::default()),
            [
                "v1/agent/service/register []",
                r#"v1/agent/service/maintenance/web-1 [("enable", "true"), ("reason", "draining: x")]"#
            ]
        );
        let calls = calls(Mode::Agent, &"node".into(), &commands, &State::default());
        assert_eq!(calls[0].body.as_ref().unwrap()["Checks"].as_array().unwrap().len(), 2);
        assert_eq!(told(Mode::Catalog, &commands, &State::default()).len(), 2);
    }

    #[test]
    fn a_maintenance_with_another_reason_ends_first() {
        let out = Check::maintenance(&"node".into(), &"web-1".into(), "paused: x");
        let commands = [
            Command::PutNode(Node::new("node", "10.0.0.1")),
            Command::PutInstance(Instance::new("node", "web-1", "web")),
            put(out.clone()),
        ];
        let state = State::default();
        let mirror = apply(&state, state.index().next(), Timestamp(1), &commands).unwrap().state;
        let told = told(Mode::Agent, &[put(Check { notes: "draining: y".to_owned(), ..out })], &mirror);
        assert!(
            told.len() == 2 && told[0].contains("\"false\"") && told[1].contains("draining: y"),
            "{told:?}"
        );
    }

    #[test]
    fn ids_stay_one_part_of_the_path() {
        let odd = "a/../b?c#d e";
        let commands = [Command::DeleteInstance("node".into(), odd.into())];
        let calls = calls(Mode::Agent, &"node".into(), &commands, &State::default());
        assert_eq!(calls[0].path.last().map(String::as_str), Some(odd));
    }

    #[test]
    fn a_report_goes_to_the_check() {
        let commands = [Command::SetCheckStatus {
            node: "node".into(),
            check: "service:web-1".into(),
            status: Status::Passing,
            output: "ok".to_owned(),
        }];
        assert_eq!(
            told(Mode::Agent, &commands, &State::default()),
            ["v1/agent/check/update/service:web-1 []"]
        );
        assert_eq!(told(Mode::Catalog, &commands, &State::default()), Vec::<String>::new());
    }
}
