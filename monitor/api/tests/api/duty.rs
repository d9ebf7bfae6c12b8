use super::*;

#[tokio::test]
async fn who_is_on_duty_now_and_at_another_time() {
    let site = Site::start();
    let now = site.get("/wharf/v1/oncall/now").await.good();
    let primary = &now["rotations"][0];
    assert_eq!((&primary["rotation"], &primary["team"]), (&json!("primary"), &json!("platform")));
    assert_eq!(primary["time_zone"], "Europe/Madrid");
    assert_eq!(primary["on_duty"]["user"], "lee");
    assert_eq!(primary["in_hours"], true);
    assert_eq!(primary["on_duty"]["until"], "2026-03-02T08:00:00Z");
    assert_eq!(primary["next"]["name"], "Dana Reyes");
    let later = site.get("/wharf/v1/oncall/now?at=2026-03-03T00:00:00Z").await.good();
    assert_eq!(later["rotations"][0]["on_duty"]["user"], "dana");
    assert!(site.get("/wharf/v1/oncall/now?at=sunday").await.error(400).contains("`at`"));
    site.stop().await;
}

#[tokio::test]
async fn who_would_be_paged_is_told_in_order() {
    let site = Site::start();
    let who = site.get("/wharf/v1/oncall/who?at=2026-03-08T02:00:00Z&for=30m").await.good();
    assert_eq!((&who["policy"], &who["routing_key"]), (&json!("default"), &Value::Null));
    let planned: Vec<_> = who["planned"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| (page["at"].clone(), page["user"].clone()))
        .collect();
    assert!(planned.contains(&(json!("2026-03-08T02:00:00Z"), json!("dana"))), "{planned:?}");
    assert!(planned.contains(&(json!("2026-03-08T02:10:00Z"), json!("kim"))), "{planned:?}");
    let night = site.get("/wharf/v1/oncall/who?routing_key=night").await.good();
    assert_eq!((&night["policy"], &night["planned"][0]["user"]), (&json!("night"), &json!("kim")));
    site.get("/wharf/v1/oncall/who?for=30d").await.error(400);
    site.stop().await;
}

#[tokio::test]
async fn a_stand_in_and_a_swap_change_the_schedule_until_they_are_taken_back() {
    let site = Site::start();
    let stand_in = json!({ "by": "lee", "rotation": "primary", "user": "kim",
        "from": "2026-03-01T10:00:00Z", "until": "2026-03-01T12:00:00Z", "reason": "dentist" });
    let made = site.post("/wharf/v1/oncall/overrides", stand_in).await.good();
    assert_eq!((&made["id"], &made["by"], &made["origin"]), (&json!(1), &json!("lee"), &json!("api")));
    let swap = json!({ "by": "dana", "rotation": "primary", "shift": "2026-03-03T00:00:00Z", "with": "2026-03-10T00:00:00Z" });
    assert_eq!(site.post("/wharf/v1/oncall/swaps", swap).await.good()["id"], 2);

    let path = "/wharf/v1/oncall/schedule?from=2026-03-01T08:00:00Z&until=2026-03-15T08:00:00Z";
    let schedule = site.get(path).await.good();
    let shifts: Vec<_> = schedule["rotations"][0]["shifts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shift| format!("{} {} {}", shift["user"], shift["cause"], shift["from"]).replace('"', ""))
        .collect();
    assert_eq!(
        shifts,
        [
            "lee turn 2026-02-23T08:00:00Z",
            "kim override 2026-03-01T10:00:00Z",
            "lee turn 2026-03-01T12:00:00Z",
            "lee swap 2026-03-02T08:00:00Z",
            "dana swap 2026-03-09T08:00:00Z",
        ]
    );
    assert_eq!(schedule["overrides"][0]["reason"], "dentist");
    assert_eq!(schedule["swaps"][0]["by"], "dana");
    let next = site.get("/wharf/v1/oncall/now").await.good();
    assert_eq!(next["rotations"][0]["next"]["cause"], "override");

    for id in [1, 2] {
        site.delete(&format!("/wharf/v1/oncall/amendments/{id}?by=lee")).await.good();
    }
    site.delete("/wharf/v1/oncall/amendments/1?by=lee").await.error(404);
    let schedule = site.get(path).await.good();
    assert_eq!((&schedule["overrides"], &schedule["swaps"]), (&json!([]), &json!([])));
    site.stop().await;
}

#[tokio::test]
async fn what_the_schedule_cannot_be_is_told() {
    let site = Site::start();
    let wrong = json!({ "by": "lee", "rotation": "primary", "user": "nobody",
        "from": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z" });
    let refused = site.post("/wharf/v1/oncall/overrides", wrong).await;
    assert!(refused.error(400).contains("nobody"));
    let problems: Value = serde_json::from_str(&refused.text).unwrap();
    assert_eq!(problems["problems"].as_array().unwrap().len(), 2, "{problems:#}");
    assert_eq!(problems["problems"][0]["place"], "user");
    let itself = json!({ "by": "dana", "rotation": "primary", "shift": "2026-03-03T00:00:00Z", "with": "2026-03-04T00:00:00Z" });
    let refused = site.post("/wharf/v1/oncall/swaps", itself).await.error(400);
    assert!(refused.contains("from 2026-03-02T09:00:00 until 2026-03-09T09:00:00"), "{refused}");
    site.put("/wharf/v1/oncall/users/mute", json!({})).await.good();
    let mute = json!({ "by": "lee", "rotation": "primary", "user": "mute",
        "from": "2026-03-02T00:00:00Z", "until": "2026-03-03T00:00:00Z" });
    let refused = site.post("/wharf/v1/oncall/overrides", mute).await.error(400);
    assert!(refused.contains("user `mute` cannot be paged"), "{refused}");
    site.get("/wharf/v1/oncall/schedule?rotation=none").await.error(404);
    site.get("/wharf/v1/oncall/schedule?from=2026-01-01T00:00:00Z&until=2028-01-01T00:00:00Z")
        .await
        .error(400);
    site.stop().await;
}

#[tokio::test]
async fn calendars_are_at_the_address_that_is_shown_and_at_no_other() {
    let site = Site::start();
    let now = site.get("/wharf/v1/oncall/now").await.good();
    let path = now["rotations"][0]["calendar"].as_str().unwrap().to_owned();
    let feed = site.get(&path).await;
    assert!(feed.good().as_str().unwrap().starts_with("BEGIN:VCALENDAR"));
    assert_eq!(feed.headers[header::CONTENT_TYPE], "text/calendar; charset=utf-8");
    let config = site.get("/wharf/v1/oncall/config").await.good();
    let mine = site.get(config["users"]["dana"]["calendar"].as_str().unwrap()).await.good();
    assert!(mine.as_str().unwrap().contains("Dana Reyes"));
    let (bare, token) = path.split_once("?token=").unwrap();
    for wrong in
        [bare.to_owned(), path.replace("rotation/primary", "user/dana"), format!("{bare}?token=x{token}")]
    {
        site.get(&wrong).await.error(404);
    }
    site.stop().await;
}
