//! Commands on sessions and deadlines, and what the end of a session does to the keys it held.

use super::*;
use crate::{Behavior, session::MAX_LOCK_DELAY};

impl Draft {
    pub(super) fn put_session(&mut self, wanted: &Session) -> Result<(), ApplyError> {
        if self.state.node(&wanted.node).is_none() {
            return Err(ApplyError::NoNode(wanted.node.clone()));
        }
        for id in wanted.node_checks.iter().chain(&wanted.service_checks) {
            let Some(check) = self.state.check(&wanted.node, id) else {
                return Err(ApplyError::NoCheck { node: wanted.node.clone(), id: id.clone() });
            };
            if check.status == Status::Critical {
                return Err(ApplyError::CriticalCheck(id.clone()));
            }
        }
        let session = Session { created: self.index, modified: self.index, ..wanted.clone() };
        let expires = session.expires(self.now);
        self.push(Change::PutSession(Arc::new(session)));
        match expires {
            Some(deadline) => self.push(Change::PutLease(wanted.id.clone(), deadline)),
            None => self.end_lease(&wanted.id),
        }
        Ok(())
    }

    pub(super) fn renew_session(&mut self, id: &Arc<str>) -> Result<(), ApplyError> {
        let Some(session) = self.state.session(id) else {
            return Err(ApplyError::NoSession(id.clone()));
        };
        if let Some(deadline) = session.expires(self.now) {
            self.push(Change::PutLease(id.clone(), deadline));
        }
        Ok(())
    }

    pub(super) fn renew_check(
        &mut self,
        node: &Arc<str>,
        id: &Arc<str>,
        until: Timestamp,
    ) -> Result<(), ApplyError> {
        if self.state.check(node, id).is_none() {
            return Err(ApplyError::NoCheck { node: node.clone(), id: id.clone() });
        }
        self.push(Change::PutLease(ttl_lease(node, id).into(), until));
        Ok(())
    }

    pub(super) fn end_lease(&mut self, id: &str) {
        if self.state.lease(id).is_some() {
            self.push(Change::DeleteLease(id.into()));
        }
    }

    pub(super) fn end_sessions_of_check(&mut self, node: &str, check: &str) {
        let ids: Vec<_> = self
            .state
            .sessions()
            .filter(|s| s.depends_on(node, check))
            .map(|session| session.id.clone())
            .collect();
        for id in ids {
            self.end_session(&id);
        }
    }

    pub(super) fn expire_session(&mut self, id: &Arc<str>) {
        if self.state.lease(id).is_some_and(|deadline| deadline <= self.now) {
            self.end_session(id);
        }
    }

    /// Lets go or deletes what it held, and bars those keys for its lock-delay.
    pub(super) fn end_session(&mut self, id: &Arc<str>) {
        let Some(session) = self.state.session(id).cloned() else {
            return;
        };
        let keys: Vec<_> = self.state.held_by(id).cloned().collect();
        for key in keys {
            self.give_up(&session, key);
        }
        self.delete_documents_of(id);
        self.end_lease(id);
        self.push(Change::DeleteSession(id.clone()));
    }

    fn give_up(&mut self, session: &Session, key: Arc<str>) {
        let delay = session.lock_delay.min(MAX_LOCK_DELAY);
        if !delay.is_zero() {
            let (from, until) = (self.now, self.now.after(delay));
            self.push(Change::DelayLock { key: key.clone(), from, until });
        }
        let Some(entry) = self.state.kv(&key).cloned() else {
            return;
        };
        match session.behavior {
            Behavior::Delete => self.push(Change::DeleteKey(key, self.index)),
            Behavior::Release => {
                let released = KvEntry { session: None, modified: self.index, ..(*entry).clone() };
                self.push(Change::PutKey(Arc::new(released)));
            }
        }
    }
}
