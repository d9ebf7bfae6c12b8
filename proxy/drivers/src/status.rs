//! How does each balancer do, and which instances does it use? The answer for pages and commands.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Serialize;
use wharf_catalog::Timestamp;

use crate::{
    balancer::{Done, DriverError},
    routes::{Endpoint, Rotation, Routes},
};

/// What is known of all balancers; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Statuses(Arc<RwLock<BTreeMap<&'static str, Status>>>);

/// What is known of one balancer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// `nginx`, `haproxy` or `varnish`.
    pub balancer: &'static str,
    /// The file it reads.
    pub file: PathBuf,
    /// How it stands.
    pub condition: Condition,
    /// Why it stands so, for people.
    pub reason: String,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// Commands that took effect without a reload.
    pub commands: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// When it last took something up.
    pub last_change: Option<Timestamp>,
    /// How long that took, in milliseconds.
    pub last_change_took_ms: Option<f64>,
    /// The last failure, also after it has passed.
    pub last_error: Option<LastError>,
    /// What could not be taken over from the catalog, and why.
    pub left_out: Vec<String>,
    /// Every service with its instances, in and out.
    pub services: Vec<ServiceStatus>,
}

/// How a balancer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Nothing tried yet.
    Starting,
    /// It does what the catalog says.
    Current,
    /// What served before wharf started goes on serving until the catalog has spoken.
    Held,
    /// A reload waits its turn: there were many just now.
    Waiting,
    /// Something went wrong; it goes on with what it had.
    Failing,
}

/// A failure and when it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// When it last happened.
    pub at: Timestamp,
    /// What happened.
    pub error: String,
}

/// One service as the balancer is told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceStatus {
    /// Its name.
    pub service: String,
    /// How long its answers are cached, in seconds.
    pub cache_seconds: Option<u64>,
    /// Its instances.
    pub endpoints: Vec<EndpointStatus>,
}

/// One instance, and why it is in or out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    /// Node it runs on.
    pub node: String,
    /// Instance id.
    pub id: String,
    /// Where it is asked.
    pub address: String,
    /// Does it take traffic?
    pub serves: bool,
    /// Why, for people.
    pub reason: String,
}

impl Status {
    pub(crate) fn starting(balancer: &'static str, file: PathBuf) -> Self {
        Self {
            balancer,
            file,
            condition: Condition::Starting,
            reason: "nothing tried yet".to_owned(),
            reloads: 0,
            commands: 0,
            failures: 0,
            last_change: None,
            last_change_took_ms: None,
            last_error: None,
            left_out: Vec::new(),
            services: Vec::new(),
        }
    }

    /// What it was told this time.
    pub(crate) fn told(&mut self, routes: &Routes) {
        self.left_out = routes.left_out.iter().cloned().collect();
        let services = routes.services.iter().map(|(name, route)| ServiceStatus {
            service: name.to_string(),
            cache_seconds: route.cache.map(|time| time.as_secs()),
            endpoints: route.endpoints.iter().map(|(a, e)| EndpointStatus::new(&a.to_string(), e)).collect(),
        });
        self.services = services.collect();
    }

    pub(crate) fn succeeded(&mut self, now: Timestamp, took_ms: f64, done: Done, held: bool) {
        self.commands += done.commands;
        self.reloads += u64::from(done.reloaded);
        if done.commands > 0 || done.reloaded {
            (self.last_change, self.last_change_took_ms) = (Some(now), Some(took_ms));
        }
        let (condition, reason) = match (done.waits, held) {
            (true, _) => (Condition::Waiting, "a reload waits its turn, there were many just now"),
            (false, true) => (
                Condition::Held,
                "what served before wharf started serves on until the catalog has spoken of it",
            ),
            (false, false) => (Condition::Current, "it does what the catalog says"),
        };
        (self.condition, self.reason) = (condition, reason.to_owned());
    }

    pub(crate) fn failed(&mut self, now: Timestamp, error: &DriverError) {
        self.failures += 1;
        self.condition = Condition::Failing;
        self.reason = format!("it goes on with what it had: {error}");
        self.last_error = Some(LastError { at: now, error: error.to_string() });
    }
}

impl EndpointStatus {
    fn new(address: &str, endpoint: &Endpoint) -> Self {
        let reason = match &endpoint.rotation {
            Rotation::In => "passing",
            Rotation::Held(why) | Rotation::Out(why) | Rotation::Unknown(why) => why,
        };
        Self {
            node: endpoint.node.to_string(),
            id: endpoint.id.to_string(),
            address: address.to_owned(),
            serves: endpoint.serves(),
            reason: reason.to_owned(),
        }
    }
}

impl Statuses {
    /// All of them, by name.
    pub fn all(&self) -> Vec<Status> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// That of one balancer.
    pub fn of(&self, balancer: &str) -> Option<Status> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(balancer).cloned()
    }

    pub(crate) fn set(&self, status: Status) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(status.balancer, status);
    }
}
