//! A table of many services: only what is in view exists, and one gets through it by wheel and by keys alike.

use serde_json::{Value, json};

use crate::harness::{Wharf, browser::Browser, until};

const MANY: usize = 400;
const ROWS: &str = "return document.querySelectorAll('[data-testid=service-row]').length";
const LAST: &str = "window.scrollTo(0, document.documentElement.scrollHeight);
    return [...document.querySelectorAll('[data-testid=service-row]')].at(-1)?.dataset.service ?? ''";
const FIRST: &str = "window.scrollTo(0, 0);
    return document.querySelector('[data-testid=service-row]')?.dataset.service ?? ''";
const FOCUSED: &str =
    "return document.activeElement?.closest('[data-testid=service-row]')?.dataset.service ?? ''";

#[tokio::test(flavor = "multi_thread")]
async fn only_rows_in_view_exist_and_keys_walk_past_them() {
    let wharf = Wharf::without_docker();
    for n in 0..MANY {
        let service = json!({ "Name": format!("many-{n:03}"), "Port": 8000, "Check": { "TTL": "1h", "Status": "passing" } });
        assert_eq!(wharf.put("/v1/agent/service/register", &service).await.0, 200);
    }
    let browser = Browser::open(1280).await;
    browser.go(&wharf.api("/ui/services")).await;
    browser.reads("[data-testid=count-down]", "0").await;
    let all = "return document.querySelector('[data-testid=services]')?.getAttribute('aria-rowcount') ?? ''";
    let said = async || browser.script(all, &[]).await.to_string();
    until("all are counted", said, |text| text.contains(&format!("{}", MANY + 1))).await;
    let rows = browser.script(ROWS, &[]).await.as_u64().unwrap_or_default();
    assert!((10..100).contains(&rows), "{rows} rows exist");

    let last = async || browser.script(LAST, &[]).await;
    until("the last is reached", last, |name| *name == format!("many-{:03}", MANY - 1)).await;
    let first = async || browser.script(FIRST, &[]).await;
    until("the first is there again", first, |name| *name == "many-000").await;
    browser.press("j", None).await;
    let focused = async || browser.script(FOCUSED, &[]).await;
    until("one has the focus", focused, |name| *name != "").await;
    let from: usize = number(&focused().await);
    for _ in 0..6 {
        browser.press(&"j".repeat(10), None).await;
    }
    until("60 further", focused, |name| number(name) == from + 60).await;
    let seen = "const { top, bottom } = document.activeElement.getBoundingClientRect(); return top >= 0 && bottom <= innerHeight";
    assert_eq!(browser.script(seen, &[]).await, Value::Bool(true), "what has the focus is in view");
}

fn number(service: &Value) -> usize {
    service.as_str().and_then(|name| name.rsplit('-').next()?.parse().ok()).unwrap_or(usize::MAX / 2)
}
