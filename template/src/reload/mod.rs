//! How is the reader of a file told that there is a new one? A command, or a signal.

mod signal;

pub use signal::{SignalError, send};
pub use wharf_publish::{CommandError, fill_in, run_command};
