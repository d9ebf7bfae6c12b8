//! Waiting for a condition, never for a time.

use std::{fmt::Debug, time::Duration};

use tokio::time::Instant;

/// How long a journey waits before it calls something broken. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks every few milliseconds until `holds` accepts the answer; panics with the last one otherwise.
pub async fn until<T: Debug>(what: &str, mut ask: impl AsyncFnMut() -> T, holds: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask().await;
        if holds(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for: {what}; last seen: {answer:?}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// Asks until the answer is yes.
pub async fn eventually(what: &str, ask: impl AsyncFnMut() -> bool) {
    until(what, ask, |yes| *yes).await;
}
