use super::*;

#[tokio::test]
async fn an_incident_is_listed_shown_and_taken_by_one_person_only() {
    let site = Site::start();
    site.fails("web").await;
    let list = site.get("/wharf/v1/incidents").await.good();
    assert_eq!(list["now"], "2026-03-01T08:00:00Z");
    assert_eq!(list["counts"], json!({ "triggered": 1, "acknowledged": 0 }));
    assert_eq!(list["incidents"][0]["entity"], "service:web");
    assert!(list["journal"].as_u64().unwrap() > 0);
    let one = site.get("/wharf/v1/incidents/1").await.good();
    assert_eq!(one["symptoms_list"][0]["title"], "web is down");
    assert_eq!(one["symptoms_list"][0]["active"], true);
    assert_eq!(one["timeline"][0]["event"], "opened");
    assert_eq!(one["escalation"][0]["policy"], "default");
    assert_eq!(one["deliveries"][0]["user"], "lee");

    let taken = site.post("/wharf/v1/incidents/1/acknowledge", json!({ "by": "dana", "note": "mine" })).await;
    let taken = taken.good();
    assert_eq!(
        (taken["state"].as_str(), taken["acknowledged"]["by"].as_str()),
        (Some("acknowledged"), Some("dana"))
    );
    assert_eq!((&taken["paging"], &taken["escalation"]), (&json!([]), &json!([])));
    let said: Vec<_> = taken["timeline"].as_array().unwrap().iter().map(|entry| &entry["text"]).collect();
    assert!(said.contains(&&json!("acknowledged by dana: mine")), "{said:?}");
    let late = site.post("/wharf/v1/incidents/1/acknowledge", json!({ "by": "lee" })).await;
    assert!(late.error(409).contains("already acknowledged by dana"));

    let over =
        site.post("/wharf/v1/incidents/1/resolve", json!({ "by": "dana", "note": "restarted" })).await.good();
    assert_eq!(over["resolved"]["reason"], "restarted");
    assert_eq!(over["symptoms_list"][0]["active"], false);
    let late = site.post("/wharf/v1/incidents/1/note", json!({ "by": "lee", "text": "?" })).await;
    assert!(late.error(409).contains("already resolved by dana"));
    assert_eq!(site.get("/wharf/v1/incidents").await.good()["incidents"], json!([]));
    assert_eq!(site.get("/wharf/v1/incidents?state=all").await.good()["incidents"][0]["id"], 1);
    site.stop().await;
}

#[tokio::test]
async fn snoozing_reassigning_and_remarking_say_what_they_did() {
    let site = Site::start();
    site.fails("web").await;
    let snoozed =
        site.post("/wharf/v1/incidents/1/snooze", json!({ "by": "dana", "for": "1h 30m" })).await.good();
    assert_eq!(snoozed["acknowledged"]["until"], "2026-03-01T09:30:00Z");
    let past = json!({ "by": "dana", "until": "2026-03-01T07:00:00Z" });
    assert!(site.post("/wharf/v1/incidents/1/snooze", past).await.error(400).contains("past"));
    let given =
        site.post("/wharf/v1/incidents/1/reassign", json!({ "by": "dana", "user": "kim" })).await.good();
    assert_eq!(given["state"], "triggered");
    assert_eq!(given["deliveries"][0]["user"], "kim");
    let nobody = json!({ "by": "dana", "user": "nobody" });
    assert!(site.post("/wharf/v1/incidents/1/reassign", nobody).await.error(404).contains("nobody"));
    let both = json!({ "by": "dana", "user": "kim", "policy": "night" });
    site.post("/wharf/v1/incidents/1/reassign", both).await.error(400);
    let noted =
        site.post("/wharf/v1/incidents/1/note", json!({ "by": "kim", "text": " looking " })).await.good();
    let last = noted["timeline"].as_array().unwrap().iter().rfind(|entry| entry["event"] == "noted").cloned();
    assert_eq!(last.unwrap()["text"], "kim: looking");
    site.stop().await;
}

