//! Did the catalog lose everything? Compares how much a render read with how much the last one did.
//!
//! A catalog that lost its memory looks like one whose services are all gone; publishing that takes the
//! whole site down. Only the set as a whole counts: one service that goes away is ordinary.

use std::collections::BTreeMap;

use crate::config::MaxShrink;

/// How much of the catalog one render read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Population {
    /// Instances per query of `service`.
    pub instances: BTreeMap<String, usize>,
    /// Names seen by `services`, the catalog's own left out; `None`: not asked.
    pub services: Option<usize>,
    /// Nodes seen by `nodes`; `None`: not asked.
    pub nodes: Option<usize>,
}

impl Population {
    /// What else was read by the same render.
    pub(crate) fn take_in(&mut self, others: &Self) {
        self.instances.extend(others.instances.iter().map(|(query, count)| (query.clone(), *count)));
        self.services = others.services.or(self.services);
        self.nodes = others.nodes.or(self.nodes);
    }

    /// Would publishing `self` in place of what `last` led to empty the file as a whole? Returns what is
    /// missing. `last` is `None` for a file of which we only know that it is there.
    pub fn vanished(&self, last: Option<&Self>) -> Option<String> {
        match last {
            Some(last) => self.vanished_since(last),
            None if self.is_empty() => Some("the catalog is empty so far".to_owned()),
            None => None,
        }
    }

    fn vanished_since(&self, last: &Self) -> Option<String> {
        let counts = [
            ("instances", last.all_instances(), self.all_instances()),
            ("services", last.services.unwrap_or(0), self.services.unwrap_or(0)),
            ("nodes", last.nodes.unwrap_or(0), self.nodes.unwrap_or(0)),
        ];
        // The first kind that the last file was made of decides: instances, or else names, or else nodes.
        let (kind, before, now) = counts.into_iter().find(|(_, before, _)| *before > 0)?;
        (now == 0).then(|| format!("all {before} {kind} of the last render are gone"))
    }

    /// Has one set of instances lost more than that share since `last`? Returns which.
    pub fn shrunk(&self, last: &Self, most: MaxShrink) -> Option<String> {
        last.instances.iter().find_map(|(query, before)| {
            let now = self.instances.get(query)?;
            let gone = before.saturating_sub(*now);
            (gone as f64 > *before as f64 * most.0)
                .then(|| format!("{gone} of {before} instances of `{query}` went at once"))
        })
    }

    fn is_empty(&self) -> bool {
        match (self.instances.is_empty(), self.services, self.nodes) {
            (false, _, _) => self.all_instances() == 0,
            (true, Some(services), _) => services == 0,
            (true, None, nodes) => nodes == Some(0),
        }
    }

    fn all_instances(&self) -> usize {
        self.instances.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(instances: &[usize], services: Option<usize>) -> Population {
        let instances = instances.iter().enumerate();
        Population {
            instances: instances.map(|(query, count)| (query.to_string(), *count)).collect(),
            services,
            nodes: None,
        }
    }

    #[test]
    fn one_service_gone_is_ordinary_and_all_gone_is_not() {
        let last = read(&[2, 1], Some(2));
        assert_eq!(read(&[2, 0], Some(2)).vanished(Some(&last)), None);
        assert_eq!(
            read(&[0, 0], Some(2)).vanished(Some(&last)).unwrap(),
            "all 3 instances of the last render are gone"
        );
        assert!(read(&[], Some(0)).vanished(Some(&last)).is_some());
    }

    #[test]
    fn a_file_from_before_the_start_is_not_replaced_by_nothing() {
        assert!(read(&[], Some(0)).vanished(None).is_some());
        assert!(read(&[0], Some(1)).vanished(None).is_some(), "checks have not run yet");
        assert!(read(&[1], Some(1)).vanished(None).is_none());
    }

    #[test]
    fn a_template_that_lists_nothing_is_never_held() {
        let keys_only = Population::default();
        assert_eq!(keys_only.vanished(None), None);
        assert_eq!(keys_only.vanished(Some(&keys_only)), None);
    }

    #[test]
    fn a_set_that_shrinks_by_more_than_its_share_is_noticed() {
        let half = MaxShrink(0.5);
        let last = read(&[10, 1], None);
        assert_eq!(read(&[5, 1], None).shrunk(&last, half), None);
        let told = read(&[4, 1], None).shrunk(&last, half).unwrap();
        assert_eq!(told, "6 of 10 instances of `0` went at once");
        assert!(read(&[10, 0], None).shrunk(&last, half).is_some());
        assert_eq!(read(&[10], None).shrunk(&last, half), None, "a query no longer asked is no loss");
    }

    #[test]
    fn what_was_empty_before_may_stay_so() {
        let empty = read(&[0], Some(1));
        assert_eq!(empty.vanished(Some(&empty)), None);
    }
}
