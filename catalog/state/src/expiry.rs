//! What ends by itself, and when? Sessions whose TTL passed without a renewal.
//!
//! [`due`] decides, [`run`] waits: the edge sleeps until the next deadline or until a deadline changes.
//! A lease ends *at* its deadline, not after it. TTL checks have leases too; whoever runs checks ends those.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{Catalog, Clock, Command, Index, State, Timestamp, Topic};

/// How long to wait before a store that refused is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// The sessions that have ended by `now`, and the next deadline after it.
pub fn due(state: &State, now: Timestamp) -> (Vec<Command>, Option<Timestamp>) {
    let (mut ended, mut next) = (Vec::new(), None::<Timestamp>);
    for session in state.sessions() {
        match state.lease(&session.id) {
            Some(deadline) if deadline <= now => ended.push(Command::ExpireSession(session.id.clone())),
            Some(deadline) => next = Some(next.map_or(deadline, |next| next.min(deadline))),
            None => {}
        }
    }
    (ended, next)
}

/// Ends sessions at their deadlines until `shutdown`.
pub async fn run(catalog: Catalog, clock: Clock, shutdown: CancellationToken) {
    let mut seen = Index::default();
    while !shutdown.is_cancelled() {
        let state = catalog.snapshot();
        seen = seen.max(state.index_of(&Topic::Leases));
        let (ended, next) = due(&state, clock.now());
        let failed = match ended.is_empty() {
            true => false,
            false if catalog.commit(ended).await.is_ok() => continue,
            false => true,
        };
        let retry = failed.then(|| clock.now().after(RETRY));
        let next = next.into_iter().chain(retry).min();
        let until_next = async {
            match next {
                Some(deadline) => sleep(deadline.since(clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = until_next => {}
            _ = catalog.changed(&Topic::Leases, seen) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Node, Session, store::Memory};

    fn session(id: &str, ttl: u64) -> Command {
        Command::PutSession(Session { ttl: Some(Duration::from_millis(ttl)), ..Session::new(id, "n") })
    }

    fn two_sessions(now: Timestamp) -> State {
        let commands =
            [Command::PutNode(Node::new("n", "10.0.0.1")), session("a", 10_000), session("b", 20_000)];
        crate::apply::apply(&State::default(), Index(1), now, &commands).unwrap().state
    }

    #[test]
    fn a_session_ends_at_its_deadline_and_not_a_moment_sooner() {
        let state = two_sessions(Timestamp(0));
        assert_eq!(due(&state, Timestamp(19_999)), (vec![], Some(Timestamp(20_000))));
        let ended = vec![Command::ExpireSession("a".into())];
        assert_eq!(due(&state, Timestamp(20_000)), (ended, Some(Timestamp(40_000))));
    }

    #[tokio::test]
    async fn the_edge_ends_what_is_due_and_nothing_else() {
        let started = tokio::time::Instant::now();
        let clock = Clock::new(move || Timestamp(i64::try_from(started.elapsed().as_millis()).unwrap()));
        let catalog = Catalog::open(Box::new(Memory), clock.clone()).unwrap();
        let stop = CancellationToken::new();
        let expiring = tokio::spawn(run(catalog.clone(), clock, stop.clone()));
        let node = Command::PutNode(Node::new("n", "10.0.0.1"));
        let created =
            catalog.commit(vec![node, session("short", 20), session("long", 3_600_000)]).await.unwrap();
        let ended = catalog.changed(&Topic::Sessions, created.index);
        let state = tokio::time::timeout(Duration::from_secs(20), ended).await.expect("one of them ends");
        assert!(state.session("short").is_none() && state.session("long").is_some());
        stop.cancel();
        expiring.await.unwrap();
    }
}
