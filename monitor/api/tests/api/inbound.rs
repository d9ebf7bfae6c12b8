use super::*;

const KEY: &str = "0123456789abcdef";

fn guarded() -> Site {
    Site::with(&format!("{PLAN}\n[inbound]\nkey = \"{KEY}\"\n"))
}

async fn raw(site: &Site, path: &str, fields: &[(&str, &str)], body: &Value) -> Answered {
    let request =
        fields.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
    site.send(request.body(Body::from(body.to_string())).unwrap()).await
}

async fn only(site: &Site) -> Value {
    let list = site.get("/wharf/v1/incidents?state=all").await.good();
    assert_eq!(list["incidents"].as_array().unwrap().len(), 1, "{list:#}");
    list["incidents"][0].clone()
}

#[tokio::test]
async fn victorops_opens_acknowledges_and_resolves() {
    let site = guarded();
    let path = format!("/integrations/generic/20131114/alert/{KEY}/night");
    let say = async |kind: &str| {
        let body = json!({ "message_type": kind, "entity_id": "disk/db1", "state_message": "95 %", "ack_author": "dana" });
        // As curl sends it.
        raw(&site, &path, &[("content-type", "application/x-www-form-urlencoded")], &body).await.good()
    };
    assert_eq!(say("CRITICAL").await, json!({ "result": "success", "entity_id": "disk/db1" }));
    let incident = only(&site).await;
    assert_eq!((&incident["state"], &incident["routing_key"]), (&json!("triggered"), &json!("night")));
    say("ACKNOWLEDGEMENT").await;
    assert_eq!(only(&site).await["acknowledged"]["by"], "dana");
    say("RECOVERY").await;
    assert_eq!(only(&site).await["state"], "resolved");
    let wrong = raw(&site, "/integrations/generic/20131114/alert/wrong/night", &[], &json!({})).await;
    assert_eq!(wrong.status.as_u16(), 403, "{wrong:?}");
    let broken = raw(&site, &path, &[], &json!({ "message_type": "LOUD" })).await;
    assert_eq!(broken.status.as_u16(), 400);
    site.stop().await;
}

#[tokio::test]
async fn victorops_address_may_end_in_a_slash() {
    let site = guarded();
    for (rest, entity, routing_key) in [("", "bare", Value::Null), ("night/", "routed", json!("night"))] {
        let path = format!("/integrations/generic/20131114/alert/{KEY}/{rest}");
        raw(&site, &path, &[], &json!({ "message_type": "CRITICAL", "entity_id": entity })).await.good();
        let list = site.get(&format!("/wharf/v1/incidents?entity={entity}")).await.good();
        assert_eq!(list["incidents"][0]["routing_key"], routing_key, "{list:#}");
    }
    site.stop().await;
}

#[tokio::test]
async fn what_pagerduty_and_opsgenie_would_page_for_opens_an_incident_and_rules_see_its_urgency() {
    let rule = "[[rules]]\nname = \"quiet\"\nmatch = ['priority=\"P5\"', 'source=\"lab\"']\nmute = true\n";
    let site = Site::with(&format!("{PLAN}\n{rule}"));
    let event = json!({ "routing_key": "night", "event_action": "trigger", "dedup_key": "d1",
        "payload": { "summary": "disk at 80 %", "source": "db1", "severity": "info" } });
    assert_eq!(site.post("/v2/enqueue", event).await.status.as_u16(), 202);
    let incident = only(&site).await;
    assert_eq!((&incident["severity"], &incident["fields"]["severity"]), (&json!("WARNING"), &json!("info")));
    let alert = |source: &str| json!({ "message": "m", "alias": source, "priority": "P5", "source": source });
    site.post("/v2/alerts", alert("lab")).await.good();
    site.post("/v2/alerts", alert("shop")).await.good();
    let open = site.get("/wharf/v1/incidents").await.good();
    assert_eq!(open["incidents"].as_array().unwrap().len(), 2, "the rule mutes one: {open:#}");
    assert_eq!(open["incidents"][0]["fields"]["priority"], "P5");
    site.stop().await;
}

#[tokio::test]
async fn of_a_batch_with_a_broken_alert_the_others_open_incidents() {
    let site = Site::start();
    let batch =
        json!([{ "labels": { "alertname": "A" } }, { "labels": {} }, { "labels": { "alertname": "B" } }]);
    let answer = site.post("/api/v2/alerts", batch).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert!(answer.text.contains("1.labels in body is required"), "{answer:?}");
    assert_eq!(site.get("/api/v2/alerts").await.good().as_array().unwrap().len(), 2);
    let silence = json!({ "matchers": [{ "name": "alertname", "value": "A", "isRegex": false }], "createdBy": "",
        "startsAt": "2026-03-01T08:00:00.000Z", "endsAt": "2026-03-01T09:00:00.000Z", "comment": "" });
    let id = site.post("/api/v2/silences", silence).await.good()["silenceID"].clone();
    let shown = site.get(&format!("/api/v2/silence/{}", id.as_str().unwrap())).await.good();
    assert_eq!(shown["createdBy"], "somebody");
    site.stop().await;
}

