use std::sync::Arc;

use wharf_catalog::{Catalog, Check, CheckStatusOnPut, Clock, Command, Instance, Node, store};
use wharf_oncall::{Engine, Input, Plan};

use super::*;

fn incident(service: &str, state: IncidentState) -> Incident {
    Incident {
        id: 1,
        service: service.to_owned(),
        state,
        started: wharf_catalog::Timestamp(1_000),
        triggered: wharf_catalog::Timestamp(2_000),
        acknowledged: None,
        resolved: None,
        reason: "0 of 2 instances pass".to_owned(),
        resolution: "2 of 2 instances pass".to_owned(),
    }
}

fn check(node: &str, id: &str, instance: Option<&str>, status: Status) -> Check {
    let mut check = Check::new(node, id, id);
    check.status = status;
    check.instance = instance.map(Arc::from);
    check
}

fn put(check: Check) -> Command {
    Command::PutCheck(check, CheckStatusOnPut::Set)
}

/// Two hosts; `web` runs on both, `db` on the first.
async fn fleet(first: Status) -> Catalog {
    let catalog =
        Catalog::open(Box::new(store::Memory), Clock::new(|| wharf_catalog::Timestamp(1_000))).unwrap();
    let mut changes = Vec::new();
    for node in ["h1", "h2"] {
        changes.push(Command::PutNode(Node::new(node, "10.0.0.1")));
    }
    for (node, service) in [("h1", "web"), ("h2", "web"), ("h1", "db")] {
        let id = format!("{service}-{node}");
        let mut instance = Instance::new(node, id.as_str(), service);
        instance.tags = vec!["prod".to_owned()];
        if service == "db" {
            instance.meta.insert("routing_key".to_owned(), "database".to_owned());
            instance.meta.insert("runbook".to_owned(), "https://wiki.example/db".to_owned());
        }
        let status = if node == "h1" { first } else { Status::Passing };
        changes.push(Command::PutInstance(instance));
        changes.push(put(check(node, &format!("c:{id}"), Some(&id), status)));
    }
    catalog.commit(changes).await.unwrap();
    catalog
}

#[tokio::test]
async fn a_service_that_fails_says_where_which_policy_and_what_to_read() {
    let catalog = fleet(Status::Critical).await;
    let alert = Feed::default().service(incident("db", IncidentState::Triggered), &catalog.snapshot());
    assert_eq!((alert.entity.as_str(), alert.kind), ("service:db", Kind::Critical));
    assert_eq!(alert.routing_key.as_deref(), Some("database"));
    assert_eq!(alert.notes["runbook"], "https://wiki.example/db");
    assert_eq!((alert.fields["node"].as_str(), alert.fields["tags"].as_str()), ("h1", "prod"));
    assert_eq!(alert.parents, ["node:h1"]);
    assert_eq!(alert.started.unwrap().as_millisecond(), 1_000);
}

#[tokio::test]
async fn a_dead_host_is_one_incident_with_its_services_as_symptoms_whatever_is_noticed_first() {
    let catalog = fleet(Status::Critical).await;
    let plan = Plan::from_toml("", None).unwrap();
    for host_first in [true, false] {
        let mut feed = Feed::default();
        let state = catalog.snapshot();
        let mut alerts = vec![feed.service(incident("db", IncidentState::Triggered), &state)];
        let dead = check("h1", "serfHealth", None, Status::Critical);
        catalog.commit(vec![put(dead)]).await.unwrap();
        let host = feed.nodes(&catalog.snapshot());
        assert_eq!(host.len(), 1, "said once");
        assert!(feed.nodes(&catalog.snapshot()).is_empty(), "and not again");
        if host_first {
            alerts.splice(0..0, host);
        } else {
            alerts.extend(host);
        }
        let mut engine = Engine::new(Arc::new(plan.clone()), State::default());
        for alert in alerts {
            engine.apply(Timestamp::UNIX_EPOCH, Input::Alert(Box::new(alert))).unwrap();
        }
        let incidents: Vec<_> = engine.state().incidents.values().collect();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert_eq!(incidents[0].symptoms.len(), 2);
        let alive = check("h1", "serfHealth", None, Status::Passing);
        catalog.commit(vec![put(alive)]).await.unwrap();
        assert_eq!(feed.nodes(&catalog.snapshot())[0].kind, Kind::Recovery);
    }
}

#[tokio::test]
async fn a_node_in_maintenance_is_not_down() {
    let catalog = fleet(Status::Passing).await;
    catalog.commit(vec![put(check("h1", NODE_MAINTENANCE, None, Status::Critical))]).await.unwrap();
    assert!(Feed::default().nodes(&catalog.snapshot()).is_empty());
}

#[tokio::test]
async fn what_recovered_while_nobody_could_say_so_is_heard_late_rather_than_never() {
    let catalog = fleet(Status::Critical).await;
    let mut engine = Engine::new(Arc::new(Plan::default()), State::default());
    let mut feed = Feed::default();
    for service in ["db", "web"] {
        let alert = feed.service(incident(service, IncidentState::Triggered), &catalog.snapshot());
        engine.apply(Timestamp::UNIX_EPOCH, Input::Alert(Box::new(alert))).unwrap();
    }
    let other = Alert::new("service:theirs", Kind::Critical);
    engine.apply(Timestamp::UNIX_EPOCH, Input::Alert(Box::new(other))).unwrap();
    let after_restart = Feed::restored([incident("web", IncidentState::Triggered)]);
    let missed = after_restart.missed_recoveries(engine.state());
    assert_eq!(missed.len(), 1, "neither what is still down nor what others said: {missed:?}");
    assert_eq!((missed[0].entity.as_str(), missed[0].kind), ("service:db", Kind::Recovery));
}

#[tokio::test]
async fn a_warning_of_what_takes_no_traffic_is_told_once_and_taken_back() {
    let catalog = fleet(Status::Warning).await;
    let mut feed = Feed::default();
    let told = feed.warnings(&catalog.snapshot());
    assert_eq!(told.len(), 2, "both services of the first host have no port: {told:?}");
    let db = &told[0];
    assert_eq!((db.entity.as_str(), db.kind), ("warning:db", Kind::Warning));
    assert!(db.message.contains("`c:db-h1` is warning") && db.fields["node"] == "h1", "{db:?}");
    assert_eq!(
        (db.routing_key.as_deref(), db.notes["runbook"].as_str()),
        (Some("database"), "https://wiki.example/db")
    );
    assert!(feed.warnings(&catalog.snapshot()).is_empty(), "once");

    let mut routed = Instance::new("h1", "web-h1", "web");
    routed.port = 80;
    let fine = put(check("h1", "c:db-h1", Some("db-h1"), Status::Critical));
    catalog.commit(vec![Command::PutInstance(routed), fine]).await.unwrap();
    let over = feed.warnings(&catalog.snapshot());
    let over: Vec<_> = over.iter().map(|alert| (alert.entity.as_str(), alert.kind)).collect();
    assert_eq!(over, [("warning:db", Kind::Recovery), ("warning:web", Kind::Recovery)]);
}
