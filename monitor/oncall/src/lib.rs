//! Who is woken, by what, when, and in which order.
//!
//! Pure: no clock, no socket, no disk, no other crate of ours. Time comes in as an argument; what is to be done
//! goes out as values, and every decision with its reason.
//!
//! - [`config`]: what can be written in `oncall.toml`, checked as a whole, all mistakes at once with their lines.
//! - [`schedule`] (with `rotation` and [`civil`]): who is on duty, shifts, gaps; [`calendar`]: the same as iCalendar.
//! - [`inbound`]: what other tools send, read into an [`Alert`]; [`rules`] and [`matchers`]: what becomes of it.
//! - [`engine`]: the state machine of incidents and pages. [`event`]: its journal, `describe` the same in words;
//!   [`state`]: what the journal amounts to. [`maintenance`], `limits`: when nobody, and how often, is paged.
//! - [`preview`]: who would be paged; [`template`]: what a message says.

pub mod alert;
pub mod calendar;
pub mod civil;
pub mod config;
mod describe;
pub mod engine;
pub mod event;
pub mod inbound;
mod limits;
pub mod maintenance;
pub mod matchers;
pub mod preview;
mod rotation;
pub mod rules;
pub mod schedule;
mod secret;
pub mod state;
pub mod template;

pub use alert::{Alert, Kind};
pub use config::{Config, Plan, Problems};
pub use engine::{Action, ApplyError, Effect, Engine, Input};
pub use event::{Event, Record};
pub use maintenance::Silence;
pub use matchers::{Matcher, MatcherError};
pub use schedule::{Amendments, Cause, Gap, Schedule, Shift};
pub use secret::Secret;
pub use state::State;
