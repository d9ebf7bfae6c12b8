//! What if wharf has just started and knows less than the balancer does? Pure: what was served before, laid
//! over what is known now.
//!
//! After a restart the catalog may be empty (kept in memory) or its checks not yet run, while containers and
//! balancer go on as if nothing had happened. For a moment (`startup_hold`), an endpoint that served before
//! and that nobody has said anything about goes on serving. Invariant: what the catalog says is never
//! overruled, only its silence; the hold ends when nothing is silent, or at its deadline.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::routes::{Endpoint, ProbePath, Rotation, Route, Routes, ServiceName};

/// What was served when it was last in effect; kept beside the balancer's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served(BTreeMap<ServiceName, ServedRoute>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ServedRoute {
    endpoints: BTreeMap<SocketAddr, ServedEndpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe: Option<ProbePath>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ServedEndpoint {
    node: String,
    id: String,
    weight: u16,
}

impl From<&Routes> for Served {
    fn from(routes: &Routes) -> Self {
        let endpoint = |e: &Endpoint| ServedEndpoint {
            node: e.node.to_string(),
            id: e.id.to_string(),
            weight: e.weight,
        };
        let route = |route: &Route| ServedRoute {
            endpoints: route
                .endpoints
                .iter()
                .filter(|(_, e)| e.serves())
                .map(|(address, e)| (*address, endpoint(e)))
                .collect(),
            cache_seconds: route.cache.map(|time| time.as_secs()),
            probe: route.probe.clone(),
        };
        Self(routes.services.iter().map(|(name, r)| (name.clone(), route(r))).collect())
    }
}

impl Served {
    /// `routes` with what served before and is not spoken of; `None` when nothing is silent any more.
    pub fn over(&self, routes: &Routes) -> Option<Routes> {
        let mut held = routes.clone();
        let mut silent = false;
        for (name, before) in &self.0 {
            let known = routes.services.contains_key(name);
            let route = held.services.entry(name.clone()).or_default();
            if !known {
                // A service that served nothing before and is gone now is not worth waiting for.
                silent |= !before.endpoints.is_empty();
                route.cache = before.cache_seconds.map(Duration::from_secs);
                route.probe = before.probe.clone();
            }
            // By id as well as by address: while a check fails an instance may be listed at another one.
            let spoken: BTreeSet<_> = route
                .endpoints
                .values()
                .filter(|e| !matches!(e.rotation, Rotation::Unknown(_)))
                .map(|e| (e.node.to_string(), e.id.to_string()))
                .collect();
            for (address, endpoint) in &before.endpoints {
                let seat = route.endpoints.get(address);
                let said = spoken.contains(&(endpoint.node.clone(), endpoint.id.clone()));
                if !said && seat.is_none_or(|seat| matches!(seat.rotation, Rotation::Unknown(_))) {
                    silent = true;
                    route.endpoints.insert(*address, endpoint.held());
                }
            }
        }
        silent.then_some(held)
    }
}

impl ServedEndpoint {
    fn held(&self) -> Endpoint {
        let why = "it served before wharf started, and the catalog has said nothing of it yet";
        Endpoint {
            node: self.node.as_str().into(),
            id: self.id.as_str().into(),
            weight: self.weight.max(1),
            rotation: Rotation::Held(why.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Candidate;

    fn routes(endpoints: &[(&str, u16, Option<bool>)]) -> Routes {
        Routes::new(endpoints.iter().map(|(service, port, serves)| Candidate {
            service,
            host: "10.0.0.1",
            port: *port,
            id: if *port > 100 {
                "moved"
            } else {
                ["", "1", "2", "3"].get(usize::from(*port)).unwrap_or(&"9")
            },
            out: (*serves != Some(true)).then(|| "critical".to_owned()),
            unknown: serves.is_none(),
            ..Candidate::default()
        }))
    }

    fn serving(routes: &Routes) -> Vec<u16> {
        routes.services.values().flat_map(Route::serving).map(|(address, _)| address.port()).collect()
    }

    #[test]
    fn a_catalog_that_forgot_everything_changes_nothing() {
        let before = Served::from(&routes(&[("web", 1, Some(true)), ("web", 2, Some(true))]));
        assert_eq!(serving(&before.over(&routes(&[])).unwrap()), [1, 2]);
        let partly = routes(&[("web", 1, Some(true)), ("web", 2, None)]);
        assert_eq!(serving(&before.over(&partly).unwrap()), [1, 2]);
    }

    #[test]
    fn what_the_catalog_says_is_never_overruled() {
        let before = Served::from(&routes(&[("web", 1, Some(true)), ("web", 2, Some(true))]));
        let now = routes(&[("web", 1, Some(false)), ("web", 3, Some(true))]);
        assert_eq!(serving(&before.over(&now).unwrap()), [2, 3]);
    }

    #[test]
    fn an_instance_that_is_listed_elsewhere_now_has_been_spoken_of() {
        let before = Served::from(&routes(&[("web", 101, Some(true)), ("web", 2, Some(true))]));
        let now = routes(&[("web", 102, Some(false)), ("web", 2, Some(true))]);
        assert!(before.over(&now).is_none());
    }

    #[test]
    fn the_hold_ends_when_nothing_is_silent() {
        let before = Served::from(&routes(&[("web", 1, Some(true)), ("gone", 9, Some(false))]));
        assert!(before.over(&routes(&[("web", 1, Some(false))])).is_none());
        assert!(Served::default().over(&routes(&[])).is_none());
    }

    #[test]
    fn what_was_served_survives_being_written_down() {
        let before = Served::from(&routes(&[("web", 1, Some(true)), ("v1.api", 2, Some(true))]));
        let text = serde_json::to_string(&before).unwrap();
        assert_eq!(serde_json::from_str::<Served>(&text).unwrap(), before);
        assert!(serde_json::from_str::<Served>(&text.replace("web", "w;b")).is_err());
    }
}
