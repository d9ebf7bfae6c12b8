//! What tools send, taken from their documentation, and what nobody should.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{Kind, Matcher, Silence};

fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

#[test]
fn victorops_alert_with_annotations_and_fields_of_its_own() {
    let body = br#"{"message_type":"CRITICAL","entity_id":"disk/db01","entity_display_name":"disk full",
        "state_message":"9%% left","monitoring_tool":"nagios","state_start_time":1772366340,"hostname":"db01",
        "vo_annotate.u.Runbook":"https://wiki.example/disk","check_attempt":3,"nested":{"a":1}}"#;
    let Inbound { alerts, answer } = victorops(body, Some("database"), "fresh").unwrap();
    assert_eq!(
        (answer.status, answer.body),
        (200, serde_json::json!({"result":"success","entity_id":"disk/db01"}))
    );
    let alert = &alerts[0];
    assert_eq!((alert.kind, &*alert.entity, &*alert.title), (Kind::Critical, "disk/db01", "disk full"));
    assert_eq!((alert.routing_key.as_deref(), &*alert.source), (Some("database"), "nagios"));
    assert_eq!(alert.started.unwrap().to_string(), "2026-03-01T11:59:00Z");
    assert_eq!(alert.notes["Runbook"], "https://wiki.example/disk");
    assert_eq!((&*alert.fields["check_attempt"], &*alert.fields["nested"]), ("3", "{\"a\":1}"));
    assert_eq!(alert.field("hostname"), Some("db01"));
}

