use super::*;

fn texts(page: &Value) -> Vec<String> {
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["text"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn events_are_read_from_a_cursor_on_without_a_gap_or_a_repetition() {
    let site = Site::start();
    for service in ["a", "b", "c"] {
        site.fails(service).await;
    }
    let all = site.get("/wharf/v1/events?limit=1000").await.good();
    let (mut one_by_one, mut next) = (Vec::new(), "0-0".to_owned());
    loop {
        let page = site.get(&format!("/wharf/v1/events?limit=1&after={next}")).await.good();
        next = page["next"].as_str().unwrap().to_owned();
        let Some(event) = page["events"].as_array().unwrap().first() else {
            break;
        };
        assert_eq!(event["cursor"], json!(next));
        one_by_one.push(event["text"].as_str().unwrap().to_owned());
    }
    // What became of the messages meanwhile came on top.
    assert_eq!(one_by_one[..texts(&all).len()], texts(&all));
    let newest = site.get("/wharf/v1/events?limit=2").await.good();
    assert_eq!(newest["events"].as_array().unwrap().len(), 2);
    site.get("/wharf/v1/events?after=yesterday").await.error(400);
    site.stop().await;
}

#[tokio::test]
async fn events_are_found_by_kind_and_words() {
    let site = Site::start();
    site.fails("web").await;
    site.fails("db").await;
    let asked = json!({ "by": "dana", "match": ["service=\"web\""], "for": "2h", "comment": "move" });
    site.post("/wharf/v1/oncall/silences", asked).await.good();
    let opened = site.get("/wharf/v1/events?kind=incident&text=db").await.good();
    assert_eq!(opened["events"][0]["subject"], "service:db");
    assert_eq!(opened["events"][0]["severity"], "critical");
    let oncall = site.get("/wharf/v1/events?kind=oncall&after=0-0").await.good();
    assert_eq!((texts(&oncall).len(), &oncall["events"][0]["by"]), (1, &json!("dana")));
    let pages = site.get("/wharf/v1/events?kind=page,oncall").await.good();
    assert_eq!(pages["events"][0]["subject"], "service:web", "{pages:#}");
    assert!(site.get("/wharf/v1/events?kind=party").await.error(400).contains("party"));
    site.stop().await;
}

#[tokio::test]
async fn who_waits_is_answered_by_what_happens_or_by_nothing_in_time() {
    let site = Site::start();
    let next = site.get("/wharf/v1/events").await.good()["next"].as_str().unwrap().to_owned();
    let nothing = site.get(&format!("/wharf/v1/events?after={next}&wait=20ms")).await.good();
    assert_eq!(nothing, json!({ "events": [], "next": next }));
    let path = format!("/wharf/v1/events?after={next}&wait=60s&kind=incident");
    let (answer, ()) = tokio::join!(site.get(&path), site.fails("web"));
    assert!(texts(&answer.good())[0].contains("web is down"));
    site.stop().await;
}

#[tokio::test]
async fn what_became_of_services_is_among_the_events() {
    let site = Site::start();
    let (catalog, node) = (site.catalog.clone(), wharf_catalog::Node::new("n", "127.0.0.1"));
    let check = wharf_catalog::Check {
        instance: Some("web-1".into()),
        status: wharf_catalog::Status::Passing,
        ..wharf_catalog::Check::new("n", "c", "c")
    };
    let commands = vec![
        wharf_catalog::Command::PutNode(node),
        wharf_catalog::Command::PutInstance(wharf_catalog::Instance::new("n", "web-1", "web")),
        wharf_catalog::Command::PutCheck(check, wharf_catalog::CheckStatusOnPut::Set),
    ];
    catalog.commit(commands).await.unwrap();
    let path = "/wharf/v1/events?after=0-0&kind=service&wait=60s";
    let event = until("the service is up", async || {
        let page = site.get(path).await.good();
        page["events"].as_array().unwrap().iter().find(|event| event["severity"] == "good").cloned()
    });
    let event = event.await;
    assert_eq!((&event["subject"], &event["incident"]), (&json!("service:web"), &Value::Null));
    site.stop().await;
}
