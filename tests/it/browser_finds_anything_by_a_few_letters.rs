//! Ctrl-K, a few letters, Enter: whatever has a name is reached without a mouse.

use serde_json::Value;

use crate::harness::{
    Wharf,
    browser::{Browser, CONTROL, ENTER},
    eventually, unique, until,
    wharf::Echo,
};

const FOCUSED: &str = "return document.activeElement?.dataset.testid ?? ''";
const FIRST: &str = "return document.querySelector('[data-testid=palette-item]')?.innerText ?? ''";

#[tokio::test(flavor = "multi_thread")]
async fn the_palette_leads_to_a_service_a_node_and_a_page() {
    let wharf = Wharf::without_docker();
    let service = unique("checkout-payments");
    let _echo = Echo::registered(&wharf, &service, &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/")).await;
    browser.reads("main", &service).await;

    let search = async |letters: &str, first: &str| {
        browser.press("k", Some(CONTROL)).await;
        eventually("the palette has the focus", async || browser.script(FOCUSED, &[]).await == "palette")
            .await;
        browser.press(letters, None).await;
        let best = async || browser.script(FIRST, &[]).await.to_string();
        until(&format!("`{letters}` finds `{first}` first"), best, |best| best.contains(first)).await;
        browser.press(ENTER, None).await;
    };
    let at = async || browser.script("return location.pathname", &[]).await;

    search("chkpay", &service).await;
    eventually("the service's page", async || at().await == *format!("/ui/services/{service}")).await;
    browser.reads("h1", &service).await;
    search("who is p", "Who is paged").await;
    eventually("the page", async || at().await == "/ui/oncall/who").await;

    // Keys that mean something on the page mean letters in the palette, and the other way round.
    browser.press("?", None).await;
    browser.reads("dialog[open]", "these keys").await;
    browser.press(ENTER, None).await;
    browser.press("gn", None).await;
    eventually("the nodes", async || at().await == "/ui/nodes").await;
    let loads = browser.script("return performance.getEntriesByType('navigation').length", &[]).await;
    assert_eq!(loads, Value::from(1), "one document all along");
}
