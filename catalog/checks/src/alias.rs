//! What does a check say that follows others? Pure: the worst of what it follows, in Consul's words.

use std::sync::Arc;

use wharf_catalog::{Check, State, Status};

use crate::schedule::Told;

/// What `alias` has to say: it follows instance `service` of `node` with its node's checks, or without a
/// service the node alone. Never itself.
pub(crate) fn told(state: &State, alias: &Check, node: Option<&str>, service: Option<&str>) -> Told {
    let node = node.unwrap_or(&alias.node);
    let Some(id) = service else {
        if state.node(node).is_none() {
            return critical(format!("Node {node} could not be found"));
        }
        return worst(alias, state.checks_of(node, "").iter());
    };
    match state.instance_health(node, id) {
        Some(instance) => worst(alias, instance.checks()),
        None => critical(format!("Service {id} could not be found on node {node}")),
    }
}

fn worst<'a>(alias: &Check, followed: impl Iterator<Item = &'a Arc<Check>>) -> Told {
    let mut told = Told { status: Status::Passing, output: "No checks found.".to_owned() };
    for check in followed.filter(|check| check.node != alias.node || check.id != alias.id) {
        if check.status > told.status {
            let output = format!("Aliased check {:?} failing: {}", check.name, check.output);
            told = Told { status: check.status, output };
        } else if told.status == Status::Passing {
            "All checks passing.".clone_into(&mut told.output);
        }
    }
    told
}

fn critical(output: String) -> Told {
    Told { status: Status::Critical, output }
}

#[cfg(test)]
mod tests {
    use wharf_catalog::{CheckStatusOnPut, Command, Index, Instance, Node, Timestamp, apply::apply};

    use super::*;

    fn state(commands: Vec<Command>) -> State {
        apply(&State::default(), Index(1), Timestamp(0), &commands).unwrap().state
    }

    fn put(id: &str, instance: Option<&str>, status: Status) -> Command {
        let instance = instance.map(Arc::from);
        let output = format!("{id} says so");
        let check = Check { instance, status, output, ..Check::new("n", id, format!("check {id}")) };
        Command::PutCheck(check, CheckStatusOnPut::Set)
    }

    fn fleet(checks: Vec<Command>) -> State {
        let mut commands = vec![Command::PutNode(Node::new("n", "10.0.0.1"))];
        commands.extend(["app", "other"].map(|id| Command::PutInstance(Instance::new("n", id, id))));
        commands.extend(checks);
        state(commands)
    }

    fn of_app(state: &State) -> (Status, String) {
        let Told { status, output } = told(state, &Check::new("n", "alias", "alias"), None, Some("app"));
        (status, output)
    }

    #[test]
    fn the_worst_check_of_the_instance_and_its_node_is_what_the_alias_says() {
        let (passing, warning, critical) = (Status::Passing, Status::Warning, Status::Critical);
        assert_eq!(of_app(&fleet(vec![])), (passing, "No checks found.".to_owned()));
        let well = fleet(vec![put("a", Some("app"), passing), put("b", Some("other"), critical)]);
        assert_eq!(of_app(&well), (passing, "All checks passing.".to_owned()));
        let unwell = fleet(vec![
            put("a", Some("app"), warning),
            put("b", Some("app"), critical),
            put("c", Some("app"), passing),
        ]);
        assert_eq!(of_app(&unwell), (critical, "Aliased check \"check b\" failing: b says so".to_owned()));
        let node = fleet(vec![put("a", None, warning), put("b", Some("app"), passing)]);
        assert_eq!(of_app(&node), (warning, "Aliased check \"check a\" failing: a says so".to_owned()));
    }

    #[test]
    fn what_does_not_exist_is_critical() {
        let (status, output) = of_app(&state(vec![Command::PutNode(Node::new("n", "10.0.0.1"))]));
        assert_eq!((status, &*output), (Status::Critical, "Service app could not be found on node n"));
        let alias = Check::new("n", "alias", "alias");
        assert_eq!(told(&fleet(vec![]), &alias, Some("m"), None).output, "Node m could not be found");
    }

    #[test]
    fn an_alias_of_its_own_node_does_not_follow_itself() {
        let state = fleet(vec![put("alias", None, Status::Critical), put("a", None, Status::Passing)]);
        let told = told(&state, state.check("n", "alias").unwrap(), None, None);
        assert_eq!(told.status, Status::Passing);
    }
}
