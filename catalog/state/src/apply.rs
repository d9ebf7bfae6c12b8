//! What does a command change? Pure: (state, index, now, commands) -> next state, changes, topics.
//!
//! All commands of one call take effect together or not at all, under one index. A command that says
//! what is already so changes nothing and uses up no index.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    Check, Departure, Document, Index, Instance, KvEntry, Node, Session, State, Status, Timestamp, Topic,
    state::ttl_lease,
};

/// Something somebody wants of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "commands are few and live shortly; a box would be in everybody's way"
)]
pub enum Command {
    /// Create a node or replace its record.
    PutNode(Node),
    /// Give a node (first) another name (second); what runs on it moves along. Unknown: nothing happens.
    RenameNode(Arc<str>, Arc<str>),
    /// Create an instance or replace its record; its node must exist. Its checks stay.
    PutInstance(Instance),
    /// Create a check or replace its definition; its node and instance must exist.
    PutCheck(Check, CheckStatusOnPut),
    /// A check was run, or somebody reported for it.
    SetCheckStatus {
        /// Node of the check.
        node: Arc<str>,
        /// Its id.
        check: Arc<str>,
        /// What it says now.
        status: Status,
        /// What it printed.
        output: String,
    },
    /// Remove a node with its instances and checks; unknown: nothing happens.
    DeleteNode(Arc<str>),
    /// Remove an instance (node, id) with its checks because it is not there any more; unknown: nothing happens.
    DeleteInstance(Arc<str>, Arc<str>),
    /// As [`Self::DeleteInstance`], because somebody asked for it: it has ended, it did not die.
    WithdrawInstance(Arc<str>, Arc<str>),
    /// Remove a check (node, id); unknown: nothing happens.
    DeleteCheck(Arc<str>, Arc<str>),
    /// Set a key. With `cas`: only if its `modified` is that (0: only if it does not exist).
    SetKey {
        /// Full key.
        key: Arc<str>,
        /// New value.
        value: Arc<[u8]>,
        /// The client's number.
        flags: u64,
        /// Expected `modified`.
        cas: Option<Index>,
    },
    /// Delete a key. With `cas`: only if its `modified` is that.
    DeleteKey {
        /// Full key.
        key: Arc<str>,
        /// Expected `modified`.
        cas: Option<Index>,
    },
    /// Delete every key that starts with this.
    DeleteKeysUnder(Arc<str>),
    /// Set a key and hold it for a session.
    AcquireKey {
        /// Full key.
        key: Arc<str>,
        /// New value.
        value: Arc<[u8]>,
        /// The client's number.
        flags: u64,
        /// Who wants to hold it.
        session: Arc<str>,
    },
    /// Set a key that the session holds, and let it go.
    ReleaseKey {
        /// Full key.
        key: Arc<str>,
        /// New value.
        value: Arc<[u8]>,
        /// The client's number.
        flags: u64,
        /// Who holds it.
        session: Arc<str>,
    },
    /// Create a session; its node and checks must exist and none of the checks be critical.
    PutSession(Session),
    /// End a session: what it holds is released or deleted; unknown: nothing happens.
    EndSession(Arc<str>),
    /// End a session if its deadline has passed: somebody may have renewed it since that was noticed.
    ExpireSession(Arc<str>),
    /// Put off the end of a session by its TTL.
    RenewSession(Arc<str>),
    /// Put off the critical end of a TTL check: (node, check, until).
    RenewCheck(Arc<str>, Arc<str>, Timestamp),
    /// The commit is only for a key whose `modified` is that.
    ExpectIndex(Arc<str>, Index),
    /// The commit is only for a key held by that session.
    ExpectSession(Arc<str>, Arc<str>),
    /// The commit is only if this key does not exist.
    ExpectAbsent(Arc<str>),
    /// Create a document or replace its body; its session must exist. With `cas`: only if its `modified` is
    /// that (0: only if it does not exist).
    PutDocument(Document, Option<Index>),
    /// Remove a document; unknown: nothing happens. With `cas`: only if its `modified` is that.
    DeleteDocument {
        /// What sort of document.
        kind: Arc<str>,
        /// Which one.
        id: Arc<str>,
        /// Expected `modified`.
        cas: Option<Index>,
    },
    /// Have exactly these records stand (puts, in the order of [`State::standing`]) and nothing else.
    Restore(Arc<Vec<Change>>),
    /// Read a key as it is at this point of the commit.
    ReadKey(Arc<str>),
    /// Read all keys that start with this, as they are at this point of the commit.
    ReadKeysUnder(Arc<str>),
    /// The commit is only for a node, instance or check whose `modified` is that (`None`: only if there is none).
    ExpectRecord(Record, Option<Index>),
    /// Read a node, instance or check as it is at this point of the commit.
    ReadRecord(Record),
}

