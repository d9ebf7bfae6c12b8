use super::*;

#[tokio::test]
async fn a_silence_holds_what_it_matches_until_it_is_ended() {
    let site = Site::start();
    site.fails("web").await;
    let asked = json!({ "by": "dana", "match": ["service=\"web\""], "for": "2h", "comment": "move" });
    let made = site.post("/wharf/v1/oncall/silences", asked).await.good();
    assert_eq!((&made["until"], &made["covers"]), (&json!("2026-03-01T10:00:00Z"), &json!([1])));
    let held = site.get("/wharf/v1/incidents/1").await.good();
    assert!(held["held"].as_str().unwrap().contains("dana"), "{held:#}");
    assert_eq!(held["paging"], json!([]));
    let list = site.get("/wharf/v1/oncall/silences").await.good();
    let origins: Vec<_> = list["silences"].as_array().unwrap().iter().map(|s| s["origin"].clone()).collect();
    assert_eq!(origins.len(), 2);
    assert!(origins.contains(&json!("file")) && origins.contains(&json!("api")));
    let id = made["id"].as_str().unwrap();
    site.delete(&format!("/wharf/v1/oncall/silences/{id}?by=lee")).await.good();
    assert_eq!(site.get("/wharf/v1/incidents/1").await.good()["held"], Value::Null);
    let list = site.get("/wharf/v1/oncall/silences").await.good();
    let over = list["silences"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    assert_eq!((&over["over"], &over["until"]), (&json!(true), &json!("2026-03-01T08:00:00Z")));
    site.delete(&format!("/wharf/v1/oncall/silences/{id}?by=lee")).await.good();
    site.delete("/wharf/v1/oncall/silences/none?by=lee").await.error(404);
    assert!(site.delete("/wharf/v1/oncall/silences/old?by=lee").await.error(409).contains("configuration"));
    site.stop().await;
}

#[tokio::test]
async fn a_silence_that_cannot_be_is_refused() {
    let site = Site::start();
    let make = async |body: Value| site.post("/wharf/v1/oncall/silences", body).await.error(400);
    assert!(make(json!({ "by": "dana", "match": [], "for": "1h" })).await.contains("everything"));
    assert!(
        make(json!({ "by": "dana", "match": ["service=*\"*\""], "for": "1h" })).await.contains("everything")
    );
    assert!(make(json!({ "by": "dana", "match": ["web"], "for": "1h" })).await.contains("no matcher"));
    assert!(make(json!({ "by": "dana", "match": ["a=\"b\""] })).await.contains("neither"));
    let past = json!({ "by": "dana", "match": ["a=\"b\""], "until": "2026-03-01T07:00:00Z" });
    assert!(make(past).await.contains("until"));
    site.stop().await;
}

#[tokio::test]
async fn maintenance_comes_again_and_again_and_is_taken_back() {
    let site = Site::start();
    let window =
        json!({ "by": "dana", "match": ["service=\"web\""], "at": "08:30", "lasts": "2h", "days": ["sun"] });
    let made = site.put("/wharf/v1/oncall/maintenance/sunday", window).await.good();
    assert_eq!((&made["active"], &made["by"]), (&json!(true), &json!("dana")));
    assert_eq!(made["next_change"], "2026-03-01T09:30:00Z");
    site.fails("web").await;
    let list = site.get("/wharf/v1/oncall/maintenance").await.good();
    assert_eq!(list["maintenance"][0]["covers"], json!([1]));
    assert!(site.get("/wharf/v1/incidents/1").await.good()["held"].as_str().unwrap().contains("sunday"));
    let wrong = json!({ "by": "dana", "match": ["service=\"web\""], "at": "08:30" });
    site.put("/wharf/v1/oncall/maintenance/half", wrong).await.error(400);
    site.delete("/wharf/v1/oncall/maintenance/sunday?by=lee").await.good();
    site.delete("/wharf/v1/oncall/maintenance/sunday?by=lee").await.error(404);
    site.stop().await;
}

#[tokio::test]
async fn configuration_is_shown_with_its_origin_and_without_secrets() {
    let site = Site::start();
    let user = json!({ "name": "Noa", "contacts": { "phone": { "type": "ntfy", "url": "https://n.example/hunter2", "token": "hunter2" } },
        "paging": [{ "contact": "phone" }] });
    let made = site.put("/wharf/v1/oncall/users/noa?by=dana", user).await;
    assert!(!made.text.contains("hunter2"), "{made:?}");
    let config = site.get("/wharf/v1/oncall/config").await;
    assert!(!config.text.contains("hunter2"), "{config:?}");
    let config = config.good();
    assert_eq!(config["users"]["dana"]["origin"], "file");
    assert_eq!(config["users"]["noa"]["origin"], "api");
    assert_eq!(config["users"]["noa"]["contacts"]["phone"]["url"], "[secret]");
    // Sent back as it was shown, with another name: the secrets stay.
    let mut changed = config["users"]["noa"].clone();
    changed["name"] = json!("Noa B.");
    site.put("/wharf/v1/oncall/users/noa?by=dana", changed).await.good();
    let plan = site.pager.picture().plan;
    let kept = serde_json::to_value(&plan.users["noa"].name).unwrap();
    assert_eq!(kept, "Noa B.");
    let wharf_oncall::config::Contact::Ntfy { url, token } = &plan.users["noa"].contacts["phone"] else {
        panic!("{plan:?}")
    };
    assert_eq!((url.reveal(), token.as_ref().unwrap().reveal()), ("https://n.example/hunter2", "hunter2"));
    site.stop().await;
}

#[tokio::test]
async fn what_a_file_says_or_others_need_is_not_changed() {
    let site = Site::start();
    let refused = site.put("/wharf/v1/oncall/users/dana?by=lee", json!({})).await.error(409);
    assert!(refused.contains("configuration file"));
    site.delete("/wharf/v1/oncall/users/dana").await.error(409);
    site.delete("/wharf/v1/oncall/users/nobody").await.error(404);
    let team = json!({ "members": ["dana"] });
    site.put("/wharf/v1/oncall/teams/web", team).await.good();
    let policy = json!({ "team": "web", "steps": [{ "targets": [{ "user": "dana" }] }] });
    site.put("/wharf/v1/oncall/policies/web", policy).await.good();
    assert!(site.delete("/wharf/v1/oncall/teams/web").await.error(409).contains("still used"));
    let route = site.put("/wharf/v1/oncall/routing/web", json!({ "policy": "web" })).await.good();
    assert_eq!(route, json!({ "policy": "web" }));
    let config = site.get("/wharf/v1/oncall/config").await.good();
    assert_eq!(config["routing"]["origins"], json!({ "default": "file", "night": "file", "web": "api" }));
    site.delete("/wharf/v1/oncall/policies/web").await.error(409);
    site.delete("/wharf/v1/oncall/routing/web").await.good();
    site.delete("/wharf/v1/oncall/policies/web").await.good();
    site.delete("/wharf/v1/oncall/teams/web").await.good();
    let secret = json!({ "contacts": { "p": { "type": "ntfy", "url": "[secret]" } } });
    assert!(site.put("/wharf/v1/oncall/users/new", secret).await.error(400).contains("contacts.p.url"));
    site.put("/wharf/v1/oncall/moods/good", json!({})).await;
    site.stop().await;
}

#[tokio::test]
async fn rules_groups_and_dependencies_are_made_and_taken_back() {
    let site = Site::start();
    let rule = json!({ "match": ["service=\"lab\""], "mute": true });
    let made = site.put("/wharf/v1/oncall/rules/10-laboratory?by=dana", rule).await.good();
    assert_eq!((&made["name"], &made["mute"]), (&json!("10-laboratory"), &json!(true)));
    site.fails("lab").await;
    let open = site.get("/wharf/v1/incidents").await.good();
    assert_eq!(open["incidents"], json!([]), "the rule mutes it");
    let grouping = json!({ "match": ["rack=*\"?*\""], "by": ["rack"] });
    site.put("/wharf/v1/oncall/grouping/rack", grouping).await.good();
    let config = site.get("/wharf/v1/oncall/config").await.good();
    let shown = config["rules"].as_array().unwrap().last().unwrap();
    assert_eq!((&shown["name"], &shown["origin"]), (&json!("10-laboratory"), &json!("api")));
    assert_eq!(config["grouping"][0]["origin"], "api");
    // What was shown can be sent back.
    site.put("/wharf/v1/oncall/rules/10-laboratory", shown.clone()).await.good();
    let nowhere = json!({ "match": ["a=\"b\""], "route": "nowhere" });
    let refused = site.put("/wharf/v1/oncall/rules/20-x", nowhere).await.error(400);
    assert!(refused.contains("rules.20-x.route"), "{refused}");
    site.delete("/wharf/v1/oncall/rules/10-laboratory?by=lee").await.good();
    site.delete("/wharf/v1/oncall/rules/10-laboratory?by=lee").await.error(404);
    site.fails("lab").await;
    assert_eq!(site.get("/wharf/v1/incidents").await.good()["incidents"].as_array().unwrap().len(), 1);
    site.stop().await;
}

#[tokio::test]
async fn what_the_api_made_and_the_file_no_longer_bears_is_left_out_after_a_start_and_while_it_runs() {
    let max = "[users.max]\ncontacts.hook = { type = \"webhook\", url = \"http://127.0.0.1:1/max\" }\npaging = [{ contact = \"hook\" }]\n";
    let site = Site::with(&format!("{PLAN}\n{max}"));
    let turns = json!({ "start": "2026-01-05T09:00", "every": "week", "members": ["max"] });
    site.put("/wharf/v1/oncall/rotations/mx", turns.clone()).await.good();
    assert_eq!(site.get("/wharf/v1/oncall/config").await.good()["left_out"], json!([]));
    let left_out = async |site: &Site| {
        let config = site.get("/wharf/v1/oncall/config").await.good();
        let found = config["left_out"].as_array().unwrap().first().cloned();
        found.inspect(|_| assert!(config["rotations"].get("mx").is_none(), "{config:#}"))
    };
    site.write(PLAN);
    let running = until("the file is read", async || left_out(&site).await).await;
    assert_eq!((&running["kind"], &running["name"]), (&json!("rotations"), &json!("mx")));
    assert_eq!(running["problems"][0]["remedy"], "add [users.max] or correct the name");
    let site = site.restart().await;
    assert_eq!(left_out(&site).await, Some(running));
    // It can be mended by the API, or by the file.
    let mut mended = turns;
    mended["members"] = json!(["dana"]);
    site.put("/wharf/v1/oncall/rotations/mx", mended).await.good();
    assert_eq!(left_out(&site).await, None);
    site.stop().await;
}

#[tokio::test]
async fn a_configuration_is_checked_with_lines_and_remedies() {
    let site = Site::start();
    let check = async |text: &'static str| {
        site.send(Request::post("/wharf/v1/oncall/check").body(Body::from(text)).unwrap()).await.good()
    };
    assert_eq!(check(PLAN).await, json!({ "problems": [], "left_out": [] }));
    site.put("/wharf/v1/oncall/teams/kims", json!({ "members": ["kim"] })).await.good();
    let without = check("[users.dana]").await;
    assert_eq!(without["problems"], json!([]));
    assert_eq!(
        (&without["left_out"][0]["kind"], &without["left_out"][0]["name"]),
        (&json!("teams"), &json!("kims"))
    );
    assert_eq!(without["left_out"][0]["problems"][0]["problem"], "no user `kim`");
    let problems =
        check("[rotations.r]\nstart = \"2026-01-05T09:00\"\nevery = \"week\"\nmembers = [\"nobody\"]").await;
    assert_eq!(problems["problems"][0]["line"], 4);
    assert_eq!(problems["problems"][0]["problem"], "no user `nobody`");
    assert_eq!(problems["problems"][0]["remedy"], "add [users.nobody] or correct the name");
    site.stop().await;
}

