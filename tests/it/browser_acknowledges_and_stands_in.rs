//! What people do about incidents and shifts, done in the pages with a mouse: what the browser shows and what wharf knows is
//! the same afterwards.

use serde_json::{Value, json};

use crate::harness::{Wharf, browser::Browser, phone::Phone, until};

async fn started(phone: &Phone, folder: &std::path::Path) -> Wharf {
    let oncall = phone.configuration(folder).display().to_string();
    Wharf::start(&["--docker-host", "unix:///nonexistent/docker.sock", "--oncall-file", &oncall])
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledging_in_the_page_stops_the_paging_and_says_who() {
    let (phone, folder) = (Phone::start().await, tempfile::tempdir().unwrap());
    let wharf = started(&phone, folder.path()).await;
    let alert =
        json!({ "message_type": "CRITICAL", "entity_id": "disk/db1", "state_message": "/var is full" });
    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/incidents")).await;
    browser.reads("[data-testid=part-open]", "Nothing is open").await;

    let url = wharf.api("/integrations/generic/20131114/alert/key/default");
    assert_eq!(wharf.client.post(url).body(alert.to_string()).send().await.unwrap().status(), 200);
    // The list fills by itself; the tab says that somebody is needed.
    browser.reads("[data-testid=incident-row][data-state=triggered]", "/var is full").await;
    let title = async || browser.script("return document.title", &[]).await.to_string();
    until("the title counts it", title, |title| title.contains("(1)")).await;
    let icon = browser.script("return document.getElementById('favicon').getAttribute('href')", &[]).await;
    assert_eq!(icon, "favicon-down.svg");

    browser.click("[data-testid=incident-row] a.name").await;
    browser.reads("[data-testid=next]", "being paged").await;
    browser.click("[data-testid=acknowledge]").await;
    // The first action asks who acts, and remembers.
    browser.click("[data-testid=me-dana]").await;
    browser.reads("main", "dana is at it").await;
    browser.reads("[data-testid=timeline]", "acknowledged by dana").await;
    browser.reads("[data-testid=me]", "dana").await;
    let known = wharf.json("/wharf/v1/incidents/1").await;
    assert_eq!((&known["state"], &known["acknowledged"]["by"]), (&json!("acknowledged"), &json!("dana")));
    assert_eq!(known["paging"], json!([]), "paging has stopped");

    browser.click("[data-testid=resolve]").await;
    browser.reads("[data-testid=next]", "Resolved by dana").await;
    until("nothing to count", title, |title| !title.contains('(')).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shift_chosen_in_the_calendar_is_taken_over_and_given_back() {
    let (phone, folder) = (Phone::start().await, tempfile::tempdir().unwrap());
    let wharf = started(&phone, folder.path()).await;
    let duty = async || {
        let now = wharf.json("/wharf/v1/oncall/now").await;
        let all = now["rotations"].as_array().cloned().unwrap_or_default();
        let primary = all.into_iter().find(|one| one["rotation"] == "primary").unwrap_or_default();
        primary["on_duty"]["user"].as_str().unwrap_or_default().to_owned()
    };
    let first = until("somebody is on duty", duty, |user| !user.is_empty()).await;
    let second = if first == "dana" { "lee" } else { "dana" };

    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/oncall/calendar")).await;
    browser.reads("[data-testid=calendar]", "primary").await;
    let marked = "const now = Date.now(); for (const one of document.querySelectorAll('[data-rotation=primary] [data-testid=shift]'))
        if (Date.parse(one.dataset.from) <= now && now < Date.parse(one.dataset.until)) { one.id = 'current'; return true; } return false";
    let found = async || browser.script(marked, &[]).await;
    until("the shift of now", found, |found| *found == Value::Bool(true)).await;
    browser.click("#current").await;
    browser.choose("[data-testid=override-user]", second).await;
    browser.click("[data-testid=override-save]").await;
    browser.click(&format!("[data-testid=me-{first}]")).await;
    until("somebody else is on duty", duty, |user| user == second).await;
    browser.reads("[data-testid=exception]", &format!("{second} stands in")).await;
    browser.reads("[data-cause=override]", "").await;

    browser.click("[data-testid=take-back]").await;
    until("the turn is as it was", duty, |user| *user == first).await;
    let left = async || {
        browser.script("return document.querySelectorAll('[data-cause=override]').length", &[]).await
    };
    until("the calendar shows no stand-in", left, |left| *left == 0).await;
}