#[tokio::test]
async fn pagerduty_takes_events_whose_routing_key_begins_with_the_key() {
    let site = guarded();
    let event = |key: &str, action: &str| {
        json!({ "routing_key": key, "event_action": action, "dedup_key": "d1",
            "payload": { "summary": "db is slow", "source": "db1", "severity": "critical" } })
    };
    let key = format!("{KEY}.night");
    let answer = site.post("/v2/enqueue", event(&key, "trigger")).await;
    assert_eq!(answer.status.as_u16(), 202);
    assert_eq!(answer.good()["dedup_key"], "d1");
    let incident = only(&site).await;
    assert_eq!((&incident["title"], &incident["routing_key"]), (&json!("db is slow"), &json!("night")));
    assert_eq!(site.post("/v2/enqueue", event("night", "resolve")).await.status.as_u16(), 403);
    assert_eq!(site.post("/v2/enqueue", event(KEY, "resolve")).await.status.as_u16(), 202);
    assert_eq!(only(&site).await["state"], "resolved");
    let wrong = site.post("/v2/enqueue", json!({ "routing_key": key })).await;
    assert_eq!(wrong.status.as_u16(), 400);
    assert!(!only(&site).await.to_string().contains(KEY), "the key is kept");
    site.stop().await;
}

#[tokio::test]
async fn opsgenie_creates_acknowledges_and_closes() {
    let site = guarded();
    let key = format!("GenieKey {KEY}");
    let fields = [("authorization", key.as_str()), ("content-type", "application/json")];
    let alert = json!({ "message": "queue is long", "alias": "q1", "priority": "P1" });
    assert_eq!(raw(&site, "/v2/alerts", &[], &alert).await.status.as_u16(), 401);
    let answer = raw(&site, "/v2/alerts", &fields, &alert).await;
    assert_eq!(answer.status.as_u16(), 202);
    assert!(answer.good()["requestId"].is_string());
    raw(&site, "/v2/alerts/q1/acknowledge?identifierType=alias", &fields, &json!({ "user": "lee" }))
        .await
        .good();
    assert_eq!(only(&site).await["acknowledged"]["by"], "lee");
    raw(&site, "/v2/alerts/q1/close?identifierType=alias", &fields, &json!({})).await.good();
    assert_eq!(only(&site).await["state"], "resolved");
    assert_eq!(raw(&site, "/v2/alerts", &fields, &json!({})).await.status.as_u16(), 422);
    assert_eq!(raw(&site, "/v2/alerts/q1/escalate", &fields, &json!({})).await.status.as_u16(), 404);
    site.stop().await;
}

