//! Checks that follow others: told anew whenever the catalog changed, never probed. Pure.

use wharf_catalog::{State, Timestamp};

use super::{Answer, Effect, Entry, Scheduler};

impl Scheduler {
    /// Must [`Self::sync`] be called for more than changes of checks?
    pub(crate) fn follows_others(&self) -> bool {
        !self.aliases.is_empty()
    }

    pub(super) fn follow(&mut self, now: Timestamp, state: &State) -> Vec<Effect> {
        let mut effects = Vec::new();
        for id in &self.aliases {
            if let Some(entry) = self.entries.get_mut(id).filter(|entry| entry.due.is_none()) {
                follow_one(now, entry, state, &mut effects);
            }
        }
        effects
    }
}

/// What `entry`, an alias, has to say of `state`, if that is not what the catalog has.
pub(super) fn follow_one(now: Timestamp, entry: &mut Entry, state: &State, effects: &mut Vec<Effect>) {
    let Some(told) = entry.alias(state).filter(|told| (told.status, &*told.output) != entry.told()) else {
        return;
    };
    let answer = Answer { status: told.status, output: told.output.clone(), response_time: None };
    effects.push(Effect::Commit(entry.tell(now, told)));
    effects.push(Effect::Record(entry.check.clone(), answer));
}
