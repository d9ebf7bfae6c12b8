//! What every driver can do: bring its balancer to the routes, cheaply where it can.

use std::{future::Future, path::Path};

use wharf_publish::{CommandError, PublishError};

use crate::routes::Routes;

/// One external load balancer.
///
/// Level-triggered: an attempt looks at what is there and makes it what it should be, however it came to differ.
pub(crate) trait Balancer: Send {
    /// Its word in metrics, logs and pages.
    const NAME: &'static str;

    /// The file that is its memory of the routes.
    fn file(&self) -> &Path;

    /// Brings it to `routes`. What is expensive (a reload, a program to compile) is left undone and told as
    /// [`Done::waits`] unless `may_reload`.
    fn apply(
        &mut self,
        routes: &Routes,
        may_reload: bool,
    ) -> impl Future<Output = Result<Done, DriverError>> + Send;
}

/// What an attempt did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Commands that took effect without a reload.
    pub(crate) commands: u64,
    /// It was reloaded.
    pub(crate) reloaded: bool,
    /// A reload is needed for the rest.
    pub(crate) waits: bool,
}

/// Why the balancer is not what it should be. Whatever it did before, it goes on doing.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// See to the file's directory.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Its own checker refused the file; it was not put in place.
    #[error("the new file was refused and is kept as `{candidate}`: {source}", candidate = .candidate.display())]
    Check {
        /// Where the refused file is.
        candidate: std::path::PathBuf,
        /// What the checker said.
        source: CommandError,
    },
    /// The file stands, nobody has read it.
    #[error("the file is in place, but `{program}` does not run: {reason}; start it")]
    NotRunning {
        /// Which program.
        program: &'static str,
        /// How we know.
        reason: String,
    },
    /// The new file did not take; the last good one is back.
    #[error("the reload failed{}: {reason}", if *.rolled_back { ", and the last good file is back in place" } else { "" })]
    Reload {
        /// What was said.
        reason: String,
        /// Is the last good file back?
        rolled_back: bool,
    },
    /// Start the balancer, or mend the path in the settings.
    #[error("cannot talk to {program} at `{place}`: {source}; is it running, and is that where it listens?")]
    Unreachable {
        /// Which program.
        program: &'static str,
        /// Socket or address.
        place: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It understood, and said no.
    #[error("{program} refused `{command}`: {answer}")]
    Refused {
        /// Which program.
        program: &'static str,
        /// The command, shortened.
        command: String,
        /// Its answer, shortened.
        answer: String,
    },
    /// Name a file that can be read.
    #[error("cannot read `{path}`: {source}; mend the path or its permissions")]
    Read {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A defect of ours.
    #[error("a step of the driver broke off")]
    Broken,
}

impl DriverError {
    /// The word for metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Publish(_) => "publish",
            Self::Check { .. } => "check",
            Self::NotRunning { .. } | Self::Unreachable { .. } => "unreachable",
            Self::Reload { .. } => "reload",
            Self::Refused { .. } => "refused",
            Self::Read { .. } => "read",
            Self::Broken => "broken",
        }
    }
}

/// The first line of what a balancer said, shortened.
pub(crate) fn shortened(text: &str) -> String {
    text.trim().lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect()
}
