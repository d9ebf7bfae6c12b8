//! The page, open in a real browser, shows a service going down and coming back without a reload.

use crate::harness::{Wharf, browser::Browser, unique, until, wharf::Echo};

const STATE: &str =
    "return document.querySelector(`[data-service=\"${arguments[0]}\"]`)?.dataset.state ?? ''";

#[tokio::test(flavor = "multi_thread")]
async fn the_row_changes_by_itself() {
    let wharf = Wharf::without_docker();
    let service = unique("seen");
    let mut echo = Echo::registered(&wharf, &service, &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;

    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/services")).await;
    let state = async || browser.script(STATE, &[&service]).await.as_str().unwrap_or_default().to_owned();
    until("the row says up", state, |state| state == "up").await;
    browser.script("window.neverReloaded = true", &[]).await;

    echo.kill_nine();
    until("the row says down", state, |state| state == "down").await;
    let title = browser.script("return document.title", &[]).await;
    assert!(title.as_str().unwrap().contains('1'), "the title counts what is down: {title}");

    let _echo = Echo::registered(&wharf, &service, &[]);
    until("the row says up again", state, |state| state == "up").await;
    let kept = browser.script("return window.neverReloaded === true", &[]).await;
    assert_eq!(kept, serde_json::Value::Bool(true), "the page was reloaded");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_phone_and_log_no_error() {
    let wharf = Wharf::without_docker();
    let service = unique("a-service-with-quite-a-long-name");
    let _echo = Echo::registered(&wharf, &service, &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let instances = wharf.json(&format!("/v1/catalog/service/{service}")).await;
    let id = instances[0]["ServiceID"].as_str().unwrap();
    let browser = Browser::open(360).await;
    for page in [
        "/ui/".to_owned(),
        "/ui/services".to_owned(),
        format!("/ui/services/{service}"),
        format!("/ui/services/{service}?per=day"),
        format!("/ui/services/{service}/{id}"),
        "/ui/incidents".to_owned(),
        "/ui/outages".to_owned(),
        "/ui/oncall".to_owned(),
        "/ui/oncall/calendar?view=month".to_owned(),
        "/ui/oncall/who".to_owned(),
        "/ui/oncall/silences".to_owned(),
        "/ui/oncall/deliveries".to_owned(),
        "/ui/oncall/setup".to_owned(),
        "/ui/events".to_owned(),
        "/ui/nodes".to_owned(),
    ] {
        browser.go(&wharf.api(&page)).await;
        let text = async || browser.script("return document.body.innerText", &[]).await.to_string();
        until("the page shows something", text, |text| text.len() > 40).await;
        let wider =
            browser.script("return document.documentElement.scrollWidth > window.innerWidth", &[]).await;
        assert_eq!(wider, serde_json::Value::Bool(false), "{page} is wider than its window");
    }
}