/// What a command has to say for itself, beside having been carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Done,
    /// The key as it is after the command.
    Key(Arc<KvEntry>),
    /// The keys asked for.
    Keys(Vec<Arc<KvEntry>>),
    /// The node asked for.
    Node(Arc<Node>),
    /// The instance asked for.
    Instance(Arc<Instance>),
    /// The check asked for.
    Check(Arc<Check>),
}

/// What becomes of the status when a check is registered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatusOnPut {
    /// The new registration's status counts.
    Set,
    /// A check that exists with the same probe keeps its status and output; a new one gets the registration's.
    Keep,
}

/// One thing that became different: what a store keeps. Puts carry the whole new record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// A node's new record.
    PutNode(Arc<Node>),
    /// An instance's new record.
    PutInstance(Arc<Instance>),
    /// A check's new record.
    PutCheck(Arc<Check>),
    /// A key's new entry.
    PutKey(Arc<KvEntry>),
    /// A node is gone.
    DeleteNode(Arc<str>),
    /// An instance (node, id) is gone.
    DeleteInstance(Arc<str>, Arc<str>),
    /// A check (node, id) is gone.
    DeleteCheck(Arc<str>, Arc<str>),
    /// A key is gone since this commit.
    DeleteKey(Arc<str>, Index),
    /// A session's record.
    PutSession(Arc<Session>),
    /// A session has ended.
    DeleteSession(Arc<str>),
    /// A document's new record.
    PutDocument(Arc<Document>),
    /// A document (kind, id) is gone.
    DeleteDocument(Arc<str>, Arc<str>),
    /// Something ends at that time unless it is renewed.
    PutLease(Arc<str>, Timestamp),
    /// Nothing ends there any more.
    DeleteLease(Arc<str>),
    /// How an instance (node, id) that is gone left. For whoever follows now; no store keeps it for later.
    Departed(Arc<str>, Arc<str>, Departure),
    /// Nobody may acquire this key for a while, because its holder was lost. For whoever follows now; no
    /// store keeps it for later.
    DelayLock {
        /// The key.
        key: Arc<str>,
        /// When its holder was lost.
        from: Timestamp,
        /// When it may be acquired again.
        until: Timestamp,
    },
}