#[tokio::test]
async fn a_test_message_is_in_the_delivery_log_with_what_became_of_it() {
    let site = Site::start();
    let sent = site.post("/wharf/v1/oncall/test/dana", json!({ "by": "lee" })).await.good();
    let number = sent["deliveries"][0]["delivery"].as_u64().unwrap();
    assert_eq!(sent["deliveries"][0]["occasion"], "test");
    let path = "/wharf/v1/oncall/deliveries?user=dana&state=failed";
    let failed = until("the message fails", async || {
        let list = site.get(path).await.good();
        list["deliveries"].as_array().unwrap().first().cloned()
    });
    let failed = failed.await;
    assert_eq!(failed["delivery"], number);
    assert!(!failed["answer"].as_str().unwrap().is_empty());
    site.post("/wharf/v1/oncall/test/nobody", json!({ "by": "lee" })).await.error(404);
    site.get("/wharf/v1/oncall/deliveries?state=lost").await.error(400);
    site.stop().await;
}

#[tokio::test]
async fn a_test_beyond_the_limits_is_refused_in_words() {
    let text = r#"contacts.hook = { type = "twilio-sms", account = "a", token = "t", from = "+34911111111", to = "+34922222222", server = "http://127.0.0.1:1" }"#;
    let site = Site::with(
        &PLAN.replace(r#"contacts.hook = { type = "webhook", url = "http://127.0.0.1:1/kim" }"#, text),
    );
    let test = async || site.post("/wharf/v1/oncall/test/kim", json!({ "by": "dana" })).await;
    test().await.good();
    let refused = test().await.error(429);
    assert!(refused.contains("can be tested again at 2026-03-01T08:01:00Z"), "{refused}");
    site.advance(Duration::from_secs(60));
    test().await.good();
    site.stop().await;
}
