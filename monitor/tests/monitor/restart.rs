//! The ledger goes on after a restart.

use std::time::Duration;

use wharf_catalog::Status;
use wharf_monitor::{Config, ServiceState, Storage};

use crate::{Hands, Watched};

#[tokio::test]
async fn everything_is_still_there_and_the_time_between_is_unmonitored() {
    const HOUR: Duration = Duration::from_secs(3600);
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::File(folder.path().join("monitor.db"));
    let hands = Hands::new();
    let watched = Watched::start(Config::default(), storage.clone(), hands.clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    watched.outcomes.send(watched.outcome("web", Status::Passing, 40)).await.unwrap();
    hands.advance(HOUR);
    watched.stop().await;
    hands.advance(3 * HOUR);
    let watched = Watched::start(Config::default(), storage, hands.clock());
    watched.register("web", Status::Passing).await;
    let web = watched.until_state("web", ServiceState::Up).await;
    assert_eq!((web.tests, web.response_time_ms), (1, Some(40.0)));
    assert_eq!((web.availability, web.outages), (Some(1.0), 0));
    let window = watched.last(24 * HOUR);
    let detail = watched.history.service("web", window).await.unwrap().unwrap();
    let mut states: Vec<_> = detail.intervals.iter().map(|interval| interval.state).collect();
    // Until it was registered again it had no instances: unmonitored for another reason.
    states.dedup();
    assert_eq!(states, [ServiceState::Up, ServiceState::Unmonitored, ServiceState::Up]);
    let gap = &detail.intervals[1];
    let length = gap.to.unwrap().since(gap.from);
    assert!(length >= 3 * HOUR && length < 3 * HOUR + Duration::from_secs(60), "{length:?}");
    assert_eq!(gap.reason, "wharf was not running");
    watched.stop().await;
}

#[tokio::test]
async fn a_service_nobody_has_heard_of_is_no_answer_and_one_long_gone_is_left_out() {
    let watched = Watched::start(Config::default(), Storage::Memory, Hands::new().clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    let hour = watched.last(Duration::from_secs(3600));
    assert_eq!(watched.history.service("nope", hour).await.unwrap(), None);
    let before = wharf_monitor::Window { from: wharf_catalog::Timestamp(0), to: wharf_catalog::Timestamp(9) };
    let then = watched.history.service("web", before).await.unwrap().unwrap();
    assert_eq!((then.summary.availability, then.intervals.len()), (None, 0));
    watched.stop().await;
}
