//! What do the operations of a transaction ask of the catalog? Pure: (snapshot, operations) -> commands, and
//! for each which operation it belongs to and what it tells.
//!
//! Deviations: the agent's own node keeps its record, as in `catalog/register`; a service needs a name.

use std::{net::IpAddr, sync::Arc};

use wharf_catalog::{ApplyError, Check, Command, Index, Instance, Node, Record, State};

use super::operation::{Given, KeyOperation, Operation, Subject};
use crate::{
    lookup, session_id,
    wire::{definition::node_id_fault, txn::OperationError},
};

/// What is to be done.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Operations that fail before anything is looked at: then nothing else is told.
    pub(super) refused: Vec<OperationError>,
    /// Operations that fail whatever the catalog holds.
    pub(super) impossible: Vec<OperationError>,
    /// Does any of it write?
    pub(super) writes: bool,
}

/// One command.
#[derive(Debug)]
pub(super) struct Step {
    /// The operation it belongs to, from 0.
    pub(super) operation: usize,
    pub(super) command: Command,
    pub(super) tells: Tells,
}

/// How much of a command's reply the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tells {
    Nothing,
    /// A key without its value.
    Bare,
    Everything,
}

/// Plans the operations of a transaction at an agent of `own_node`.
pub(super) fn plan(state: &State, own_node: &Arc<str>, operations: &[Given]) -> Plan {
    let mut planner = Planner { state, own_node, named: Vec::new() };
    let mut plan = Plan::default();
    for (at, operation) in operations.iter().enumerate() {
        let Some(operation) = operation else { continue };
        plan.writes |= operation.writes();
        let failed = |what| OperationError { op_index: at, what };
        if let Err(what) = operation.acceptable() {
            plan.refused.push(failed(what));
            continue;
        }
        match planner.commands(operation) {
            Ok(commands) => plan.steps.extend(commands.into_iter().map(|(command, tells)| Step {
                operation: at,
                command,
                tells,
            })),
            Err(what) => plan.impossible.push(failed(what)),
        }
    }
    plan
}

type Commands = Vec<(Command, Tells)>;

struct Planner<'a> {
    state: &'a State,
    own_node: &'a Arc<str>,
    /// Nodes this transaction puts.
    named: Vec<Arc<str>>,
}

impl Planner<'_> {
    fn commands(&mut self, operation: &Operation) -> Result<Commands, String> {
        let verb = operation.verb.as_str();
        match &operation.subject {
            Subject::Key(key) => key_command(verb, key).map(|command| vec![command]),
            Subject::Node(node, index) => self.node_commands(verb, node, *index),
            Subject::Service(instance, index) => self.service_commands(verb, instance, *index),
            Subject::Check(check, index) => self.check_commands(verb, check, *index),
        }
    }

    fn node_commands(&mut self, verb: &str, node: &Node, index: Index) -> Result<Commands, String> {
        let puts = matches!(verb, "set" | "cas");
        let known = match verb {
            "delete" | "delete-cas" => lookup::node(self.state, &node.name),
            _ => lookup::registered(self.state, node),
        };
        let own = known.is_some_and(|known| known.name == *self.own_node);
        let name = match known {
            Some(known) if own || !puts => known.name.clone(),
            None if !puts => self.node_name(&node.name),
            _ => node.name.clone(),
        };
        let record = Record::Node(name.clone());
        let put = || {
            let renamed = known.map(|known| Command::RenameNode(known.name.clone(), name.clone()));
            renamed.into_iter().chain([Command::PutNode(Node { name: name.clone(), ..node.clone() })])
        };
        let commands: Vec<_> = match verb {
            "set" | "cas" | "delete" | "delete-cas" if own => vec![],
            "set" | "cas" => put().collect(),
            "delete" | "delete-cas" => vec![Command::DeleteNode(name.clone())],
            "get" => vec![],
            other => return Err(format!("unknown Node verb {other:?}")),
        };
        if puts {
            self.named.push(name);
        }
        Ok(around(verb, record, index, commands))
    }

    fn service_commands(&self, verb: &str, wanted: &Instance, index: Index) -> Result<Commands, String> {
        let node = self.node_name(&wanted.node);
        let id = if wanted.id.is_empty() { &wanted.name } else { &wanted.id };
        let record = Record::Instance(node.clone(), id.clone());
        let commands = match verb {
            "set" | "cas" => {
                vec![Command::PutInstance(Instance { node, id: id.clone(), ..wanted.clone() })]
            }
            "delete" | "delete-cas" => vec![Command::DeleteInstance(node, id.clone())],
            "get" => vec![],
            other => return Err(format!("unknown Service verb {other:?}")),
        };
        Ok(around(verb, record, index, commands))
    }

    fn check_commands(&self, verb: &str, wanted: &Check, index: Index) -> Result<Commands, String> {
        let node = self.node_name(&wanted.node);
        let record = Record::Check(node.clone(), wanted.id.clone());
        let commands = match verb {
            "set" | "cas" => vec![Command::PutCheck(
                Check { node, ..Check::clone(wanted) },
                wharf_catalog::CheckStatusOnPut::Set,
            )],
            "delete" | "delete-cas" => vec![Command::DeleteCheck(node, wanted.id.clone())],
            "get" => vec![],
            other => return Err(format!("unknown Check verb {other:?}")),
        };
        Ok(around(verb, record, index, commands))
    }

    /// A node as it is called once the operations before this one are done.
    fn node_name(&self, asked: &str) -> Arc<str> {
        let named = self.named.iter().find(|name| lookup::same(name, asked));
        let known = || lookup::node(self.state, asked).map(|node| node.name.clone());
        named.cloned().or_else(known).unwrap_or_else(|| Arc::from(asked))
    }
}