/// Why a command cannot be carried out; nothing of its commit is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Register the node first.
    #[error("no node `{0}`")]
    NoNode(Arc<str>),
    /// Remove the other node first, or choose another name.
    #[error("there is a node `{0}` already")]
    NodeExists(Arc<str>),
    /// Register the instance first.
    #[error("no instance `{id}` on node `{node}`")]
    NoInstance {
        /// Node looked at.
        node: Arc<str>,
        /// Id looked for.
        id: Arc<str>,
    },
    /// Register the check first.
    #[error("no check `{id}` on node `{node}`")]
    NoCheck {
        /// Node looked at.
        node: Arc<str>,
        /// Id looked for.
        id: Arc<str>,
    },
    /// Read the key again and retry.
    #[error("key `{0}` was changed by somebody else")]
    CasMismatch(Arc<str>),
    /// Read the document again and retry.
    #[error("{kind} `{id}` was changed by somebody else")]
    DocumentChanged {
        /// What sort of document.
        kind: Arc<str>,
        /// Which one.
        id: Arc<str>,
    },
    /// Take another snapshot: this one does not hold together.
    #[error("the records to restore hold `{0}`, which is not a record")]
    NoRecord(&'static str),
    /// Read the key again and decide anew.
    #[error("key `{key}` was last changed by commit {found}")]
    OtherIndex {
        /// The key.
        key: Arc<str>,
        /// The commit that changed it last.
        found: Index,
    },
    /// Create it first.
    #[error("no key `{0}`")]
    NoKey(Arc<str>),
    /// Choose another key, or read it instead.
    #[error("key `{0}` exists")]
    KeyExists(Arc<str>),
    /// Create a session first; the old one has ended.
    #[error("invalid session \"{0}\"")]
    NoSession(Arc<str>),
    /// Wait until its holder lets go.
    #[error("key `{0}` is held by another session")]
    Locked(Arc<str>),
    /// Wait until the lock-delay after its lost holder has passed.
    #[error("key `{0}` is barred for a while because the session that held it was lost")]
    Barred(Arc<str>),
    /// Only who holds a key may let it go.
    #[error("key `{key}` is not held by this session")]
    NotHeld {
        /// The key.
        key: Arc<str>,
        /// Who holds it instead; `None`: nobody.
        holder: Option<Arc<str>>,
    },
    /// Mend what the check complains about, or leave it out.
    #[error("check `{0}` is critical")]
    CriticalCheck(Arc<str>),
    /// Read the record again and retry.
    #[error("{0} was changed by somebody else")]
    Stale(Record),
}

/// A command that could not be carried out, and which one it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Rejected {
    /// Position of the command in its commit, from 0.
    pub at: usize,
    /// Why.
    pub error: ApplyError,
}

/// The outcome of applying commands.
#[derive(Debug)]
pub struct Applied {
    /// The next state; equal to the given one when `changes` is empty.
    pub state: State,
    /// What became different, in order.
    pub changes: Vec<Change>,
    /// Whose answers changed.
    pub topics: Vec<Topic>,
    /// One for each command.
    pub replies: Vec<Reply>,
}

/// Applies `commands` to `state` as commit `index` at `now`.
pub fn apply(state: &State, index: Index, now: Timestamp, commands: &[Command]) -> Result<Applied, Rejected> {
    let mut draft = Draft { state: state.clone(), index, now, changes: Vec::new(), topics: Vec::new() };
    let mut replies = Vec::with_capacity(commands.len());
    for (at, command) in commands.iter().enumerate() {
        replies.push(draft.command(command).map_err(|error| Rejected { at, error })?);
    }
    let Draft { mut state, changes, topics, .. } = draft;
    if !changes.is_empty() {
        state.seal(index, &topics);
    }
    Ok(Applied { state, changes, topics, replies })
}

pub use records::Record;

struct Draft {
    state: State,
    index: Index,
    now: Timestamp,
    changes: Vec<Change>,
    topics: Vec<Topic>,
}

impl Draft {
    fn command(&mut self, command: &Command) -> Result<Reply, ApplyError> {
        match command {
            Command::PutNode(node) => self.put_node(node),
            Command::RenameNode(from, to) => self.rename_node(from, to)?,
            Command::PutInstance(instance) => self.put_instance(instance)?,
            Command::PutCheck(check, on_put) => self.put_check(check, *on_put)?,
            Command::SetCheckStatus { node, check, status, output } => {
                self.set_check_status(node, check, *status, output)?;
            }
            Command::DeleteNode(node) => self.delete_node(node),
            Command::DeleteInstance(node, id) => self.delete_instance(node, id, false),
            Command::WithdrawInstance(node, id) => self.delete_instance(node, id, true),
            Command::DeleteCheck(node, id) => self.delete_check(node, id),
            Command::PutSession(session) => self.put_session(session)?,
            Command::EndSession(id) => self.end_session(id),
            Command::ExpireSession(id) => self.expire_session(id),
            Command::RenewSession(id) => self.renew_session(id)?,
            Command::RenewCheck(node, check, until) => self.renew_check(node, check, *until)?,
            Command::PutDocument(document, cas) => self.put_document(document, *cas)?,
            Command::DeleteDocument { kind, id, cas } => self.delete_document(kind, id, *cas)?,
            Command::Restore(records) => self.restore(records)?,
            Command::ExpectRecord(record, expected) => return self.expect_record(record, *expected),
            Command::ReadRecord(record) => return self.read_record(record),
            of_keys => return self.key_command(of_keys),
        }
        Ok(Reply::Done)
    }

