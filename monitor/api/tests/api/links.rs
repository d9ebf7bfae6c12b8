use super::*;

fn path(site: &Site, user: &str, incident: u64) -> String {
    let now = jiff::Timestamp::from_millisecond(EPOCH).unwrap();
    format!("/wharf/v1/ack/{}", site.pager.signer().acknowledge(user, incident, now))
}

async fn press(site: &Site, path: &str) -> Answered {
    // As browsers send the form of a page that tells no referrer.
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    site.send(request.header("origin", "null").body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn following_a_link_shows_and_only_its_button_acknowledges() {
    let site = Site::start();
    site.fails("web").await;
    let path = path(&site, "dana", 1);
    for _ in 0..2 {
        let shown = site.get(&path).await;
        assert_eq!(shown.status, StatusCode::OK);
        assert!(shown.text.contains("Acknowledge as Dana Reyes"), "{}", shown.text);
        assert!(!shown.text.contains("<script"));
    }
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["state"], "triggered");
    let pressed = press(&site, &path).await;
    assert_eq!(
        (pressed.status.as_u16(), pressed.headers["location"].to_str().unwrap()),
        (303, path.as_str())
    );
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["acknowledged"]["by"], "dana");
    let shown = site.get(&path).await;
    assert!(shown.text.contains("You took it at 2026-03-01 09:00:00 CET"), "{}", shown.text);
    assert!(!shown.text.contains("<form"));
    site.stop().await;
}

#[tokio::test]
async fn who_is_too_late_is_told_who_was_quicker_or_that_it_is_over() {
    let site = Site::start();
    site.fails("web").await;
    site.post("/wharf/v1/incidents/1/acknowledge", json!({ "by": "dana" })).await.good();
    let path = path(&site, "lee", 1);
    assert_eq!(press(&site, &path).await.status.as_u16(), 303);
    assert!(site.get(&path).await.text.contains("Dana Reyes was quicker"));
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["acknowledged"]["by"], "dana");
    site.recovers("web").await;
    assert_eq!(press(&site, &path).await.status.as_u16(), 303);
    assert!(site.get(&path).await.text.contains("It was resolved at"));
    site.stop().await;
}

#[tokio::test]
async fn a_link_takes_what_its_incident_became_a_part_of() {
    let site = Site::start();
    let on_host = async |entity: &str, parents: &[&str]| {
        let parents = parents.iter().map(|parent| (*parent).to_owned()).collect();
        let alert = Alert { parents, ..Alert::new(entity, Kind::Critical) };
        site.pager.say(Input::Alert(Box::new(alert))).await.unwrap();
    };
    on_host("service:web", &["node:h1"]).await;
    let path = path(&site, "dana", 1);
    on_host("service:db", &["node:h1"]).await;
    on_host("node:h1", &[]).await;
    let one = site.get("/wharf/v1/incidents/1").await.good();
    assert_eq!((&one["state"], &one["part_of"]), (&json!("resolved"), &json!(3)));
    let shown = site.get(&path).await;
    assert!(shown.text.contains("#3 node:h1") && shown.text.contains("#1 is a part of it"), "{}", shown.text);
    assert!(shown.text.contains("Acknowledge as Dana Reyes"), "{}", shown.text);
    assert_eq!(press(&site, &path).await.status.as_u16(), 303);
    assert_eq!(site.get("/wharf/v1/incidents/3").await.good()["acknowledged"]["by"], "dana");
    let noted = site.post("/wharf/v1/incidents/2/note", json!({ "by": "lee", "text": "seen" })).await.good();
    assert_eq!(noted["id"], 3);
    let late = site.post("/wharf/v1/incidents/2/acknowledge", json!({ "by": "lee" })).await;
    assert_eq!(late.error(409), "incident #3 is already acknowledged by dana");
    let all = json!({ "by": "lee", "ids": [1, 2, 3] });
    let done = site.post("/wharf/v1/incidents/resolve", all.clone()).await.good();
    assert_eq!(done, json!({ "done": [3], "refused": [] }));
    let over = site.post("/wharf/v1/incidents/1/acknowledge", json!({ "by": "lee" })).await;
    assert_eq!(over.error(409), "incident #3 is already resolved by lee");
    assert!(site.get(&path).await.text.contains("It was resolved by lee"));
    site.stop().await;
}

#[tokio::test]
async fn a_page_runs_nothing_and_tells_nobody_its_address() {
    let site = Site::start();
    let mut alert = Alert::new("<b>e</b>", Kind::Critical);
    alert.title = "<script>alert(1)</script>".to_owned();
    alert.message = "\"><img src=x onerror=alert(1)>".to_owned();
    alert.notes.insert("<i>".to_owned(), "</dd><a href='javascript:x'>".to_owned());
    site.pager.say(Input::Alert(Box::new(alert))).await.unwrap();
    let shown = site.get(&path(&site, "dana", 1)).await;
    for wrong in ["<script", "<img", "<b>", "<i>", "<a href='"] {
        assert!(!shown.text.contains(wrong), "{wrong}: {}", shown.text);
    }
    let policy = shown.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(shown.headers["referrer-policy"], "no-referrer");
    assert_eq!(shown.headers["cache-control"], "no-store");
    site.stop().await;
}

#[tokio::test]
async fn a_link_that_is_forged_old_or_for_nothing_does_nothing() {
    let site = Site::start();
    site.fails("web").await;
    let path = path(&site, "dana", 1);
    let forged = format!("{path}x");
    assert_eq!(site.get(&forged).await.status.as_u16(), 404);
    assert_eq!(press(&site, &forged).await.status.as_u16(), 404);
    assert_eq!(site.get(&self::path(&site, "dana", 9)).await.status.as_u16(), 404);
    site.advance(Duration::from_secs(8 * 86_400));
    assert_eq!(press(&site, &path).await.status.as_u16(), 410);
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["state"], "triggered");
    site.stop().await;
}

#[tokio::test]
async fn a_key_pressed_during_a_call_acknowledges_and_is_answered_in_words() {
    let site = Site::start();
    site.fails("web").await;
    let call = async |user: &str| {
        let request =
            Request::post(path(&site, user, 1)).header("content-type", "application/x-www-form-urlencoded");
        site.send(request.body(Body::from("CallSid=CA12&Digits=5")).unwrap()).await
    };
    let heard = call("dana").await;
    assert_eq!(
        (heard.status, heard.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/xml; charset=utf-8")
    );
    assert!(heard.text.contains("<Say>Acknowledged. Thank you.</Say>"), "{}", heard.text);
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["acknowledged"]["by"], "dana");
    assert!(call("lee").await.text.contains("Somebody else has it already"));
    site.stop().await;
}
