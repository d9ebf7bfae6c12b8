//! Files that another program reads: how is a new one put in its place, and how is that program told?
//!
//! Shared by what writes configuration for others (templates, drivers of external load balancers), so that
//! all of it keeps one promise: a reader sees the old file or the new one, mode and owner stay, the last good
//! file is kept until its successor has been taken up, and a command never outlives its time.
//!
//! Edges only: [`destination`] (atomic replacement with a way back), [`command`] (programs, run without a
//! shell and within a limit), `durable` (many files reach the disk together).

mod accounts;
pub mod command;
pub mod destination;
mod durable;
mod perms;

pub use command::{CommandError, fill_in, run_command};
pub use destination::{Attributes, Destination, PublishError};
pub use perms::Perms;
