//! Waiting for a condition with a deadline, and noticing Ctrl-C meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How long to rest between two looks at a condition.
const POLL: Duration = Duration::from_millis(50);

/// The person asked us to stop; `main` turns it into exit code 130 without a message.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Set by Ctrl-C, SIGTERM and a closed terminal. Everything that waits looks at it, so that guards get to clean up.
#[derive(Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over the three signals.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0)).context("cannot handle signals")?;
        }
        Ok(interrupt)
    }

    /// Whether it happened.
    pub(crate) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once it happened.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.happened() { Err(Interrupted.into()) } else { Ok(()) }
    }
}

/// A point in time to give up at.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    started: Instant,
    length: Duration,
}

impl Deadline {
    /// Starts counting now.
    #[expect(
        clippy::disallowed_methods,
        reason = "developer commands have no virtual clock; this is their only one"
    )]
    pub(crate) fn after(length: Duration) -> Self {
        Self { started: Instant::now(), length }
    }

    /// Whether it has come.
    pub(crate) fn passed(&self) -> bool {
        self.started.elapsed() >= self.length
    }
}

/// Looks at `condition` until it yields something, the deadline passes (`None`) or we are interrupted.
pub(crate) fn until<T>(
    length: Duration,
    interrupt: &Interrupt,
    mut condition: impl FnMut() -> Option<T>,
) -> anyhow::Result<Option<T>> {
    let deadline = Deadline::after(length);
    loop {
        interrupt.check()?;
        if let Some(value) = condition() {
            return Ok(Some(value));
        }
        if deadline.passed() {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_once_more_than_never() {
        let found = until(Duration::ZERO, &Interrupt::default(), || Some(7)).unwrap();
        assert_eq!(found, Some(7));
    }

    #[test]
    fn a_passed_deadline_is_no_error() {
        assert_eq!(until(Duration::ZERO, &Interrupt::default(), || None::<()>).unwrap(), None);
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let interrupt = Interrupt::default();
        interrupt.0.store(true, Ordering::Relaxed);
        let error = until(Duration::from_secs(60), &interrupt, || None::<()>).unwrap_err();
        assert!(error.is::<Interrupted>());
    }
}
