//! What has to be said to the running Varnish? Pure.
//!
//! A program (VCL) names its backends, and a new one takes a C compiler's time. So an instance that leaves is
//! first marked sick in the program that runs, which takes effect at once; one that comes back is marked well
//! again. Only a new address, or a service that comes, goes or changes how it is cached, makes a new program.
//! Invariant: whatever serves in the program that runs serves in the routes too.

use std::collections::{BTreeMap, BTreeSet};

use super::render::{backend, render};
use crate::{
    config::Varnish,
    routes::{Route, Routes, ServiceName},
};

/// What the running program was made of, as far as only a new one changes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Its name in Varnish.
    pub name: String,
    /// The names of its backends, by service.
    services: BTreeMap<ServiceName, Made>,
    /// Those of its backends that are marked sick.
    pub sick: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    /// Backends with their weights.
    backends: BTreeMap<String, u16>,
    cache: Option<std::time::Duration>,
    probed: bool,
}

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Backends of the running program to mark sick.
    pub sick: BTreeSet<String>,
    /// Backends of the running program to leave to themselves again.
    pub well: BTreeSet<String>,
    /// The program for the routes as they are.
    pub text: String,
    /// Has it to be loaded?
    pub load: bool,
}

impl Loaded {
    /// The program that was made of `routes`.
    pub fn new(name: String, routes: &Routes) -> Self {
        let services = routes.services.iter().map(|(name, route)| (name.clone(), Made::new(name, route)));
        Self { name, services: services.collect(), sick: BTreeSet::new() }
    }
}

impl Made {
    fn new(name: &ServiceName, route: &Route) -> Self {
        Self {
            backends: route.serving().map(|(address, weight)| (backend(name, address), weight)).collect(),
            cache: route.cache,
            probed: route.probe.is_some(),
        }
    }

    /// Can the program that made `self` do the work of one for `wanted`, with some backends marked sick?
    fn does_for(&self, wanted: &Self) -> bool {
        (self.cache, self.probed) == (wanted.cache, wanted.probed)
            // Without any, the program says so in other words than with sick ones only.
            && self.backends.is_empty() == wanted.backends.is_empty()
            && wanted.backends.iter().all(|(name, weight)| self.backends.get(name) == Some(weight))
    }
}

/// From what runs to what should. `loaded`: the program that runs, if it is one of ours and we know it.
pub fn plan(loaded: Option<&Loaded>, routes: &Routes, config: &Varnish) -> Plan {
    let mut plan = Plan { text: render(config, routes), ..Plan::default() };
    let wanted = Loaded::new(String::new(), routes);
    let Some(loaded) = loaded else {
        return Plan { load: true, ..plan };
    };
    let serves: BTreeSet<&String> = wanted.services.values().flat_map(|made| made.backends.keys()).collect();
    for backend in loaded.services.values().flat_map(|made| made.backends.keys()) {
        match (serves.contains(backend), loaded.sick.contains(backend)) {
            (false, false) => drop(plan.sick.insert(backend.clone())),
            (true, true) => drop(plan.well.insert(backend.clone())),
            _ => {}
        }
    }
    let same_names = loaded.services.keys().eq(wanted.services.keys());
    let mut pairs = loaded.services.values().zip(wanted.services.values());
    plan.load = !(same_names && pairs.all(|(there, wanted)| there.does_for(wanted)));
    plan
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::routes::Candidate;

    fn routes(endpoints: &[(&'static str, u16, bool)]) -> Routes {
        Routes::new(endpoints.iter().map(|(service, port, serves)| Candidate {
            service,
            host: "10.0.0.1",
            port: *port,
            out: (!serves).then(|| "critical".to_owned()),
            ..Candidate::default()
        }))
    }

    fn follow(loaded: &mut Option<Loaded>, routes: &Routes) -> Plan {
        let plan = plan(loaded.as_ref(), routes, &Varnish::default());
        if let Some(loaded) = loaded {
            loaded.sick.extend(plan.sick.clone());
            loaded.sick.retain(|backend| !plan.well.contains(backend));
        }
        if plan.load {
            *loaded = Some(Loaded::new("x".to_owned(), routes));
        }
        plan
    }

    #[test]
    fn leaving_and_coming_back_take_no_new_program() {
        let mut loaded = None;
        assert!(follow(&mut loaded, &routes(&[("web", 1, true), ("web", 2, true)])).load);
        let out = follow(&mut loaded, &routes(&[("web", 1, true), ("web", 2, false)]));
        assert!(!out.load && out.sick.contains("e_web__0a000001_2"));
        let back = follow(&mut loaded, &routes(&[("web", 1, true), ("web", 2, true)]));
        assert!(!back.load && back.well.contains("e_web__0a000001_2"));
        let third = follow(&mut loaded, &routes(&[("web", 1, false), ("web", 2, true), ("web", 3, true)]));
        assert!(third.load && third.sick.contains("e_web__0a000001_1"));
    }

    #[test]
    fn a_service_that_loses_its_last_instance_says_so() {
        let mut loaded = None;
        follow(&mut loaded, &routes(&[("web", 1, true)]));
        let none = follow(&mut loaded, &routes(&[("web", 1, false)]));
        assert!(none.load && !none.sick.is_empty());
        assert!(none.text.contains("synth(503"));
    }

    proptest! {
        #[test]
        fn whatever_serves_in_the_program_serves_in_the_routes(
            history in prop::collection::vec(prop::collection::vec((0usize..3, 1u16..6, any::<bool>()), 0..10), 1..10)
        ) {
            let mut loaded = None;
            for endpoints in history {
                let endpoints: Vec<_> = endpoints.iter().map(|(s, p, up)| (["a", "b.c", "d"][*s], *p, *up)).collect();
                let routes = routes(&endpoints);
                follow(&mut loaded, &routes);
                let runs = loaded.as_ref().unwrap();
                let serving: BTreeSet<String> = runs.services.values().flat_map(|made| made.backends.keys())
                    .filter(|backend| !runs.sick.contains(*backend)).cloned().collect();
                let wanted: BTreeSet<String> = routes.services.iter()
                    .flat_map(|(name, route)| route.serving().map(|(address, _)| backend(name, address))).collect();
                prop_assert_eq!(serving, wanted);
                let settled = plan(loaded.as_ref(), &routes, &Varnish::default());
                prop_assert!(!settled.load && settled.sick.is_empty() && settled.well.is_empty());
            }
        }
    }
}