    fn push(&mut self, change: Change) {
        self.changes.push(change.clone());
        self.state.put(change, &mut self.topics);
    }

    /// Records a check, and ends the sessions that cannot stand what it says.
    fn push_check(&mut self, check: Check) {
        let (node, id, critical) = (check.node.clone(), check.id.clone(), check.status == Status::Critical);
        self.push(Change::PutCheck(Arc::new(check)));
        if critical {
            self.end_sessions_of_check(&node, &id);
        }
    }

    fn put_node(&mut self, wanted: &Node) {
        let old = self.state.node(&wanted.name);
        let created = old.map_or(self.index, |old| old.created);
        let modified = old.map_or(self.index, |old| old.modified);
        let mut node = Node { created, modified, ..wanted.clone() };
        if old.is_none_or(|old| **old != node) {
            node.modified = self.index;
            self.push(Change::PutNode(Arc::new(node)));
        }
    }

    /// Everything on the node is removed and put again under the new name, in the order a store can take.
    fn rename_node(&mut self, from: &Arc<str>, to: &Arc<str>) -> Result<(), ApplyError> {
        let Some(old) = self.state.node(from).filter(|_| from != to).cloned() else {
            return Ok(());
        };
        if self.state.node(to).is_some() {
            return Err(ApplyError::NodeExists(to.clone()));
        }
        let instances: Vec<_> = self.state.instances_on(from).cloned().collect();
        let checks: Vec<_> = self.state.checks_on(from).cloned().collect();
        self.delete_node(from);
        let (name, node, modified) = (to.clone(), to.clone(), self.index);
        self.push(Change::PutNode(Arc::new(Node { name, modified, ..(*old).clone() })));
        for old in instances {
            self.push(Change::PutInstance(Arc::new(Instance {
                node: node.clone(),
                modified,
                ..(*old).clone()
            })));
        }
        for old in checks {
            self.push(Change::PutCheck(Arc::new(Check { node: node.clone(), modified, ..(*old).clone() })));
        }
        Ok(())
    }

    fn put_instance(&mut self, wanted: &Instance) -> Result<(), ApplyError> {
        if self.state.node(&wanted.node).is_none() {
            return Err(ApplyError::NoNode(wanted.node.clone()));
        }
        let old = self.state.instance(&wanted.node, &wanted.id);
        let created = old.map_or(self.index, |old| old.created);
        let modified = old.map_or(self.index, |old| old.modified);
        let mut instance = Instance { created, modified, ..wanted.clone() };
        if old.is_some_and(|old| **old == instance) {
            return Ok(());
        }
        let told_differently = old.is_some_and(|old| old.name != instance.name || old.tags != instance.tags);
        instance.modified = self.index;
        let instance = Arc::new(instance);
        self.push(Change::PutInstance(instance.clone()));
        if told_differently {
            self.retell_checks(&instance);
        }
        Ok(())
    }

    /// Checks carry their service's name and tags; they follow when those change.
    fn retell_checks(&mut self, instance: &Instance) {
        for check in self.state.checks_of(&instance.node, &instance.id).to_vec() {
            let service_tags = instance.tags.clone();
            let told = Check {
                service: instance.name.clone(),
                service_tags,
                modified: self.index,
                ..(*check).clone()
            };
            self.push_check(told);
        }
    }