#[tokio::test]
async fn several_are_acted_on_at_once_and_each_says_how_it_went() {
    let site = Site::start();
    for service in ["a", "b", "c"] {
        site.fails(service).await;
    }
    site.recovers("b").await;
    let done = site
        .post("/wharf/v1/incidents/acknowledge", json!({ "by": "dana", "ids": [3, 2, 1, 9] }))
        .await
        .good();
    assert_eq!(done["done"], json!([1, 3]));
    assert_eq!(done["refused"][0]["id"], 2);
    assert!(done["refused"][0]["error"].as_str().unwrap().contains("already resolved"));
    assert_eq!(done["refused"][1], json!({ "id": 9, "error": "no incident #9" }));
    let done = site.post("/wharf/v1/incidents/resolve", json!({ "by": "dana", "ids": [1, 3] })).await.good();
    assert_eq!(done, json!({ "done": [1, 3], "refused": [] }));
    site.post("/wharf/v1/incidents/resolve", json!({ "by": "dana", "ids": [] })).await.error(400);
    site.stop().await;
}

#[tokio::test]
async fn incidents_are_found_by_what_they_are_and_paged_through() {
    let site = Site::start();
    for number in 0..5 {
        site.fails(&format!("web-{number}")).await;
    }
    let ids = |list: Value| -> Vec<u64> {
        list["incidents"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    let found = site.get("/wharf/v1/incidents?entity=service:web-2").await.good();
    assert_eq!(ids(found), [3]);
    assert_eq!(ids(site.get("/wharf/v1/incidents?text=WEB-4").await.good()), [5]);
    assert_eq!(ids(site.get("/wharf/v1/incidents?limit=2").await.good()), [5, 4]);
    assert_eq!(ids(site.get("/wharf/v1/incidents?limit=2&before=4").await.good()), [3, 2]);
    let csv = site.get("/wharf/v1/incidents?format=csv&limit=1").await;
    assert!(
        csv.text.starts_with("id,state,entity,") && csv.text.contains("\r\n5,triggered,service:web-4,"),
        "{csv:?}"
    );
    assert!(site.get("/wharf/v1/incidents?state=shut").await.error(400).contains("shut"));
    site.get("/wharf/v1/incidents?limit=0").await.error(400);
    site.get("/wharf/v1/incidents?colour=red").await.error(400);
    site.get("/wharf/v1/incidents/9").await.error(404);
    site.get("/wharf/v1/incidents/x").await.error(404);
    site.get("/wharf/v1/incidents/18446744073709551615").await.error(404);
    site.get("/wharf/v1/events?after=18446744073709551615-0").await.good();
    site.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_act() {
    let site = Site::start();
    site.fails("web").await;
    let request = |fields: &[(&str, &str)]| {
        let request = Request::post("/wharf/v1/incidents/1/acknowledge").header("host", "127.0.0.1:8500");
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(Body::from(r#"{"by": "evil"}"#)).unwrap()
    };
    // What a form, or a script that may not ask first, can send.
    let form = site.send(request(&[("content-type", "text/plain")])).await;
    assert!(form.error(415).contains("application/json"));
    for fields in
        [[("origin", "https://evil.example")], [("sec-fetch-site", "cross-site")], [("origin", "null")]]
    {
        let mut fields = fields.to_vec();
        fields.push(("content-type", "application/json"));
        assert!(site.send(request(&fields)).await.error(403).contains("public_url"));
    }
    let ours = [("origin", "http://127.0.0.1:8500"), ("content-type", "application/json; charset=utf-8")];
    site.send(request(&ours)).await.good();
    site.stop().await;
}

#[tokio::test]
async fn a_wrong_request_is_told_where_and_does_nothing() {
    let site = Site::start();
    site.fails("web").await;
    let act = async |body: Value| site.post("/wharf/v1/incidents/1/acknowledge", body).await.error(400);
    assert!(act(json!({ "note": "x" })).await.contains("`by`"));
    assert!(act(json!({ "by": " " })).await.contains("`by`"));
    assert!(act(json!({ "by": "dana", "notes": "x" })).await.contains("notes"));
    let huge = json!({ "by": "dana", "note": "x".repeat(2 * 1024 * 1024) });
    site.post("/wharf/v1/incidents/1/acknowledge", huge).await.error(413);
    assert!(site.delete("/wharf/v1/incidents/1").await.error(405).contains("DELETE"));
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["state"], "triggered");
    site.stop().await;
}
