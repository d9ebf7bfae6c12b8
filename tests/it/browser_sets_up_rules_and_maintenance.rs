//! Rules and planned work are made in the pages, hold from then on, and are taken away again; what comes from a file is
//! shown and not touched.

use serde_json::{Value, json};

use crate::harness::{
    Wharf,
    browser::{Browser, CONTROL},
    phone::Phone,
    until,
};

/// Puts `text` into the field `css` as somebody who types it in place of what is there.
async fn fill(browser: &Browser, css: &str, text: &str) {
    browser.click(css).await;
    browser.press("a", Some(CONTROL)).await;
    browser.press(text, None).await;
}

async fn make(browser: &Browser, kind: &str, name: &str, body: &Value) {
    browser.click(&format!("[data-testid=add-{kind}]")).await;
    fill(browser, "[data-testid=editor-name]", name).await;
    fill(browser, "[data-testid=editor-text]", &body.to_string()).await;
    browser.click("[data-testid=editor-save]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_and_a_window_made_in_the_pages_hold() {
    let (phone, folder) = (Phone::start().await, tempfile::tempdir().unwrap());
    let oncall = phone.configuration(folder.path()).display().to_string();
    let wharf = Wharf::start(&["--docker-host", "unix:///nonexistent/docker.sock", "--oncall-file", &oncall]);
    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/oncall/setup")).await;
    browser.reads("[data-testid=rules]", "None.").await;
    let file = "[data-testid=users] [data-key=dana][data-origin=file]";
    browser.reads(file, "dana").await;
    assert_eq!(
        browser
            .script(
                "return document.querySelectorAll(arguments[0]).length",
                &[&format!("{file} .button:not([data-testid])")]
            )
            .await,
        json!(0),
        "what a file says is not edited here"
    );

    // A mistake is told where it was made, and nothing is lost of what was typed.
    let lost = json!({ "match": ["entity=*\"lab/*\""], "route": "nowhere" });
    make(&browser, "rules", "10-laboratory", &lost).await;
    browser.click("[data-testid=me-dana]").await;
    browser.reads("[data-testid=editor-problem]", "no routing key `nowhere`").await;
    let muting = json!({ "match": ["entity=*\"lab/*\""], "mute": true });
    fill(&browser, "[data-testid=editor-text]", &muting.to_string()).await;
    browser.click("[data-testid=editor-save]").await;
    browser.reads("[data-testid=rules] [data-key='10-laboratory'][data-origin=api]", "nobody is told").await;

    let office = json!({ "start": "2026-01-05T09:00:00", "every": "week", "members": ["dana"],
        "hours": [{ "days": ["mon", "tue"], "from": "09:00", "until": "17:00" }] });
    make(&browser, "rotations", "office", &office).await;
    browser.reads("[data-testid=rotations] [data-key=office]", "mon tue 09:00–17:00").await;

    // Only what the rule lets through is an incident.
    let url = wharf.api("/integrations/generic/20131114/alert/key/default");
    for entity in ["lab/bench", "disk/db1"] {
        let alert = json!({ "message_type": "CRITICAL", "entity_id": entity, "state_message": "full" });
        assert_eq!(wharf.client.post(&url).body(alert.to_string()).send().await.unwrap().status(), 200);
    }
    let open = wharf.json("/wharf/v1/incidents").await;
    let entities: Vec<_> = open["incidents"].as_array().unwrap().iter().map(|one| &one["entity"]).collect();
    assert_eq!(entities, ["disk/db1"]);

    browser.click("[data-key='10-laboratory'] .button").await;
    browser.click(".dialog .danger").await;
    browser.reads("[data-testid=rules]", "None.").await;

    browser.go(&wharf.api("/ui/oncall/silences")).await;
    let window = json!({ "match": ["entity=*\"disk/*\""], "from": "2026-01-01T00:00:00", "until": "2099-01-01T00:00:00" });
    make(&browser, "maintenance", "disks", &window).await;
    browser.reads("[data-testid=window][data-key=disks]", "holds #1").await;
    let sundays = json!({ "services": ["web*"], "every": ["sun"], "at": "02:00", "length": "45m" });
    make(&browser, "windows", "patches", &sundays).await;
    browser.reads("[data-testid=windows] [data-key=patches]", "sun at 02:00 for 45m").await;
    let held = async || wharf.json("/wharf/v1/incidents/1").await["held"].clone();
    until("the incident is held", held, |held| held.as_str().is_some_and(|held| held.contains("disks")))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_checked_before_it_is_put_in_place() {
    let wharf = Wharf::without_docker();
    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/oncall/setup")).await;
    browser.reads("main", "Check a file").await;
    browser.click("summary").await;
    fill(&browser, "[data-testid=check-text]", "[teams.web]\u{e007}members = [\"nobody\"]").await;
    browser.click("[data-testid=check]").await;
    browser.reads("[data-testid=check-result]", "line 2").await;
    browser.reads("[data-testid=check-result]", "no user `nobody`").await;
    fill(&browser, "[data-testid=check-text]", "[teams.web]").await;
    browser.click("[data-testid=check]").await;
    browser.reads("[data-testid=check-result]", "holds together").await;
}
