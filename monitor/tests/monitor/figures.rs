//! Which check runs count.

use std::time::Duration;

use wharf_catalog::{Check, CheckStatusOnPut, Command, Status, check::service_maintenance_id};
use wharf_monitor::{Config, ServiceState, Storage};

use crate::{Hands, Watched};

#[tokio::test]
async fn runs_in_maintenance_count_in_no_figure() {
    let watched = Watched::start(Config::default(), Storage::Memory, Hands::new().clock());
    watched.register("web", Status::Passing).await;
    watched.until_state("web", ServiceState::Up).await;
    let maintenance = Check::maintenance(&"n".into(), &"web-1".into(), "new disk");
    let put = Command::PutCheck(maintenance, CheckStatusOnPut::Set);
    watched.catalog.commit(vec![put]).await.unwrap();
    watched.until_state("web", ServiceState::Paused).await;
    for _ in 0..5 {
        watched.outcomes.send(watched.outcome("web", Status::Critical, 9_000)).await.unwrap();
    }
    let lift = Command::DeleteCheck("n".into(), service_maintenance_id("web-1").into());
    watched.catalog.commit(vec![lift]).await.unwrap();
    watched.until_state("web", ServiceState::Up).await;
    watched.outcomes.send(watched.outcome("web", Status::Passing, 20)).await.unwrap();
    let services = watched.until("the run after it", |services| services[0].tests > 0).await;
    let web = &services[0];
    assert_eq!((web.tests, web.responsiveness, web.response_time_ms), (1, Some(1.0), Some(20.0)));
    let hour = watched.last(Duration::from_secs(3_600));
    let detail = watched.history.service("web", hour).await.unwrap().unwrap();
    assert_eq!(detail.response_times.iter().map(|point| point.count).sum::<u64>(), 1);
    assert_eq!(detail.checks[0].response_time_ms, Some(20.0));
    watched.stop().await;
}