    fn put_check(&mut self, wanted: &Check, on_put: CheckStatusOnPut) -> Result<(), ApplyError> {
        if self.state.node(&wanted.node).is_none() {
            return Err(ApplyError::NoNode(wanted.node.clone()));
        }
        let mut check = wanted.clone();
        if let Some(id) = &wanted.instance {
            let Some(instance) = self.state.instance(&wanted.node, id) else {
                return Err(ApplyError::NoInstance { node: wanted.node.clone(), id: id.clone() });
            };
            (check.service, check.service_tags) = (instance.name.clone(), instance.tags.clone());
        }
        (check.created, check.modified, check.status_since) = (self.index, self.index, self.now);
        if let Some(old) = self.state.check(&wanted.node, &wanted.id).cloned() {
            if on_put == CheckStatusOnPut::Keep && old.probe == check.probe {
                (check.status, check.output) = (old.status, old.output.clone());
            }
            self.carry_over(&old, &mut check);
            if *old == check {
                return Ok(());
            }
            check.modified = self.index;
        }
        self.push_check(check);
        Ok(())
    }

    fn carry_over(&self, old: &Check, new: &mut Check) {
        (new.created, new.modified) = (old.created, old.modified);
        if new.status == old.status {
            new.status_since = old.status_since;
        }
    }

    fn set_check_status(
        &mut self,
        node: &Arc<str>,
        id: &Arc<str>,
        status: Status,
        output: &str,
    ) -> Result<(), ApplyError> {
        let Some(old) = self.state.check(node, id) else {
            return Err(ApplyError::NoCheck { node: node.clone(), id: id.clone() });
        };
        if old.status == status && old.output == output && old.odd_status.is_none() {
            return Ok(());
        }
        let status_since = if old.status == status { old.status_since } else { self.now };
        let output = output.to_owned();
        let (modified, odd_status) = (self.index, None);
        let check = Check { status, odd_status, output, status_since, modified, ..(**old).clone() };
        self.push_check(check);
        Ok(())
    }

    fn delete_node(&mut self, node: &Arc<str>) {
        if self.state.node(node).is_none() {
            return;
        }
        let ids: Vec<_> = self.state.instances_on(node).map(|i| i.id.clone()).collect();
        for id in ids {
            self.delete_instance(node, &id, true);
        }
        let ids: Vec<_> = self.state.checks_on(node).map(|c| c.id.clone()).collect();
        for id in ids {
            self.delete_check(node, &id);
        }
        let of_node = self.state.sessions().filter(|session| session.node == *node);
        let ids: Vec<_> = of_node.map(|session| session.id.clone()).collect();
        for id in ids {
            self.end_session(&id);
        }
        self.push(Change::DeleteNode(node.clone()));
    }

    fn delete_instance(&mut self, node: &Arc<str>, id: &Arc<str>, withdrawn: bool) {
        if self.state.instance(node, id).is_none() {
            return;
        }
        let checks = self.state.checks_of(node, id).to_vec();
        let in_force = |check: &&Arc<Check>| check.is_maintenance() && check.status == Status::Critical;
        let note = checks.iter().find(in_force).map(|check| check.notes.clone());
        for check in checks {
            self.delete_check(node, &check.id);
        }
        self.push(Change::DeleteInstance(node.clone(), id.clone()));
        let departure = Departure { at: self.now, withdrawn, note };
        self.push(Change::Departed(node.clone(), id.clone(), departure));
    }

    fn delete_check(&mut self, node: &Arc<str>, id: &Arc<str>) {
        if self.state.check(node, id).is_some() {
            self.push(Change::DeleteCheck(node.clone(), id.clone()));
            self.end_lease(&ttl_lease(node, id));
            self.end_sessions_of_check(node, id);
        }
    }
}

mod documents;
mod keys;
#[cfg(test)]
pub(crate) mod properties;
mod records;
mod restore;
mod sessions;
#[cfg(test)]
mod tests;
