//! Is a service up? What its instances together mean.
//!
//! Pure. A service is up while at least `min_healthy` of its instances pass, where passing means what it
//! means for traffic ([`wharf_catalog::Health::takes_traffic`]): a service that no request can reach is
//! down, whatever its checks call it. (To what has no port a warning does nothing: it passes.) Instances in maintenance, on their way out or still starting are
//! excused: each lowers the number that has to pass by one, though not below one; alone they do not make a service up.

use wharf_catalog::Timestamp;

use crate::view::{NO_INSTANCES, ServiceState};

/// What one instance means for its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) kind: Kind,
    /// Since when; for a failing one: since its first failure.
    pub(crate) since: Timestamp,
    /// Why, in words, the instance named; of a passing one: what it warns of.
    pub(crate) reason: String,
}

/// The kinds of standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Passing,
    /// Has never passed, and its grace is not over.
    Starting,
    Maintenance,
    /// Leaves because somebody told it to.
    Draining,
    /// Critical, or died.
    Failing,
}

/// What a service is, since when, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) state: ServiceState,
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
}

/// Judges a service by its instances (those that died and are still missed included).
pub(crate) fn judge(standings: &[&Standing], min_healthy: usize, now: Timestamp) -> Verdict {
    let of = |kind| move |standing: &&&Standing| standing.kind == kind;
    let count = |kind| standings.iter().filter(of(kind)).count();
    let (passing, failing) = (count(Kind::Passing), count(Kind::Failing));
    let excused = standings.len() - passing - failing;
    let needed = min_healthy.saturating_sub(excused).max(1);
    if passing >= needed {
        return up(standings, needed, passing);
    }
    if failing > 0 || passing > 0 {
        return down(standings, needed, passing, now);
    }
    let excuses = [
        (Kind::Starting, ServiceState::Starting),
        (Kind::Maintenance, ServiceState::Paused),
        (Kind::Draining, ServiceState::Unmonitored),
    ];
    let excuse = excuses.into_iter().find_map(|(kind, state)| {
        let last = standings.iter().filter(of(kind)).max_by_key(|standing| standing.since)?;
        Some(Verdict { state, since: last.since, reason: last.reason.clone() })
    });
    excuse.unwrap_or_else(|| Verdict {
        state: ServiceState::Unmonitored,
        since: now,
        reason: NO_INSTANCES.to_owned(),
    })
}

/// Up since the moment enough instances passed.
fn up(standings: &[&Standing], needed: usize, passing: usize) -> Verdict {
    let mut since = since_of(standings, Kind::Passing);
    since.sort_unstable();
    let plural = if standings.len() == 1 { "instance passes" } else { "instances pass" };
    Verdict {
        state: ServiceState::Up,
        since: since[needed - 1],
        reason: format!("{passing} of {} {plural}", standings.len()),
    }
}

/// Down since the first failure that left too few.
fn down(standings: &[&Standing], needed: usize, passing: usize, now: Timestamp) -> Verdict {
    let mut failing: Vec<_> = standings.iter().filter(|s| s.kind == Kind::Failing).collect();
    failing.sort_by_key(|standing| standing.since);
    let counted = passing + failing.len();
    let spare = counted.saturating_sub(needed);
    let Some(culprit) = failing.get(spare).or(failing.last()) else {
        let reason = format!("{passing} of {} instances pass, {needed} needed", standings.len());
        return Verdict { state: ServiceState::Down, since: now, reason };
    };
    let reason = if standings.len() == 1 {
        culprit.reason.clone()
    } else {
        format!("{passing} of {} instances pass; {}", standings.len(), culprit.reason)
    };
    // With too few instances to begin with it is not a failure that tells when.
    let since = if counted >= needed { culprit.since } else { now };
    Verdict { state: ServiceState::Down, since, reason }
}

fn since_of(standings: &[&Standing], kind: Kind) -> Vec<Timestamp> {
    standings.iter().filter(|s| s.kind == kind).map(|s| s.since).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);

    fn judged(standings: &[(Kind, i64)], min_healthy: usize) -> (ServiceState, i64) {
        let standings: Vec<_> = standings
            .iter()
            .map(|&(kind, since)| Standing {
                kind,
                since: Timestamp(since),
                reason: format!("{kind:?} {since}"),
            })
            .collect();
        let verdict = judge(&standings.iter().collect::<Vec<_>>(), min_healthy, NOW);
        (verdict.state, verdict.since.0)
    }

    #[test]
    fn one_passing_instance_keeps_a_service_up() {
        assert_eq!(judged(&[(Kind::Failing, 10), (Kind::Passing, 20)], 1), (ServiceState::Up, 20));
    }

    #[test]
    fn down_begins_when_the_last_spare_instance_fails() {
        let all_fail = [(Kind::Failing, 30), (Kind::Failing, 10), (Kind::Failing, 20)];
        assert_eq!(judged(&all_fail, 1), (ServiceState::Down, 30));
        assert_eq!(judged(&all_fail, 2), (ServiceState::Down, 20));
        assert_eq!(judged(&all_fail, 3), (ServiceState::Down, 10));
    }

    #[test]
    fn maintenance_and_drains_are_no_failures() {
        let excused = [(Kind::Passing, 5), (Kind::Maintenance, 10), (Kind::Draining, 20)];
        assert_eq!(judged(&excused, 3), (ServiceState::Up, 5));
        assert_eq!(judged(&[(Kind::Failing, 10), (Kind::Maintenance, 20)], 1), (ServiceState::Down, 10));
    }

    #[test]
    fn a_service_that_only_has_excused_instances_is_not_tested() {
        assert_eq!(judged(&[(Kind::Maintenance, 1), (Kind::Maintenance, 7)], 1), (ServiceState::Paused, 7));
        assert_eq!(judged(&[(Kind::Draining, 7)], 1), (ServiceState::Unmonitored, 7));
        assert_eq!(judged(&[(Kind::Draining, 7), (Kind::Starting, 9)], 1), (ServiceState::Starting, 9));
        assert_eq!(judged(&[], 1), (ServiceState::Unmonitored, NOW.0));
    }

    #[test]
    fn fewer_instances_than_needed_is_down_since_it_is_known() {
        assert_eq!(judged(&[(Kind::Passing, 7)], 2), (ServiceState::Down, NOW.0));
        assert_eq!(judged(&[(Kind::Passing, 7)], 0), (ServiceState::Up, 7));
    }
}
