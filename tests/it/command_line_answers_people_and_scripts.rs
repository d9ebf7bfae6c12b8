//! `wharf services`, `nodes`, `watch`, `uptime`: tables for people, JSON and exit codes for scripts.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use serde_json::Value;

use crate::harness::{
    Wharf, unique, until,
    wharf::{Echo, command, run},
};

#[tokio::test(flavor = "multi_thread")]
async fn each_question_has_a_table_a_document_and_an_exit_code() {
    let wharf = Wharf::without_docker();
    let service = unique("asked");
    let api = wharf.http.to_string();
    let mut echo = Echo::registered(&wharf, &service, &[]);
    until("passing", async || wharf.passing(&service).await, |passing| *passing == 1).await;
    let ask = |args: &[&str]| run(&[args, &["--http-addr", &api]].concat());
    let json = |args: &[&str]| -> Value {
        let (code, stdout, stderr) = ask(&[args, &["-o", "json"]].concat());
        assert_eq!(code, 0, "{args:?}: {stderr}");
        serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{args:?}: {stdout}"))
    };

    let (code, table, _) = ask(&["services"]);
    assert_eq!(code, 0);
    assert!(table.lines().next().unwrap().starts_with("SERVICE"), "{table}");
    assert!(table.lines().any(|line| line.starts_with(&service) && line.contains("1/1")), "{table}");
    assert!(json(&["services"]).as_array().unwrap().iter().any(|row| row["service"] == *service));
    assert_eq!(json(&["nodes"]).as_array().unwrap().len(), 1);
    assert_eq!(ask(&["services", &service]).0, 0);
    assert_eq!(ask(&["services", "no-such-service"]).0, 4);
    until("it is in the history", async || ask(&["uptime", &service]).0, |code| *code == 0).await;
    assert!(json(&["uptime"]).as_array().unwrap().iter().any(|row| row["service"] == *service));

    echo.kill_nine();
    until("down", async || ask(&["services", &service]).0, |code| *code == 3).await;
    until("down in the history", async || ask(&["uptime", &service]).0, |code| *code == 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watch_prints_a_line_when_something_changes() {
    let wharf = Wharf::without_docker();
    let service = unique("watched");
    let mut watch = command(&["watch", "-o", "json", "--http-addr", &wharf.http.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let _echo = Echo::registered(&wharf, &service, &[]);
    let wanted = service.clone();
    let seen = tokio::task::spawn_blocking(move || {
        lines.map_while(Result::ok).find(|line| line.contains(&wanted) && line.contains("passing"))
    });
    let seen = tokio::time::timeout(crate::harness::wait::PATIENCE, seen).await;
    let _ = watch.kill();
    let _ = watch.wait();
    let line = seen.expect("a line within the patience").unwrap().expect("a line before the end");
    assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
}

#[test]
fn an_unreachable_wharf_is_one_line_with_the_address() {
    let (code, stdout, stderr) = run(&["services", "--http-addr", "127.0.0.1:1"]);
    assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{stderr}");
    assert!(stderr.contains("127.0.0.1:1"), "{stderr}");
}