/// What a verb expects before `commands`, and reads after them.
fn around(verb: &str, record: Record, index: Index, commands: Vec<Command>) -> Commands {
    let expected = match verb {
        "cas" if index == Index(0) => Some(None),
        "cas" | "delete-cas" => Some(Some(index)),
        _ => None,
    };
    let expects = expected.map(|index| Command::ExpectRecord(record.clone(), index));
    let quiet = expects.into_iter().chain(commands).map(|command| (command, Tells::Nothing));
    let tells = matches!(verb, "set" | "cas" | "get");
    quiet.chain(tells.then_some((Command::ReadRecord(record), Tells::Everything))).collect()
}

fn key_command(verb: &str, operation: &KeyOperation) -> Result<(Command, Tells), String> {
    let KeyOperation { key, value, flags, index, .. } = operation;
    let (key, value, flags) = (key.clone(), value.clone(), *flags);
    Ok(match verb {
        "set" => (Command::SetKey { key, value, flags, cas: None }, Tells::Bare),
        "cas" => (Command::SetKey { key, value, flags, cas: Some(*index) }, Tells::Bare),
        "lock" => {
            let session = session(operation, true)?;
            (Command::AcquireKey { key, value, flags, session }, Tells::Bare)
        }
        "unlock" => {
            let session = session(operation, false)?;
            (Command::ReleaseKey { key, value, flags, session }, Tells::Bare)
        }
        "delete" => (Command::DeleteKey { key, cas: None }, Tells::Nothing),
        "delete-cas" => (Command::DeleteKey { key, cas: Some(*index) }, Tells::Nothing),
        "delete-tree" => (Command::DeleteKeysUnder(key), Tells::Nothing),
        "get" => (Command::ReadKey(key), Tells::Everything),
        "get-tree" => (Command::ReadKeysUnder(key), Tells::Everything),
        "check-index" => (Command::ExpectIndex(key, *index), Tells::Bare),
        "check-session" => (Command::ExpectSession(key, held_by(&operation.session)), Tells::Bare),
        "check-not-exists" => (Command::ExpectAbsent(key), Tells::Nothing),
        other => return Err(format!("unknown KV verb {other:?}")),
    })
}

/// Who wants to lock or unlock; who wants to lock has to name a session.
fn session(operation: &KeyOperation, lock: bool) -> Result<Arc<str>, String> {
    match operation.session.as_str() {
        "" => Err("missing session".to_owned()),
        id if lock => session_id::parse(id),
        id => Ok(held_by(id)),
    }
}

/// What is no session id holds nothing.
fn held_by(id: &str) -> Arc<str> {
    session_id::parse(id).unwrap_or_else(|_| id.into())
}

