//! The API as clients meet it: requests in, answers out, over a catalog in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agent_extras;
mod client;
mod config_entries;
mod description;
mod events;
mod external;
mod filtering;
mod fuzzed;
mod hostile;
mod keys;
mod locks;
mod metrics;
mod nodes;
mod prepared_queries;
mod services;
mod sessions;
mod sharing;
mod snapshots;
mod support;
mod transactions;
mod watching;
