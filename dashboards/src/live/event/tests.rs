use serde_json::Value;
use wharf_monitor::ServiceState;

use super::*;
use crate::view::Bar;

const EPOCH: Timestamp = Timestamp(7);

fn row(name: &str, state: ServiceState) -> ServiceRow {
    ServiceRow {
        name: name.to_owned(),
        state,
        degraded: false,
        since: None,
        reason: String::new(),
        availability: None,
        response_ms: None,
        passing: 0,
        total: 0,
        tags: Vec::new(),
        bar: Bar { states: String::new(), partial: Default::default() },
        figures: None,
    }
}

fn board(now: i64, catalog: u64, services: Vec<ServiceRow>) -> Board {
    Board {
        now: Timestamp(now),
        window: Window { from: Timestamp(0), to: Timestamp(now) },
        catalog: Index(catalog),
        oncall: None,
        version: "v".to_owned(),
        proxy: None,
        services,
    }
}

fn parsed(bytes: &[u8]) -> (String, Value) {
    let text = std::str::from_utf8(bytes).unwrap();
    let field =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
    (field("event: "), serde_json::from_str(&field("data: ")).unwrap())
}

#[test]
fn only_what_changed_is_told_to_who_saw_the_frame_before() {
    let first =
        board(1, 1, vec![row("a", ServiceState::Up), row("b", ServiceState::Up), row("c", ServiceState::Up)]);
    let second = board(2, 1, vec![row("a", ServiceState::Up), row("b", ServiceState::Down)]);
    let first = Frame::after(None, first, EPOCH, 1).unwrap();
    let second = Frame::after(Some(&first), second, EPOCH, 2).unwrap();
    let (name, data) = parsed(&second.since(1));
    assert_eq!(name, "update");
    assert_eq!(data["changed"].as_array().unwrap().len(), 1);
    assert_eq!(data["changed"][0]["name"], "b");
    assert_eq!(data["gone"], serde_json::json!(["c"]));
}

#[test]
fn who_missed_a_frame_is_told_everything() {
    let first = Frame::after(None, board(1, 1, vec![]), EPOCH, 1).unwrap();
    let third = Frame::after(Some(&first), board(2, 2, vec![row("a", ServiceState::Up)]), EPOCH, 3).unwrap();
    for seen in [0, 1, 7] {
        let (name, data) = parsed(&third.since(seen));
        assert_eq!((name.as_str(), data["services"].as_array().unwrap().len()), ("snapshot", 1));
    }
}

#[test]
fn passing_time_alone_is_no_news() {
    let first = Frame::after(None, board(1, 1, vec![row("a", ServiceState::Up)]), EPOCH, 1).unwrap();
    assert!(Frame::after(Some(&first), board(9, 1, vec![row("a", ServiceState::Up)]), EPOCH, 2).is_none());
    assert!(Frame::after(Some(&first), board(9, 2, vec![row("a", ServiceState::Up)]), EPOCH, 2).is_some());
}

#[test]
fn a_name_cannot_forge_events() {
    let hostile = "x\n\nevent: update\ndata: {}\r\n\u{2028}<script>";
    let frame = Frame::after(None, board(1, 1, vec![row(hostile, ServiceState::Up)]), EPOCH, 1).unwrap();
    let bytes = frame.since(0);
    let text = std::str::from_utf8(&bytes).unwrap();
    assert_eq!(text.matches("\n\n").count(), 1, "one event");
    assert!(!text.contains('\r'));
    assert_eq!(parsed(&bytes).1["services"][0]["name"], hostile);
}

#[test]
fn an_unspecified_proxy_address_leaves_the_host_to_the_page() {
    let told = |addr: &str| serde_json::to_value(Proxy::from(addr.parse::<SocketAddr>().unwrap())).unwrap();
    assert_eq!(told("0.0.0.0:80"), serde_json::json!({ "host": null, "port": 80 }));
    assert_eq!(told("[::1]:81"), serde_json::json!({ "host": "[::1]", "port": 81 }));
}

#[test]
fn an_incident_alone_is_news() {
    let counts = |journal| Some(OncallCounts { journal, triggered: 1, acknowledged: 0 });
    let first = Board { oncall: counts(7), ..board(1, 1, vec![]) };
    let first = Frame::after(None, first, EPOCH, 1).unwrap();
    assert!(
        Frame::after(Some(&first), Board { oncall: counts(7), ..board(2, 1, vec![]) }, EPOCH, 2).is_none()
    );
    let second = Board { oncall: counts(8), ..board(2, 1, vec![]) };
    let second = Frame::after(Some(&first), second, EPOCH, 2).unwrap();
    let (name, data) = parsed(&second.since(1));
    assert_eq!((name.as_str(), &data["oncall"]["journal"]), ("update", &serde_json::json!(8)));
}