#[test]
fn victorops_acknowledgement_names_its_author_and_an_entity_without_a_name_gets_one() {
    let body =
        br#"{"message_type":"acknowledgement","entity_id":"x","ack_author":"dana","ack_message":"mine"}"#;
    let alert = victorops(body, None, "fresh").unwrap().alerts.remove(0);
    assert_eq!(
        (alert.kind, alert.author.as_deref(), &*alert.message),
        (Kind::Acknowledgement, Some("dana"), "mine")
    );
    let alert = victorops(br#"{"message_type":"INFO"}"#, None, "fresh").unwrap().alerts.remove(0);
    assert_eq!(alert.entity, "fresh");
}

#[test]
fn victorops_refuses_by_the_fields_name() {
    for (body, expected) in [
        (&b"{}"[..], "`message_type` is missing or blank"),
        (b"[]", "the body is a list, not an object"),
        (b"{", "the body is no JSON"),
        (br#"{"message_type":"FATAL"}"#, "`message_type` `FATAL` is none of"),
        (br#"{"message_type":["CRITICAL"]}"#, "`message_type` is a list, not a string"),
    ] {
        let answer = victorops(body, None, "f").unwrap_err();
        let message = answer.body["message"].as_str().unwrap();
        assert!(answer.status == 400 && message.contains(expected), "{message}");
    }
    // What an alert is known by is not cut.
    let long = serde_json::json!({ "message_type": "CRITICAL", "entity_id": "x".repeat(70_000) });
    let answer = victorops(long.to_string().as_bytes(), None, "f").unwrap_err();
    assert!(answer.body["message"].as_str().unwrap().contains("`entity_id` is longer"), "{answer:?}");
}

#[test]
fn a_victorops_alert_is_kept_whatever_its_details_are() {
    let read = |body: Value| victorops(body.to_string().as_bytes(), None, "f").unwrap().alerts.remove(0);
    let long = read(
        serde_json::json!({ "message_type": "CRITICAL", "state_message": "é".repeat(40_000), "hint": ["a"] }),
    );
    assert!(long.message.len() <= 64 * 1024 && long.message.ends_with("é… (cut)"), "{}", long.message.len());
    assert_eq!(long.fields["hint"], "[\"a\"]");
    let mut body = Value::Object((0..300).map(|n| (format!("f{n}"), n.into())).collect());
    body["message_type"] = "INFO".into();
    let many = read(body);
    assert_eq!(many.fields["more"], "44 more fields were left out: at most 256 are kept");
}

#[test]
fn times_are_seconds_or_milliseconds_or_rfc_3339_and_a_time_that_is_none_costs_nothing() {
    let started = |field: &str, value: Value| {
        let body = serde_json::json!({ "message_type": "CRITICAL", field: value });
        victorops(body.to_string().as_bytes(), None, "f").unwrap().alerts[0].started.map(|at| at.to_string())
    };
    let expected = Some("2026-03-01T11:59:00Z".to_owned());
    assert_eq!(started("state_start_time", 1_772_366_340.into()), expected);
    assert_eq!(started("state_start_time", "1772366340".into()), expected);
    assert_eq!(started("state_start_time", 1_772_366_340_000_i64.into()), expected);
    assert_eq!(started("timestamp", "2026-03-01T12:59:00+01:00".into()), expected);
    for none in [0.into(), "soon".into(), "".into(), "nan".into(), 1e30.into(), serde_json::json!([1])] {
        assert_eq!(started("state_start_time", none), None);
    }
}

#[test]
fn a_pagerduty_event_is_kept_whatever_its_details_are() {
    let read = |details: Value, links: Value| {
        let body = serde_json::json!({ "routing_key": "r", "event_action": "trigger", "links": links,
            "payload": { "summary": "s", "source": "h", "severity": "error", "timestamp": "now", "custom_details": details } });
        pagerduty(body.to_string().as_bytes(), "f").unwrap().alerts.remove(0)
    };
    let log = read(serde_json::json!({ "log": "x".repeat(100_000), "id": 7 }), Value::Null);
    assert!(log.fields["log"].len() <= 64 * 1024 && log.fields["log"].ends_with("… (cut)"));
    assert_eq!((&*log.fields["id"], log.started), ("7", None));
    let odd = read(
        serde_json::json!(["a", 1]),
        serde_json::json!([{ "text": "x" }, {}, 3, { "href": "https://w", "text": "wiki" }]),
    );
    assert_eq!(odd.fields["details"], "[\"a\",1]");
    assert_eq!(odd.notes.into_iter().collect::<Vec<_>>(), [("wiki".to_owned(), "https://w".to_owned())]);
    assert_eq!(read("it broke".into(), serde_json::json!({})).fields["details"], "it broke");
}

#[test]
fn what_pagerduty_and_opsgenie_open_an_incident_for_is_a_problem_here_too() {
    let body = br#"{"routing_key":"r","event_action":"trigger","payload":{"summary":"s","source":"h","severity":"info"}}"#;
    let info = pagerduty(body, "f").unwrap().alerts.remove(0);
    assert_eq!((info.kind, info.field("severity")), (Kind::Warning, Some("info")));
    let least = opsgenie_create(br#"{"message":"m","priority":"P5"}"#, "f", "r").unwrap().alerts.remove(0);
    assert_eq!((least.kind, least.field("priority")), (Kind::Warning, Some("P5")));
}

#[test]
fn pagerduty_trigger_of_its_documentation() {
    let body = br#"{"payload":{"summary":"DISK at 99% on machine prod-datapipe03.example.com",
        "timestamp":"2015-07-17T08:42:58.315+0000","severity":"critical","source":"prod-datapipe03.example.com",
        "component":"mysql","group":"prod-datapipe","class":"disk",
        "custom_details":{"free space":"1%","ping time":"1500ms","load avg":0.75}},
        "routing_key":"samplekeyhere","dedup_key":"samplekeyhere","event_action":"trigger",
        "client":"Sample Monitoring Service","client_url":"https://monitoring.service.com",
        "links":[{"href":"https://pagerduty.example.com","text":"An example link."}],
        "images":[{"src":"https://chart.example/x.png","alt":"Chart"}]}"#;
    let Inbound { alerts, answer } = pagerduty(body, "fresh").unwrap();
    let expected =
        serde_json::json!({"status":"success","message":"Event processed","dedup_key":"samplekeyhere"});
    assert_eq!((answer.status, answer.body), (202, expected));
    let alert = &alerts[0];
    assert_eq!((alert.kind, alert.routing_key.as_deref()), (Kind::Critical, Some("samplekeyhere")));
    assert_eq!(alert.started.unwrap().to_string(), "2015-07-17T08:42:58.315Z");
    assert_eq!((&*alert.fields["load avg"], &*alert.fields["host"]), ("0.75", "prod-datapipe03.example.com"));
    assert_eq!((&*alert.notes["An example link."], alert.notes.len()), ("https://pagerduty.example.com", 3));
}

#[test]
fn pagerduty_resolves_and_acknowledges_by_key_and_tells_all_errors_at_once() {
    let act = |action: &str| format!(r#"{{"routing_key":"r","event_action":"{action}","dedup_key":"k"}}"#);
    let kind = |action: &str| pagerduty(act(action).as_bytes(), "f").unwrap().alerts[0].kind;
    assert_eq!((kind("acknowledge"), kind("resolve")), (Kind::Acknowledgement, Kind::Recovery));
    let answer =
        pagerduty(br#"{"event_action":"trigger","payload":{"severity":"bad","source":7}}"#, "f").unwrap_err();
    assert_eq!(answer.status, 400);
    let expected = serde_json::json!({"status":"invalid event","message":"Event object is invalid","errors":[
        "'routing_key' is missing or blank", "'payload.summary' is missing or blank",
        "'payload.severity' must be one of critical, error, warning or info"]});
    assert_eq!(answer.body, expected);
    let answer = pagerduty(br#"{"routing_key":"r","event_action":"resolve"}"#, "f").unwrap_err();
    assert_eq!(answer.body["errors"][0], "'dedup_key' is missing or blank");
    let answer = pagerduty(br#"{"routing_key":"r","event_action":"trigger"}"#, "f").unwrap_err();
    assert_eq!(answer.body["errors"][0], "'payload' is missing or blank");
}

#[test]
fn alerts_of_a_prometheus_last_until_their_end_and_a_past_end_resolves() {
    let body = br#"[{"labels":{"alertname":"Down","severity":"warning","instance":"web:80"},
        "annotations":{"summary":"web is down","runbook_url":"https://w"},
        "startsAt":"2026-03-01T11:58:00Z","endsAt":"2026-03-01T12:04:00Z","generatorURL":"http://p/graph"},
        {"labels":{"alertname":"Up"},"endsAt":"2026-03-01T11:59:59Z"},
        {"labels":{"alertname":"Bare"},"endsAt":"0001-01-01T00:00:00Z"}]"#;
    let Inbound { alerts, answer } = alertmanager_alerts(body, now()).unwrap();
    assert_eq!((answer.status, answer.body), (200, Value::Null));
    let [down, up, bare] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!(
        (down.kind, &*down.title, down.field("instance")),
        (Kind::Warning, "web is down", Some("web:80"))
    );
    assert_eq!(down.expires.unwrap().to_string(), "2026-03-01T12:04:00Z");
    assert_eq!((up.kind, up.expires), (Kind::Recovery, None));
    assert_eq!((bare.kind, &*bare.title), (Kind::Critical, "Bare"));
    assert_eq!(bare.expires.unwrap().to_string(), "2026-03-01T12:05:00Z");
}

#[test]
fn the_fingerprint_is_that_of_prometheus() {
    // As a real Alertmanager 0.23 sent it to a webhook.
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let recorded = labels(&[
        ("job", "node_exporter"),
        ("alertname", "disk_util"),
        ("device", "/dev/mapper/datavg-lvnextcloud"),
        ("event", "{alertname}:/home/nextcloud"),
        ("fstype", "ext4"),
        ("instance", "172.19.0.1:9100"),
        ("mountpoint", "/home/nextcloud"),
    ]);
    assert_eq!(fingerprint(&recorded), "fdc29a22d19b3076");
    assert_ne!(fingerprint(&labels(&[("a", "bc")])), fingerprint(&labels(&[("ab", "c")])));
}

#[test]
fn of_many_alerts_those_that_can_be_are_taken_and_the_others_are_told() {
    let long = "x".repeat(70_000);
    let bad = [
        (r#"{"annotations":{}}"#.to_owned(), "1.labels in body is required"),
        (r#"{"labels":{"a":""}}"#.to_owned(), "1.labels in body is required"),
        (r#"{"labels":[]}"#.to_owned(), "1.labels is a list, not an object"),
        (r#"7"#.to_owned(), "1. is a number, not an object"),
        (format!(r#"{{"labels":{{"a":"{long}"}}}}"#), "1.labels.a is longer than"),
        (r#"{"labels":{"a":"b"},"startsAt":"x"}"#.to_owned(), "1.startsAt `x` is no time"),
        (
            r#"{"labels":{"a":"b"},"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T11:00:00Z"}"#
                .to_owned(),
            "1.endsAt in body lies before startsAt",
        ),
    ];
    for (bad, expected) in bad {
        let body =
            format!(r#"[{{"labels":{{"alertname":"Good"}}}},{bad},{{"labels":{{"alertname":"Too"}}}}]"#);
        let Inbound { alerts, answer } = alertmanager_alerts(body.as_bytes(), now()).unwrap();
        assert_eq!(alerts.iter().map(|alert| &*alert.title).collect::<Vec<_>>(), ["Good", "Too"]);
        assert!(answer.status == 400 && answer.body.as_str().unwrap().contains(expected), "{answer:?}");
        assert_eq!(alertmanager_alerts(format!("[{bad}]").as_bytes(), now()).unwrap_err().status, 400);
    }
    let body = format!(r#"[{{"labels":{{"a":"b"}},"annotations":{{"log":"{long}"}}}}]"#);
    let Inbound { alerts, answer } = alertmanager_alerts(body.as_bytes(), now()).unwrap();
    assert!(answer.status == 200 && alerts[0].notes["log"].ends_with("(cut)"), "{answer:?}");
    let many = vec!["{}"; 30].join(",");
    let answer = alertmanager_alerts(format!("[{many}]").as_bytes(), now()).unwrap_err();
    assert!(answer.body.as_str().unwrap().ends_with("; and 10 more"), "{answer:?}");
    let answer = alertmanager_alerts(b"{}", now()).unwrap_err();
    assert!(answer.status == 400 && answer.body["message"].as_str().unwrap().contains("not a list"));
}

#[test]
fn the_webhook_of_an_alertmanager_is_one_group() {
    let body = br#"{"version":"4","groupKey":"{}:{alertname=\"Down\"}","status":"firing","receiver":"wharf",
        "groupLabels":{"alertname":"Down"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://am",
        "alerts":[{"status":"firing","labels":{"alertname":"Down","i":"1"},"annotations":{},
        "startsAt":"2026-03-01T11:58:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"abc"},
        {"status":"resolved","labels":{"alertname":"Down","i":"2"},"annotations":{},"fingerprint":"def"}]}"#;
    let alerts = alertmanager_webhook(body).unwrap().alerts;
    assert_eq!((&*alerts[0].entity, alerts[0].kind), ("abc", Kind::Critical));
    assert_eq!((&*alerts[1].entity, alerts[1].kind), ("def", Kind::Recovery));
    assert_eq!(alerts[0].group, alerts[1].group);
    assert_eq!((alerts[0].expires, alerts[0].field("receiver")), (None, Some("wharf")));
    let half =
        br#"{"alerts":[{"status":"odd","labels":{"a":"b"}},7,{"status":"firing","labels":{"a":"c"}}]}"#;
    let Inbound { alerts, answer } = alertmanager_webhook(half).unwrap();
    assert_eq!((alerts.len(), alerts[0].field("a"), answer.status), (1, Some("c"), 400));
    assert!(answer.body["message"].as_str().unwrap().contains("`alerts[1]` is a number"), "{answer:?}");
    let answer = alertmanager_webhook(br#"{"alerts":[{"status":"odd","labels":{"a":"b"}}]}"#).unwrap_err();
    assert!(answer.body.to_string().contains("alerts[0].status"), "{answer:?}");
    assert!(alertmanager_webhook(b"{}").unwrap_err().body.to_string().contains("`alerts` is missing"));
}

#[test]
fn silences_go_both_ways() {
    let body = br#"{"matchers":[{"name":"instance","value":"web.*","isRegex":true,"isEqual":true},
        {"name":"severity","value":"info","isRegex":false,"isEqual":false}],"startsAt":"2026-03-01T11:00:00Z",
        "endsAt":"2026-03-01T13:00:00Z","createdBy":"dana","comment":"deploy"}"#;
    let (id, silence) = alertmanager_silence(body).unwrap();
    assert_eq!((id, &*silence.by), (None, "dana"));
    assert_eq!(silence.matchers[0].to_string(), "instance=~\"web.*\"");
    let nobodys = String::from_utf8_lossy(body).replace("dana", "");
    assert_eq!(alertmanager_silence(nobodys.as_bytes()).unwrap().1.by, "somebody");
    let shown = silence_for_alertmanager("s1", &silence, now());
    assert_eq!((&shown["id"], &shown["status"]["state"]), (&"s1".into(), &"active".into()));
    let (id, again) = alertmanager_silence(shown.to_string().as_bytes()).unwrap();
    assert_eq!((id.as_deref(), again), (Some("s1"), silence.clone()));
    let wild: Matcher = "host=*\"db-?.x\"".parse().unwrap();
    let shown = silence_for_alertmanager("s2", &Silence { matchers: vec![wild], ..silence }, now());
    let (_, regex) = alertmanager_silence(shown.to_string().as_bytes()).unwrap();
    assert!(regex.matchers[0].matches("db-1.x") && !regex.matchers[0].matches("db-12.x"));
}

#[test]
fn a_silence_that_silences_everything_or_nothing_is_refused() {
    let silence = |matchers: &str, until: &str| {
        let body = format!(
            r#"{{"matchers":{matchers},"startsAt":"2026-03-01T11:00:00Z","endsAt":"{until}","createdBy":"d"}}"#
        );
        alertmanager_silence(body.as_bytes()).unwrap_err().body.to_string()
    };
    let later = "2026-03-01T13:00:00Z";
    assert!(silence("[]", later).contains("`matchers` needs 1 to 64"));
    assert!(silence(r#"[{"name":"a","value":".*","isRegex":true}]"#, later).contains("match everything"));
    assert!(
        silence(r#"[{"name":"a","value":"[","isRegex":true}]"#, later)
            .contains("`matchers[0]` matcher on `a`")
    );
    assert!(
        silence(r#"[{"name":"a","value":"b","isEqual":1}]"#, later).contains("`isEqual` is not a boolean")
    );
    assert!(silence(r#"[{"value":"b"}]"#, later).contains("`name` is missing"));
    assert!(
        silence(r#"[{"name":"a","value":"b"}]"#, "2026-03-01T10:00:00Z")
            .contains("silence: start time must be before end time")
    );
}

#[test]
fn opsgenie_alerts_are_created_acknowledged_and_closed() {
    let body =
        br#"{"message":"db is slow","alias":"db-slow","description":"p95 4 s","priority":"P4","entity":"db1",
        "responders":[{"username":"a@b","type":"user"},{"name":"dba","type":"team"}],"tags":["db","slow"],
        "details":{"shard":7},"source":"grafana"}"#;
    let Inbound { alerts, answer } = opsgenie_create(body, "f", "req-1").unwrap();
    assert_eq!((answer.status, &answer.body["requestId"]), (202, &"req-1".into()));
    let alert = &alerts[0];
    assert_eq!(
        (alert.kind, &*alert.entity, alert.routing_key.as_deref()),
        (Kind::Warning, "db-slow", Some("dba"))
    );
    assert_eq!(
        (&*alert.fields["tags"], &*alert.fields["shard"], alert.field("host")),
        ("db,slow", "7", Some("db1"))
    );
    let close = opsgenie_action("db-slow", OpsgenieAction::Close, b"", "r").unwrap().alerts.remove(0);
    assert_eq!((close.kind, &*close.entity), (Kind::Recovery, "db-slow"));
    let ack = br#"{"user":"dana","note":"mine"}"#;
    let ack = opsgenie_action("db-slow", OpsgenieAction::Acknowledge, ack, "r").unwrap().alerts.remove(0);
    assert_eq!((ack.kind, ack.author.as_deref()), (Kind::Acknowledgement, Some("dana")));
    let answer = opsgenie_create(br#"{"message":"","priority":"P9"}"#, "f", "r").unwrap_err();
    assert_eq!((answer.status, &answer.body["errors"]["message"]), (422, &"is missing or blank".into()));
    assert_eq!(answer.body["errors"]["priority"], "`P9` is none of P1 to P5");
}

#[test]
fn a_heartbeat_says_up_or_down() {
    let kind = |query: &str| push("heartbeat:backup", query).map(|inbound| inbound.alerts[0].kind);
    assert_eq!(kind(""), Ok(Kind::Recovery));
    assert_eq!(kind("status=up&msg=OK&ping="), Ok(Kind::Recovery));
    assert_eq!(kind("status=down&msg=no%20space&ping=12.5"), Ok(Kind::Critical));
    assert_eq!(kind(&format!("status=down&msg={}", "x".repeat(70_000))), Ok(Kind::Critical));
    assert!(kind("status=sideways").unwrap_err().body["msg"].as_str().unwrap().contains("`status`"));
    assert!(kind("ping=fast").unwrap_err().body["msg"].as_str().unwrap().contains("`ping`"));
}

/// Any JSON at all, shallow.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "message_type",
        "entity_id",
        "state_start_time",
        "payload",
        "severity",
        "links",
        "labels",
        "alerts",
        "endsAt",
        "matchers",
        "name",
        "value",
        "isRegex",
        "message",
        "responders",
        "details",
        "event_action",
        "summary",
        "odd",
    ]);
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_is_sent_makes_a_parser_panic(value in any_json(), bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        for body in [value.to_string().into_bytes(), bytes] {
            let _ = victorops(&body, None, "f");
            let _ = pagerduty(&body, "f");
            let _ = alertmanager_alerts(&body, now());
            let _ = alertmanager_webhook(&body);
            let _ = alertmanager_silence(&body);
            let _ = opsgenie_create(&body, "f", "r");
            let _ = opsgenie_action("a", OpsgenieAction::Close, &body, "r");
            let _ = push("e", &String::from_utf8_lossy(&body));
        }
    }
}
