//! Journeys through the proxy, over loopback, between real servers and a real catalog in memory.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod drain;
mod failover;
mod harness;
mod manners;
mod measures;
mod routing;
mod shutdown;
mod streaming;
