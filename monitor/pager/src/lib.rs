//! Runs the on-call engine (`wharf-oncall`): keeps what it decides, carries it out, and feeds it what fails.
//!
//! The engine decides; here decisions become durable and messages leave. Invariant: nothing is carried out, and nobody is
//! told that something was done, before the records of it are on disk.
//!
//! Pure: [`plan`] (files and what was made by the API -> one plan), [`feed`] (what fails -> alerts), [`links`] (signed
//! addresses), `retry` (when to try again).
//! Edges: [`journal`] (SQLite), `desk` (one task: engine, journal, time), `dispatch` (messages, their retries and their
//! ends), [`Pager`] (the handle everybody has), `run` (the parts side by side), `watch` (files that change).

mod desk;
mod dispatch;
pub mod feed;
mod handle;
pub mod journal;
pub mod links;
pub mod plan;
mod retry;
mod run;
mod watch;

pub use handle::{Kept, Pager, PagerError, Picture, Refusal};
pub use run::{Config, Oncall, Parts, Source};
