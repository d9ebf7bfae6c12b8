//! What happens because nothing did: TTL checks expire, instances that stay critical go. Pure.

use std::sync::Arc;

use wharf_catalog::{Command, ProbeKind, State, Status, Timestamp};

use super::{AGAIN, Answer, Commit, Effect, Entry, Scheduler, follow::follow_one};

/// What a TTL check says once nobody has reported for too long (Consul's words).
const EXPIRED: &str = "TTL expired";
/// The same, before what was reported last.
const EXPIRED_AFTER: &str = "TTL expired (last output before timeout follows): ";
/// How the words for a heartbeat begin.
const SILENT: &str = "no heartbeat within ";

/// Does a check say that nobody has reported for too long?
pub(super) fn is_expired(output: &str) -> bool {
    output.starts_with(EXPIRED) || output.starts_with(SILENT)
}

/// What a check says after such a silence; `told` is what it said before.
fn expired(kind: Option<&ProbeKind>, told: &str) -> String {
    match (kind, told) {
        (_, told) if is_expired(told) => told.to_owned(),
        (Some(ProbeKind::Push { every, grace, .. }), told) => {
            let [whole, every, grace] =
                [every.saturating_add(*grace), *every, *grace].map(humantime::format_duration);
            let last = if told.is_empty() { String::new() } else { format!(". The last said: {told}") };
            format!("{SILENT}{whole} (every {every}, {grace} of grace){last}")
        }
        (_, "") => EXPIRED.to_owned(),
        (_, told) => format!("{EXPIRED_AFTER}{told}"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    /// Nobody reported for a TTL check.
    Expire,
    /// Critical for so long that its instance goes.
    Reap,
    /// What an alias says could not be committed: again.
    Follow,
}

impl Scheduler {
    /// When the silence of a TTL check is too long: what was reported before a restart holds for the time it
    /// had left, everything else for a whole TTL. `None` for what had expired already.
    pub(super) fn first_expiry(&self, now: Timestamp, entry: &Entry, state: &State) -> Option<Timestamp> {
        let ttl = entry.ttl()?;
        if !self.is_first_sync() {
            return Some(now.after(ttl));
        }
        if entry.check.status == Status::Critical && is_expired(&entry.check.output) {
            return None;
        }
        let reported = entry.lease(state, now).map(|left| now.after(left));
        Some(reported.unwrap_or_else(|| entry.registered.after(ttl)).max(now))
    }

    /// Starts or stops the countdown to deregistration. It runs from when this scheduler saw the check turn
    /// critical, or before a restart from when it did; but nothing goes before it was asked once more.
    pub(super) fn watch_critical(&mut self, now: Timestamp, id: &Arc<str>) {
        let is_first_sync = self.is_first_sync();
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let wanted = entry.reap_after().filter(|_| entry.check.status == Status::Critical);
        match (entry.reap, wanted) {
            (None, Some(after)) if is_first_sync => {
                let at = entry.check.status_since.min(now).after(after);
                let at = at.max(now.after(entry.second_opinion()));
                self.set_reap(id, at);
            }
            (None, Some(after)) => self.set_reap(id, now.after(after)),
            (Some(reap), None) => {
                entry.reap = None;
                self.deadlines.remove(&(reap, id.clone(), Deadline::Reap));
            }
            _ => {}
        }
    }

    fn set_reap(&mut self, id: &Arc<str>, at: Timestamp) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.reap = Some(at);
            self.deadlines.insert((at, id.clone(), Deadline::Reap));
        }
    }

    /// What follows from deadlines that have passed at `now`; a deadline has passed when it is reached. `wall`
    /// is the clock that leases were written by, `now` goes as steadily as it did at the start.
    pub(crate) fn expire(&mut self, now: Timestamp, wall: Timestamp, state: &State) -> Vec<Effect> {
        let mut effects = Vec::new();
        while self.next_deadline().is_some_and(|due| due <= now) {
            let Some((_, id, deadline)) = self.deadlines.pop_first() else {
                break;
            };
            match deadline {
                Deadline::Expire => self.expire_ttl(now, wall, &id, state, &mut effects),
                Deadline::Reap => effects.extend(self.reap(now, &id)),
                Deadline::Follow => {
                    if let Some(entry) = self.entries.get_mut(&id) {
                        entry.due = None;
                        follow_one(now, entry, state, &mut effects);
                    }
                }
            }
        }
        effects
    }

    fn expire_ttl(
        &mut self,
        now: Timestamp,
        wall: Timestamp,
        id: &Arc<str>,
        state: &State,
        effects: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        // Somebody else renewed the lease: another writer of this catalog, or a registration.
        if let Some(left) = entry.lease(state, wall).filter(|left| !left.is_zero()) {
            entry.due = Some(now.after(left));
            self.deadlines.insert((now.after(left), id.clone(), Deadline::Expire));
            return;
        }
        entry.due = None;
        let kind = entry.check.probe.as_ref().map(|probe| &probe.kind);
        let output = expired(kind, entry.told().1);
        let answer = Answer { status: Status::Critical, output, response_time: None };
        effects.extend(entry.commit_now(now, &answer).map(Effect::Commit));
        effects.push(Effect::Record(entry.check.clone(), answer));
    }

    fn reap(&mut self, now: Timestamp, id: &Arc<str>) -> Option<Effect> {
        let entry = self.entries.get_mut(id)?;
        let instance = entry.check.instance.clone()?;
        // Once it is gone the next sync forgets the check; if it could not be removed, this comes again.
        let again = now.after(AGAIN.saturating_mul(30));
        entry.reap = Some(again);
        self.deadlines.insert((again, id.clone(), Deadline::Reap));
        Some(Effect::Commit(Commit {
            check: id.clone(),
            number: 0,
            command: Command::DeleteInstance(entry.check.node.clone(), instance),
            urgent: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_silent_heartbeat_says_what_was_expected_and_what_came_last() {
        let (every, grace) = (Duration::from_secs(60), Duration::from_secs(5));
        let push = ProbeKind::Push { every, grace, token: "hash".into() };
        let told = expired(Some(&push), "");
        assert_eq!(told, "no heartbeat within 1m 5s (every 1m, 5s of grace)");
        assert!(is_expired(&told) && expired(Some(&push), &told) == told, "said once");
        assert_eq!(expired(Some(&push), "42 rows"), format!("{told}. The last said: 42 rows"));
        assert!(is_expired(&expired(None, "")) && is_expired(&expired(None, "fine")) && !is_expired("fine"));
    }
}
