//! wharf is killed without warning while alerts come in, again and again: no page is lost, and what is sent twice has the
//! same number both times.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::harness::{Wharf, phone::Phone, until};

/// Lives that end by force.
const LIVES: u64 = 6;
/// Alerts sent in each.
const ALERTS: u64 = 40;

/// Sends an alert; whether wharf said that it has it.
async fn alert(client: reqwest::Client, url: String, entity: String) -> Option<String> {
    let body = format!(r#"{{"message_type":"CRITICAL","entity_id":"{entity}","state_message":"it fails"}}"#);
    let answer = client.post(url).body(body).send().await.ok()?;
    answer.status().is_success().then_some(entity)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_paged_for_whenever_the_process_dies() {
    let phone = Phone::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (oncall, data) = (phone.configuration(folder.path()), folder.path().join("data"));
    let (oncall, data) = (oncall.display().to_string(), data.display().to_string());
    let flags =
        ["--docker-host", "unix:///nonexistent/docker.sock", "--oncall-file", &oncall, "--data-dir", &data];
    let mut taken = BTreeSet::new();
    for life in 0..LIVES {
        let wharf = Wharf::serve(&flags);
        let url = wharf.api("/integrations/generic/20131114/alert/key/default");
        let sending: Vec<_> = (0..ALERTS)
            .map(|n| tokio::spawn(alert(wharf.client.clone(), url.clone(), format!("e{life}-{n}"))))
            .collect();
        // Some moment in the middle of it: another one in each life.
        tokio::time::sleep(Duration::from_millis(5 + life * 13)).await;
        wharf.kill_nine();
        for sent in sending {
            taken.extend(sent.await.unwrap());
        }
    }
    let wharf = Wharf::serve(&flags);
    let url = wharf.api("/integrations/generic/20131114/alert/key/default");
    taken.extend(alert(wharf.client.clone(), url, "last".to_owned()).await);
    assert!(taken.contains("last"));
    let arrived = || -> BTreeMap<String, BTreeSet<String>> {
        let mut numbers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for page in phone.pages().iter().filter(|page| page.whose == "dana") {
            numbers.entry(page.entity().to_owned()).or_default().insert(page.delivery.clone());
        }
        numbers
    };
    let numbers = until(
        "all that was taken is paged for",
        async || arrived(),
        |numbers| taken.iter().all(|entity| numbers.contains_key(entity)),
    )
    .await;
    let pages = phone.pages().iter().filter(|page| page.whose == "dana").count();
    eprintln!("{} alerts taken in {LIVES} lives, {pages} pages for {} entities", taken.len(), numbers.len());
    for (entity, numbers) in &numbers {
        assert_eq!(numbers.len(), 1, "{entity} was paged for as two things: {numbers:?}");
    }
    // The log knows no page that is still on its way.
    until(
        "all is settled",
        async || wharf.json("/wharf/v1/oncall/deliveries?state=sending").await,
        |log| log["deliveries"].as_array().is_some_and(Vec::is_empty),
    )
    .await;
}