impl Operation {
    fn writes(&self) -> bool {
        match self.subject {
            Subject::Key(_) => matches!(
                self.verb.as_str(),
                "set" | "cas" | "lock" | "unlock" | "delete" | "delete-cas" | "delete-tree"
            ),
            _ => self.verb != "get",
        }
    }

    /// Does it make sense on its own? Reads of records always do.
    fn acceptable(&self) -> Result<(), String> {
        match &self.subject {
            Subject::Key(operation) if operation.key.is_empty() && self.verb != "delete-tree" => {
                Err("Must provide key".to_owned())
            }
            Subject::Node(node, _) if self.verb != "get" => node_fault(node),
            Subject::Service(instance, _) if self.verb != "get" => self.service_fault(instance),
            Subject::Check(check, _) if check.id.is_empty() && ["set", "cas"].contains(&&*self.verb) => {
                Err("failed inserting check: object missing primary index: it needs a `CheckID`".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn service_fault(&self, instance: &Instance) -> Result<(), String> {
        let puts = matches!(self.verb.as_str(), "set" | "cas");
        if instance.name.is_empty() && !instance.id.is_empty() {
            return Err("Must provide service name with ID".to_owned());
        }
        if instance.name.is_empty() && puts {
            return Err("Must provide service name".to_owned());
        }
        match instance.address.parse::<IpAddr>() {
            Ok(address) if address.is_unspecified() => Err("Invalid service address".to_owned()),
            _ => Ok(()),
        }
    }

    /// Why it failed, in Consul's words where it has some.
    pub(super) fn why(&self, error: &ApplyError) -> String {
        match (&self.subject, error) {
            (Subject::Key(operation), _) => why_key(&self.verb, operation, error),
            (_, ApplyError::Stale(record)) => {
                let to = if self.verb == "cas" { "set" } else { "delete" };
                format!("failed to {to} {}, index is stale", self.named(record))
            }
            (Subject::Node(..), ApplyError::NoNode(name)) => format!("node {name:?} doesn't exist"),
            (_, ApplyError::NoInstance { node, id }) if self.verb == "get" => {
                format!("service {id:?} on node {node:?} doesn't exist")
            }
            (_, ApplyError::NoInstance { .. }) => "Missing service registration".to_owned(),
            (_, ApplyError::NoCheck { node, id }) => format!("check {id:?} on node {node:?} doesn't exist"),
            (_, ApplyError::NoNode(_)) => "Missing node registration".to_owned(),
            (_, other) => other.to_string(),
        }
    }

    fn named(&self, record: &Record) -> String {
        match record {
            Record::Node(name) => format!("node {name:?}"),
            Record::Instance(node, id) => format!("service {id:?} on node {node:?}"),
            Record::Check(node, id) => format!("check {id:?} on node {node:?}"),
        }
    }
}

fn node_fault(node: &Node) -> Result<(), String> {
    if node.name.is_empty() {
        return Err("Must provide node".to_owned());
    }
    node_id_fault(&node.id).map_or(Ok(()), Err)
}

fn why_key(verb: &str, operation: &KeyOperation, error: &ApplyError) -> String {
    match error {
        ApplyError::CasMismatch(key) => {
            let to = if verb == "cas" { "set" } else { "delete" };
            format!("failed to {to} key {key:?}, index is stale")
        }
        ApplyError::Locked(key) => format!("failed to lock key {key:?}, lock is already held"),
        ApplyError::Barred(key) => format!("failed to lock key {key:?} due to lock delay"),
        ApplyError::NotHeld { key, holder } if verb == "check-session" => {
            let (holder, wanted) = (holder.as_deref().unwrap_or_default(), &operation.session);
            format!("failed session check for key {key:?}, current session {holder:?} != {wanted:?}")
        }
        ApplyError::NotHeld { key, .. } => {
            format!("failed to unlock key {key:?}, lock isn't held, or is held by another session")
        }
        ApplyError::OtherIndex { key, found } => {
            format!("failed index check for key {key:?}, current modify index {found} != {}", operation.index)
        }
        ApplyError::KeyExists(key) => format!("key {key:?} exists"),
        ApplyError::NoKey(key) => match verb {
            "check-index" => format!("failed to check index, key {key:?} doesn't exist"),
            "check-session" => format!("failed to check session, key {key:?} doesn't exist"),
            _ => format!("key {key:?} doesn't exist"),
        },
        other => other.to_string(),
    }
}
