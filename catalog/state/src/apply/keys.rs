//! Commands on keys: set, lock, delete, and what a transaction expects and reads.

use super::*;

impl Draft {
    pub(super) fn key_command(&mut self, command: &Command) -> Result<Reply, ApplyError> {
        match command {
            Command::SetKey { key, value, flags, cas } => self.set_key(key, value, *flags, *cas),
            Command::AcquireKey { key, value, flags, session } => self.acquire(key, value, *flags, session),
            Command::ReleaseKey { key, value, flags, session } => self.release(key, value, *flags, session),
            Command::DeleteKey { key, cas } => self.delete_key(key, *cas),
            Command::DeleteKeysUnder(prefix) => self.delete_keys_under(prefix),
            Command::ExpectIndex(key, index) => self.expect_index(key, *index),
            Command::ExpectSession(key, session) => self.expect_session(key, session),
            Command::ExpectAbsent(key) => self.expect_absent(key),
            Command::ReadKey(key) => self.existing(key).map(Reply::Key),
            Command::ReadKeysUnder(prefix) => {
                Ok(Reply::Keys(self.state.keys_under(prefix).cloned().collect()))
            }
            _ => Ok(Reply::Done),
        }
    }

    fn existing(&self, key: &Arc<str>) -> Result<Arc<KvEntry>, ApplyError> {
        self.state.kv(key).cloned().ok_or_else(|| ApplyError::NoKey(key.clone()))
    }

    /// Records the entry if it says anything new; gives what stands now.
    fn put_entry(&mut self, wanted: KvEntry) -> Reply {
        let old = self.state.kv(&wanted.key);
        let created = old.map_or(self.index, |old| old.created);
        let modified = old.map_or(self.index, |old| old.modified);
        let mut entry = KvEntry { created, modified, ..wanted };
        if let Some(old) = old.filter(|old| ***old == entry) {
            return Reply::Key(old.clone());
        }
        entry.modified = self.index;
        let entry = Arc::new(entry);
        self.push(Change::PutKey(entry.clone()));
        Reply::Key(entry)
    }

    fn entry(&self, key: &Arc<str>, value: &Arc<[u8]>, flags: u64) -> KvEntry {
        let old = self.state.kv(key);
        KvEntry {
            key: key.clone(),
            value: value.clone(),
            flags,
            session: old.and_then(|old| old.session.clone()),
            lock_index: old.map_or(0, |old| old.lock_index),
            created: self.index,
            modified: self.index,
        }
    }

    /// A plain set leaves a lock where it is, as Consul's does.
    fn set_key(
        &mut self,
        key: &Arc<str>,
        value: &Arc<[u8]>,
        flags: u64,
        cas: Option<Index>,
    ) -> Result<Reply, ApplyError> {
        let found = self.state.kv(key).map_or(Index(0), |old| old.modified);
        if cas.is_some_and(|expected| found != expected) {
            return Err(ApplyError::CasMismatch(key.clone()));
        }
        Ok(self.put_entry(self.entry(key, value, flags)))
    }

    fn acquire(
        &mut self,
        key: &Arc<str>,
        value: &Arc<[u8]>,
        flags: u64,
        session: &Arc<str>,
    ) -> Result<Reply, ApplyError> {
        if self.state.lock_delayed(key, self.now) {
            return Err(ApplyError::Barred(key.clone()));
        }
        if self.state.session(session).is_none() {
            return Err(ApplyError::NoSession(session.clone()));
        }
        let mut entry = self.entry(key, value, flags);
        match &entry.session {
            Some(holder) if holder == session => {}
            Some(_) => return Err(ApplyError::Locked(key.clone())),
            None => entry.lock_index += 1,
        }
        entry.session = Some(session.clone());
        Ok(self.put_entry(entry))
    }

    fn release(
        &mut self,
        key: &Arc<str>,
        value: &Arc<[u8]>,
        flags: u64,
        session: &Arc<str>,
    ) -> Result<Reply, ApplyError> {
        let mut entry = self.entry(key, value, flags);
        if entry.session.as_ref() != Some(session) {
            return Err(ApplyError::NotHeld { key: key.clone(), holder: entry.session });
        }
        entry.session = None;
        Ok(self.put_entry(entry))
    }

    fn delete_key(&mut self, key: &Arc<str>, cas: Option<Index>) -> Result<Reply, ApplyError> {
        let Some(old) = self.state.kv(key) else {
            return Ok(Reply::Done);
        };
        if cas.is_some_and(|expected| old.modified != expected) {
            return Err(ApplyError::CasMismatch(key.clone()));
        }
        self.push(Change::DeleteKey(key.clone(), self.index));
        Ok(Reply::Done)
    }

    fn delete_keys_under(&mut self, prefix: &str) -> Result<Reply, ApplyError> {
        let keys: Vec<_> = self.state.keys_under(prefix).map(|entry| entry.key.clone()).collect();
        for key in keys {
            self.push(Change::DeleteKey(key, self.index));
        }
        Ok(Reply::Done)
    }

    fn expect_index(&self, key: &Arc<str>, index: Index) -> Result<Reply, ApplyError> {
        let entry = self.existing(key)?;
        if entry.modified == index {
            Ok(Reply::Key(entry))
        } else {
            Err(ApplyError::OtherIndex { key: key.clone(), found: entry.modified })
        }
    }

    fn expect_session(&self, key: &Arc<str>, session: &Arc<str>) -> Result<Reply, ApplyError> {
        let entry = self.existing(key)?;
        // No session named: nobody may hold it.
        if entry.session.as_deref().unwrap_or_default() == &**session {
            return Ok(Reply::Key(entry));
        }
        Err(ApplyError::NotHeld { key: key.clone(), holder: entry.session.clone() })
    }

    fn expect_absent(&self, key: &Arc<str>) -> Result<Reply, ApplyError> {
        if self.state.kv(key).is_some() { Err(ApplyError::KeyExists(key.clone())) } else { Ok(Reply::Done) }
    }
}
