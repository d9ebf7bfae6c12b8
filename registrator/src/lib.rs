//! Containers wire themselves: what Docker runs becomes services in the catalog, labelled as for Registrator.
//!
//! Pure: [`container`] (what Docker says, in our words), [`labels`] (what a container asks for), [`checks`]
//! (which health check that means), [`registration`] (the instances that stand for a container), [`fleet`]
//! (what is known of all containers; events in, inspections out), [`plan`] (desired against the catalog ->
//! commands). Edges: [`docker`] (list, inspect, events), [`sync`] (the loop).
//!
//! Invariant: the list of running containers is the truth and the catalog follows it; an event only makes
//! that fast. Losing an event costs time until the next reconciliation, never correctness.

pub mod checks;
pub mod complaint;
pub mod config;
pub mod container;
pub mod docker;
pub mod duration;
mod endpoints;
pub mod event;
pub mod explain;
pub mod fleet;
pub mod labels;
pub mod place;
pub mod plan;
pub mod registration;
pub mod registry;
pub mod signal;
pub mod swarm;
pub mod sync;
pub mod tags;

pub use config::{Config, ContainerHealthChecks, DefaultCheck, Deregister, TcpProbe, Ttl};
pub use registry::{Embedded, Remote};
pub use sync::run;
