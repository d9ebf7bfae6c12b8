//! Which instances come and go too often? They are held out for a while, so that files and their readers have
//! peace. Pure: observations and times in, verdicts out.
//!
//! A transition is a change between passing and not passing (gone included) as templates would have seen it.
//! Invariant: an instance is only ever held *out*; one that does not pass is in no file either way.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use wharf_catalog::{Health, InstanceHealth, Timestamp};

use crate::config::Damping;

/// An instance: datacenter, service, node and id.
type Key = (String, String, String, String);

/// The memory of what instances did lately.
#[derive(Debug)]
pub(crate) struct Dampers {
    config: Damping,
    services: HashMap<(String, String), BTreeMap<(String, String), Track>>,
}

#[derive(Debug)]
struct Track {
    passing: bool,
    transitions: VecDeque<Timestamp>,
    /// How often it was held out lately.
    holds: u32,
    held_until: Option<Timestamp>,
}

/// Who is held out at one moment, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HeldOut {
    reasons: BTreeMap<Key, String>,
    /// When the first of them may come back.
    pub(crate) until: Option<Timestamp>,
}

impl Dampers {
    pub(crate) fn new(config: Damping) -> Self {
        Self { config, services: HashMap::new() }
    }

    /// Takes note of how the instances of a service are at `now`.
    pub(crate) fn observe<'a>(
        &mut self,
        now: Timestamp,
        datacenter: &str,
        service: &str,
        found: impl Iterator<Item = InstanceHealth<'a>>,
    ) {
        if self.config.transitions == 0 {
            return;
        }
        let config = self.config;
        let tracks = self.services.entry((datacenter.to_owned(), service.to_owned())).or_default();
        let mut there = BTreeMap::new();
        for found in found {
            let key = (found.node.name.to_string(), found.instance.id.to_string());
            there.insert(key, found.health() == Health::Passing);
        }
        for (key, passing) in &there {
            // One never seen before begins with what it is.
            tracks.entry(key.clone()).or_insert_with(|| Track::new(*passing));
        }
        tracks.retain(|key, track| {
            track.observe(now, there.get(key).copied().unwrap_or(false), &config);
            there.contains_key(key) || !track.is_settled(now, &config)
        });
    }

    /// Who of these services is held out at `now`.
    pub(crate) fn held_out<'a>(
        &self,
        now: Timestamp,
        services: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> HeldOut {
        let mut held = HeldOut::default();
        for (datacenter, service) in services {
            let tracks = self.services.get(&(datacenter.to_owned(), service.to_owned()));
            for ((node, id), track) in tracks.into_iter().flatten() {
                let Some(until) = track.held_until.filter(|until| now < *until) else { continue };
                held.until = Some(held.until.map_or(until, |first| first.min(until)));
                let reason = format!(
                    "it is flapping ({} changes within {:?}) and held out for {:?}",
                    self.config.transitions,
                    self.config.within,
                    hold(&self.config, track.holds)
                );
                held.reasons.insert((datacenter.into(), service.into(), node.clone(), id.clone()), reason);
            }
        }
        held
    }
}

impl Track {
    fn new(passing: bool) -> Self {
        Self { passing, transitions: VecDeque::new(), holds: 0, held_until: None }
    }

    fn observe(&mut self, now: Timestamp, passing: bool, config: &Damping) {
        let horizon = now.before(config.within);
        self.transitions.retain(|at| *at > horizon);
        // Peace for as long as it was held out makes a fresh start.
        if let Some(until) = self.held_until
            && self.transitions.is_empty()
            && now >= until.after(hold(config, self.holds))
        {
            (self.holds, self.held_until) = (0, None);
        }
        if passing == self.passing {
            return;
        }
        self.passing = passing;
        self.transitions.push_back(now);
        if self.transitions.len() >= config.transitions {
            self.transitions.clear();
            self.holds = self.holds.saturating_add(1);
            self.held_until = Some(now.after(hold(config, self.holds)));
        }
    }

    /// Is there nothing to remember of one that is gone?
    fn is_settled(&self, now: Timestamp, config: &Damping) -> bool {
        let peace = self.held_until.is_none_or(|until| now >= until.after(hold(config, self.holds)));
        peace && self.transitions.back().is_none_or(|last| now.since(*last) > config.within)
    }
}

/// How long the `holds`-th time lasts.
fn hold(config: &Damping, holds: u32) -> Duration {
    let doublings = holds.saturating_sub(1).min(16);
    config.hold.saturating_mul(1 << doublings).min(config.max_hold)
}

