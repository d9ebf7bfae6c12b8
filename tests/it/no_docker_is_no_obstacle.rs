//! No Docker on the machine: it is said once, and services registered over HTTP are wired all the same.

use crate::harness::{Wharf, unique, until, wharf::Echo};

#[tokio::test]
async fn a_service_registered_over_http_is_checked_balanced_and_seen() {
    let wharf = Wharf::without_docker();
    let service = unique("plain");
    let mut first = Echo::registered(&wharf, &service, &[]);
    let _second = Echo::registered(&wharf, &service, &[]);
    until("both pass", async || wharf.passing(&service).await, |passing| *passing == 2).await;
    assert_eq!(wharf.status_through(&format!("/{service}/")).await, 200);

    first.kill_nine();
    for _ in 0..20 {
        assert_eq!(wharf.status_through(&format!("/{service}/")).await, 200, "the other one still answers");
    }
    until("the dead one is found out", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let told = wharf.logged("/nonexistent/docker.sock");
    assert_eq!(told.len(), 1, "said once, clearly: {told:#?}");
}

#[tokio::test]
async fn a_service_that_says_goodbye_is_not_called_down() {
    let wharf = Wharf::without_docker();
    let service = unique("polite");
    let echo = Echo::registered(&wharf, &service, &[]);
    let page = format!("/ui/api/services/{service}");
    let state = async || wharf.json(&page).await["row"]["state"].as_str().unwrap_or_default().to_owned();
    until("up", state, |state| state == "up").await;
    echo.terminate();
    until("no longer watched", state, |state| state == "unmonitored").await;
    let incidents = wharf.json("/ui/api/incidents").await;
    assert_eq!(incidents["incidents"].as_array().map(Vec::len), Some(0), "{incidents}");
}

#[tokio::test]
async fn one_look_at_metrics_and_pages() {
    let wharf = Wharf::without_docker();
    let metrics = wharf.client.get(wharf.api("/metrics")).send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let text = metrics.text().await.unwrap();
    assert!(text.contains("wharf_catalog_index"), "{text}");
    let root = wharf.client.get(wharf.api("/")).send().await.unwrap();
    assert_eq!(root.url().path(), "/ui/", "/ redirects to the pages");
    assert!(root.text().await.unwrap().contains("<html"));
}
