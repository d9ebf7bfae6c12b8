//! `kill -9` of wharf with a data directory, then a start: everything acknowledged is still there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Wharf, unique, until, wharf::Echo};

const NO_DOCKER: [&str; 2] = ["--docker-host", "unix:///nonexistent/docker.sock"];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_kill_nine_is_there_after_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let flags = [&NO_DOCKER[..], &["--data-dir", &data]].concat();
    let mut acknowledged = 0;
    for round in 0..3 {
        let wharf = Wharf::start(&flags);
        // Writers are cut off in the middle: only what was answered counts.
        let writers = (0..8).map(|writer| {
            let (client, api) = (wharf.client.clone(), wharf.api(""));
            tokio::spawn(async move { write_until_refused(client, api, round, writer).await })
        });
        let writers: Vec<_> = writers.collect();
        until(
            "some writes",
            async || wharf.json("/v1/kv/?keys").await.as_array().map_or(0, Vec::len),
            |n| *n > acknowledged + 100,
        )
        .await;
        wharf.kill_nine();
        let mut written = Vec::new();
        for writer in writers {
            written.extend(writer.await.unwrap());
        }
        let wharf = Wharf::start(&flags);
        let keys = wharf.json("/v1/kv/?keys").await;
        let keys: std::collections::HashSet<&str> =
            keys.as_array().unwrap().iter().filter_map(|k| k.as_str()).collect();
        let lost: Vec<_> = written.iter().filter(|key| !keys.contains(key.as_str())).collect();
        assert!(lost.is_empty(), "lost after round {round}: {lost:?}");
        acknowledged = keys.len();
    }
}

async fn write_until_refused(client: reqwest::Client, api: String, round: u32, writer: u32) -> Vec<String> {
    let mut written = Vec::new();
    for n in 0..100_000 {
        let key = format!("r{round}/w{writer}/{n}");
        let Ok(answer) = client.put(format!("{api}/v1/kv/{key}")).body(key.clone()).send().await else {
            break;
        };
        if !answer.text().await.is_ok_and(|text| text.trim() == "true") {
            break;
        }
        written.push(key);
    }
    written
}

#[tokio::test]
async fn services_checks_and_history_go_on_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let flags = [&NO_DOCKER[..], &["--data-dir", &data]].concat();
    let service = unique("kept");
    let wharf = Wharf::start(&flags);
    let _echo = Echo::registered(&wharf, &service, &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let body = json!({"Name": "batch", "ID": "batch-1", "Check": {"TTL": "1h", "Status": "passing"}});
    assert_eq!(wharf.put("/v1/agent/service/register", &body).await.0, 200);
    let uptime = format!("/ui/api/services/{service}");
    until(
        "a first entry in the history",
        async || wharf.json(&uptime).await,
        |page| page["row"]["tests"].as_u64().is_some_and(|tests| tests > 0),
    )
    .await;
    wharf.kill_nine();

    let begun = Instant::now();
    let wharf = Wharf::start(&flags);
    let ready = begun.elapsed();
    println!("ready {ready:?} after the start");
    assert_eq!(wharf.passing("batch").await, 1);
    until("still passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let page = wharf.json(&uptime).await;
    assert!(page["row"]["tests"].as_u64().is_some_and(|tests| tests > 0), "history is gone: {page}");
}

/// Shortest TTL a session may have; it ends after twice that.
const SESSION_TTL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reported_and_renewed_holds_for_the_time_it_had_left_and_no_longer() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let flags = [&NO_DOCKER[..], &["--data-dir", &data]].concat();
    let wharf = Wharf::start(&flags);
    for (name, ttl) in [("brief", "20s"), ("lasting", "1h")] {
        let body = json!({"Name": name, "ID": name, "Check": {"TTL": ttl, "Status": "passing"}});
        assert_eq!(wharf.put("/v1/agent/service/register", &body).await.0, 200);
        let ttl = if name == "brief" { "10s" } else { ttl };
        let (_, session) = wharf.put("/v1/session/create", &json!({"Name": name, "TTL": ttl})).await;
        let session: Value = serde_json::from_str(&session).unwrap();
        let acquire = format!("/v1/kv/{name}?acquire={}", session["ID"].as_str().unwrap());
        assert_eq!(wharf.put(&acquire, &json!(name)).await.1.trim(), "true");
    }
    let reported = Instant::now();
    wharf.kill_nine();
    // Nobody runs while the time passes.
    tokio::time::sleep((SESSION_TTL * 2).saturating_sub(reported.elapsed())).await;

    let wharf = Wharf::start(&flags);
    let started = Instant::now();
    let ended = async || {
        let key = wharf.json("/v1/kv/brief").await;
        (wharf.passing("brief").await, key[0]["Session"].is_null())
    };
    until("both have ended", ended, |ended| *ended == (0, true)).await;
    let took = started.elapsed();
    assert!(took < SESSION_TTL * 2, "{took:?} after the start: their time has begun anew");
    assert_eq!(wharf.passing("lasting").await, 1);
    assert!(wharf.json("/v1/kv/lasting").await[0]["Session"].is_string());
}
