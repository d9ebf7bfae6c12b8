//! Restoring: the records of a snapshot take the place of everything that stands, in one commit.
//!
//! The index goes on: what is different afterwards carries the index of the restoring commit, so that
//! watchers wake and nobody's compare-and-set on what was there before succeeds.

use std::collections::HashSet;

use super::*;

type Name = (&'static str, Arc<str>, Arc<str>);

impl Draft {
    pub(super) fn restore(&mut self, records: &[Change]) -> Result<(), ApplyError> {
        let records: Vec<Change> =
            records.iter().map(|record| self.renewed(record)).collect::<Result<_, _>>()?;
        let wanted: HashSet<Name> = records.iter().filter_map(name).collect();
        // Backwards: checks before instances before nodes.
        for standing in self.state.standing().iter().rev() {
            if name(standing).is_some_and(|name| !wanted.contains(&name)) {
                self.remove(standing);
            }
        }
        for record in records {
            self.hold_together(&record)?;
            if !self.stands(&record) {
                self.push(record);
            }
        }
        self.all_hold_together()
    }

    fn remove(&mut self, standing: &Change) {
        let gone = match standing {
            Change::PutNode(it) => Change::DeleteNode(it.name.clone()),
            Change::PutInstance(it) => Change::DeleteInstance(it.node.clone(), it.id.clone()),
            Change::PutCheck(it) => Change::DeleteCheck(it.node.clone(), it.id.clone()),
            Change::PutKey(it) => Change::DeleteKey(it.key.clone(), self.index),
            Change::PutSession(it) => Change::DeleteSession(it.id.clone()),
            Change::PutDocument(it) => Change::DeleteDocument(it.kind.clone(), it.id.clone()),
            Change::PutLease(id, _) => Change::DeleteLease(id.clone()),
            _ => return,
        };
        self.push(gone);
    }

    /// The record as it will stand: as it stands now if it says the same, else changed by this commit.
    fn renewed(&self, record: &Change) -> Result<Change, ApplyError> {
        let (index, state) = (self.index, &self.state);
        macro_rules! renew {
            ($kind:ident, $it:expr, $old:expr) => {{
                let mut new = (**$it).clone();
                match $old {
                    Some(old) => (new.created, new.modified) = (old.created, old.modified),
                    None => (new.created, new.modified) = (new.created.min(index), index),
                }
                if $old.is_some_and(|old| **old != new) {
                    new.modified = index;
                }
                Change::$kind(Arc::new(new))
            }};
        }
        Ok(match record {
            Change::PutNode(it) => renew!(PutNode, it, state.node(&it.name)),
            Change::PutInstance(it) => renew!(PutInstance, it, state.instance(&it.node, &it.id)),
            Change::PutCheck(it) => renew!(PutCheck, it, state.check(&it.node, &it.id)),
            Change::PutKey(it) => renew!(PutKey, it, state.kv(&it.key)),
            Change::PutSession(it) => renew!(PutSession, it, state.session(&it.id)),
            Change::PutDocument(it) => renew!(PutDocument, it, state.document(&it.kind, &it.id)),
            Change::PutLease(..) => record.clone(),
            _ => return Err(ApplyError::NoRecord("a deletion")),
        })
    }

    fn stands(&self, record: &Change) -> bool {
        let state = &self.state;
        match record {
            Change::PutNode(it) => state.node(&it.name) == Some(it),
            Change::PutInstance(it) => state.instance(&it.node, &it.id) == Some(it),
            Change::PutCheck(it) => state.check(&it.node, &it.id) == Some(it),
            Change::PutKey(it) => state.kv(&it.key) == Some(it),
            Change::PutSession(it) => state.session(&it.id) == Some(it),
            Change::PutDocument(it) => state.document(&it.kind, &it.id) == Some(it),
            Change::PutLease(id, deadline) => state.lease(id) == Some(*deadline),
            _ => false,
        }
    }

    /// Is what the record depends on there?
    fn hold_together(&self, record: &Change) -> Result<(), ApplyError> {
        let node = |name: &Arc<str>| match self.state.node(name) {
            Some(_) => Ok(()),
            None => Err(ApplyError::NoNode(name.clone())),
        };
        match record {
            Change::PutInstance(it) => node(&it.node),
            Change::PutSession(it) => node(&it.node),
            Change::PutCheck(it) => {
                node(&it.node)?;
                match &it.instance {
                    Some(id) if self.state.instance(&it.node, id).is_none() => {
                        Err(ApplyError::NoInstance { node: it.node.clone(), id: id.clone() })
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Keys and documents may stand before the sessions they name: looked at when all is there.
    fn all_hold_together(&self) -> Result<(), ApplyError> {
        for record in self.state.standing() {
            let session = match &record {
                Change::PutKey(it) => it.session.clone(),
                Change::PutDocument(it) => it.session.clone(),
                _ => None,
            };
            if let Some(session) = session.filter(|session| self.state.session(session).is_none()) {
                return Err(ApplyError::NoSession(session));
            }
        }
        Ok(())
    }
}

/// What a record is the record of.
fn name(record: &Change) -> Option<Name> {
    let none = || Arc::from("");
    Some(match record {
        Change::PutNode(it) => ("node", it.name.clone(), none()),
        Change::PutInstance(it) => ("instance", it.node.clone(), it.id.clone()),
        Change::PutCheck(it) => ("check", it.node.clone(), it.id.clone()),
        Change::PutKey(it) => ("key", it.key.clone(), none()),
        Change::PutSession(it) => ("session", it.id.clone(), none()),
        Change::PutDocument(it) => ("document", it.kind.clone(), it.id.clone()),
        Change::PutLease(id, _) => ("lease", id.clone(), none()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &[u8]) -> Command {
        Command::SetKey { key: key.into(), value: value.into(), flags: 0, cas: None }
    }

    fn commit(state: &State, commands: &[Command]) -> Result<Applied, Rejected> {
        apply(state, state.index().next(), Timestamp(5), commands)
    }

    fn fleet() -> State {
        let commands = [
            Command::PutNode(Node::new("n", "10.0.0.1")),
            Command::PutInstance(Instance::new("n", "web-1", "web")),
            Command::PutCheck(
                Check { instance: Some("web-1".into()), ..Check::new("n", "c", "c") },
                CheckStatusOnPut::Set,
            ),
            Command::PutSession(Session::new("s", "n")),
            set("stays", b"1"),
            set("changes", b"1"),
            Command::PutDocument(Document::new("query", "q", "{}"), None),
        ];
        let state = commit(&State::default(), &commands).unwrap().state;
        let hold = Command::AcquireKey {
            key: "held".into(),
            value: Arc::from(&b"x"[..]),
            flags: 0,
            session: "s".into(),
        };
        commit(&state, &[hold]).unwrap().state
    }

    #[test]
    fn a_restore_brings_back_everything_and_removes_what_came_later() {
        let before = fleet();
        let records = Arc::new(before.standing());
        let later = [
            Command::PutNode(Node::new("later", "10.0.0.2")),
            Command::DeleteInstance("n".into(), "web-1".into()),
            Command::EndSession("s".into()),
            set("changes", b"2"),
            set("new", b"3"),
        ];
        let after = commit(&before, &later).unwrap().state;
        let restored = commit(&after, &[Command::Restore(records)]).unwrap();
        let state = &restored.state;
        assert!(state.node("later").is_none() && state.kv("new").is_none());
        assert!(state.instance("n", "web-1").is_some() && state.check("n", "c").is_some());
        assert_eq!(state.kv("changes").unwrap().value.as_ref(), b"1");
        assert_eq!(state.kv("held").unwrap().session.as_deref(), Some("s"));
        assert_eq!(state.service("web").count(), 1);
        assert!(state.index() > after.index());
    }

    #[test]
    fn what_a_restore_does_not_change_keeps_its_index_and_the_rest_gets_the_new_one() {
        let before = fleet();
        let records = Arc::new(before.standing());
        let after = commit(&before, &[set("changes", b"2")]).unwrap().state;
        let restored = commit(&after, &[Command::Restore(records)]).unwrap();
        assert_eq!(restored.state.kv("stays").unwrap().modified, Index(1));
        assert_eq!(restored.state.kv("changes").unwrap().modified, restored.state.index());
        assert_eq!(restored.topics, [Topic::Key("changes".into())]);
    }

    #[test]
    fn restoring_what_stands_changes_nothing() {
        let state = fleet();
        let restored = commit(&state, &[Command::Restore(Arc::new(state.standing()))]).unwrap();
        assert!(restored.changes.is_empty());
    }

    #[test]
    fn records_that_do_not_hold_together_are_refused_whole() {
        let state = fleet();
        let parts = |keep: fn(&Change) -> bool| {
            Arc::new(state.standing().into_iter().filter(keep).collect::<Vec<_>>())
        };
        for broken in [
            parts(|change| !matches!(change, Change::PutNode(_))),
            parts(|change| !matches!(change, Change::PutInstance(_))),
            parts(|change| !matches!(change, Change::PutSession(_))),
            Arc::new(vec![Change::DeleteNode("n".into())]),
        ] {
            assert!(commit(&state, &[Command::Restore(broken)]).is_err());
        }
    }
}
