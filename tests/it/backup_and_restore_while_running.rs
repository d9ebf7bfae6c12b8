//! `wharf backup` and `wharf restore` against a wharf that runs, and the way out of a damaged data directory.

use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio};

use serde_json::{Value, json};

use crate::harness::{
    Wharf,
    wharf::{command, run},
};

const NO_DOCKER: [&str; 2] = ["--docker-host", "unix:///nonexistent/docker.sock"];

async fn fill(wharf: &Wharf, value: &str) {
    let service = json!({"Name": value, "ID": "one", "Check": {"TTL": "1h", "Status": "passing"}});
    assert_eq!(wharf.put("/v1/agent/service/register", &service).await.0, 200);
    assert_eq!(wharf.put("/v1/kv/secret", &json!(value)).await.0, 200);
    let query = json!({"Name": value, "Service": {"Service": value}}).to_string();
    let made = wharf.client.post(wharf.api("/v1/query")).body(query).send().await.unwrap();
    assert_eq!(made.status().as_u16(), 200);
    assert_eq!(wharf.put("/v1/session/create", &json!({"TTL": "1h", "LockDelay": "0s"})).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_data_directory_is_left_by_moving_it_away_and_restoring_the_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("catalog.backup"));
    let (data_dir, file) = (data.display().to_string(), backup.display().to_string());
    let flags = [&NO_DOCKER[..], &["--data-dir", &data_dir]].concat();
    let first = Wharf::serve(&flags);
    fill(&first, "before").await;
    let (code, told, error) = run(&["backup", &file, "--http-addr", &first.http.to_string()]);
    assert_eq!(code, 0, "{error}");
    assert!(told.contains(&file) && told.contains("1 keys, 1 sessions"), "{told}");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    first.kill_nine();

    let mut garbage = fs::OpenOptions::new().write(true).open(data.join("catalog.db")).unwrap();
    garbage.write_all(&[0xa5; 512]).unwrap();
    let addresses =
        ["--http-addr", "127.0.0.1:0", "--dns-addr", "127.0.0.1:0", "--proxy-addr", "127.0.0.1:0"];
    let (code, _, refused) = run(&[&["server"], &addresses[..], &flags[..]].concat());
    assert_eq!(code, 1, "{refused}");
    assert!(refused.contains("left as it is") && refused.contains("wharf restore FILE"), "{refused}");

    fs::rename(&data, folder.path().join("damaged")).unwrap();
    let second = Wharf::serve(&flags);
    fill(&second, "after").await;
    let api = second.http.to_string();
    let (code, told, error) = run(&["restore", &file, "--http-addr", &api, "-o", "json"]);
    assert_eq!(code, 0, "{error}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["keys"], &told["sessions"]), (&json!(1), &json!(1)));
    let expect = async |wharf: &Wharf| {
        assert_eq!(wharf.json("/v1/agent/service/one").await["Service"], "before");
        let key =
            wharf.client.get(wharf.api("/v1/kv/secret?raw")).send().await.unwrap().text().await.unwrap();
        assert_eq!(key, "\"before\"");
        assert_eq!(wharf.json("/v1/query").await[0]["Name"], "before");
        assert_eq!(wharf.json("/v1/session/list").await.as_array().unwrap().len(), 1);
    };
    expect(&second).await;
    second.kill_nine();
    expect(&Wharf::serve(&flags)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_backup_of_wharfs_is_one_line_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file").display().to_string();
    let wharf = Wharf::without_docker();
    fill(&wharf, "before").await;
    let api = wharf.http.to_string();
    let whole = folder.path().join("whole").display().to_string();
    assert_eq!(run(&["backup", &whole, "--http-addr", &api]).0, 0);
    let whole = fs::read(&whole).unwrap();
    let index = wharf.json("/v1/kv/secret").await[0]["ModifyIndex"].clone();
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 0xff;
    for damaged in [&b"no archive"[..], &whole[..whole.len() - 9], &flipped, &[]] {
        fs::write(&file, damaged).unwrap();
        let (code, told, error) = run(&["restore", &file, "--http-addr", &api]);
        assert_eq!((code, &*told, error.lines().count()), (1, "", 1), "{error}");
        assert!(error.contains(&file) && error.contains("nothing was changed"), "{error}");
    }
    assert_eq!(run(&["restore", "/nonexistent/file", "--http-addr", &api]).0, 1);
    assert_eq!(wharf.json("/v1/kv/secret").await[0]["ModifyIndex"], index);
    // Through pipes, as into a program that encrypts it.
    let piped = command(&["backup", "-", "--http-addr", &api]).output().unwrap();
    assert!(piped.status.success());
    let mut restore = command(&["restore", "-", "--http-addr", &api])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    restore.stdin.take().unwrap().write_all(&piped.stdout).unwrap();
    assert!(restore.wait_with_output().unwrap().status.success());
}

#[test]
fn a_server_without_a_place_to_keep_things_says_which_flag_it_wants() {
    let (code, _, error) = run(&["server"]);
    assert_eq!((code, error.lines().count()), (1, 1), "{error}");
    assert!(error.contains("--data-dir") && error.contains("wharf dev"), "{error}");
}