impl HeldOut {
    pub(crate) fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Why an instance is held out, if it is.
    pub(crate) fn reason(&self, datacenter: &str, found: &InstanceHealth<'_>) -> Option<String> {
        if self.reasons.is_empty() {
            return None;
        }
        let (node, id) = (found.node.name.to_string(), found.instance.id.to_string());
        self.reasons.get(&(datacenter.to_owned(), found.instance.name.to_string(), node, id)).cloned()
    }

    /// For people: each with its reason.
    pub(crate) fn names(&self) -> Vec<String> {
        self.reasons.iter().map(|((_, _, node, id), reason)| format!("{id} on {node}: {reason}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wharf_catalog::{Change, Check, Index, Instance, Node, State, Status};

    use super::*;

    fn config() -> Damping {
        let seconds = Duration::from_secs;
        Damping { transitions: 4, within: seconds(60), hold: seconds(10), max_hold: seconds(80) }
    }

    /// The catalog with one instance that passes or not, or is not there.
    fn state(passing: Option<bool>) -> State {
        let mut changes = vec![Change::PutNode(Node::new("n", "1.1.1.1").into())];
        if let Some(passing) = passing {
            changes.push(Change::PutInstance(Instance::new("n", "a", "web").into()));
            let status = if passing { Status::Passing } else { Status::Critical };
            let check = Check { status, instance: Some("a".into()), ..Check::new("n", "c", "c") };
            changes.push(Change::PutCheck(check.into()));
        }
        State::restored(Index(1), changes)
    }

    fn see(dampers: &mut Dampers, second: i64, passing: Option<bool>) -> HeldOut {
        let now = Timestamp(second * 1000);
        dampers.observe(now, "", "web", state(passing).service_health("web"));
        dampers.held_out(now, [("", "web")].into_iter())
    }

    #[test]
    fn the_last_of_too_many_changes_holds_it_out_and_each_time_longer() {
        let mut dampers = Dampers::new(config());
        for (second, passing) in [(0, true), (1, false), (2, true), (3, false)] {
            assert_eq!(see(&mut dampers, second, Some(passing)), HeldOut::default(), "at {second}");
        }
        let held = see(&mut dampers, 4, Some(true));
        assert_eq!(held.until, Some(Timestamp(14_000)));
        assert!(held.names()[0].contains("flapping"), "{held:?}");
        let found = state(Some(true));
        let instance = found.service_health("web").next().unwrap();
        assert!(held.reason("", &instance).is_some() && held.reason("dc2", &instance).is_none());
        assert_eq!(see(&mut dampers, 14, Some(true)), HeldOut::default(), "free at exactly the deadline");
        for (second, passing) in [(15, false), (16, true), (17, false)] {
            see(&mut dampers, second, Some(passing));
        }
        assert_eq!(see(&mut dampers, 18, Some(true)).until, Some(Timestamp(38_000)), "twice as long");
    }

    #[test]
    fn going_and_coming_back_counts_like_failing() {
        let mut dampers = Dampers::new(config());
        for (second, passing) in [(0, Some(true)), (1, None), (2, Some(true)), (3, None)] {
            see(&mut dampers, second, passing);
        }
        assert!(see(&mut dampers, 4, Some(true)).until.is_some());
    }

    #[test]
    fn changes_far_apart_are_no_flapping() {
        let mut dampers = Dampers::new(config());
        for round in 0..20 {
            let held = see(&mut dampers, round * 31, Some(round % 2 == 0));
            assert_eq!(held, HeldOut::default());
        }
    }

    #[test]
    fn who_is_gone_for_good_is_forgotten_and_zero_turns_it_off() {
        let mut dampers = Dampers::new(config());
        see(&mut dampers, 0, Some(true));
        see(&mut dampers, 1, None);
        see(&mut dampers, 1000, None);
        assert!(dampers.services.values().all(BTreeMap::is_empty));
        let mut off = Dampers::new(Damping { transitions: 0, ..config() });
        for second in 0..50 {
            assert_eq!(see(&mut off, second, Some(second % 2 == 0)), HeldOut::default());
        }
    }

    proptest! {
        #[test]
        fn nobody_is_held_out_without_that_many_changes_or_for_longer_than_the_limit(
            steps in prop::collection::vec((1_i64..40, any::<bool>()), 1..80),
        ) {
            let mut dampers = Dampers::new(config());
            let (mut now, mut last, mut changes) = (0, true, Vec::new());
            see(&mut dampers, 0, Some(true));
            for (gap, passing) in steps {
                now += gap;
                if passing != last {
                    changes.push(now);
                    last = passing;
                }
                if let Some(until) = see(&mut dampers, now, Some(passing)).until {
                    prop_assert!(until.0 <= (now + 80) * 1000);
                    prop_assert!(changes.len() >= 4);
                }
            }
        }
    }
}