#[tokio::test]
async fn prometheus_alerts_are_listed_as_alertmanager_lists_them() {
    let site = Site::start();
    let alert = |name: &str, host: &str| {
        json!({ "labels": { "alertname": name, "host": host, "severity": "critical" },
            "annotations": { "summary": format!("{name} on {host}") }, "generatorURL": "http://prom/graph" })
    };
    site.post("/api/v2/alerts", json!([alert("Disk", "db1"), alert("Disk", "db2"), alert("Load", "db1")]))
        .await
        .good();
    site.fails("web").await;
    let get = async |query: &str| site.get(&format!("/api/v2/alerts?{query}")).await.good();
    let all = get("").await;
    assert_eq!(all.as_array().unwrap().len(), 4, "{all:#}");
    let disks = get("filter=alertname%3D%22Disk%22&filter=host%3D~%22db.%22").await;
    assert_eq!(disks.as_array().unwrap().len(), 2);
    assert_eq!(disks[0]["annotations"]["summary"].as_str().unwrap()[..8], *"Disk on ");
    assert_eq!(disks[0]["receivers"], json!([{ "name": "default" }]));
    assert_eq!(get("receiver=night").await, json!([]));
    // What wharf says itself has labels as well, by which silences find it.
    let ours = get("filter=alertname%3D%22web%20is%20down%22").await;
    assert_eq!(ours[0]["labels"]["service"], "web");

    let silence = json!({ "matchers": [{ "name": "alertname", "value": "Disk", "isRegex": false, "isEqual": true }],
        "startsAt": "2026-03-01T08:00:00.000Z", "endsAt": "2026-03-01T09:00:00.000Z", "createdBy": "dana", "comment": "c" });
    let id =
        site.post("/api/v2/silences", silence.clone()).await.good()["silenceID"].as_str().unwrap().to_owned();
    assert_eq!(get("silenced=false").await.as_array().unwrap().len(), 2);
    let quiet = get("active=false").await;
    assert_eq!((quiet.as_array().unwrap().len(), &quiet[0]["status"]["state"]), (2, &json!("suppressed")));
    assert_eq!(quiet[0]["status"]["silencedBy"], json!([id]));
    let groups = site.get("/api/v2/alerts/groups").await.good();
    assert_eq!(groups.as_array().unwrap().len(), 4);
    let one = site.get(&format!("/api/v2/silence/{id}")).await.good();
    assert_eq!((&one["status"]["state"], &one["createdBy"]), (&json!("active"), &json!("dana")));
    let mut longer = silence;
    longer["id"] = json!(id);
    longer["endsAt"] = json!("2026-03-01T10:00:00.000Z");
    assert_eq!(site.post("/api/v2/silences", longer.clone()).await.good()["silenceID"], json!(id));
    longer["id"] = json!("none");
    assert_eq!(site.post("/api/v2/silences", longer).await.status.as_u16(), 404);
    let listed = site.get("/api/v2/silences?filter=alertname%3DDisk").await.good();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["endsAt"]), (1, &json!("2026-03-01T10:00:00Z")));
    site.advance(Duration::from_secs(600));
    for _ in 0..2 {
        assert_eq!(site.delete(&format!("/api/v2/silence/{id}")).await.status.as_u16(), 200);
        site.advance(Duration::from_secs(60));
    }
    assert_eq!(site.delete("/api/v2/silence/none").await.status.as_u16(), 404);
    let over = site.get(&format!("/api/v2/silence/{id}")).await.good();
    let ended = (&over["status"]["state"], &over["endsAt"]);
    assert_eq!(ended, (&json!("expired"), &json!("2026-03-01T08:10:00Z")));
    let ours = site.get("/wharf/v1/oncall/silences").await.good();
    let ours: Vec<_> =
        ours["silences"].as_array().unwrap().iter().filter(|one| one["id"] == json!(id)).collect();
    assert_eq!(
        (&ours[0]["active"], &ours[0]["over"], &ours[0]["until"]),
        (&json!(false), &json!(true), ended.1)
    );
    // One that is over is not brought back: the same again is another.
    let mut again = over.clone();
    again["endsAt"] = json!("2026-03-01T10:00:00.000Z");
    assert_ne!(site.post("/api/v2/silences", again).await.good()["silenceID"], json!(id));
    site.stop().await;
}

#[tokio::test]
async fn alertmanagers_other_questions_are_answered() {
    let site = guarded();
    let get = async |path: &str| {
        let key = format!("Bearer {KEY}");
        site.send(Request::get(path).header("authorization", key).body(Body::empty()).unwrap()).await
    };
    assert_eq!(site.get("/api/v2/status").await.status.as_u16(), 401);
    let status = get("/api/v2/status").await.good();
    assert!(status["config"]["original"].as_str().unwrap().contains("receiver: \"default\""));
    assert_eq!(status["uptime"], "2026-03-01T08:00:00Z");
    assert_eq!(get("/api/v2/receivers").await.good(), json!([{ "name": "default" }, { "name": "night" }]));
    assert_eq!(get("/api/v2/alerts?filter=x").await.status.as_u16(), 400);
    let form =
        raw(&site, "/api/v2/silences", &[("authorization", &format!("Bearer {KEY}"))], &json!({})).await;
    assert_eq!(form.status.as_u16(), 415);
    site.stop().await;
}

#[tokio::test]
async fn the_webhook_of_an_alertmanager_opens_and_resolves() {
    let site = Site::start();
    let message = |status: &str| {
        json!({ "version": "4", "groupKey": "{}:{}", "receiver": "wharf", "status": status, "alerts": [
            { "status": status, "labels": { "alertname": "Disk" }, "annotations": {}, "fingerprint": "f1" }] })
    };
    site.post("/wharf/v1/inbound/alertmanager", message("firing")).await.good();
    assert_eq!(only(&site).await["title"], "Disk");
    site.post("/wharf/v1/inbound/alertmanager", message("resolved")).await.good();
    assert_eq!(only(&site).await["state"], "resolved");
    site.stop().await;
}

#[tokio::test]
async fn what_is_too_large_or_from_another_sites_page_is_refused() {
    let site = Site::start();
    let huge = json!({ "message_type": "CRITICAL", "state_message": "x".repeat(9 * 1024 * 1024) });
    for path in [
        "/integrations/generic/20131114/alert/k/r",
        "/v2/enqueue",
        "/v2/alerts",
        "/api/v2/alerts",
        "/wharf/v1/inbound/alertmanager",
    ] {
        assert_eq!(raw(&site, path, &[], &huge).await.status.as_u16(), 413, "{path}");
        let foreign = raw(&site, path, &[("origin", "https://evil.example")], &json!({})).await;
        assert_eq!(foreign.status.as_u16(), 403, "{path}");
    }
    assert_eq!(site.get("/wharf/v1/incidents?state=all").await.good()["incidents"], json!([]));
    site.stop().await;
}
